"""Worker processes and Ctrl-C: held back while one is started, and a run that is interrupted then ends cleanly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.play import workers
from negotiation_env.play.workers import Processes, interrupts_held_back

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(autouse=True)
def interrupted_as_usual() -> Iterator[None]:
    """A test run that a shell has put in the background is deaf to Ctrl-C, and so are the processes that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_comes_when_the_block_is_done_and_the_handler_is_the_old_one_again() -> None:
    before, done = signal.getsignal(signal.SIGINT), False
    with pytest.raises(KeyboardInterrupt), interrupts_held_back():
        os.kill(os.getpid(), signal.SIGINT)
        done = True
    assert done
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with interrupts_held_back():
        pass


def test_an_error_in_the_block_comes_through() -> None:
    with pytest.raises(RuntimeError, match="no process"), interrupts_held_back():
        raise RuntimeError("no process")
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


@LINUX
def test_a_process_started_in_the_block_is_deaf_to_ctrl_c_from_its_first_moment() -> None:
    with interrupts_held_back():
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.1,))
        process.start()
    assert process.pid is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    blocked = int(next(line for line in status.splitlines() if line.startswith("SigBlk")).split()[1], 16)
    assert blocked & 1 << (signal.SIGINT - 1)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 0


def test_workers_that_are_gone_do_not_hide_the_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool:
        def __init__(self, *arguments: Any, **named: Any) -> None: ...
        def shutdown(self) -> None: ...
        def submit(self, *arguments: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            future.set_exception(BrokenProcessPool("gone"))
            return future

    def interrupted(*arguments: Any, **named: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(workers, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt), Processes(dict, 2) as processes:
        list(processes.run(divmod, [1, 2]))


@LINUX
def test_ctrl_c_while_workers_start_ends_with_one_line(tmp_path: Path) -> None:
    code = "from benchmarks.cli.main import main; main()"
    command = [sys.executable, "-c", code, "bench", "-p", "random", "-s", "bad-cases", "--trials", "3"]
    run = subprocess.Popen(
        [*command, "--workers", "2", "-q", "-o", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")

    def workers_started() -> bool:
        lines = [Path(f"/proc/{pid}/cmdline") for pid in children.read_text().split()]
        return any("spawn_main" in line.read_text() for line in lines if line.exists())

    while run.poll() is None and not workers_started():
        time.sleep(0.01)
    time.sleep(0.3)  # the worker is loading its modules now
    os.killpg(run.pid, signal.SIGINT)
    printed, _ = run.communicate(timeout=120)
    assert run.returncode == 130, printed
    assert "interrupted; what was finished is kept" in printed
    assert "Traceback" not in printed and "KeyboardInterrupt" not in printed
