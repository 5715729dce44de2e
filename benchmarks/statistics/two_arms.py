"""Two independent arms of an A/B test: two-proportion test, intervals of the difference, by cluster.

Knows nothing of negotiations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmarks.statistics.bootstrap import bootstrap, sums_of
from benchmarks.statistics.clustered import Shares, shares
from benchmarks.statistics.figure import LEVEL, Figure
from benchmarks.statistics.intervals import mean

TWO_PROPORTIONS, WELCH = "two proportions", "Welch"

Array = NDArray[np.float64]


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
    parts = [sums_of(arm) for arm in (first, second)]
    if min(len(part.sums) for part in parts) < 2:
        return None
    a, b = (shares(part.sums, part.counts, level) for part in parts)
    low, high = newcombe(a, b)
    figures = [
        Figure(float(arm.value), float(arm.low), float(arm.high), int(part.counts.sum()))
        for arm, part in zip((a, b), parts, strict=True)
    ]
    p = float(two_proportions(a, b))
    return ArmDifference(figures[0], figures[1], float(b.value - a.value), float(low), float(high), p, TWO_PROPORTIONS)


def newcombe(first: Shares, second: Shares) -> tuple[Array, Array]:
    """Return the ends of the interval of second less first: Newcombe's method 10 (1998)."""
    value = second.value - first.value
    return (
        value - np.hypot(second.value - second.low, first.high - first.value),
        value + np.hypot(second.high - second.value, first.value - first.low),
    )


def two_proportions(first: Shares, second: Shares) -> Array:
    """Return the two-sided p-values of the pooled two-proportion z test, at effective sample sizes."""
    pooled = (first.value * first.effective + second.value * second.effective) / (first.effective + second.effective)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / first.effective + 1.0 / second.effective))
    distance = np.abs(second.value - first.value) / np.where(error == 0.0, 1.0, error)
    return np.where(error == 0.0, 1.0, 2.0 * special.ndtr(-distance))


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
