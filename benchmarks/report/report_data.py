"""A benchmark's figures as JSON: a read-only view of judged episodes. Shows no floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.metrics.judging import AssessedEpisode
from benchmarks.metrics.outcome_metrics import category_metrics
from benchmarks.metrics.policy_metrics import METRICS, is_percent, policy_metrics
from benchmarks.metrics.rating_metrics import agreement
from benchmarks.statistics import Figure


@dataclass(frozen=True, slots=True)
class Report:
    """A benchmark's figures, and the judged episodes behind them.

    Attributes:
        data: what report.json holds.
        played: policy, suite and judged episode, in the order of the run.
    """

    data: dict[str, Any]
    played: tuple[tuple[str, str, AssessedEpisode], ...]

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in the order of the run."""
        return list(self.data["policies"])

    def figure(self, policy: str, metric: str) -> Figure | None:
        """Return one figure; None where the policy has no such metric."""
        record = self.data["policies"][policy]["metrics"].get(metric)
        return None if record is None else Figure.from_json(record)


def build_report(played: Sequence[tuple[str, str, AssessedEpisode]], provenance: dict[str, Any], seed: int) -> Report:
    """Compute every figure, by policy, by suite, and by category of scripted cases; the raters' agreement over all."""
    policies: dict[str, Any] = {}
    for name in dict.fromkeys(policy for policy, _, _ in played):
        own = [(suite, p) for policy, suite, p in played if policy == name]
        suites = dict.fromkeys(suite for suite, _ in own)
        policies[name] = {
            "metrics": _json(policy_metrics([p for _, p in own], seed)),
            "suites": {suite: _json(policy_metrics([p for s, p in own if s == suite], seed)) for suite in suites},
            "categories": {
                category: _json(figures) for category, figures in category_metrics([p for _, p in own]).items()
            },
            "cases": [_case_record(p) for _, p in own if p.case.script is not None],
            "faults": [
                {"episode": p.episode.scenario_id, "fault": p.episode.fault}
                for _, p in own
                if p.episode.fault is not None
            ],
        }
    panel = _json(agreement([p for _, _, p in played], seed))
    meanings = {name: metric.meaning for name, metric in METRICS.items()}
    data = {"policies": policies, "metrics": meanings, "agreement": panel, "provenance": provenance}
    return Report(data, tuple(played))


def _json(figures: dict[str, Figure]) -> dict[str, dict[str, float | int | None]]:
    return {name: figure.to_json() for name, figure in figures.items()}


def _case_record(played: AssessedEpisode) -> dict[str, Any]:
    """Return what the automated checks found in one scripted case."""
    return {
        "id": played.episode.scenario_id,
        "category": played.case.category,
        "severity": played.case.severity,
        "fixed": played.fixed,
        "clean": played.clean,
        "failed": [{"check": c.kind, "finding": c.finding} for c in played.checks if not c.passed],
        "problems": [{"id": p.id, "turn": p.turn, "message": p.message, "severe": p.severe} for p in played.problems],
    }


def table_rows(report: Report) -> list[tuple[str, str, list[str]]]:
    """Return metric, what it says, and each policy's figure as text; metrics that nobody has are left out."""
    rows = []
    for metric, declared in METRICS.items():
        figures = [report.figure(name, metric) for name in report.policies]
        if any(figure is not None for figure in figures):
            rows.append((metric, declared.meaning, [format_figure(metric, figure) for figure in figures]))
    return rows


def format_figure(metric: str, figure: Figure | None) -> str:
    """Return a figure for people, as "46.7% [30.2, 63.9]"; "–" where there is none."""
    if figure is None or figure.value is None:
        return "–"
    scale, unit, digits = (100.0, "%", 1) if is_percent(metric) else (1.0, "", 2)
    text = f"{scale * figure.value:.{digits}f}{unit}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{scale * figure.low:.{digits}f}, {scale * figure.high:.{digits}f}]"
