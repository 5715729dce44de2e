"""What a process uses up: wall and CPU seconds and peak memory, on disk every few seconds, so that a kill keeps it.

``usage.json`` lists the processes that worked on a run; a resumed run has several.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from policies.training.run_files import write_text

FILE: Final = "usage.json"
EVERY: Final = 2.0
"""Seconds between two looks."""


class Usage(NamedTuple):
    """What one or more processes used up.

    Attributes:
        seconds: wall time, start of the training libraries and generation of data included.
        cpu_seconds: of all threads.
        peak_memory_mb: MiB; the GPU's on CUDA, else the process's resident set.
        processes: how many worked on it; above 1 the run was resumed, and some of its work done twice.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    processes: int


def read_usage(folder: Path) -> Usage | None:
    """Return what a folder's run used up, None where nothing was measured."""
    try:
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Usage(
        sum(row["seconds"] for row in rows),
        sum(row["cpu_seconds"] for row in rows),
        max(row["peak_memory_mb"] for row in rows),
        len(rows),
    )


@contextmanager
def measured(folder: Path) -> Iterator[None]:
    """Add a row to the folder's ``usage.json``, and keep it up to date until the block ends."""
    path = folder / FILE
    earlier: list[Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    began = time.monotonic(), time.process_time()
    over = threading.Event()

    def write() -> None:
        row = {
            "seconds": round(time.monotonic() - began[0], 2),
            "cpu_seconds": round(time.process_time() - began[1], 2),
            "peak_memory_mb": round(peak_memory_mb(), 1),
        }
        write_text(path, json.dumps([*earlier, row]) + "\n")

    def look() -> None:
        while not over.wait(EVERY):
            write()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        write()


def peak_memory_mb() -> float:
    """Return the most memory used so far, MiB: the GPU's where CUDA is in use, else the process's resident set."""
    torch = sys.modules.get("torch")  # not imported for this: SFT and the others must pay for their own libraries only
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
