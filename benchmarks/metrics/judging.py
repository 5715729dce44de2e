"""One episode with everything that is said of it, and what a metric is: what it observes of such an episode.

The case's checks, new problems and the raters' panel are asked once per episode; metrics and report read what they
said. All of it is automated. Hidden floors are used in memory only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from benchmarks.checks.case_checks import CheckResult, evaluate
from benchmarks.checks.problems import Problem, find_problems
from benchmarks.raters.panel import RatedEpisode, rate_episode
from benchmarks.statistics import Figure, mean, share
from benchmarks.suites.case import Case
from negotiation_env.play.records import Episode

T = TypeVar("T")
TRIAL_MARK: Final = "#"
"""Follows a scenario's id, before the number of a repeated trial."""
UNRATED: Final = frozenset({"ab"})
"""Categories whose episodes are too many for the raters; their metrics need none."""


@dataclass(frozen=True, slots=True)
class AssessedEpisode:
    """One episode of a case, with what the automated checks and raters say of it."""

    case: Case
    episode: Episode
    checks: tuple[CheckResult, ...]
    problems: tuple[Problem, ...]
    rated: RatedEpisode | None = None
    """The panel's ratings, reply by reply; None if it was not rated."""

    @property
    def fixed(self) -> bool:
        """Whether every check of the case passes."""
        return all(check.passed for check in self.checks)

    @property
    def clean(self) -> bool:
        """Whether it is fixed and no new problem was found."""
        return self.fixed and not self.problems

    @property
    def scenario(self) -> str:
        """The scenario's name without the trial."""
        return self.case.id.partition(TRIAL_MARK)[0]


def judge(case: Case, episode: Episode) -> AssessedEpisode:
    """Run a case's checks, the search for new problems, and the raters on an episode of it."""
    rated = None
    if episode.fault is None and case.category not in UNRATED:
        rated = rate_episode(episode, case.scenario)
    return AssessedEpisode(case, episode, tuple(evaluate(case.checks, episode)), tuple(find_problems(episode)), rated)


def by_case(played: Iterable[AssessedEpisode], values: Callable[[AssessedEpisode], Iterable[T]]) -> list[list[T]]:
    """Group observations by scenario: repeated trials of one scenario are one cluster."""
    clusters: dict[str, list[T]] = defaultdict(list)
    for p in played:
        clusters[p.scenario] += values(p)
    return list(clusters.values())


class MetricKind(Enum):
    """How a metric adds up over episodes."""

    SHARE = "share"
    """Observations are yes or no; the figure is the share of yes."""
    MEAN = "mean"
    """Observations are numbers; the figure is their mean."""
    WHOLE = "whole"
    """A figure of all episodes together, no mean over their observations."""


def nothing(_: AssessedEpisode) -> list[float]:
    """Return what a metric of the kind WHOLE observes of one episode."""
    return []


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        meaning: what it says, in one line.
        kind: how it adds up.
        observe: lists its observations of one episode, of those episodes that its table is for.
        percent: shown as a percentage; shares always are.
        within: what values are possible, for the interval of a mean; None where that is not known.
    """

    meaning: str
    kind: MetricKind = MetricKind.SHARE
    observe: Callable[[AssessedEpisode], Sequence[float]] = nothing
    percent: bool = False
    within: tuple[float, float] | None = None

    def figure(self, played: Iterable[AssessedEpisode], seed: int = 0) -> Figure:
        """Return the figure over episodes; of the kinds SHARE and MEAN only."""
        clusters = by_case(played, self.observe)
        if self.kind is MetricKind.SHARE:
            return share([[bool(value) for value in cluster] for cluster in clusters])
        return mean(clusters, seed=seed, within=self.within)


def figures(table: Mapping[str, Metric], played: Sequence[AssessedEpisode], seed: int = 0) -> dict[str, Figure]:
    """Return the figures of a table's metrics, but for those of the kind WHOLE."""
    return {name: m.figure(played, seed) for name, m in table.items() if m.kind is not MetricKind.WHOLE}
