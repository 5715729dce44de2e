"""The two sides of ``trl_speed``, each measured in this process by the same clock.

Ours: REPO's rounds as ``policies.training.on_policy.loop`` runs them, play and then learning, without the loop's
evaluations, checkpoints and logs, which TRL's side is spared as well. Everything else is in it: the value model, the
reward model's and the judge's adapters, the rules, the hotel's answers.

TRL's: GRPOTrainer with the preset's model, adapter, batch, lengths and passes, in two ways.

- ``trl``: a sample is one reply to one situation of the environment, as on our side; the trainer generates with
  transformers, and its reward function is this project's reward on the replies. The situations are drawn from the
  heuristic policy's negotiations, so no hotel has to answer.
- ``trl-dialogues``: a sample is a whole dialogue, played by the rollout function of
  ``policies.integrations.trl_grpo``, which generates with transformers too.

TRL's reward is the default one, whose n-gram model and distilled judge cost next to nothing: TRL is charged for no
reward model and no judge. There is no divergence penalty and so no reference model. Gradient checkpointing, which
GRPOConfig switches on by default, is as the preset has it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from benchmarks.studies.reward_cost import situations
from benchmarks.studies.trl_speed import PARTS, MeasuredSide, Round
from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.language.reading import Reader
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import AgentReply, AgentView, ReplyView, Reward, RewardBreakdown
from negotiation_env.play.registry import load_manager, load_reader, load_reward
from negotiation_env.seeds import SCENARIOS
from negotiation_env.training.run_folder import peak_memory_mb
from policies.integrations.trl_grpo import DialogueRollout, dialogue_return
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.evaluation import training_scenarios
from policies.training.on_policy.loop import Learner
from policies.training.on_policy.methods import Method
from policies.training.on_policy.samples import SampledRound, SamplingAgent, play
from policies.training.settings import OnPolicyPreset
from policies.training.supervised import load_base, with_adapter

GROUP = 4
"""Replies to one prompt, as in this project's own GRPO presets."""
TURNS = 8
"""Replies that a dialogue is expected to have, for as many replies in a step."""
DIALOGUE_SEED = SCENARIOS["trl speed"].start


class Clock:
    """Wall time and processor time of this process by part; what is inside another part counts for the inner one."""

    def __init__(self) -> None:
        self._parts: dict[str, np.ndarray] = {}
        self._open: list[np.ndarray] = []
        self._start = self._now()

    @staticmethod
    def _now() -> np.ndarray:
        times = os.times()
        return np.array([time.perf_counter(), times.user + times.system])

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as this part."""
        self._open.append(np.zeros(2))
        start = self._now()
        try:
            yield
        finally:
            taken = self._now() - start
            self._parts[name] = self._parts.get(name, np.zeros(2)) + taken - self._open.pop()
            if self._open:
                self._open[-1] += taken

    def lap(self, rest: str) -> Round:
        """Return a round with the time since the last lap, and begin anew; what no part has counts as ``rest``."""
        now = self._now()
        taken, parts = now - self._start, dict.fromkeys(PARTS, np.zeros(2)) | self._parts
        self._start, self._parts = now, {}
        parts[rest] = parts[rest] + taken - sum(parts.values())
        return Round(
            seconds=float(taken[0]),
            cpu_seconds=float(taken[1]),
            parts={name: float(part[0]) for name, part in parts.items()},
            cpu_parts={name: float(part[1]) for name, part in parts.items()},
        )


class TimedReward:
    """A reward whose scoring counts as the part "score"."""

    def __init__(self, reward: Reward, clock: Clock) -> None:
        self._reward, self._clock = reward, clock

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Score replies as text."""
        with self._clock.part("score"):
            return self._reward.score(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Score moves without text."""
        return self._reward.score_features(lanes, features)


class _TimedAgent(SamplingAgent):
    """The sampling agent, its replies counted as the part "generate"."""

    clock: Clock

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        with self.clock.part("generate"):
            return super().reply(views)


def measure_repo(method: Method, rounds: int, reward: str) -> MeasuredSide:
    """Run REPO's rounds, one to warm up and then ``rounds``.

    Args:
        method: REPO with its preset; the preset's own ``reward`` is not read.
        rounds: rounds that count, at least 1.
        reward: name of the reward.
    """
    preset, clock = method.preset, Clock()
    torch.set_num_threads(preset.torch_threads)
    manager, scorer = load_manager(preset.manager), TimedReward(load_reward(reward), clock)
    engine = TransformersEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    found: list[Round] = []
    with ActorCritic(engine, preset, with_value=method.has_value) as actor:
        learner = Learner(method, actor)
        agent = _TimedAgent(
            engine,
            scorer,
            preset.max_reply_tokens,
            preset.group_size,
            temperature=preset.temperature,
            reader=load_reader(preset.reader),
        )
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
    what = f"REPO, value model, reward {reward}"
    return MeasuredSide("repo", what, found[1:], peak_memory_mb(), str(device), torch.get_num_threads())


def _round(played: SampledRound, steps: int, clock: Clock) -> Round:
    found = clock.lap("learn")
    found.replies = played.sampled
    found.reply_tokens = sum(len(s.reply) for s in played.samples)
    found.prompt_tokens = sum(len(s.prompt) for s in played.samples)
    found.optimiser_steps = steps
    return found


class _Trainer(GRPOTrainer):
    """GRPOTrainer with a clock on its parts."""

    clock: Clock
    round: Round

    def _generate(self, prompts: list[Any]) -> Any:
        with self.clock.part("generate"):
            made = super()._generate(prompts)
        prompt_ids, completion_ids, own = made[:3]
        self.round.prompt_tokens += sum(map(len, prompt_ids))
        self.round.reply_tokens += sum(map(sum, own)) if own is not None else sum(map(len, completion_ids))
        self.round.replies += sum(map(_replies, own)) if own is not None else len(completion_ids)
        return made

    def _calculate_rewards(self, *args: Any) -> Any:
        with self.clock.part("score"):
            return super()._calculate_rewards(*args)


def _replies(own: Sequence[int]) -> int:
    """Return how many replies a dialogue's mask has: runs of 1."""
    return sum(now == 1 and before == 0 for before, now in zip([0, *own], own, strict=False))


class _Rounds(TrainerCallback):
    """Closes a round with the last optimiser step on its replies."""

    def __init__(self, trainer: _Trainer, steps: int) -> None:
        self.trainer, self.steps = trainer, steps
        self.found: list[Round] = []

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.trainer.clock.lap("learn")
        self.trainer.round = Round()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the round with its last step."""
        if state.global_step % self.steps == 0:
            counted, timed = self.trainer.round, self.trainer.clock.lap("learn")
            timed.replies, timed.reply_tokens = counted.replies, counted.reply_tokens
            timed.prompt_tokens, timed.optimiser_steps = counted.prompt_tokens, self.steps
            self.found.append(timed)
            self.trainer.round = Round()


def measure_trl(preset: OnPolicyPreset, rounds: int, dialogues: bool, reward: str = "repo") -> MeasuredSide:
    """Run TRL's rounds, one to warm up and then ``rounds``, each of the replies that one optimiser step learns from.

    Args:
        preset: of REPO; its base, start, adapter, batches, lengths, passes (``epochs``) and threads count here too.
        rounds: rounds that count, at least 1.
        dialogues: whether a sample is a dialogue.
        reward: name of the reward.
    """
    torch.set_num_threads(preset.torch_threads)
    torch.manual_seed(preset.seed)
    clock = Clock()
    scorer = TimedReward(load_reward(reward), clock)
    # A dialogue has the tokens of several replies: fewer at once.
    batch = max(GROUP, preset.batch_size // TURNS // GROUP * GROUP) if dialogues else preset.batch_size
    micro = max(1, min(batch, preset.micro_batch_size // TURNS)) if dialogues else preset.micro_batch_size
    with tempfile.TemporaryDirectory() as out:
        settings = _settings(preset, out, batch, micro, rounds)
        function: Callable[..., list[float | None]] = dialogue_return
        if dialogues:
            seeds = range(DIALOGUE_SEED, DIALOGUE_SEED + (rounds + 1) * batch // GROUP)
            rollout = DialogueRollout(
                seeds,
                preset.max_turns,
                preset.max_reply_tokens,
                preset.temperature,
                preset.manager,
                scorer,
                preset.reader,
            )
            settings.max_completion_length = preset.max_turns * 4 * preset.max_reply_tokens
            rows, play = rollout.dataset(), rollout
        else:
            views = situations((rounds + 1) * batch // GROUP)
            rows, play = _rows(views), None
            function = _Scored(views, scorer, load_reader(preset.reader))
        model, tokenizer = load_base(preset)
        trainer = _Trainer(
            model=with_adapter(model, preset),
            reward_funcs=function,
            args=settings,
            train_dataset=rows,
            processing_class=tokenizer,
            rollout_func=play,
        )
        trainer.clock = clock
        watch = _Rounds(trainer, preset.epochs)
        trainer.add_callback(watch)
        trainer.train()
        device = trainer.accelerator.device
    side = "trl-dialogues" if dialogues else "trl"
    what = f"GRPOTrainer, {'a dialogue a sample' if dialogues else 'a reply a sample'}, reward {reward}"
    return MeasuredSide(side, what, watch.found[1:], peak_memory_mb(), str(device), torch.get_num_threads())


def _settings(preset: OnPolicyPreset, out: str, batch: int, micro: int, rounds: int) -> GRPOConfig:
    return GRPOConfig(
        output_dir=out,
        seed=preset.seed,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro,
        num_generations=GROUP,
        num_iterations=preset.epochs,
        max_steps=(rounds + 1) * preset.epochs,
        max_completion_length=preset.max_reply_tokens,
        temperature=preset.temperature,
        top_k=0,
        top_p=1.0,
        beta=0.0,
        epsilon=preset.clip_range,
        delta=preset.dual_clip,
        learning_rate=preset.learning_rate,
        lr_scheduler_type="constant",
        max_grad_norm=preset.max_grad_norm,
        weight_decay=0.0,
        bf16=number_format(preset.dtype) is torch.bfloat16,
        gradient_checkpointing=preset.gradient_checkpointing,
        use_cpu=not torch.cuda.is_available(),
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _rows(views: Sequence[ReplyView]) -> Dataset:
    def plain(message: ChatMessage) -> dict[str, str]:
        return {"role": message["role"], "content": message["content"]}

    return Dataset.from_list([{"prompt": [plain(m) for m in prompt(v)], "place": i} for i, v in enumerate(views)])


class _Scored:
    """TRL's reward function: R_total of each reply in its situation; None where it was not scored."""

    __name__ = "r_total"

    def __init__(self, views: Sequence[ReplyView], reward: TimedReward, reader: Reader) -> None:
        self.views, self.reward, self.reader = views, reward, reader

    def __call__(self, completions: Sequence[Any], place: Sequence[int], **_: Any) -> list[float | None]:
        """Score completions, each in the situation at its place."""
        said = [
            reply_in(v, reply[0]["content"].strip(), self.reader)
            for reply, v in zip(completions, (self.views[i] for i in place), strict=True)
        ]
        return [breakdown.total for breakdown in self.reward.score(said)]
