"""From episodes to figures: what the report says of a policy, each with its interval.

Scripted cases and live negotiations have metrics of their own (``case_metrics``, ``live_metrics``); both have the
raters' (``rating_metrics``). All checks and raters behind these are automated: pattern and arithmetic, no human rater
and no judge model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import comb
from typing import Final

from benchmarks.metrics.judging import TRIAL_MARK, Played, by_case, judge
from benchmarks.metrics.outcome_metrics import (
    CASE_METRICS,
    LIVE_METRICS,
    case_metrics,
    category_metrics,
    has_cut,
    live_metrics,
)
from benchmarks.metrics.rating_metrics import PLAIN, RATING_METRICS, rating_metrics
from benchmarks.statistics import Figure, mean, share

__all__ = [
    "HEADLINE",
    "METRICS",
    "SHARES",
    "TRIAL_MARK",
    "Played",
    "category_metrics",
    "judge",
    "policy_metrics",
    "succeeded",
]

MOST_TRIALS: Final = 8
"""pass^k is given for k up to this many."""
HEADLINE: Final = (
    "rating", "excellent", "fixed", "clean_fix", "fixed_with_minor_problem", "fixed_with_major_problem",
    "severe_unresolved", "response_rate", "task_success", "discount_won", "surplus_share", "turns",
    "skill_fluency", "skill_workflow", "skill_negotiation", "skill_scope", "truthful", "violations",
)  # fmt: skip
"""The metrics of the source paper's tables and of this project's brief, in the order to show them."""
METRICS: Final[dict[str, str]] = {
    **{name: RATING_METRICS[name] for name in ("rating", "excellent")},
    **CASE_METRICS,
    **LIVE_METRICS,
    **RATING_METRICS,
    "problem_turns": "replies in which an automated check finds a problem",
    **{
        f"pass_{k}": f"pass^{k}: chance that {k} trials of one scenario all succeed (fixed, or every ticket cut)"
        for k in range(1, MOST_TRIALS + 1)
    },
    "fault_share": "episodes spoiled by a fault of the engine (left out of all other figures)",
    "manager_fault_share": "replies to which the manager's wording, or a reward source, had a fault",
}
"""Every metric, with what it says."""
SHARES: Final = frozenset(METRICS) - PLAIN - {
    "turns", "return", "reward_total", "reward_model", "reward_judge", "reward_rules",
}  # fmt: skip
"""Metrics that are shares or percentages; the others are plain numbers."""


def policy_metrics(played: Sequence[Played], seed: int = 0) -> dict[str, Figure]:
    """Return the metrics that a policy's episodes allow: of scripted cases, of live negotiations, or both.

    Episodes that were not rated (see ``judging.UNRATED``) have no part in the raters' figures; pass^k is given where
    scenarios were played more than once.
    """
    sound = [p for p in played if p.episode.fault is None]
    scripted = [p for p in sound if p.case.script is not None]
    live = [p for p in sound if p.case.script is None]
    figures = case_metrics(scripted) if scripted else {}
    if live:
        figures |= live_metrics(live, seed)
    figures |= rating_metrics(sound, seed)
    figures |= pass_metrics(sound, seed)
    figures["problem_turns"] = share(by_case(sound, _problem_turns))
    figures["fault_share"] = share(by_case(played, lambda p: [p.episode.fault is not None]))
    figures["manager_fault_share"] = share(by_case(sound, lambda p: [bool(turn.faults) for turn in p.episode.turns]))
    return {name: figures[name] for name in METRICS if name in figures}


def succeeded(played: Played) -> bool:
    """Whether an episode did what it was for: the case fixed, or a cut agreed for every ticket."""
    if played.case.script is not None:
        return played.fixed
    return all(has_cut(ticket) for ticket in played.episode.tickets)


def pass_metrics(played: Sequence[Played], seed: int = 0) -> dict[str, Figure]:
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


def _problem_turns(played: Played) -> list[bool]:
    troubled = {problem.turn for problem in played.problems}
    return [number in troubled for number in range(1, len(played.episode.turns) + 1)]
