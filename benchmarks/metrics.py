"""From episodes to figures: what the report says of a policy, each with its interval.

Scripted cases and live negotiations have metrics of their own. All checks behind these are
automated: pattern and arithmetic, no human rater and no judge model. Hidden floors are used for one
figure, in memory, and written nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from benchmarks.case_checks import CheckResult, evaluate
from benchmarks.problems import Problem, find_problems
from benchmarks.statistics import Figure, mean, share
from benchmarks.suites.case import Case
from negotiation_env.records import Episode, TicketOutcome
from negotiation_env.rollout import answered_first

T = TypeVar("T")

TRIAL_MARK: Final = "#"
"""Follows a scenario's id, before the number of a repeated trial."""
METRICS: Final[dict[str, str]] = {
    "fixed": "bad cases whose checks all pass",
    "clean_fix": "bad cases fixed with no new problem",
    "fixed_with_major_problem": "bad cases fixed, with a severe new problem",
    "severe_unresolved": "bad cases of severity severe that are not fixed, among all",
    "response_rate": "negotiations in which the hotel answered the first message",
    "task_success": "tickets for which a lower price was agreed",
    "target_met": "tickets agreed at or below the target price",
    "discount_won": "mean price cut over all tickets, as a share of the selling price",
    "surplus_share": "mean share won of the zone between the manager's floor and the selling price",
    "turns": "mean number of agent messages in a negotiation",
    "return": "mean sum of R_total over a negotiation",
    "reward_total": "mean R_total of a reply",
    "reward_model": "mean R_model of a reply",
    "reward_judge": "mean E_judge of a reply, points",
    "reward_rules": "mean E_func of a reply, points",
    "problem_turns": "replies in which an automated check finds a problem",
    "fault_share": "episodes spoiled by a fault of the engine (left out of all other figures)",
    "manager_fault_share": "replies to which the manager's wording, or a reward source, had a fault",
}
"""Every metric, with what it says."""
SHARES: Final = frozenset(METRICS) - {
    "turns", "return", "reward_total", "reward_model", "reward_judge", "reward_rules",
}  # fmt: skip
"""Metrics that are shares or percentages; the others are plain numbers."""


@dataclass(frozen=True, slots=True)
class Played:
    """One episode of a case, with what the automated checks say of it."""

    case: Case
    episode: Episode
    checks: tuple[CheckResult, ...]
    problems: tuple[Problem, ...]

    @property
    def fixed(self) -> bool:
        """Whether every check of the case passes."""
        return all(check.passed for check in self.checks)

    @property
    def clean(self) -> bool:
        """Whether it is fixed and no new problem was found."""
        return self.fixed and not self.problems


def judge(case: Case, episode: Episode) -> Played:
    """Run a case's checks, and the search for new problems, on an episode of it."""
    return Played(case, episode, tuple(evaluate(case.checks, episode)), tuple(find_problems(episode)))


def policy_metrics(played: Sequence[Played], seed: int = 0) -> dict[str, Figure]:
    """Return the metrics that a policy's episodes allow: of scripted cases, of live negotiations, or both."""
    sound = [p for p in played if p.episode.fault is None]
    scripted = [p for p in sound if p.case.script is not None]
    live = [p for p in sound if p.case.script is None]
    figures = case_metrics(scripted) if scripted else {}
    if live:
        figures |= live_metrics(live, seed)
    figures["problem_turns"] = share(_by_case(sound, _problem_turns))
    figures["fault_share"] = share(_by_case(played, lambda p: [p.episode.fault is not None]))
    figures["manager_fault_share"] = share(_by_case(sound, lambda p: [bool(turn.faults) for turn in p.episode.turns]))
    return {name: figures[name] for name in METRICS if name in figures}


def case_metrics(played: Sequence[Played]) -> dict[str, Figure]:
    """Return the shares of scripted cases that were fixed, and how."""

    def of(predicate: Callable[[Played], bool]) -> Figure:
        return share(_by_case(played, lambda p: [predicate(p)]))

    return {
        "fixed": of(lambda p: p.fixed),
        "clean_fix": of(lambda p: p.clean),
        "fixed_with_major_problem": of(lambda p: p.fixed and any(x.severe for x in p.problems)),
        "severe_unresolved": of(lambda p: not p.fixed and p.case.severity == "severe"),
    }


def category_metrics(played: Sequence[Played]) -> dict[str, dict[str, Figure]]:
    """Return the case metrics of each category of scripted cases, in the order met."""
    groups: dict[str, list[Played]] = defaultdict(list)
    for p in played:
        if p.case.script is not None and p.episode.fault is None:
            groups[p.case.category].append(p)
    return {category: case_metrics(group) for category, group in groups.items()}


def live_metrics(played: Sequence[Played], seed: int) -> dict[str, Figure]:
    """Return the figures of negotiations with a live manager."""

    def tickets(of: Callable[[TicketOutcome], T]) -> list[list[T]]:
        return _by_case(played, lambda p: [of(t) for t in p.episode.tickets])

    def average(values: Callable[[Played], list[float]]) -> Figure:
        return mean(_by_case(played, values), seed=seed)

    return {
        "response_rate": share(_by_case(played, lambda p: [answered_first(p.episode)])),
        "task_success": share(tickets(_has_cut)),
        "target_met": share(tickets(_meets_target)),
        "discount_won": mean(tickets(_discount), seed=seed),
        "surplus_share": average(_surplus),
        "turns": average(lambda p: [float(len(p.episode.turns))]),
        "return": average(_return),
        **{f"reward_{source}": average(_source(source)) for source in ("total", "model", "judge", "rules")},
    }


def _by_case(played: Iterable[Played], values: Callable[[Played], list[T]]) -> list[list[T]]:
    """Group observations by scenario: repeated trials of one scenario are one cluster."""
    clusters: dict[str, list[T]] = defaultdict(list)
    for p in played:
        clusters[p.case.id.partition(TRIAL_MARK)[0]] += values(p)
    return list(clusters.values())


def _has_cut(ticket: TicketOutcome) -> bool:
    return ticket.agreed is not None and ticket.agreed < ticket.selling_price


def _meets_target(ticket: TicketOutcome) -> bool:
    # Half a yuan of slack: a net figure said in whole yuan converts to a fraction.
    return ticket.agreed is not None and ticket.agreed <= ticket.target_price + 0.5


def _discount(ticket: TicketOutcome) -> float:
    agreed = ticket.selling_price if ticket.agreed is None else ticket.agreed
    return max(0.0, 1.0 - agreed / ticket.selling_price)


def _surplus(played: Played) -> list[float]:
    """Share of each ticket's bargaining zone that was won; a zone of no width is left out."""
    shares = []
    floors = played.case.scenario.brief.floors
    for ticket, floor in zip(played.episode.tickets, floors, strict=True):
        zone = ticket.selling_price - floor
        if zone > 0:
            agreed = ticket.selling_price if ticket.agreed is None else ticket.agreed
            shares.append(min(1.0, max(0.0, (ticket.selling_price - agreed) / zone)))
    return shares


def _return(played: Played) -> list[float]:
    """The sum of R_total; none where a reply could not be scored, for unscored is not zero."""
    totals = [turn.reward.total for turn in played.episode.turns]
    scored = [total for total in totals if total is not None]
    return [sum(scored)] if len(scored) == len(totals) else []


def _source(source: str) -> Callable[[Played], list[float]]:
    """Return a function that lists one part of the reward over an episode's scored replies."""

    def values(played: Played) -> list[float]:
        found = (getattr(turn.reward, source) for turn in played.episode.turns)
        return [float(value) for value in found if value is not None]

    return values


def _problem_turns(played: Played) -> list[bool]:
    troubled = {problem.turn for problem in played.problems}
    return [number in troubled for number in range(1, len(played.episode.turns) + 1)]
