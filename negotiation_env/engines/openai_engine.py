"""Chat engine over HTTP, for servers that speak OpenAI's chat-completions protocol.

Whatever a server answers is a reply or that reply's fault. Its seed is kept within int64, which is what vLLM takes;
whether it is honoured, and independently of a batch, is up to the server. So is whether a reply goes on from a given
beginning: unless the server is known to do so (``ServerSettings.prefix``) it is asked to write the beginning itself,
and an answer that begins otherwise is returned as it stands, never glued to the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAI, OpenAIError

from negotiation_env.engines.answers import found_choice, read_completion, settled_reply
from negotiation_env.engines.chat_model import INT64, ChatReply, ChatRequest, EngineSpecError, fault_reply
from negotiation_env.engines.servers import ServerSettings, names_secret
from negotiation_env.files import json_value

ANSWER_TOKENS: Final = 64
"""Tokens of an answer in JSON, beside the choice in it."""
_LONGEST: Final = 300
"""Characters of a failure that its fault tells."""
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
        self._client = OpenAI(
            base_url=base,
            api_key=self.settings.key() or "none",  # servers of one's own want none, but the client insists on one
            timeout=self.settings.timeout,
            max_retries=self.settings.retries,
            default_headers=self.settings.header_values(),
        )

    def __repr__(self) -> str:
        return f"OpenAIEngine({self.spec!r})"

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        if not requests:
            return []
        with ThreadPoolExecutor(min(self.settings.concurrency, len(requests))) as pool:
            return list(pool.map(self._one, requests))

    def _one(self, request: ChatRequest) -> ChatReply:
        try:
            # The client's own reading of an answer raises all manner of errors where it is malformed.
            raw = self._client.chat.completions.with_raw_response.create(**self._fields(request))
            body = raw.http_response.content.decode("utf-8", "replace")
        except (OpenAIError, ValueError, LookupError, OSError) as error:
            told = self._without_secrets(_failure(error, self.settings.timeout))
            return fault_reply(told[:_LONGEST])
        reply = settled_reply(read_completion(self._without_secrets(body)))
        if reply.fault is not None:
            return reply
        text, stopped = self._behind_beginning(request, reply.text)
        return replace(reply, text=text, finish="stop" if stopped else reply.finish)

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

        What neither begins as asked nor names a choice is returned without the beginning.
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
        places = [place for stop in request.stop if (place := rest.find(stop)) >= 0]
        return begin + rest[: min(places, default=len(rest))], bool(places)

    def _without_secrets(self, text: str) -> str:
        for secret in self.settings.secrets():
            text = text.replace(secret, "[key]")
        return text


def _failure(error: Exception, timeout: float) -> str:
    """Return why a call gave no answer, its cause first."""
    if isinstance(error, APITimeoutError):
        return f"timeout: no answer within {timeout:g} s"
    if isinstance(error, APIConnectionError):
        return f"no connection: {error.__cause__ or error!s}"
    if isinstance(error, APIStatusError):
        return f"HTTP {error.status_code}: {error!s}"
    return f"{type(error).__name__}: {error!s}"


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
