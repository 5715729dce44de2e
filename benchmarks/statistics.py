"""Intervals for benchmark figures: Wilson's for shares, a seeded cluster bootstrap for means.

Observations of one negotiation (its tickets, its turns, its repeated trials) are not independent;
every figure here is therefore grouped by cluster. Knows nothing of negotiations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
"""Confidence level of every interval."""
RESAMPLES = 2000
"""Bootstrap resamples per figure."""


class Figure(NamedTuple):
    """A figure with its interval; all None where there was nothing to measure.

    Attributes:
        value: the estimate.
        low: lower end of the 95% interval.
        high: upper end of the 95% interval.
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


def wilson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval for a share (Wilson 1927, without continuity correction).

    ``n`` may be a fraction (an effective sample size) but must be above 0; the result lies in [0,
    1].
    """
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    share = successes / n
    centre = share + z * z / (2.0 * n)
    half = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    # At a share of 0 or 1 that end is exact; without this it is off by a rounding error.
    low = 0.0 if successes <= 0.0 else (centre - half) / scale
    high = 1.0 if successes >= n else (centre + half) / scale
    return max(0.0, low), min(1.0, high)


def share(clusters: Sequence[Sequence[bool]], level: float = LEVEL) -> Figure:
    """Return a share over all observations with Wilson's interval.

    Where clusters hold more than one observation, Wilson's ``n`` is divided by the design effect
    (Kish 1965), estimated from the data and at least 1: dependent observations never narrow the
    interval.
    """
    filled = [list(c) for c in clusters if c]
    n = sum(len(c) for c in filled)
    if n == 0:
        return NOTHING
    successes = sum(sum(c) for c in filled)
    value = successes / n
    effective = n / _design_effect(filled, value)
    low, high = wilson(value * effective, effective, level)
    return Figure(value, low, high, n)


def _design_effect(clusters: list[list[bool]], value: float) -> float:
    """Variance of the share under clustering, over its variance under independence; in [1, mean cluster size]."""
    n, count = sum(len(c) for c in clusters), len(clusters)
    size = n / count
    if size == 1.0:
        return 1.0
    if count < 2 or value in (0.0, 1.0):
        # Nothing to estimate it from: take the clusters as the only independent observations.
        return size
    residuals = np.array([sum(c) - value * len(c) for c in clusters])
    clustered = count / (count - 1) * float(residuals @ residuals) / n**2
    return float(np.clip(clustered / (value * (1.0 - value) / n), 1.0, size))


def mean(clusters: Sequence[Sequence[float]], *, seed: int = 0, level: float = LEVEL) -> Figure:
    """Return a mean over all observations with a percentile bootstrap interval over clusters.

    Whole clusters are drawn with replacement, ``RESAMPLES`` times, from a generator made of
    ``seed``: the same data and seed give the same interval. With one cluster there is no interval
    to be had: low and high are None.
    """
    filled = [np.asarray(c, dtype=np.float64) for c in clusters if len(c)]
    if not filled:
        return NOTHING
    sums = np.array([c.sum() for c in filled])
    sizes = np.array([float(len(c)) for c in filled])
    value, n = float(sums.sum() / sizes.sum()), int(sizes.sum())
    if len(filled) == 1:
        return Figure(value, None, None, n)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(filled), size=(RESAMPLES, len(filled)))
    means = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(means, [tail, 100.0 - tail])
    return Figure(value, float(low), float(high), n)
