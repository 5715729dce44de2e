"""Zero and unit of a learnt reward: comparisons leave both open, so they are set by an honest agent's replies.

An honest routine reply lies a little below zero, so that talking on costs a little and a deal pays, and the unit is the
standard deviation of an honest agent's replies. The n-gram model and the adapters have the same zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from negotiation_env.files import Table, read_json, write_json

FILE = "reward_scale.json"
ROUTINE_LEVEL = -0.45
"""Mean R_model of an honest agent's routine replies, in units of the standard deviation of its replies, deals included.
Comparisons leave zero and unit open. Ours lie so that talking on costs a little and a deal pays."""


class _ScaleFile(Table):
    centre: float
    unit: Annotated[float, Field(gt=0.0)]


@dataclass(frozen=True, slots=True)
class RewardScale:
    """R_model = (score - centre) / unit, ``unit`` > 0."""

    centre: float = 0.0
    unit: float = 1.0

    def reward(self, score: float) -> float:
        """Return R_model of a raw score."""
        return (score - self.centre) / self.unit

    @classmethod
    def fit(cls, scores: Sequence[float], routine: Sequence[bool]) -> RewardScale:
        """Return the scale for raw scores of an honest agent's replies, of which some are routine (no deal)."""
        values = np.asarray(scores, dtype=np.float64)
        unit = float(values.std()) or 1.0
        return cls(float(values[np.asarray(routine)].mean()) - ROUTINE_LEVEL * unit, unit)

    def save(self, folder: Path) -> None:
        """Write the scale beside an adapter."""
        write_json(folder / FILE, asdict(self), indent=None)

    @classmethod
    def load(cls, folder: Path) -> RewardScale:
        """Read the scale beside an adapter; a folder without one keeps raw scores.

        Raises:
            DataFileError: where the file is not one.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        scale = read_json(path, _ScaleFile)
        return cls(scale.centre, scale.unit)
