"""Did REPO learn from where it started: each seed's own R_total and clean fixes against the SFT start's.

"Apart" is the strict reading: the two 95% intervals do not meet. The paired difference stands beside it. These
intervals tell what other scenarios of the kind would give. The bad cases are a fixed suite, so there is a second
reading of them: what other training seeds and trials would give on these very cases, as runs on fixed tasks are
reported (Agarwal et al. 2021, arXiv 2108.13264).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from scipy import stats

from benchmarks.methods.figures import CLEAN, REWARD, Column, Gap, apart, figure, gap, on_suite, widened
from benchmarks.observations import Score, by_scenario
from benchmarks.statistics import LEVEL, NOTHING, Figure

CHECKED: Final = (REWARD, CLEAN)


class Check(NamedTuple):
    """One seed's figure against the start's.

    Attributes:
        seed: of the training.
        column: what is compared.
        start: the start's figure.
        figure: the seed's.
        apart: 1 if its interval lies above the start's, -1 if below, 0 if they meet.
        difference: paired by scenario.
    """

    seed: int
    column: Column
    start: Figure
    figure: Figure
    apart: int
    difference: Gap | None


def checks(start: Sequence[Score], seeds: Mapping[int, Sequence[Score]]) -> list[Check]:
    """Return every seed's checks, seed by seed."""
    found = []
    for seed, scores in sorted(seeds.items()):
        for column in CHECKED:
            before, after = figure(start, column), figure(scores, column)
            found.append(
                Check(seed, column, before, after, apart(before, after), gap({0: start}, {seed: scores}, column))
            )
    return found


def verdict(found: Sequence[Check]) -> str:
    """Return one sentence on how many seeds rose beyond the start's interval, by column and in both."""
    seeds = sorted({check.seed for check in found})
    if not seeds:
        return "No run has been measured."
    risen = {column.title: {c.seed for c in found if c.column == column and c.apart == 1} for column in CHECKED}
    parts = [f"{title} above the start's interval in {len(own)} of {len(seeds)} seeds" for title, own in risen.items()]
    both = set(seeds).intersection(*risen.values())
    return f"{', '.join(parts)}; both in {len(both)} of {len(seeds)}."


class FixedCases(NamedTuple):
    """Clean fixes of these very bad cases.

    Attributes:
        start: the start's share, its interval from the differences between trials of a case.
        figure: mean of the runs' shares, its interval from the differences between runs (Student), which hold those
            between trials.
        apart: 1 if the runs' interval lies above the start's, -1 if below, 0 if they meet or one is missing.
    """

    start: Figure
    figure: Figure
    apart: int


def on_these_cases(start: Sequence[Score], seeds: Mapping[int, Sequence[Score]]) -> FixedCases:
    """Compare clean fixes with the bad cases held fixed; no interval where there is one trial, or one run."""
    before = _between_trials(start)
    values = [value for scores in seeds.values() if (value := figure(scores, CLEAN).value) is not None]
    mean = Figure(fmean(values), None, None, len(values)) if values else NOTHING
    after = widened(mean, values, (0.0, 1.0))
    return FixedCases(before, after, apart(before, after))


def _between_trials(scores: Sequence[Score]) -> Figure:
    """Return the share of one policy's clean fixes, each case's own chance unknown and its trials independent."""
    found = figure(scores, CLEAN)
    cases = by_scenario(on_suite(scores, CLEAN), CLEAN.metric).values()
    if found.value is None or any(n < 2 for _, n in cases):
        return Figure(found.value, None, None, found.n)
    squared = sum(share * (1.0 - share) / (n - 1.0) for share, n in ((total / n, n) for total, n in cases))
    half = float(stats.norm.ppf(0.5 + LEVEL / 2.0)) * squared**0.5 / len(cases)
    return Figure(found.value, max(0.0, found.value - half), min(1.0, found.value + half), found.n)
