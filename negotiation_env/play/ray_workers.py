"""Work done by the actors of a Ray cluster; imported only where a cluster is named.

Ray places the actors (a placement group), says who is free (its ``ActorPool``) and streams their results, one by one.
Each has one CPU, and where there are GPUs its share of them. What an actor was at that is lost is done by the next one
that is free, while Ray looks for a place where another can start.

Every node needs this package, and what a path names: a policy's adapter, a suite. The actors' working folder is this
process's, where their node has it. An actor computes with as many threads as ``OMP_NUM_THREADS`` says here; where it
says nothing, with one.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util import placement_group, remove_placement_group
from ray.util.actor_pool import ActorPool
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from negotiation_env.errors import NegotiationError, UsageError
from negotiation_env.play.workers import Do, Make, Result, WorkerLostError, cores

LOCAL: Final = "local"
"""The address that starts Ray on this machine."""
REACHED_WITHIN: Final = 10.0
"""Seconds for something to listen at a cluster's address."""
JOINED_WITHIN: Final = 60.0
"""Seconds for that to answer as a Ray cluster."""
PLACED_WITHIN: Final = 120.0
"""Seconds for a cluster to make room for the actors."""
STARTED_WITHIN: Final = 300.0
"""Seconds for an actor to start where none is left."""
TRIES: Final = 3
"""How often work is given to another actor, or an actor started again, after one was lost over it."""
STORE: Final = 256 << 20
"""Bytes of a local cluster's object store; the largest object is an adapter."""


class RayActors:
    """Does work on actors, each with a state of its own; see ``workers.Workers``.

    Where Ray runs in this process already, it is used as it is, and stays.

    Args:
        make: makes an actor's state, on the actor's node.
        address: "local", "auto", or "HOST:PORT".
        count: how many actors; 0 for one on each free GPU, or on each free CPU where there is none.

    Raises:
        UsageError: there is no such cluster, or it has no room for as many actors.
    """

    def __init__(self, make: Make, address: str, count: int = 0) -> None:
        if count < 0:
            raise UsageError(f"--workers: expected at least 0 actors, got {count}")
        self._ours = not ray.is_initialized()
        if self._ours:
            _start(address, count)
        try:
            free = ray.available_resources() or ray.cluster_resources()
            gpus = float(free.get("GPU", 0.0))
            self.count = count or int(gpus) or max(1, int(free.get("CPU", 1.0)))
            share = {"CPU": 1.0} | ({"GPU": int(min(1.0, gpus / self.count) * 1e4) / 1e4} if gpus else {})
            self._group = placement_group([share] * self.count, strategy="SPREAD")
            if not self._group.wait(PLACED_WITHIN):
                raise UsageError(
                    f"--ray: expected room for {self.count} actors with {share} each, the cluster has "
                    f"{ray.cluster_resources()} and not as much is free: lower --workers, or add nodes"
                )
            self._new: Any = ray.remote(_Actor).options(
                num_cpus=1,
                num_gpus=share.get("GPU", 0.0),
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._group),
                runtime_env={} if address == LOCAL else {"env_vars": _passed_on()},
            )
            self._make = make
            self._actors: set[Any] = set()
            self._starting: dict[Any, Any] = {}
            self._pool = ActorPool([])
            for _ in range(self.count):
                self._start_one()
        except BaseException:
            self._leave()
            raise

    def __enter__(self) -> RayActors:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._actors:
            ray.kill(actor)
        remove_placement_group(self._group)
        self._leave()

    def _leave(self) -> None:
        if self._ours:
            ray.shutdown()

    def _start_one(self) -> None:
        actor = self._new.remote(self._make, str(Path.cwd()))
        self._actors.add(actor)
        self._starting[actor.ready.remote()] = actor

    def _replace(self, actor: Any, losses: int, error: RayError) -> None:
        """Start an actor in place of one that was lost. Raises ``WorkerLostError`` after too many losses."""
        self._actors.discard(actor)
        if losses > TRIES:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise WorkerLostError(
                f"expected an actor to stay alive, {losses} were lost over the same work (memory?): what was finished "
                f"is kept, run again with fewer --workers; Ray says: {said[0]} {said[-1]}"
            ) from error
        ray.kill(actor)  # where it is only out of reach
        self._start_one()

    def run(self, do: Do[Result], items: Iterable[Any], *shared: object) -> Iterator[tuple[int, Result]]:
        """Yield each result with its item's place; see ``Workers.run``. To be read to its end before another."""
        everywhere = [ray.put(value) for value in shared]
        waiting: deque[tuple[int, Any]] = deque(enumerate(items))
        streams: dict[Any, tuple[int | None, Any, Any]] = {}
        losses: Counter[int | None] = Counter()
        while waiting or streams:
            while waiting and self._pool.has_free():
                (number, item), actor = waiting.popleft(), self._pool.pop_idle()
                stream = actor.do.options(num_returns="streaming").remote(do, item, *everywhere)
                streams[stream] = number, item, actor
            ready, _ = ray.wait([*streams, *self._starting], num_returns=1, timeout=None if streams else STARTED_WITHIN)
            if not ready:
                raise WorkerLostError(
                    f"expected an actor to start within {STARTED_WITHIN:.0f} s, none did: see `ray status`; what was "
                    "finished is kept"
                )
            for one in ready:
                # Either an actor that has started, or an item's stream.
                place, item, actor = streams.get(one) or (None, None, self._starting.pop(one))
                try:
                    result = ray.get(one if place is None else next(one))
                except StopIteration:
                    del streams[one]
                    self._pool.push(actor)
                except RayTaskError as error:
                    if isinstance(error.cause, NegotiationError):
                        raise error.cause from None
                    raise
                except RayError as error:
                    losses[place] += 1
                    if place is not None:
                        del streams[one]
                        waiting.appendleft((place, item))
                    self._replace(actor, losses[place], error)
                else:
                    if place is None:
                        self._pool.push(actor)
                    else:
                        yield place, result


_PASSED_ON: Final = ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "NEGOTIATION_ENV_CACHE")


def _passed_on() -> dict[str, str]:
    """Return what other nodes' actors have of this process's environment; this machine's have all of it."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


class _Actor:
    """One worker. Its state is made with its first item, so that an error of that comes as the item's."""

    def __init__(self, make: Make, folder: str) -> None:
        self._make = make
        self._state: object = None
        if Path(folder).is_dir():
            os.chdir(folder)

    def ready(self) -> None:
        """Say that the actor has started."""

    def do(self, do: Do[Result], item: object, *shared: object) -> Iterator[Result]:
        if self._state is None:
            self._state = self._make()
        yield from do(self._state, item, *shared)


def tried(address: str) -> str:
    """Have one actor of a cluster answer; return in words what the cluster has, and how long that took.

    Raises:
        UsageError: there is no such cluster, or it has no room for an actor.
        WorkerLostError: the actor dies.
    """
    began = time.monotonic()
    with RayActors(_python, address, 1) as actors:
        ((_, version),) = actors.run(_version, [None])
        has = ray.cluster_resources()
        nodes = len([node for node in ray.nodes() if node["Alive"]])
    return (
        f"nodes {nodes}, CPUs {has.get('CPU', 0):.0f}, GPUs {has.get('GPU', 0):.0f}; an actor with Python {version} "
        f"answered after {time.monotonic() - began:.0f} s"
    )


def _python() -> str:
    return platform.python_version()


def _version(state: str, item: None) -> Iterator[str]:
    yield state


def _start(address: str, count: int) -> None:
    """Connect this process with a cluster, or start one.

    Raises:
        UsageError: there is none, or none can be started.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        quiet |= {"include_dashboard": False, "num_cpus": max(count, cores()), "object_store_memory": STORE}
    elif address.startswith("ray://"):
        raise UsageError(
            f"--ray: expected local, auto or HOST:PORT, got {address}: results do not stream through Ray's client; "
            "run the command on a node of the cluster, or with `ray job submit`"
        )
    elif address != "auto":
        _knock(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises plain ones too, where a part of it does not start
        raise UsageError(
            f"--ray {address}: expected a Ray cluster, got {type(error).__name__} "
            f"({str(error).strip().splitlines()[0]}): see `ray status` on a node of it; `--ray local` needs none"
        ) from error


def _knock(address: str) -> None:
    """Raise ``UsageError`` where no cluster is at an address: Ray itself would go on asking, and not hear of Ctrl-C."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--ray: expected local, auto or HOST:PORT, got {address!r}: `ray status` prints a cluster's")
    try:
        socket.create_connection((host, int(port)), timeout=REACHED_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--ray {address}: expected a Ray cluster there, nothing answers ({error}): start one with "
            f"`ray start --head --port {port}`, or use --ray local"
        ) from error
    joins = [sys.executable, "-c", "import ray, sys; ray.init(address=sys.argv[1])", address]
    try:
        tried = subprocess.run(joins, capture_output=True, text=True, timeout=JOINED_WITHIN, check=False)
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"--ray {address}: expected a Ray cluster there, it did not answer as one within {JOINED_WITHIN:.0f} s: "
            "see `ray status` on the first node"
        ) from error
    if tried.returncode:
        said = tried.stderr.strip().splitlines() or ["no word"]
        raise UsageError(f"--ray {address}: expected a Ray cluster that can be joined from here, Ray says: {said[-1]}")
