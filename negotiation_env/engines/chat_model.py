"""The one interface behind which every language-model engine lies: chat messages, requests and replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from typing_extensions import TypedDict

from negotiation_env.errors import NegotiationError, UsageError


class EngineSpecError(UsageError):
    """An engine spec that names no engine, or one that cannot be opened."""


class EngineMissingError(NegotiationError, ImportError):
    """A package that the asked-for engine needs is not installed."""


INT64: Final = 1 << 63
"""Servers take seeds below this, as numbers of 64 bits with a sign; a request's may be larger."""


class ChatMessage(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One reply to sample.

    messages: the chat so far, oldest first, at least one.
    seed: any integer; the reply's sampled tokens depend on the request alone, this included.
    max_tokens: most tokens to sample, at least 1.
    temperature: 0 takes the likeliest token; else at most 100.
    top_p: nucleus mass in (0, 1].
    stop: strings that end the reply; the string itself is cut off. The object of a `schema` is not cut.
    begin: text that the assistant's reply starts with, where the engine can see to it; returned as
        part of the reply's text, not counted in token_ids or max_tokens. An engine that cannot
        returns what came without it, so the caller checks.
    choices: what follows `begin` is one of these, where the engine can see to it; an engine that
        cannot answers freely, so the caller checks. Empty for any text.
    schema: JSON schema, as text, of the object that the reply is, where the engine can see to it; an engine that cannot
        answers freely, so the caller checks (see answers.found_object). Empty for any text.
    whole: whether a prompt that is too long for the model is a fault; else it loses its middle.

    Raises ValueError for a value out of range.
    """

    messages: tuple[ChatMessage, ...]
    seed: int = 0
    max_tokens: int = 64
    temperature: float = 0.7
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    begin: str = ""
    choices: tuple[str, ...] = ()
    whole: bool = False
    schema: str = ""

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("messages: expected at least one message, got none; add the prompt")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens: expected at least 1, got {self.max_tokens}")
        if not 0.0 <= self.temperature <= 100.0:
            raise ValueError(f"temperature: expected 0 to 100, got {self.temperature}")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p: expected a value in (0, 1], got {self.top_p}")
        if "" in self.stop:
            raise ValueError("stop: expected non-empty strings, got an empty one; leave it out")
        if "" in self.choices:
            raise ValueError("choices: expected non-empty strings, got an empty one; leave it out")


@dataclass(frozen=True, slots=True)
class ChatReply:
    """One sampled reply, or the reason why there is none.

    text: the reply, `begin` included, stop string and reasoning excluded; empty where `fault` is set.
    token_ids: sampled tokens, the end token included; empty where the engine tells none.
    logprobs: natural-log probability of each token in token_ids at the request's temperature
        (1 where that is 0), without top-p, same length; empty where the engine tells none.
    prompt_tokens: tokens of the prompt that the model saw.
    finish: "stop" at an end token or stop string, "length" at max_tokens, "fault" on a failure.
    fault: the cause, where the sample failed, before ": " and details; else None.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    prompt_tokens: int = 0
    finish: Literal["stop", "length", "fault"] = "stop"
    fault: str | None = None


class ChatModel(Protocol):
    """A language model that answers chats.

    `generate` returns one reply per request, in the order asked. A sample that fails is a
    reply whose `fault` is set; it never costs the others theirs.
    """

    spec: str

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply per request, in order."""
        ...


@runtime_checkable
class RolloutEngine(ChatModel, Protocol):
    """A chat model that training samples from: it tells prompts' tokens, and takes new weights between rounds."""

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        """One reply per request, with log-probabilities, and the prompt's token ids; a fault's may be empty."""
        ...

    def renew(self) -> None:
        """Serve the adapter as its folder holds it now, once training has written it anew."""
        ...


def adapted(engine: ChatModel) -> bool:
    """Whether an engine speaks through an adapter, and so knows its task: its attribute ``adapter`` names one."""
    return getattr(engine, "adapter", None) is not None


def fault_reply(cause: str) -> ChatReply:
    """The reply that stands for a failed sample."""
    return ChatReply(text="", finish="fault", fault=cause)
