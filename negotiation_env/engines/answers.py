"""What a model's raw answer comes down to: its reasoning left out, a choice found, a server's JSON read, a fault named.

A fault begins with its cause, then ": " and the details, so that faults can be counted by cause (``cause_of``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter

from negotiation_env.engines.chat_model import ChatReply, fault_reply

SHOWN: Final = 120
"""Characters of a strange answer that its fault tells."""
_NAMES: Final = "think|thinking|thought|thoughts|reasoning|reflection"
_BLOCK: Final = re.compile(
    rf"<({_NAMES})>.*?</\1>|\[THINK\].*?\[/THINK\]|◁think▷.*?◁/think▷", re.DOTALL | re.IGNORECASE
)
_CLOSES: Final = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷", re.IGNORECASE)
_OPENS: Final = re.compile(rf"<(?:{_NAMES})>|\[THINK\]|◁think▷", re.IGNORECASE)
_FENCE: Final = re.compile(r"\A```\w*\s*|\s*```\Z")


def cause_of(fault: str) -> str:
    """Return the part of a fault that faults of the same cause share."""
    return fault.partition(": ")[0]


def shown(text: str) -> str:
    """Return the beginning of a text, as a fault may tell it."""
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")


def without_reasoning(text: str) -> str | None:
    """Return an answer without the reasoning in it; None if it ends within its reasoning.

    A closing mark alone also ends reasoning: many chat templates write the opening one into the prompt.
    """
    spoken = _CLOSES.split(_BLOCK.sub("", text))[-1]
    if _OPENS.search(spoken):
        return None
    return text if spoken == text else spoken.strip()


def settled_reply(reply: ChatReply) -> ChatReply:
    """Return a model's reply without reasoning, or the fault that it is nothing else."""
    spoken = without_reasoning(reply.text)
    if spoken == reply.text or reply.fault is not None:
        return reply
    if spoken is None and reply.finish == "length":
        return fault_reply("cut at max_tokens: the reasoning did not end")
    if not spoken:
        return fault_reply("reasoning alone: there is no answer behind it")
    return ChatReply(spoken, reply.token_ids, reply.logprobs, reply.prompt_tokens, reply.finish)


def read_completion(body: str, with_tokens: bool = False) -> tuple[ChatReply, tuple[int, ...]]:
    """Return the reply in a server's chat completion, or the fault why it holds nothing that can be said.

    Reasoning beside the text (``reasoning_content``) is not read. With tokens, the reply has its token ids and
    log-probabilities, and the prompt's ids come with it, as vLLM gives them (``return_token_ids``).
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return fault_reply(f"not JSON: the server answered {shown(body)}"), ()
    match data:
        case {"choices": [{"message": dict(message), **choice}, *_]}:
            reply = _reply(message, choice.get("finish_reason"), data.get("usage"))
            if not with_tokens or reply.fault is not None:
                return reply, ()
            return _with_tokens(reply, choice, data.get("prompt_token_ids"))
    return fault_reply(f"JSON of another shape: expected choices with a message, got {shown(body)}"), ()


_TOKENS: Final = TypeAdapter(list[int], config=ConfigDict(strict=True))


def _with_tokens(reply: ChatReply, choice: Mapping[Any, Any], prompt: object) -> tuple[ChatReply, tuple[int, ...]]:
    """Return a reply with its token ids and log-probabilities, and the prompt's ids; else the fault."""
    try:
        ids, before = _TOKENS.validate_python(choice.get("token_ids")), _TOKENS.validate_python(prompt)
        logprobs = [float(place["logprob"]) for place in choice["logprobs"]["content"]]
    except (TypeError, KeyError, ValueError):
        ids, before, logprobs = [], [], [0.0]
    if len(ids) == len(logprobs):
        return replace(reply, token_ids=tuple(ids), logprobs=tuple(logprobs)), tuple(before)
    told = "expected token_ids, prompt_token_ids and a logprob of each token, got others: serve with vLLM 0.11 or newer"
    return fault_reply(f"no token ids: {told}, or leave out the option logprobs"), ()


def _reply(message: dict[str, Any], finish: object, usage: object) -> ChatReply:
    text, cut = message.get("content"), finish == "length"
    if not text and (message.get("reasoning_content") or message.get("reasoning")):
        return fault_reply(f"{'cut at max_tokens' if cut else 'reasoning alone'}: there is no answer behind it")
    if text is None:
        return fault_reply(f"null content: the message holds no text, finish_reason {finish!r}")
    if not isinstance(text, str):
        return fault_reply(f"{type(text).__name__} as content: expected a text, got {shown(repr(text))}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return fault_reply(f"lone surrogate: expected text in Unicode, got {shown(text)}")
    counts = usage if isinstance(usage, dict) else {}
    if not text and not counts.get("completion_tokens"):  # a model that says nothing says its end token
        return fault_reply("empty answer: the message holds no text, and the server counts no token of it")
    tokens = counts.get("prompt_tokens")
    return ChatReply(text, prompt_tokens=tokens if isinstance(tokens, int) else 0, finish="length" if cut else "stop")


def found_choice(text: str, choices: Sequence[str], begin: str = "") -> str | None:
    """Return the choice that an answer names; None if it names none, or more than one.

    It may be JSON with the field ``answer``, the choice as it stands, what follows the last line of ``begin`` where the
    answer repeats that, or the only choice in it.
    """
    bare = _FENCE.sub("", text.strip())
    try:
        data = json.loads(bare)
        bare = str(data["answer"]) if isinstance(data, dict) and "answer" in data else bare
    except (ValueError, RecursionError):
        pass
    line = begin.rpartition("\n")[2].strip()
    if line and line in bare:
        bare = bare.rpartition(line)[2]
    by_core: dict[str, list[str]] = {}
    for choice in choices:
        by_core.setdefault(_core(choice), []).append(choice)
    same = [choice for choice in choices if choice == bare.strip()] or by_core.get(_core(bare), [])
    within = [choice for choice in choices if re.search(rf"(?<!\w){re.escape(choice)}", bare)]
    return next((found[0] for found in (same, within) if len(found) == 1), None)


def found_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that an answer is or holds, behind words and within fences; None if there is none."""
    bare = _FENCE.sub("", text.strip())
    start = bare.find("{")
    if start < 0:
        return None
    try:
        data, _ = json.JSONDecoder().raw_decode(bare, start)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _core(text: str) -> str:
    return re.sub(r"\W+", "", text)
