"""The engine over HTTP: whatever a server answers is a reply or that reply's fault, and no key gets out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from negotiation_env.engines.answers import cause_of
from negotiation_env.engines.chat_model import ChatReply, ChatRequest, EngineSpecError
from negotiation_env.engines.servers import ServerSettings
from negotiation_env.engines.specs import load_engine
from tests.engines.loopback import (
    REPLY,
    TEN_FAILURES,
    Body,
    Loopback,
    Raw,
    completion,
    dead_url,
    lenient,
    like_vllm,
    serve,
)

pytest.importorskip("openai", reason="the package openai is not installed")


def ask(text: str = "Hello?", **settings: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **settings)


def replies(server: Loopback, requests: list[ChatRequest], **settings: Any) -> list[ChatReply]:
    from negotiation_env.engines.openai_engine import OpenAIEngine

    return OpenAIEngine(f"{server.url}#m", ServerSettings(**{"retries": 0, **settings})).generate(requests)


@pytest.mark.parametrize("seed", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -5])
def test_every_seed_lies_within_what_vllm_takes(seed: int) -> None:
    with serve(like_vllm(lambda body: REPLY)) as server:
        (reply,) = replies(server, [ask(seed=seed)])
    assert reply.text == REPLY
    assert 0 <= server.asked[0]["seed"] < 1 << 63


@pytest.mark.parametrize("cause", TEN_FAILURES)
def test_a_malformed_answer_spoils_its_own_reply_only(cause: str) -> None:
    def answer(body: Body) -> Raw:
        return TEN_FAILURES[cause] if body["messages"][-1]["content"] == "bad" else completion(REPLY)

    with serve(answer) as server:
        first, second, third = replies(server, [ask("one"), ask("bad"), ask("three")])
    assert (first.text, third.text) == (REPLY, REPLY)
    if cause == "cut at max_tokens":  # what that means is for the asker to say
        assert second.finish == "length" and second.fault is None
    else:
        assert second.text == "" and cause_of(second.fault or "") == cause


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "3", '"text"', '{"choices": null}', '{"choices": [null]}', '{"choices": [{"message": null}]}',
     '{"choices": [{"message": {}}]}', '{"choices": {"0": {}}}', "[" * 100_000,
     '{"choices": [{"message": {"content": 5}}]}'],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain; charset=no-such-one"])
def test_no_body_ends_a_run(body: str, kind: str) -> None:
    with serve(lambda asked: Raw(body, kind=kind)) as server:
        (reply,) = replies(server, [ask()])
    assert reply.fault is not None and reply.finish == "fault"


def test_bytes_that_are_no_utf8_and_what_cannot_be_sent_end_no_run() -> None:
    with serve(lambda body: Raw(b'{"choices": [{"message": {"content": "caf\xe9"}}]}')) as server:
        (reply,) = replies(server, [ask("a lone \ud800 surrogate")])
    assert reply.text == "caf�"
    assert server.asked[0]["messages"][0]["content"] == "a lone ? surrogate"


def test_a_dead_server_says_why() -> None:
    (reply,) = replies(Loopback(lambda body: completion(""), url=dead_url()), [ask()])
    assert cause_of(reply.fault or "") == "no connection" and "refused" in (reply.fault or "")


@pytest.mark.parametrize(
    ("content", "beside", "text"),
    [
        ("<think>They ask 400.\nI bid 350.</think>\n\nCould you do 350?", {}, "Could you do 350?"),
        ("They ask 400, I bid 350.</think>Could you do 350?", {}, "Could you do 350?"),
        ("Could you do 350?", {"reasoning_content": "I bid 350."}, "Could you do 350?"),
        ("Could you do 350?", {"reasoning": "I bid 350."}, "Could you do 350?"),
        ("[THINK]hm[/THINK]Could you do 350?", {}, "Could you do 350?"),
    ],
)
def test_reasoning_is_not_part_of_a_reply(content: str, beside: dict[str, str], text: str) -> None:
    with serve(lambda body: completion(content, **beside)) as server:
        (reply,) = replies(server, [ask()])
    assert reply.text == text


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (completion("<think>I bid", "length"), "cut at max_tokens"),
        (completion("<think>I bid", "stop"), "reasoning alone"),
        (completion("<think>I bid</think>"), "reasoning alone"),
        (completion(None, "length", reasoning_content="I bid"), "cut at max_tokens"),
        (completion("", reasoning_content="I bid"), "reasoning alone"),
    ],
)
def test_reasoning_alone_is_a_fault(answer: Raw, cause: str) -> None:
    with serve(lambda body: answer) as server:
        (reply,) = replies(server, [ask()])
    assert cause_of(reply.fault or "") == cause


CHOICES = ("A)", "B)", "C)")
BEGIN = 'Evidence: "Hello"\nVerdict: ('


def in_json(body: Body) -> str:
    """What a server with schemas says: JSON over several lines."""
    allowed = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
    return json.dumps({"answer": allowed[1]}, indent=2)


@pytest.mark.parametrize(
    "say",
    [
        in_json,
        lambda body: '```json\n{"answer": "B)"}\n```',
        lambda body: '{"answer": "B"}',
        lambda body: "B",
        lambda body: "(B)",
        lambda body: "B) It is polite.",
        lambda body: "Verdict: (B)",
        lambda body: BEGIN + "B)",
        lambda body: 'Evidence: "another"\nVerdict: (B) It is polite.',
    ],
)
@pytest.mark.parametrize("prefix", ["ask", "continue"])
def test_a_choice_is_found_however_a_server_answers(say: Callable[[Body], str], prefix: str) -> None:
    with serve(like_vllm(say)) as server:
        (reply,) = replies(server, [ask(begin=BEGIN, choices=CHOICES, max_tokens=4, stop=("\n",))], prefix=prefix)
    assert reply.text == BEGIN + "B)"


def test_an_object_over_several_lines_is_whole() -> None:
    written = json.dumps({"price": 309}, indent=2)
    with serve(lambda body: completion(written)) as server:
        (reply,) = replies(server, [ask(schema='{"type": "object"}', stop=("\n",))])
    assert reply.text == written


def test_an_answer_that_names_no_choice_comes_as_it_stands() -> None:
    with serve(lenient(lambda body: "Either A) or B).")) as server:
        (reply,) = replies(server, [ask(begin=BEGIN, choices=CHOICES, max_tokens=4)])
    assert reply.text == "Either A) or B)."


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Good morning, Ms Li. Could we talk? Yes", "Good morning, Ms Li. Could we talk"),
        ("Hello there. How are you? Fine", "Hello there. How are you"),  # not "Good morning, MsHello there."
        ("\n Good morning, Ms Li", "Good morning, Ms Li"),
    ],
)
def test_a_server_that_ignores_a_beginning_leads_to_no_glued_text(said: str, text: str) -> None:
    with serve(lenient(lambda body: said)) as server:
        (reply,) = replies(server, [ask(begin="Good morning, Ms", max_tokens=9, stop=("?",))])
    assert reply.text == text
    assert [m["role"] for m in server.asked[0]["messages"]] == ["user"]
    assert "Good morning, Ms" in server.asked[0]["messages"][0]["content"]


def test_a_server_that_goes_on_from_a_beginning_is_told_so() -> None:
    with serve(like_vllm(lambda body: " Li.")) as server:
        (reply,) = replies(server, [ask(begin="Good morning, Ms")], prefix="continue")
    assert reply.text == "Good morning, Ms Li."
    assert server.asked[0]["messages"][-1] == {"role": "assistant", "content": "Good morning, Ms"}
    assert server.asked[0]["continue_final_message"] is True and server.asked[0]["add_generation_prompt"] is False


def test_settings_of_a_server_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret")
    monkeypatch.setenv("MY_TOKEN", "t0ken")
    settings = {
        "key_env": "MY_KEY",
        "headers": {"X-Team": "rates", "X-Token": "env:MY_TOKEN"},
        "limit": "max_completion_tokens",
        "leave_out": ["seed", "top_p"],
        "reasoning_tokens": 1000,
        "extra": {"top_k": 20},
    }
    with serve(lambda body: Raw("s3cret t0ken", 401, "text/plain")) as server:
        (reply,) = replies(server, [ask(max_tokens=9)], **settings)
    body, headers = server.asked[0], server.headers[0]
    assert body["max_completion_tokens"] == 1009 and body["top_k"] == 20
    assert not {"seed", "top_p", "max_tokens", "stop", "response_format"} & set(body)
    assert (headers["authorization"], headers["x-team"], headers["x-token"]) == ("Bearer s3cret", "rates", "t0ken")
    assert cause_of(reply.fault or "") == "HTTP 401"
    assert "s3cret" not in repr(reply) and "t0ken" not in repr(reply)


def test_a_variable_that_is_not_set_is_told_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(EngineSpecError, match="MY_TOKEN, which is not set"):
        replies(Loopback(lambda body: completion(""), url="http://127.0.0.1:1/v1"), [], headers={"X": "env:MY_TOKEN"})
    with pytest.raises(EngineSpecError, match="key_env: expected a key in the environment variable MY_TOKEN"):
        replies(Loopback(lambda body: completion(""), url="http://127.0.0.1:1/v1"), [], key_env="MY_TOKEN")


def test_a_slow_server_is_a_timeout() -> None:
    hold = threading.Event()

    def answer(body: Body) -> Raw:
        hold.wait(5.0)
        return completion(REPLY)

    with serve(answer) as server:
        (reply,) = replies(server, [ask()], timeout=0.2)
        hold.set()
    assert reply.fault == "timeout: no answer within 0.2 s"


def test_options_of_a_spec_reach_the_server() -> None:
    with serve(lambda body: completion(REPLY)) as server:
        spec = f"openai:{server.url}#m?retries=0&extra.chat_template_kwargs.enable_thinking=false&extra.top_k=5"
        engine = load_engine(spec)
        assert engine is load_engine(spec) and engine.spec == f"openai:{server.url}#m"
        engine.generate([ask()])
    assert server.asked[0]["chat_template_kwargs"] == {"enable_thinking": False} and server.asked[0]["top_k"] == 5
