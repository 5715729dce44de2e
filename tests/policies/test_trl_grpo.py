"""TRL's GRPOTrainer plays negotiations through the rollout function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("datasets")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.grpo_config import GRPOConfig

from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from policies.integrations.trl_grpo import DialogueRollout, TurnGRPOTrainer, dialogue_return
from tests.policies.rewards_by_turn import RewardsByTurn


@pytest.fixture(scope="module")
def trainer() -> Any:
    path = base_path("tiny")
    model = AutoModelForCausalLM.from_pretrained(path)
    accelerator = SimpleNamespace(unwrap_model=lambda wrapped: wrapped)
    return SimpleNamespace(model=model, processing_class=AutoTokenizer.from_pretrained(path), accelerator=accelerator)


def test_a_rollout_is_whole_dialogues_with_the_hotel_masked_out(trainer: Any) -> None:
    rollout = DialogueRollout([3, 4, 5], max_turns=3, max_reply_tokens=12)
    prompts = [row["prompt"] for row in rollout.dataset()]
    torch.manual_seed(0)
    out = rollout(prompts, trainer)
    tokenizer = trainer.processing_class
    for messages, ids, reply, own, reward in zip(
        prompts, out["prompt_ids"], out["completion_ids"], out["env_mask"], out["mean_reward"], strict=True
    ):
        assert (
            ids
            == tokenizer(
                tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False),
                add_special_tokens=False,
            )["input_ids"]
        )
        assert len(reply) == len(own)
        assert own[0] == 1
        assert 0 in own
        assert own[-1] == 1
        assert isinstance(reward, float)
        starts = sum(a == 1 and b == 0 for a, b in zip(own, [0, *own[:-1]], strict=True))
        assert 1 <= starts <= 3
    for own, turns, rewards in zip(out["env_mask"], out["turns"], out["turn_rewards"], strict=True):
        assert own == [int(turn > 0) for turn in turns]
        assert sorted({turn for turn in turns if turn}) == list(range(1, len(rewards) + 1))


def test_between_two_replies_stands_what_the_chat_template_says(trainer: Any) -> None:
    rollout = DialogueRollout([3], max_turns=2, max_reply_tokens=8)
    torch.manual_seed(1)
    out = rollout([rollout.dataset()[0]["prompt"]], trainer)
    between = [i for i, own in zip(out["completion_ids"][0], out["env_mask"][0], strict=True) if not own]
    text = trainer.processing_class.decode(between)
    assert text.removeprefix("<|im_end|>").startswith("\n<|im_start|>user\n")
    assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert text.count("<|im_start|>") == 2


def test_the_reward_is_the_dialogue_s_mean_and_unscored_stays_none() -> None:
    assert dialogue_return(["a", "b"], mean_reward=[0.5, None]) == [0.5, None]


@pytest.mark.parametrize("wrong", [{"max_turns": 0}, {"max_reply_tokens": 0}, {"temperature": 0.0}])
def test_a_value_out_of_range_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected max_turns"):
        DialogueRollout([1], **wrong)


def test_a_prompt_of_another_dataset_is_an_error(trainer: Any) -> None:
    rollout = DialogueRollout([1])
    with pytest.raises(UsageError, match=r"rollout\.dataset"):
        rollout([[{"role": "user", "content": "Hi"}]], trainer)


def turn_gradients(folder: Path, table: Sequence[Sequence[float]], **named: Any) -> list[list[list[float]]]:
    """Return the gradient of TRL's loss at each token's log-probability, by dialogue and turn (0: the hotel's)."""
    rollout = DialogueRollout([3], max_turns=3, max_reply_tokens=6, reward=RewardsByTurn(*table))
    played: dict[str, Any] = {}

    def recorded(prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        played.update(rollout(prompts, trainer))
        return dict(played)

    trainer = TurnGRPOTrainer(
        model=str(base_path("tiny")),
        reward_funcs=dialogue_return,
        args=GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=2,
            num_generations=2,
            max_steps=1,
            report_to=[],
            save_strategy="no",
            gradient_checkpointing=False,
            use_cpu=True,
            scale_rewards=named.pop("scale", "none"),
        ),
        train_dataset=rollout.dataset(),
        rollout_func=recorded,
        **named,
    )
    own = trainer._get_per_token_logps_and_entropies
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def spied(model: Any, input_ids: torch.Tensor, *rest: Any, **more: Any) -> Any:
        found = own(model, input_ids, *rest, **more)
        if found[0].requires_grad:
            found[0].retain_grad()
            seen.append((input_ids, found[0]))
        return found

    setattr(trainer, "_get_per_token_logps_and_entropies", spied)  # noqa: B010
    trainer.train()
    ((ids, logprobs),) = seen
    assert logprobs.grad is not None
    gradients = []
    for completion, turns in zip(played["completion_ids"], played["turns"], strict=True):
        # TRL shuffles the dialogues of a step.
        (row,) = [r for r in range(2) if ids[r, -logprobs.shape[1] :][: len(completion)].tolist() == completion]
        at = logprobs.grad[row].tolist()
        assert not any(at[len(turns) :])
        gradients.append([[at[i] for i, turn in enumerate(turns) if turn == k] for k in range(4)])
    return gradients


NOTHING = (0.0, 0.0, 0.0)


def test_a_reward_at_turn_two_reaches_turn_two_s_tokens_only(tmp_path: Path) -> None:
    first, second = turn_gradients(tmp_path, [(0.0, 1.0, 0.0), NOTHING])
    for hotel, one, two, three in (first, second):
        assert len(one) and len(two) and len(three) and len(hotel)
        assert not any(hotel + one + three)
        assert all(two)
    # More of what was rewarded, less of what was not: the loss falls where log-probabilities rise.
    assert max(first[2]) < 0.0 < min(second[2])


def test_credit_for_turn_two_reaches_turn_one_as_far_as_the_discount_says(tmp_path: Path) -> None:
    first, _ = turn_gradients(tmp_path, [(0.0, 1.0, 0.0), NOTHING], turn_discount=0.25)
    assert not any(first[0] + first[3])
    assert first[1][0] == pytest.approx(0.25 * first[2][0])


def test_with_trl_s_own_scaling_a_reward_at_turn_two_leaves_the_other_turns_gradient_as_it_was(tmp_path: Path) -> None:
    before = turn_gradients(tmp_path, [(0.3, 0.1, -0.2), (0.7, 0.4, 0.5)], scale="group")
    after = turn_gradients(tmp_path, [(0.3, 1.1, -0.2), (0.7, 0.4, 0.5)], scale="group")
    for old, new in zip(before, after, strict=True):
        assert new[0] == old[0] and new[1] == old[1] and new[3] == old[3]
        assert all(a * b < 0.0 for a, b in zip(new[2], old[2], strict=True))


def test_a_ratio_of_whole_dialogues_is_refused(tmp_path: Path) -> None:
    rollout = DialogueRollout([3])
    settings = GRPOConfig(
        output_dir=str(tmp_path), num_generations=2, importance_sampling_level="sequence", use_cpu=True, report_to=[]
    )
    with pytest.raises(UsageError, match="importance_sampling_level"):
        TurnGRPOTrainer(
            model=str(base_path("tiny")),
            reward_funcs=dialogue_return,
            args=settings,
            train_dataset=rollout.dataset(),
            rollout_func=rollout,
        )
