"""Zero and unit of a learnt reward: comparisons leave both open, so they are set by an honest agent's replies.

An honest routine reply lies a little below zero, so that talking on costs a little and a deal pays, and the unit is the
standard deviation of an honest agent's replies. The n-gram model and the adapters have the same zero.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from negotiation_env.errors import DataFileError

FILE = "reward_scale.json"
ROUTINE_LEVEL = -0.45
"""Mean R_model of an honest agent's routine replies, in units of the standard deviation of its replies, deals included.
Comparisons leave zero and unit open. Ours lie so that talking on costs a little and a deal pays."""


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
        (folder / FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> RewardScale:
        """Read the scale beside an adapter; a folder without one keeps raw scores.

        Raises:
            DataFileError: where the file is not one.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            scale = cls(float(table["centre"]), float(table["unit"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(f"{path}: expected the numbers centre and unit, got: {error!r}") from error
        if not (scale.unit > 0.0 and abs(scale.centre) < float("inf")):
            raise DataFileError(f"{path}: expected a finite centre and a unit above 0, got {scale}")
        return scale
