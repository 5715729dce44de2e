"""The manager's dynamics: how a hotel manager decides, before a word is said.

Concession follows the families of Faratin, Sierra and Jennings (1998): a share of the manager's margin opens with time
(polynomial: Boulware to conceder), a share in answer to the agent's own concessions (behaviour-dependent), a share with
good reasons (weights per tactic). Mood, trust and patience bend all three. Written once for one negotiation and for N
(see ``negotiation_env.game.lanes``); it never quotes or accepts a figure below the ticket's floor, by construction:
every figure is rounded up from ``selling - opened * (selling - floor)`` with ``opened`` in [0, 1].

It sees acts and numbers, never text; what it decides is worded, and checked, elsewhere. The functional forms are
Faratin's where named; the weights of mood, trust and patience are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from negotiation_env.game.acts import MAX_TICKETS, Tactic
from negotiation_env.game.lanes import Flag, Lanes, Num, Trio
from negotiation_env.game.scenario import CardNumbers
from negotiation_env.game.state import Decision, GameState, Move
from negotiation_env.seeds import TURNS

CURVE_TURNS = 33
"""Turns for which the concession curve is tabulated; later turns use the last entry."""
PERSONA_TURN, REASON_TURN = TURNS["persona"], TURNS["reason"]
"""Positions in the draw space at which the persona is drawn, and whether it asks for reasons."""
ANSWER, CATCH, NOISE, OBJECT = range(4)
"""Order of the manager's draws in a turn."""
REASONS = range(int(Tactic.EXPOSURE), int(Tactic.PRESSURE))
UPSET_BELOW, WALK_BELOW = -0.25, -0.8


class Traits(NamedTuple):
    """How a persona decides; see ``personas.Persona`` for the meaning and range of each number."""

    beta: float = 1.0
    time_weight: float = 0.3
    deadline: float = 12.0
    reciprocity: float = 0.3
    mood: float = 0.0
    temper: float = 0.5
    forgiving: float = 0.5
    trust: float = 0.6
    vigilance: float = 0.5
    patience: float = 6.0
    answers: float = 0.5
    keeps_answering: float = 0.95
    wants_reason: float = 0.5
    net: bool = False
    rounding: float = 1.0
    tactics: tuple[float, ...] = (0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0)


@dataclass(slots=True)
class Seat:
    """The manager's private state; every field a ``Num``, a ``Flag``, or a tuple of them."""

    persona: Num
    seed: Num
    floor: Trio
    traits: Traits
    """The persona's, without ``tactics``: ``worth`` holds what became of them."""
    worth: tuple[Num, ...]
    """How much of its margin each tactic opens, fresh, with this scenario's facts."""
    mood: Num
    trust: Num
    patience: Num
    opened: Num
    """Share of the margin between selling price and floor that is open, in [0, 1]; never falls."""
    persuaded: Num
    """The part of ``opened`` that reasons, promises and reciprocity have earned."""
    bid: Trio
    """The agent's figures as last seen."""
    settled: Trio
    """Tickets whose agreement the manager has confirmed."""
    promised: Flag
    curious: Flag
    """Whether it asks what it would gain before it quotes."""


class MoveReading(NamedTuple):
    """What the manager makes of a move."""

    fresh: Num
    """Strength of reasons not heard before, weighted by the persona's tactics."""
    reasons: Flag
    raised: Num
    """How far bids were raised, as shares of the selling price, summed over tickets."""
    lowball: Flag
    new: Flag
    weak: Num
    """A tactic that failed to impress (a ``Tactic``), 0 for none."""


class Dynamics:
    """Decisions of managers drawn from a set of personas; implements ``protocols.ManagerDynamics``."""

    def __init__(self, traits: Sequence[Traits], weights: Sequence[float] | None = None) -> None:
        """Tabulate the personas. ``weights``: sampling weights, default equal."""
        self.size = len(traits)
        share = np.array(weights if weights is not None else [1.0] * self.size, dtype=np.float64)
        self._edges = np.cumsum(share / share.sum()).tolist()
        self._rows = [(t._replace(tactics=()), t.tactics) for t in traits]
        self._table = np.array([(*map(float, t[:-1]), *t.tactics) for t in traits])
        turns = np.arange(CURVE_TURNS)
        self._curve = np.concatenate(
            [np.minimum(turns / t.deadline, 1.0) ** (1.0 / t.beta) * t.time_weight for t in traits]
        )

    def start(self, lanes: Lanes, seed: Num, card: CardNumbers, floors: Trio, persona: Num | None = None) -> Seat:
        """Return the private state before the first message; ``persona`` None draws it from the seed."""
        if persona is None:
            persona = lanes.place(self._edges[:-1], lanes.draw(seed, PERSONA_TURN, 0))
        alone = isinstance(persona, (int, float))
        traits, tactics = self._rows[int(persona)] if alone else self._gather(persona)
        worth = tuple([weight * facts for weight, facts in zip(tactics, card.strength, strict=True)])
        zero, no = lanes.full(persona, 0.0), lanes.flag(persona, False)
        return Seat(
            persona=persona, seed=seed, floor=floors, traits=traits,
            worth=worth,
            mood=traits.mood, trust=traits.trust, patience=traits.patience, opened=zero, persuaded=zero,
            bid=(zero, zero, zero), settled=(no, no, no), promised=no,
            curious=lanes.draw(seed, REASON_TURN, 0) < traits.wants_reason,
        )  # fmt: skip

    def _gather(self, persona: Num) -> tuple[Traits, tuple[Num, ...]]:
        """Return the traits of many personas, tactics apart, each field an array [N]."""
        columns = np.ascontiguousarray(self._table[persona.astype(np.intp)].T)
        values, tactics = columns[: -len(Tactic)], columns[-len(Tactic) :]
        traits = Traits._make([*values, ()])
        return traits._replace(net=traits.net > 0.5), tuple(tactics)

    def decide(self, lanes: Lanes, seat: Seat, game: GameState, move: Move) -> Decision:
        """Answer a move (already written into ``game``) and update ``seat``."""
        luck = lanes.draws(seat.seed, game.turn, 4)
        half = _half_said(move)
        asks = lanes.some(half)
        reading = _read(lanes, seat, game, move)
        if asks:
            reading = reading._replace(new=reading.new | (half & _unasked(game)))
        _feel(lanes, seat, game, move, reading, luck[CATCH])
        self._open(lanes, seat, game, move, reading, luck[NOISE])
        answer = _answer(lanes, seat, game, move, reading, luck)
        return _ask_back(lanes, game, move, answer) if asks else answer

    def _open(self, lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, noise: Num) -> None:
        """Open more of the margin: by time, reasons, reciprocity, promises; never close any of it."""
        belief = (0.3 + 0.7 * seat.trust) * (1.0 + 0.4 * seat.mood)
        first_promise = move.promise & (seat.promised ^ True)
        earned = (reading.fresh + 0.06 * first_promise) * belief
        earned = earned + seat.traits.reciprocity * lanes.minimum(2.0 * reading.raised, 0.2)
        pressed = move.tactics[Tactic.PRESSURE] & (game.used[Tactic.PRESSURE] <= 1.5)
        if lanes.some(pressed):
            earned = earned + pressed * seat.worth[Tactic.PRESSURE]
        seat.persuaded = lanes.clip(seat.persuaded + earned, 0.0, 1.0)
        seat.promised = seat.promised | move.promise
        turn = lanes.minimum(game.turn, float(CURVE_TURNS - 1))
        by_time = lanes.take(self._curve, seat.persona * CURVE_TURNS + turn)
        wish = (by_time + seat.persuaded) * (0.6 + 0.4 * seat.trust) + 0.03 * noise
        seat.opened = lanes.maximum(seat.opened, lanes.clip(wish, 0.0, 1.0))


def _read(lanes: Lanes, seat: Seat, game: GameState, move: Move) -> MoveReading:
    """Weigh the move's reasons and figures against what was said before."""
    fresh, weak, none = lanes.full(game.turn, 0.0), lanes.tally(game.turn), lanes.tally(game.turn)
    reasons = lanes.flag(game.turn, False)
    for k in REASONS:
        used = move.tactics[k]
        if not lanes.some(used):
            continue
        worth = seat.worth[k]
        fresh = fresh + used * worth * (1.0 - 0.92 * (game.used[k] > 1.5))
        weak = lanes.maximum(weak, (none + (used & (worth < 0.06))) * k)
        reasons = reasons | used
    raised = lanes.full(game.turn, 0.0)
    lowball = lanes.flag(game.turn, False)
    for k in lanes.tickets(game.card.tickets):
        bid, last, selling = game.bid[k], seat.bid[k], game.card.selling[k]
        raised = raised + (last > 0.0) * lanes.maximum((bid - last) / selling, 0.0)
        lowball = lowball | ((bid > 0.0) & (bid < 0.65 * selling) & (bid != last))
    first = (game.turn < 0.5) | (move.soothe & game.upset)
    new = (fresh > 0.02) | (raised > 0.002) | first | (move.ask & (game.ever_answered ^ True))
    seat.bid = game.bid
    return MoveReading(fresh, reasons, raised, lowball, new, weak)


def _feel(lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, luck: Num) -> None:
    """Update mood, trust and patience."""
    traits = seat.traits
    caught = lied = move.overpromise | move.false_fact
    if lanes.some(lied):
        caught = lied & (luck < traits.vigilance)
    hurt = 0.45 * move.tactics[Tactic.PRESSURE] + 0.8 * move.rude + 0.5 * caught
    stale = 0.14 * (reading.new ^ True) + 0.1 * move.off_topic
    # Letting business rest hurts nobody who is upset.
    hurt = hurt + 0.18 * reading.lowball + stale * ((game.upset & _lets_rest(lanes, game, move)) ^ True)
    comfort = move.soothe * (0.12 + 0.58 * (seat.mood < UPSET_BELOW)) * traits.forgiving
    seat.mood = lanes.clip(seat.mood + comfort - hurt * traits.temper, -1.0, 1.0)
    honest = reading.reasons & (lied ^ True)
    seat.trust = lanes.clip(seat.trust + 0.03 * honest - 0.45 * caught, 0.0, 1.0)
    seat.patience = seat.patience - (1.0 - 0.65 * reading.new)


def _lets_rest(lanes: Lanes, game: GameState, move: Move) -> Flag:
    """Whether a move lets business rest: it says nothing of rates, in whatever words."""
    busy = move.ask | move.promise | move.close | move.silent
    for tactic in move.tactics:
        busy = busy | tactic
    for k in lanes.tickets(game.card.tickets):
        busy = busy | (move.bid[k] > 0.0) | move.claim[k]
    return busy ^ True


def _answer(
    lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, luck: Sequence[Num]
) -> Decision:
    """Put the manager's state into one answer."""
    first = game.ever_answered ^ True
    over = game.end > 0.0
    confirms = list(seat.settled)
    for k in range(MAX_TICKETS):
        confirms[k] = (game.agreed[k] > 0.0) & (seat.settled[k] ^ True)
    seat.settled = (seat.settled[0] | confirms[0], seat.settled[1] | confirms[1], seat.settled[2] | confirms[2])
    settles = confirms[0] | confirms[1] | confirms[2]
    walk = (seat.mood < WALK_BELOW) & (over ^ True)
    has_reason = lanes.flag(game.turn, False)
    for k in REASONS:
        has_reason = has_reason | (game.used[k] > 0.0)
    curious = (has_reason ^ True) & seat.curious
    bids = (game.bid[0] > 0.0) | (game.bid[1] > 0.0) | (game.bid[2] > 0.0)
    haggles = bids | game.asked | move.claim[0] | move.claim[1] | move.claim[2]
    stays = (walk | over) ^ True
    accept, counter, hold, refuse, quote, net = _prices(lanes, seat, game, haggles & (curious ^ True) & stays)
    busy = settles | (stays ^ True)
    for k in lanes.tickets(game.card.tickets):
        busy = busy | accept[k] | counter[k] | hold[k] | refuse[k]
    objects = stays & (settles ^ True) & (reading.weak > 0)
    objects = objects & (luck[OBJECT] < 0.6)
    silent = (luck[ANSWER] >= _answer_rate(lanes, seat, game, move, reading)) & ((settles | walk) ^ True)
    return Decision(
        silent=silent,
        greet=first & (walk ^ True),
        walk=walk,
        bye=over & (walk ^ True),
        ask=((busy ^ True) | curious) & stays,
        upset=(seat.mood < UPSET_BELOW) & (over ^ True),
        objection=reading.weak * objects,
        accept=accept,
        counter=counter,
        hold=hold,
        refuse=refuse,
        confirm=(confirms[0], confirms[1], confirms[2]),
        quote=quote,
        net=net,
    )


def _half_said(move: Move) -> Flag:
    """Whether a move takes a figure, but not firmly, or names one that cannot be made out."""
    later = move.put_off[0] | move.put_off[1] | move.put_off[2]
    return move.unsure[0] | move.unsure[1] | move.unsure[2] | move.unclear | later


def _unasked(game: GameState) -> Flag:
    """Whether the manager's last message asked for no confirmation: half an answer is then news, once."""
    return (game.pending[0] | game.pending[1] | game.pending[2]) ^ True


def _ask_back(lanes: Lanes, game: GameState, move: Move, answer: Decision) -> Decision:
    """Ask about what was said but not firmly, and wait for what was put off, in place of an answer; no figure moves."""
    talks = (answer.silent | answer.walk | (game.end > 0.0)) ^ True
    unclear = talks & move.unclear
    changes = {name: list(getattr(answer, name)) for name in ("accept", "counter", "hold", "refuse", "quote")}
    read_back = list(answer.read_back)
    for k in lanes.tickets(game.card.tickets):
        stands = talks & game.open[k] & game.quoted[k] & (unclear ^ True)
        read_back[k] = stands & move.unsure[k]
        waits = stands & move.put_off[k] & (read_back[k] ^ True) & (move.bid[k] <= 0.0)
        changed = read_back[k] | unclear | waits
        for name in ("accept", "counter", "hold", "refuse"):
            changes[name][k] = changes[name][k] & (changed ^ True)
        changes["hold"][k] = changes["hold"][k] | waits
        changes["quote"][k] = lanes.where(changed, game.quote[k], changes["quote"][k])
    asks = unclear | read_back[0] | read_back[1] | read_back[2]
    trios = {name: _trio(values) for name, values in changes.items()}
    return answer._replace(
        read_back=_trio(read_back),
        unclear=unclear,
        ask=answer.ask & (asks ^ True),
        net=lanes.where(asks, game.net, answer.net),
        **trios,
    )


def _answer_rate(lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading) -> Num:
    """Return the chance that the manager answers the message."""
    traits = seat.traits
    opening = traits.answers + 0.06 * move.greet + 0.08 * reading.reasons
    opening = opening - 0.1 * reading.lowball - 0.1 * (move.ask & (reading.reasons ^ True))
    opening = opening * (1.0 - 0.4 * (game.silent_streak > 0.0))
    chance = lanes.where(game.ever_answered, traits.keeps_answering, opening) + 0.1 * lanes.minimum(seat.mood, 0.0)
    return chance - 0.2 * move.rude - 0.5 * move.silent


def _prices(lanes: Lanes, seat: Seat, game: GameState, engaged: Flag) -> tuple[Trio, Trio, Trio, Trio, Trio, Flag]:
    """Decide each open ticket: accept the bid, counter, hold, or refuse; and in which price type to speak.

    An acceptance is spoken in the agent's price type, since it repeats the agent's figure; so is the whole message.
    """
    card, no = game.card, lanes.flag(game.turn, False)
    accepts, counters, holds, refuses, live = [no] * 3, [no] * 3, [no] * 3, [no] * 3, [no] * 3
    wholes, limits, quotes = [no] * 3, [no] * 3, list(game.quote)
    if not lanes.some(engaged):
        return (no, no, no), (no, no, no), (no, no, no), (no, no, no), game.quote, seat.traits.net
    for k in lanes.tickets(card.tickets):
        bid, selling, floor = game.bid[k], card.selling[k], seat.floor[k]
        limits[k] = lanes.maximum(selling - seat.opened * (selling - floor), floor)
        part = 1.0 - card.commission[k] * game.net
        wholes[k] = whole = lanes.floor(bid * part + 1e-6) / part
        better = (game.quoted[k] ^ True) | (game.quote[k] - whole > 0.5)
        live[k] = engaged & game.open[k]
        accepts[k] = live[k] & (bid > 0.0) & (whole >= limits[k]) & better
    speaks_net = lanes.where(accepts[0] | accepts[1] | accepts[2], game.net, seat.traits.net)
    worn, spent = seat.patience <= 0.0, seat.patience <= -2.0
    for k in lanes.tickets(card.tickets):
        quote, part = game.quote[k], 1.0 - card.commission[k] * speaks_net
        said = lanes.ceil(limits[k] * part / seat.traits.rounding - 1e-9) * seat.traits.rounding
        offer = said / part
        gives = quote - offer > 0.5
        tired = worn & ((game.quoted[k] ^ True) | spent)
        haggles = live[k] & (accepts[k] ^ True)
        refuses[k] = haggles & tired
        counters[k] = haggles & gives & (tired ^ True)
        holds[k] = haggles ^ refuses[k] ^ counters[k]
        kept = (accepts[k] | counters[k]) ^ True
        quotes[k] = quote * kept + wholes[k] * accepts[k] + offer * counters[k]
    return _trio(accepts), _trio(counters), _trio(holds), _trio(refuses), _trio(quotes), speaks_net


def _trio(values: list[Num]) -> Trio:
    return (values[0], values[1], values[2])
