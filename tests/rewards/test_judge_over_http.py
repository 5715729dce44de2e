"""The language-model judge over servers: every well-formed verdict is read, whatever the server does with JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from negotiation_env.engines.servers import ServerSettings
from rewards.judge.case_questions import cases
from rewards.judge.llm_judge import LlmJudge
from rewards.judge.rubric import Rubric
from rewards.rules.rule_reward import example_view
from tests.engines.loopback import Body, Raw, completion, lenient, like_vllm, serve

pytest.importorskip("openai", reason="the package openai is not installed")

RUBRIC = Rubric.from_toml()
TEXTS = [f"Good morning, could we talk about the rate of room {k}?" for k in range(10)]
ASKED = sum(q.when in cases(example_view(TEXTS[0])) for q in RUBRIC.questions)
QUOTE = '"could we talk about the rate"'


def in_json(body: Body) -> str:
    """What a server with schemas says."""
    if "response_format" not in body:
        return f"Evidence: {QUOTE}"
    return json.dumps({"answer": "no)"}, indent=4)


def going_on(body: Body) -> str:
    """What a server says that goes on from the assistant's last message."""
    return in_json(body) if "response_format" in body else f" {QUOTE}"


def in_two_lines(body: Body) -> str:
    """What a server says that knows neither schemas nor beginnings."""
    return f"Evidence: {QUOTE}\nAnswer: (no)"


def without_label(body: Body) -> str:
    return "No." if "answer so far" in body["messages"][-1]["content"] else QUOTE


def thinking(body: Body) -> str:
    return f"<think>\nIs it yes or no?\n\nAnswer: (yes)</think>\n\n{in_json(body)}"


@pytest.mark.parametrize(
    ("kind", "say", "settings"),
    [
        (like_vllm, in_json, {}),
        (like_vllm, going_on, {"prefix": "continue"}),
        (like_vllm, thinking, {"reasoning_tokens": 200}),
        (like_vllm, in_two_lines, {}),
        (lenient, in_two_lines, {}),
        (lenient, in_two_lines, {"leave_out": ["response_format"]}),
        (lenient, without_label, {}),
        (lenient, going_on, {}),
    ],
)
def test_every_well_formed_verdict_is_read(
    kind: Callable[..., Callable[[Body], Raw]], say: Callable[[Body], str], settings: dict[str, object]
) -> None:
    from negotiation_env.engines.openai_engine import OpenAIEngine

    with serve(kind(say)) as server:
        engine = OpenAIEngine(f"{server.url}#m", ServerSettings.model_validate(settings))
        verdicts = LlmJudge(engine, evidence=True, retries=0).judge([example_view(text) for text in TEXTS])
    assert [v.fault for v in verdicts] == [None] * len(TEXTS)
    assert {v.total for v in verdicts} == {sum(q.no for q in RUBRIC.questions)}
    assert {quote for v in verdicts for quote in v.evidence} == {QUOTE}
    assert len(server.asked) == 2 * len(TEXTS) * ASKED


def test_an_unreadable_verdict_is_a_fault_and_no_zero() -> None:
    from negotiation_env.engines.openai_engine import OpenAIEngine

    with serve(lambda body: completion("I would rather not say.")) as server:
        (verdict,) = LlmJudge(OpenAIEngine(f"{server.url}#m")).judge([example_view(TEXTS[0])])
    assert verdict.total is None and "expected yes or no" in (verdict.fault or "")
