"""Paired tests between two policies on the same scenarios: McNemar's and the paired bootstrap, with Holm's correction.

Pairs are scenarios; a scenario's repeated trials are one cluster. Knows nothing of negotiations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.statistics.bootstrap import Sums, bootstrap, bootstrap_many
from benchmarks.statistics.figure import LEVEL

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
