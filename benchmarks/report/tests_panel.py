"""The page's tables of tests: policies on the same cases, and the two arms of an A/B test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from benchmarks.metrics import HEADLINE, SHARES
from benchmarks.report.data import Report, format_figure
from benchmarks.statistics import Figure

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
    scale, unit, digits = (100.0, " pts", 1) if metric in SHARES else (1.0, "", 2)
    text = f"{scale * row['value']:+.{digits}f}{unit}"
    if row["low"] is None or row["high"] is None:
        return text
    return f"{text} [{scale * row['low']:+.{digits}f}, {scale * row['high']:+.{digits}f}]"


def format_p(p: float) -> str:
    """Return a p-value for people."""
    return f"< {SMALLEST:g}" if p < SMALLEST else f"{p:.3f}"
