"""Tests of differences: two policies on the same scenarios, and the two independent arms of an A/B test.

Paired: McNemar's test and the paired bootstrap, with Holm's correction; pairs are scenarios, and a scenario's repeated
trials are one cluster. Arms: the two-proportion test, and intervals of the difference, by cluster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmarks.statistics.intervals import (
    LEVEL,
    Figure,
    Shares,
    Sums,
    bootstrap,
    bootstrap_many,
    mean,
    shares,
    sums_of,
)

MCNEMAR, BOOTSTRAP = "McNemar, exact", "paired bootstrap"

Array = NDArray[np.float64]


class Difference(NamedTuple):
    """A difference between two policies on the same scenarios.

    Attributes:
        value: the second policy's figure less the first's.
        low: lower end of the 95% interval; None where none can be had.
        high: upper end of the 95% interval; None where none can be had.
        p: two-sided p-value of "no difference".
        test: which test gave it.
        n: scenarios compared.
    """

    value: float
    low: float | None
    high: float | None
    p: float
    test: str
    n: int


def difference(
    first: Sums,
    second: Sums,
    *,
    shares: bool = False,
    seed: int = 0,
    level: float = LEVEL,
    within: tuple[float, float] | None = None,
) -> Difference | None:
    """Compare two policies by what each scenario adds to their figures, scenario by scenario in the same order.

    The interval is that of the paired bootstrap (symmetric, studentised), and so is the p-value, except for shares
    with one yes-or-no observation a scenario, which McNemar's exact test serves.

    Args:
        first: sums and counts by scenario, [M].
        second: the same of the other policy.
        shares: whether observations are yes or no.
        seed: of the bootstrap.
        level: confidence level.
        within: what differences are possible; the interval is cut to it.

    Returns None with fewer than two scenarios, or where a policy has no observation.
    """
    scenarios = len(first.sums)
    if scenarios < 2 or not first.counts.sum() or not second.counts.sum():
        return None
    found = bootstrap([second, first], seed, level)
    exact = shares and is_single(first, second)
    test, p = (MCNEMAR, float(mcnemar(first.sums, second.sums))) if exact else (BOOTSTRAP, found.p)
    low, high = None, None
    if found.half is not None:
        low, high = found.value - found.half, found.value + found.half
        if within is not None:
            low, high = max(within[0], low), min(within[1], high)
    return Difference(found.value, low, high, p, test, scenarios)


def p_values(first: Sums, second: Sums, drawn: Array | None, *, shares: bool) -> Array:
    """Return the p-values of ``difference`` for C pairs of data sets, [C].

    Args:
        first: sums and counts by data set and scenario, [C, M].
        second: the same of the other policy.
        drawn: resamples [M, B], see ``bootstrap_many``.
        shares: whether observations are yes or no.
    """
    if shares and is_single(first, second):
        return mcnemar(first.sums, second.sums)
    return bootstrap_many([second, first], drawn).p


def is_single(first: Sums, second: Sums) -> bool:
    """Return whether every scenario has one observation of each policy."""
    return bool(np.all(first.counts == 1.0) and np.all(second.counts == 1.0))


def mcnemar(first: Array, second: Array) -> Array:
    """Return two-sided p-values of McNemar's exact test (1947) on paired outcomes of 0 or 1, [..., M] each: [...]."""
    better, worse = np.sum(second > first, axis=-1), np.sum(second < first, axis=-1)
    return np.asarray(np.minimum(1.0, 2.0 * special.bdtr(np.minimum(better, worse), better + worse, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down procedure (1979), in the order given.

    The chance of one false positive or more among all of them stays below the level, however they depend.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


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
