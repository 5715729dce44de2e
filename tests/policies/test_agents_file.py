"""Options in specs and policy files: what they become, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.engines.specs import join_spec, load_engine, split_spec
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.play.registry import load_policy, policy_label
from policies.agents_file import read_agents
from policies.chat import ChatPolicy

OPENAI = "openai:http://localhost:8000/v1#org/model"


def test_options_are_read_and_written_back() -> None:
    options: dict[str, Any] = {
        "max_tokens": 512,
        "temperature": 0.7,
        "prompt": "plain",
        "name": "7",
        "stop": ["\n", "a,b&c"],
        "headers": {"X-Team": "1.5"},
        "extra": {"chat_template_kwargs": {"enable_thinking": False}, "bad": ["ü, 字", {"a": 1}], "top_k": 20},
    }
    text = join_spec(OPENAI, options)
    assert "," not in text and " " not in text
    assert split_spec(text) == (OPENAI, options)
    assert join_spec(*split_spec(text)) == text


@pytest.mark.parametrize(
    ("spec", "head", "options"),
    [
        (f"{OPENAI}?max_tokens=9&temperature=0", OPENAI, {"max_tokens": 9, "temperature": 0}),
        ("openai:http://h/v1?api-version=2#m?top_p=0.5", "openai:http://h/v1?api-version=2#m", {"top_p": 0.5}),
        ("hf:org/model?prompt=guided&stop=", "hf:org/model", {"prompt": "guided", "stop": []}),
        ("heuristic?name=rules%20of+thumb", "heuristic", {"name": "rules of+thumb"}),
        (f"{OPENAI}?extra.a.b=true&extra.a.c=[1%2C2]", OPENAI, {"extra": {"a": {"b": True, "c": [1, 2]}}}),
        ("intent-driven", "intent-driven", {}),
    ],
)
def test_options_stand_behind_the_question_mark(spec: str, head: str, options: dict[str, Any]) -> None:
    assert split_spec(spec) == (head, options)


@pytest.mark.parametrize(
    "options", ["api_key=s3cret", "key=s3cret", "token=s3cret", "max_tokens", "max_tokens=1&max_tokens=2", "=1"]
)
def test_keys_and_half_options_are_refused(options: str) -> None:
    with pytest.raises(EngineSpecError, match="options: expected"):
        split_spec(f"{OPENAI}?{options}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("max_tokens=0", "max_tokens: expected a number of at least 1, got 0"),
        ("max_token=5", "expected a known field, got 'max_token'. Did you mean 'max_tokens'"),
        ("prompt=plane", "expected a prompt, got 'plane'. Did you mean 'plain'"),
        ("temperature=warm", "temperature: expected a number, got 'warm'"),
        ("top_p=0", "top_p: expected a number above 0"),
        ("timeout=0", "timeout: expected a number above 0"),
        ("extra.api_key=s3cret", "expected no key in extra"),
        ("headers.Authorization=Bearer%20x", 'expected the value of Authorization as "env:VARIABLE"'),
    ],
)
def test_an_option_out_of_range_is_told(options: str, message: str) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    with pytest.raises(UsageError) as told:
        load_policy(f"{OPENAI}?{options}")
    assert message in str(told.value)
    assert "s3cret" not in str(told.value)


def test_options_of_a_server_are_no_local_engine_s() -> None:
    with pytest.raises(UsageError, match="they are openai's"):
        load_engine("smollm2?timeout=5")
    with pytest.raises(UsageError, match="expected no options but name, got temperature"):
        load_policy("heuristic?temperature=1")


def test_options_reach_the_policy() -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    policy = load_policy(f"{OPENAI}?max_tokens=2048&temperature=0&top_p=1&stop=%0A%0A&name=mine&concurrency=3")
    assert isinstance(policy, ChatPolicy)
    assert (policy.name, policy.max_tokens, policy.temperature, policy.top_p) == ("mine", 2048, 0, 1)
    assert (policy.stop, policy.prompt) == (("\n\n",), "plain")
    assert getattr(policy.engine, "settings", None).concurrency == 3  # type: ignore[union-attr]
    assert policy_label(f"{OPENAI}?name=mine") == "mine" and policy_label(OPENAI) == OPENAI
    assert load_policy("heuristic?name=thumb").name == "thumb"
    plain = load_policy(OPENAI)
    assert isinstance(plain, ChatPolicy) and (plain.prompt, plain.max_tokens, plain.stop) == ("plain", 512, ())


def test_shipped_adapters_take_options_and_keep_their_prompt() -> None:
    pytest.importorskip("torch", reason="the package torch is not installed")
    as_trained, other = load_policy("repo:tiny"), load_policy("repo:tiny?temperature=0&prompt=guided&name=cold")
    assert isinstance(as_trained, ChatPolicy) and isinstance(other, ChatPolicy)
    assert (as_trained.name, as_trained.prompt, as_trained.max_tokens, as_trained.stop) == (
        "repo",
        "compact",
        64,
        ("\n",),
    )
    assert (other.name, other.prompt, other.temperature, other.max_tokens) == ("cold", "guided", 0, 64)
    assert other.engine is as_trained.engine


def agents(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "agents.toml"
    path.write_text(text, encoding="utf-8")
    return read_agents(path)


SERVER = '[server.one]\nurl = "http://h/v1"\nkey_env = "K"\nextra = { top_k = 5, seed_kind = "a" }\n'


def test_an_agent_takes_its_server_s_settings(tmp_path: Path) -> None:
    (spec,) = agents(tmp_path, SERVER + '[[agent]]\nserver = "one"\nmodel = "m"\nextra = { top_k = 9 }\nstop = []\n')
    head, options = split_spec(spec)
    assert head == "openai:http://h/v1#m"
    assert options == {"key_env": "K", "extra": {"top_k": 9, "seed_kind": "a"}, "stop": [], "name": "one/m"}
    assert agents(tmp_path, '[[agent]]\npolicy = "sft:tiny"\ntemperature = 0.5\n') == ["sft:tiny?temperature=0.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "agent: expected this field"),
        ("agent = []", "agent: expected at least 1 items"),
        ("[[agent]]\nname = 'x'", "expected policy, or server and model, got neither"),
        ("[[agent]]\npolicy = 'sft'\nmodel = 'x'", "expected policy, or server and model, got both"),
        ("[[agent]]\npolicy = 'sft?top_p=1'", "expected policy without options"),
        ("[[agent]]\nserver = 'two'\nmodel = 'x'\n" + SERVER, "expected the name of a server in this file, got 'two'"),
        ("[[agent]]\npolicy = 'sft'\nmax_token = 5", "Did you mean 'max_tokens'"),
        ("[[agent]]\npolicy = 'sft'\n[server.a]\nurl='http://h'\napi_key='x'", "expected a known field, got 'api_key'"),
        ("[[agent]]\npolicy = 'sft'\n[server.a]\nurl='http://h'\nheaders={X-Key='x'}", "the value of X-Key as"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataFileError) as told:
        agents(tmp_path, text)
    assert message in str(told.value) and "agents.toml" in str(told.value)
