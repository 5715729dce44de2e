"""Which cases two runs decide differently, and the comparison as a page.

A case flipped where one side fixes it and the other does not, in the same trial. The page links to both transcripts,
where the runs' own pages lie beside it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.metrics.policy_metrics import HEADLINE
from benchmarks.report import REPORT_HTML
from benchmarks.report.page import page_environment, style_sheet
from benchmarks.report.panels import format_difference, format_p
from benchmarks.report.verdict import check_line, failed_case
from benchmarks.suites.case import SEVERITIES

if TYPE_CHECKING:
    from benchmarks.comparison.run_folders import BenchmarkFolder, Comparison

TEMPLATE = "comparison.html.jinja"


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that one of two policies fixes and the other does not.

    Attributes:
        first: policy of the first run.
        second: policy of the second run.
        case: the case's name, with its trial.
        title: the case in one line.
        severity: harm done if it goes wrong.
        fixed: whether the second fixes it (and the first does not).
        failed: the check that failed, and on what.
        turn: the turn in which it failed; 0 if none was played.
        words: what the agent said there.
    """

    first: str
    second: str
    case: str
    title: str
    severity: str
    fixed: bool
    failed: str
    turn: int
    words: str


def flips(first: BenchmarkFolder, second: BenchmarkFolder, pairs: Sequence[tuple[str, str]]) -> list[Flip]:
    """Return the cases that flipped between pairs of policies: worse before better, the most severe first.

    A policy whose figures are withheld, and an episode with a fault, decide nothing.
    """
    found = []
    for name_a, name_b in pairs:
        mine, theirs = _decided(first, name_a), _decided(second, name_b)
        for case, before in mine.items():
            after = theirs.get(case)
            if after is None or before["fixed"] == after["fixed"]:
                continue
            lost = failed_case(name_a, before) or failed_case(name_b, after)
            if lost is not None:
                found.append(
                    Flip(
                        name_a, name_b, case, lost.title, lost.severity, after["fixed"], check_line(lost), lost.turn,
                        lost.words,
                    )
                )  # fmt: skip
    return sorted(found, key=lambda flip: (flip.fixed, -SEVERITIES.index(flip.severity)))


def _decided(run: BenchmarkFolder, policy: str) -> dict[str, dict[str, Any]]:
    """Return a policy's cases that were played to their end, by name."""
    own = run.report["policies"][policy]
    if own.get("withheld"):
        return {}
    return {record["id"]: record for record in own.get("cases", ()) if "fault" not in record}


def flip_line(found: Sequence[Flip]) -> str:
    """Return how many cases flipped each way, in words."""
    better = sum(flip.fixed for flip in found)
    if not found:
        return "No case flipped: what one side fixes the other fixes too"
    return f"Cases fixed by the second alone: {better}; by the first alone: {len(found) - better}"


def comparison_page(found: Comparison, first: BenchmarkFolder, second: BenchmarkFolder, at: Path) -> str:
    """Return the comparison as one self-contained page, which is to lie at ``at``."""
    page = page_environment().get_template(TEMPLATE)
    both = [
        (flip, _link(first, flip.case, flip.first, at), _link(second, flip.case, flip.second, at))
        for flip in found.flips
    ]
    rows = [
        (
            row["metric"].replace("_", " "),
            pair_name(row),
            format_difference(row["metric"], row),
            format_p(row["p_holm"]),
            row["test"],
            row["n"],
        )
        for row in found.rows
        if row["metric"] in HEADLINE
    ]
    return page.render(
        style=style_sheet(),
        first=str(first.path),
        second=str(second.path),
        obstacles=found.obstacles,
        notes=found.notes,
        rows=rows,
        line=flip_line(found.flips),
        flips=both,
    )


def pair_name(row: dict[str, Any]) -> str:
    """Return whom a row compares: one policy with itself in two runs, or two policies."""
    name_a, name_b = str(row["first"]), str(row["second"])
    return name_b if name_a == name_b else f"{name_b} - {name_a}"


def _link(run: BenchmarkFolder, case: str, policy: str, at: Path) -> str:
    """Return the address of a transcript in a run's page, as seen from ``at``; "" where the run has no page."""
    page = run.path / REPORT_HTML
    if not page.is_file():
        return ""
    place = os.path.relpath(page.resolve(), at.resolve().parent).replace(os.sep, "/")
    return f"{quote(place)}#case={quote(case, safe='')}&policy={quote(policy, safe='')}"
