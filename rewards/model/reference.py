"""The zero, the unit and the bounds of R_model.

Comparisons leave all three open, and so does the source paper. Here R_model = 2 sigmoid((s - s_ref) / unit) - 1, in
[-1, 1]: the bounded, referenced form of arXiv 2502.18770. s_ref is the mean score of replies that say nothing
(``NON_ANSWERS``) at the same stage of the procedure, and the unit is such that bland replies get ``sources.ORDINARY``
on average. REPO's judge and rules scale R_model and never change its sign, so a zero among ordinary replies would leave
them nothing to scale there: measured on written replies, they then reorder half as many and mend half as much.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from rewards.sources import ORDINARY

FILE: Final = "reference.json"
"""Beside a model's weights."""
DIGITS: Final = 5
FEWEST: Final = 30
"""Replies of a stage by which its reference is told."""
NON_ANSWERS: Final = ("Noted.", "Ok.", "Good. I will write it down.", "Thank you for your message.", "I see.")
"""Replies that say nothing, in any talk."""
_UNITS: Final = (1e-3, 1e3)
"""Between which the unit is looked for."""


class Reference(BaseModel):
    """By which scores become R_model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: dict[int, float]
    """Mean score of what says nothing, by stage of the procedure (``game.state.Stage``)."""
    other: float
    """Where a stage has too few."""
    unit: Annotated[float, Field(gt=0.0)]

    @classmethod
    def of(cls, nothing: Iterable[tuple[int, float]], bland: Sequence[tuple[int, float]]) -> Reference:
        """Return the reference of replies that say nothing and of bland ones, each told by its stage and score.

        Warns and leaves the unit at 1 where bland replies do not score above what says nothing.
        """
        by_stage: dict[int, list[float]] = defaultdict(list)
        for stage, score in nothing:
            by_stage[stage].append(score)
        found = cls(
            stages={stage: fmean(some) for stage, some in sorted(by_stage.items()) if len(some) >= FEWEST},
            other=fmean(score for some in by_stage.values() for score in some),
            unit=1.0,
        )

        def excess(unit: float) -> float:
            scaled = found.model_copy(update={"unit": unit})
            return fmean(scaled.bounded(score, stage) for stage, score in bland) - ORDINARY

        from scipy.optimize import brentq  # for training alone: it takes longer to import than all else here

        if excess(_UNITS[0]) <= 0.0 or excess(_UNITS[1]) >= 0.0:
            warnings.warn("bland replies score no more than those that say nothing: train longer", stacklevel=2)
            return found
        return found.model_copy(update={"unit": float(brentq(excess, *_UNITS, xtol=1e-4))})

    def bounded(self, score: float, stage: int) -> float:
        """Return R_model of a score, in [-1, 1]."""
        return round(math.tanh((score - self.stages.get(stage, self.other)) / self.unit / 2.0), DIGITS)
