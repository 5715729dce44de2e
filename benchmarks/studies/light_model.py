"""A reward model that is fitted in a second, for experiments that fit many: ``reward_lab``.

A Bradley-Terry model (Bradley and Terry 1952), linear in a reply's words, its pairs of words, and what a reader made of
the reply (the act-level features). With the features it can learn all that a reader sees, a false fact among them;
what it does learn is up to whoever labelled the pairs. Its reward lies in [-1, 1]: 2 sigmoid(s - s_ref) - 1, with s_ref
half-way between the preferred and the other replies of the same stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from negotiation_env.game.features import FEATURES
from negotiation_env.game.state import Stage
from negotiation_env.play.protocols import ReplyView

Array = NDArray[np.float64]
BUCKETS: Final = 1 << 14
"""Words and pairs of words share so many weights."""
WORD_PENALTY, ACT_PENALTY = 3.0, 0.3
"""L2 penalties, on the summed loss."""


class ViewPair(NamedTuple):
    """Two replies to one state."""

    preferred: ReplyView
    other: ReplyView


class BatchScorer(Protocol):
    """Scores replies in order; None for one that it cannot score. A ``rewards.sources.RewardModel`` is one."""

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Return one score a reply."""
        ...


Fit = Callable[[Sequence[ViewPair]], BatchScorer]
"""Fits a reward model to labelled pairs."""


@dataclass(frozen=True, slots=True)
class LightModel:
    """The fitted model.

    Attributes:
        weights: of the inputs, [BUCKETS + number of features].
        references: s_ref by stage, [number of stages].
    """

    weights: Array
    references: Array

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Return rewards in [-1, 1]."""
        if not views:
            return []
        raw = _inputs(views) @ self.weights - self.references[[int(view.stage) for view in views]]
        return [float(x) for x in 2.0 / (1.0 + np.exp(-raw)) - 1.0]


def fit_light(pairs: Sequence[ViewPair], acts: bool = True) -> LightModel:
    """Fit to pairs, at least one; without ``acts`` it learns from words alone, as a model does that sees no card."""
    preferred, other = (_inputs([pair[side] for pair in pairs]) for side in (0, 1))
    difference = csr_array(preferred - other)
    transposed = difference.T.tocsr()
    penalty = np.full(difference.shape[1], WORD_PENALTY)
    penalty[BUCKETS:] = ACT_PENALTY if acts else 1e9

    def loss(w: Array) -> tuple[float, Array]:
        gaps = difference @ w
        slope = 1.0 / (1.0 + np.exp(np.clip(gaps, -60.0, 60.0)))
        return float(np.logaddexp(0.0, -gaps).sum() + 0.5 * (penalty * w * w).sum()), penalty * w - transposed @ slope

    start = np.zeros(difference.shape[1])
    w = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x, dtype=np.float64)
    middle = 0.5 * (preferred @ w + other @ w)
    stages = np.array([int(pair.preferred.stage) for pair in pairs])
    means = [middle[stages == int(s)].mean() if (stages == int(s)).any() else middle.mean() for s in Stage]
    return LightModel(w, np.array(means))


def _inputs(views: Sequence[ReplyView]) -> csr_array:
    """Return what the model knows of replies, [len(views), BUCKETS + features]; a word counts once."""
    rows, columns, values = [], [], []
    for row, view in enumerate(views):
        said = view.words[:200]
        places = {crc32(f"{a} {b}".encode()) % BUCKETS for a, b in pairwise(("", *said))}
        places |= {crc32(word.encode()) % BUCKETS for word in said}
        own = [(place, 1.0) for place in places]
        own += [(BUCKETS + place, value) for place, value in enumerate(view.features) if value]
        for column, value in own:
            rows.append(row)
            columns.append(column)
            values.append(float(value))
    return csr_array((values, (rows, columns)), shape=(len(views), BUCKETS + len(FEATURES)))
