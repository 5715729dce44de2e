"""From episodes to figures: what the report says of a policy, each with its interval, and what an episode adds to each.

Scripted cases and live negotiations have metrics of their own (``outcome_metrics``); both have the raters'
(``rating_metrics``). All checks and raters behind these are automated: pattern and arithmetic, no human rater and no
judge model. A new metric is an entry in one of the tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import comb
from typing import Final

from benchmarks.metrics.judging import AssessedEpisode, Metric, MetricKind, figures
from benchmarks.metrics.outcome_metrics import CASE_METRICS, LIVE_METRICS, has_cut
from benchmarks.metrics.rating_metrics import RATING_METRICS, agreement
from benchmarks.statistics import Figure, mean

Part = tuple[float, int]
"""An episode's sum of a metric's observations, and how many there are."""

MOST_TRIALS: Final = 8
"""pass^k is given for k up to this many."""
HEADLINE: Final = (
    "rating", "excellent", "fixed", "clean_fix", "fixed_with_minor_problem", "fixed_with_major_problem",
    "severe_unresolved", "response_rate", "task_success", "discount_won", "surplus_share", "turns",
    "skill_fluency", "skill_workflow", "skill_negotiation", "skill_scope", "truthful", "violations",
)  # fmt: skip
"""The metrics of the source paper's tables and of this project's brief, in the order to show them."""


def _problem_turns(played: AssessedEpisode) -> list[float]:
    troubled = {problem.turn for problem in played.problems}
    return [number in troubled for number in range(1, len(played.episode.turns) + 1)]


SOUND_METRICS: Final[dict[str, Metric]] = {
    "problem_turns": Metric("replies in which an automated check finds a problem", observe=_problem_turns),
    **{
        f"pass_{k}": Metric(
            f"pass^{k}: chance that {k} trials of one scenario all succeed (fixed, or every ticket cut)",
            MetricKind.WHOLE, percent=True,
        )
        for k in range(1, MOST_TRIALS + 1)
    },
}  # fmt: skip
"""Of all episodes without a fault; pass^k is made by ``pass_metrics``."""
ALL_METRICS: Final[dict[str, Metric]] = {
    "fault_share": Metric(
        "episodes spoiled by a fault of the engine (left out of all other figures)",
        observe=lambda p: [p.episode.fault is not None],
    ),
}
"""Of all episodes, those with a fault included."""
FAULT_METRICS: Final[dict[str, Metric]] = {
    "manager_fault_share": Metric(
        "replies to which the manager's wording, or a reward source, had a fault",
        observe=lambda p: [bool(turn.faults) for turn in p.episode.turns],
    ),
}
"""Of all episodes without a fault of the engine."""
METRICS: Final[dict[str, Metric]] = {
    **{name: RATING_METRICS[name] for name in ("rating", "excellent")},
    **CASE_METRICS, **LIVE_METRICS, **RATING_METRICS, **SOUND_METRICS, **ALL_METRICS, **FAULT_METRICS,
}  # fmt: skip
"""Every metric, in the order to show them."""


def _is_sound(played: AssessedEpisode) -> bool:
    return played.episode.fault is None


_TABLES: Final[tuple[tuple[Mapping[str, Metric], Callable[[AssessedEpisode], bool]], ...]] = (
    (CASE_METRICS, lambda p: _is_sound(p) and p.case.script is not None),
    (LIVE_METRICS, lambda p: _is_sound(p) and p.case.script is None),
    (RATING_METRICS, lambda p: _is_sound(p) and p.rated is not None),
    (SOUND_METRICS, _is_sound),
    (FAULT_METRICS, _is_sound),
    (ALL_METRICS, lambda p: True),
)
"""Tables of metrics, and the episodes that each is for."""
_ALWAYS: Final = (SOUND_METRICS, FAULT_METRICS, ALL_METRICS)
"""Tables whose metrics are named even where no episode is theirs."""


def policy_metrics(played: Sequence[AssessedEpisode], seed: int = 0) -> dict[str, Figure]:
    """Return the metrics that a policy's episodes allow: of scripted cases, of live negotiations, or both.

    Episodes that were not rated (see ``judging.UNRATED``) have no part in the raters' figures; pass^k is given where
    scenarios were played more than once.
    """
    found: dict[str, Figure] = {}
    for table, is_for in _TABLES:
        own = [p for p in played if is_for(p)]
        if own or table in _ALWAYS:
            found |= figures(table, own, seed)
        if own and table is RATING_METRICS:
            found |= agreement(own, seed)
    found |= pass_metrics([p for p in played if _is_sound(p)], seed)
    return {name: found[name] for name in METRICS if name in found}


def observe(played: AssessedEpisode) -> dict[str, Part]:
    """Return what an episode adds to each metric that adds up and that it has observations of."""
    parts: dict[str, Part] = {}
    for table, is_for in _TABLES:
        for name, metric in table.items() if is_for(played) else ():
            values = metric.observe(played)
            if values:
                parts[name] = float(sum(values)), len(values)
    return {name: parts[name] for name in METRICS if name in parts}


def is_share(metric: str) -> bool:
    """Whether a metric's observations are yes or no."""
    return METRICS[metric].kind is MetricKind.SHARE


def is_percent(metric: str) -> bool:
    """Whether a metric is shown as a percentage; the others are plain numbers."""
    return is_share(metric) or METRICS[metric].percent


def succeeded(played: AssessedEpisode) -> bool:
    """Whether an episode did what it was for: the case fixed, or a cut agreed for every ticket."""
    if played.case.script is not None:
        return played.fixed
    return all(has_cut(ticket) for ticket in played.episode.tickets)


def pass_metrics(played: Sequence[AssessedEpisode], seed: int = 0) -> dict[str, Figure]:
    """Return pass^k (Yao et al. 2024, tau-bench): the mean over scenarios of C(c, k) / C(n, k), c successes of n.

    Given from k = 1 up to the trials that every scenario has, if that is at least 2; unlike a share of all trials it
    says how reliable a policy is on one scenario.
    """
    trials: dict[str, list[bool]] = defaultdict(list)
    for p in played:
        trials[p.scenario].append(succeeded(p))
    most = min((len(results) for results in trials.values()), default=0)
    if most < 2:
        return {}
    return {
        f"pass_{k}": mean([[comb(sum(r), k) / comb(len(r), k)] for r in trials.values()], seed=seed, within=(0.0, 1.0))
        for k in range(1, min(most, MOST_TRIALS) + 1)
    }
