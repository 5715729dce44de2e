"""Plays and judges episodes, here or in worker processes; what comes out does not depend on which.

Worker processes are spawned and load policy, manager and reward by name. They serve policies that say they are
``parallel`` (no torch, no engine) with the rule-based manager and reader; everything else is played in this process, in
batches.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import resource_tracker
from typing import Final, NamedTuple

from benchmarks.metrics.judging import AssessedEpisode, judge
from benchmarks.metrics.policy_metrics import Part, observe
from benchmarks.runner.jobs import Job, versions_of
from negotiation_env.errors import NegotiationError
from negotiation_env.language.reading import Reader
from negotiation_env.play import registry
from negotiation_env.play.protocols import Manager, Policy, Reward
from negotiation_env.play.records import Episode
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import ReplayManager

CHUNK: Final = 64
"""Episodes that a worker is handed at a time."""
PARALLEL_MANAGERS: Final = frozenset({"rules"})
PARALLEL_READER: Final = "rules"


@dataclass(frozen=True, slots=True)
class EpisodeTask:
    """An episode to be judged, and to be played first if it is not there."""

    job: Job
    episode: Episode | None = None


class JudgedEpisode(NamedTuple):
    """A task's outcome."""

    job: Job
    played: AssessedEpisode
    parts: dict[str, Part]
    fresh: bool
    """Whether it was played now."""


class WorkerLostError(NegotiationError):
    """A worker process died."""


Save = Callable[[Job, Episode], None]


def cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_parallel(policy: Policy, manager: str, reader: Reader) -> bool:
    """Whether episodes of a policy may be played in worker processes."""
    parallel = bool(getattr(policy, "parallel", False))
    return parallel and manager in PARALLEL_MANAGERS and reader.name == PARALLEL_READER


def run_here(
    tasks: Sequence[EpisodeTask],
    policy: Policy,
    manager_name: str,
    manager: Manager,
    reward: Reward,
    reader: Reader,
    save: Save,
) -> Iterator[JudgedEpisode]:
    """Play what is missing in batches, then judge everything; ``save`` is called with each episode as it finishes."""
    found = {task.job.key: task.episode for task in tasks if task.episode is not None}
    for group in _groups([task.job for task in tasks if task.episode is None]):
        jobs = {job.case.id: job for job in group}

        def finish(episode: Episode, jobs: dict[str, Job] = jobs) -> None:
            job = jobs[episode.scenario_id]
            episode = replace(episode, policy=job.policy, versions=versions_of(job, manager_name, reader))
            found[job.key] = episode
            save(job, episode)

        _play(group, policy, manager, reward, reader, finish)
    for task in tasks:
        yield _judged(task, found[task.job.key])


def _judged(task: EpisodeTask, episode: Episode) -> JudgedEpisode:
    played = judge(task.job.case, episode)
    return JudgedEpisode(task.job, played, observe(played), task.episode is None)


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Group jobs that one rollout can play: scripted or live, same number of turns."""
    groups: dict[tuple[bool, int], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.case.script is None, job.case.max_turns), []).append(job)
    return list(groups.values())


def _play(
    jobs: list[Job],
    policy: Policy,
    manager: Manager,
    reward: Reward,
    reader: Reader,
    keep: Callable[[Episode], None],
) -> None:
    cases = [job.case for job in jobs]
    scripts = {case.id: case.script for case in cases if case.script is not None}
    rollout(
        policy,
        [case.scenario for case in cases],
        manager=ReplayManager(scripts) if scripts else manager,
        reward=reward,
        reader=reader,
        personas=[case.persona for case in cases],
        policy_seeds=[job.policy_seed for job in jobs],
        max_turns=cases[0].max_turns,
        batch_size=CHUNK,
        on_episode=keep,
    )


@cache
def _loaded_policy(spec: str) -> Policy:
    return registry.load_policy(spec)


@cache
def _loaded_manager(name: str) -> Manager:
    return registry.load_manager(name)


def _work(tasks: Sequence[EpisodeTask], manager: str) -> list[JudgedEpisode]:
    """Run a chunk of one policy's tasks in a worker process."""
    policy, host = _loaded_policy(tasks[0].job.spec), _loaded_manager(manager)
    reward, reader = registry.load_reward("repo"), registry.load_reader(PARALLEL_READER)
    return list(run_here(tasks, policy, manager, host, reward, reader, lambda job, episode: None))


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


def _begin_work() -> None:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when the parent is gone: killed, it cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_in_workers(tasks: Sequence[EpisodeTask], manager: str, workers: int, save: Save) -> Iterator[JudgedEpisode]:
    """Run tasks in worker processes, in chunks of one policy; outcomes come as chunks finish.

    On Ctrl-C chunks in work are finished and saved, and no other is begun.

    Raises:
        WorkerLostError: a worker died, most likely for want of memory.
    """
    context = multiprocessing.get_context("spawn")
    waiting = iter(_chunks(tasks))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_work) as pool:
        running: set[Future[list[JudgedEpisode]]] = set()
        try:
            while True:
                # Two chunks a worker: none waits for work, and little is lost when the run is stopped.
                while len(running) < 2 * workers and (chunk := next(waiting, None)) is not None:
                    with interrupts_held_back():  # a worker is started here
                        running.add(pool.submit(_work, chunk, manager))
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield from _saved(future, save)
        except BrokenProcessPool as error:
            raise WorkerLostError(
                "expected the worker processes to stay alive, one was killed (memory?): what was finished is kept, "
                "run again with fewer --workers"
            ) from error
        except KeyboardInterrupt:
            for future in running:
                if not future.cancel():
                    with suppress(BrokenProcessPool):  # its worker is gone: there is nothing to save
                        list(_saved(future, save))
            raise


def _saved(future: Future[list[JudgedEpisode]], save: Save) -> Iterator[JudgedEpisode]:
    for judged in future.result():
        if judged.fresh:
            save(judged.job, judged.played.episode)
        yield judged


def _chunks(tasks: Sequence[EpisodeTask]) -> list[list[EpisodeTask]]:
    """Cut tasks into chunks of one policy."""
    by_policy: dict[str, list[EpisodeTask]] = {}
    for task in tasks:
        by_policy.setdefault(task.job.policy, []).append(task)
    return [own[start : start + CHUNK] for own in by_policy.values() for start in range(0, len(own), CHUNK)]
