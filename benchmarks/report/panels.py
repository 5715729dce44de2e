"""The page's charts, heat map and tables of tests: read-only views of judged episodes and of learning curves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from benchmarks.metrics.judging import AssessedEpisode
from benchmarks.metrics.policy_metrics import HEADLINE, is_percent
from benchmarks.report.charts import Series, line_chart, means_by, scatter_chart
from benchmarks.report.report_data import Report, format_figure
from benchmarks.statistics import Figure
from benchmarks.suites.case import CATEGORIES
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_lines
from negotiation_env.play.records import recorded_views
from rewards.repo import NEAR_ZERO

MOST_DOTS: Final = 400
"""Replies of each policy in the scatter: the first so many."""


class Curve(NamedTuple):
    """A column of training runs' metrics.jsonl that is drawn, what it is, and the column that it is drawn over."""

    column: str
    title: str
    over: str


RELATIONS: Final = {
    "model_with_e": "R_model with E r = {:.2f}",
    "total_with_model": "with R_total r = {:.2f}",
    "near_zero": f"|R_model| < {NEAR_ZERO:g} in {{:.0%}}",
}
"""How the legend says what reward sources have to do with each other (``rewards.repo.relations``)."""
AXES: Final = {"replies": "replies sampled", "step": "optimiser step"}
CURVES: Final = (
    Curve("total", "mean R_total of a reply, in training", "replies"),
    Curve("held_out/total", "mean R_total of a reply, held-out dialogues", "replies"),
    Curve("held_out/model", "mean R_model of a reply, held-out dialogues", "replies"),
    Curve("held_out/judge", "mean E_judge of a reply, held-out dialogues", "replies"),
    Curve("held_out/rules", "mean E_func of a reply, held-out dialogues", "replies"),
    Curve("held_out/success", "success per ticket, held-out dialogues", "replies"),
    Curve("held_out/persuasion", "persuasion score, held-out dialogues", "replies"),
    Curve("held_out/kl_to_start", "KL to the starting policy, nats a token", "replies"),
    Curve("advantage_share_of_e", "share of the advantages' variance from E", "replies"),
    Curve("held_out/total_with_model", "correlation of R_total and R_model, held-out dialogues", "replies"),
    Curve("entropy", "entropy in training, nats a token", "replies"),
    Curve("reply_tokens", "tokens of a reply in training", "replies"),
    Curve("loss", "training loss", "step"),
    Curve("eval_loss", "evaluation loss", "step"),
    Curve("held_out_loss", "loss on held-out dialogues", "step"),
)
"""On-policy runs count replies; the losses are those of supervised runs, which have none."""


class Heat(NamedTuple):
    """One cell of the heat map: clean fixes of a category by a policy."""

    text: str
    share: float | None
    """0 to 1, for the colour; None where the policy played no such case."""
    policy: str
    category: str


def heat_map(report: Report) -> list[tuple[str, list[Heat]]]:
    """Return each category's title and each policy's cell."""
    found: dict[str, None] = {}
    for name in report.policies:
        found |= dict.fromkeys(report.data["policies"][name]["categories"])
    return [
        (CATEGORIES.get(category, category), [_heat(report, n, category) for n in report.policies])
        for category in found
    ]


def _heat(report: Report, policy: str, category: str) -> Heat:
    figures = report.data["policies"][policy]["categories"].get(category)
    if figures is None or figures["clean_fix"]["value"] is None:
        return Heat("–", None, policy, category)
    clean, fixed, n = figures["clean_fix"]["value"], figures["fixed"]["value"], figures["fixed"]["n"]
    return Heat(f"{round(clean * n)} clean, {round(fixed * n)} fixed of {n}", clean, policy, category)


def reward_scatter(report: Report) -> str:
    """Return R_model against the enhancement, one dot a reply, one cloud a policy."""
    clouds = []
    for colour, name in enumerate(report.policies):
        if report.withheld(name):
            continue
        rewards = [turn.reward for policy, _, p in report.played if policy == name for turn in p.episode.turns]
        scored = [r for r in rewards if r.model is not None and r.enhancement is not None][:MOST_DOTS]
        known = report.data["policies"][name]["sources"]
        said = [text.format(known[key]) for key, text in RELATIONS.items() if key in known]
        label = f"{name}: {', '.join(said)}" if said else name
        clouds.append(
            Series(label, [r.enhancement or 0.0 for r in scored], [r.model or 0.0 for r in scored], colour=colour)
        )
    title = "Reward sources: R_model against E_enh = clip(E_judge + E_func), one dot a reply"
    return scatter_chart(clouds, title, "E_enh, points", "R_model")


def concessions(report: Report) -> str:
    """Return how bids and quotes move over an average live negotiation, as shares of the selling price."""
    lines = []
    for colour, name in enumerate(report.policies):
        if report.withheld(name):
            continue
        live = [p for policy, _, p in report.played if policy == name and p.case.script is None]
        for what, series in _moves(live).items():
            line = means_by(series, f"{name}: {what}")
            lines.append(line._replace(colour=colour, dashed=what == "agent bids"))
    title = "Concessions in live negotiations: open quotes and bids by turn, means with 95% bands"
    return line_chart(lines, title, "turn", "share of the selling price")


def _moves(played: Sequence[AssessedEpisode]) -> dict[str, dict[float, list[float]]]:
    """Return standing quotes and bids by turn, over the tickets that have one."""
    found: dict[str, dict[float, list[float]]] = {"hotel asks": defaultdict(list), "agent bids": defaultdict(list)}
    for p in played:
        for turn, view in enumerate(recorded_views(p.episode), 1):
            game = view.game
            for k, ticket in enumerate(view.card.tickets):
                if game.quoted[k]:
                    found["hotel asks"][turn].append(float(game.quote[k]) / ticket.selling_price)
                if game.bid[k] > 0.0:
                    found["agent bids"][turn].append(float(game.bid[k]) / ticket.selling_price)
    return {what: dict(groups) for what, groups in found.items()}


def learning_curves(curves: Mapping[str, Path]) -> list[str]:
    """Return one chart for each column of ``CURVES`` that a run has; ``curves`` are metrics.jsonl by name of the run.

    Raises:
        DataFileError: if a file cannot be read, or has nothing to draw.
    """
    runs = {name: _read_curve(path) for name, path in curves.items()}
    charts = []
    for curve in CURVES:
        lines = []
        for colour, (name, rows) in enumerate(runs.items()):
            points = _points(rows, curve)
            lines.append(Series(name, [x for x, _ in points], [y for _, y in points], colour=colour))
        charts.append(line_chart(lines, f"Learning: {curve.title}", AXES[curve.over], curve.title))
    return [chart for chart in charts if chart]


def _read_curve(path: Path) -> list[dict[str, Any]]:
    # The last line of a run that goes on, or was killed, may be cut off.
    rows = list(read_lines(path, dict[str, Any], torn=True, do="name a training run's metrics.jsonl"))
    if not any(_points(rows, curve) for curve in CURVES):
        columns = ", ".join(sorted({curve.column for curve in CURVES}))
        raise DataFileError(f"{path}: expected a training run's metrics.jsonl with one of {columns}; got none of them")
    return rows


def _points(rows: Sequence[Mapping[str, Any]], curve: Curve) -> list[tuple[float, float]]:
    """Return where a run's curve goes through; what is no finite number is left out."""
    pairs = [(row.get(curve.over), row.get(curve.column)) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


SMALLEST: Final = 0.001
"""Smaller p-values are shown as smaller than this."""


class TestRow(NamedTuple):
    """One test as text."""

    metric: str
    who: str
    difference: str
    p: str


class ArmRow(NamedTuple):
    """One metric of an A/B test as text."""

    metric: str
    first: str
    second: str
    difference: str
    p: str


def test_rows(report: Report) -> list[TestRow]:
    """Return the paired tests of the headline metrics."""
    return [
        TestRow(t["metric"], f"{t['second']} − {t['first']}", format_difference(t["metric"], t), format_p(t["p_holm"]))
        for t in report.data.get("tests") or ()
        if t["metric"] in HEADLINE
    ]


def arm_rows(report: Report) -> tuple[list[str], list[ArmRow]]:
    """Return the arms' names with their sizes, and a row for each metric; nothing where there was no A/B test."""
    found = report.data.get("ab")
    if not found:
        return [], []
    names = [f"{name} ({arm['conversations']:,} conversations)" for name, arm in found["arms"].items()]
    rows = [
        ArmRow(
            row["metric"],
            format_figure(row["metric"], Figure.from_json(row["first"])),
            format_figure(row["metric"], Figure.from_json(row["second"])),
            format_difference(row["metric"], row),
            format_p(row.get("p_holm", row["p"])),
        )
        for row in (*found["primary"], *found["secondary"])
    ]
    return names, rows


def format_difference(metric: str, row: Mapping[str, Any]) -> str:
    """Return a difference for people, as "+12.1 pts [+10.2, +14.1]"."""
    scale, unit, digits = (100.0, " pts", 1) if is_percent(metric) else (1.0, "", 2)
    text = f"{scale * row['value']:+.{digits}f}{unit}"
    if row["low"] is None or row["high"] is None:
        return text
    return f"{text} [{scale * row['low']:+.{digits}f}, {scale * row['high']:+.{digits}f}]"


def format_p(p: float) -> str:
    """Return a p-value for people."""
    return f"< {SMALLEST:g}" if p < SMALLEST else f"{p:.3f}"
