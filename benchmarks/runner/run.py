"""Runs policies on suites and writes a benchmark's folder: episodes, scores, report.json, report.html.

Resumable: every finished episode is on disk at once, and a rerun into the same folder plays only what is missing, had a
fault, or was made with other rules. The files are the same whatever the number of workers, in processes or on Ray, and
after a kill.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.comparison.paired_policies import ab_section, noise, paired_tests
from benchmarks.metrics.observations import SCORES, Score, score, write_scores
from benchmarks.metrics.policy_metrics import METRICS
from benchmarks.report import MAX_FAULTS, Report, build_report, write_report
from benchmarks.runner.episode_player import CHUNK, EpisodePlayer, EpisodeTask, JudgedEpisode, PolicyTraits, chunks_of
from benchmarks.runner.jobs import AB, Job, RunPlan, is_done, jobs_of
from benchmarks.runner.provenance import provenance
from benchmarks.suites import CaseSuite, load_suite
from negotiation_env.errors import UsageError
from negotiation_env.files import read_json, write_json
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.play import registry
from negotiation_env.play.records import Episode, read_episodes, write_episodes
from negotiation_env.play.workers import Make, Processes, Workers, actors_or_here
from simulators.personas import load_persona

EPISODES, SETTINGS = "episodes.jsonl", "run.json"
WORTH_SPAWNING = 2 * CHUNK
"""Fewer episodes than this are played in this process: starting another takes longer."""


@dataclass(frozen=True, slots=True)
class _BenchRun:
    """A run's folder and how its episodes are made.

    Attributes:
        out: the folder.
        manager: who answers in live cases.
        make: makes a worker's ``EpisodePlayer``.
        workers: Ray's actors, or this process.
        processes: for what needs no model, where there is no Ray.
        traits: of the policies, by name.
        readers: of the policies' messages, by the policy's name.
    """

    out: Path
    manager: str
    make: Make
    workers: Workers
    processes: int
    traits: Mapping[str, PolicyTraits]
    readers: Mapping[str, Reader]

    @property
    def episodes(self) -> Path:
        return self.out / EPISODES


def run_benchmark(
    policies: Sequence[str],
    suites: Sequence[str | CaseSuite],
    manager: str = "rules",
    reader: str = registry.AUTO,
    trials: int = 1,
    out: Path = Path("benchmark"),
    llm: str = "smollm2",
    seed: int = 0,
    progress: bool = True,
    workers: int = 1,
    crossed: bool = False,
    curves: Mapping[str, Path] | None = None,
    max_faults: float = MAX_FAULTS,
    persona: str = "",
    ray: str | None = None,
    batch: int = CHUNK,
) -> Report:
    """Play every policy on every suite and write the report into ``out``.

    Args:
        policies: policy specs, see ``registry.load_policy``; at least one, no name twice. The others are compared with
            the first.
        suites: names or paths, see ``suites.load_suite``, or suites themselves; at least one. ``ab`` is divided between
            two policies.
        manager: who answers in live cases, ``"rules"``, ``"llm"`` or ``"llm-decides"``; scripted cases bring their own.
        reader: who reads the policies' messages, see ``registry.reader_for``; ``"auto"`` takes for each policy the one
            that suits it.
        trials: how often each case is played, at least 1.
        out: folder, made if absent; an earlier run's episodes in it are kept and not played again.
        llm: engine of a manager that a language model voices.
        seed: seed of the trials' draws and of the bootstrap; 0 keeps the scenarios' own seeds in the first trial.
        progress: whether to show a progress bar on stderr.
        workers: processes for policies that need no language model, at least 1; more than 1 needs a main module that
            can be imported without running (``if __name__ == "__main__"``). With ``ray``: actors, for every policy; 0
            for one on each GPU, or on each CPU where there is none.
        crossed: play each of ``trials`` draws of the policy with each of as many draws of the simulator, which splits
            the variance between the two.
        curves: training runs' metrics.jsonl by the name to show, drawn on the page.
        max_faults: share of a policy's episodes that may fail, 0 to 1; the figures of one with more are left out (see
            ``report_data.build_report``).
        persona: name or file of the manager's persona in live cases; "" keeps each case's own.
        ray: a Ray cluster whose actors play, see ``workers.actors_or_here``; policies are opened by them alone.
        batch: episodes that are played together, at least 1.

    Raises:
        UsageError: a name is unknown, or ``out`` holds a run with other settings, or there is no such cluster.
        WorkerLostError: a worker died, and its work could not be done by another.
    """
    plan = RunPlan(seed, trials, crossed)
    _check(policies, suites, workers if ray is None else 1, max_faults)
    if batch < 1:
        raise UsageError(f"expected a batch of at least 1 episode, got {batch}")
    specs = {registry.policy_label(spec): spec for spec in policies}
    settings = {"manager": manager, "llm": llm if manager in registry.VOICED else "", "reader": reader, "seed": seed}
    settings |= {"persona": persona} if persona else {}
    settings |= {"batch": batch} if batch != CHUNK else {}
    cases = _load_suites(suites, persona)
    jobs = jobs_of(policies, cases, plan)
    make = partial(EpisodePlayer, manager, llm, reader)
    with actors_or_here(make, ray, workers) as place:
        names = list(specs)
        traits = {names[i]: found for i, found in place.run(EpisodePlayer.look, specs.values())}
        readers = {name: registry.load_reader(found.reader) for name, found in traits.items()}
        processes = workers if ray is None else 1
        run = _BenchRun(out, manager, make, place, processes, traits, readers)
        started = datetime.now(UTC)
        _prepare(out, settings)
        judged = _judge_all(jobs, run, batch, progress)
        used = processes if ray is None else place.count
    record = provenance(
        {"command": _command(policies, suites, settings, plan), **settings, "trials": trials, "crossed": crossed,
         "seed_plan": {"seed": seed, "first_trial": "scenario's own" if seed == 0 else "forked"}},
        cases, {name: reader_label(found) for name, found in readers.items()}, specs,
    )  # fmt: skip
    record["times"] = _times(started, sum(j.fresh for j in judged), used)
    report = build_report([(j.job.policy, j.job.suite, j.played) for j in judged], record, seed, max_faults)
    scores = _scores(judged, [name for name in specs if not report.withheld(name)])
    _add_tests(report, scores, list(specs), seed)
    write_scores(out / SCORES, scores)
    write_report(report, out, curves)
    return report


def _check(policies: Sequence[str], suites: Sequence[str | CaseSuite], workers: int, max_faults: float) -> None:
    names = [registry.policy_label(spec) for spec in policies]
    if not names or len(set(names)) != len(names):
        raise UsageError(f"expected at least one policy and no name twice, got {names}: name them apart (?name=...)")
    if not suites:
        raise UsageError("expected at least one suite, got none: name one")
    if workers < 1:
        raise UsageError(f"expected at least 1 worker, got {workers}")
    if not 0.0 <= max_faults <= 1.0:
        raise UsageError(f"expected max_faults from 0 to 1, got {max_faults}: it is a share of the episodes")


def _load_suites(specs: Sequence[str | CaseSuite], persona: str) -> dict[str, CaseSuite]:
    """Return the suites by their own names, which must differ; with a persona in live cases, if one is named."""
    suites = [load_suite(spec) if isinstance(spec, str) else spec for spec in specs]
    if persona:
        load_persona(persona)
        suites = [
            CaseSuite(s.name, [c if c.script is not None else replace(c, persona=persona) for c in s]) for s in suites
        ]
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
        # Runs before there were readers to choose from have no setting for it.
        earlier = {"reader": registry.AUTO, **read_json(path, dict[str, Any])}
        if earlier != settings:
            raise UsageError(f"expected {out} to hold a run with {settings}, got {earlier}: choose another --out")
    else:
        write_json(path, settings, escaped=True)
    episodes = out / EPISODES
    if episodes.exists():
        text = episodes.read_bytes()
        if text and not text.endswith(b"\n"):
            episodes.write_bytes(text[: text.rfind(b"\n") + 1])


def _judge_all(jobs: Sequence[Job], run: _BenchRun, batch: int, progress: bool) -> list[JudgedEpisode]:
    """Play what is missing, judge everything, and leave the episodes on disk in the order of the jobs."""
    done = _finished(run.episodes)
    tasks = []
    for job in jobs:
        earlier = done.get(job.key)
        sound = is_done(job, earlier, run.manager, run.readers[job.policy])
        tasks.append(EpisodeTask(job, earlier if sound else None))
    found: dict[tuple[str, str], JudgedEpisode] = {}
    with _bar(len(tasks), progress) as tick:
        # Once is enough, but where a worker was lost and the one after it finished its episodes in another order.
        while missing := [chunk for chunk in chunks_of(tasks, batch) if any(t.job.key not in found for t in chunk)]:
            for judged in _run_chunks(missing, run):
                if judged.job.key in found:
                    continue
                found[judged.job.key] = judged
                if judged.fresh:
                    write_episodes(run.episodes, [judged.played.episode], append=True)
                    done[judged.job.key] = judged.played.episode
                tick(judged.job.policy)
    in_order = [found[job.key] for job in jobs]
    keys = {job.key for job in jobs}
    others = [episode for key, episode in sorted(done.items()) if key not in keys]
    write_episodes(run.episodes, [*(j.played.episode for j in in_order), *others])
    return in_order


def _run_chunks(chunks: Sequence[list[EpisodeTask]], run: _BenchRun) -> Iterator[JudgedEpisode]:
    """Have chunks played: those that need no model in processes, where there are any, and the others where the run is.

    Fewer than are worth starting a process for are played where the run is too.
    """
    light = [chunk for chunk in chunks if run.processes > 1 and run.traits[chunk[0].job.policy].light]
    if sum(map(len, light)) >= WORTH_SPAWNING:
        with Processes(run.make, run.processes) as processes:
            yield from (judged for _, judged in processes.run(EpisodePlayer.play, light))
        chunks = [chunk for chunk in chunks if not run.traits[chunk[0].job.policy].light]
    yield from (judged for _, judged in run.workers.run(EpisodePlayer.play, chunks))


def _finished(path: Path) -> dict[tuple[str, str], Episode]:
    """Return the folder's episodes by key; of several with one key the last counts."""
    if not path.exists():
        return {}
    return {(e.policy, e.scenario_id): e for e in read_episodes(path)}


@contextmanager
def _bar(total: int, show: bool) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr, and yield a function that advances it."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task("episodes", total=total)

        def tick(name: str) -> None:
            bar.update(task, advance=1, description=name)

        yield tick


def _scores(judged: Sequence[JudgedEpisode], policies: Collection[str]) -> list[Score]:
    """Return what each sound episode of some policies adds to each figure that is a mean over episodes."""
    return [score(j.job, j.parts) for j in judged if j.played.episode.fault is None and j.job.policy in policies]


def _add_tests(report: Report, scores: Sequence[Score], policies: Sequence[str], seed: int) -> None:
    """Put the tests between policies into a report; A/B conversations have tests of their own."""
    paired = [s for s in scores if s.suite != AB]
    found = {name for s in paired for name in s.parts}
    metrics = [name for name in METRICS if name in found]
    report.data["tests"] = paired_tests(paired, metrics, policies, seed)
    report.data["noise"] = noise(paired, metrics, policies, seed)
    report.data["ab"] = ab_section(scores, policies)


def _command(
    policies: Sequence[str], suites: Sequence[str | CaseSuite], settings: Mapping[str, Any], plan: RunPlan
) -> str:
    """Return the command that makes this run, whichever way it was started."""
    names = [suite if isinstance(suite, str) else suite.name for suite in suites]
    words = ["negotiate bench --policy", shlex.quote(",".join(policies)), "--suite", ",".join(names)]
    words += ["--manager", settings["manager"], *(["--llm", settings["llm"]] if settings["llm"] else [])]
    words += ["--persona", shlex.quote(settings["persona"])] if "persona" in settings else []
    words += ["--reader", settings["reader"]] if settings["reader"] != registry.AUTO else []
    words += ["--batch", str(settings["batch"])] if "batch" in settings else []
    words += ["--trials", str(plan.trials), *(["--crossed"] if plan.crossed else []), "--seed", str(plan.seed)]
    return " ".join([*words, "--out DIR"])


def _times(started: datetime, fresh: int, workers: int) -> dict[str, Any]:
    """Return the only part of a report that differs between two runs with the same seed."""
    finished = datetime.now(UTC)
    return {
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": round((finished - started).total_seconds(), 1),
        "episodes_played_now": fresh,
        "workers": workers,
    }
