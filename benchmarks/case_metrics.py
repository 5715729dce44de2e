"""Figures of scripted cases: which were fixed, how cleanly, and what severe ones were not.

A case is fixed if its own checks pass; a fix is clean if the search for new problems finds none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.judging import Played, by_case
from benchmarks.statistics import Figure, share

CASE_METRICS: Final[dict[str, str]] = {
    "fixed": "bad cases whose checks all pass",
    "clean_fix": "bad cases fixed with no new problem",
    "fixed_with_minor_problem": "bad cases fixed, with new problems of which none is severe",
    "fixed_with_major_problem": "bad cases fixed, with a severe new problem",
    "severe_unresolved": "bad cases of severity severe that are not fixed, among all",
}


def case_metrics(played: Sequence[Played]) -> dict[str, Figure]:
    """Return the shares of scripted cases that were fixed, and how."""

    def of(predicate: Callable[[Played], bool]) -> Figure:
        return share(by_case(played, lambda p: [predicate(p)]))

    return {
        "fixed": of(lambda p: p.fixed),
        "clean_fix": of(lambda p: p.clean),
        "fixed_with_minor_problem": of(lambda p: p.fixed and not p.clean and not _major(p)),
        "fixed_with_major_problem": of(lambda p: p.fixed and _major(p)),
        "severe_unresolved": of(lambda p: not p.fixed and p.case.severity == "severe"),
    }


def category_metrics(played: Sequence[Played]) -> dict[str, dict[str, Figure]]:
    """Return the case metrics of each category of scripted cases, in the order met."""
    groups: dict[str, list[Played]] = defaultdict(list)
    for p in played:
        if p.case.script is not None and p.episode.fault is None:
            groups[p.case.category].append(p)
    return {category: case_metrics(group) for category, group in groups.items()}


def _major(played: Played) -> bool:
    return any(problem.severe for problem in played.problems)
