"""Negotiations for TRL's GRPOTrainer: a rollout function, its dataset, its reward function, and credit by turn.

    rollout = DialogueRollout(seeds=range(64))
    TurnGRPOTrainer(model, reward_funcs=dialogue_return, rollout_func=rollout, train_dataset=rollout.dataset(), ...)

TRL's sample is a whole dialogue: the opening prompt, then replies and the hotel's answers in one sequence, with the
answers masked out (``env_mask``). With ``TurnGRPOTrainer`` each reply's tokens learn from that reply's own R_total, and
from later ones' as far as ``turn_discount`` says. With TRL's own ``GRPOTrainer`` all of a dialogue's tokens learn from
one reward, the mean of R_total over the replies, so that talking on does not pay. The prompt stays the opening's:
unlike the prompt that this project's policies answer, it does not say where the talks stand.

``negotiate study trl-grpo`` trains the tiny base for a moment on the CPU. Needs the ``train`` extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, cast

import torch
import typer
from accelerate.utils import gather_object
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedTokenizerBase
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.language.reading import Reader
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.prompts import NO_ANSWER, prompt
from negotiation_env.play.protocols import Manager, Negotiation, Reward
from negotiation_env.play.registry import AUTO, load_manager, load_reward, reader_for
from negotiation_env.play.rollout import agent_view
from policies.turn_credit import Scale, turn_advantages

TURNS, TURN_REWARDS = "turns", "turn_rewards"
"""What a rollout says beside TRL's own: of each token its reply, of each reply its reward."""


@dataclass(slots=True)
class _Dialogue:
    """One negotiation in progress, and its tokens so far."""

    negotiation: Negotiation
    messages: list[ChatMessage]
    prompt_ids: list[int]
    completion_ids: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    """Of each token of the completion: the reply that it belongs to, from 1 on; 0 for the hotel's."""
    rewards: list[float | None] = field(default_factory=list)
    """R_total of each reply; None where it was not scored."""

    @property
    def over(self) -> bool:
        return bool(self.negotiation.game.end)


class DialogueRollout:
    """TRL's ``rollout_func``: plays a whole negotiation for every prompt that it is given.

    Args:
        seeds: scenarios to draw; a prompt is the opening of one of them.
        max_turns: agent turns of a dialogue, at least 1.
        max_reply_tokens: most tokens of a reply, at least 1.
        temperature: of sampling, > 0; give GRPOConfig the same.
        manager, reward: names or objects, as ``gymnasium.make`` takes them.
        reader: name or object; ``"auto"`` takes what suits a language model, see ``registry.reader_for``.

    Raises:
        UsageError: on a value out of range, or two scenarios with the same opening.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        max_turns: int = 6,
        max_reply_tokens: int = 40,
        temperature: float = 1.0,
        manager: str | Manager = "rules",
        reward: str | Reward = "repo",
        reader: str | Reader = AUTO,
    ) -> None:
        if max_turns < 1 or max_reply_tokens < 1 or not temperature > 0.0:
            raise UsageError(
                "expected max_turns >= 1, max_reply_tokens >= 1 and temperature > 0, "
                f"got {max_turns}, {max_reply_tokens} and {temperature}"
            )
        self.max_turns, self.max_reply_tokens, self.temperature = max_turns, max_reply_tokens, temperature
        self._manager, self._reward = load_manager(manager), load_reward(reward)
        self._reader = reader_for(None, reader)
        self._seeds: dict[str, int] = {}
        self._openings: list[list[ChatMessage]] = []
        for seed in seeds:
            opening = list(prompt(agent_view(open_negotiation(sample_scenario(seed), self._manager))))
            if self._seeds.setdefault(_key(opening), seed) != seed:
                raise UsageError(f"seeds: expected scenarios of different openings, got {seed} twice: name each once")
            self._openings.append(opening)

    def dataset(self) -> Dataset:
        """Return the training set: one row, with the opening as ``prompt``, for each seed."""
        return Dataset.from_list([{"prompt": opening} for opening in self._openings])

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        """Play one negotiation a prompt (a list of chat messages) with the trainer's model, in lock-step."""
        if getattr(trainer, "use_vllm", False):
            raise UsageError("expected use_vllm=False: this rollout generates with the trainer's own model")
        tokenizer, model = trainer.processing_class, trainer.accelerator.unwrap_model(trainer.model)
        dialogues = [self._open(messages, tokenizer) for messages in prompts]
        for _ in range(self.max_turns):
            live = [d for d in dialogues if not d.over]
            if not live:
                break
            replies = self._generate(model, tokenizer, live)
            self._play(live, replies, tokenizer)
        return {
            "prompt_ids": [d.prompt_ids for d in dialogues],
            "completion_ids": [d.completion_ids for d in dialogues],
            "logprobs": None,
            "env_mask": [[int(turn > 0) for turn in d.turns] for d in dialogues],
            TURNS: [d.turns for d in dialogues],
            TURN_REWARDS: [d.rewards for d in dialogues],
            "mean_reward": [_mean(d.rewards) for d in dialogues],
        }

    def _open(self, messages: list[ChatMessage], tokenizer: PreTrainedTokenizerBase) -> _Dialogue:
        seed = self._seeds.get(_key(messages))
        if seed is None:
            raise UsageError("expected prompts of this rollout's own dataset, got another: train on rollout.dataset()")
        negotiation = open_negotiation(sample_scenario(seed), self._manager)
        return _Dialogue(negotiation, list(messages), _ids(tokenizer, _text(tokenizer, messages)))

    def _generate(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, dialogues: Sequence[_Dialogue]
    ) -> list[list[int]]:
        """Sample a reply for each dialogue; rows are padded on the left."""
        rows = [d.prompt_ids + d.completion_ids for d in dialogues]
        longest = max(map(len, rows))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=self.max_reply_tokens,
                do_sample=True,
                temperature=self.temperature,
                top_k=0,
                top_p=1.0,
                pad_token_id=pad,
            )
        return [_until_end(row, tokenizer.eos_token_id) for row in out[:, longest:].tolist()]

    def _play(
        self, dialogues: Sequence[_Dialogue], replies: Sequence[list[int]], tokenizer: PreTrainedTokenizerBase
    ) -> None:
        """Have the hotels answer, and put both sides' tokens behind each dialogue."""
        texts = [str(tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in replies]
        played = exchange([d.negotiation for d in dialogues], texts, self._manager, self._reward, self._reader)
        for dialogue, ids, step in zip(dialogues, replies, played, strict=True):
            dialogue.completion_ids += ids
            dialogue.rewards.append(step.reward.total)
            dialogue.turns += [len(dialogue.rewards)] * len(ids)
            said = [*dialogue.messages, ChatMessage(role="assistant", content=step.text)]
            dialogue.messages = [*said, ChatMessage(role="user", content=step.answer.text or NO_ANSWER)]
            if not dialogue.over and len(dialogue.negotiation.agent_said) < self.max_turns:
                between = _between(tokenizer, said, dialogue.messages, ids)
                dialogue.completion_ids += between
                dialogue.turns += [0] * len(between)


class TurnGRPOTrainer(GRPOTrainer):
    """TRL's GRPOTrainer with an advantage for each reply, from the rewards by turn of ``DialogueRollout``.

    A reply's credit is compared with that of the same turn in its group's other dialogues (``turn_advantages``);
    ``GRPOConfig.scale_rewards`` says what the difference is divided by. What the reward functions say is only logged.

    Args:
        turn_discount: of later replies' rewards in a reply's credit, in [0, 1]; 0: a reply answers for itself alone.
        arguments, named: as ``GRPOTrainer`` takes them.

    Raises:
        UsageError: on a discount out of range, or a loss that mixes a dialogue's replies.
    """

    def __init__(self, *arguments: Any, turn_discount: float = 0.0, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self.importance_sampling_level != "token":
            raise UsageError(
                f"expected importance_sampling_level 'token', got {self.importance_sampling_level!r}: a ratio of the "
                "whole dialogue gives every reply's tokens a part of each reply's advantage"
            )
        turn_advantages([], [], turn_discount)  # checks the discount
        self.turn_discount = turn_discount

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's own, which plays and scores; then advantages (dialogues, tokens) in place of (dialogues,)."""
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if TURNS not in inputs[0]:
            raise UsageError("expected replies' rewards by turn, got none: pass a DialogueRollout as rollout_func")
        # A group's dialogues may be another process's. All processes have as many dialogues, in the prompts' order.
        everyone = gather_object([row[TURN_REWARDS] for row in inputs])
        model: Any = self.model
        size = int((self.num_generations if model.training else self.num_generations_eval) or 1)
        groups = [place // size for place in range(len(everyone))]
        found = turn_advantages(everyone, groups, self.turn_discount, cast(Scale, self.scale_rewards))
        first = self.accelerator.process_index * len(inputs)
        own = found[first : first + len(inputs)]
        advantages = torch.zeros(output["completion_ids"].shape, device=output["completion_ids"].device)
        for row, by_turn, place in zip(inputs, own, advantages, strict=True):
            place[: len(row[TURNS])] = torch.tensor([by_turn[turn - 1] if turn else 0.0 for turn in row[TURNS]])
        output["advantages"] = advantages
        return output


def dialogue_return(completions: Sequence[Any], mean_reward: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL's reward function: the mean R_total of each dialogue's replies; None where none was scored."""
    return list(mean_reward)


def _mean(rewards: Sequence[float | None]) -> float | None:
    scored = [reward for reward in rewards if reward is not None]
    return fmean(scored) if scored else None


def _key(messages: Sequence[ChatMessage]) -> str:
    return "\n".join(f"{m['role']}: {m['content']}" for m in messages)


def _plain(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": m["role"], "content": m["content"]} for m in messages]


def _text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[ChatMessage], asked: bool = True) -> str:
    return str(tokenizer.apply_chat_template(_plain(messages), add_generation_prompt=asked, tokenize=False))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _between(
    tokenizer: PreTrainedTokenizerBase, said: Sequence[ChatMessage], answered: Sequence[ChatMessage], reply: list[int]
) -> list[int]:
    """Return the tokens from the end of a reply to the beginning of the next, as the chat template has them."""
    before, after = _text(tokenizer, said, asked=False), _text(tokenizer, answered)
    closing = before[before.rindex(said[-1]["content"]) + len(said[-1]["content"]) :]
    end = tokenizer.eos_token or ""
    if reply and reply[-1] == tokenizer.eos_token_id and closing.startswith(end):
        closing = closing[len(end) :]
    return _ids(tokenizer, closing + after[len(before) :])


def _until_end(ids: list[int], end: int) -> list[int]:
    """Return a row up to its end token, that included."""
    return ids[: ids.index(end) + 1] if end in ids else ids


def example(
    base: Annotated[str, typer.Option(help="tiny, smollm2, or a checkpoint's folder.")] = "tiny",
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the adapter.")] = Path("out/trl-grpo"),
) -> None:
    """Train a moment with TRL's GRPOTrainer, as an example."""
    rollout = DialogueRollout(range(64), max_turns=4, max_reply_tokens=32)
    settings = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=4 * 96,
        max_steps=steps,
        learning_rate=1e-4,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        gradient_checkpointing=False,
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = TurnGRPOTrainer(
        model=str(base_path(base)),
        reward_funcs=dialogue_return,
        args=settings,
        train_dataset=rollout.dataset(),
        rollout_func=rollout,
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    trainer.save_model(str(out))
    print(f"Adapter: {out}")
