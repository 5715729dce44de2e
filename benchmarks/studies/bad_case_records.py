"""Plays a policy on a suite of scripted cases and keeps, for every case, one dialogue in which it failed.

``python -m benchmarks.studies.bad_case_records`` plays the base model on the bad cases and writes the records beside
the case files. The dialogues come from the benchmark's own runner, so a stopped run goes on where it was; on few cores
that others use too, OMP_NUM_THREADS=1 is several times faster. Knows nothing of what a failure looks like: the cases'
checks decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.metrics.policy_metrics import TRIAL_MARK, Played, judge
from benchmarks.runner.run import EPISODES, run_benchmark
from benchmarks.suites import BAD_CASES, CaseSuite, read_suite
from benchmarks.suites.case import RecordedFailure, record_path, write_failure
from negotiation_env.errors import UsageError
from negotiation_env.play import registry
from negotiation_env.play.protocols import Policy
from negotiation_env.play.records import read_episodes

UNTOLD = ("empty reply", "the episode ended")
"""Beginnings of findings that show less than a reply that goes wrong; such a run is kept only for want of another."""


def record(
    cases: Annotated[Path, typer.Option(help="Folder of case files.")] = BAD_CASES,
    policy: Annotated[str, typer.Option(help="Whose failures to record.")] = "base",
    trials: Annotated[int, typer.Option(min=1, help="How often each case is played.")] = 4,
    runs: Annotated[Path, typer.Option(help="Folder of the runs; reuse it to go on.")] = Path("out/base-on-bad-cases"),
) -> None:
    """Play POLICY on every case and keep one failing dialogue of each beside its file."""
    suite = read_suite(cases, "bad-cases")
    run_benchmark([policy], [suite], trials=trials, out=runs)
    played = played_cases(suite, runs / EPISODES, policy)
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


def played_cases(suite: CaseSuite, episodes: Path, policy: str) -> dict[str, list[Played]]:
    """Return a policy's sound runs of each case, in the order of trials, judged by the case's checks."""
    by_id = {case.id: case for case in suite}
    latest = {e.scenario_id: e for e in read_episodes(episodes) if e.policy == policy and e.fault is None}
    played: dict[str, list[Played]] = defaultdict(list)
    for name in sorted(latest, key=lambda name: int(name.partition(TRIAL_MARK)[2] or 1)):
        case = by_id.get(name.partition("/")[2].partition(TRIAL_MARK)[0])
        if case is not None:
            played[case.id].append(judge(case, latest[name]))
    return played


def failure_of(played: Sequence[Played], model: str, date: str) -> RecordedFailure | None:
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


def _tells_little(played: Played) -> bool:
    return all(check.passed or check.finding.startswith(UNTOLD) for check in played.checks)


def model_of(policy: Policy) -> str:
    """Return which model a policy speaks with and how it samples; "" if it has none."""
    engine = getattr(policy, "engine", None)
    if engine is None:
        return ""
    settings = {name: getattr(policy, name, None) for name in ("temperature", "top_p", "max_tokens")}
    return ", ".join([str(engine.spec), *(f"{name} {value}" for name, value in settings.items() if value is not None)])


def main() -> None:
    """Run the command; a caller's mistake is one clean line."""
    app = typer.Typer(add_completion=False)
    app.command()(record)
    try:
        app()
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
