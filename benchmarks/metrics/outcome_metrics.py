"""What came of negotiations: scripted cases fixed, and live ones' answers, agreements, prices, reward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.metrics.judging import AssessedEpisode, Metric, MetricKind, figures
from benchmarks.statistics import Figure
from negotiation_env.game.scenario import to_selling
from negotiation_env.play.records import TicketOutcome
from negotiation_env.play.rollout import answered_first

FLOOR_SLACK: Final = 0.01
"""Yuan of selling price within which two figures are the same; net figures are said rounded up."""


def category_metrics(played: Sequence[AssessedEpisode]) -> dict[str, dict[str, Figure]]:
    """Return the case metrics of each category of scripted cases, in the order met."""
    groups: dict[str, list[AssessedEpisode]] = defaultdict(list)
    for p in played:
        if p.case.script is not None and p.episode.fault is None:
            groups[p.case.category].append(p)
    return {category: figures(CASE_METRICS, group) for category, group in groups.items()}


def _major(played: AssessedEpisode) -> bool:
    return any(problem.severe for problem in played.problems)


def has_cut(ticket: TicketOutcome) -> bool:
    """Whether a lower price was agreed for a ticket."""
    return ticket.agreed is not None and ticket.agreed < ticket.selling_price


def _meets_target(ticket: TicketOutcome) -> bool:
    # Half a yuan of slack: a net figure said in whole yuan converts to a fraction.
    return ticket.agreed is not None and ticket.agreed <= ticket.target_price + 0.5


def _discount(ticket: TicketOutcome) -> float:
    agreed = ticket.selling_price if ticket.agreed is None else ticket.agreed
    return max(0.0, 1.0 - agreed / ticket.selling_price)


def _surplus(played: AssessedEpisode) -> list[float]:
    """Share of each ticket's bargaining zone that was won; a zone of no width is left out."""
    shares = []
    floors = played.case.scenario.brief.floors
    for ticket, floor in zip(played.episode.tickets, floors, strict=True):
        zone = ticket.selling_price - floor
        if zone > 0:
            agreed = ticket.selling_price if ticket.agreed is None else ticket.agreed
            shares.append(min(1.0, max(0.0, (ticket.selling_price - agreed) / zone)))
    return shares


def _return(played: AssessedEpisode) -> list[float]:
    """The sum of R_total; none where a reply could not be scored, for unscored is not zero."""
    totals = [turn.reward.total for turn in played.episode.turns]
    scored = [total for total in totals if total is not None]
    return [sum(scored)] if len(scored) == len(totals) else []


def _source(source: str) -> Callable[[AssessedEpisode], list[float]]:
    """Return a function that lists one part of the reward over an episode's scored replies."""

    def values(played: AssessedEpisode) -> list[float]:
        found = (getattr(turn.reward, source) for turn in played.episode.turns)
        return [float(value) for value in found if value is not None]

    return values


def _floor_kept(played: AssessedEpisode) -> list[bool]:
    """Whether each of the manager's answers with figures keeps them at or above the floors."""
    kept = []
    floors, tickets = played.case.scenario.brief.floors, played.episode.card.tickets
    for turn in played.episode.turns:
        said = [act for act in turn.answer_acts if act.price is not None and (act.ticket or 0) < len(tickets)]
        if said:
            selling = [to_selling(a.price or 0.0, a.price_type, tickets[a.ticket or 0].commission) for a in said]
            kept.append(all(p >= floors[a.ticket or 0] - FLOOR_SLACK for p, a in zip(selling, said, strict=True)))
    return kept


CASE_METRICS: Final[dict[str, Metric]] = {
    "fixed": Metric("bad cases whose checks all pass", observe=lambda p: [p.fixed]),
    "clean_fix": Metric("bad cases fixed with no new problem", observe=lambda p: [p.clean]),
    "fixed_with_minor_problem": Metric(
        "bad cases fixed, with new problems of which none is severe",
        observe=lambda p: [p.fixed and not p.clean and not _major(p)],
    ),
    "fixed_with_major_problem": Metric(
        "bad cases fixed, with a severe new problem", observe=lambda p: [p.fixed and _major(p)]
    ),
    "severe_unresolved": Metric(
        "bad cases of severity severe that are not fixed, among all",
        observe=lambda p: [not p.fixed and p.case.severity == "severe"],
    ),
}
"""Of scripted cases."""
LIVE_METRICS: Final[dict[str, Metric]] = {
    "response_rate": Metric(
        "negotiations in which the hotel answered the first message", observe=lambda p: [answered_first(p.episode)]
    ),
    "task_success": Metric(
        "tickets for which a lower price was agreed", observe=lambda p: [has_cut(t) for t in p.episode.tickets]
    ),
    "target_met": Metric(
        "tickets agreed at or below the target price", observe=lambda p: [_meets_target(t) for t in p.episode.tickets]
    ),
    "discount_won": Metric(
        "mean price cut over all tickets, as a share of the selling price", MetricKind.MEAN,
        lambda p: [_discount(t) for t in p.episode.tickets], percent=True, within=(0.0, 1.0),
    ),
    "surplus_share": Metric(
        "mean share won of the zone between the manager's floor and the selling price", MetricKind.MEAN, _surplus,
        percent=True, within=(0.0, 1.0),
    ),
    "turns": Metric(
        "mean number of agent messages in a negotiation", MetricKind.MEAN, lambda p: [float(len(p.episode.turns))]
    ),
    "return": Metric("mean sum of R_total over a negotiation", MetricKind.MEAN, _return),
    "reward_total": Metric("mean R_total of a reply", MetricKind.MEAN, _source("total")),
    "reward_model": Metric("mean R_model of a reply", MetricKind.MEAN, _source("model")),
    "reward_judge": Metric("mean E_judge of a reply, points", MetricKind.MEAN, _source("judge")),
    "reward_rules": Metric("mean E_func of a reply, points", MetricKind.MEAN, _source("rules")),
    "manager_floor_kept": Metric(
        "answers with a figure of the simulated manager in which none lies below its floor", observe=_floor_kept
    ),
}  # fmt: skip
"""Of negotiations with a live manager."""
