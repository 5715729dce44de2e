"""One run's work, here or in a process of its own: train what is not trained, measure what is not measured.

A run is trained as its own ``negotiate train`` command would, and its model card names that command. Its policy is
measured on held-out dialogues, bad cases and online scenarios by the benchmark's runner: the folder ``evaluation`` is a
benchmark's folder, and ``evaluation.json`` beside it says what was measured, and with which rules.

A process of its own per run, so that peak memory is that run's. Processes are spawned, end with their parent, and
write what they say to the run's ``log.txt``.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.metrics.observations import SCORES, Score, read_scores
from benchmarks.raters.panel import persuasion
from benchmarks.report import REPORT_JSON
from benchmarks.runner.provenance import VERSIONS
from benchmarks.runner.run import run_benchmark
from benchmarks.studies.methods.runs import (
    FINISHED,
    ON_POLICY,
    STOPPED,
    Run,
    check_identity,
    held_out,
    measured,
    outcome,
    policy_digest,
    policy_of,
    record_identity,
    record_outcome,
)
from benchmarks.suites import CaseSuite, load_suite
from negotiation_env.errors import DataFileError, NegotiationError, UsageError
from negotiation_env.files import read_json, write_json
from negotiation_env.play.workers import actors_or_here, interrupts_held_back, leave_with_parent
from negotiation_env.training import optional_module
from negotiation_env.training.run_folder import TrainingStoppedError


def train(run: Run) -> None:
    """Train a run, or go on with it where it was killed; a guard that stops it is recorded, not raised.

    Raises:
        NegotiationError: whatever else stands in the way.
    """
    command = shlex.join(command_words(run))
    print("$", command, flush=True)
    with measured(run.folder):
        try:
            _train(run, command)
        except TrainingStoppedError as stop:
            record_outcome(run, STOPPED, str(stop), last_good(run.training))
            return
    check_settings(run)
    record_outcome(run, FINISHED, "", run.training)


def _train(run: Run, command: str) -> None:
    method, overrides = run.variant.method, (*settings(run), f"seed={run.seed}")
    if method in ON_POLICY:
        loop = optional_module("policies.training.on_policy.loop", "train")
        loop.train(method, run.scale, run.training, overrides, resume=True, rate=persuasion, command=command)
        return
    supervised = optional_module("policies.training.supervised", "train")
    preset = supervised.read_settings(method, run.scale, overrides)
    data = supervised.generated_data(method, preset, run.training, print)
    supervised.train(preset, run.training, data, resume=True, command=command)


def check_settings(run: Run) -> None:
    """Check that training took the settings that the comparison names. Raises ``UsageError``."""
    record = read_json(run.training / "run.json", dict[str, Any])
    taken = record.get("settings", record)
    odd = [key for key, value in run.settings.items() if key != "start" and taken.get(key) != value]
    if odd:
        raise UsageError(
            f"{run.training}: expected the settings that the comparison began with, got another {', '.join(odd)}: "
            "a preset was changed meanwhile; remove the folder and start the command again"
        )


def settings(run: Run) -> list[str]:
    """Return what differs from the preset, the start included, as ``--set`` takes it."""
    return [*run.overrides, *(() if run.start is None else (f"start={run.start}",))]


def command_words(run: Run) -> list[str]:
    """Return the command that makes this run."""
    words = ["negotiate", "train", run.variant.method, "--preset", run.scale, "--seed", str(run.seed)]
    for override in settings(run):
        words += ["--set", override]
    return [*words, "--out", str(run.training), "--resume"]


def last_good(training: Path) -> Path | None:
    """Return the best adapter of a stopped run's last whole checkpoint, None if there is none."""
    rounds = sorted((training / "checkpoints").glob("round-*"))
    places = [*(folder / "best" for folder in rounds[-1:]), training / "best"]
    return next((place for place in places if (place / "adapter_config.json").is_file()), None)


FOLDER, _RECORD = "evaluation", "evaluation.json"
SUITES: Final = ("bad-cases", "online")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How policies are measured.

    Attributes:
        dialogues: held-out dialogues.
        trials: how often each bad case and online scenario is played.
        max_turns: agent messages in a held-out dialogue, as in training.
        threads: of torch, on a CPU.
        versions: of what decides figures, as the comparison began.
    """

    dialogues: int
    trials: int
    max_turns: int
    threads: int
    versions: Mapping[str, int] = field(default_factory=lambda: dict(VERSIONS))

    def record(self, run: Run) -> dict[str, Any]:
        """Return what a run's figures depend on."""
        return {
            "policy": policy_digest(run), "dialogues": self.dialogues, "trials": self.trials,
            "max_turns": self.max_turns, "versions": dict(self.versions),
        }  # fmt: skip

    def check_versions(self) -> None:
        """Check in a run's process that no version has changed since the comparison began. Raises ``UsageError``."""
        odd = [name for name, now in VERSIONS.items() if self.versions.get(name) != now]
        if odd:
            raise UsageError(
                f"expected the versions that the comparison began with, got another of {', '.join(odd)}: the "
                "sources were changed meanwhile; start the command again, from sources that stay as they are"
            )


def is_measured(run: Run, evaluation: Evaluation) -> bool:
    """Whether a run's folder holds these very figures."""
    try:
        return read_json(run.folder / _RECORD, dict[str, Any]) == evaluation.record(run)
    except DataFileError:
        return False


def measure(run: Run, evaluation: Evaluation) -> None:
    """Play what is missing and write the figures. The run must have left a policy."""
    import torch

    torch.set_num_threads(evaluation.threads)
    policy = policy_of(run)
    if policy is None:
        return
    for suite, trials in suites(evaluation):
        run_benchmark([policy], [suite], trials=trials, out=run.folder / FOLDER / suite.name, progress=False)
    write_json(run.folder / _RECORD, evaluation.record(run), indent=1)


def suites(evaluation: Evaluation) -> list[tuple[CaseSuite, int]]:
    """Return what is played, and how often."""
    live = held_out(evaluation.dialogues, evaluation.max_turns)
    return [(live, 1), *((load_suite(name), evaluation.trials) for name in SUITES)]


def scores_of(run: Run) -> list[Score]:
    """Return what each episode of a measured run adds to each figure."""
    return [score for path in _parts(run, SCORES) for score in read_scores(path)]


def faults_of(run: Run) -> int:
    """Return the episodes that an engine's fault spoiled; they are in no figure."""
    reports = [read_json(path, dict[str, Any]) for path in _parts(run, REPORT_JSON)]
    return sum(len(policy["faults"]) for report in reports for policy in report["policies"].values())


def _parts(run: Run, name: str) -> Sequence[Path]:
    return sorted((run.folder / FOLDER).glob(f"*/{name}"))


LOG: Final = "log.txt"
LOOK_EVERY: Final = 30.0
"""Seconds between two reports of what is running."""


@dataclass(frozen=True, slots=True)
class RunTask:
    """A run, and how its policy is measured."""

    run: Run
    evaluation: Evaluation


class Ended(NamedTuple):
    """How a task's process ended: ``error`` is "" where all went well."""

    task: RunTask
    seconds: float
    error: str


Execute = Callable[[Sequence[RunTask]], Iterator[Ended]]


def is_done(task: RunTask) -> bool:
    """Whether a task's run is trained and its policy measured; a run stopped without an adapter has none to measure.

    Raises:
        UsageError: the folder holds another run.
    """
    check_identity(task.run)
    found = outcome(task.run)
    if found is None:
        return False
    return (task.run.trains and found.adapter is None) or is_measured(task.run, task.evaluation)


def work(task: RunTask) -> None:
    """Do what a task still lacks, in this process."""
    task.evaluation.check_versions()
    check_identity(task.run)
    record_identity(task.run)
    if outcome(task.run) is None:
        train(task.run)
    if not is_done(task):
        measure(task.run, task.evaluation)


def in_processes(
    tasks: Sequence[RunTask], jobs: int, look: Callable[[Sequence[RunTask]], None] = lambda _: None
) -> Iterator[Ended]:
    """Do tasks in processes of their own, ``jobs`` at a time, in order; ``look`` hears now and then what is running.

    On Ctrl-C, or when the caller stops asking, what is running is ended; all of it goes on from its last checkpoint.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(tasks)
    running: dict[SpawnProcess, tuple[RunTask, float]] = {}
    looked = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                process = context.Process(target=_child, args=(task,), daemon=False)
                with interrupts_held_back():
                    process.start()
                    running[process] = task, time.monotonic()
            wait([process.sentinel for process in running], timeout=1.0)
            for process in [p for p in running if not p.is_alive()]:
                task, began = running.pop(process)
                process.join()
                yield Ended(task, time.monotonic() - began, _error(task, process.exitcode))
            if running and time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                look([task for task, _ in running.values()])
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.join()


def on_actors(tasks: Sequence[RunTask], ray: str, count: int = 0) -> Iterator[Ended]:
    """Do tasks on the actors of a Ray cluster, each in a process of its own on the actor's node.

    The comparison's folder has to be one that every node sees. A run whose actor was lost goes on from its last
    checkpoint.
    """
    with actors_or_here(_no_state, ray, count) as actors:
        yield from (ended for _, ended in actors.run(_on_actor, tasks))


def _no_state() -> str:
    return "none"


def _on_actor(state: str, task: RunTask) -> Iterator[Ended]:
    yield from in_processes([task], 1)


def _child(task: RunTask) -> None:
    """The process's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=leave_with_parent, daemon=True).start()
    task.run.folder.mkdir(parents=True, exist_ok=True)
    with (task.run.folder / LOG).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            work(task)
        except NegotiationError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(2)
        except Exception as error:
            traceback.print_exc()
            print(f"error: {error!r}", file=sys.stderr, flush=True)
            raise SystemExit(1) from error


def _error(task: RunTask, code: int | None) -> str:
    """Return what went wrong in a process, by its exit code and the last line of its log."""
    if code == 0:
        return ""
    if code is not None and code < 0:
        return f"ended by signal {-code} (memory?); the same command goes on with it"
    log = task.run.folder / LOG
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    last = next((line.removeprefix("error: ") for line in reversed(lines) if line.strip()), "no word")
    return f"{last} (see {log})"
