"""Krippendorff's alpha: how far raters agree beyond chance, for nominal and ordinal values, with an interval.

Follows Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): coincidences of values within units, and
difference functions by level of measurement. Missing values are allowed. The interval resamples clusters of units
(dialogues), from a seed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics import LEVEL, NOTHING, RESAMPLES, Figure

Level = Literal["nominal", "ordinal", "interval"]
V = TypeVar("V", bound=Hashable)
Unit = Sequence[V | None]
"""One unit's values, one per rater; None where a rater gave none."""
_CHUNK: Final = 250
"""Resamples computed at a time, to bound memory."""


def alpha(units: Sequence[Sequence[float | None]], level: Level = "nominal") -> float | None:
    """Return Krippendorff's alpha of units of numeric values; None if nothing can be paired or nothing varies.

    Args:
        units: per unit (a reply, a dialogue) the raters' values, None for a missing one.
        level: how far apart two values are: differ or not, ordinal (by the ranks between), or the squared distance.
    """
    values = _values(units)
    if not values:
        return None
    counts = _coincidences(units, values)
    return _alpha(counts[None], np.array(values), level)[0]


def alpha_figure(clusters: Sequence[Sequence[Sequence[float | None]]], level: Level, seed: int = 0) -> Figure:
    """Return alpha over all units with a percentile bootstrap interval over clusters (the units of one scenario).

    ``n`` counts the units that at least two raters rated. Resamples in which nothing varies are left out.
    """
    units = [unit for cluster in clusters for unit in cluster]
    values = _values(units)
    paired = sum(sum(v is not None for v in unit) >= 2 for unit in units)
    if not values or not paired:
        return NOTHING
    scale = np.array(values)
    parts = np.stack([_coincidences(cluster, values) for cluster in clusters])
    value = _alpha(parts.sum(axis=0)[None], scale, level)[0]
    if value is None or len(clusters) == 1:
        return Figure(value, None, None, paired)
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for start in range(0, RESAMPLES, _CHUNK):
        size = min(_CHUNK, RESAMPLES - start)
        weights = rng.multinomial(len(clusters), np.full(len(clusters), 1.0 / len(clusters)), size=size)
        sums = np.tensordot(weights.astype(np.float64), parts, axes=1)
        found += [a for a in _alpha(sums, scale, level) if a is not None]
    if not found:
        return Figure(value, None, None, paired)
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(found, [tail, 100.0 - tail])
    return Figure(value, float(low), float(high), paired)


def _values(units: Sequence[Sequence[float | None]]) -> list[float]:
    """Return the values that occur, in order."""
    return sorted({float(v) for unit in units for v in unit if v is not None})


def _coincidences(units: Sequence[Sequence[float | None]], values: Sequence[float]) -> NDArray[np.float64]:
    """Return the coincidence matrix [V, V]: pairs of values within units, each unit's pairs over its count less one."""
    place = {value: i for i, value in enumerate(values)}
    total = np.zeros((len(values), len(values)))
    for unit in units:
        given = [place[float(v)] for v in unit if v is not None]
        if len(given) < 2:
            continue
        count = np.bincount(given, minlength=len(values)).astype(np.float64)
        total += (np.outer(count, count) - np.diag(count)) / (len(given) - 1)
    return total


def _alpha(counts: NDArray[np.float64], values: NDArray[np.float64], level: Level) -> list[float | None]:
    """Return alpha of each of [B, V, V] coincidence matrices."""
    marginals = counts.sum(axis=2)
    n = marginals.sum(axis=1)
    distance = _distance(marginals, values, level)
    observed = (counts * distance).sum(axis=(1, 2))
    expected = (marginals[:, :, None] * marginals[:, None, :] * distance).sum(axis=(1, 2))
    return [
        None if total < 2.0 or apart <= 0.0 else float(1.0 - (total - 1.0) * seen / apart)
        for total, seen, apart in zip(n, observed, expected, strict=True)
    ]


def _distance(marginals: NDArray[np.float64], values: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """Return squared differences [B, V, V] (or [1, V, V] where they do not depend on how often values occur)."""
    size = len(values)
    if level == "nominal":
        return (1.0 - np.eye(size))[None]
    if level == "interval":
        return ((values[:, None] - values[None, :]) ** 2)[None]
    # Ordinal: everything that lies from one value to the other, the two ends counted half.
    upto = np.cumsum(marginals, axis=1)
    middle = upto - marginals / 2.0
    return (middle[:, :, None] - middle[:, None, :]) ** 2
