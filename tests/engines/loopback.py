"""Chat servers on the loopback interface, for tests: what they are strict about, and how they fail."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Say = Callable[[Body], str]
REPLY = "Good morning, this is the travel platform. Could we talk about your rate?"


@dataclass
class Raw:
    """An answer as it goes over the wire; ``None`` as status breaks the connection off."""

    body: bytes | str
    status: int | None = 200
    kind: str = "application/json"


@dataclass
class Loopback:
    """A server: what it was asked, and how it answers."""

    answer: Callable[[Body], Raw]
    asked: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def completion(content: Any, finish: str = "stop", **message: Any) -> Raw:
    """A chat completion with this content."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return Raw(json.dumps({"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 7}}))


def refused(why: str) -> Raw:
    """What vLLM answers to a request that it does not take."""
    return Raw(json.dumps({"error": {"message": why, "type": "BadRequestError", "code": 400}}), 400)


def tokens_of(text: str) -> list[str]:
    """A rough tokenizer: words and single signs."""
    return re.findall(r"\w+|[^\w\s]", text)


def limited(body: Body, text: str) -> Raw:
    """A completion cut at the request's stop strings and limit, as servers cut it."""
    for stop in body.get("stop") or ():
        text = text.partition(stop)[0]
    most = int(body["max_tokens"])
    count = len(tokens_of(text))
    if count > most:
        return completion(" ".join(tokens_of(text)[:most]), "length")
    return completion(text)


def like_vllm(say: Say) -> Callable[[Body], Raw]:
    """A server with vLLM's limits: int64 seeds, a context, no empty request; JSON where a schema is given."""

    def answer(body: Body) -> Raw:
        seed = body.get("seed", 0)
        if not -(1 << 63) <= seed < 1 << 63:
            return refused(f"seed: Input should be less than or equal to 9223372036854775807, got {seed}")
        if not body["messages"] or body["max_tokens"] < 1 or not 0 < body["top_p"] <= 1:
            return refused("bad request")
        used = sum(len(tokens_of(m["content"])) for m in body["messages"])
        if used + body["max_tokens"] > 8192:
            return refused("This model's maximum context length is 8192 tokens.")
        if body.get("continue_final_message") and body["messages"][-1]["role"] != "assistant":
            return refused("the last message is not the assistant's")
        return limited(body, say(body))

    return answer


def lenient(say: Say) -> Callable[[Body], Raw]:
    """A server that knows no schemas and no beginnings, and says what it wants to."""
    return lambda body: limited(body, say(body))


@contextmanager
def serve(answer: Callable[[Body], Raw]) -> Iterator[Loopback]:
    """Serve on a free port."""
    server = Loopback(answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # one packet an answer

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append(body)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                found = server.answer(body)
            if found.status is None:
                self.close_connection = True
                return
            data = found.body.encode() if isinstance(found.body, str) else found.body
            self.send_response(found.status)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # with fewer, callers at the same time wait a second to be let in

    http = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def dead_url() -> str:
    """The address of a server that is not there any more."""
    with serve(lambda body: completion(REPLY)) as server:
        return server.url


TEN_FAILURES: dict[str, Raw] = {
    "not JSON": Raw("<html><body>502 Bad Gateway</body></html>", kind="text/html"),
    "JSON of another shape": Raw(json.dumps({"error": "overloaded", "choices": []})),
    "null content": completion(None),
    "list as content": completion([{"type": "text", "text": "Hello."}]),
    "lone surrogate": Raw('{"choices": [{"message": {"content": "Hello \\ud800 there"}}]}'),
    "reasoning alone": completion("<think>The manager is upset, so"),
    "cut at max_tokens": completion("We bring you guests and", "length"),
    "HTTP 400": refused("This model's maximum context length is 10 tokens."),
    "HTTP 503": Raw("busy", 503, "text/plain"),
    "no connection": Raw("", None),
}
"""One answer of each kind of failure, by the cause that is to be told."""
