"""Fits what the raters weigh words by: ``negotiate study rater-phrasing`` writes ``benchmarks/raters/phrasing.npz``.

A multinomial logistic regression on the training authors' written replies: excellent, bland or flawed. Replies whose
flaw is one of fact are left out: their words are those of good ones. Replies of the phrase book count as bland.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import optimize, sparse

from benchmarks.raters.phrasing import KINDS, PATH, common_words, marks
from benchmarks.raters.situation import hidden_of, walk
from benchmarks.raters.wordlists import read
from benchmarks.studies.written_raters import situations
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import load_manager, load_policy, load_reader
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import SCENARIOS
from simulators.people.written_dialogues import WrittenDialogue, written_dialogues

FACTUAL: Final = frozenset(
    ("wrong-date", "wrong-room", "wrong-hotel", "wrong-direction", "invented-figure", "price-type-mixup")
)
LEAST: Final = 5
"""Replies that a mark has to come in."""
PENALTY: Final = 5.0
"""Weight of half the squared weights, against the sum of the replies' losses."""
KEPT: Final = 0.02
"""Marks whose weights are all smaller are left out."""
TEMPLATES: Final = 120
"""Dialogues of the phrase book."""

Sample = tuple[set[str], int]


def samples(authors: Sequence[WrittenDialogue], common: frozenset[str]) -> Iterator[Sample]:
    """Yield the marks of written replies, and their kind's place in ``KINDS``."""
    for turn in situations(authors, load_reader("rules")):
        for reply, record in zip(turn.replies, turn.records, strict=True):
            if not FACTUAL & set(reply.flaws):
                kind = 0 if reply.quality >= 4 else 1 if reply.quality == 3 else 2
                yield marks(turn.now, record, read(record.text), common), kind


def templates(common: frozenset[str]) -> Iterator[Sample]:
    """Yield the marks of the phrase book's replies, as bland ones."""
    scenarios = [sample_scenario(SCENARIOS["rater validity"][-1 - i]) for i in range(TEMPLATES)]
    episodes = rollout(load_policy("intent-driven"), scenarios, manager=load_manager("rules"), reward=Unscored())
    for episode, scenario in zip(episodes, scenarios, strict=True):
        for now, record in walk(episode, hidden_of(episode, scenario)):
            yield marks(now, record, read(record.text), common), 1


def fit(data: Sequence[Sample]) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Return marks, weights [M, 3] and bias [3]."""
    counted = Counter(mark for found, _ in data for mark in found)
    names = sorted(mark for mark, count in counted.items() if count >= LEAST)
    rows = {mark: i for i, mark in enumerate(names)}
    places = [[rows[mark] for mark in sorted(found) if mark in rows] for found, _ in data]
    edges = np.cumsum([0, *map(len, places)])
    ones = np.ones(edges[-1])
    table = sparse.csr_matrix(
        (ones, np.concatenate([np.array(p, dtype=np.int64) for p in places]), edges), (len(data), len(names))
    )
    truth = np.eye(len(KINDS))[[kind for _, kind in data]]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = flat[: -len(KINDS)].reshape(len(names), len(KINDS)), flat[-len(KINDS) :]
        logits = table @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        normal = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -((logits - normal) * truth).sum() + 0.5 * PENALTY * np.square(weights).sum()
        off = np.exp(logits - normal) - truth
        return float(value), np.concatenate([(table.T @ off + PENALTY * weights).ravel(), off.sum(axis=0)])

    start = np.zeros((len(names) + 1) * len(KINDS))
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    weights, bias = found[: -len(KINDS)].reshape(len(names), len(KINDS)), found[-len(KINDS) :]
    weights = weights - weights.mean(axis=1, keepdims=True)
    kept = np.abs(weights).max(axis=1) >= KEPT
    return [name for name, keep in zip(names, kept, strict=True) if keep], weights[kept], bias


def study(out: Annotated[Path, typer.Option(help="File to write.")] = PATH) -> None:
    """Fit how the raters weigh words, on the training authors."""
    authors = written_dialogues("train")
    common = common_words(
        reply.text.lower() for dialogue in authors for turn in dialogue.turns for reply in turn.replies
    )
    names, weights, bias = fit(data := [*samples(authors, common), *templates(common)])
    np.savez_compressed(
        out, marks=np.array(names), weights=weights.astype(np.float16), bias=bias, common=np.array(sorted(common))
    )
    typer.echo(f"{len(data)} replies, {len(names)} marks, {out.stat().st_size / 1024:.0f} KiB: {out}")
