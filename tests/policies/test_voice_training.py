"""Training of the hotel manager's voice on rewordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import ChatRequest, adapted
from negotiation_env.errors import UsageError
from simulators.people.voice_data import VoiceExample, training_examples

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("trl")

EXAMPLE: VoiceExample = (
    {"role": "system", "content": "You run a house."},
    {"role": "user", "content": "Hello?"},
    {"role": "assistant", "content": "Good day, the kettle is on."},
    {"role": "user", "content": "The twin?\n[You are calm. Say: 435 yuan, that is what I can offer.]"},
    {"role": "assistant", "content": "The twin, hm, 435 I can offer."},
)


def settings(*changes: str) -> Any:
    from policies.training import voice

    return voice.read_settings("tiny", changes)


def test_the_loss_is_on_the_answer() -> None:
    from policies.training import voice
    from policies.training.supervised import load_base

    _, tokenizer = load_base(settings())
    found = voice.encoded(EXAMPLE, tokenizer)
    learnt = [i for i, label in zip(found.input_ids, found.labels, strict=True) if label != voice.UNLEARNT]
    assert str(tokenizer.decode(learnt)).strip() == f"{EXAMPLE[-1]['content']}<|im_end|>"
    whole = tokenizer.apply_chat_template([dict(m) for m in EXAMPLE], tokenize=False)  # type: ignore[arg-type]
    assert tokenizer.decode(found.input_ids) == whole
    with pytest.raises(UsageError, match="max_prompt_tokens"):
        voice.make_data([EXAMPLE], settings("max_prompt_tokens=8", "max_reply_tokens=8"), tokenizer)


def test_an_example_is_read_as_an_engine_reads_it() -> None:
    from policies.training import voice
    from policies.training.supervised import load_base

    _, tokenizer = load_base(settings())
    found = voice.encoded(EXAMPLE, tokenizer)
    engine: Any = load_engine("tiny")
    prompt = engine.prompt_tokens(ChatRequest(EXAMPLE[:-1]))
    assert tuple(found.input_ids[: len(prompt)]) == prompt


def test_every_shipped_preset_is_valid_and_fits_an_hour_on_two_cores() -> None:
    from policies.training import voice

    small = voice.read_settings("small")
    tokens_of_an_example = 322  # of SmolLM2
    examples = len(training_examples(small.copies, small.examples))
    assert small.epochs * examples * tokens_of_an_example / 280 <= 3600


def test_a_run_learns_goes_on_where_it_was_cut_off_and_speaks(tmp_path: Path) -> None:
    from policies.training import voice

    out = voice.train(settings("examples=12", "measure_every=1"), tmp_path / "run", quiet=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert len(losses) == 2 and losses[-1] < losses[0]
    with pytest.raises(UsageError, match="--resume"):
        voice.train(settings("examples=12", "measure_every=1"), out, quiet=True)
    before = (out / "adapter_model.safetensors").read_bytes()
    assert voice.train(settings("examples=12", "measure_every=1"), out, resume=True, quiet=True) == out
    assert (out / "adapter_model.safetensors").read_bytes() == before
    engine = load_engine(f"hf:{out}")
    assert adapted(engine)
    assert engine.generate([ChatRequest(EXAMPLE[:-1], max_tokens=8)])[0].fault is None
