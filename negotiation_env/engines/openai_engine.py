"""Chat engine over HTTP, for servers that speak OpenAI's chat-completions protocol.

Whatever a server answers is a reply or that reply's fault; what may be mended by another try is tried again, and a
server that is away is waited for (``servers.Tries``). Its seed is kept within int64, which is what vLLM takes;
whether it is honoured, and independently of a batch, is up to the server. So is whether a reply goes on from a given
beginning: unless the server is known to do so (``ServerSettings.prefix``) it is asked to write the beginning itself,
and an answer that begins otherwise is returned as it stands, never glued to the beginning.

Calls run side by side in one thread of their own, so that each try ends in its time, however slowly a body drips, and
Ctrl-C ends them all.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError

from negotiation_env.engines.answers import cause_of, found_choice, read_completion, settled_reply
from negotiation_env.engines.chat_model import INT64, ChatReply, ChatRequest, EngineSpecError, fault_reply
from negotiation_env.engines.servers import Contact, Outcome, ServerSettings, Tries, masked, names_secret
from negotiation_env.files import json_value

ANSWER_TOKENS: Final = 64
"""Tokens of an answer in JSON, beside the choice in it."""
_LONGEST: Final = 300
"""Characters of a failure that its fault tells."""
_BROKEN: Final = frozenset({"not JSON", "JSON of another shape", "null content", "empty answer"})
"""Causes of faults that come from what lies between a model and its asker; the others are the model's answer."""
_NO_TIME: Final = frozenset({429, 502, 503, 504})
_MENDED: Final = frozenset({408, 409})
_CONTINUE: Final = {"add_generation_prompt": False, "continue_final_message": True}


class OpenAIEngine:
    """A ChatModel on a chat-completions server.

    Args:
        address: BASE_URL#MODEL, say http://localhost:8000/v1#my-model.
        settings: how the server is spoken to; None for the defaults.

    Raises:
        EngineSpecError: for an address of another form, or a header whose value cannot be had.
    """

    def __init__(self, address: str, settings: ServerSettings | None = None) -> None:
        base, separator, model = address.rpartition("#")
        if not separator or not model or not base.startswith(("http://", "https://")):
            raise EngineSpecError(
                f"openai: expected BASE_URL#MODEL with a base of http:// or https://, got {address!r}"
            )
        if "@" in base.split("/")[2]:
            raise EngineSpecError("openai: expected no user or password in the address; use a key")
        if names_secret(base.partition("?")[2]):
            raise EngineSpecError("openai: expected no key in the address; name its variable in key_env or headers")
        self.spec = f"openai:{address}"
        self.model = model
        self.settings = settings or ServerSettings()
        self._base = base
        self._contact = Contact()
        self._line: _Connection | None = None
        self.settings.key(), self.settings.header_values()  # what is missing is told before a run

    def __repr__(self) -> str:
        return f"OpenAIEngine({self.spec!r})"

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        return [reply for reply, _ in self.generate_from_prompts(requests)]

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        """One reply per request with the prompt's token ids, where the setting ``logprobs`` asks for them."""
        if not requests:
            return []
        line = self._connected()
        made = asyncio.run_coroutine_threadsafe(self._all(line.client, requests), line.loop)
        try:
            return made.result()
        except BaseException:  # Ctrl-C, say: nothing goes on behind the caller's back
            made.cancel()
            raise

    def _connected(self) -> _Connection:
        """Return this process's line to the server; a process that was forked has none yet."""
        if self._line is None or self._line.process != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name=self.spec, daemon=True).start()
            weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)
            client = AsyncOpenAI(
                base_url=self._base,
                # Servers of one's own want no key, but the client insists on one.
                api_key=self.settings.key() or "none",
                timeout=self.settings.timeout,
                max_retries=0,
                default_headers=self.settings.header_values(),
            )
            self._line = _Connection(os.getpid(), loop, client)
        return self._line

    async def _all(
        self, client: AsyncOpenAI, requests: Sequence[ChatRequest]
    ) -> list[tuple[ChatReply, tuple[int, ...]]]:
        places = asyncio.Semaphore(self.settings.concurrency)

        async def one(request: ChatRequest) -> tuple[ChatReply, tuple[int, ...]]:
            async with places:
                return await self._one(client, request)

        return await asyncio.gather(*map(one, requests))

    async def _one(self, client: AsyncOpenAI, request: ChatRequest) -> tuple[ChatReply, tuple[int, ...]]:
        """Ask until there is an answer, or no reason left to ask again."""
        tries = Tries(self.settings, self._contact, self._base, request.seed % 1024 / 1024)
        while True:
            reply, prompt, outcome, asked = await self._try(client, request)
            pause = tries.pause(outcome, asked)
            if pause is None:
                break
            await asyncio.sleep(pause)
        if reply.fault is not None:
            told = f" (waited {tries.waited:.0f} s: start the server and run again)" if tries.waited > 1.0 else ""
            return fault_reply(reply.fault + told), ()
        text, stopped = self._behind_beginning(request, reply.text)
        return replace(reply, text=text, finish="stop" if stopped else reply.finish), prompt

    async def _try(self, client: AsyncOpenAI, request: ChatRequest) -> _Try:
        """Make one call; the client's own time limit is for each read, this one for all of it."""
        try:
            # The client's own reading of an answer raises all manner of errors where it is malformed.
            call = client.chat.completions.with_raw_response.create(**self._fields(request))
            raw = await asyncio.wait_for(call, self.settings.timeout)
            body = raw.http_response.content.decode("utf-8", "replace")
        except (OpenAIError, ValueError, LookupError, OSError) as error:  # TimeoutError is an OSError
            told = masked(_failure(error, self.settings.timeout), self.settings.secrets())
            return _Try(fault_reply(told[:_LONGEST]), (), *_what_to_do(error))
        reply, prompt = read_completion(masked(body, self.settings.secrets()), self.settings.logprobs)
        reply = settled_reply(reply)
        return _Try(reply, prompt, "failed" if cause_of(reply.fault or "") in _BROKEN else "answered", 0.0)

    def _fields(self, request: ChatRequest) -> dict[str, Any]:
        """Return a request's fields as they are sent."""
        settings, extra = self.settings, dict(self.settings.extra)
        limit = request.max_tokens + settings.reasoning_tokens
        # Reasoning has line ends: the server would stop in it.
        stop = [] if settings.reasoning_tokens else list(request.stop)
        if settings.prefix == "continue" and request.begin:
            extra |= _CONTINUE
        elif request.begin:
            # A token is a byte at least, so the beginning's copy fits; where it ends is for this side to find.
            limit, stop = limit + len(request.begin.encode("utf-8", "replace")), []
        if request.choices:
            limit = max(limit, ANSWER_TOKENS + max(map(len, request.choices)) + settings.reasoning_tokens)
        form = _schema(request)
        if form is not None:
            stop = []  # JSON may have line ends
        fields: dict[str, Any] = {
            "seed": request.seed % INT64,
            "temperature": request.temperature,
            "top_p": request.top_p,
            **({"stop": stop} if stop else {}),
            **({"response_format": form} if form is not None else {}),
        }
        if settings.logprobs:
            fields["logprobs"] = True
            extra["return_token_ids"] = True
        kept = {name: value for name, value in fields.items() if name not in settings.leave_out}
        messages = self._messages(request)
        return {"model": self.model, "messages": messages, settings.limit: limit, **kept, "extra_body": extra}

    def _messages(self, request: ChatRequest) -> list[dict[str, str]]:
        """Return the chat, with the reply's beginning as the server takes it."""
        messages = [{"role": m["role"], "content": _sendable(m["content"])} for m in request.messages]
        asks = []
        if request.begin and self.settings.prefix == "continue":
            return [*messages, {"role": "assistant", "content": _sendable(request.begin)}]
        if request.begin and request.choices:
            asks.append(f"Your answer so far:\n{request.begin}")
        elif request.begin:
            asks.append(f"Begin your answer with exactly this text, and go on from there:\n{request.begin}")
        if request.choices:
            asks.append(f'Answer with JSON, {{"answer": "..."}}, which is one of: {", ".join(request.choices)}')
        if not asks:
            return messages
        asked = _sendable("\n\n".join(asks))
        if messages[-1]["role"] != "user":
            return [*messages, {"role": "user", "content": asked}]
        return [*messages[:-1], {"role": "user", "content": f"{messages[-1]['content']}\n\n{asked}"}]

    def _behind_beginning(self, request: ChatRequest, text: str) -> tuple[str, bool]:
        """Return an answer with the request's beginning, cut at its stop strings, and whether it was cut there.

        What neither begins as asked nor names a choice is returned without the beginning. A form is never cut.
        """
        choice = found_choice(text, request.choices, request.begin) if request.choices else None
        if choice is not None:
            return request.begin + choice, True
        begin, rest = "", text
        if request.begin and text.lstrip().startswith(request.begin.rstrip()):
            begin, rest = request.begin.rstrip(), text.lstrip().removeprefix(request.begin.rstrip())
            rest = f" {rest.lstrip()}" if rest[:1].isspace() else rest  # a line end there is no end of the reply
        elif request.begin and self.settings.prefix == "continue":
            begin = request.begin
        elif request.begin:
            rest = text.lstrip()
        stops = () if request.schema else request.stop
        places = [place for stop in stops if (place := rest.find(stop)) >= 0]
        return begin + rest[: min(places, default=len(rest))], bool(places)


class _Connection(NamedTuple):
    """One process's line to a server: the loop that its calls run in, and the client."""

    process: int
    loop: asyncio.AbstractEventLoop
    client: AsyncOpenAI


class _Try(NamedTuple):
    """What came of one call: a reply or fault, the prompt's ids if told, and how long the server wants to be left."""

    reply: ChatReply
    prompt: tuple[int, ...]
    outcome: Outcome
    asked: float


def _failure(error: Exception, timeout: float) -> str:
    """Return why a call gave no answer, its cause first."""
    if isinstance(error, APITimeoutError | TimeoutError):
        return f"timeout: no answer within {timeout:g} s"
    if isinstance(error, APIConnectionError):
        return f"no connection: {_root(error)}"
    if isinstance(error, APIStatusError):
        return f"HTTP {error.status_code}: {error!s}"
    return f"{type(error).__name__}: {error!s}"


def _root(error: BaseException) -> str:
    """Return what an error comes from in the end; where several addresses were tried, for the last of them."""
    inner = error.exceptions[-1] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    if inner is not None:
        return _root(inner)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def _what_to_do(error: Exception) -> tuple[Outcome, float]:
    """Return what a failed call tells of the server, and the seconds for which it asks to be left alone."""
    if isinstance(error, APITimeoutError | TimeoutError):
        return "failed", 0.0
    if isinstance(error, APIConnectionError):
        # One that breaks off in the middle may do so because of what it was asked.
        return ("away" if type(error.__cause__).__name__ == "ConnectError" else "failed"), 0.0
    if isinstance(error, APIStatusError):
        status, asked = error.status_code, _asked(error)
        if status in _NO_TIME and error.code != "insufficient_quota":
            return "away", asked
        return ("failed" if status >= 500 or status in _MENDED else "answered"), asked
    return "answered", 0.0


def _asked(error: APIStatusError) -> float:
    """Return the seconds in a response's Retry-After, 0 where it names none (a date is none)."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) / unit)
        except ValueError:
            continue
    return 0.0


def _sendable(text: str) -> str:
    """Return a text as UTF-8 has it: a lone surrogate, which somebody may have said, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _schema(request: ChatRequest) -> dict[str, Any] | None:
    """Return the form that an answer must have, None for any: one of some choices, or what a schema says.

    The protocol wants an object around a choice.
    """
    if request.choices:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": list(request.choices)}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        return {"type": "json_schema", "json_schema": {"name": "choice", "schema": schema, "strict": True}}
    if request.schema:
        return {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": json_value(request.schema), "strict": True},
        }
    return None
