"""Our side: REPO's rounds as ``policies.training.on_policy.loop`` runs them, play and then learning.

Without the loop's evaluations, checkpoints and logs, which TRL's side is spared as well. Everything else is in it: the
value model, the reward model's and the judge's adapters, the rules, the hotel's answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.trl_speed.side import Clock, Measured, Round, TimedReward
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.protocols import AgentReply, AgentView, Reward
from negotiation_env.registry import load_manager, load_reward
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.learner import Learner
from policies.training.on_policy.loop import peak_memory_mb
from policies.training.on_policy.samples import Played, SamplingAgent, play
from policies.training.on_policy.scenarios import training_scenarios
from policies.training.repo import Repo
from rewards.adapter_judge import AdapterJudge
from rewards.reply_reader import ReplyReader
from rewards.repo import RepoReward
from rewards.reward_model import AdapterRewardModel, base_of


class _TimedAgent(SamplingAgent):
    """The sampling agent, its replies counted as the part "generate"."""

    clock: Clock

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        with self.clock.part("generate"):
            return super().reply(views)


def open_reward(spec: str, adapters: tuple[Path, Path] | None) -> Reward:
    """Return a reward by name, or REPO's with these folders as reward model and judge.

    The two share one reader, as the shipped adapters do.
    """
    if adapters is None:
        return load_reward(spec)
    reader = ReplyReader(base_of(adapters[0]))
    return RepoReward(AdapterRewardModel(reader, adapters[0]), AdapterJudge(reader, adapters[1]))


def measure(method: Repo, rounds: int, reward: str, adapters: tuple[Path, Path] | None = None) -> Measured:
    """Run a warm-up round and then ``rounds`` rounds.

    Args:
        method: REPO with its preset; the preset's own ``reward`` is not read.
        rounds: rounds that count, at least 1.
        reward: name of the reward.
        adapters: folders of reward model and judge, in place of ``reward``.
    """
    preset, clock = method.preset, Clock()
    torch.set_num_threads(preset.torch_threads)
    manager, scorer = load_manager(preset.manager), TimedReward(open_reward(reward, adapters), clock)
    engine = TransformersEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    found: list[Round] = []
    with ActorCritic(engine, preset, with_value=method.has_value) as actor:
        learner = Learner(method, actor)
        agent = _TimedAgent(engine, scorer, preset.max_reply_tokens, preset.group_size, temperature=preset.temperature)
        agent.clock = clock
        clock.lap("learn")
        for number in range(rounds + 1):
            before = learner.steps
            engine.forget_prompts()
            with clock.part("generate"):  # the hotel's answers too
                played = play(
                    agent,
                    training_scenarios(preset.seed, number * preset.dialogues, preset.dialogues),
                    method.read,
                    manager=manager,
                    max_turns=preset.max_turns,
                    turn_discount=preset.turn_discount,
                    batch_size=preset.rollout_batch,
                )
            with clock.part("learn"):
                learner.learn(played.samples, number)
            found.append(_round(played, learner.steps - before, clock))
        device = actor.base.device
    what = f"REPO, value model, reward {'of adapters' if adapters else reward}"
    return Measured("repo", what, found[1:], peak_memory_mb(device), str(device), torch.get_num_threads())


def _round(played: Played, steps: int, clock: Clock) -> Round:
    found = clock.lap("learn")
    found.replies = played.sampled
    found.reply_tokens = sum(len(s.reply) for s in played.samples)
    found.prompt_tokens = sum(len(s.prompt) for s in played.samples)
    found.optimiser_steps = steps
    return found
