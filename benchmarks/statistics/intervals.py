"""Figures with their intervals: Wilson's for shares, a symmetric studentised bootstrap for means, both by cluster.

Observations of one scenario (its tickets, its turns, its repeated trials) are not independent. A share's interval is
Wilson's (1927) at an effective sample size (Saha, Miller and Wang 2016): ``n`` is divided by a design effect. A mean's
resampled values are compared with their own resampled standard errors (Hall 1988, 1992), and the interval takes the
quantile of |t*|. ``negotiate study coverage`` checks all of it by simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

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


RESAMPLES = 2000
"""Bootstrap resamples per figure."""
RARE: Final = 20
"""Where at most so many resamples lie as far out as a difference, ``MORE`` times as many are drawn for its p-value."""
MORE: Final = 20
MANY: Final = 1000
"""From so many clusters on Student's quantile is taken: the bootstrap has nothing left to correct."""
LEAST_ERROR: Final = 0.35
"""A resample's standard error counts as at least this part of the sample's: a resample that happens to hold no
variation would otherwise give an infinite t*."""
TIE: Final = 1e-9
"""Distances that differ by less than this part are the same: rounding must not decide a p-value."""

Array = NDArray[np.float64]


class Sums(NamedTuple):
    """What each cluster adds to a mean over all observations.

    Sums and numbers of observations are [M] each, or [..., M] for many data sets.
    """

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


class TestedMany(NamedTuple):
    """The same for data sets, [C] each; ``half`` is nan where nothing varies between clusters."""

    value: Array
    error: Array
    half: Array
    p: Array


def bootstrap(parts: Sequence[Sums], seed: int, level: float = LEVEL) -> Tested:
    """Return a mean (one part), or the mean of the first part less that of the second, over the same clusters.

    Args:
        parts: one or two; all of the same M >= 2 clusters in the same order, each with observations in total.
        seed: of the resampling.
        level: confidence level of the half-width.
    """
    many = [Sums(part.sums[None], part.counts[None]) for part in parts]
    clusters, rng = len(parts[0].sums), np.random.default_rng(seed)
    drawn = resamples(clusters, rng) if clusters < MANY else None
    found = bootstrap_many(many, drawn, level)
    half, p = float(found.half[0]), float(found.p[0])
    if drawn is not None and len(parts) == 2 and 0.0 < p <= RARE / RESAMPLES:
        # A correction for many tests multiplies p, and that of one resample among these alone would be too much.
        beyond = round(p * (RESAMPLES + 1)) - 1
        for _ in range(MORE):
            beyond += round(float(bootstrap_many(many, resamples(clusters, rng), level).p[0]) * (RESAMPLES + 1)) - 1
        p = (1.0 + beyond) / ((1 + MORE) * RESAMPLES + 1)
    return Tested(float(found.value[0]), float(found.error[0]), None if np.isnan(half) else half, p)


def resamples(clusters: int, rng: np.random.Generator) -> Array:
    """Return how often each cluster is in each of ``RESAMPLES`` resamples, [M, B]."""
    picks = rng.integers(0, clusters, size=(RESAMPLES, clusters))
    places = picks + clusters * np.arange(RESAMPLES)[:, None]
    counted = np.bincount(places.ravel(), minlength=RESAMPLES * clusters).reshape(RESAMPLES, clusters)
    return np.ascontiguousarray(counted.T, dtype=np.float64)


def bootstrap_many(parts: Sequence[Sums], drawn: Array | None, level: float = LEVEL) -> TestedMany:
    """Return what ``bootstrap`` does for C data sets at once.

    Args:
        parts: one or two, of [C, M] each, as for ``bootstrap``.
        drawn: resamples [M, B] that all data sets share; None takes Student's quantile.
        level: confidence level of the half-width.
    """
    if len(parts) == 2 and np.array_equal(parts[0].counts, parts[1].counts):
        # Over equal counts a difference of means is the mean of differences, which takes a third of the work.
        parts = [Sums(parts[0].sums - parts[1].sums, parts[0].counts)]
    centred = [_centre(part) for part in parts]
    value = _signed([part.ratio for part in centred])
    clusters = parts[0].sums.shape[-1]
    unbiased = clusters / (clusters - 1.0)
    spread = _signed([part.residuals / part.counts.sum(axis=-1, keepdims=True) for part in centred])
    error = np.sqrt(unbiased * np.square(spread).sum(axis=-1))
    # Rounding leaves an error of about 1e-17 where every cluster is the same.
    varies = error > 1e-12 * np.maximum(1.0, np.abs(value))
    scale = np.where(varies, error, 1.0)
    observed = np.abs(value) / scale
    if drawn is None:
        quantile = np.full(value.shape, special.stdtrit(clusters - 1.0, 0.5 + level / 2.0))
        p = 2.0 * special.stdtr(clusters - 1.0, -observed)
    else:
        shift, square = _resampled(centred, drawn)
        errors = np.sqrt(unbiased * np.maximum(square, 0.0))
        distances = np.abs(shift) / np.maximum(errors, LEAST_ERROR * scale[:, None])
        quantile = np.quantile(distances, level, axis=-1)
        p = (1.0 + np.sum(distances >= (1.0 - TIE) * observed[:, None], axis=-1)) / (drawn.shape[-1] + 1.0)
    same = np.where(np.abs(value) <= 1e-12, 1.0, 0.0)
    return TestedMany(
        value, np.where(varies, error, 0.0), np.where(varies, quantile * error, np.nan), np.where(varies, p, same)
    )


class _Centred(NamedTuple):
    """A part's mean [C], what its sums differ from it [C, M], and its counts [C, M]."""

    ratio: Array
    residuals: Array
    counts: Array


def _centre(part: Sums) -> _Centred:
    ratio = part.sums.sum(axis=-1) / part.counts.sum(axis=-1)
    return _Centred(ratio, part.sums - ratio[:, None] * part.counts, part.counts)


def _signed(values: Sequence[Array]) -> Array:
    """Return the first of one or two less the second."""
    return values[0] if len(values) == 1 else values[0] - values[1]


def _resampled(parts: Sequence[_Centred], drawn: Array) -> tuple[Array, Array]:
    """Return how far resampled estimates lie from the sample's, and their sums of squared residuals, [C, B] each.

    Every term is a sum over a resample's clusters, and so a product with ``drawn``; ratios are linearised.
    """
    shifts, totals = [], []
    for part in parts:
        total = part.counts @ drawn
        held = total > 0.0
        totals.append(np.where(held, total, 1.0))
        # A resample may hold no observation of a part: its mean is then 0, and its error is bounded from below.
        shifts.append(np.where(held, (part.residuals @ drawn) / totals[-1], -part.ratio[:, None]))
    square = np.zeros_like(totals[0])
    for i, first in enumerate(parts):
        for j, second in enumerate(parts):
            term = (first.residuals * second.residuals) @ drawn
            term -= shifts[j] * ((first.residuals * second.counts) @ drawn)
            term -= shifts[i] * ((first.counts * second.residuals) @ drawn)
            term += shifts[i] * shifts[j] * ((first.counts * second.counts) @ drawn)
            square += (1.0 if i == j else -1.0) * term / (totals[i] * totals[j])
    return _signed(shifts), square


LEAST_EFFECT: Final = 0.8
"""Smallest design effect: chance alone makes few clusters look less alike than independent observations are."""
ENOUGH: Final = 5.0
"""With so many clusters that hold the rarer outcome, the direct design effect has the weight 1 - 1/e."""
ENDLESS: Final = 1e7
"""From so many degrees of freedom on Student's quantile is the normal one."""


class Shares(NamedTuple):
    """Shares of data sets, [...] each.

    Attributes:
        value: successes over observations.
        low: lower end of the interval, in [0, 1].
        high: upper end of the interval, in [0, 1].
        effective: how many independent observations would tell as much.
    """

    value: Array
    low: Array
    high: Array
    effective: Array


def shares(hits: Array, sizes: Array, level: float = LEVEL) -> Shares:
    """Return shares over all observations, with intervals.

    Args:
        hits: successes by cluster, [..., M].
        sizes: observations by cluster, [..., M], at least 1 each. Where all are 1 the interval is plain Wilson's.
        level: confidence level.
    """
    n, clusters = sizes.sum(axis=-1), sizes.shape[-1]
    value = hits.sum(axis=-1) / n
    effect = design_effect(hits, sizes)
    # Kish's effect of clusters whose observations are all identical: the most that likeness can do.
    identical = np.square(sizes).sum(axis=-1) / n
    alike = np.clip((effect - 1.0) / np.maximum(identical - 1.0, 1e-12), 0.0, 1.0)
    # Satterthwaite's (1946) 2 / CV^2 of an effect 1 + (m - 1) r, by Fisher's (1925) variance of the correlation r of
    # normal values in clusters of m. Identical observations leave nothing to estimate, nor do clusters of one.
    unknown = (identical - 1.0) * np.square(1.0 - alike)
    freedom = identical * max(1, clusters - 1) / np.maximum(unknown, 1e-12)
    low, high = wilson_ends(value * n / effect, n / effect, student(level, freedom))
    return Shares(value, low, high, n / effect)


def design_effect(hits: Array, sizes: Array) -> Array:
    """Return the variances of shares under clustering over those under independence, [...].

    Args:
        hits: successes by cluster, [..., M].
        sizes: observations by cluster, [..., M], at least 1 each.

    A composite of two estimates, as small areas are estimated from surveys (Rao and Molina 2015). The direct one holds
    the linearised variance over clusters against the binomial one (Kish 1965). It is right whatever clusters are like;
    but with a handful of clusters that hold the rarer outcome it swings with the very hits that the share rests on, and
    alone it makes intervals too wide near 0 and 1. The other is 1 + (m - 1) r, with Fleiss and Cuzick's (1979)
    correlation r, which Ridout, Demetrio and Firth (1999) recommend, and Kish's m. It is steady, but stays wrong where
    large clusters have another share than small ones. The second has the weight exp(-k / 5) for k clusters with the
    rarer outcome; and as few of them tell little of r, it is drawn to 1 by exp(-k). These two weights are this
    project's own: ``coverage`` measures what they do.
    """
    n, clusters = sizes.sum(axis=-1), sizes.shape[-1]
    value = hits.sum(axis=-1) / n
    identical = np.square(sizes).sum(axis=-1) / n
    rarer = np.minimum((hits > 0.0).sum(axis=-1), (hits < sizes).sum(axis=-1))
    if clusters < 2:
        return np.asarray(np.maximum(1.0, identical), dtype=np.float64)
    # Where only one outcome was seen, r is 1 and the direct effect has no weight: any binomial variance will do.
    binomial = np.where(rarer == 0, 1.0, value * (1.0 - value))
    within = (hits * (sizes - hits) / sizes).sum(axis=-1) / np.maximum(n - clusters, 1.0)
    unsure = np.exp(-rarer)
    alike = (1.0 - unsure) * (1.0 - within / binomial) + unsure
    residuals = hits - value[..., None] * sizes
    direct = clusters / (clusters - 1.0) * np.square(residuals).sum(axis=-1) / n / binomial
    smooth = np.exp(-rarer / ENOUGH)
    effect = (1.0 - smooth) * direct + smooth * (1.0 + (identical - 1.0) * alike)
    return np.where(n == clusters, 1.0, np.maximum(LEAST_EFFECT, effect))


def wilson_ends(successes: Array, n: Array, quantile: Array) -> tuple[Array, Array]:
    """Return the ends of Wilson's score intervals in [0, 1] for successes of n > 0, both whole numbers or not."""
    share, square = successes / n, np.square(quantile)
    centre = share + square / (2.0 * n)
    half = quantile * np.sqrt(share * (1.0 - share) / n + square / (4.0 * np.square(n)))
    scale = 1.0 + square / n
    # At a share of 0 or 1 that end is exact; without this it is off by a rounding error.
    low = np.where(successes <= 0.0, 0.0, (centre - half) / scale)
    high = np.where(successes >= n, 1.0, (centre + half) / scale)
    return np.maximum(0.0, low), np.minimum(1.0, high)


def student(level: float, freedom: Array) -> Array:
    """Return Student's two-sided quantiles of a level; of endless degrees of freedom, the normal one."""
    upper = 0.5 + level / 2.0
    quantiles = special.stdtrit(np.minimum(freedom, ENDLESS), upper)
    return np.asarray(np.where(freedom < ENDLESS, quantiles, special.ndtri(upper)), dtype=np.float64)


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


def correlation(clusters: Sequence[Sequence[tuple[float, float]]], *, seed: int = 0, level: float = LEVEL) -> Figure:
    """Return Pearson's correlation over all pairs of values with a percentile bootstrap interval over clusters.

    The value is None where one of both does not vary; resamples in which that is so are left out.
    """
    # Per cluster: count and the sums of x, y, xx, yy, xy, less the means of all, which keeps squares small.
    filled = [np.asarray(cluster, dtype=np.float64) for cluster in clusters if len(cluster)]
    if not filled:
        return NOTHING
    centre = np.concatenate(filled).mean(axis=0)
    sums = np.array([_moments(pairs - centre) for pairs in filled])
    n, value = int(sums[:, 0].sum()), _pearson(sums.sum(axis=0)[None])[0]
    if np.isnan(value) or len(filled) == 1:
        return Figure(None if np.isnan(value) else float(value), None, None, n)
    found = _pearson(resamples(len(filled), np.random.default_rng(seed)).T @ sums)
    low, high = np.nanquantile(found, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Figure(float(value), float(low), float(high), n)


def _moments(pairs: Array) -> Array:
    x, y = pairs.T
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def _pearson(sums: Array) -> Array:
    """Return the correlations of rows of sums [R, 6]; nan where one of both does not vary."""
    n, x, y, xx, yy, xy = sums.T
    spread = np.maximum(n * xx - x * x, 0.0) * np.maximum(n * yy - y * y, 0.0)
    varies = spread > 1e-20
    return np.where(varies, (n * xy - x * y) / np.sqrt(np.where(varies, spread, 1.0)), np.nan)
