"""Chats, requests and replies as token ids, the way that generation and adapters must agree on.

What somebody said can neither end its message nor begin another role's: control tokens in it are broken up.
"""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from negotiation_env.engines.chat_model import ChatMessage, ChatRequest, EngineSpecError

MOST_REPLY_TOKENS = 160
"""Longer replies lose tokens from their middle: two thirds from the beginning and one third from the end stay."""


def without_controls(text: str, specials: Sequence[str]) -> str:
    """Break up control tokens in a text: what someone says must not be able to end a message or begin another's."""
    for token in specials:
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return the control tokens that a chat may not hold in what is said."""
    return tuple(token for token in tokenizer.all_special_tokens if len(token) > 1)


def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """Return a text's ids as they stand, nothing added."""
    return tuple(int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"])


class RequestText:
    """Turns requests into the token ids that a model is given.

    Args:
        tokenizer: one with a chat template.
        most_tokens: longer prompts lose tokens from their middle; the first quarter and the end stay.
        most_whole: tokens that a prompt may have that is not to lose any (``ChatRequest.whole``).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, most_tokens: int, most_whole: int) -> None:
        self.tokenizer = tokenizer
        self.most_tokens = most_tokens
        self.most_whole = most_whole
        self._specials = control_tokens(tokenizer)

    def ids(self, request: ChatRequest) -> tuple[int, ...]:
        """Return a request's ids, at most ``most_tokens``, or ``most_whole`` of one that is to stay whole.

        Raises:
            TemplateError: (jinja2's) if the chat template refuses the messages.
            ValueError: if a prompt that is to stay whole is too long.
        """
        return self.ids_and_prefix(request)[0]

    def ids_and_prefix(self, request: ChatRequest) -> tuple[tuple[int, ...], int]:
        """Return a request's ids, and how many of them come before its last message; raises as ``ids`` does."""
        messages = [
            {"role": m["role"], "content": without_controls(m["content"], self._specials)} for m in request.messages
        ]
        text = str(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        ids = plain_ids(self.tokenizer, text + without_controls(request.begin, self._specials))
        prefix = self._prefix(ids, messages[:-1])
        if request.whole and len(ids) > self.most_whole:
            raise ValueError(f"expected at most {self.most_whole} tokens, which the model takes, got {len(ids)}")
        if len(ids) > self.most_tokens and not request.whole:
            head = self.most_tokens // 4
            ids = ids[:head] + ids[len(ids) - (self.most_tokens - head) :]
            prefix = min(prefix, head)
        return ids, prefix

    def _prefix(self, ids: tuple[int, ...], earlier: list[dict[str, str]]) -> int:
        """How many of a prompt's tokens, the last excepted, earlier messages alone begin with."""
        if not earlier:
            return 0
        try:
            text = str(self.tokenizer.apply_chat_template(earlier, tokenize=False))
        except TemplateError:  # some templates refuse chats without the last message
            return 0
        known = plain_ids(self.tokenizer, text)
        same = (i for i, (one, other) in enumerate(zip(known, ids, strict=False)) if one != other)
        return min(next(same, len(known)), len(ids) - 1)


class ChatText:
    """Turns chats and replies into token ids.

    Args:
        tokenizer: one with a chat template.

    Raises:
        EngineSpecError: if the template does not put a reply behind its own generation prompt.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._specials = control_tokens(tokenizer)
        self._end = self._closing()

    def ids(self, text: str) -> tuple[int, ...]:
        """Return a text's ids as they stand, nothing added."""
        return plain_ids(self.tokenizer, text)

    def prompt_text(self, prompt: Sequence[ChatMessage]) -> str:
        """Return a chat as text, up to where the assistant's reply begins."""
        said = [{"role": m["role"], "content": without_controls(m["content"], self._specials)} for m in prompt]
        return str(self.tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False))

    def prompt_ids(self, prompt: Sequence[ChatMessage]) -> tuple[int, ...]:
        """Return a chat's ids, up to where the assistant's reply begins."""
        return self.ids(self.prompt_text(prompt))

    def reply_ids(self, reply: str) -> tuple[int, ...]:
        """Return a reply's ids with the end of its message; the space around it is dropped."""
        ids = self.ids(without_controls(reply.strip(), self._specials))
        if len(ids) > MOST_REPLY_TOKENS:
            tail = MOST_REPLY_TOKENS // 3
            ids = ids[: MOST_REPLY_TOKENS - tail] + ids[-tail:]
        return ids + self._end

    def _closing(self) -> tuple[int, ...]:
        """Return the ids that the template puts behind a reply."""
        ask: ChatMessage = {"role": "user", "content": "Hello?"}
        mark = "Good morning"
        said: list[dict[str, str]] = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": mark}]
        full = str(self.tokenizer.apply_chat_template(said, tokenize=False))
        head, found, end = full.rpartition(mark)
        if not found or head != self.prompt_text([ask]):
            raise EngineSpecError(
                "chat template: expected the generation prompt, then the reply as it is; got another form: "
                "use a tokenizer whose template adds nothing else to a reply"
            )
        return self.ids(end)
