"""TRL's GRPOTrainer plays negotiations through the rollout function."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("datasets")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from policies.integrations.trl_grpo import DialogueRollout, dialogue_return


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
