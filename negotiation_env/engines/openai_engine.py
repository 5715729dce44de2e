"""Chat engine over HTTP, for servers that speak OpenAI's chat-completions protocol.

The key comes from the environment variable OPENAI_API_KEY alone and appears in no spec, representation or reply.
Whether a seed is honoured, and independently of a batch, is up to the server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from openai import OpenAI, OpenAIError, omit
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema

from negotiation_env.engines.chat_model import ChatReply, ChatRequest, EngineSpecError, fault_reply


class OpenAIEngine:
    """A ChatModel on a chat-completions server.

    address: BASE_URL#MODEL, say http://localhost:8000/v1#my-model. timeout: seconds a try;
    retries: further tries after a failed one; workers: requests under way at once.
    Raises EngineSpecError for an address of another form.
    """

    def __init__(self, address: str, *, timeout: float = 60.0, retries: int = 2, workers: int = 16) -> None:
        base, separator, model = address.rpartition("#")
        if not separator or not model or not base.startswith(("http://", "https://")):
            raise EngineSpecError(
                f"openai: expected BASE_URL#MODEL with a base of http:// or https://, got {address!r}"
            )
        if "@" in base.split("/")[2]:
            raise EngineSpecError("openai: expected no user or password in the address; use a key")
        self.spec = f"openai:{address}"
        self.model = model
        self.workers = workers
        # Servers of one's own often want no key, but the client insists on one.
        self._client = OpenAI(
            base_url=base,
            api_key=os.environ.get("OPENAI_API_KEY") or "none",
            timeout=timeout,
            max_retries=retries,
        )

    def __repr__(self) -> str:
        return f"OpenAIEngine({self.spec!r})"

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        if not requests:
            return []
        with ThreadPoolExecutor(min(self.workers, len(requests))) as pool:
            return list(pool.map(self._one, requests))

    def _one(self, request: ChatRequest) -> ChatReply:
        messages = [dict(message) for message in request.messages]
        if request.begin:
            messages.append({"role": "assistant", "content": request.begin})
        try:
            answer = self._client.chat.completions.create(
                model=self.model,
                messages=cast(list[ChatCompletionMessageParam], messages),
                seed=request.seed,
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                stop=list(request.stop) or None,
                response_format=_schema(request.choices) if request.choices else omit,
            )
        except OpenAIError as error:
            return fault_reply(f"{type(error).__name__}: {self._without_key(str(error))[:300]}")
        if not answer.choices or answer.choices[0].message.content is None:
            return fault_reply("the server's answer holds no text")
        text = answer.choices[0].message.content
        if request.choices:
            text = _chosen(text)
        if not text.startswith(request.begin):
            text = request.begin + text
        return ChatReply(
            text=text,
            prompt_tokens=answer.usage.prompt_tokens if answer.usage else 0,
            finish="length" if answer.choices[0].finish_reason == "length" else "stop",
        )

    def _without_key(self, text: str) -> str:
        key = os.environ.get("OPENAI_API_KEY")
        return text.replace(key, "[key]") if key else text


def _schema(choices: tuple[str, ...]) -> ResponseFormatJSONSchema:
    """The answer's form where it is one of some choices. The protocol wants an object around it."""
    answer = {"type": "string", "enum": list(choices)}
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"answer": answer},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "schema": schema, "strict": True}}


def _chosen(text: str) -> str:
    """The choice in an answer of that form; a server that knows no schemas answers freely, and so does this."""
    try:
        found = json.loads(text)["answer"]
    except (ValueError, KeyError, TypeError):
        return text
    return found if isinstance(found, str) else text
