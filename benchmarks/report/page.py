"""The page for people: one HTML file with its style, script and data in it; it asks the network for nothing.

A content-security policy in the page forbids every request. Text of episodes is data: escaped in the markup, and
written as text, never as markup, by the script.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from benchmarks.report.panels import arm_rows, concessions, heat_map, learning_curves, reward_scatter, test_rows
from benchmarks.report.report_data import Report, fault_lines, table_rows
from benchmarks.report.transcripts import transcripts
from benchmarks.report.verdict import check_line, failed_cases, headline_rows, verdict

FOLDER = Path(__file__).parent


def page_environment() -> jinja2.Environment:
    """Return what pages are made with: every text is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style_sheet() -> Markup:
    """Return the pages' style."""
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))


def render_html(report: Report, curves: Mapping[str, Path] | None = None) -> str:
    """Return the page. ``curves``: training runs' metrics.jsonl by the name to show, for the learning curves."""
    page = page_environment().get_template("page.html.jinja")
    return page.render(
        style=style_sheet(),
        script=Markup((FOLDER / "page.js").read_text(encoding="utf-8")),
        data=_embedded(transcripts(report.played)),
        policies=report.policies,
        verdict=verdict(report),
        headline=headline_rows(report),
        failed=failed_cases(report),
        check_line=check_line,
        rows=table_rows(report),
        faults=fault_lines(report),
        heat=heat_map(report),
        ab=arm_rows(report),
        tests=test_rows(report),
        charts=[Markup(chart) for chart in (concessions(report), reward_scatter(report)) if chart],
        curves=[Markup(chart) for chart in learning_curves(curves or {})],
        provenance=_provenance(report.data["provenance"]),
    )


def _embedded(value: Any) -> Markup:
    """Return data as JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the run was, as name and text."""
    shown = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            text = ", ".join(f"{key} {_plain(part)}".strip() for key, part in value.items())
        elif isinstance(value, list | tuple):
            text = ", ".join(map(str, value))
        else:
            text = str(value)
        shown.append((name.replace("_", " "), text))
    return shown


def _plain(value: Any) -> str:
    """Return a part of the provenance as text."""
    return "(" + ", ".join(f"{k} {v}" for k, v in value.items()) + ")" if isinstance(value, Mapping) else str(value)
