"""A queue of commands, one after another, that goes on after any stop: ``negotiate train --queue runs.toml --resume``.

The file lists commands as they are typed, without ``negotiate``::

    [[run]]
    command = "train sft --preset small --out runs/sft"

    [[run]]
    command = "train repo --preset small --init runs/sft --seed 1 --out runs/repo-1"

Each runs in a process of its own, which ends with its parent, so a killed queue leaves nothing behind that would train
on. What is finished stands in ``runs.done.jsonl`` beside the file; a training that was cut off is told ``--resume`` and
goes on from its last checkpoint. A command that fails is told, and the next ones run all the same.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from negotiation_env.errors import UsageError
from negotiation_env.files import Many, Table, Text, append_line, read_lines, read_toml

RESUMABLE: Final = frozenset({"base", "sft", "dpo", "ppo", "grpo", "repo", "rm", "reader", "voice"})
"""Methods whose runs go on from a checkpoint."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the parent."""
KNOWN: Final = ("train", "data", "bench", "study")
"""What a command may begin with."""


class QueuedRun(Table):
    """A command of a queue."""

    command: Text


class Queue(Table):
    """A queue's file."""

    run: Many[QueuedRun]


class FinishedRun(Table):
    """A line of the file of what is finished."""

    command: Text
    seconds: float


def read_queue(path: Path) -> list[str]:
    """Return a queue's commands. Raises ``DataFileError`` or ``UsageError`` where the file is wrong."""
    commands = [run.command for run in read_toml(path, Queue).run]
    for command in commands:
        words = shlex.split(command)
        if len(words) < 2 or words[0] not in KNOWN or "--queue" in words:
            raise UsageError(
                f"{path}: expected commands that begin with {', '.join(KNOWN)}, as they are typed behind negotiate, "
                f"got {command!r}"
            )
    if len(set(commands)) < len(commands):
        raise UsageError(f"{path}: expected every command once, got one twice: give runs their own --out")
    return commands


def run_queue(path: Path, resume: bool, tell: Callable[[str], None]) -> list[str]:
    """Run what is not finished, in order; return the commands that failed.

    Args:
        path: the queue's file.
        resume: go on with a queue that was begun.
        tell: hears a line when a command begins and ends.

    Raises:
        DataFileError, UsageError: the file is wrong, or the queue was begun and ``resume`` is off.
    """
    commands, record = read_queue(path), path.with_suffix(".done.jsonl")
    done = {line.command for line in read_lines(record, FinishedRun, torn=True)} if record.is_file() else set()
    if done and not resume:
        raise UsageError(f"{record}: {len(done)} of the queue's runs are finished: pass --resume, or remove the file")
    failed = []
    for place, command in enumerate(commands, 1):
        if command in done:
            continue
        tell(f"[{place}/{len(commands)}] negotiate {command}")
        began = time.monotonic()
        code = _in_process(resumed(shlex.split(command)))
        seconds = time.monotonic() - began
        tell(f"[{place}/{len(commands)}] {'finished' if code == 0 else f'failed, exit status {code}'}, {seconds:.0f} s")
        if code:
            failed.append(command)
        else:
            append_line(record, FinishedRun(command=command, seconds=round(seconds, 1)).model_dump())
    return failed


def resumed(words: Sequence[str]) -> list[str]:
    """Return a command's words as they are run: a training that can go on is told to."""
    goes_on = words[0] == "train" and words[1] in RESUMABLE and "--resume" not in words
    return [*words, "--resume"] if goes_on else list(words)


def _in_process(words: Sequence[str]) -> int:
    """Run a command in a process of its own, and return its exit status; the process is ended if this one stops."""
    process = subprocess.Popen([sys.executable, "-c", f"from {__name__} import run_here; run_here()", *words])
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def run_here() -> None:
    """Run the command that this process was started with, as long as its parent lives."""
    from benchmarks.cli.main import app

    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    app()


def _leave_with_parent(parent: int) -> None:
    """End this process when the parent is gone: a run in nobody's care would collide with its own resumption."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
