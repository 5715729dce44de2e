"""Two independent arms of an A/B test: two-proportion test, intervals of the difference, by cluster.

Knows nothing of negotiations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.statistics.bootstrap import bootstrap, sums_of
from benchmarks.statistics.figure import LEVEL, Figure
from benchmarks.statistics.intervals import design_effect, mean, share

TWO_PROPORTIONS, WELCH = "two proportions", "Welch"


class ArmDifference(NamedTuple):
    """How two arms differ.

    Attributes:
        first: the first arm's figure.
        second: the second arm's figure.
        value: second less first.
        low: lower end of the 95% interval of the difference.
        high: upper end of the 95% interval of the difference.
        p: two-sided p-value of "no difference".
        test: which test gave it.
    """

    first: Figure
    second: Figure
    value: float
    low: float
    high: float
    p: float
    test: str


def compare_shares(
    first: Sequence[Sequence[bool]], second: Sequence[Sequence[bool]], level: float = LEVEL
) -> ArmDifference | None:
    """Compare the shares of two arms; None where an arm has fewer than two clusters.

    The test is the pooled two-proportion z test; where a cluster (a conversation) has several observations (tickets),
    the variance is multiplied by each arm's design effect (Rao and Scott 1992). The interval puts the two Wilson
    intervals together (Newcombe 1998, method 10).
    """
    if min(sum(1 for c in arm if len(c)) for arm in (first, second)) < 2:
        return None
    a, b = share(first, level), share(second, level)
    if a.value is None or a.low is None or a.high is None or b.value is None or b.low is None or b.high is None:
        return None
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    sizes = [arm.n / _effect(clusters) for arm, clusters in ((a, first), (b, second))]
    pooled = (a.value * sizes[0] + b.value * sizes[1]) / sum(sizes)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / sizes[0] + 1.0 / sizes[1]))
    p = 1.0 if error == 0.0 else float(2.0 * stats.norm.sf(abs(value) / error))
    return ArmDifference(a, b, value, low, high, p, TWO_PROPORTIONS)


def compare_means(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], seed: int = 0, level: float = LEVEL
) -> ArmDifference | None:
    """Compare the means of two arms by Welch's t test over clusters; None where nothing varies or clusters are few."""
    parts = [sums_of(arm) for arm in (first, second)]
    if min(len(part.sums) for part in parts) < 2:
        return None
    found = [bootstrap([part], seed, level) for part in parts]
    error = math.hypot(found[0].error, found[1].error)
    if error == 0.0:
        return None
    value = found[1].value - found[0].value
    freedom = error**4 / sum(f.error**4 / (len(part.sums) - 1) for f, part in zip(found, parts, strict=True))
    half = float(stats.t.ppf(0.5 + level / 2.0, freedom)) * error
    p = float(2.0 * stats.t.sf(abs(value) / error, freedom))
    figures = [mean(arm, seed=seed, level=level) for arm in (first, second)]
    return ArmDifference(figures[0], figures[1], value, value - half, value + half, p, WELCH)


def _effect(clusters: Sequence[Sequence[bool]]) -> float:
    filled = [c for c in clusters if len(c)]
    if all(len(c) == 1 for c in filled):
        return 1.0
    hits = np.array([sum(c) for c in filled], dtype=np.float64)
    return design_effect(hits, np.array([len(c) for c in filled], dtype=np.float64))
