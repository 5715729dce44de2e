"""What is made of the bad cases: a record of one failure beside each case file, and the tables of docs/bad_cases.md.

``negotiate study record-failures`` plays the base model on the cases and keeps, for every case, one dialogue in which
it failed; the cases' checks decide what a failure is. The dialogues come from the benchmark's own runner, so a stopped
run goes on where it was; on few cores that others use too, OMP_NUM_THREADS=1 is several times faster.

``negotiate study case-table`` rewrites the marked parts of the document from the files themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.checks.case_checks import KINDS
from benchmarks.checks.problems import PROBLEMS
from benchmarks.metrics.judging import TRIAL_MARK, AssessedEpisode, judge
from benchmarks.runner.run import EPISODES, run_benchmark
from benchmarks.suites import BAD_CASES, Case, CaseSuite, bad_cases, read_suite
from benchmarks.suites.case import CATEGORIES, RecordedFailure, record_path, write_failure
from negotiation_env.errors import DataFileError
from negotiation_env.play import registry
from negotiation_env.play.protocols import Policy
from negotiation_env.play.records import read_episodes
from simulators.managers.replay_manager import CONDITIONS

DOCUMENT = Path("docs/bad_cases.md")
UNTOLD = ("empty reply", "the episode ended")
"""Beginnings of findings that show less than a reply that goes wrong; such a run is kept only for want of another."""


def record(
    cases: Annotated[Path, typer.Option(help="Folder of case files.")] = BAD_CASES,
    policy: Annotated[str, typer.Option(help="Whose failures to record.")] = "base",
    trials: Annotated[int, typer.Option(min=1, help="How often each case is played.")] = 4,
    runs: Annotated[Path, typer.Option(help="Folder of the runs; reuse it to go on.")] = Path("out/base-on-bad-cases"),
) -> None:
    """Play a policy on every bad case and keep one failing dialogue of each beside its file."""
    suite = read_suite(cases, "bad-cases")
    run_benchmark([policy], [suite], trials=trials, out=runs, reader="rules")  # as the suite's tests replay it
    played = played_cases(suite, runs / EPISODES, registry.policy_label(policy))
    model = model_of(registry.load_policy(policy))
    today = datetime.now(UTC).date().isoformat()
    unfailed = []
    for case in suite:
        failure = failure_of(played[case.id], model, today)
        path = cases / f"{case.id}.toml"
        if failure is None:
            unfailed.append(case.id)
            record_path(path).unlink(missing_ok=True)
        else:
            write_failure(path, failure)
            typer.echo(f"{case.id}: failed in {failure.failures} of {failure.runs} runs")
    if unfailed:
        typer.echo(f"{policy} fixed these in every run: {', '.join(unfailed)}. Make their traps harder.")


def played_cases(suite: CaseSuite, episodes: Path, policy: str) -> dict[str, list[AssessedEpisode]]:
    """Return a policy's sound runs of each case, in the order of trials, judged by the case's checks."""
    by_id = {case.id: case for case in suite}
    latest = {e.scenario_id: e for e in read_episodes(episodes) if e.policy == policy and e.fault is None}
    played: dict[str, list[AssessedEpisode]] = defaultdict(list)
    for name in sorted(latest, key=lambda name: int(name.partition(TRIAL_MARK)[2] or 1)):
        case = by_id.get(name.partition("/")[2].partition(TRIAL_MARK)[0])
        if case is not None:
            played[case.id].append(judge(case, latest[name]))
    return played


def failure_of(played: Sequence[AssessedEpisode], model: str, date: str) -> RecordedFailure | None:
    """Return the record of the first run that failed, or None if none did.

    Runs that fail by what is said come before runs that fail by silence or by ending too soon.
    """
    failed = [p for p in played if not p.fixed]
    if not failed:
        return None
    kept = min(failed, key=_tells_little)
    episode = kept.episode
    return RecordedFailure(
        policy=episode.policy,
        model=model,
        seed=episode.seed,
        date=date,
        version=episode.versions.get("negotiation-env", ""),
        runs=len(played),
        failures=len(failed),
        findings=tuple(f"{check.kind}: {check.finding}" for check in kept.checks if not check.passed),
        dialogue=tuple((turn.text, turn.answer) for turn in episode.turns),
    )


def _tells_little(played: AssessedEpisode) -> bool:
    return all(check.passed or check.finding.startswith(UNTOLD) for check in played.checks)


def model_of(policy: Policy) -> str:
    """Return which model a policy speaks with and how it samples; "" if it has none."""
    engine = getattr(policy, "engine", None)
    if engine is None:
        return ""
    settings = {name: getattr(policy, name, None) for name in ("temperature", "top_p", "max_tokens")}
    return ", ".join([str(engine.spec), *(f"{name} {value}" for name, value in settings.items() if value is not None)])


def document_parts() -> dict[str, str]:
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
    for name, text in document_parts().items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, found_start, rest = document.partition(start)
        _, found_end, tail = rest.partition(end)
        if not found_start or not found_end:
            raise DataFileError(f"{DOCUMENT}: expected the markers {start!r} and {end!r}: add them")
        document = f"{head}{start}\n{text}\n{end}{tail}"
    return document


def rewrite_document() -> None:
    """Rewrite the marked parts of docs/bad_cases.md from the case files and the checks."""
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
