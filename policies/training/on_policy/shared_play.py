"""A run's dialogues, played by the learner's own processes or shared out over the actors of a Ray cluster.

Of several processes under ``accelerate launch`` each plays a block, and all get all of it, in the scenarios' order.
Every actor holds an engine of its own, which gets the policy's adapter with each round. A round is cut into parts that
do not depend on how many actors there are, and put together in the scenarios' order. A reply depends on its own request
alone (see ``TransformersEngine``), so a run's weights are the same, bit by bit, as those of a run without Ray on
machines of the same kind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, NamedTuple

import torch

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import RolloutEngine
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import UsageError
from negotiation_env.files import write_folder
from negotiation_env.game.scenario import Scenario
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.play.registry import load_manager, load_reader, load_reward
from negotiation_env.play.workers import Here, Workers, actors_or_here
from negotiation_env.training.processes import ProcessGroup
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.methods import Method, load_method
from policies.training.on_policy.samples import SampledRound, SamplingAgent, play

PART: Final = 8
"""Replies that an actor samples at a time: a part's dialogues times the size of a group."""


class RoundPart(NamedTuple):
    """Dialogues that are played together."""

    scenarios: Sequence[Scenario]
    training: bool
    """Whether replies are sampled and credited as the method learns from them, or as the finished agent is measured."""


class PolicyWeights(NamedTuple):
    """The policy's adapter as arrays by the parameters' names, and which it is: counted from 1."""

    number: int
    arrays: dict[str, Any]


class Sampler:
    """The engine that replies are sampled from, kept at the policy's weights.

    By default it is the trained base itself, which holds the policy: nothing is copied. With the preset's ``rollout``
    it is an engine of its own, which takes the policy as a PEFT folder before each round and each measurement (vLLM
    swaps the adapter in its place, without loading its base again). Its log-probabilities are not exactly those of the
    trained model; the figure ``sampling_gap`` says by how much.

    Args:
        actor: the models; its preset's ``rollout`` says which engine it is.
        folder: the weights go into it; one that every process can read.

    Raises:
        EngineSpecError, EngineMissingError: if the engine cannot be opened.
        UsageError: if it takes no weights.
    """

    def __init__(self, actor: ActorCritic, folder: Path) -> None:
        self.actor, self._folder = actor, folder.resolve()
        self.engine: RolloutEngine = actor.engine
        if actor.preset.rollout is not None:
            self._write()
            self.engine = self._opened(actor.preset.rollout)

    def _opened(self, rollout: str) -> RolloutEngine:
        preset, (kind, mark, options) = self.actor.preset, rollout.partition("?")
        if kind == "hf":  # as the trained base is, but for the adapter
            return TransformersEngine(str(self._folder), dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
        engine = load_engine(f"{kind}:{self._folder}{mark}{options}")
        if not isinstance(engine, RolloutEngine):
            raise UsageError(f"rollout: expected an engine that takes weights, got {rollout!r}: leave it out")
        return engine

    def renew(self) -> None:
        """Give the engine the policy's weights as they are now."""
        if self.engine is self.actor.engine:
            self.actor.engine.forget_prompts()
        else:
            self._write()
            self.engine.renew()

    @contextmanager
    def ready(self) -> Iterator[RolloutEngine]:
        """The engine, for as long as replies are sampled."""
        with self.actor.whole_base() if self.engine is self.actor.engine else nullcontext():
            yield self.engine

    def _write(self) -> None:
        """Write the policy's weights. What comes of the last ones has been gathered, so each process has read them."""
        self.actor.processes.on_main(lambda: write_folder(self._folder, self.actor.save_policy))


class DialoguePlayer:
    """What one worker plays dialogues with.

    Args:
        method: whose reward is credited, and its settings.
        actor: the models.
        folder: for weights on their way to an engine of its own, see ``Sampler``.
    """

    def __init__(self, method: Method, actor: ActorCritic, folder: Path) -> None:
        self.method, self.actor = method, actor
        self.sampler = Sampler(actor, folder)
        preset = method.preset
        self.manager, self.reward = load_manager(preset.manager), load_reward(preset.reward)
        self.reader = load_reader(preset.reader)
        self._number = 0

    def play(self, part: RoundPart, newest: PolicyWeights | None) -> Iterator[SampledRound]:
        """Yield one thing: the part played, with the newest policy, or as the models are."""
        preset = self.method.preset
        if newest is None:
            self.sampler.renew()
        elif newest.number != self._number:
            self._take(newest)
        with self.sampler.ready() as engine:
            agent = SamplingAgent(
                engine,
                self.reward,
                preset.max_reply_tokens,
                preset.group_size if part.training else 1,
                temperature=preset.temperature,
                reader=self.reader,
                prompt=preset.prompt,
            )
            played = play(
                agent,
                part.scenarios,
                self.method.read if part.training else _total,
                manager=self.manager,
                max_turns=preset.max_turns,
                turn_discount=preset.turn_discount if part.training else 0.0,
                batch_size=preset.rollout_batch,
            )
        yield played

    def _take(self, newest: PolicyWeights) -> None:
        with torch.no_grad():
            for name, parameter in self.actor.policy_parameters().items():
                parameter.copy_(torch.tensor(newest.arrays[name]))
        self.sampler.renew()
        self._number = newest.number


def _total(breakdown: RewardBreakdown) -> float | None:
    return breakdown.total


def open_player(name: str, settings: dict[str, Any]) -> DialoguePlayer:
    """Return a player with an engine of its own, as a Ray actor has it, for a method and its preset's settings."""
    method = load_method(name, settings)
    preset = method.preset
    torch.set_num_threads(preset.torch_threads)
    engine = TransformersEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    actor = ActorCritic(engine, preset, with_value=False, processes=ProcessGroup(alone=True))
    return DialoguePlayer(method, actor, Path(tempfile.gettempdir()) / f"rollout-{os.getpid()}")


class SharedPlay:
    """Plays a run's dialogues where the run says. Use it as a context: on leaving, actors go.

    Of several processes of a run each plays a block of the dialogues; with Ray, its actors play all of them.

    Args:
        method: whose reward is credited, and its settings.
        actor: the learner's models.
        folder: of the run.
        ray: a Ray cluster's address, see ``workers.actors_or_here``; None plays with the learner's models.
        count: how many actors; 0 for as many as fit.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """

    def __init__(
        self, method: Method, actor: ActorCritic, folder: Path, ray: str | None = None, count: int = 0
    ) -> None:
        self._actor, self._folder = actor, folder / "rollout"
        self._part = max(1, PART // method.preset.group_size)
        self._number = 0
        self._workers: Workers | None = None
        if ray is None:
            self._workers = Here(partial(DialoguePlayer, method, actor, self._folder))
        elif actor.processes.is_main:
            make = partial(open_player, method.name, method.preset.model_dump())
            self._workers = actors_or_here(make, ray, count)

    def __enter__(self) -> SharedPlay:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._workers is not None:
            self._workers.__exit__(*error)
        if self._actor.processes.is_main:
            rmtree(self._folder, ignore_errors=True)

    def play(self, scenarios: Sequence[Scenario], training: bool = True) -> SampledRound:
        """Play scenarios once with the policy as it is now; see ``RoundPart`` for ``training``."""
        processes = self._actor.processes
        if isinstance(self._workers, Here):
            part = RoundPart(processes.share(scenarios), training)
            ((_, played),) = self._workers.run(DialoguePlayer.play, [part], None)
            return together(processes.gather(played))
        return processes.on_main(lambda: self._on_ray(scenarios, training))

    def _on_ray(self, scenarios: Sequence[Scenario], training: bool) -> SampledRound:
        if self._workers is None:
            raise ValueError("expected the first process to play on Ray, got another")
        cuts = range(0, len(scenarios), self._part)
        parts = [RoundPart(scenarios[cut : cut + self._part], training) for cut in cuts]
        self._number += 1
        arrays = {name: p.detach().cpu().numpy() for name, p in self._actor.policy_parameters().items()}
        found = dict(self._workers.run(DialoguePlayer.play, parts, PolicyWeights(self._number, arrays)))
        return together([found[place] for place in range(len(parts))])


def together(parts: Sequence[SampledRound]) -> SampledRound:
    """Return the parts of a round, in their order, as one."""
    return SampledRound(
        samples=list(chain.from_iterable(part.samples for part in parts)),
        episodes=list(chain.from_iterable(part.episodes for part in parts)),
        sampled=sum(part.sampled for part in parts),
        unscored=sum(part.unscored for part in parts),
        faults=sum(part.faults for part in parts),
        empty=sum(part.empty for part in parts),
        breakdowns=list(chain.from_iterable(part.breakdowns for part in parts)),
    )
