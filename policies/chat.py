"""A prompted language model as the agent: any engine, any of the prompts of ``play.agent_prompts``, no training.

Says what the model says, without role labels and reasoning, and repairs nothing: the model's mistakes are what the
benchmarks measure. A policy's options stand in its spec (``?max_tokens=512&prompt=plain``) or in a policy file
(``agents_file``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from negotiation_env.engines import load_engine
from negotiation_env.engines.chat_model import ChatModel, ChatReply, ChatRequest
from negotiation_env.engines.specs import ENGINE_OPTIONS, checked, join_spec, split_spec
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.files import Many, Number, Table, Text, known
from negotiation_env.play.agent_prompts import PROMPTS, default_prompt
from negotiation_env.play.protocols import AgentReply, AgentView

_BASES = {"small": "smollm2", "tiny": "tiny"}
"""Base of each scale that is at hand."""
MOST_TOKENS: Final = 131_072
"""Largest max_tokens: room enough for models that reason."""
_LABEL = re.compile(r"\s*(?:agent|assistant|you|me|caller|platform|travel agent)\s*:\s*", re.IGNORECASE)
_NEXT_SPEAKER = re.compile(
    r"(?:^|(?<=[\n.!?\"”)]))\s*(?:manager|hotel manager|hotel|user|agent|assistant|human|system)\s*:|<\|", re.IGNORECASE
)
"""Where another's lines begin: at the beginning of a line or sentence, so that "I ask the hotel: ..." stays whole."""
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


class ChatOptions(Table):
    """How a language model is asked for its replies; what is None is the prompt's own."""

    name: Text | None = None
    """The policy's name in reports."""
    prompt: Annotated[str, known(PROMPTS, "a prompt")] | None = None
    """A key of ``PROMPTS``; by default what suits the engine."""
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    """Most tokens of one reply, reasoning included."""
    temperature: Annotated[Number, Field(ge=0.0, le=100.0)] = 0.7
    """0 takes the likeliest token; the reply's seed is the view's."""
    top_p: Annotated[Number, Field(gt=0.0, le=1.0)] = 0.9
    """Nucleus mass."""
    stop: Many[Text] | None = None
    """Strings that end a reply."""
    cut: Literal["fault", "speak"] | None = None
    """What becomes of a reply that was cut at its limit: a fault, or it is spoken as it stands."""


class ChatPolicy:
    """The agent played by a chat model; all views go into one batched call.

    Args:
        engine: an engine spec ("smollm2", "hf:ID", "vllm:ID", "openai:URL#MODEL", "recorded:PATH"), or an open
            engine. Options in a spec (``?temperature=0``), the engine's among them, count before the arguments.
        name: the policy's name in reports; default: the engine's spec.
        prompt: a key of ``agent_prompts.PROMPTS``; None takes the one that suits the engine.
        max_tokens: most tokens of one reply, 1 to 131,072; None for the prompt's own.
        temperature: 0 takes the likeliest token; the reply's seed is the view's.
        top_p: nucleus mass in (0, 1].
        stop: strings that end a reply; None for the prompt's own.
        cut: what becomes of a reply that was cut at its limit, "fault" or "speak"; None for the prompt's own.

    Raises:
        UsageError: on a value out of range, or an unknown option.
        EngineSpecError, EngineMissingError: if the spec cannot be opened.
    """

    def __init__(
        self,
        engine: str | ChatModel = "smollm2",
        *,
        name: str | None = None,
        prompt: str | None = None,
        max_tokens: int | None = None,
        temperature: float = 0.7,
        top_p: float = 0.9,
        stop: Sequence[str] | None = None,
        cut: str | None = None,
    ) -> None:
        given: dict[str, Any] = {"name": name, "prompt": prompt, "max_tokens": max_tokens}
        given |= {"temperature": temperature, "top_p": top_p, "stop": stop, "cut": cut}
        if isinstance(engine, str):
            head, options = split_spec(engine)
            own = {key: options.pop(key) for key in list(options) if key in ENGINE_OPTIONS}
            given |= options
            engine = load_engine(join_spec(head, own))
        chosen = checked(ChatOptions, given, f"options of {engine.spec}")
        self.engine: ChatModel = engine
        self.name = chosen.name or engine.spec
        self.prompt = chosen.prompt or default_prompt(getattr(engine, "of", "") or engine.spec)
        self._prompt = PROMPTS[self.prompt]
        self.max_tokens = chosen.max_tokens or self._prompt.max_tokens
        self.temperature, self.top_p = chosen.temperature, chosen.top_p
        self.stop = tuple(self._prompt.stop if chosen.stop is None else chosen.stop)
        self.cut = chosen.cut or self._prompt.cut

    def request(self, view: AgentView) -> ChatRequest:
        """Return the engine request that one view leads to."""
        return ChatRequest(
            messages=self._prompt.write(view),
            seed=view.seed,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop,
            whole=self._prompt.whole,
        )

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order; an engine's fault is the reply's ``fault``, and so is a cut reply."""
        if not views:
            return []
        return [self._said(reply) for reply in self.engine.generate([self.request(view) for view in views])]

    def _said(self, reply: ChatReply) -> AgentReply:
        if reply.finish == "length" and self.cut == "fault":
            return AgentReply("", fault=f"cut at max_tokens: the reply is longer than {self.max_tokens} tokens")
        return agent_reply(reply)


def agent_reply(reply: ChatReply) -> AgentReply:
    """Return an engine's reply as the agent's: what it speaks, the tokens as sampled, or the fault."""
    if reply.fault is not None:
        return AgentReply("", fault=reply.fault)
    return AgentReply(spoken_part(reply.text), reply.token_ids, reply.logprobs)


def base_policy(which: str = "small", options: Mapping[str, Any] | None = None) -> ChatPolicy:
    """Return an untrained base model: prompted SmolLM2-135M-Instruct ("small"), or the tiny scale's base ("tiny").

    A reply has as many tokens as one of an adapter on it. Both bases ramble, so one that was cut there is spoken as it
    stands: were it a fault, their figures would be of the few dialogues in which they do not.

    Raises:
        UsageError: on another scale.
    """
    if which not in _BASES:
        raise UsageError(f"base: expected a scale, got {which!r}.{did_you_mean(which, _BASES)}")
    most = PROMPTS["compact"].max_tokens
    return ChatPolicy(join_spec(_BASES[which], options or {}), name="base", max_tokens=most, cut="speak")
