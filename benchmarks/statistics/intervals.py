"""Intervals for one figure: Wilson's for shares, a symmetric studentised bootstrap for means, both by cluster.

Observations of one scenario (its tickets, its turns, its repeated trials) are not independent; every figure is
therefore grouped by cluster. Knows nothing of negotiations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.statistics.bootstrap import bootstrap, sums_of
from benchmarks.statistics.figure import LEVEL, NOTHING, Figure, normal_quantile, student_quantile

LEAST_EFFECT: Final = 0.8
"""Smallest design effect: chance alone makes few clusters look less alike than independent observations are."""


def wilson(successes: float, n: float, level: float = LEVEL, quantile: float | None = None) -> tuple[float, float]:
    """Return Wilson's score interval for a share (Wilson 1927, without continuity correction).

    ``n`` may be a fraction (an effective sample size) but must be above 0; ``quantile`` replaces the normal one. The
    result lies in [0, 1].
    """
    z = normal_quantile(level) if quantile is None else quantile
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

    Where clusters hold more than one observation, Wilson's ``n`` is divided by the design effect (Kish 1965) and
    Student's quantile replaces the normal one, as for survey shares (Korn and Graubard 1998).
    """
    filled = [c for c in clusters if len(c)]
    n = sum(len(c) for c in filled)
    if n == 0:
        return NOTHING
    hits = np.array([sum(c) for c in filled], dtype=np.float64)
    sizes = np.array([len(c) for c in filled], dtype=np.float64)
    value = float(hits.sum()) / n
    if n == len(filled):
        return Figure(value, *wilson(value * n, n, level), n)
    effective = n / design_effect(hits, sizes)
    quantile = student_quantile(level, max(1, len(filled) - 1))
    return Figure(value, *wilson(value * effective, effective, level, quantile), n)


def design_effect(hits: np.ndarray, sizes: np.ndarray) -> float:
    """Return the variance of a share under clustering over that under independence.

    Args:
        hits: successes by cluster, [M].
        sizes: observations by cluster, [M], at least 1 each.

    Few clusters that hold both outcomes say little about how alike a cluster's observations are, and make them look
    less alike than they are; the estimate is therefore drawn to the case of identical observations, by exp(-k) for k
    clusters with the rarer outcome.
    """
    n, count = float(sizes.sum()), len(sizes)
    identical = float(np.square(sizes).sum()) / n
    value = float(hits.sum()) / n
    rarer = min(int(np.sum(hits > 0)), int(np.sum(hits < sizes)))
    if count < 2 or rarer == 0:
        return max(1.0, identical)
    residuals = hits - value * sizes
    clustered = count / (count - 1) * float(residuals @ residuals) / n**2
    known = 1.0 - math.exp(-rarer)
    return max(LEAST_EFFECT, known * clustered / (value * (1.0 - value) / n) + (1.0 - known) * identical)


def mean(
    clusters: Sequence[Sequence[float]],
    *,
    seed: int = 0,
    level: float = LEVEL,
    within: tuple[float, float] | None = None,
) -> Figure:
    """Return a mean over all observations with a symmetric studentised bootstrap interval over clusters.

    Args:
        clusters: observations by cluster; empty clusters are left out.
        seed: of the resampling: the same data and seed give the same interval.
        level: confidence level.
        within: what values are possible; the interval is cut to it.

    With one cluster, or where all clusters have one value and ``within`` is not known, there is no interval to be had:
    low and high are None. Where all have one value and ``within`` is known, the interval grants that a share of
    observations that would have shown up with 95% chance (the rule of three) lies at either end.
    """
    parts = sums_of(clusters)
    if not len(parts.sums):
        return NOTHING
    n = int(parts.counts.sum())
    if len(parts.sums) == 1:
        return Figure(float(parts.sums[0] / parts.counts[0]), None, None, n)
    value, _, half, _ = bootstrap([parts], seed, level)
    if half is not None:
        low, high = value - half, value + half
        return (
            Figure(value, low, high, n)
            if within is None
            else Figure(value, max(within[0], low), min(within[1], high), n)
        )
    if within is None:
        return Figure(value, None, None, n)
    unseen = 1.0 - (1.0 - level) ** (1.0 / len(parts.sums))
    return Figure(value, value + unseen * (within[0] - value), value + unseen * (within[1] - value), n)
