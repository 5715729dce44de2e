"""A figure with its interval, as reports hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LEVEL = 0.95
"""Confidence level of every interval."""


class Figure(NamedTuple):
    """A figure with its interval; all None where there was nothing to measure.

    Attributes:
        value: the estimate.
        low: lower end of the 95% interval; None where none can be had.
        high: upper end of the 95% interval; None where none can be had.
        n: how many observations it rests on (cases, tickets, turns, ...).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return the four numbers by name, rounded to six digits."""
        parts = {"value": self.value, "low": self.low, "high": self.high}
        rounded = {key: None if x is None else round(x, 6) for key, x in parts.items()}
        return {**rounded, "n": self.n}

    @classmethod
    def from_json(cls, record: Mapping[str, float | int | None]) -> Figure:
        """Read what ``to_json`` wrote."""
        return cls(record["value"], record["low"], record["high"], int(record["n"] or 0))


NOTHING = Figure(None, None, None, 0)
