"""Replies of one model kept in a JSON-lines file, by the content of the request.

A line holds the request whole (messages and what it differs in from a default request), its key, the reply, and which
engine made it, with an adapter or not. A reply is found by its request alone, in whatever order requests come. A
request that is not there stops a replay with a ``RecordMissError``, which tells how the most similar one differs.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, fields
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final, NamedTuple

from negotiation_env.engines.chat_model import ChatModel, ChatReply, ChatRequest, EngineSpecError, adapted
from negotiation_env.errors import DataFileError, NegotiationError
from negotiation_env.files import append_lines, read_lines

_SHOWN: Final = 60
"""Characters around the first difference of two texts that an error tells."""
_COMPARED: Final = 4000
"""Characters of a request that are compared when the most similar one is looked for."""


class RecordMissError(NegotiationError, LookupError):
    """A request that a recording does not hold."""


def request_key(request: ChatRequest) -> str:
    """SHA-256 over messages, sampling and seed, as 64 hexadecimal digits."""
    asked = asdict(request)
    for name in ("choices", "whole", "schema"):  # requests of older recordings had none
        if not asked[name]:
            del asked[name]
    content = json.dumps(asked, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


class RecordedEngine:
    """Answers from a file alone.

    ``generate`` raises ``RecordMissError`` for a request that is not in it. Raises EngineSpecError where the file does
    not exist. ``of`` is the spec of the engine that was recorded, "" if the file does not tell; ``adapter`` is
    "recorded" if that one had an adapter, else None.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.spec = f"recorded:{path}"
        if not self.path.is_file():
            raise EngineSpecError(
                f"{self.spec}: expected a file of recorded replies, found none; record one with ENGINE?record=PATH"
            )
        self._lines = _read(self.path)
        self.of = next((line.engine for line in reversed(self._lines.values())), "")
        self.adapter = "recorded" if any(line.adapted for line in self._lines.values()) else None

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        keys = [request_key(request) for request in requests]
        missing = [request for key, request in zip(keys, requests, strict=True) if key not in self._lines]
        if missing:
            raise RecordMissError(
                f"{self.spec}: expected a recorded reply to each of {len(requests)} requests, got none to "
                f"{len(missing)} of them; {self._nearest(missing[0])}; record it again with ENGINE?record={self.path}"
            )
        return [self._lines[key].reply for key in keys]

    def _nearest(self, request: ChatRequest) -> str:
        """Return in words how the most similar recorded request differs."""
        asked = plain_request(request)
        known = [line.asked for line in self._lines.values() if line.asked]
        if not known:
            return f"the file names none of its {len(self._lines)} requests"
        return f"the closest recorded one has {difference(asked, max(known, key=lambda one: _likeness(asked, one)))}"


class RecordingEngine:
    """Answers from a file, and from another engine what the file lacks, which is then added.

    A fault is recorded too, so that a replay has it, but asked for again by the next recording. Several processes may
    add to one file.
    """

    def __init__(self, inner: ChatModel, path: str | Path) -> None:
        self.inner = inner
        self.path = Path(path)
        self.spec = inner.spec
        self.adapter = "recorded" if adapted(inner) else None
        self._lock = threading.Lock()
        lines = _read(self.path) if self.path.is_file() else {}
        self._replies = {key: line.reply for key, line in lines.items() if line.reply.fault is None}

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        with self._lock:
            keys = [request_key(request) for request in requests]
            new = {k: r for k, r in zip(keys, requests, strict=True) if k not in self._replies}
            made = dict(zip(new, self.inner.generate(list(new.values())), strict=True))
            if made:
                rows = (
                    {
                        "request": key,
                        "asked": plain_request(new[key]),
                        "reply": asdict(reply),
                        "engine": self.spec,
                        "adapted": self.adapter is not None,
                    }
                    for key, reply in made.items()
                )
                self.path.parent.mkdir(parents=True, exist_ok=True)
                append_lines(self.path, rows)
                self._replies |= {key: reply for key, reply in made.items() if reply.fault is None}
            return [self._replies.get(key) or made[key] for key in keys]


def plain_request(request: ChatRequest) -> dict[str, Any]:
    """Return a request as JSON-able data: its messages, and the fields that are not a default request's."""
    found: dict[str, Any] = {"messages": [dict(message) for message in request.messages]}
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name != "messages" and value != field.default:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def difference(asked: dict[str, Any], known: dict[str, Any]) -> str:
    """Return the first respect in which a recorded request differs from the one asked, in words."""
    mine, theirs = asked["messages"], known.get("messages", [])
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            name = "content" if one.get("role") == other.get("role") else "role"
            return f"another {name} in message {place}: {_apart(str(one.get(name)), str(other.get(name)))}"
    if len(mine) != len(theirs):
        return f"{len(theirs)} messages in place of {len(mine)}"
    for name in sorted({*asked, *known} - {"messages"}):
        if asked.get(name) != known.get(name):
            return f"{name} {_told(known, name)} in place of {_told(asked, name)}"
    return "the same content and another key: its line is damaged"


def _told(request: dict[str, Any], name: str) -> str:
    return repr(request[name]) if name in request else "by default"


def _apart(asked: str, known: str) -> str:
    """Return two texts from their first difference on."""
    same = next((i for i, (a, b) in enumerate(zip(asked, known, strict=False)) if a != b), min(len(asked), len(known)))
    start = max(0, same - _SHOWN // 3)
    return f"{known[start : start + _SHOWN]!r} in place of {asked[start : start + _SHOWN]!r}"


def _likeness(asked: dict[str, Any], known: dict[str, Any]) -> tuple[float, int]:
    """Return how alike two requests are: their messages' text first, then how many other fields are the same."""
    mine, theirs = (" ".join(m["content"] for m in one.get("messages", []))[-_COMPARED:] for one in (asked, known))
    same = sum(asked.get(name) == known.get(name) for name in {*asked, *known})
    if mine == theirs:
        return 1.0, same
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    return min(matcher.quick_ratio(), 0.999), same


class _Line(NamedTuple):
    request: str
    reply: ChatReply
    asked: dict[str, Any] = {}  # noqa: RUF012 - older recordings' lines have none
    engine: str = ""
    adapted: bool = False


def _read(path: Path) -> dict[str, _Line]:
    """Return the file's lines, of one request the last. A last line cut short by a kill is left out; another raises."""
    try:
        return {line.request: line for line in read_lines(path, _Line, torn=True)}
    except DataFileError as error:
        raise EngineSpecError(str(error)) from error
