"""Training of the hotel manager's voice on written dialogues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import ChatRequest, adapted
from negotiation_env.errors import UsageError
from simulators.people.voice_data import VoiceDialogue, voice_dialogues

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("trl")

DIALOGUE = VoiceDialogue(
    "d",
    (
        {"role": "system", "content": "You run a house."},
        {"role": "user", "content": "Hello?\n[You are calm. Say: greet.]"},
        {"role": "assistant", "content": "Good day, the kettle is on."},
        {"role": "user", "content": "The twin?\n[You are calm. Say: offer 435.]"},
        {"role": "assistant", "content": "Four hundred and thirty-five."},
    ),
    (False, False, False, False, True),
)


def settings(*changes: str) -> Any:
    from policies.training import voice

    return voice.read_settings("tiny", changes)


def test_the_loss_is_on_the_answers_that_are_learnt() -> None:
    from policies.training import voice
    from policies.training.supervised import load_base

    _, tokenizer = load_base(settings())
    found = voice.encoded(DIALOGUE, tokenizer, 640)
    learnt = [i for i, label in zip(found.input_ids, found.labels, strict=True) if label != voice.UNLEARNT]
    assert str(tokenizer.decode(learnt)).strip() == "Four hundred and thirty-five.<|im_end|>"
    whole = tokenizer.apply_chat_template([dict(m) for m in DIALOGUE.messages], tokenize=False)  # type: ignore[arg-type]
    assert tokenizer.decode(found.input_ids) == whole
    assert len(voice.encoded(DIALOGUE, tokenizer, 60).input_ids) <= 60


def test_a_dialogue_is_read_as_an_engine_reads_it() -> None:
    from policies.training import voice
    from policies.training.supervised import load_base

    _, tokenizer = load_base(settings())
    found = voice.encoded(DIALOGUE, tokenizer, 640)
    engine: Any = load_engine("tiny")
    prompt = engine.prompt_tokens(ChatRequest(DIALOGUE.messages[:-1]))
    assert tuple(found.input_ids[: len(prompt)]) == prompt


def test_every_shipped_preset_is_valid_and_fits_an_hour_on_two_cores() -> None:
    from policies.training import voice

    small = voice.read_settings("small")
    tokens_of_a_dialogue = 805  # of SmolLM2, all training authors
    assert small.epochs * small.examples * tokens_of_a_dialogue / 280 <= 3600


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
    assert engine.generate([ChatRequest(DIALOGUE.messages[:-1], max_tokens=8)])[0].fault is None


def test_dialogues_are_spread_over_the_authors() -> None:
    authors = {int(one.id[1:]) // 40 for one in voice_dialogues("validation", most=4)}
    assert len(authors) == 2
