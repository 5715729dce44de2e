"""The symmetric studentised bootstrap over clusters (Hall 1988, 1992), for means and differences of means.

Resampled means are compared with their own resampled standard errors, and the interval takes the quantile of
|t*|: ``value -+ q * error``. Of the usual intervals it keeps the claimed coverage best for the skewed, lumpy figures of
negotiations at 30 to 150 scenarios; percentile and BCa intervals come out too narrow there (``coverage`` measures it).
Knows sums and counts by cluster, not what they count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.statistics.figure import LEVEL

RESAMPLES = 2000
"""Bootstrap resamples per figure."""
MANY: Final = 1000
"""From so many clusters on Student's quantile is taken: the bootstrap has nothing left to correct."""
LEAST_ERROR: Final = 0.35
"""A resample's standard error counts as at least this part of the sample's: a resample that happens to hold no
variation would otherwise give an infinite t*."""

Array = NDArray[np.float64]


class Sums(NamedTuple):
    """What each cluster adds to a mean over all observations: sums [M] and numbers of observations [M]."""

    sums: Array
    counts: Array


def sums_of(clusters: Sequence[Sequence[float]]) -> Sums:
    """Return the clusters' sums and counts; empty clusters are left out."""
    filled = [c for c in clusters if len(c)]
    return Sums(
        np.array([float(np.sum(c)) for c in filled], dtype=np.float64),
        np.array([float(len(c)) for c in filled], dtype=np.float64),
    )


class Tested(NamedTuple):
    """An estimate with its error, the half-width of its interval, and the p-value against zero.

    ``half`` is None, and ``p`` 1 or 0, where nothing varies between clusters.
    """

    value: float
    error: float
    half: float | None
    p: float


def bootstrap(parts: Sequence[Sums], seed: int, level: float = LEVEL) -> Tested:
    """Return a mean (one part), or the mean of the first part less that of the second, over the same clusters.

    Args:
        parts: one or two; all of the same M >= 2 clusters in the same order, each with observations in total.
        seed: of the resampling.
        level: confidence level of the half-width.
    """
    clusters = len(parts[0].sums)
    values, errors = _estimates(parts)
    value, error = float(values[0]), float(errors[0])
    # Rounding leaves an error of about 1e-17 where every cluster is the same.
    if error <= 1e-12 * max(1.0, abs(value)):
        return Tested(value, 0.0, None, 1.0 if abs(value) <= 1e-12 else 0.0)
    if clusters >= MANY:
        quantile = float(stats.t.ppf(0.5 + level / 2.0, clusters - 1))
        return Tested(value, error, quantile * error, float(2.0 * stats.t.sf(abs(value) / error, clusters - 1)))
    picks = np.random.default_rng(seed).integers(0, clusters, size=(RESAMPLES, clusters))
    values, errors = _estimates([Sums(part.sums[picks], part.counts[picks]) for part in parts])
    distances = np.abs(values - value) / np.maximum(errors, LEAST_ERROR * error)
    p = (1.0 + float(np.sum(distances >= abs(value) / error))) / (RESAMPLES + 1.0)
    return Tested(value, error, float(np.quantile(distances, level)) * error, p)


def _estimates(parts: Sequence[Sums]) -> tuple[Array, Array]:
    """Return estimates and standard errors [B] of sums and counts [B, M] or [M], by linearising the ratio."""
    ratios, residuals = [], []
    for sums, counts in parts:
        # A resample may hold no observation of a part: its mean is then 0, and its error is bounded from below.
        total = np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
        ratios.append(sums.sum(axis=-1, keepdims=True) / total)
        residuals.append((sums - ratios[-1] * counts) / total)
    value, spread = (
        (ratios[0], residuals[0]) if len(parts) == 1 else (ratios[0] - ratios[1], residuals[0] - residuals[1])
    )
    clusters = spread.shape[-1]
    return value.reshape(-1), np.sqrt(clusters / (clusters - 1.0) * np.square(spread).sum(axis=-1)).reshape(-1)
