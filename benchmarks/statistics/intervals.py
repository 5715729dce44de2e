"""Intervals for one figure: Wilson's for shares, a symmetric studentised bootstrap for means, both by cluster.

Observations of one scenario (its tickets, its turns, its repeated trials) are not independent; every figure is
therefore grouped by cluster. Knows nothing of negotiations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.statistics.bootstrap import bootstrap, sums_of
from benchmarks.statistics.clustered import shares, student, wilson_ends
from benchmarks.statistics.figure import LEVEL, NOTHING, Figure


def wilson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval for a share (Wilson 1927, without continuity correction).

    ``n`` may be a fraction (an effective sample size) but must be above 0. The result lies in [0, 1].
    """
    low, high = wilson_ends(np.array(successes), np.array(n), student(level, np.array(np.inf)))
    return float(low), float(high)


def share(clusters: Sequence[Sequence[bool]], level: float = LEVEL) -> Figure:
    """Return a share over all observations with Wilson's interval, by design effect (``clustered``).

    Where every cluster holds one observation, that is plain Wilson's.
    """
    parts = sums_of(clusters)
    if not len(parts.sums):
        return NOTHING
    found = shares(parts.sums, parts.counts, level)
    return Figure(float(found.value), float(found.low), float(found.high), int(parts.counts.sum()))


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
