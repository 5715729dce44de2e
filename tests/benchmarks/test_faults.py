"""Runs against servers that are strict, lenient, failing or dead: every case comes out, every fault is counted."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli.main import app
from benchmarks.metrics.policy_metrics import ALL_METRICS
from benchmarks.studies.faulty_server import SOUND, FaultPlan, FaultyServer, completion_body, faulty_server
from negotiation_env.engines.answers import cause_of
from negotiation_env.play import registry
from negotiation_env.play.records import read_episodes
from tests.benchmarks.playing import ScoredByLength
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

CASES = 45


@pytest.fixture(autouse=True)
def light_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    monkeypatch.setattr(registry, "suited_reader", lambda policy: "rules")


def bench(out: Path, url: str, *arguments: str, options: str = "") -> Result:
    spec = f"openai:{url}#m?name=agent&retries=0{options}"
    words = ["bench", "--policy", spec, "--suite", "bad-cases", "--out", str(out), "--quiet", *arguments]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


def report_of(out: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return data


def say(body: Body) -> str:
    """A different short reply a message, with reasoning before it."""
    return f"<think>secret thoughts\n</think>{REPLY} That is message {len(body['messages'])}."


@pytest.mark.parametrize("kind", [like_vllm, lenient])
def test_a_sound_server_loses_no_case(tmp_path: Path, kind: Callable[..., Callable[[Body], Raw]]) -> None:
    with serve(kind(say)) as server:
        result = bench(tmp_path, server.url)
    assert result.exit_code == 0, result.output
    assert "faults" not in result.stderr
    own = report_of(tmp_path)["policies"]["agent"]
    assert (own["episodes"], own["faults"], own["withheld"]) == (CASES, [], False)
    assert own["metrics"]["fixed"]["n"] == CASES and own["metrics"]["fixed"]["value"] is not None
    episodes = list(read_episodes(tmp_path / "episodes.jsonl"))
    assert len(episodes) == CASES and all(e.fault is None and e.policy == "agent" for e in episodes)
    texts = [turn.text for e in episodes for turn in e.turns]
    assert texts and all(text.startswith(REPLY) for text in texts)
    # Reasoning is neither spoken nor shown to the model again.
    assert not any("secret thoughts" in m["content"] for body in server.asked for m in body["messages"])
    assert max(body["seed"] for body in server.asked) < 1 << 63
    longest = max(server.asked, key=lambda body: len(body["messages"]))["messages"]
    assert len(longest) > 5 and "Procedure" in longest[0]["content"]


class Failing:
    """Fails one call in five, in ten ways by turns, and counts what it did."""

    def __init__(self) -> None:
        self.calls = 0
        self.done: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, body: Body) -> Raw:
        with self.lock:
            self.calls += 1
            if self.calls % 5:
                return completion(say(body))
            cause = list(TEN_FAILURES)[self.calls // 5 % len(TEN_FAILURES)]
            self.done[cause] += 1
            return TEN_FAILURES[cause]


def test_every_fault_of_a_failing_server_is_counted_by_its_cause(tmp_path: Path) -> None:
    failing = Failing()
    with serve(failing) as server:
        result = bench(tmp_path, server.url, "--max-faults", "1")
    assert result.exit_code == 0, result.output
    own = report_of(tmp_path)["policies"]["agent"]
    assert own["episodes"] == CASES
    assert Counter(own["fault_causes"]) == failing.done and len(failing.done) >= 8
    assert sum(failing.done.values()) == len(own["faults"])
    episodes = list(read_episodes(tmp_path / "episodes.jsonl"))
    assert len({e.scenario_id for e in episodes}) == CASES
    assert Counter(cause_of(e.fault) for e in episodes if e.fault) == failing.done
    assert f"faults: agent: {len(own['faults'])} of {CASES} episodes failed: " in result.stderr
    assert all(f"{count} x {cause}" in result.stderr for cause, count in failing.done.items())


def test_too_many_faults_exit_with_3_and_leave_figures_out(tmp_path: Path) -> None:
    with serve(Failing()) as server:
        result = bench(tmp_path, server.url)
    assert result.exit_code == 3
    own = report_of(tmp_path)["policies"]["agent"]
    assert own["withheld"] and own["metrics"]["fault_share"]["value"] > 0.1
    groups = [own["metrics"], *own["suites"].values(), *own["categories"].values()]
    assert {f["value"] for g in groups for name, f in g.items() if name not in ALL_METRICS} == {None}
    assert (tmp_path / "scores.jsonl").read_text(encoding="utf-8") == ""
    rows = [line.strip() for line in result.stdout.splitlines() if "%" in line and "fault_share" not in line]
    assert rows == ["Automated checks; brackets hold 95% intervals"]


def test_a_dead_server_exits_with_3_and_one_line_that_says_why(tmp_path: Path) -> None:
    result = bench(tmp_path, dead_url())
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"faults: agent: {CASES} of {CASES} episodes failed, more than the 10% of --max-faults: ")
    assert f"{CASES} x no connection" in line and "refused" in line
    assert "100.0%" in result.stdout


def test_a_reply_cut_at_its_limit_is_a_fault(tmp_path: Path) -> None:
    with serve(like_vllm(say)) as server:
        result = bench(tmp_path, server.url, options="&max_tokens=3")
    assert result.exit_code == 3 and f"{CASES} x cut at max_tokens" in result.stderr


AGENTS = """
[server.local]
url = "URL"
key_env = "LOCAL_KEY"
timeout = 5.0
retries = 0
concurrency = 2
reasoning_tokens = 50
headers = {{ "X-Team" = "rates", "X-Token" = "env:LOCAL_TOKEN" }}
extra = {{ top_k = 20 }}

[[agent]]
name = "careful"
server = "local"
model = "org/model-7b"
max_tokens = 700
temperature = 0.2
stop = ["\\n\\n", "a,b"]
extra = {{ chat_template_kwargs = {{ enable_thinking = false }} }}

[[agent]]
server = "local"
model = "org/model-7b"
prompt = "guided"

[[agent]]
policy = "heuristic"
name = "rules of thumb"
"""


def test_a_policy_file_names_agents_and_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KEY", "s3cret-key")
    monkeypatch.setenv("LOCAL_TOKEN", "t0ken-value")
    with serve(like_vllm(say)) as server:
        path = tmp_path / "agents.toml"
        path.write_text(AGENTS.format().replace("URL", server.url), encoding="utf-8")
        words = ["bench", "--policy-file", str(path), "--suite", "bad-cases", "--out", str(tmp_path / "out"), "-q"]
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    data = report_of(tmp_path / "out")
    assert list(data["policies"]) == ["careful", "local/org/model-7b", "rules of thumb"]
    assert set(data["provenance"]["specs"]) == set(data["policies"])
    first = next(body for body in server.asked if body["max_tokens"] == 750)
    assert (first["temperature"], first["top_k"]) == (0.2, 20)
    assert first["chat_template_kwargs"] == {"enable_thinking": False}
    other = next(body for body in server.asked if body["max_tokens"] == 178)
    assert "chat_template_kwargs" not in other and "Now: " in other["messages"][0]["content"]
    assert {h["authorization"] for h in server.headers} == {"Bearer s3cret-key"}
    assert {(h["x-team"], h["x-token"]) for h in server.headers} == {("rates", "t0ken-value")}
    for file in (tmp_path / "out").iterdir():
        text = file.read_text(encoding="utf-8")
        assert "s3cret-key" not in text and "t0ken-value" not in text
    assert "s3cret-key" not in result.output


def test_another_setting_under_the_same_name_is_played_anew(tmp_path: Path) -> None:
    server: Loopback
    with serve(like_vllm(say)) as server:
        assert bench(tmp_path, server.url).exit_code == 0
        played = len(server.asked)
        assert bench(tmp_path, server.url).exit_code == 0
        assert len(server.asked) == played
        assert bench(tmp_path, server.url, options="&temperature=0").exit_code == 0
        assert len(server.asked) == 2 * played


def again(out: Path, server: FaultyServer, options: str) -> Result:
    """The bad cases against a server that fails by plan; failed calls are made again."""
    spec = f"openai:{server.url}#m?name=agent&backoff=0.02&{options}"
    words = ["bench", "--policy", spec, "--suite", "bad-cases", "--out", str(out), "--quiet"]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


def test_a_fifth_of_the_calls_may_fail_and_the_server_go_away_and_nothing_is_lost(tmp_path: Path) -> None:
    with faulty_server(lambda body: completion_body(say(json.loads(body)))) as server:
        server.plan_anew(FaultPlan(share=0.0))
        assert again(tmp_path / "sound", server, "retries=10").exit_code == 0
        calls = server.done.total()
        ways = (
            "429",
            "500",
            "cut",
            "broken",
            "empty",
        )  # waiting for the others takes its time, see test_failing_servers
        server.plan_anew(FaultPlan(ways=ways, away_after=calls // 2, away_for=1.0))
        assert again(tmp_path / "failing", server, "retries=10").exit_code == 0
        assert server.done[SOUND] < 0.9 * server.done.total()
    sound, failing = ((tmp_path / run / "episodes.jsonl").read_bytes() for run in ("sound", "failing"))
    assert sound == failing and len(failing.splitlines()) == CASES


def test_a_server_that_is_lost_ends_the_run_and_the_same_command_plays_the_rest(tmp_path: Path) -> None:
    with faulty_server(lambda body: completion_body(say(json.loads(body)))) as server:
        server.plan_anew(FaultPlan(share=0.0, away_after=100, away_for=4.0))
        lost = again(tmp_path, server, "retries=2&patience=0.3")
        assert lost.exit_code == 3 and "x no connection" in lost.stderr
        kept = [e for e in read_episodes(tmp_path / "episodes.jsonl") if e.fault is None]
        assert len(list(read_episodes(tmp_path / "episodes.jsonl"))) == CASES
        server.plan_anew(FaultPlan(share=0.0))
        result = again(tmp_path, server, "retries=9&patience=0.3")
        assert result.exit_code in (0, 3)
        time.sleep(5.0)  # longer than the server was to be away
        rest = again(tmp_path, server, "retries=2&patience=0.3")
        assert rest.exit_code == 0, rest.output
    episodes = list(read_episodes(tmp_path / "episodes.jsonl"))
    assert len({e.scenario_id for e in episodes}) == len(episodes) == CASES
    assert all(episode in episodes for episode in kept)
