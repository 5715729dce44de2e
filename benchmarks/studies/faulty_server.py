"""A chat server on the loopback interface that fails by plan, or stands as a proxy before one that does not.

Whether a call fails, and how, is a function of the plan's seed, of what is asked, and of how often it was asked
before; neither time nor the order of calls matters. So a run against it can be compared with a run without failures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

FAULTS: Final = ("429", "500", "timeout", "cut", "broken", "empty", "slow")
"""Refused for want of time, an error, no answer at all, a connection cut within the body, half a body as if it were
whole, nothing, and a body that drips so slowly that it does not come to its end."""
SOUND: Final = "answered"
Answer = Callable[[bytes], bytes]
"""Returns the body of a sound answer to a request's body."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How a server fails.

    Attributes:
        seed: which calls fail, and how.
        share: of the calls that fail, 0 to 1, in all its ways alike.
        hold: seconds for which a call without an answer, or with a dripping one, is held; longer than callers wait.
        away_after: calls after which the server goes away once; 0 for never.
        away_for: seconds until it is back.
        ways: in which calls fail, of ``FAULTS``.
    """

    seed: int = 0
    share: float = 0.2
    hold: float = 3.0
    away_after: int = 0
    away_for: float = 60.0
    ways: Sequence[str] = FAULTS

    def fault(self, asked: str, before: int) -> str:
        """Return how a call fails, "" if it does not. ``before``: how often the same was asked before."""
        drawn = hashlib.sha256(f"{self.seed} {before} {asked}".encode()).digest()
        if int.from_bytes(drawn[:4]) / 2**32 >= self.share:
            return ""
        return self.ways[int.from_bytes(drawn[4:8]) % len(self.ways)]


def completion_body(text: str) -> bytes:
    """Return a sound chat completion with this text."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 1, "completion_tokens": len(text.split())}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


@dataclass
class FaultyServer:
    """A running server; its plan may be changed between calls.

    Attributes:
        answer: makes the sound answers.
        plan: how it fails.
        done: what became of the calls: ``SOUND`` or the fault, counted.
        answered: sound answers that were sent whole, by request.
        url: its base URL.
    """

    answer: Answer
    plan: FaultPlan
    done: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _asked: Counter[str] = field(default_factory=Counter)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def plan_anew(self, plan: FaultPlan) -> None:
        """Fail by another plan from now on, as if nothing had been asked yet."""
        self.plan = plan
        for counts in (self.done, self.answered, self._asked):
            counts.clear()

    async def listen(self, port: int) -> int:
        """Take calls on a port, 0 for any; returns it."""
        self._listener = await asyncio.start_server(self._talk, "127.0.0.1", port, backlog=1024)
        found = int(self._listener.sockets[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{found}/v1"
        return found

    async def _go_away(self) -> None:
        """Refuse connections and cut those that are open, until the time is over."""
        port = int(self.url.rpartition(":")[2].partition("/")[0])
        if self._listener is not None:
            self._listener.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(self.plan.away_for)
        await self.listen(port)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the calls of one connection."""
        self._open.add(writer)
        try:
            going = True
            while going:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
                going = await self._call(await reader.readexactly(int(length[1]) if length else 0), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the caller has gone, or the server is at its end
        finally:
            self._open.discard(writer)
            writer.close()

    async def _call(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer or fail; returns whether the connection goes on."""
        asked = hashlib.sha256(body).hexdigest()
        fault = self.plan.fault(asked, self._asked[asked])
        self._asked[asked] += 1
        self.done[fault or SOUND] += 1
        if self.plan.away_after and self.done.total() == self.plan.away_after:
            task = asyncio.create_task(self._go_away())
            self._tasks.add(task)  # the loop keeps no hold of it
        if fault == "timeout":
            await asyncio.sleep(self.plan.hold)
            return False
        if fault in ("429", "500"):
            error = json.dumps({"error": {"message": "failed by plan", "code": int(fault)}}).encode()
            await _send(writer, error, int(fault))
            return True
        whole = await asyncio.to_thread(self.answer, body) if fault != "empty" else b""
        if fault == "empty" and int(asked[0], 16) % 2:
            whole = completion_body("")
        if fault == "broken":
            whole = whole[: len(whole) // 2]
        if fault in ("cut", "slow"):
            _begin(writer, len(whole))
            await _send_part(writer, whole, self.plan.hold / 20.0 if fault == "slow" else 0.0)
            writer.transport.abort()
            return False
        await _send(writer, whole)
        self.answered[asked] += not fault
        return True


def _begin(writer: asyncio.StreamWriter, length: int, status: int = 200) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    writer.write(f"{head}{'Retry-After-Ms: 20' if status == 429 else 'X-Server: by plan'}\r\n\r\n".encode())


async def _send(writer: asyncio.StreamWriter, body: bytes, status: int = 200) -> None:
    _begin(writer, len(body), status)
    writer.write(body)
    await writer.drain()


async def _send_part(writer: asyncio.StreamWriter, body: bytes, pause: float) -> None:
    """Send half of a body, at once or byte by byte; stops where the caller has gone."""
    half = body[: len(body) // 2]
    parts = [half] if not pause else [half[place : place + 1] for place in range(len(half))]
    for part in parts:
        if writer.is_closing():
            return
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause)


async def _end(server: FaultyServer) -> None:
    """Take no more calls, and cancel what is still held or waiting."""
    if server._listener is not None:
        server._listener.close()
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def faulty_server(answer: Answer, plan: FaultPlan | None = None) -> Iterator[FaultyServer]:
    """Serve in a thread of its own until the block ends."""
    server = FaultyServer(answer, plan or FaultPlan())
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(64))  # as many answers at once as a proxy is asked for
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.listen(0), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
