"""Shares of clustered yes-or-no observations with Wilson's interval, for one data set or for many at once.

The interval is Wilson's (1927) at an effective sample size (Saha, Miller and Wang 2016): ``n`` is divided by a design
effect, and Student's quantile replaces the normal one, as for survey shares (Korn and Graubard 1998), with as many
degrees of freedom as the estimated effect has. Knows arrays only: the last axis is clusters, those before it data sets.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.statistics.figure import LEVEL

LEAST_EFFECT: Final = 0.8
"""Smallest design effect: chance alone makes few clusters look less alike than independent observations are."""
ENOUGH: Final = 5.0
"""With so many clusters that hold the rarer outcome, the direct design effect has the weight 1 - 1/e."""
ENDLESS: Final = 1e7
"""From so many degrees of freedom on Student's quantile is the normal one."""

Array = NDArray[np.float64]


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
