"""A dialogue and its other replies in one pass are what they are alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulators.people.conversations import Conversation, OtherReply, write_conversations
from tests.policies.tiny_models import save_tiny_model

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("trl")

SENT, BETTER, WORSE, BLAND = (
    "How about 300 yuan?",
    "How about 290 yuan for the Deluxe King?",
    "Family Suite: now 300 yuan.",
    "Hello number 4?",
)
LINE = Conversation(
    (
        {"role": "system", "content": "You sell rooms."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": SENT},
        {"role": "user", "content": "Hello number 3?"},
        {"role": "assistant", "content": BETTER},
    ),
    (None, None, 4, None, 5),
    (OtherReply(2, "How about 305 yuan?", 4), OtherReply(4, BLAND, 3), OtherReply(4, WORSE, 1)),
    "test",
    "one",
    "train",
)
REPLIES = [(2, SENT), (4, BETTER), *[(other.at, other.text) for other in LINE.others]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = save_tiny_model(tmp_path_factory.mktemp("base"))
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def _alone(parts: tuple[Any, Any], place: int, text: str) -> float:
    """Return a reply's log-probability in a dialogue of its own."""
    model, tokenizer = parts
    model.set_attn_implementation("eager")
    chat = [dict(message) for message in LINE.messages[:place]]
    head = tokenizer(
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True), add_special_tokens=False
    )["input_ids"]
    reply = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        said = model(torch.tensor([head + reply])).logits[0].log_softmax(-1)
    return sum(float(said[len(head) - 1 + i, token]) for i, token in enumerate(reply))


def test_each_reply_is_as_likely_as_alone(parts: tuple[Any, Any]) -> None:
    from negotiation_env.engines.exact.attention import ATTENTION
    from policies.training.dialogue_batches import dialogue_row, pair_batch, reply_batch, reply_logprobs, reply_loss

    model, tokenizer = parts
    alone = [_alone(parts, place, text) for place, text in REPLIES]
    row = dialogue_row(tokenizer, LINE)
    model.set_attn_implementation(ATTENTION)
    with torch.no_grad():
        batch = pair_batch([row, row], torch.float32)
        found = reply_logprobs(model, batch)
        cost = float(reply_loss(model, reply_batch([row, row], torch.float32), 1))
    assert found.tolist() == pytest.approx(alone * 2, rel=1e-4)
    assert cost == pytest.approx(-2.0 * sum(alone[:3]), rel=1e-4)  # those graded 4 and 5
    assert batch["pairs"].tolist() == [[1, 3], [1, 4], [3, 4], [6, 8], [6, 9], [8, 9]]


def test_processes_that_average_their_gradients_add_up_their_losses(parts: tuple[Any, Any]) -> None:
    from negotiation_env.engines.exact.attention import ATTENTION
    from policies.training.dialogue_batches import dialogue_row, reply_batch, reply_loss
    from policies.training.dialogue_trainers import DialogueTrainer

    model, tokenizer = parts
    model.set_attn_implementation(ATTENTION)
    batch = reply_batch([dialogue_row(tokenizer, LINE)], torch.float32)
    one_of_three = SimpleNamespace(num_processes=3, unwrap_model=lambda wrapped: wrapped)
    trainer: Any = SimpleNamespace(accelerator=one_of_three, settings=None)
    with torch.no_grad():
        counted = DialogueTrainer.compute_loss(trainer, model, dict(batch), num_items_in_batch=torch.tensor(90))
        alone = DialogueTrainer.compute_loss(trainer, model, dict(batch))
        assert float(counted / 3) == pytest.approx(float(reply_loss(model, batch, 90)))
        assert float(alone) == pytest.approx(float(reply_loss(model, batch)))


def test_what_is_graded_too_low_is_left_out_or_has_no_label(parts: tuple[Any, Any]) -> None:
    from policies.training.dialogue_batches import IGNORED, dialogue_row, reply_batch

    _, tokenizer = parts
    row = dialogue_row(tokenizer, replace(LINE, grades=(None, None, 3, None, None)), least=4)
    whole = tokenizer.apply_chat_template([dict(m) for m in LINE.messages], tokenize=False)
    assert row["input_ids"][: row["lengths"][0]] == tokenizer(whole, add_special_tokens=False)["input_ids"]
    assert len(row["lengths"]) == 2
    labels = reply_batch([row], torch.float32)["labels"][0]
    assert tokenizer.decode(labels[labels != IGNORED]) == "How about 305 yuan?<|im_end|>"


def test_the_loss_is_dpo_s(parts: tuple[Any, Any]) -> None:
    from policies.training.dialogue_batches import preference_loss

    own, reference = torch.tensor([-3.0, -4.0, -9.0]), torch.tensor([-4.0, -4.0, -4.0])
    loss, margins = preference_loss(own, reference, torch.tensor([[0, 1], [0, 2]]), 0.5)
    assert margins.tolist() == [0.5, 3.0]
    assert float(loss) == pytest.approx(float(-torch.tensor([0.5, 3.0]).sigmoid().log().mean()))


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_whole_dialogues_are_learned_and_a_cut_run_goes_on(method: str, tmp_path: Path) -> None:
    from policies.training import supervised
    from policies.training.dialogue_trainers import DialogueTrainer
    from tests.policies.test_sft_and_dpo import metrics, weights
    from tests.policies.tiny_models import table

    base, data = save_tiny_model(tmp_path / "base"), tmp_path / "data.jsonl"
    write_conversations(data, [replace(LINE, scenario=str(i)) for i in range(60)])
    more = {"beta": 0.5} if method == "dpo" else {}
    preset = table(base, prompt="transcript", epochs=2, max_prompt_tokens=240, **more)
    settings = supervised.read_settings(method, preset)
    whole = supervised.train(settings, tmp_path / "whole", data, quiet=True)
    losses = [line["loss"] for line in metrics(whole) if "loss" in line]
    assert losses[-1] < losses[0] - 0.05
    if method == "dpo":
        held_out = [line for line in metrics(whole) if "eval_rewards/accuracies" in line]
        assert held_out[-1]["eval_rewards/accuracies"] == 1.0 and held_out[-1]["eval_rewards/margins"] > 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DialogueTrainer, "save_adapter", _cut)
        with pytest.raises(KeyboardInterrupt):
            supervised.train(settings, tmp_path / "cut", data, quiet=True)
    supervised.train(settings, tmp_path / "cut", data, resume=True, quiet=True)
    assert all(torch.equal(weights(whole)[name], tensor) for name, tensor in weights(tmp_path / "cut").items())


def _cut(*_: object) -> None:
    raise KeyboardInterrupt
