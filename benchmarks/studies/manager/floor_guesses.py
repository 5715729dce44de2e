"""How near to a manager's floor anybody comes who has heard a talk: by regression, by bisection, by the public code.

The guesses use what the agent sees: the card and the talk. *Regression* is a ridge on features of both, fitted on other
talks than it guesses in, and never above the manager's lowest commitment. *Bisection* is the same after talks of an
agent that does nothing but search (``Bisecting``). *Replay* runs the published dynamics for many managers whom the
scenario sampler might have seated at that card, and believes those most that answer as this one did; it needs a manager
whose ``dynamics`` is public. Errors are shares of the selling price; *card alone* is a guess without any talk, which no
manager can make worse: a talk tells what its error lies below that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics import Figure
from benchmarks.studies.manager.manager_talks import ManagerTalk, play_talks, played_by, scenarios_where
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import ARRAYS, FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import card_numbers, sample_floors, to_selling
from negotiation_env.game.state import apply_decision, apply_move, new_game, settle, unsettled
from negotiation_env.game.world import HOTEL_KINDS, SEASONS
from negotiation_env.play.protocols import AgentReply, AgentView, Manager
from negotiation_env.seeds import Stream
from policies.bargaining import bid, reason, say
from policies.scripted import REASON_ORDER

Array = NDArray[np.float64]
FOLDS: Final = 5
PENALTIES: Final = (1.0, 10.0, 100.0)
"""Ridge penalties to choose from, on standardised features."""
FROM: Final = 0.75
"""Share of the selling price at which a search begins."""
REACH: Final = 0.9
"""How far from the standing figure down to its best refused bid a search bids; what told most of six ways tried."""
RESAMPLES: Final = 1000


class Bisecting:
    """Looks for the lowest figure that is taken, between its best refused bid and what stands, and pleads."""

    name = "bisecting"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Write the next reply for each view."""
        return [say(view, self._acts(view)) for view in views]

    def _acts(self, view: AgentView) -> tuple[DialogueAct, ...]:
        card, game = view.card, view.game
        unused = [t for t in REASON_ORDER if not game.used[t]]
        acts = [DialogueAct(Act.GREET)] if not game.greeted else []
        turn = int(game.turn)
        acts += [DialogueAct(Act.SOOTHE)] if game.upset or turn % 2 else []
        acts += [DialogueAct(Act.PROMISE, detail=card.promises[0])] if turn == 3 and card.promises else []
        acts += [reason(card, unused[0])] if unused else []
        if not game.ever_answered:
            return (*acts, DialogueAct(Act.ASK, detail="price"))
        for k in unsettled(game):
            refused = [b for b in _bids(view, k) if b < game.quote[k]]
            low = max([FROM * card.tickets[k].selling_price, *refused])
            figure = round(game.quote[k] - REACH * (game.quote[k] - low))
            if figure < game.quote[k]:
                acts.append(bid(game, k, figure))
        return tuple(acts) or (DialogueAct(Act.ASK, detail="price"),)


def _bids(view: AgentView, k: int) -> list[float]:
    """Return the figures that the agent has named for a ticket."""
    commission = view.card.tickets[k].commission
    return [
        to_selling(act.price, act.price_type, commission)
        for said in view.agent_said
        for act in said.acts
        if act.price is not None and act.ticket == k
    ]


class FloorError(NamedTuple):
    """A way to guess, and its median error as a share of the selling price."""

    way: str
    error: Figure


def measure_floors(
    manager: Manager, talks: Sequence[ManagerTalk], searches: int, replays: int, crowd: int
) -> list[FloorError]:
    """Guess the floors of talks already played, and of so many talks that search for them.

    Args:
        manager: the manager of all of them.
        talks: talks of policies.
        searches: talks of ``Bisecting`` to play.
        replays: of these searches, how many are replayed; 0 for a manager without public dynamics.
        crowd: managers that a replay seats at each card.
    """
    found = [
        FloorError("card alone", _median(*_ridge(talks, card_only=True))),
        FloorError("regression", _median(*_ridge(talks))),
    ]
    played = play_talks(played_by(Bisecting()), scenarios_where("floors", searches), manager)
    found.append(FloorError("card alone, of those bisected", _median(*_ridge(played, card_only=True))))
    found.append(FloorError("bisection", _median(*_ridge(played))))
    lowest = [(abs(_lowest(t, k) - _floor(t, k)), place) for place, t in enumerate(played) for k in t.tickets]
    found.append(FloorError("bisection, lowest figure heard", _median(*map(np.array, zip(*lowest, strict=True)))))
    dynamics = getattr(manager, "dynamics", None)
    if dynamics is not None and replays >= 2:
        found.append(FloorError("replay", _median(*_replayed(dynamics, played[:replays], crowd))))
    return found


def _floor(talk: ManagerTalk, k: int) -> float:
    """Return a ticket's floor as a share of its selling price; what is to be guessed."""
    return talk.scenario.brief.floors[k] / talk.scenario.card.tickets[k].selling_price


def _lowest(talk: ManagerTalk, k: int) -> float:
    """Return the lowest figure to which the manager has committed, as a share of the selling price."""
    selling = float(talk.scenario.card.tickets[k].selling_price)
    return float(min([1.0, *(t.quote[k] / selling for t in talk.turns if t.quoted[k])]))


def _median(errors: Array, talks: Array) -> Figure:
    """Return the median with its bootstrap interval over talks."""
    rng = np.random.default_rng((Stream.BOOTSTRAP, len(errors)))
    groups = [errors[talks == talk] for talk in np.unique(talks)]
    drawn = rng.integers(len(groups), size=(RESAMPLES, len(groups)))
    medians = [np.median(np.concatenate([groups[i] for i in row])) for row in drawn]
    low, high = np.quantile(medians, (0.025, 0.975))
    return Figure(float(np.median(errors)), float(low), float(high), len(errors))


def _ridge(talks: Sequence[ManagerTalk], card_only: bool = False) -> tuple[Array, Array]:
    """Return the error of each ticket's guess, and its talk.

    What is regressed is the floor's depth in wanted cuts; the penalty is chosen among the talks fitted on.
    """
    places = [(place, k) for place, talk in enumerate(talks) for k in talk.tickets]
    owner = np.array([place for place, _ in places])
    cuts = np.array([_cut(talks[p], k) for p, k in places])
    floors = np.array([_floor(talks[p], k) for p, k in places])
    lowest = np.array([_lowest(talks[p], k) for p, k in places])
    features = np.array(
        [_card_features(talks[p], k) + ([] if card_only else _talk_features(talks[p], k)) for p, k in places]
    )
    depth = (1.0 - floors) / cuts
    guess = np.empty(len(places))
    for fold in range(FOLDS):
        held = owner % FOLDS == fold
        inner = owner % FOLDS == (fold + 1) % FOLDS
        if held.all() or not held.any():
            guess[held] = depth.mean()
            continue
        fitted = ~held & ~inner if (~held & ~inner).any() else ~held
        best = min(
            PENALTIES,
            key=lambda p, fitted=fitted, inner=inner: float(  # type: ignore[misc]
                np.abs(_fit(features[fitted], depth[fitted], features[inner], p) - depth[inner]).sum()
            ),
        )
        guess[held] = _fit(features[~held], depth[~held], features[held], best)
    guessed = 1.0 - guess * cuts
    return np.abs((guessed if card_only else np.minimum(guessed, lowest)) - floors), owner


def _fit(known: Array, values: Array, asked: Array, penalty: float) -> Array:
    """Return a ridge's predictions; features are standardised on the known rows."""
    centre, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    x, z = (known - centre) / spread, (asked - centre) / spread
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (values - values.mean()))
    return np.asarray(z @ weights + values.mean(), dtype=np.float64)


def _cut(talk: ManagerTalk, k: int) -> float:
    """Return the wanted cut of a ticket as a share of its selling price, at least a hundredth."""
    ticket = talk.scenario.card.tickets[k]
    return max(1.0 - ticket.target_price / ticket.selling_price, 0.01)


def _card_features(talk: ManagerTalk, k: int) -> list[float]:
    card = talk.scenario.card
    hotel, facts, ticket = card.hotel, card.facts, card.tickets[k]
    return [
        _cut(talk, k), 1.0 / _cut(talk, k), ticket.commission, hotel.occupancy, float(hotel.stars),
        float(len(card.tickets)), float(k), float(facts.exposure), float(facts.conversion),
        facts.competitor_price / ticket.selling_price, float(facts.demand),
        *[float(hotel.kind == kind) for kind in HOTEL_KINDS], *[float(hotel.season == season) for season in SEASONS],
    ]  # fmt: skip


def _talk_features(talk: ManagerTalk, k: int) -> list[float]:
    """Return what was heard about a ticket: figures as depths in wanted cuts."""
    heard, others = _depth_heard(talk, k), [_depth_heard(talk, j) for j in talk.tickets if j != k]
    named = [_depth(talk, k, t.quote[k]) for t in talk.turns if t.countered[k] and t.quoted[k]]
    taken = [_depth(talk, k, t.quote[k]) for t in talk.turns if t.taken[k] and t.quoted[k]]
    refused = [_depth(talk, k, t.bid[k]) for t in talk.turns if t.bid[k] > 0.0 and not t.taken[k] and t.answer]
    steps = np.diff([0.0, *named]) if named else np.zeros(1)
    last = [
        _depth(talk, k, t.quote[k]) for t in talk.turns for a in t.answer_acts if a.detail == "last" and a.ticket == k
    ]
    said = [[(act.kind, act.detail) for act in t.answer_acts] for t in talk.turns]
    counts = [float(sum(kind in acts for acts in said)) for kind in _COUNTED]
    least_refused, final = min(refused, default=2.0), talk.turns[-1]
    ratio = float(steps[-1] / steps[-2]) if len(steps) > 1 and steps[-2] > 1e-6 else 0.0
    return [
        heard, heard * heard, float(len(named)), float(bool(named)), float(steps[0]), float(steps[-1]),
        float(steps.max()), float(steps.mean()), min(ratio, 3.0), float(len(taken)), max([0.0, *taken]),
        least_refused, max(refused, default=0.0), float(len(refused)), float(bool(last)), max([0.0, *last]),
        float(np.mean(others)) if others else heard, max([heard, *others]), float(final.agreed[k] > 0.0),
        float(final.refused[k]), float(len(talk.turns)), float(talk.end), *counts, heard * counts[0],
        heard * len(talk.turns), heard * bool(last), heard * least_refused,
    ]  # fmt: skip


_COUNTED: Final = (
    (Act.REJECT, "hold"), (Act.ASK, "reason"), (Act.ASK, "price"), (Act.INFORM, "upset"), (Act.INFORM, "warning"),
    (Act.INFORM, "objection"), (Act.SILENCE, ""),
)  # fmt: skip
"""Kinds of act that are counted in a manager's answers."""


def _depth(talk: ManagerTalk, k: int, figure: float) -> float:
    """Return how many wanted cuts a figure lies below the list price."""
    return float(1.0 - figure / talk.scenario.card.tickets[k].selling_price) / _cut(talk, k)


def _depth_heard(talk: ManagerTalk, k: int) -> float:
    """Return the depth of the lowest figure to which the manager has committed."""
    return max([0.0, *(_depth(talk, k, t.quote[k]) for t in talk.turns if t.quoted[k])])


WIDTHS: Final = (0.01, 0.03, 0.1)
"""Distances of figures, as shares of the selling price, over which a replay's belief falls off; one is chosen."""


def _replayed(dynamics: Any, talks: Sequence[ManagerTalk], crowd: int) -> tuple[Array, Array]:
    """Return errors of the second half of the talks, with the width that is best on the first half."""
    rows = [_beliefs(dynamics, talk, place, crowd) for place, talk in enumerate(talks)]
    half = len(rows) // 2
    best = min(range(len(WIDTHS)), key=lambda w: float(np.median(np.concatenate([row[w] for row in rows[:half]]))))
    errors = [row[best] for row in rows[half:]]
    return np.concatenate(errors), np.concatenate([np.full(len(e), place) for place, e in enumerate(errors)])


def _beliefs(dynamics: Any, talk: ManagerTalk, place: int, crowd: int) -> list[Array]:
    """Return the error of each ticket's guess, for each width."""
    card, seeds = card_numbers(talk.scenario.card), _crowd_seeds(place, crowd)
    many = _spread(card, crowd)
    floors = sample_floors(ARRAYS, seeds, many)
    seat = dynamics.start(ARRAYS, seeds, many, floors)
    game = new_game(FLOATS, card)
    far = np.zeros((len(WIDTHS), crowd))
    for turn in talk.turns:
        move = move_of(turn.acts, talk.scenario.card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        theirs = dynamics.decide(ARRAYS, seat, _spread(game, crowd), _spread(move, crowd))
        heard = decision_of(turn.answer_acts, game)
        for k in talk.tickets:
            gap = (theirs.quote[k] - heard.quote[k]) / card.selling[k]
            other = (theirs.counter[k] != heard.counter[k]) | (theirs.accept[k] != heard.accept[k])
            for w, width in enumerate(WIDTHS):
                far[w] += 0.5 * np.minimum((gap / width) ** 2, 9.0) + 0.5 * other
        far += 0.5 * (theirs.silent != heard.silent) + 0.5 * (theirs.upset != heard.upset)
        apply_decision(FLOATS, game, heard)
    lowest = [_lowest(talk, k) for k in talk.tickets]
    found = []
    for row in far:
        belief = np.exp(-(row - row.min()))
        guesses = [_middle(np.minimum(floors[k] / card.selling[k], lowest[k]), belief) for k in talk.tickets]
        found.append(np.array([abs(g - _floor(talk, k)) for g, k in zip(guesses, talk.tickets, strict=True)]))
    return found


def _crowd_seeds(place: int, crowd: int) -> NDArray[np.uint64]:
    """Return seeds of managers who might sit there; the scenario's own is not among them but by chance."""
    rng = np.random.default_rng((Stream.BOOTSTRAP, place, crowd))
    return rng.integers(0, 1 << 63, crowd).astype(np.uint64)


def _middle(values: Array, belief: Array) -> float:
    """Return the weighted median."""
    order = np.argsort(values)
    total = np.cumsum(belief[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def _spread(value: Any, crowd: int) -> Any:
    """Return numbers, flags, and tuples and states of them, as arrays [crowd]."""
    if isinstance(value, bool | np.bool_):
        return np.full(crowd, bool(value))
    if isinstance(value, int | float):
        return np.full(crowd, float(value))
    if isinstance(value, tuple):
        parts = [_spread(part, crowd) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    fields = {name: _spread(getattr(value, name), crowd) for name in value.__dataclass_fields__}
    return type(value)(**fields)
