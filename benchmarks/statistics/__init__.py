"""Statistics of benchmark figures: intervals, paired tests, A/B tests, and how many trials a difference needs.

Knows clusters of observations, not negotiations. ``coverage`` checks all of it by simulation.
"""

from __future__ import annotations

from benchmarks.statistics.bootstrap import RESAMPLES, Sums, sums_of
from benchmarks.statistics.figure import LEVEL, NOTHING, Figure
from benchmarks.statistics.intervals import mean, share, wilson
from benchmarks.statistics.paired import Difference, difference, holm, mcnemar
from benchmarks.statistics.two_arms import ArmDifference, compare_means, compare_shares

__all__ = [
    "LEVEL",
    "NOTHING",
    "RESAMPLES",
    "ArmDifference",
    "Difference",
    "Figure",
    "Sums",
    "compare_means",
    "compare_shares",
    "difference",
    "holm",
    "mcnemar",
    "mean",
    "share",
    "sums_of",
    "wilson",
]
