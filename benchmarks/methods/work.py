"""One run's work, here or in a process of its own: train what is not trained, measure what is not measured.

A process of its own per run, so that peak memory is that run's. Processes are spawned, end with their parent, and
write what they say to the run's ``log.txt``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final, NamedTuple

from benchmarks.methods.evaluation import Evaluation, is_measured, measure
from benchmarks.methods.runs import Run, check_identity, outcome, record_identity
from negotiation_env.engines.protocol import EngineMissingError, EngineSpecError
from negotiation_env.errors import NegotiationError

LOG: Final = "log.txt"
LOOK_EVERY: Final = 30.0
"""Seconds between two reports of what is running."""


@dataclass(frozen=True, slots=True)
class Task:
    """A run, and how its policy is measured."""

    run: Run
    evaluation: Evaluation


class Ended(NamedTuple):
    """How a task's process ended: ``error`` is "" where all went well."""

    task: Task
    seconds: float
    error: str


Execute = Callable[[Sequence[Task]], Iterator[Ended]]


def is_done(task: Task) -> bool:
    """Whether a task's run is trained and its policy measured; a run stopped without an adapter has none to measure.

    Raises:
        UsageError: the folder holds another run.
    """
    check_identity(task.run)
    found = outcome(task.run)
    if found is None:
        return False
    return (task.run.trains and found.adapter is None) or is_measured(task.run, task.evaluation)


def work(task: Task) -> None:
    """Do what a task still lacks, in this process."""
    from benchmarks.methods.training import train

    task.evaluation.check_rules()
    check_identity(task.run)
    record_identity(task.run)
    if outcome(task.run) is None:
        train(task.run)
    if not is_done(task):
        measure(task.run, task.evaluation)


def in_processes(
    tasks: Sequence[Task], jobs: int, look: Callable[[Sequence[Task]], None] = lambda _: None
) -> Iterator[Ended]:
    """Do tasks in processes of their own, ``jobs`` at a time, in order; ``look`` hears now and then what is running.

    On Ctrl-C, or when the caller stops asking, what is running is ended; all of it goes on from its last checkpoint.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(tasks)
    running: dict[SpawnProcess, tuple[Task, float]] = {}
    looked = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                process = context.Process(target=_child, args=(task,), daemon=False)
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


def _child(task: Task) -> None:
    """The process's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    task.run.folder.mkdir(parents=True, exist_ok=True)
    with (task.run.folder / LOG).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            work(task)
        except (NegotiationError, EngineSpecError, EngineMissingError) as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(2)
        except Exception as error:
            traceback.print_exc()
            print(f"error: {error!r}", file=sys.stderr, flush=True)
            raise SystemExit(1) from error


def _leave_with_parent() -> None:
    """End this process when the parent is gone: a run in nobody's care would collide with its own resumption."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _error(task: Task, code: int | None) -> str:
    """Return what went wrong in a process, by its exit code and the last line of its log."""
    if code == 0:
        return ""
    if code is not None and code < 0:
        return f"ended by signal {-code} (memory?); the same command goes on with it"
    log = task.run.folder / LOG
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    last = next((line.removeprefix("error: ") for line in reversed(lines) if line.strip()), "no word")
    return f"{last} (see {log})"
