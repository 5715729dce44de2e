"""A reply that must be one of some choices, on each engine that can see to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from negotiation_env.engines.answers import found_choice
from negotiation_env.engines.chat_model import ChatMessage, ChatRequest
from negotiation_env.engines.recorded import request_key

ASK: tuple[ChatMessage, ...] = ({"role": "user", "content": "Which letter?"},)


def test_choices_belong_to_a_request_and_old_recordings_keep_their_keys() -> None:
    free, bound = ChatRequest(ASK), ChatRequest(ASK, choices=("A)", "B)"))
    assert request_key(free) != request_key(bound)
    assert request_key(free) == "7c3013d58a9f214bf7062cf62bc00552ca1902ed4247628bc03da1056e99f2bf"
    with pytest.raises(ValueError, match="choices"):
        ChatRequest(ASK, choices=("A", ""))


def test_the_engine_in_this_process_gives_one_of_the_choices(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from negotiation_env.engines.transformers_engine import TransformersEngine
    from tests.engines.toy_base import write_toy_base

    engine = TransformersEngine(str(write_toy_base(tmp_path)), device="cpu", dtype="float32")
    requests = [
        ChatRequest(ASK, seed=n, max_tokens=9, temperature=t, begin="Verdict: (", choices=("A)", "B)", "C)"))
        for n in range(6)
        for t in (0.0, 5.0)
    ]
    free = ChatRequest(ASK, max_tokens=9, temperature=0.0)
    *replies, last = engine.generate([*requests, free])
    assert all(r.text.removeprefix("Verdict: (") in ("A)", "B)", "C)") for r in replies)
    assert len({r.text for r in replies}) > 1
    assert last == engine.generate([free])[0]
    alike = ChatRequest(ASK, max_tokens=9, choices=("AB", "AC"))
    assert len(engine.generate([alike])[0].token_ids) > 1


def test_the_http_engine_asks_for_a_schema() -> None:
    pytest.importorskip("openai")
    from negotiation_env.engines.openai_engine import _schema

    chosen = json.loads(json.dumps(_schema(ChatRequest(ASK, choices=("A)", "B)")))))
    assert chosen["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["A)", "B)"]
    formed = json.loads(json.dumps(_schema(ChatRequest(ASK, schema='{"type": "object"}'))))
    assert formed["json_schema"]["schema"] == {"type": "object"}
    assert _schema(ChatRequest(ASK)) is None


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"answer": "B)"}', "B)"),
        ("B)", "B)"),
        (" b)", None),
        ('{"answer": 3}', None),
        ("[1]", None),
        ("A) or B)", None),
        ("B) It is polite.", "B)"),
        ("between A) and B)", None),
        ("", None),
        ("AB)", None),
    ],
)
def test_a_choice_is_found_or_none(text: str, choice: str | None) -> None:
    assert found_choice(text, ("A)", "B)")) == choice


def test_of_like_choices_only_a_clear_one_is_found() -> None:
    assert found_choice("yes", ("yes", "yes, but")) == "yes"
    assert found_choice("yes, but later", ("yes", "yes, but")) is None
    assert found_choice("{" * 100_000, ("yes",)) is None
