"""The zero and the bounds of R_model.

Comparisons leave both open, and so does the source paper. Here the zero is a bland reply's mean score at the same stage
of the procedure, and R_model = 2 sigmoid(s - s_ref) - 1 lies in [-1, 1], at 0 for what anybody would say: the bounded,
referenced form of arXiv 2502.18770.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Final

from pydantic import BaseModel, ConfigDict

FILE: Final = "reference.json"
"""Beside a model's weights."""
DIGITS: Final = 5
FEWEST: Final = 30
"""Replies of a stage by which its reference is told."""


class Reference(BaseModel):
    """The mean score of bland replies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: dict[int, float]
    """By stage of the procedure (``game.state.Stage``)."""
    other: float
    """Where a stage has too few."""

    @classmethod
    def of(cls, scored: Iterable[tuple[int, float]]) -> Reference:
        """Return the reference of bland replies, each told by its stage and score."""
        by_stage: dict[int, list[float]] = defaultdict(list)
        for stage, score in scored:
            by_stage[stage].append(score)
        return cls(
            stages={stage: fmean(some) for stage, some in sorted(by_stage.items()) if len(some) >= FEWEST},
            other=fmean(score for some in by_stage.values() for score in some),
        )

    def bounded(self, score: float, stage: int) -> float:
        """Return R_model of a score, in [-1, 1]."""
        return round(math.tanh((score - self.stages.get(stage, self.other)) / 2.0), DIGITS)
