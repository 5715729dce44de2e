"""Where work is done: in this process, in processes beside it, or by the actors of a Ray cluster (``ray_workers``).

Work is a function of a worker's state and an item, which yields results. Every worker makes its state once, from what
``make`` names: whatever takes long to open is in it. Items are the same wherever they are done, each by one worker from
beginning to end; so what is computed in one batch does not depend on where, nor on how many workers there are.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Protocol, TypeVar

from negotiation_env.errors import NegotiationError
from negotiation_env.training import optional_module

Result = TypeVar("Result")
Do = Callable[..., Iterable[Result]]
"""Work: takes the worker's state, an item, and what is shared; a function of a module or of a class in one."""
Make = Callable[[], object]
"""Makes a worker's state; it is pickled by name, with its arguments."""


class WorkerLostError(NegotiationError):
    """A worker died."""


class Workers(Protocol):
    """Who does work. To be used as a context: on leaving, the workers go."""

    count: int
    """How many there are."""

    def __enter__(self) -> Workers:
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the workers go."""
        ...

    def run(self, do: Do[Result], items: Iterable[Any], *shared: object) -> Iterator[tuple[int, Result]]:
        """Yield each result of ``do(state, item, *shared)`` with the item's place, as results come.

        An item's results may come again, in another order, where the worker that did it was lost half-way: the caller
        takes the first of each. On Ctrl-C what is finished may still come before ``KeyboardInterrupt``.

        Raises:
            WorkerLostError: a worker died, and nobody could do its work.
        """
        ...


class Here:
    """Does work in this process, one item after another; results come one by one."""

    count = 1

    def __init__(self, make: Make) -> None:
        self._state = make()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, do: Do[Result], items: Iterable[Any], *shared: object) -> Iterator[tuple[int, Result]]:
        """Yield each result with its item's place; see ``Workers.run``."""
        for place, item in enumerate(items):
            for result in do(self._state, item, *shared):
                yield place, result


class Processes:
    """Does work in spawned processes of this machine; an item's results come together.

    Args:
        make: makes a process's state.
        count: how many processes, at least 1; the main module must be one that can be imported without running.
    """

    def __init__(self, make: Make, count: int) -> None:
        self.count = count
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin_work, initargs=(make,))

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, do: Do[Result], items: Iterable[Any], *shared: object) -> Iterator[tuple[int, Result]]:
        """Yield each result with its item's place; see ``Workers.run``. On Ctrl-C items in work are finished."""
        waiting = enumerate(items)
        running: dict[Future[list[Result]], int] = {}
        try:
            while True:
                # Two items a process: none waits for work, and little is lost when the run is stopped.
                while len(running) < 2 * self.count and (following := next(waiting, None)) is not None:
                    with interrupts_held_back():  # a process is started here
                        running[self._pool.submit(_work, do, following[1], shared)] = following[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    place = running.pop(future)
                    yield from ((place, result) for result in future.result())
        except BrokenProcessPool as error:
            raise WorkerLostError(
                "expected the worker processes to stay alive, one was killed (memory?): what was finished is kept, "
                "run again with fewer --workers"
            ) from error
        except KeyboardInterrupt:
            for future, place in running.items():
                if not future.cancel():
                    with suppress(BrokenProcessPool):  # its process is gone: nothing came of it
                        yield from ((place, result) for result in future.result())
            raise


_state: list[object] = []
"""In a worker process: its state."""


def _begin_work(make: Make) -> None:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    _state.append(make())


def _work(do: Do[Result], item: object, shared: tuple[object, ...]) -> list[Result]:
    return list(do(_state[0], item, *shared))


def leave_with_parent() -> None:
    """End this process when the parent is gone: killed, it cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def actors_or_here(make: Make, ray: str | None, count: int = 0) -> Workers:
    """Return the actors of a Ray cluster, or this process where none is named.

    Args:
        make: makes a worker's state.
        ray: "local" starts Ray on this machine; "auto" or "HOST:PORT" is a running cluster; None uses no Ray.
        count: how many actors; 0 for one on each GPU, or on each CPU where there is none.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster, or it has no room for as many actors.
    """
    if ray is None:
        return Here(make)
    actors: Workers = optional_module("negotiation_env.play.ray_workers", "ray").RayActors(make, ray, count)
    return actors


def cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back: it comes when the block is done, and a process that is started in the block never hears it.

    Ctrl-C reaches the whole process group, and a worker can ignore it only once Python and its modules are loaded. A
    process inherits which signals are blocked, so it starts with this one blocked. The handler is another one
    meanwhile, because a thread of a library may take the signal in the main thread's place.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # starting it, as the first process would, unblocks the signal
    held: list[object] = []
    handler = signal.signal(signal.SIGINT, lambda *call: held.append(call))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, handler)
    if held:
        signal.raise_signal(signal.SIGINT)
