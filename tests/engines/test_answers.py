"""What a model's raw answer comes down to."""

from __future__ import annotations

import pytest

from negotiation_env.engines.answers import cause_of, found_object, settled_reply, without_reasoning
from negotiation_env.engines.chat_model import ChatReply, fault_reply


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("  Hello. ", "  Hello. "),
        ("<think>a</think> Hello. ", "Hello."),
        ("<THINK>a</THINK>Hello.", "Hello."),
        ("a <b> c</think>\nHello.", "Hello."),
        ("<think>a</think><think>b</think>Hello.", "Hello."),
        ("<think>a <think>b</think> c</think>Hello.", "Hello."),
        ("Hello.<think>a</think>", "Hello."),
        ("<reasoning>a</reasoning>Hello.", "Hello."),
        ("[THINK]a[/THINK]Hello.", "Hello."),
        ("◁think▷a◁/think▷Hello.", "Hello."),
        ("<think>a</think>", ""),
        ("<think>a", None),
        ("Hello.<think>a", None),
        ("Is 350 < 400? I think so.", "Is 350 < 400? I think so."),
    ],
)
def test_reasoning_is_left_out(text: str, spoken: str | None) -> None:
    assert without_reasoning(text) == spoken


def test_a_reply_keeps_its_tokens_and_loses_its_reasoning() -> None:
    reply = ChatReply("<think>a</think>Hello.", (1, 2), (-0.5, -0.25), 9, "length")
    assert settled_reply(reply) == ChatReply("Hello.", (1, 2), (-0.5, -0.25), 9, "length")
    assert settled_reply(ChatReply("Hello.")) == ChatReply("Hello.")
    broken = fault_reply("out of memory")
    assert settled_reply(broken) is broken


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (ChatReply("<think>a", finish="length"), "cut at max_tokens"),
        (ChatReply("<think>a"), "reasoning alone"),
        (ChatReply("<think>a</think>", finish="length"), "reasoning alone"),
    ],
)
def test_reasoning_without_an_answer_is_a_fault(reply: ChatReply, cause: str) -> None:
    assert cause_of(settled_reply(reply).fault or "") == cause


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": {"b": 2}}\n```', {"a": {"b": 2}}),
        ('Here: {"a": 1} and more', {"a": 1}),
        ("[1]", None),
        ('{"a": ', None),
        ("{" * 5000, None),
        ("none", None),
    ],
)
def test_an_object_is_found_in_an_answer(text: str, found: object) -> None:
    assert found_object(text) == found
