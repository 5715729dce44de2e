"""What a run says in words: how each policy did, who does better, and which cases failed by which check.

Read from the report's figures alone. A policy whose figures are withheld gets no verdict but the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from benchmarks.metrics.policy_metrics import HEADLINE
from benchmarks.report.panels import format_difference, format_p
from benchmarks.report.report_data import Report, table_rows
from benchmarks.statistics import LEVEL
from benchmarks.suites.case import SEVERITIES

FIRST: Final = (
    "clean_fix", "fixed", "severe_unresolved", "task_success", "discount_won", "rating", "truthful", "violations",
)  # fmt: skip
"""The figures to look at first, where a run has them; ``HEADLINE`` fills up what it has not."""
SHOWN_FIGURES: Final = 8
DECIDING: Final = {
    "clean_fix": "bad cases fixed with no new problem",
    "task_success": "tickets for which a lower price was agreed",
}
"""What two policies are told apart by in words, and what that is."""
ONE_BY_ONE: Final = 3
"""Most comparisons with the first policy that get a line each; the paired tests have the figures of all."""


class FailedCase(NamedTuple):
    """A scripted case that a policy did not fix, with the first check that failed."""

    policy: str
    case: str
    title: str
    severity: str
    check: str
    finding: str
    turn: int
    """The turn in which the check failed, from 1; 0 if none was played."""
    words: str
    """What the agent said there."""
    more: int
    """How many more checks of the case failed."""


def headline_rows(report: Report) -> list[tuple[str, str, list[str]]]:
    """Return eight rows of the table: those of ``FIRST`` that the run has, then others of ``HEADLINE``.

    The share of episodes with a fault is a ninth where there were any.
    """
    rows = table_rows(report, dict.fromkeys((*FIRST, *HEADLINE)))[:SHOWN_FIGURES]
    if any(own["faults"] for own in report.data["policies"].values()):
        rows += table_rows(report, ["fault_share"])
    return rows


def verdict(report: Report) -> list[str]:
    """Return what the run says in words: a line for each policy, then who does better and how sure that is."""
    lines = [_of_policy(report, name) for name in report.policies]
    if len([name for name in report.policies if not report.withheld(name)]) > 1:
        for metric in DECIDING:
            lines += _best(report, metric)
            tests = [test for test in report.data.get("tests") or () if test["metric"] == metric]
            lines += _differences(metric, tests) if len(tests) > ONE_BY_ONE else [_difference(test) for test in tests]
    return lines


def _of_policy(report: Report, name: str) -> str:
    own: Mapping[str, Any] = report.data["policies"][name]
    failed, episodes = len(own["faults"]), own["episodes"]
    if report.withheld(name):
        causes = ", ".join(own["fault_causes"])
        return f"{name}: no verdict. {failed} of {episodes} episodes failed ({causes}), so its figures are withheld."
    parts = [*_cases(report, name), *_live(report, name)]
    if failed:
        parts.append(f"{failed} of {episodes} episodes failed and are left out")
    return f"{name}: {'; '.join(parts) or 'nothing was measured'}."


def _cases(report: Report, name: str) -> list[str]:
    fixed, clean, severe = (_count(report, name, m) for m in ("fixed", "clean_fix", "severe_unresolved"))
    if fixed is None or clean is None or severe is None:
        return []
    what = "bad cases" if report.data["provenance"].get("trials", 1) == 1 else "trials of bad cases"
    found = [f"fixes {fixed[0]} of {fixed[1]} {what}, {clean[0]} of them with no new problem"]
    return [*found, f"severe cases unresolved: {severe[0]}"] if severe[0] else found


def _live(report: Report, name: str) -> list[str]:
    won, cut = _count(report, name, "task_success"), report.figure(name, "discount_won")
    if won is None or cut is None or cut.value is None:
        return []
    return [f"gets a lower price for {won[0]} of {won[1]} rooms, {100.0 * cut.value:.1f}% off over all of them"]


def _count(report: Report, name: str, metric: str) -> tuple[int, int] | None:
    """Return of how many observations how many are a yes; None where there is no figure."""
    figure = report.figure(name, metric)
    return None if figure is None or figure.value is None else (round(figure.value * figure.n), figure.n)


def _best(report: Report, metric: str) -> list[str]:
    """Return who of three or more has most of something, if anybody has; of two the test says it."""
    counts = {name: _count(report, name, metric) for name in report.policies}
    shares = {name: k / n for name, found in counts.items() if found is not None for k, n in [found]}
    most = max(shares.values(), default=0.0)
    if len(shares) < 3 or not most:
        return []
    names = [name for name, value in shares.items() if value == most]
    return [f"Most {DECIDING[metric]}: {' and '.join(names)} ({100.0 * most:.1f}%)."]


def _differences(metric: str, tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the comparisons of many policies with the first say, together."""
    sides: dict[str, list[str]] = {"better": [], "worse": [], "": []}
    for test in tests:
        sides[_side(test)].append(f"{test['second']} {format_difference(metric, test)}")
    first = tests[0]["first"]
    lines = [f"On {DECIDING[metric]}, {side} than {first}: {'; '.join(sides[side])}." for side in sides if side]
    lines.append(f"No difference from {first} is shown for {'; '.join(sides[''])}.")
    return [line for line, found in zip(lines, sides.values(), strict=True) if found]


def _difference(test: Mapping[str, Any]) -> str:
    """Return what a paired test says, in words."""
    metric, first, second = test["metric"], test["first"], test["second"]
    figures = f"{format_difference(metric, test)}, p {_p(test['p_holm'])} after Holm's correction"
    side = _side(test)
    if not side:
        return f"On {DECIDING[metric]}, no difference between {second} and {first} is shown ({figures})."
    return f"On {DECIDING[metric]}, {second} does {side} than {first} ({figures})."


def _side(test: Mapping[str, Any]) -> str:
    """Return whether the second policy is "better" or "worse"; "" where chance may have done it."""
    if test["p_holm"] >= 1.0 - LEVEL:
        return ""
    return "better" if test["value"] > 0.0 else "worse"


def _p(value: float) -> str:
    text = format_p(value)
    return text if text.startswith("<") else f"= {text}"


def failed_cases(report: Report) -> dict[str, list[FailedCase]]:
    """Return by policy the cases that it did not fix, the most severe first; none of a policy that is withheld.

    First trials stand before the others that are as severe. An episode with a fault is no failed case: it was not
    played to its end.
    """
    found: dict[str, list[FailedCase]] = {}
    for name in report.policies:
        if not report.withheld(name):
            own = [failed_case(name, record) for record in report.data["policies"][name]["cases"]]
            found[name] = sorted(filter(None, own), key=lambda c: (-SEVERITIES.index(c.severity), "#" in c.case))
    return {name: cases for name, cases in found.items() if cases}


def failed_case(policy: str, record: Mapping[str, Any]) -> FailedCase | None:
    """Return a case of report.json with its first failed check; None if it was fixed, or its episode had a fault."""
    if record["fixed"] or "fault" in record or not record["failed"]:
        return None
    first, *others = record["failed"]
    # Reports from before a failed check named its place have neither title nor words.
    return FailedCase(
        policy, record["id"], record.get("title", ""), record["severity"], first["check"], first["finding"],
        first.get("turn", 0), first.get("words", ""), len(others),
    )  # fmt: skip


def check_line(case: FailedCase) -> str:
    """Return which check failed, and on what, as one line."""
    more = f" (and {case.more} more)" if case.more else ""
    return f"{case.check.replace('_', ' ')}: {case.finding}{more}"
