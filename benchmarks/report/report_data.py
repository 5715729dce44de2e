"""A benchmark's figures as JSON: a read-only view of judged episodes. Shows no floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.metrics.judging import AssessedEpisode
from benchmarks.metrics.outcome_metrics import category_metrics
from benchmarks.metrics.policy_metrics import ALL_METRICS, METRICS, is_percent, policy_metrics
from benchmarks.metrics.rating_metrics import agreement
from benchmarks.statistics import Figure
from negotiation_env.engines.answers import cause_of
from rewards.repo import relations


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

    def withheld(self, policy: str) -> bool:
        """Return whether too many of a policy's episodes failed for its figures to stand."""
        return bool(self.data["policies"][policy]["withheld"])

    def figure(self, policy: str, metric: str) -> Figure | None:
        """Return one figure; None where the policy has no such metric."""
        record = self.data["policies"][policy]["metrics"].get(metric)
        return None if record is None else Figure.from_json(record)


MAX_FAULTS: Final = 0.1
"""Share of a policy's episodes that may fail before its figures are left out."""
MOST_WORDS: Final = 240
"""Characters of the agent's words that stand beside a failed check; the whole of it is in the transcript."""


def build_report(
    played: Sequence[tuple[str, str, AssessedEpisode]],
    provenance: dict[str, Any],
    seed: int,
    max_faults: float = MAX_FAULTS,
) -> Report:
    """Compute every figure, by policy, by suite, and by category of scripted cases; the raters' agreement over all.

    Where more than ``max_faults`` of a policy's episodes failed, its figures have no value but the share of failures:
    those that are left are no fair sample of what was to be played. So it is with the figures of a suite.
    """
    policies: dict[str, Any] = {}
    for name in dict.fromkeys(policy for policy, _, _ in played):
        own = [(suite, p) for policy, suite, p in played if policy == name]
        suites = dict.fromkeys(suite for suite, _ in own)
        withheld = _failed([p for _, p in own]) > max_faults
        by_suite = {}
        for suite in suites:
            some = [p for s, p in own if s == suite]
            by_suite[suite] = _json(policy_metrics(some, seed), withheld or _failed(some) > max_faults)
        policies[name] = {
            "metrics": _json(policy_metrics([p for _, p in own], seed), withheld),
            "suites": by_suite,
            "categories": {
                category: _json(figures, withheld)
                for category, figures in category_metrics([p for _, p in own]).items()
            },
            "cases": [_case_record(p) for _, p in own if p.case.script is not None],
            "faults": [
                {"episode": p.episode.scenario_id, "fault": p.episode.fault}
                for _, p in own
                if p.episode.fault is not None
            ],
            "fault_causes": _counts(cause_of(p.episode.fault) for _, p in own if p.episode.fault is not None),
            "reply_fault_causes": _counts(_source(f) for _, p in own for turn in p.episode.turns for f in turn.faults),
            "sources": {
                name: round(value, 6)
                for name, value in relations([turn.reward for _, p in own for turn in p.episode.turns]).items()
            },
            "episodes": len(own),
            "withheld": withheld,
        }
    panel = _json(agreement([p for name, _, p in played if not policies[name]["withheld"]], seed))
    meanings = {name: metric.meaning for name, metric in METRICS.items()}
    data = {
        "policies": policies,
        "metrics": meanings,
        "agreement": panel,
        "max_faults": max_faults,
        "provenance": provenance,
    }
    return Report(data, tuple(played))


def _failed(played: Sequence[AssessedEpisode]) -> float:
    return sum(p.episode.fault is not None for p in played) / len(played)


def _counts(causes: Iterable[str]) -> dict[str, int]:
    """Count causes, the most frequent first."""
    return dict(Counter(causes).most_common())


def _source(fault: str) -> str:
    """Return what went wrong with a reply: the part's name, and as much of its fault as others share."""
    return ": ".join(fault.split(": ")[:4])[:60]


def _json(figures: dict[str, Figure], withheld: bool = False) -> dict[str, dict[str, float | int | None]]:
    """Return figures as JSON-able data, those that are withheld without their values."""
    return {
        name: (Figure(None, None, None, figure.n) if withheld and name not in ALL_METRICS else figure).to_json()
        for name, figure in figures.items()
    }


def fault_lines(report: Report) -> list[str]:
    """Return one line a policy with faults: how many, how often by cause, and an example of the most frequent."""
    lines = []
    for name, own in report.data["policies"].items():
        if own["faults"]:
            first = next(iter(own["fault_causes"]))
            example = next(f["fault"] for f in own["faults"] if cause_of(f["fault"]) == first)
            limit = f", more than the {report.data['max_faults']:.0%} of --max-faults" if own["withheld"] else ""
            lines.append(
                f"{name}: {len(own['faults'])} of {own['episodes']} episodes failed{limit}: "
                f"{_counted(own['fault_causes'])}; such as: {' '.join(example.split())}"
            )
        if own["reply_fault_causes"]:
            lines.append(f"{name}: replies with a fault of manager or reward: {_counted(own['reply_fault_causes'])}")
    return lines


def _counted(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {cause}" for cause, count in causes.items())


def _case_record(played: AssessedEpisode) -> dict[str, Any]:
    """Return what the automated checks found in one scripted case."""
    return {
        "id": played.episode.scenario_id,
        "title": played.case.title,
        "category": played.case.category,
        "severity": played.case.severity,
        "fixed": played.fixed,
        "clean": played.clean,
        "failed": [
            {"check": c.kind, "finding": c.finding, "turn": c.turn, "words": _words(played, c.turn)}
            for c in played.checks
            if not c.passed
        ],
        "problems": [{"id": p.id, "turn": p.turn, "message": p.message, "severe": p.severe} for p in played.problems],
        **({} if played.episode.fault is None else {"fault": played.episode.fault}),
    }


def _words(played: AssessedEpisode, turn: int) -> str:
    """Return the agent's words in a turn on one line, cut to what a list can show; "" where there is no such turn."""
    text = " ".join(played.episode.turns[turn - 1].text.split()) if turn else ""
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1].rstrip() + "…"


def table_rows(report: Report, metrics: Iterable[str] = METRICS) -> list[tuple[str, str, list[str]]]:
    """Return metric, what it says, and each policy's figure as text; metrics that nobody has are left out."""
    rows = []
    for metric in metrics:
        figures = [report.figure(name, metric) for name in report.policies]
        if any(figure is not None for figure in figures):
            rows.append((metric, METRICS[metric].meaning, [format_figure(metric, figure) for figure in figures]))
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
