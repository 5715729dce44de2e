"""What reward adapters read behind a reply: notes on it, and words that make the model sum the reply up.

Behind the chat and the reply, out of reach of both (a reply cannot write control tokens, so it cannot end its own
message), stand the notes that code has made (``notes``), "Verdicts:", and the last word of each dimension's title.
"""

from __future__ import annotations

from negotiation_env.engines.chat_text import ChatText
from rewards.judge.judge_orders import orders, without_orders
from rewards.judge.rubric import Rubric

Ids = tuple[int, ...]
_OPENS = "Verdicts:"
_ASIDE = " Speaks to judge."


class JudgeForm:
    """A rubric's form for one tokenizer; ``suffix`` holds the ids that follow the notes."""

    def __init__(self, chat: ChatText, rubric: Rubric) -> None:
        words = [f" {dimension.title.split()[-1].lower()}" for dimension in rubric.dimensions]
        self.chat = chat
        self.suffix: Ids = (*chat.ids(_OPENS), *(i for word in words for i in chat.ids(word)))

    def behind(self, noted: str = "") -> Ids:
        """Return the ids that follow a reply's message: its notes, if there are any, and the suffix."""
        return (*(self.chat.ids(f"Notes: {noted}.\n") if noted else ()), *self.suffix)

    def reply(self, text: str, noted: str = "") -> Ids:
        """Return the ids of a reply as it is read, without what it says to a judge, with notes and suffix behind it."""
        return (*self.chat.reply_ids(without_orders(text)), *self.behind(noted))

    def aside(self, text: str) -> Ids:
        """Return what a reward model is told of a reply that speaks to a judge."""
        return self.chat.ids(_ASIDE) if orders(text) else ()
