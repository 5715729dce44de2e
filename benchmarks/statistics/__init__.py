"""Statistics of benchmark figures: ``intervals``, paired tests and A/B tests (``differences``), raters' ``agreement``.

``design`` tells how many trials a difference needs. ``negotiate study coverage`` checks all of it by simulation.
"""

from __future__ import annotations

from benchmarks.statistics.differences import (
    ArmDifference,
    Difference,
    compare_means,
    compare_shares,
    difference,
    holm,
    mcnemar,
)
from benchmarks.statistics.intervals import (
    LEVEL,
    NOTHING,
    RESAMPLES,
    Figure,
    Sums,
    correlation,
    mean,
    share,
    sums_of,
    wilson,
)

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
    "correlation",
    "difference",
    "holm",
    "mcnemar",
    "mean",
    "share",
    "sums_of",
    "wilson",
]
