"""The public state of a negotiation, how each side's move changes it, and the stage of the procedure (SOP) it is in.

Written once for one negotiation (floats) and for N (arrays), see ``lanes``. Everything here was said aloud by one of
the sides or stands on the task card: floors, mood and trust live with the manager and never come here.

Agreement is explicit (``settle``): the manager commits to a figure for a ticket by quoting or accepting it, and the
agent takes that figure, by naming it or by a plain yes to the message that named it. Numbers that cross are no deal;
silence is no deal. Where the agent takes a figure but not firmly, nothing is agreed: the manager reads it back, and the
agent's answer to that decides. The SOP's six stages are ours; the source method (REPO, arXiv 2510.04214) names an SOP
without listing it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from negotiation_env.game import world
from negotiation_env.game.acts import MAX_TICKETS, Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import Flag, Lanes, Num, Trio
from negotiation_env.game.scenario import CardNumbers

PRICE_TOLERANCE = 1.5
"""Yuan of selling price by which two figures may differ and still be the same (net and selling are rounded)."""
CONDITION_NAMES = tuple(world.CONDITIONS)
"""By position, see ``GameState.condition``."""
SILENCE_LIMIT = 3
"""Unanswered messages in a row after which the negotiation ends without an answer."""


class End(IntEnum):
    """Why a negotiation is over."""

    OPEN = 0
    SETTLED = 1
    WALKED_AWAY = 2
    CLOSED = 3
    NO_ANSWER = 4


# Looking a member up in its Enum class takes longer than a global name.
_SETTLED, _WALKED_AWAY, _CLOSED, _NO_ANSWER = map(float, (End.SETTLED, End.WALKED_AWAY, End.CLOSED, End.NO_ANSWER))


class Move(NamedTuple):
    """What one message of the agent does, as flags and numbers. Prices are selling prices, 0 where none was said.

    Attributes:
        greet, ask, soothe, promise, close, reject: whether it has an act of this kind (``acts.Act``).
        silent: whether it says nothing.
        off_topic: whether it has an act that belongs to no negotiation, or that comes to nothing.
        overpromise: whether it promises what the card does not allow.
        false_fact: whether something that it states of the card or the talk is false.
        rude: whether it insults.
        bid: the figure that it proposes for each ticket.
        claim_price: the figure that it says is agreed for each ticket.
    """

    greet: Flag
    ask: Flag
    soothe: Flag
    promise: Flag
    close: Flag
    silent: Flag
    off_topic: Flag
    reject: Flag
    tactics: tuple[Flag, ...]
    """Which tactics were used, indexed by ``Tactic``."""
    overpromise: Flag
    false_fact: Flag
    rude: Flag
    net: Flag
    """Whether it spoke of net prices."""
    bid: Trio
    claim: Trio
    """Whether it says that a ticket is agreed (accepts or confirms)."""
    claim_price: Trio
    unsure: Trio = (False, False, False)
    """Whether it takes the manager's figure, but not firmly: the manager reads it back."""
    unclear: Flag = False
    """Whether it names a figure that cannot be made out: the manager asks which."""
    put_off: Trio = (False, False, False)
    """Whether it leaves its answer to the manager's figure for later: the manager waits."""


class Decision(NamedTuple):
    """What the manager answers, before it is worded. Prices are selling prices.

    Attributes:
        silent: whether it does not answer at all.
        greet: whether it greets.
        walk: whether it ends the talk because it has had enough.
        bye: whether it says goodbye where everything is settled.
        upset: whether it says that it is hurt or angry.
        accept, counter, hold, refuse, confirm: what it does about each ticket, one of them at most: takes the agent's
            figure, names one of its own, stays where it is, says a last no, or says again what is settled.
    """

    silent: Flag
    greet: Flag
    walk: Flag
    bye: Flag
    ask: Flag
    """Asks what the hotel would gain."""
    upset: Flag
    objection: Num
    """The tactic it argues against (a ``Tactic``), 0 for none."""
    accept: Trio
    counter: Trio
    hold: Trio
    refuse: Trio
    confirm: Trio
    quote: Trio
    """Its figure per ticket after this answer."""
    net: Flag
    """Whether it speaks in net prices."""
    read_back: Trio = (False, False, False)
    """Whether it repeats its figure and asks the agent to confirm it."""
    unclear: Flag = False
    """Asks which figure the agent means."""
    retract: Trio = (False, False, False)
    """Whether it takes back its commitment to its figure."""
    last: Trio = (False, False, False)
    """Whether it says that the figure it counters with is its last."""
    warn: Flag = False
    """Warns that it is about to end the talk about a price."""
    wonders: Flag = False
    """Asks which rate the agent has in mind."""
    condition: Trio = (0.0, 0.0, 0.0)
    """What it ties its figure to: 1 and the position in ``world.CONDITIONS``, 0 for nothing."""


@dataclass(slots=True)
class GameState:
    """The public state; every field is a ``Num``, a ``Flag``, or a tuple of them.

    Attributes:
        card: the agent's side of the scenario.
        turn: messages of the agent's that the manager has answered, or left without an answer.
        refused: whether the manager has said its last no to each ticket.
        greeted, asked: whether the agent has greeted, and asked for something.
        upset, wants_reason: whether the manager's last answer said that it is upset, and asked what the hotel gains.
        silent_streak: messages in a row that were left without an answer.
        ever_answered: whether the manager has answered any.
        end: how the negotiation ended, an ``End``; 0 while it goes on.
    """

    card: CardNumbers
    turn: Num
    quote: Trio
    """The manager's standing figure (at first the current selling price, to which nobody has committed)."""
    quoted: Trio
    """Whether the manager has committed to ``quote``."""
    fresh: Trio
    """Whether the manager's last message named ``quote``."""
    bid: Trio
    """The agent's last figure, 0 if none."""
    pending: Trio
    """Whether the manager's last message asked the agent to confirm ``quote``."""
    condition: Trio
    """What ``quote`` is tied to: 1 and the position in ``world.CONDITIONS``, 0 for nothing."""
    agreed: Trio
    """The agreed figure, 0 if none."""
    refused: Trio
    open: Trio
    """What ``open_tickets`` made of the fields above; kept, because it is asked for several times a turn."""
    used: tuple[Num, ...]
    """How often the agent has used each tactic."""
    greeted: Flag
    asked: Flag
    upset: Flag
    wants_reason: Flag
    silent_streak: Num
    ever_answered: Flag
    net: Flag
    """Whether the price type last named is net."""
    end: Num


def new_game(lanes: Lanes, card: CardNumbers) -> GameState:
    """Return the state before the first message."""
    zero, no = lanes.full(card.tickets, 0.0), lanes.flag(card.tickets, False)
    return GameState(
        card=card,
        turn=zero,
        quote=card.selling,
        quoted=(no, no, no),
        fresh=(no, no, no),
        bid=(zero, zero, zero),
        pending=(no, no, no),
        condition=(zero, zero, zero),
        agreed=(zero, zero, zero),
        refused=(no, no, no),
        open=(card.tickets > 0, card.tickets > 1, card.tickets > 2),
        used=(zero,) * len(Tactic),
        greeted=no,
        asked=no,
        upset=no,
        wants_reason=no,
        silent_streak=zero,
        ever_answered=no,
        net=no,
        end=zero,
    )


def put(state: Any, rows: Any, other: Any) -> None:
    """Overwrite the given rows of a batched state, in place, with those of ``other``: a state just opened.

    Fields that still share an array do so since the negotiations were opened, and share it in ``other`` too, so writing
    the rows of one writes those of the other to the same values.
    """
    if isinstance(state, tuple):
        for mine, theirs in zip(state, other, strict=True):
            put(mine, rows, theirs)
    elif hasattr(state, "__dataclass_fields__"):
        for name in state.__dataclass_fields__:
            put(getattr(state, name), rows, getattr(other, name))
    else:
        state[rows] = other


def open_tickets(lanes: Lanes, game: GameState) -> Trio:
    """Return which tickets exist and are neither agreed nor refused; ``GameState.open`` holds it."""
    out = [lanes.flag(game.turn, False)] * MAX_TICKETS
    for k in lanes.tickets(game.card.tickets):
        out[k] = (game.card.tickets > k) & (game.agreed[k] <= 0.0) & (game.refused[k] ^ True)
    return (out[0], out[1], out[2])


def unsettled(game: GameState) -> list[int]:
    """Return one negotiation's open tickets (0-based)."""
    return [k for k, is_open in enumerate(game.open) if is_open]


def granted(game: GameState) -> list[int]:
    """Return one negotiation's open tickets for which the hotel asks no more than the agent's last bid."""
    return [k for k in unsettled(game) if game.quoted[k] and 0.0 < game.quote[k] <= game.bid[k] + PRICE_TOLERANCE]


class Claims(NamedTuple):
    """How the agent's claims of agreement stand up, per ticket."""

    settled: Trio
    """A committed figure, taken: agreed."""
    mistaken: Trio
    """A claim to a figure that the manager has not committed to."""
    bid: Trio
    """The agent's figures; a wrongly claimed figure counts as a bid."""


def same_price(a: Num, b: Num) -> Flag:
    """Return whether two selling prices are the same but for rounding."""
    return (a - b < PRICE_TOLERANCE) & (b - a < PRICE_TOLERANCE)


def settle(lanes: Lanes, game: GameState, move: Move) -> Claims:
    """Compare the agent's claims with the manager's commitments, in the state before the move."""
    no = (lanes.flag(game.turn, False),) * MAX_TICKETS
    if not lanes.some(move.claim[0] | move.claim[1] | move.claim[2]):
        return Claims(no, no, move.bid)
    settled, mistaken, bids = list(no), list(no), list(move.bid)
    for k in lanes.tickets(game.card.tickets):
        named = move.claim_price[k]
        taken = game.quoted[k] & (same_price(named, game.quote[k]) | ((named <= 0.0) & game.fresh[k]))
        claim = move.claim[k] & game.open[k]
        settled[k] = claim & taken
        mistaken[k] = claim & (taken ^ True)
        bids[k] = lanes.where(mistaken[k] & (named > 0.0), named, move.bid[k])
    return Claims(
        (settled[0], settled[1], settled[2]), (mistaken[0], mistaken[1], mistaken[2]), (bids[0], bids[1], bids[2])
    )


def _all_done(game: GameState) -> Flag:
    """Whether every ticket is agreed or refused."""
    return (game.open[0] | game.open[1] | game.open[2]) ^ True


def apply_move(lanes: Lanes, game: GameState, move: Move, claims: Claims) -> None:
    """Write the agent's move into the state. ``claims`` are what ``settle`` made of it in this state."""
    agreed, bids = list(game.agreed), list(game.bid)
    for k in lanes.tickets(game.card.tickets):
        agreed[k] = agreed[k] + claims.settled[k] * game.quote[k]  # an open ticket's figure was 0
        bids[k] = lanes.where((claims.bid[k] > 0.0) & game.open[k], claims.bid[k], bids[k])
    game.agreed = (agreed[0], agreed[1], agreed[2])
    game.open = open_tickets(lanes, game)
    game.bid = (bids[0], bids[1], bids[2])
    game.used = tuple([n + t for n, t in zip(game.used, move.tactics, strict=True)])
    game.greeted = game.greeted | move.greet
    game.asked = game.asked | move.ask
    named = (claims.bid[0] + claims.bid[1] + claims.bid[2] > 0.0) | move.net
    game.net = lanes.where(named, move.net, game.net)
    ended = lanes.where(move.close, _CLOSED, game.end)
    game.end = lanes.where(_all_done(game), _SETTLED, ended)


def apply_decision(lanes: Lanes, game: GameState, decision: Decision) -> None:
    """Write the manager's answer into the state and advance the turn."""
    talks = decision.silent ^ True
    quote, quoted, fresh, refused = list(game.quote), list(game.quoted), list(game.fresh), list(game.refused)
    pending, condition = list(game.pending), list(game.condition)
    named = lanes.flag(game.end, False)
    for k in lanes.tickets(game.card.tickets):
        commits = (decision.accept[k] | decision.counter[k]) & talks
        retracts = decision.retract[k] & game.quoted[k] & talks
        quote[k] = lanes.where(commits, decision.quote[k], game.quote[k])
        condition[k] = lanes.where(commits, decision.condition[k], game.condition[k])
        if lanes.some(retracts):
            quote[k] = lanes.where(retracts & (commits ^ True), game.card.selling[k], quote[k])
        quoted[k] = (game.quoted[k] & (retracts ^ True)) | commits
        pending[k] = decision.read_back[k] & quoted[k] & game.open[k] & talks
        fresh[k] = commits | pending[k] | (decision.hold[k] & quoted[k] & talks)
        refused[k] = game.refused[k] | (decision.refuse[k] & talks)
        named = named | fresh[k]
    game.quote = (quote[0], quote[1], quote[2])
    game.quoted = (quoted[0], quoted[1], quoted[2])
    game.fresh = (fresh[0], fresh[1], fresh[2])
    game.pending = (pending[0], pending[1], pending[2])
    game.condition = (condition[0], condition[1], condition[2])
    game.refused = (refused[0], refused[1], refused[2])
    game.open = open_tickets(lanes, game)
    game.net = lanes.where(named, decision.net, game.net)
    game.upset = lanes.where(talks, decision.upset, game.upset)
    game.wants_reason = lanes.where(talks, decision.ask, game.wants_reason)
    game.ever_answered = game.ever_answered | talks
    game.silent_streak = (game.silent_streak + 1.0) * decision.silent
    game.turn = game.turn + 1.0
    # Of several reasons to end, the one of the highest code counts.
    after = lanes.maximum(_SETTLED * _all_done(game), _WALKED_AWAY * (decision.walk & talks))
    after = lanes.maximum(after, _NO_ANSWER * (game.silent_streak >= float(SILENCE_LIMIT)))
    game.end = game.end + after * (game.end <= 0.0)


def condition_of(game: GameState, k: int) -> str | None:
    """Return what the agreed figure of one negotiation's ticket is tied to, None for nothing."""
    return CONDITION_NAMES[int(game.condition[k]) - 1] if game.agreed[k] and game.condition[k] else None


def decision_acts(game: GameState, decision: Decision) -> tuple[DialogueAct, ...]:
    """Return a decision of one negotiation as dialogue acts, in the order in which they are said.

    ``game`` is the state before ``apply_decision``. Prices are given in the type the manager speaks in, rounded up to
    whole yuan: the dynamics quote figures that are whole in that type already.
    """
    if decision.silent:
        return (DialogueAct(Act.SILENCE),)
    kind = PriceType.NET if decision.net else PriceType.SELLING
    acts: list[DialogueAct] = []
    if decision.greet:
        acts.append(DialogueAct(Act.GREET))
    if decision.upset:
        acts.append(DialogueAct(Act.INFORM, detail="upset"))
    if decision.objection:
        acts.append(DialogueAct(Act.INFORM, Tactic(int(decision.objection)), detail="objection"))
    acts += [act for k in range(int(game.card.tickets)) if (act := _ticket_act(game, decision, k, kind)) is not None]
    tied = {int(n) for n in decision.condition if n}
    acts += [DialogueAct(Act.INFORM, detail=f"condition:{CONDITION_NAMES[n - 1]}") for n in sorted(tied)]
    if decision.unclear:
        acts.append(DialogueAct(Act.ASK, detail="figure"))
    if decision.warn:
        acts.append(DialogueAct(Act.INFORM, detail="warning"))
    if decision.ask:
        acts.append(DialogueAct(Act.ASK, detail="reason"))
    if decision.wonders:
        acts.append(DialogueAct(Act.ASK, detail="price"))
    if decision.walk or decision.bye:
        acts.append(DialogueAct(Act.CLOSE, detail="walk" if decision.walk else "bye"))
    return tuple(acts)


def _ticket_act(game: GameState, decision: Decision, k: int, kind: PriceType) -> DialogueAct | None:
    """Return what a decision says about ticket ``k``, None if nothing."""
    price = said_price(decision.quote[k], game.card.commission[k], kind)
    if decision.confirm[k]:
        return DialogueAct(Act.CONFIRM, price=price, price_type=kind, ticket=k)
    if decision.read_back[k]:
        return DialogueAct(Act.ASK, price=price, price_type=kind, ticket=k, detail="confirm")
    if decision.accept[k]:
        return DialogueAct(Act.ACCEPT, price=price, price_type=kind, ticket=k)
    if decision.counter[k]:
        detail = "last" if decision.last[k] else ""
        return DialogueAct(Act.COUNTER, price=price, price_type=kind, ticket=k, detail=detail)
    if decision.retract[k] or decision.refuse[k]:
        return DialogueAct(Act.REJECT, ticket=k, detail="retract" if decision.retract[k] else "final")
    return _hold(game, k, price, kind) if decision.hold[k] else None


def _hold(game: GameState, k: int, price: float, kind: PriceType) -> DialogueAct:
    """A manager that holds says its figure again if it has committed to one."""
    if game.quoted[k]:
        return DialogueAct(Act.REJECT, price=price, price_type=kind, ticket=k, detail="hold")
    return DialogueAct(Act.REJECT, ticket=k, detail="hold")


def said_price(selling: float, commission: float, kind: PriceType) -> float:
    """Return a selling price as the whole figure that is said in the given type, rounded up."""
    part = 1.0 - commission if kind is PriceType.NET else 1.0
    return float(math.ceil(selling * part - 1e-6))


class Stage(IntEnum):
    """Where a negotiation stands."""

    OPEN = 0
    """Greet and say who is calling."""
    REASON = 1
    """Give the reason, with facts."""
    ASK_PRICE = 2
    """Ask for a price."""
    OBJECTIONS = 3
    """Handle objections and bargain."""
    CONFIRM = 4
    """Confirm price, price type, dates, every ticket; and answer the manager who asks for a confirmation."""
    CLOSE = 5
    """Thank and close."""


STAGE_NAMES = tuple(stage.name.lower() for stage in Stage)
"""Names in order, as ``info["stage"]`` gives them."""
_REASONS = slice(int(Tactic.EXPOSURE), int(Tactic.PRESSURE))


def stage_of(game: GameState) -> Stage:
    """Return the stage that one negotiation (floats) is in: what the agent should do next."""
    if game.end:
        return Stage.CLOSE
    if any(game.pending):
        return Stage.CONFIRM
    if not game.greeted:
        return Stage.OPEN
    if not any(game.used[_REASONS]):
        return Stage.REASON
    card, haggles = game.card, game.asked
    for k in range(int(card.tickets)):
        if game.open[k] and game.quoted[k]:
            if game.quote[k] <= card.target[k]:
                return Stage.CONFIRM
            haggles = True
    return Stage.OBJECTIONS if haggles else Stage.ASK_PRICE
