"""Replies of one model kept in a JSON-lines file, by the content of the request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from negotiation_env.engines.chat_model import ChatModel, ChatReply, ChatRequest, EngineSpecError, fault_reply
from negotiation_env.errors import DataFileError
from negotiation_env.files import append_lines, read_lines


def request_key(request: ChatRequest) -> str:
    """SHA-256 over messages, sampling and seed, as 64 hexadecimal digits."""
    fields = asdict(request)
    for name in ("choices", "whole"):  # requests of older recordings had none
        if not fields[name]:
            del fields[name]
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
        return fault_reply(f"no recorded reply: request {request_key(request)[:12]}")


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
                append_lines(self.path, ({"request": key, "reply": asdict(reply)} for key, reply in kept.items()))
                self._replies.update(kept)
            return [self._replies.get(key) or made[key] for key in keys]


class _Line(NamedTuple):
    request: str
    reply: ChatReply


def _read(path: Path) -> dict[str, ChatReply]:
    """Return the file's replies. A last line cut short by a kill is left out; another raises."""
    try:
        return {line.request: line.reply for line in read_lines(path, _Line, torn=True)}
    except DataFileError as error:
        raise EngineSpecError(str(error)) from error
