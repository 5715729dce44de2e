"""Whether personas can be told apart: from a talk's decisions alone, and from its words without the greeting.

Every persona plays the same scenarios against the same policies. A classifier (softmax regression on standardised
features of decisions; multinomial naive Bayes on words) is tried on scenarios that it was not fitted on. Figures are
multiples of chance. Figures in words, and the names of houses, towns and rooms, do not count as words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from benchmarks.statistics import Figure, share
from benchmarks.studies.manager.manager_talks import ManagerTalk, play_talks, played_by, scenarios_where, silent
from negotiation_env.game.acts import Act, PriceType
from negotiation_env.game.state import End
from negotiation_env.play.protocols import Manager
from negotiation_env.play.registry import load_policy
from simulators.personas import all_personas

Array = NDArray[np.float64]
FOLDS: Final = 5
PENALTY: Final = 1.0
SMOOTHING: Final = 0.3
_WORD: Final = re.compile(r"[a-z']+|[\u4e00-\u9fff]")
_SENTENCE: Final = re.compile(r"[^.!?]+[.!?]*")


class Separation(NamedTuple):
    """How often the persona is found, as multiples of chance."""

    decisions: Figure
    words: Figure
    personas: int


def measure_personas(manager: Manager, scenarios: int) -> Separation:
    """Play every persona in so many scenarios, half of them against one policy, half against another."""
    names = persona_names(manager)
    played = scenarios_where("personas", scenarios)
    talks: list[ManagerTalk] = []
    labels: list[int] = []
    for place, policy in enumerate(load_policy(name) for name in ("intent-driven", "heuristic")):
        part = played[place::2]
        for number, name in enumerate(names):
            talks += play_talks(played_by(policy), part, manager, personas=[name] * len(part))
            labels += [number] * len(part)
    who = np.array(labels)
    where = np.array([played.index(t.scenario) for t in talks])
    decided = _decided(np.array([_decisions(t) for t in talks]), who, where, len(names))
    worded = _worded([_words(t) for t in talks], who, where, len(names))
    return Separation(
        _times_chance(decided == who, where, len(names)), _times_chance(worded == who, where, len(names)), len(names)
    )


def persona_names(manager: Manager) -> list[str]:
    """Return the personas that a manager draws from; those that ship where it does not tell."""
    inner = getattr(manager, "_rules", manager)
    return [p.name for p in getattr(inner, "personas", ()) or all_personas() if p.weight > 0.0]


def _times_chance(hits: NDArray[np.bool_], where: Array, personas: int) -> Figure:
    found = share([[bool(hit) for hit in hits[where == place]] for place in np.unique(where)])
    times = [None if x is None else x * personas for x in found[:3]]
    return Figure(times[0], times[1], times[2], found.n)


def _decisions(talk: ManagerTalk) -> list[float]:
    """Return what a talk's decisions look like, over its tickets together."""
    card, turns = talk.scenario.card, talk.turns
    count = float(len(talk.tickets))
    answers = [t for t in turns if not silent(t)]
    steps: list[float] = []
    final: list[float] = []
    for k in talk.tickets:
        selling = float(card.tickets[k].selling_price)
        path = [selling, *(t.quote[k] for t in turns if t.countered[k] and t.quoted[k])]
        steps += [(a - b) / selling for a, b in pairwise(path)]
        final.append(talk.discount(k))
    said = [act for t in turns for act in t.answer_acts]
    figures = [a.price for a in said if a.price is not None and a.kind is Act.COUNTER]
    kinds = Counter((a.kind, a.detail) for a in said)
    objections = Counter(int(a.tactic) for a in said if a.detail == "objection")
    moved = [place for place, t in enumerate(turns) if any(t.countered)]
    first = next((place for place, t in enumerate(turns) if not silent(t)), len(turns))
    return [
        float(len(turns)), float(first), len(answers) / len(turns), float(len(steps)) / count,
        float(np.sum(steps)) / count, max(steps, default=0.0), min(steps, default=0.0),
        float(np.mean(final)), float(np.mean([f > 0 for f in final])),
        float(moved[0]) if moved else 20.0, float(np.mean(moved)) if moved else 20.0,
        sum(t.taken[k] for t in turns for k in talk.tickets) / count,
        *[float(kinds[key]) for key in (
            (Act.ASK, "reason"), (Act.ASK, "price"), (Act.REJECT, "hold"), (Act.REJECT, "final"), (Act.INFORM, "upset"),
            (Act.INFORM, "warning"), (Act.COUNTER, "last"), (Act.CLOSE, "walk"), (Act.ASK, "confirm"),
        )],
        *[float(objections[tactic]) for tactic in range(1, 8)],
        *[float(np.mean([f % m == 0 for f in figures])) if figures else 0.5 for m in (5, 10)],
        float(np.mean([float(a.price_type is PriceType.NET) for a in said if a.price is not None] or [0.5])),
        *[float(talk.end == end) for end in End],
        float(sum(t.refused[k] for t in turns[-1:] for k in talk.tickets)),
    ]  # fmt: skip


def _decided(features: Array, who: NDArray[np.int64], where: Array, personas: int) -> NDArray[np.int64]:
    """Return the persona that decisions speak for, by softmax regression fitted on other scenarios."""
    found = np.zeros(len(who), dtype=np.int64)
    for fold in range(FOLDS):
        held = where // 2 % FOLDS == fold
        if not held.any() or held.all():
            continue
        mean, spread = features[~held].mean(axis=0), features[~held].std(axis=0)
        x = (features - mean) / np.where(spread > 1e-9, spread, 1.0)
        x = np.hstack([x, np.ones((len(x), 1))])
        weights = _softmax(x[~held], who[~held], personas)
        found[held] = (x[held] @ weights).argmax(axis=1)
    return found


def _softmax(x: Array, y: NDArray[np.int64], classes: int) -> Array:
    """Return softmax regression's weights [features, classes], with a ridge."""
    target = np.eye(classes)[y]

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(x.shape[1], classes)
        scores = x @ weights
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        chances /= chances.sum(axis=1, keepdims=True)
        value = -np.log(chances[np.arange(len(y)), y] + 1e-12).sum() + 0.5 * PENALTY * np.square(weights).sum()
        return float(value), (x.T @ (chances - target) + PENALTY * weights).ravel()

    start = np.zeros(x.shape[1] * classes)
    fitted = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(fitted.x, dtype=np.float64).reshape(x.shape[1], classes)


def _words(talk: ManagerTalk) -> Counter[str]:
    """Return the words of a manager's answers, without greetings."""
    card = talk.scenario.card
    names = " ".join(
        [
            card.hotel.name,
            card.hotel.city,
            card.facts.competitor_name,
            card.facts.event,
            *(t.room for t in card.tickets),
        ]
    )
    skipped = set(_WORD.findall(names.lower()))
    found: Counter[str] = Counter()
    for turn in talk.turns:
        sentences = _SENTENCE.findall(turn.answer)
        if turn.answer_acts and turn.answer_acts[0].kind is Act.GREET:
            sentences = sentences[1:]
        words = [w for s in sentences for w in _WORD.findall(s.lower()) if w not in skipped]
        found.update(words)
        found.update(f"{a} {b}" for a, b in pairwise(words))
    return found


def _worded(talks: Sequence[Counter[str]], who: NDArray[np.int64], where: Array, personas: int) -> NDArray[np.int64]:
    """Return the persona that words speak for, by naive Bayes fitted on other scenarios."""
    vocabulary = {word: i for i, word in enumerate(sorted({w for talk in talks for w in talk}))}
    found = np.zeros(len(who), dtype=np.int64)
    for fold in range(FOLDS):
        held = where // 2 % FOLDS == fold
        if not held.any() or held.all():
            continue
        counts = np.full((personas, len(vocabulary)), SMOOTHING)
        for place in map(int, np.flatnonzero(~held)):
            for word, count in talks[place].items():
                counts[who[place], vocabulary[word]] += count
        logs = np.log(counts / counts.sum(axis=1, keepdims=True))
        for place in map(int, np.flatnonzero(held)):
            row = sum((count * logs[:, vocabulary[word]] for word, count in talks[place].items()), np.zeros(personas))
            found[place] = int(np.argmax(row))
    return found
