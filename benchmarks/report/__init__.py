"""A benchmark's report: the figures as JSON (``report_data``), and one self-contained page for people (``page``).

The page opens on the ``verdict`` in words and shows ``panels`` (drawn by ``charts``) and ``transcripts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.report.page import render_html
from benchmarks.report.report_data import MAX_FAULTS, Report, build_report, fault_lines, format_figure, table_rows
from negotiation_env.files import write_json, write_text

__all__ = [
    "MAX_FAULTS",
    "REPORT_HTML",
    "REPORT_JSON",
    "Report",
    "build_report",
    "fault_lines",
    "format_figure",
    "render_html",
    "table_rows",
    "write_report",
]

REPORT_JSON, REPORT_HTML = "report.json", "report.html"


def write_report(report: Report, out: Path, curves: Mapping[str, Path] | None = None) -> None:
    """Write report.json and report.html into a folder; each appears whole or not at all.

    ``curves``: training runs' metrics.jsonl by the name to show; drawn on the page, and no part of the figures.
    """
    write_json(out / REPORT_JSON, report.data)
    write_text(out / REPORT_HTML, render_html(report, curves))
