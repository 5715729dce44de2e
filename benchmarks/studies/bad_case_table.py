"""The table of a suite's cases, and the list of problems, in the documentation, made from the files themselves.

``python -m benchmarks.studies.bad_case_table`` rewrites the marked parts of ``docs/bad_cases.md``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.checks.case_checks import KINDS
from benchmarks.checks.problems import PROBLEMS
from benchmarks.suites import BAD_CASES, Case, CaseSuite, bad_cases
from benchmarks.suites.case import CATEGORIES
from negotiation_env.errors import DataFileError
from simulators.managers.replay_manager import CONDITIONS

DOCUMENT = Path("docs/bad_cases.md")


def parts() -> dict[str, str]:
    """Return what stands between the document's markers, by marker."""
    return {
        "cases": case_table(bad_cases()),
        "problems": "\n".join(
            ["| problem | weight | the reply … |", "|---|---|---|"]
            + [f"| `{name}` | {weight} | {what} |" for name, (weight, what) in PROBLEMS.items()]
        ),
        "checks": "\n".join(
            [
                "| must, in one of the turns | must never |",
                "|---|---|",
                f"| {', '.join(_kinds(True))} | {', '.join(_kinds(False))} |",
            ]
        ),
        "conditions": ", ".join(f"`{name}`" for name in CONDITIONS),
    }


def _kinds(must: bool) -> list[str]:
    """Return the kinds of checks that must, or must never, show, with the fields they need."""
    return [
        f"`{name}`" + (f" ({', '.join(kind.needs)})" if kind.needs else "")
        for name, kind in KINDS.items()
        if kind.must is must
    ]


def case_table(suite: CaseSuite) -> str:
    """Return one Markdown table of a suite's cases, in the order of categories."""
    order = list(CATEGORIES)
    rows = [
        "| case | severity | lines | what fails | base failed | the half fix brings in |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join(rows + [_row(case) for case in sorted(suite, key=lambda case: order.index(case.category))])


def _row(case: Case) -> str:
    path = f"../benchmarks/suites/{BAD_CASES.name}/{case.id}.toml"
    failed = f"{case.failure.failures} of {case.failure.runs}" if case.failure else "not recorded"
    half = f"`{case.half.problem}`" if case.half else ""
    name = f"[{case.id}]({path}): {case.title}"
    return f"| {name} | {case.severity} | {len(case.script or ())} | {case.fails} | {failed} | {half} |"


def filled(document: str) -> str:
    """Return the document with every marked part made anew.

    Raises:
        DataFileError: a marker is missing.
    """
    for name, text in parts().items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, found_start, rest = document.partition(start)
        _, found_end, tail = rest.partition(end)
        if not found_start or not found_end:
            raise DataFileError(f"{DOCUMENT}: expected the markers {start!r} and {end!r}: add them")
        document = f"{head}{start}\n{text}\n{end}{tail}"
    return document


def main() -> None:
    """Rewrite the document in place."""
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
