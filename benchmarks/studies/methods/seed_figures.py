"""Figures of a method over its seeds, differences between methods, and whether REPO learned from where it started.

A scenario played with five training seeds is one cluster of five observations, as repeated trials are. That says how
sure the mean of *these* runs is. What other seeds would give adds the standard error between the runs' own figures,
with Student's quantile; the two halves are squared and added (Zou and Donner 2008), as ``compare_shares`` adds two
intervals. The runs' figures hold some of the scenarios' noise as well, so the result errs on the wide side. Two
seeds give wide intervals by right: Student's quantile is 12.7.

Each REPO seed's R_total and clean fixes stand against the SFT start's. "Apart" is the strict reading: the two 95%
intervals do not meet; the paired difference stands beside it. These intervals tell what other scenarios of the kind
would give. The bad cases are a fixed suite, so there is a second reading of them: what other training seeds and trials
would give on these very cases, as runs on fixed tasks are reported (Agarwal et al. 2021, arXiv 2108.13264).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean, stdev, variance
from typing import Final, NamedTuple

from scipy import stats

from benchmarks.comparison.paired_policies import compare_metric
from benchmarks.metrics.observations import Score, by_scenario
from benchmarks.metrics.policy_metrics import Part, is_share
from benchmarks.statistics import LEVEL, NOTHING, Figure, mean, share
from benchmarks.studies.methods.runs import HELD_OUT

Seeds = Mapping[int, Sequence[Score]]
"""Scores by training seed."""


class Column(NamedTuple):
    """One measured quantity.

    Attributes:
        metric: name among the benchmark's metrics.
        suite: what it is measured on.
        title: for people.
        better: 1 if more is better, -1 if less is, 0 if neither.
    """

    metric: str
    suite: str
    title: str
    better: int

    @property
    def key(self) -> str:
        """Name in ``table.json``."""
        return f"{self.suite}/{self.metric}"


PAPER: Final = (
    Column("rating", "online", "rating, 1-5", 1),
    Column("excellent", "online", "dialogues with an excellent reply", 1),
    Column("fixed", "bad-cases", "bad cases fixed", 1),
    Column("clean_fix", "bad-cases", "fixed cleanly", 1),
    Column("fixed_with_major_problem", "bad-cases", "fixed with a major new issue", -1),
    Column("severe_unresolved", "bad-cases", "severe, unresolved", -1),
)
"""The source paper's table, in its order."""
OWN: Final = (
    Column("reward_total", HELD_OUT, "R_total of a reply", 1),
    Column("reward_model", HELD_OUT, "R_model", 1),
    Column("reward_judge", HELD_OUT, "E_judge, points", 1),
    Column("reward_rules", HELD_OUT, "E_func, points", 1),
    Column("task_success", HELD_OUT, "tickets with a cut agreed", 1),
    Column("turns", HELD_OUT, "agent messages in a dialogue", 0),
    Column("violations", HELD_OUT, "replies with a violation, by the raters", -1),
    Column("truthful", HELD_OUT, "dialogues with neither an over-promise nor a false fact", 1),
    Column("skill_fluency", "online", "conversational fluency", 1),
    Column("skill_workflow", "online", "workflow compliance", 1),
    Column("skill_negotiation", "online", "negotiation effectiveness", 1),
    Column("skill_scope", "online", "scope understanding", 1),
)
COLUMNS: Final = (*PAPER, *OWN)
REWARD: Final = OWN[0]
MODEL: Final = OWN[1]
CLEAN: Final = PAPER[3]
WITHIN: Final[dict[str, tuple[float, float]]] = {"rating": (1.0, 5.0)}


class Spread(NamedTuple):
    """A figure over seeds, and each seed's own value."""

    figure: Figure
    by_seed: dict[int, float]


class Gap(NamedTuple):
    """How far a second method lies above a first one.

    Attributes:
        value: the second's figure less the first's.
        low: lower end of the 95% interval; None where none can be had.
        high: upper end of the same.
        apart: 1 or -1 if the difference is beyond chance, with its sign, else 0.
    """

    value: float
    low: float | None
    high: float | None
    apart: int


def over_seeds(seeds: Seeds, column: Column) -> Spread:
    """Return a column's figure over all seeds."""
    by_seed = {seed: value for seed, own in seeds.items() if (value := figure(own, column).value) is not None}
    pooled = figure([score for own in seeds.values() for score in own], column)
    bounds = (0.0, 1.0) if is_share(column.metric) else WITHIN.get(column.metric)
    return Spread(widened(pooled, list(by_seed.values()), bounds), by_seed)


def figure(scores: Sequence[Score], column: Column) -> Figure:
    """Return a column's figure, by the project's intervals, over all observations of a scenario as one cluster."""
    parts = by_scenario(on_suite(scores, column), column.metric)
    clusters = [parts[name] for name in sorted(parts)]
    if not clusters:
        return NOTHING
    if is_share(column.metric):
        return share([_yes_and_no(part) for part in clusters])
    # A cluster adds its sum and its count to a mean, so its mean repeated stands for its observations.
    return mean([[total / n] * n for total, n in clusters if n], within=WITHIN.get(column.metric))


def on_suite(scores: Sequence[Score], column: Column) -> list[Score]:
    """Return the scores of the column's suite."""
    return [score for score in scores if score.suite == column.suite]


def _yes_and_no(part: Part) -> list[bool]:
    total, n = part
    yes = round(total)
    return [True] * yes + [False] * (n - yes)


def widened(found: Figure, values: Sequence[float], bounds: tuple[float, float] | None) -> Figure:
    """Return a figure whose interval also holds the spread between training runs, cut to what is possible."""
    if found.value is None or len(values) < 2:
        return found
    half = _student(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    if found.low is None or found.high is None:
        if half == 0.0:
            return found
        low, high = found.value - half, found.value + half
    else:
        low = found.value - math.hypot(found.value - found.low, half)
        high = found.value + math.hypot(found.high - found.value, half)
    if bounds is not None:
        low, high = max(bounds[0], low), min(bounds[1], high)
    return Figure(found.value, low, high, found.n)


def apart(first: Figure, second: Figure) -> int:
    """Return 1 if the second's whole interval lies above the first's, -1 if below, 0 if they meet or one is missing."""
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return 0
    return 1 if second.low > first.high else -1 if second.high < first.low else 0


def gap(first: Seeds, second: Seeds, column: Column) -> Gap | None:
    """Compare two methods scenario by scenario, the spread between training runs included; None where it cannot be.

    The paired difference over scenarios (``statistics.difference``) is widened by Welch's interval of the runs' means:
    runs of two methods are not paired, whatever their seeds.
    """
    both = [[score for own in seeds.values() for score in on_suite(own, column)] for seeds in (first, second)]
    found = compare_metric(both[0], both[1], column.metric, 0)
    if found is None:
        return None
    half = _welch_half([list(over_seeds(seeds, column).by_seed.values()) for seeds in (first, second)])
    value = found.value
    if found.low is not None and found.high is not None:
        low, high = value - math.hypot(value - found.low, half), value + math.hypot(found.high - value, half)
    elif half > 0.0:
        low, high = value - half, value + half
    else:
        # The same difference in every scenario and no second run: the test knows more than an interval of no width.
        return Gap(value, None, None, _sign(value) if found.p <= 1.0 - LEVEL else 0)
    return Gap(value, low, high, 1 if low > 0.0 else -1 if high < 0.0 else 0)


def _sign(value: float) -> int:
    return (value > 0.0) - (value < 0.0)


def _welch_half(values: Sequence[Sequence[float]]) -> float:
    """Return half of the interval of the difference of two means; a side with one run has no spread to tell."""
    errors = [(variance(own) / len(own), len(own) - 1) for own in values if len(own) > 1]
    squared = sum(error for error, _ in errors)
    if squared <= 0.0:
        return 0.0
    freedom = squared**2 / sum(error**2 / free for error, free in errors)
    return _student(freedom) * math.sqrt(squared)


@cache
def _student(freedom: float) -> float:
    """Return Student's two-sided quantile at the level of all intervals."""
    return float(stats.t.ppf(0.5 + LEVEL / 2.0, freedom))


def correlation(seeds: Seeds, first: Column, second: Column) -> float | None:
    """Return Pearson's correlation of two columns of one suite over its episodes; None where there is none to tell."""
    pairs = [
        [total / n for total, n in (score.parts[column.metric] for column in (first, second))]
        for own in seeds.values()
        for score in on_suite(own, first)
        if first.metric in score.parts and second.metric in score.parts
    ]
    if len({x for x, _ in pairs}) < 2 or len({y for _, y in pairs}) < 2:
        return None
    return float(stats.pearsonr(*zip(*pairs, strict=True)).statistic)


def average(values: Sequence[float | int | None]) -> float | None:
    """Return the mean of what is known, None where nothing is."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None


CHECKED: Final = (REWARD, CLEAN)


class StartCheck(NamedTuple):
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


def checks(start: Sequence[Score], seeds: Mapping[int, Sequence[Score]]) -> list[StartCheck]:
    """Return every seed's checks, seed by seed."""
    found = []
    for seed, scores in sorted(seeds.items()):
        for column in CHECKED:
            before, after = figure(start, column), figure(scores, column)
            found.append(
                StartCheck(seed, column, before, after, apart(before, after), gap({0: start}, {seed: scores}, column))
            )
    return found


def verdict(found: Sequence[StartCheck]) -> str:
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
