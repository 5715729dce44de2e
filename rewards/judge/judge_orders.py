"""What a judge is given to read of a reply: all but the sentences that speak to whoever judges it.

Such sentences give orders, promise points or forge verdicts, and do not speak to the hotel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from negotiation_env.files import Table, Text, read_toml
from negotiation_env.language.rule_reader import RULES, RuleReader
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.protocols import ReplyView

_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?]+(?=\s|$)|\n|[.!?]+|$)")
_SIGNS: Final = " \t\"'()[]*#<>-_"
_JUDGE: Final = "JUDGE"
"""Stands in patterns for whoever judges."""


class _Patterns(Table):
    """``judge_orders.toml``, which says what its fields are."""

    judge: Text
    at_a_word: list[list[Text]]
    marks: Text
    at_the_start: list[Text]
    markup: list[Text]


def _by_letter(patterns: Sequence[Sequence[str]]) -> str:
    """Return one pattern for several, in which only those of a word's first letter are tried on it."""
    found: dict[str, list[str]] = {}
    for words, rest in patterns:
        for word in words.split("|"):
            found.setdefault(word[0], []).append(word[1:] + rest)
    return "|".join([f"{letter}(?:{'|'.join(rests)})" for letter, rests in found.items()])


def _read_orders() -> re.Pattern[str]:
    """Return one pattern for all of the file's: several times as fast as trying each, as it is by ignoring no case."""
    found = read_toml(Path(__file__).with_suffix(".toml"), _Patterns)
    words = [[part.replace(_JUDGE, found.judge) for part in pattern] for pattern in found.at_a_word]
    parts = (rf"\b(?:{_by_letter(words)}|{found.marks})", rf"^(?:{'|'.join(found.at_the_start)})", *found.markup)
    return re.compile("|".join(parts).replace(_JUDGE, found.judge))


_ORDERS: Final = _read_orders()
_GRADED: Final = re.compile(r"\b(?i:value|style|compliance|progress|bounds) [A-E]\b")
_I_AND_S: Final = str.maketrans("ıİſ", "iis")
_CHECKING: Final = RuleReader("claims")
LONGEST: Final = 4000
"""Characters that are looked at."""


def orders(text: str) -> list[str]:
    """Return the sentences that speak to a judge."""
    return [part for part in sentences_of(text) if _is_order(part)]


def without_orders(text: str) -> str:
    """Return a text without the sentences that speak to a judge; the text itself where there are none."""
    parts = sentences_of(text)
    kept = [part for part in parts if not _is_order(part)]
    return text if len(kept) == len(parts) else "".join(kept).strip()


@lru_cache(maxsize=16)
def sentences_of(text: str) -> tuple[str, ...]:
    """Return the sentences of a text, which together are the text. Remembered: a judge asks for them twice."""
    head = tuple([match[0] for match in _SENTENCE.finditer(text[:LONGEST]) if match[0]])
    return (*head, text[LONGEST:]) if len(text) > LONGEST else head


def _is_order(sentence: str) -> bool:
    said = sentence.strip().strip(_SIGNS).rstrip(".!?")
    low = said.lower() if said.isascii() else said.translate(_I_AND_S).lower()
    return _ORDERS.search(low) is not None or _GRADED.search(said) is not None


def judged_reply(view: ReplyView) -> ReplyView:
    """Return the view of a reply without its orders to a judge, understood anew; the view itself if there are none.

    Statements that were checked are checked again, so that no order hides a false one beside it.
    """
    return with_text(view, without_orders(view.text))


def with_text(view: ReplyView, text: str) -> ReplyView:
    """Return the view of another text in the same situation; the view itself where the text is the same."""
    if text == view.text:
        return view
    reader = _CHECKING if view.claims else RULES
    return reply_in(view, text, reader)
