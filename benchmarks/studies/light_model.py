"""A reward model that is fitted in a second, for experiments that fit many: ``reward_lab``.

A Bradley-Terry model (Bradley and Terry 1952), linear in a reply's words, its pairs of words, what a reader made of the
reply (the act-level features), and which kinds of its statements are false. With all of these it can learn whatever
code sees, each kind of flaw for itself; what it does learn is up to whoever labelled the pairs. Its reward lies in
[-1, 1]: 2 sigmoid(s - s_ref) - 1, with s_ref such that what lies half-way between the preferred and the other replies
of the same stage gets ``rewards.sources.ORDINARY``, as a bland reply does of the shipped models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import Final, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from negotiation_env.game.features import FEATURE_INDEX, FEATURES
from negotiation_env.game.state import Stage
from negotiation_env.language.claims import KINDS, find_claims
from negotiation_env.language.reading import spoken
from negotiation_env.play.protocols import ReplyView
from rewards.sources import ORDINARY

Array = NDArray[np.float64]
BUCKETS: Final = 1 << 14
"""Words and pairs of words share so many weights."""
_FALSE: Final = tuple(sorted(KINDS))
INPUTS: Final = BUCKETS + len(FEATURES) + len(_FALSE)
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


class LightFitter:
    """Fits light models; what it has read of a reply it remembers, for experiments fit the same replies often.

    Args:
        acts: without, models learn from words alone, as one does that sees no card.
    """

    def __init__(self, acts: bool = True) -> None:
        self.acts = acts
        # A view is kept beside what was read of it, so that no other can have its id.
        self._read: dict[int, tuple[ReplyView, list[int], list[float]]] = {}

    def __call__(self, pairs: Sequence[ViewPair]) -> LightModel:
        """Fit to pairs, at least one."""
        preferred, other = (self.inputs([pair[side] for pair in pairs]) for side in (0, 1))
        difference = csr_array(preferred - other)
        transposed = difference.T.tocsr()
        penalty = np.full(INPUTS, WORD_PENALTY)
        penalty[BUCKETS:] = ACT_PENALTY

        def loss(w: Array) -> tuple[float, Array]:
            gaps = difference @ w
            slope = 1.0 / (1.0 + np.exp(np.clip(gaps, -60.0, 60.0)))
            value = float(np.logaddexp(0.0, -gaps).sum() + 0.5 * (penalty * w * w).sum())
            return value, penalty * w - transposed @ slope

        found = minimize(loss, np.zeros(INPUTS), jac=True, method="L-BFGS-B", options={"maxiter": 100})
        w = np.asarray(found.x, dtype=np.float64)
        middle = 0.5 * (preferred @ w + other @ w)
        stages = np.array([int(pair.preferred.stage) for pair in pairs])
        means = [middle[stages == int(s)].mean() if (stages == int(s)).any() else middle.mean() for s in Stage]
        return LightModel(self, w, np.array(means) - 2.0 * np.arctanh(ORDINARY))

    def inputs(self, views: Sequence[ReplyView]) -> csr_array:
        """Return what models know of replies, [len(views), INPUTS]."""
        read = [self._input(view) for view in views]
        rows = np.repeat(np.arange(len(views)), [len(columns) for _, columns, _ in read])
        columns = list(chain.from_iterable(columns for _, columns, _ in read))
        values = list(chain.from_iterable(values for _, _, values in read))
        return csr_array((values, (rows, columns)), shape=(len(views), INPUTS))

    def _input(self, view: ReplyView) -> tuple[ReplyView, list[int], list[float]]:
        if id(view) not in self._read:
            self._read[id(view)] = (view, *_places(view, self.acts))
        return self._read[id(view)]


def _places(view: ReplyView, acts: bool) -> tuple[list[int], list[float]]:
    """Return a reply's inputs by place, and their values; a word counts once."""
    said = view.words[:200]
    words = {crc32(word.encode()) % BUCKETS for word in said}
    words |= {crc32(f"{a} {b}".encode()) % BUCKETS for a, b in pairwise(("", *said))}
    found = dict.fromkeys(sorted(words), 1.0)
    if acts:
        known = {BUCKETS + place: float(value) for place, value in enumerate(view.features) if value}
        known.pop(BUCKETS + FEATURE_INDEX["false_fact"], None)  # told by kind instead
        both = [u.text for turn in zip_longest(view.agent_said, view.manager_said) for u in turn if u is not None]
        false = {c.kind for c in find_claims(spoken(view.text), view.card, view.game, both) if not c.true}
        found |= known | {BUCKETS + len(FEATURES) + _FALSE.index(kind): 1.0 for kind in sorted(false)}
    return list(found), list(found.values())


@dataclass(frozen=True, slots=True)
class LightModel:
    """A fitted model.

    Attributes:
        fitter: reads replies for it.
        weights: [INPUTS].
        references: s_ref by stage, [number of stages].
    """

    fitter: LightFitter
    weights: Array
    references: Array

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Return rewards in [-1, 1]."""
        if not views:
            return []
        raw = self.fitter.inputs(views) @ self.weights - self.references[[int(view.stage) for view in views]]
        return [float(x) for x in 2.0 / (1.0 + np.exp(-raw)) - 1.0]
