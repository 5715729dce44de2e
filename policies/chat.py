"""A prompted language model as the agent: any engine, no training.

Says what the model says, without role labels, and repairs nothing: the model's mistakes are what the benchmarks
measure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import ChatModel, ChatReply, ChatRequest
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import AgentReply, AgentView

_BASES = {"small": ("smollm2", 40), "tiny": ("tiny", 64)}
"""Base of each scale that is at hand, and the most tokens of its replies."""
_LABEL = re.compile(r"\s*(?:agent|assistant|you|me|caller|platform|travel agent)\s*:\s*", re.IGNORECASE)
_NEXT_SPEAKER = re.compile(
    r"\b(?:manager|hotel manager|hotel|user|agent|assistant|human|system)\s*:|<\|", re.IGNORECASE
)
_QUOTES = "\"'“”"


def spoken_part(text: str) -> str:
    """Return the model's own utterance: no label, no next speaker's lines, no quotes around it."""
    text = _LABEL.sub("", text, count=1) if _LABEL.match(text) else text
    following = _NEXT_SPEAKER.search(text)
    if following:
        text = text[: following.start()]
    text = text.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


class ChatPolicy:
    """The agent played by a chat model; all views go into one batched call.

    Args:
        engine: an engine spec ("smollm2", "hf:ID", "vllm:ID", "openai:URL#MODEL", "recorded:PATH"),
            or an open engine.
        name: the policy's name in reports; default: the engine's spec.
        max_tokens: most tokens of one reply, 1 to 512 (the most that the source paper allows).
        temperature: 0 takes the likeliest token; the reply's seed is the view's.
        top_p: nucleus mass in (0, 1].

    Raises:
        UsageError: on a value out of range.
        EngineSpecError, EngineMissingError: if the spec cannot be opened.
    """

    def __init__(
        self,
        engine: str | ChatModel = "smollm2",
        *,
        name: str | None = None,
        max_tokens: int = 40,
        temperature: float = 0.7,
        top_p: float = 0.9,
    ) -> None:
        if not 1 <= max_tokens <= 512:
            raise UsageError(f"expected max_tokens from 1 to 512, got {max_tokens}: replies are short")
        self.engine: ChatModel = load_engine(engine) if isinstance(engine, str) else engine
        self.name = name or self.engine.spec
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.top_p = top_p

    def request(self, view: AgentView) -> ChatRequest:
        """Return the engine request that one view leads to."""
        return ChatRequest(
            messages=prompt(view),
            seed=view.seed,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=("\n",),
        )

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order; an engine's fault is the reply's ``fault``."""
        if not views:
            return []
        return [agent_reply(reply) for reply in self.engine.generate([self.request(view) for view in views])]


def agent_reply(reply: ChatReply) -> AgentReply:
    """Return an engine's reply as the agent's: what it speaks, the tokens as sampled, or the fault."""
    if reply.fault is not None:
        return AgentReply("", fault=reply.fault)
    return AgentReply(spoken_part(reply.text), reply.token_ids, reply.logprobs)


def base_policy(which: str = "small") -> ChatPolicy:
    """Return an untrained base model: prompted SmolLM2-135M-Instruct ("small"), or the tiny scale's base ("tiny").

    Raises:
        UsageError: on another scale.
    """
    if which not in _BASES:
        raise UsageError(f"base: expected a scale, got {which!r}.{did_you_mean(which, _BASES)}")
    engine, tokens = _BASES[which]
    return ChatPolicy(engine, name="base", max_tokens=tokens)
