"""Plays and judges chunks of episodes; what comes out does not depend on where, or on how many do it.

A chunk's episodes are of one policy, all scripted or all live, and have as many turns; they are played in one batch.
The cut is made over the whole run, whatever of it is on disk already. Language models in this project's own engine say
the same in every batch; one whose arithmetic changes with the batch (vLLM) says the same in the same chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from benchmarks.metrics.judging import AssessedEpisode, judge
from benchmarks.metrics.policy_metrics import Part, observe
from benchmarks.runner.jobs import Job, versions_of
from negotiation_env.language.reading import Reader
from negotiation_env.play import registry
from negotiation_env.play.protocols import Policy
from negotiation_env.play.records import Episode
from negotiation_env.play.rollout import finished_episodes
from simulators.managers.replay_manager import ReplayManager

CHUNK: Final = 64
"""Episodes that are played together, unless a run says otherwise."""
LIGHT_MANAGERS: Final = frozenset({"rules"})
LIGHT_READER: Final = "rules"


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


class PolicyTraits(NamedTuple):
    """What a run needs to know of a policy that its workers have opened."""

    reader: str
    """Name of who reads its messages."""
    light: bool
    """Whether playing it needs no model: neither policy nor manager nor reader has one."""


class EpisodePlayer:
    """What one worker plays with: manager, reward, readers and policies, each opened once.

    Args:
        manager: who answers in live cases, by name.
        llm: engine of a manager that a language model voices.
        reader: who reads the policies' messages, by name; "auto" for each policy's own.

    Raises:
        UsageError: there is no such manager or reward.
    """

    def __init__(self, manager: str, llm: str, reader: str) -> None:
        self._name, self._reader = manager, reader
        self._manager, self._reward = registry.load_manager(manager, llm), registry.load_reward("repo")
        self._policies: dict[str, tuple[Policy, Reader]] = {}

    def _opened(self, spec: str) -> tuple[Policy, Reader]:
        if spec not in self._policies:
            policy = registry.load_policy(spec)
            self._policies[spec] = policy, registry.reader_for(policy, self._reader)
        return self._policies[spec]

    def look(self, spec: str) -> Iterator[PolicyTraits]:
        """Open a policy and yield what it is like. Raises ``UsageError`` where there is none."""
        policy, reader = self._opened(spec)
        name = registry.suited_reader(policy) if self._reader == registry.AUTO else self._reader
        light = bool(getattr(policy, "parallel", False)) and reader.name == LIGHT_READER
        yield PolicyTraits(name, light and self._name in LIGHT_MANAGERS)

    def play(self, chunk: Sequence[EpisodeTask]) -> Iterator[JudgedEpisode]:
        """Judge what was played before; play what is missing of the chunk, in one batch, and judge that."""
        yield from (_judged(task.job, task.episode, False) for task in chunk if task.episode is not None)
        jobs = [task.job for task in chunk if task.episode is None]
        if not jobs:
            return
        policy, reader = self._opened(jobs[0].spec)
        cases = [job.case for job in jobs]
        scripts = {case.id: case.script for case in cases if case.script is not None}
        for place, episode in finished_episodes(
            policy,
            [case.scenario for case in cases],
            manager=ReplayManager(scripts) if scripts else self._manager,
            reward=self._reward,
            reader=reader,
            personas=[case.persona for case in cases],
            policy_seeds=[job.policy_seed for job in jobs],
            max_turns=cases[0].max_turns,
            batch_size=len(jobs),
        ):
            job = jobs[place]
            played = replace(episode, policy=job.policy, versions=versions_of(job, self._name, reader))
            yield _judged(job, played, True)


def _judged(job: Job, episode: Episode, fresh: bool) -> JudgedEpisode:
    played = judge(job.case, episode)
    return JudgedEpisode(job, played, observe(played), fresh)


def chunks_of(tasks: Sequence[EpisodeTask], size: int) -> list[list[EpisodeTask]]:
    """Cut tasks, in their order, into chunks of at most ``size`` that one batch can play."""
    groups: dict[tuple[str, bool, int], list[EpisodeTask]] = {}
    for task in tasks:
        case = task.job.case
        groups.setdefault((task.job.policy, case.script is None, case.max_turns), []).append(task)
    return [own[start : start + size] for own in groups.values() for start in range(0, len(own), size)]
