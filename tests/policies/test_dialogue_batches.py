"""A dialogue and its other replies in one pass are what they are alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulators.people.conversations import Conversation
from tests.policies.tiny_models import save_tiny_model

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("trl")

LINE = Conversation(
    (
        {"role": "system", "content": "You sell rooms."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "How about 300 yuan?"},
        {"role": "user", "content": "Hello number 3?"},
        {"role": "assistant", "content": "How about 290 yuan for the Deluxe King?"},
    ),
    (False, False, True, False, True),
    ((2, "How about 305 yuan?"), (4, "Hello number 4?"), (4, "Family Suite: now 300 yuan.")),
    "test",
    "one",
    "train",
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = save_tiny_model(tmp_path_factory.mktemp("base"))
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def _alone(model: Any, tokenizer: Any, place: int, text: str) -> tuple[float, int]:
    """Return the summed cross-entropy of a reply in a dialogue of its own, and its tokens."""
    chat = [dict(message) for message in LINE.messages[:place]]
    head = tokenizer(
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True), add_special_tokens=False
    )["input_ids"]
    reply = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        said = model(torch.tensor([head + reply])).logits[0].log_softmax(-1)
    return -sum(float(said[len(head) - 1 + i, token]) for i, token in enumerate(reply)), len(reply)


def test_each_reply_costs_what_it_costs_alone(parts: tuple[Any, Any]) -> None:
    from negotiation_env.engines.exact.attention import ATTENTION
    from policies.training.dialogue_batches import DialogueBatches, labelled, reply_loss

    model, tokenizer = parts
    replies = [(2, LINE.messages[2]["content"]), (4, LINE.messages[4]["content"]), *LINE.others]
    alone = [_alone(model, tokenizer, place, text) for place, text in replies]
    rows = [labelled(tokenizer, LINE), labelled(tokenizer, LINE)]
    assert sum(label >= 0 for label in rows[0]["labels"]) == sum(tokens for _, tokens in alone)
    model.set_attn_implementation(ATTENTION)
    batch = DialogueBatches(torch.float32)(rows)
    with torch.no_grad():
        loss = float(reply_loss(model, batch, 1))
    assert loss == pytest.approx(2.0 * sum(cost for cost, _ in alone), rel=1e-4)


def test_what_is_not_to_be_learned_has_no_label(parts: tuple[Any, Any]) -> None:
    from dataclasses import replace

    from policies.training.dialogue_batches import labelled

    _, tokenizer = parts
    row = labelled(tokenizer, replace(LINE, learn=(False,) * 5, others=((2, "Hello?"),)))
    learnt = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label >= 0]
    assert tokenizer.decode(learnt) == "Hello?<|im_end|>"
    whole = tokenizer.apply_chat_template([dict(m) for m in LINE.messages], tokenize=False)
    assert row["input_ids"][: row["lengths"][0]] == tokenizer(whole, add_special_tokens=False)["input_ids"]


def test_sft_learns_from_whole_dialogues_and_goes_on_after_a_cut(tmp_path: Path) -> None:
    from dataclasses import replace

    from policies.training import supervised
    from simulators.people.conversations import write_conversations
    from tests.policies.test_sft_and_dpo import metrics, weights
    from tests.policies.tiny_models import table

    base = save_tiny_model(tmp_path / "base")
    data = tmp_path / "sft.jsonl"
    write_conversations(data, [replace(LINE, scenario=str(i)) for i in range(60)])
    settings = supervised.read_settings("sft", table(base, prompt="transcript", epochs=2, max_prompt_tokens=240))
    whole = supervised.train(settings, tmp_path / "whole", data, quiet=True)
    losses = [line["loss"] for line in metrics(whole) if "loss" in line]
    assert losses[-1] < losses[0] - 0.2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervised.DialogueTrainer, "save_adapter", _cut)
        with pytest.raises(KeyboardInterrupt):
            supervised.train(settings, tmp_path / "cut", data, quiet=True)
    supervised.train(settings, tmp_path / "cut", data, resume=True, quiet=True)
    assert all(torch.equal(weights(whole)[name], tensor) for name, tensor in weights(tmp_path / "cut").items())


def _cut(*_: object) -> None:
    raise KeyboardInterrupt
