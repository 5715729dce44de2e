"""Runs policies on suites and writes a benchmark's folder: episodes, report.json, report.html.

Resumable: every finished episode is on disk at once, and a rerun into the same folder plays only
    what is missing. A trial beyond the first plays the same cards and floors with other random
    draws.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.metrics import TRIAL_MARK, judge
from benchmarks.report import Report, build_report, write_report
from benchmarks.suites import Case, CaseSuite, load_suite
from negotiation_env import __version__, registry
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import Manager, Policy, Reward
from negotiation_env.records import Episode, read_episodes, write_episodes
from negotiation_env.rollout import rollout
from simulators.replay import ReplayManager

EPISODES, SETTINGS = "episodes.jsonl", "run.json"
TRIAL_LABEL = 1 << 17
"""Label under which a trial's seed is forked from its scenario's; distinct from the rollout's own label."""


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to be played: the ``key`` names it in the folder's episodes."""

    policy: str
    suite: str
    trial: int
    case: Case
    """The case with the trial's scenario: its id is the key's second half, its seed the trial's."""

    @property
    def key(self) -> tuple[str, str]:
        """Policy, and scenario id within the run."""
        return self.policy, self.case.id


def run_benchmark(
    policies: Sequence[str],
    suites: Sequence[str | CaseSuite],
    manager: str = "rules",
    trials: int = 1,
    out: Path = Path("benchmark"),
    llm: str = "smollm2",
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """Play every policy on every suite and write the report into ``out``.

    Args:
        policies: policy specs, see ``registry.load_policy``; at least one, none twice.
        suites: names or paths, see ``suites.load_suite``, or suites themselves; at least one.
        manager: who answers in live cases, ``"rules"`` or ``"llm"``; scripted cases bring their
            own.
        trials: how often each case is played, at least 1.
        out: folder, made if absent; an earlier run's episodes in it are kept and not played again.
        llm: engine that words the ``"llm"`` manager's answers.
        seed: seed of the trials' draws and of the bootstrap; 0 keeps the scenarios' own seeds in
            the first trial.
        progress: whether to show a progress bar on stderr.

    Raises:
        UsageError: a name is unknown, or ``out`` holds a run with other settings.
    """
    _check(policies, suites, trials, seed)
    settings = {"manager": manager, "llm": llm if manager == "llm" else "", "seed": seed}
    loaded = {name: registry.load_policy(name) for name in policies}
    cases = _load_suites(suites)
    host = registry.load_manager(manager, llm)
    started = datetime.now(UTC)
    _prepare(out, settings)
    jobs = _jobs(policies, cases, trials, seed)
    done = _finished(out / EPISODES)
    missing = [job for job in jobs if not _is_done(job, done)]
    reward = registry.load_reward("repo")
    with _bar(len(jobs), len(jobs) - len(missing), progress) as tick:

        def keep(episode: Episode) -> None:
            write_episodes(out / EPISODES, [episode], append=True)
            done[episode.policy, episode.scenario_id] = episode
            tick(episode.policy)

        for group in _groups(missing):
            _play(group, loaded[group[0].policy], host, reward, keep)
    played = [(job.policy, job.suite, judge(job.case, done[job.key])) for job in jobs]
    provenance = _provenance(settings, cases, trials, started, len(missing))
    report = build_report(played, provenance, seed)
    write_report(report, out)
    return report


def _check(policies: Sequence[str], suites: Sequence[str | CaseSuite], trials: int, seed: int) -> None:
    if not policies or len(set(policies)) != len(policies):
        raise UsageError(f"expected at least one policy and none twice, got {list(policies)}")
    if not suites:
        raise UsageError("expected at least one suite, got none: name one")
    if trials < 1 or seed < 0:
        raise UsageError(f"expected trials >= 1 and seed >= 0, got {trials} and {seed}")


def _load_suites(specs: Sequence[str | CaseSuite]) -> dict[str, CaseSuite]:
    """Return the suites by their own names, which must differ."""
    suites = [load_suite(spec) if isinstance(spec, str) else spec for spec in specs]
    named = {suite.name: suite for suite in suites}
    if len(named) != len(suites):
        raise UsageError(f"expected suites of different names, got {[s.name for s in suites]}")
    return named


def _prepare(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or check that an earlier run in it has the same settings; cut off half a line."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"expected a folder that can be made for --out, got {out} ({error.strerror})") from error
    path = out / SETTINGS
    if path.exists():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DataFileError(f"{path}: expected a run's settings, got {error}") from error
        if earlier != settings:
            raise UsageError(f"expected {out} to hold a run with {settings}, got {earlier}: choose another --out")
    else:
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    episodes = out / EPISODES
    if episodes.exists():
        text = episodes.read_bytes()
        if text and not text.endswith(b"\n"):
            episodes.write_bytes(text[: text.rfind(b"\n") + 1])


def _finished(path: Path) -> dict[tuple[str, str], Episode]:
    """Return the folder's episodes by key; of several with one key the last counts."""
    if not path.exists():
        return {}
    return {(e.policy, e.scenario_id): e for e in read_episodes(path)}


def _is_done(job: Job, done: dict[tuple[str, str], Episode]) -> bool:
    """Whether a sound episode of the very same case is there; a faulted or outdated one is played again."""
    episode = done.get(job.key)
    scenario = job.case.scenario
    return (
        episode is not None
        and episode.fault is None
        and (episode.seed, episode.card) == (scenario.seed, scenario.card)
        and episode.versions.get("negotiation-env") == __version__
        and episode.versions.get("script") == _script_digest(job.case)
    )


def _script_digest(case: Case) -> str:
    """Return a short digest of what the hotel says in a case, so that an edited script is played again."""
    return hashlib.sha256(repr((case.script, case.max_turns)).encode()).hexdigest()[:12]


def _jobs(policies: Sequence[str], suites: dict[str, CaseSuite], trials: int, seed: int) -> list[Job]:
    return [
        Job(policy, name, trial, _trial_case(name, case, trial, seed))
        for policy in policies
        for name, suite in suites.items()
        for trial in range(trials)
        for case in suite
    ]


def _trial_case(suite: str, case: Case, trial: int, seed: int) -> Case:
    """Return the case under its name in the run, with the trial's seed."""
    scenario = case.scenario
    draws = scenario.seed
    if trial or seed:
        draws = FLOATS.fork(FLOATS.fork(draws, TRIAL_LABEL + seed), trial)
    name = f"{suite}/{scenario.id}" + (f"{TRIAL_MARK}{trial + 1}" if trial else "")
    return replace(case, scenario=replace(scenario, id=name, seed=draws))


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Group jobs that one rollout can play: same policy, scripted or live, same number of turns."""
    groups: dict[tuple[str, bool, int], list[Job]] = {}
    for job in jobs:
        key = (job.policy, job.case.script is None, job.case.max_turns)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _play(jobs: list[Job], policy: Policy, live_host: Manager, reward: Reward, keep: Callable[[Episode], None]) -> None:
    """Play one group and hand each finished episode on, under its job's policy name."""
    name, cases = jobs[0].policy, [job.case for job in jobs]
    scripts = {case.id: case.script for case in cases if case.script is not None}
    host: Manager = ReplayManager(scripts) if scripts else live_host
    digests = {case.id: _script_digest(case) for case in cases}

    def finish(episode: Episode) -> None:
        versions = {**episode.versions, "script": digests[episode.scenario_id]}
        keep(replace(episode, policy=name, versions=versions))

    rollout(
        policy,
        [case.scenario for case in cases],
        manager=host,
        reward=reward,
        personas=[case.persona for case in cases],
        max_turns=cases[0].max_turns,
        on_episode=finish,
    )


@contextmanager
def _bar(total: int, done: int, show: bool) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr, and yield a function that advances it."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not show) as bar:
        task = bar.add_task("episodes", total=total, completed=done)

        def tick(name: str) -> None:
            bar.update(task, advance=1, description=name)

        yield tick


def _provenance(
    settings: dict[str, Any],
    suites: dict[str, CaseSuite],
    trials: int,
    started: datetime,
    fresh: int,
) -> dict[str, Any]:
    """What is needed to make these figures again; ``times`` alone differs from run to run."""
    finished = datetime.now(UTC)
    return {
        "command": " ".join(["negotiate", *sys.argv[1:]]),
        "version": __version__,
        "commit": _commit(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **settings,
        "suites": [f"{name} ({len(suite)} cases)" for name, suite in suites.items()],
        "trials": trials,
        "raters": "automated checks only; no human rater",
        "times": {
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": round((finished - started).total_seconds(), 1),
            "episodes_played_now": fresh,
        },
    }


def _commit() -> str | None:
    """Return the commit of the sources' checkout, or None where there is none."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
