"""Replies kept in a JSON-lines file, by the content of the request.

A file is for one model. No torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from negotiation_env.engines.chat_model import ChatModel, ChatReply, ChatRequest, EngineSpecError, fault_reply


def request_key(request: ChatRequest) -> str:
    """SHA-256 over messages, sampling and seed, as 64 hexadecimal digits."""
    fields = asdict(request)
    if not request.choices:  # requests of older recordings had none
        del fields["choices"]
    content = json.dumps(fields, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


class RecordedEngine:
    """Answers from a file alone; a request that is not in it gets a fault reply.

    Raises EngineSpecError where the file does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.spec = f"recorded:{path}"
        if not self.path.is_file():
            raise EngineSpecError(
                f"{self.spec}: expected a file of recorded replies, found none; record one with RecordingEngine"
            )
        self._replies = _read(self.path)

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        return [self._replies.get(request_key(r)) or self._missing(r) for r in requests]

    def _missing(self, request: ChatRequest) -> ChatReply:
        return fault_reply(f"no recorded reply for request {request_key(request)[:12]}")


class RecordingEngine:
    """Answers from a file, and from another engine what the file lacks, which is then added.

    Fault replies are not recorded. Several processes may add to one file.
    """

    def __init__(self, inner: ChatModel, path: str | Path) -> None:
        self.inner = inner
        self.path = Path(path)
        self.spec = inner.spec
        self._lock = threading.Lock()
        self._replies = _read(self.path) if self.path.is_file() else {}

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        with self._lock:
            keys = [request_key(request) for request in requests]
            new = {k: r for k, r in zip(keys, requests, strict=True) if k not in self._replies}
            made = dict(zip(new, self.inner.generate(list(new.values())), strict=True))
            kept = {key: reply for key, reply in made.items() if reply.fault is None}
            if kept:
                _append(self.path, kept)
                self._replies.update(kept)
            return [self._replies.get(key) or made[key] for key in keys]


def _append(path: Path, replies: dict[str, ChatReply]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        for key, reply in replies.items():
            line = json.dumps({"request": key, "reply": asdict(reply)}) + "\n"
            # One write a line: appends of several processes do not mix.
            os.write(descriptor, line.encode("ascii"))
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, ChatReply]:
    """The file's replies. A last line cut short by a kill is left out; another raises."""
    replies: dict[str, ChatReply] = {}
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            reply = entry["reply"]
            reply["token_ids"] = tuple(reply["token_ids"])
            reply["logprobs"] = tuple(reply["logprobs"])
            replies[entry["request"]] = ChatReply(**reply)
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not text.endswith("\n"):
                continue
            raise EngineSpecError(f"{path}, line {number}: expected a recorded reply, got {line[:60]!r}") from error
    return replies
