"""The manager's dynamics: how a hotel manager decides, before a word is said.

Concession follows the families of Faratin, Sierra and Jennings (1998): a share of the manager's margin opens with time
(polynomial: Boulware to conceder), a share in answer to the agent's own concessions (behaviour-dependent), a share with
good reasons (weights per tactic) and with what is said of the manager's own concern. Mood, trust and patience bend all
of it. What is opened is what the manager would accept; what it names lies above that, by a draw of its own, and it
stays above a limit of its own that no agent is told. Written once for one negotiation and for N (see
``negotiation_env.game.lanes``); it never quotes or accepts a figure below the ticket's floor, by construction: every
figure is rounded up from ``selling - opened * (selling - least)`` with ``opened`` in [0, 1] and ``least`` >= floor.

It sees acts, numbers, and what the words are worth to this manager (``Heard``), never text. The functional forms are
Faratin's where named; the weights of mood and trust are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from negotiation_env.game.acts import MAX_TICKETS, Tactic
from negotiation_env.game.lanes import Flag, Lanes, Num, Trio
from negotiation_env.game.scenario import CardNumbers
from negotiation_env.game.state import CONDITION_NAMES, Decision, GameState, Move
from negotiation_env.game.world import HOTEL_KINDS
from negotiation_env.seeds import TURNS

CURVE_TURNS = 33
"""Turns for which the concession curve is tabulated; later turns use the last entry."""
PERSONA_TURN, REASON_TURN, LIMIT_TURN = TURNS["persona"], TURNS["reason"], TURNS["limit"]
"""Positions in the draw space at which the persona is drawn, whether it asks for reasons, and its own limits."""
ANSWER, CATCH, NOISE, OBJECT, MOVES, PART, LAST = range(7)
"""Order of the manager's draws in a turn."""
_PRESSURE = int(Tactic.PRESSURE)
REASONS = range(int(Tactic.EXPOSURE), _PRESSURE)
UPSET_BELOW, WALK_BELOW = -0.25, -0.8
KEPT_BACK = (0.02, 0.6)
"""Between which shares of its margin a manager with ``keeps`` 1 keeps back for itself, drawn per ticket."""
SOFT = (0.04, 0.3)
"""Shares of the selling price below its limit at which a manager with ``takes`` 1 takes a bid, drawn per ticket."""
MEETS, MEETS_FROM = 0.3, 0.04
"""How far above a figure that it could take its own lies, as a share of the gap; the gap that is too small for that."""
REASONS_OPEN = 1.8
"""Factor from a persona's weight of a tactic to the share of its margin that a plain true reason opens."""
TIES = 0.35
"""Share of managers that tie their best price to a condition."""
TELLS_OPEN, TELLS_FILL = 0.25, 0.45
"""Share of its margin that a manager opens to words worth hearing, and how fast it has heard enough of them."""
EASED_OPENS = 0.28
"""Share of its margin that a manager opens to who speaks fully to its concern."""
INVITED = 20.0
"""How the odds of a first answer rise with what invites: at 0.2, an honest and warm message, to five times."""
NEWS = 0.1
"""Strength of reasons from which on they may reopen, once, what was said for the last time."""
MOST_ASKED = 2
"""Times that the manager asks what it would gain."""


class Traits(NamedTuple):
    """How a persona decides; see ``personas.Persona`` for the meaning and range of each number."""

    beta: float = 1.0
    time_weight: float = 0.3
    deadline: float = 12.0
    reciprocity: float = 0.3
    moves: float = 0.5
    step: float = 0.015
    takes: float = 0.3
    keeps: float = 1.0
    meets: float = 0.55
    concern: float = 0.25
    mood: float = 0.0
    temper: float = 0.5
    forgiving: float = 0.5
    trust: float = 0.6
    vigilance: float = 0.5
    patience: float = 6.0
    answers: float = 0.5
    keeps_answering: float = 0.97
    wants_reason: float = 0.5
    net: bool = False
    rounding: float = 1.0
    tactics: tuple[float, ...] = (0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0)


class Heard(NamedTuple):
    """What a message's words are worth to the manager who hears them, beyond its acts: numbers, or arrays [N]."""

    worth: Num
    """Factor on its reasons, 0 to 2: 1 is a plain true reason."""
    tells: Num
    """How much it says that is specific, sincere and new, whatever acts it was read as, 0 to 1."""
    eases: Num
    """How far it speaks to what weighs on this manager, 0 to 1."""
    offends: Num
    """How far it mocks, belittles, or speaks past the person, 0 to 1."""
    invites: Num
    """What a first message takes off the chance of an answer, below 0, or adds to its odds, times ``INVITED``."""


@dataclass(slots=True)
class Seat:
    """The manager's private state; every field a ``Num``, a ``Flag``, or a tuple of them."""

    persona: Num
    seed: Num
    least: Trio
    """The lowest selling price that it will ever take, per ticket: at or above the floor."""
    soft: Trio
    """Yuan below its limit at which it takes the agent's own figure rather than haggle on, per ticket."""
    meets: Trio
    """Whether it answers a figure that it could take with one in between first, once and not after its last price."""
    traits: Traits
    """The persona's, without ``tactics``: ``worth`` holds what became of them."""
    worth: tuple[Num, ...]
    """How much of its margin each tactic opens, fresh, with this scenario's facts."""
    mood: Num
    trust: Num
    patience: Num
    opened: Num
    """Share of the margin between selling price and ``least`` that is open, in [0, 1]; never falls."""
    persuaded: Num
    """The part of ``opened`` that reasons, promises and reciprocity have earned."""
    eased: Num
    """How far the agent has spoken to the manager's concern, 0 to 1; never falls."""
    told: Num
    """How much it has been told that was worth hearing, 0 to 1: more of it opens less and less."""
    comforted: Num
    """How often it was comforted without being upset."""
    bid: Trio
    """The agent's figures as last seen."""
    best: Trio
    """The highest figures that the agent has named."""
    settled: Trio
    """Tickets whose agreement the manager has confirmed."""
    taken: Trio
    """Tickets on which the manager has taken a bid: it stays at that figure."""
    final: Trio
    """Tickets on which it has named its last price."""
    reopened: Trio
    """Tickets on which news has moved it once more after its last price."""
    promised: Flag
    condition: Num
    """What it ties its best prices to, see ``GameState.condition``."""
    curious: Flag
    """Whether it asks what it would gain before it quotes."""
    asked: Num
    """How often it has asked that."""
    warned: Flag
    """Whether it has said that it is about to end the talk about a price."""


class MoveReading(NamedTuple):
    """What the manager makes of a move."""

    fresh: Num
    """Strength of reasons not heard before, weighted by the persona's tactics and by what the words are worth."""
    reasons: Flag
    raised: Num
    """How far bids were raised above the highest so far, as shares of the selling price, summed over tickets."""
    retreats: Flag
    """Whether a bid lies below the agent's last."""
    eased: Num
    """How much further than before it speaks to the concern."""
    lowball: Flag
    new: Flag
    weak: Num
    """A tactic that failed to impress (a ``Tactic``), 0 for none."""


HOUSES = len(HOTEL_KINDS) * 5
"""Hotels by kind and stars, 1 to 5."""


def house_of(lanes: Lanes, card: CardNumbers) -> Num:
    """Return which of the ``HOUSES`` a card's hotel is: a kind's stars in a row."""
    return card.kind * 5.0 + lanes.clip(card.stars, 1.0, 5.0) - 1.0


def share_edges(weights: Sequence[float], fits: Sequence[bool]) -> list[float]:
    """Return the cumulative shares of personas by weight, of those that fit; of all where none does."""
    share = np.array(weights, dtype=np.float64)
    fitting = share * np.array(fits)
    share = fitting if fitting.sum() > 0.0 else share
    edges = np.cumsum(share / share.sum())
    edges[np.flatnonzero(share)[-1] :] = 1.0  # nobody after the last one, however the sum is rounded
    return [float(edge) for edge in edges]


class Dynamics:
    """Decisions of managers drawn from a set of personas; implements ``protocols.ManagerDynamics``."""

    def __init__(
        self,
        traits: Sequence[Traits],
        weights: Sequence[float] | None = None,
        fits: Sequence[Sequence[bool]] | None = None,
    ) -> None:
        """Tabulate the personas.

        ``weights``: sampling weights, default equal. ``fits``: whether each persona fits each of the ``HOUSES`` (see
        ``house_of``), default all.
        """
        self.size = len(traits)
        shares = weights if weights is not None else [1.0] * self.size
        suits = fits if fits is not None else [[True] * HOUSES] * self.size
        by_house = [share_edges(shares, [row[house] for row in suits]) for house in range(HOUSES)]
        self._edges = np.array(by_house).T[:-1]
        self._rows = [(t._replace(tactics=()), t.tactics) for t in traits]
        self._table = np.array([(*map(float, t[:-1]), *t.tactics) for t in traits])
        at = np.arange(CURVE_TURNS)
        self._curve = np.concatenate([np.minimum(at / t.deadline, 1.0) ** (1 / t.beta) * t.time_weight for t in traits])

    def start(self, lanes: Lanes, seed: Num, card: CardNumbers, floors: Trio, persona: Num | None = None) -> Seat:
        """Return the private state before the first message; ``persona`` None draws it from the seed."""
        if persona is None:
            house, position = house_of(lanes, card), lanes.draw(seed, PERSONA_TURN, 0)
            persona = lanes.full(card.stars, 0.0)
            for edges in self._edges:
                persona = persona + (position >= lanes.take(edges, house))
        alone = isinstance(persona, (int, float))
        traits, tactics = self._rows[int(persona)] if alone else self._gather(persona)
        worth = tuple([weight * facts for weight, facts in zip(tactics, card.strength, strict=True)])
        zero, no = lanes.full(persona, 0.0), lanes.flag(persona, False)
        kept = lanes.draws(seed, LIMIT_TURN, 3 * MAX_TICKETS + 2)
        tied = lanes.floor(kept[2 * MAX_TICKETS] * len(CONDITION_NAMES)) + 1.0
        tied = tied * (kept[2 * MAX_TICKETS + 1] < TIES)
        low, high = KEPT_BACK
        soft = [
            traits.takes * (SOFT[0] + (SOFT[1] - SOFT[0]) * kept[MAX_TICKETS + k]) * card.selling[k]
            for k in range(MAX_TICKETS)
        ]
        meets = [kept[2 * MAX_TICKETS + 2 + k] < traits.meets for k in range(MAX_TICKETS)]
        least = [
            lanes.ceil(floors[k] + traits.keeps * (low + (high - low) * kept[k]) * (card.selling[k] - floors[k]))
            for k in range(MAX_TICKETS)
        ]
        return Seat(
            persona=persona, seed=seed, least=_trio(least), soft=_trio(soft), meets=_trio(meets), traits=traits,
            worth=worth,
            mood=traits.mood, trust=traits.trust, patience=traits.patience, opened=zero, persuaded=zero,
            eased=zero, told=zero, comforted=zero,
            bid=(zero, zero, zero), best=(zero, zero, zero), settled=(no, no, no), taken=(no, no, no),
            final=(no, no, no), reopened=(no, no, no), promised=no, condition=tied,
            curious=lanes.draw(seed, REASON_TURN, 0) < traits.wants_reason, asked=zero, warned=no,
        )  # fmt: skip

    def _gather(self, persona: Num) -> tuple[Traits, tuple[Num, ...]]:
        """Return the traits of many personas, tactics apart, each field an array [N]."""
        columns = np.ascontiguousarray(self._table[persona.astype(np.intp)].T)
        values, tactics = columns[: -len(Tactic)], columns[-len(Tactic) :]
        traits = Traits._make([*values, ()])
        return traits._replace(net=traits.net > 0.5), tuple(tactics)

    def decide(self, lanes: Lanes, seat: Seat, game: GameState, move: Move, heard: Heard | None = None) -> Decision:
        """Answer a move (already written into ``game``) and update ``seat``.

        ``heard``: what the message's words are worth; None where there are no words, see ``plain_hearing``.
        """
        luck = lanes.draws(seat.seed, game.turn, 7)
        half = _half_said(move)
        asks = lanes.some(half)
        heard = plain_hearing(lanes, game, move) if heard is None else heard
        reading = _read(lanes, seat, game, move, heard)
        if asks:
            reading = reading._replace(new=reading.new | (half & _unasked(game)))
        _feel(lanes, seat, game, move, reading, heard, luck[CATCH])
        by_time = self._by_time(lanes, seat, game)
        _open(lanes, seat, game, move, reading, heard, by_time, luck[NOISE])
        answer = _answer(lanes, seat, game, move, reading, heard, luck)
        return _ask_back(lanes, game, move, answer) if asks else answer

    def _by_time(self, lanes: Lanes, seat: Seat, game: GameState) -> Num:
        """Return the share of the margin that time alone has opened."""
        turn = lanes.minimum(game.turn, float(CURVE_TURNS - 1))
        return lanes.take(self._curve, seat.persona * CURVE_TURNS + turn)


PLAIN_WORTH, REASON_TELLS, COLD, REASON_INVITES = 0.5, 0.04, -0.12, 0.13
"""What a move without words counts for: the means of the scripted policies' messages, which say their acts plainly."""


def plain_hearing(lanes: Lanes, game: GameState, move: Move) -> Heard:
    """Return what a move without words is worth: the mean of plainly worded messages with its acts."""
    reasons = lanes.flag(game.turn, False)
    for k in REASONS:
        reasons = reasons | move.tactics[k]
    zero = lanes.full(game.turn, 0.0)
    return Heard(
        worth=lanes.full(game.turn, PLAIN_WORTH),
        tells=zero + reasons * REASON_TELLS,
        eases=zero,
        offends=zero,
        invites=COLD + REASON_INVITES * reasons,
    )


def _open(
    lanes: Lanes,
    seat: Seat,
    game: GameState,
    move: Move,
    reading: MoveReading,
    heard: Heard,
    by_time: Num,
    noise: Num,
) -> None:
    """Open more of the margin: by time, reasons, reciprocity, promises; never close any of it."""
    belief = (0.3 + 0.7 * seat.trust) * (1.0 + 0.4 * seat.mood)
    first_promise, told = move.promise & (seat.promised ^ True), heard.tells * (1.0 - seat.told)
    seat.told = seat.told + TELLS_FILL * told
    earned = (reading.fresh + 0.06 * first_promise + EASED_OPENS * reading.eased + TELLS_OPEN * told) * belief
    earned = earned + seat.traits.reciprocity * lanes.minimum(2.0 * reading.raised, 0.2)
    pressed = move.tactics[_PRESSURE] & (game.used[_PRESSURE] <= 1.5)
    if lanes.some(pressed):
        earned = earned + pressed * seat.worth[_PRESSURE]
    seat.persuaded = lanes.clip(seat.persuaded + earned - 0.06 * reading.retreats, 0.0, 1.0)
    seat.promised = seat.promised | move.promise
    wish = (by_time + seat.persuaded) * (0.6 + 0.4 * seat.trust) + 0.03 * noise
    wish = wish * (1.0 - seat.traits.concern * (1.0 - seat.eased))
    seat.opened = lanes.maximum(seat.opened, lanes.clip(wish, 0.0, 1.0))


def _read(lanes: Lanes, seat: Seat, game: GameState, move: Move, heard: Heard) -> MoveReading:
    """Weigh the move's reasons and figures against what was said before."""
    fresh, (weak, none, count) = lanes.full(game.turn, 0.0), (lanes.tally(game.turn) for _ in range(3))
    reasons = lanes.flag(game.turn, False)
    for k in REASONS:
        used, worth = move.tactics[k], seat.worth[k]
        if not lanes.some(used):
            continue
        fresh = fresh + used * worth * (game.used[k] <= 1.5)
        count = count + used
        weak = lanes.maximum(weak, (none + (used & (worth < 0.06))) * k)
        reasons = reasons | used
    # Who recites everything at once is half heard.
    fresh = fresh * heard.worth * REASONS_OPEN * lanes.minimum(2.0 / lanes.maximum(count, 1.0), 1.0)
    raised = lanes.full(game.turn, 0.0)
    lowball = retreats = lanes.flag(game.turn, False)
    best = list(seat.best)
    for k in lanes.tickets(game.card.tickets):
        bid, last, selling = game.bid[k], seat.bid[k], game.card.selling[k]
        had = seat.best[k] > 0.0
        raised = raised + had * lanes.maximum((lanes.minimum(bid, game.quote[k]) - seat.best[k]) / selling, 0.0)
        retreats = retreats | (had & (bid < last - 0.002 * selling))
        lowball = lowball | ((bid > 0.0) & (bid < 0.65 * selling) & (bid != last))
        best[k] = lanes.maximum(seat.best[k], bid)
    eased = lanes.maximum(heard.eases - seat.eased, 0.0)
    first = (game.turn < 0.5) | (move.soothe & game.upset)
    new = (
        (fresh > 0.02)
        | (heard.tells * (1.0 - seat.told) > 0.25)
        | (raised > 0.002)
        | (eased > 0.1)
        | first
        | (move.ask & (game.ever_answered ^ True))
    )
    seat.bid, seat.best = game.bid, _trio(best)
    return MoveReading(fresh, reasons, raised, retreats, eased, lowball, new, weak)


def _feel(lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, heard: Heard, luck: Num) -> None:
    """Update mood, trust, patience, and what the concern has eased to."""
    traits = seat.traits
    caught = lied = move.overpromise | move.false_fact
    if lanes.some(lied):
        caught = lied & (luck < traits.vigilance)
    hurt = 0.45 * move.tactics[_PRESSURE] + 0.8 * move.rude + 0.5 * caught
    # Letting business rest hurts nobody who is upset, in whatever words.
    rests = game.upset & _lets_rest(lanes, game, move)
    hurt = hurt + 0.6 * heard.offends * (1.0 - 0.7 * (move.soothe | rests))
    stale = 0.14 * (reading.new ^ True) + 0.1 * move.off_topic
    hurt = hurt + 0.18 * reading.lowball + stale * (rests ^ True)
    hurt = hurt + 0.12 * reading.retreats
    upset = seat.mood < UPSET_BELOW
    comfort = move.soothe * (0.12 * ((upset ^ True) & (seat.comforted < 0.5)) + 0.7 * upset)
    comfort = comfort * lanes.clip(heard.worth, 0.6, 1.3) + 0.3 * reading.eased
    seat.comforted = seat.comforted + (move.soothe & (upset ^ True))
    seat.mood = lanes.clip(seat.mood + comfort * traits.forgiving - hurt * traits.temper, -1.0, 1.0)
    seat.eased = lanes.maximum(seat.eased, heard.eases)
    honest = reading.reasons & (lied ^ True)
    seat.trust = lanes.clip(seat.trust + 0.03 * honest + 0.1 * reading.eased - 0.45 * caught, 0.0, 1.0)
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
    lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, heard: Heard, luck: Sequence[Num]
) -> Decision:
    """Put the manager's state into one answer."""
    first = game.ever_answered ^ True
    over = game.end > 0.0
    confirms = [(game.agreed[k] > 0.0) & (seat.settled[k] ^ True) for k in range(MAX_TICKETS)]
    seat.settled = _trio([seat.settled[k] | confirms[k] for k in range(MAX_TICKETS)])
    settles = confirms[0] | confirms[1] | confirms[2]
    walk = (seat.mood < WALK_BELOW) & (game.upset | seat.warned) & (over ^ True)  # said before that it is upset
    stays = (walk | over) ^ True
    silent = luck[ANSWER] >= _answer_rate(lanes, seat, game, move, reading, heard)
    silent = silent & ((settles | walk) ^ True)
    has_reason = seat.promised
    for k in REASONS:
        has_reason = has_reason | (game.used[k] > 0.0)
    curious = (has_reason ^ True) & seat.curious & (seat.asked < MOST_ASKED)
    bids = (game.bid[0] > 0.0) | (game.bid[1] > 0.0) | (game.bid[2] > 0.0)
    haggles = bids | game.asked | move.claim[0] | move.claim[1] | move.claim[2]
    engaged = haggles & (curious ^ True) & stays & (silent ^ True)
    prices = _prices(lanes, seat, game, reading, engaged, settles, luck)
    busy = settles | (stays ^ True)
    for k in lanes.tickets(game.card.tickets):
        busy = busy | prices.accept[k] | prices.counter[k] | prices.hold[k] | prices.refuse[k]
    objects = stays & (settles ^ True) & (reading.weak > 0)
    objects = objects & (luck[OBJECT] < 0.6)
    asks = (((busy ^ True) & (has_reason ^ True)) | curious) & stays & (silent ^ True)
    seat.asked = seat.asked + asks
    return Decision(
        silent=silent,
        greet=first & (walk ^ True),
        walk=walk,
        bye=over & (walk ^ True),
        ask=asks,
        upset=(seat.mood < UPSET_BELOW) & (over ^ True),
        objection=reading.weak * objects,
        accept=prices.accept,
        counter=prices.counter,
        hold=prices.hold,
        refuse=prices.refuse,
        confirm=_trio(confirms),
        quote=prices.quote,
        net=prices.net,
        last=prices.last,
        warn=prices.warn,
        wonders=(busy ^ True) & has_reason & stays & (silent ^ True),
        condition=prices.condition,
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
    changes = {name: list(getattr(answer, name)) for name in ("accept", "counter", "hold", "refuse", "quote", "last")}
    read_back = list(answer.read_back)
    for k in lanes.tickets(game.card.tickets):
        stands = talks & game.open[k] & game.quoted[k] & (unclear ^ True)
        read_back[k] = stands & move.unsure[k]
        waits = stands & move.put_off[k] & (read_back[k] ^ True) & (move.bid[k] <= 0.0)
        changed = read_back[k] | unclear | waits
        for name in ("accept", "counter", "hold", "refuse", "last"):
            changes[name][k] = changes[name][k] & (changed ^ True)
        changes["hold"][k] = changes["hold"][k] | waits
        changes["quote"][k] = lanes.where(changed, game.quote[k], changes["quote"][k])
    asks = unclear | read_back[0] | read_back[1] | read_back[2]
    trios: dict[str, Any] = {name: _trio(values) for name, values in changes.items()}
    return answer._replace(
        read_back=_trio(read_back),
        unclear=unclear,
        ask=answer.ask & (asks ^ True),
        wonders=answer.wonders & (asks ^ True),
        net=lanes.where(asks, game.net, answer.net),
        **trios,
    )


def _answer_rate(lanes: Lanes, seat: Seat, game: GameState, move: Move, reading: MoveReading, heard: Heard) -> Num:
    """Return the chance that the manager answers the message."""
    traits = seat.traits
    opening = traits.answers + lanes.minimum(heard.invites, 0.0) - 0.1 * reading.lowball
    opening = lanes.clip(opening, 0.0, 1.0)
    odds = 1.0 + INVITED * lanes.maximum(heard.invites, 0.0)
    opening = opening * odds / (1.0 + opening * (odds - 1.0))
    chance = lanes.where(game.ever_answered, traits.keeps_answering, opening) + 0.1 * lanes.minimum(seat.mood, 0.0)
    return chance - 0.2 * move.rude - 0.25 * move.tactics[_PRESSURE] - 0.5 * move.silent


class _Prices(NamedTuple):
    """What is decided about the tickets."""

    accept: Trio
    counter: Trio
    hold: Trio
    refuse: Trio
    last: Trio
    quote: Trio
    net: Flag
    warn: Flag
    condition: Trio


def _prices(
    lanes: Lanes,
    seat: Seat,
    game: GameState,
    reading: MoveReading,
    engaged: Flag,
    settles: Flag,
    luck: Sequence[Num],
) -> _Prices:
    """Decide each open ticket: accept the bid, counter, hold, or refuse; and in which price type to speak.

    An acceptance is spoken in the agent's price type, since it repeats the agent's figure; so is the whole message.
    """
    no = lanes.flag(game.turn, False)
    nothing = (no, no, no)
    if not lanes.some(engaged):
        zero = lanes.full(game.turn, 0.0)
        none = (zero, zero, zero)
        return _Prices(nothing, nothing, nothing, nothing, nothing, game.quote, seat.traits.net, no, none)
    card, traits = game.card, seat.traits
    accepts, counters, holds, refuses, live, stuck = [no] * 3, [no] * 3, [no] * 3, [no] * 3, [no] * 3, [no] * 3
    wholes, limits, lasts, above, meets, quotes = [no] * 3, [no] * 3, [no] * 3, [no] * 3, [no] * 3, list(game.quote)
    late = lanes.minimum(game.turn / traits.deadline, 1.0)
    news = (reading.fresh > NEWS) | (reading.eased > 0.25)
    for k in lanes.tickets(card.tickets):
        selling, least, top = card.selling[k], seat.least[k], game.quote[k]
        bid = lanes.minimum(game.bid[k], top)
        limits[k] = lanes.maximum(selling - seat.opened * (selling - least), least)
        part = 1.0 - card.commission[k] * game.net
        whole = lanes.floor(bid * part + 1e-6) / part
        live[k] = engaged & game.open[k]
        # A last price is one: only news may move it. A bid that was taken is not haggled about.
        stuck[k] = seat.taken[k] | (seat.final[k] & ((news & (seat.reopened[k] ^ True)) ^ True))
        fair = whole >= lanes.maximum(limits[k] - seat.soft[k] * (0.9 + 0.1 * late), least)
        wholes[k] = whole
        # A bid above its price is answered with that price.
        above[k] = live[k] & (game.bid[k] > top + 0.5) & (stuck[k] ^ True)
        takes = live[k] & (bid > 0.0) & fair & (stuck[k] ^ True) & (above[k] ^ True)
        meets[k] = takes & seat.meets[k] & (seat.final[k] ^ True) & (top - whole > MEETS_FROM * selling)
        # A figure in between that rounding lifts to the quote, in either price type, is none: the bid is taken then.
        between = whole + MEETS * (top - whole)
        for net in (game.net, traits.net):
            offer = _rounded_up(lanes, between, 1.0 - card.commission[k] * net, traits.rounding)
            meets[k] = meets[k] & (top - offer > 0.5)
        accepts[k] = takes & (meets[k] ^ True)
    speaks_net = lanes.where(accepts[0] | accepts[1] | accepts[2], game.net, traits.net)
    worn, spent = seat.patience <= 0.0, seat.patience <= -2.0
    ready = luck[MOVES] < traits.moves + 0.4 * late + 1.5 * reading.fresh + 4.0 * reading.raised + 0.5 * reading.eased
    settling = luck[LAST] < 0.1 + 0.4 * late + 0.3 * (seat.patience <= 1.0)
    tired_of_any = no
    for k in lanes.tickets(card.tickets):
        top, part = game.quote[k], 1.0 - card.commission[k] * speaks_net
        aim = top - (0.5 + 0.4 * luck[PART]) * lanes.maximum(top - limits[k], 0.0)
        aim = lanes.where(meets[k], wholes[k] + MEETS * (top - wholes[k]), aim)
        offer = _rounded_up(lanes, aim, part, traits.rounding)
        gives = (top - offer > 0.5) & (top - offer >= traits.step * card.selling[k]) & (stuck[k] ^ True) & ready
        gives = gives | meets[k]
        tired = worn & ((game.quoted[k] ^ True) | spent) & (meets[k] ^ True)
        states = above[k] & (game.quoted[k] ^ True)
        haggles = live[k] & (accepts[k] ^ True)
        tired = tired & (above[k] ^ True)
        tired_of_any = tired_of_any | (haggles & tired)
        refuses[k] = haggles & tired & seat.warned
        moves = haggles & gives & (tired ^ True) & (above[k] ^ True)
        counters[k] = moves | states
        holds[k] = haggles ^ refuses[k] ^ counters[k]
        lasts[k] = moves & (settling | seat.final[k]) & (meets[k] ^ True)
        kept = (accepts[k] | counters[k]) ^ True
        quotes[k] = top * kept + wholes[k] * accepts[k] + lanes.where(states, top, offer) * counters[k]
    warn = tired_of_any & (seat.warned ^ True) & (settles ^ True)
    seat.warned = seat.warned | warn
    seat.meets = _trio([seat.meets[k] & (meets[k] ^ True) for k in range(MAX_TICKETS)])
    seat.taken = _trio([seat.taken[k] | accepts[k] | above[k] for k in range(MAX_TICKETS)])
    seat.reopened = _trio([seat.reopened[k] | (seat.final[k] & counters[k]) for k in range(MAX_TICKETS)])
    seat.final = _trio([seat.final[k] | lasts[k] for k in range(MAX_TICKETS)])
    below = [accepts[k] & (wholes[k] < limits[k]) for k in range(MAX_TICKETS)]
    tied = [seat.condition * (lasts[k] | below[k]) for k in range(MAX_TICKETS)]
    return _Prices(
        _trio(accepts), _trio(counters), _trio(holds), _trio(refuses), _trio(lasts), _trio(quotes), speaks_net, warn,
        _trio(tied),
    )  # fmt: skip


def _rounded_up(lanes: Lanes, price: Num, part: Num, rounding: Num) -> Num:
    """Return a selling price whose figure, ``part`` of it, is rounded up to the manager's steps."""
    return lanes.ceil(price * part / rounding - 1e-9) * rounding / part


def _trio(values: Sequence[Num]) -> Trio:
    return (values[0], values[1], values[2])
