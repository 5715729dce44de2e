"""The raters' word lists (``lexicon.toml``), compiled to patterns; and a reply cut into words and sentences once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.files import read_toml

LEXICON_PATH: Final = Path(__file__).with_name("lexicon.toml")
MAX_READ: Final = 2000
"""Characters of a reply that are read for style; the rest only counts as length."""
TOKEN: Final = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*|\d+(?:,\d{3})*(?:\.\d+)?%?|[¥€$]|[.!?]+|[,;:()]|[^\x00-\x7f]")
_BREAK: Final = re.compile(r"(?<=[.!?。！？])[\"')]*\s+|\n+")
_DENIAL: Final = re.compile(r"\b(?:not|never|no|cannot|nobody|none|nor|neither|without|unable)\b|n't\b")


_DENIED_BEHIND: Final = re.compile(
    r"[^.!?;,\n]{0,40}?\b(?:(?:is|are) (?:nothing|not|beyond)|(?:is|are)n't|i (?:can't|cannot|may not|won't)|"
    r"we (?:can't|cannot|may not|won't)|something (?:i|we) (?:can't|cannot))\b"
)
"""A denial behind what it denies: "a refund is nothing that I may promise"."""


class Hit(NamedTuple):
    """Where a phrase stands in the plain text."""

    text: str
    span: tuple[int, int]


class RaterSentence(NamedTuple):
    """One sentence: its words in lower case, without punctuation, and how it ends."""

    words: tuple[str, ...]
    tokens: tuple[str, ...]
    """The words, and the commas and the like between them."""
    question: bool
    stopped: bool
    """Whether a full stop, question or exclamation mark ends it."""


class RaterReading(NamedTuple):
    """A reply as the raters read it."""

    text: str
    plain: str
    """The text in lower case with straight apostrophes; positions are the text's own."""
    sentences: tuple[RaterSentence, ...]
    words: tuple[str, ...]
    lists: int
    """Bit set of the lists that may have a phrase here: the reply has the longest word of one."""


@cache
def word_lists() -> dict[str, tuple[str, ...]]:
    """Return the lexicon's lists by name, read once."""
    return read_toml(LEXICON_PATH, dict[str, tuple[str, ...]])


def pattern_of(phrases: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of some phrases as whole words; a ``*`` stands for the rest of a word."""
    # One alternation sorted longest first: of two phrases at one place the longer is found.
    parts = [
        re.escape(p).replace(r"\*", r"[\w-]*").replace(r"\ ", r"\s+") for p in sorted(phrases, key=len, reverse=True)
    ]
    return re.compile(r"(?<![\w-])(?:" + "|".join(parts) + r")(?![\w-])")


@cache
def pattern(name: str) -> re.Pattern[str]:
    """Return the pattern of one of the lexicon's lists."""
    return pattern_of(word_lists()[name])


NOTHING: Final = RaterReading("", "", (), (), 0)
"""No message: before the first, and where one side was silent."""


def find(name: str, reading: RaterReading, *, affirmed: bool = False) -> Hit | None:
    """Return the first place where a phrase of a list stands in a reply.

    With ``affirmed``, a phrase after a denial in its own sentence ("we cannot guarantee") does not count.
    """
    if not reading.lists & _bit(name):
        return None
    for match in pattern(name).finditer(reading.plain):
        if affirmed and _denied(reading.plain, match.start()):
            continue
        return Hit(match[0], match.span())
    return None


def insult(reading: RaterReading) -> Hit | None:
    """Return an insult: a rude word that is said to somebody, or one that is rude whomever it is about."""
    for match in pattern("rude").finditer(reading.plain):
        start = max(reading.plain.rfind(mark, 0, match.start()) for mark in ".!?;\n") + 1
        near = reading.plain[start : match.end() + 24]
        if pattern("mild").fullmatch(match[0]) and not _AT_YOU.search(near):
            continue
        if not _OF_SELF.search(reading.plain[start : match.start()]):
            return Hit(match[0], match.span())
    return None


_AT_YOU: Final = re.compile(r"\byou(?:r|rs|'re| are)?\b")
_OF_SELF: Final = re.compile(r"\b(?:i|we|my|our|i'm|i was|ours|it was|that was|not|no|never)\b[^,]{0,24}$")


@cache
def _bit(name: str) -> int:
    return 1 << list(word_lists()).index(name)


@cache
def _telling_words() -> tuple[dict[str, int], tuple[tuple[str, int], ...], int]:
    """Return the lists' bits by the longest word of each phrase: whole words, and beginnings of words.

    The third part has the lists with a phrase beyond plain letters, for texts that are beyond them too.
    """
    whole: dict[str, int] = {}
    begun: dict[str, int] = {}
    odd = 0
    for name, phrases in word_lists().items():
        for phrase in phrases:
            word = max(phrase.split(), key=len)
            if not word.isascii():
                odd |= _bit(name)
                continue
            where = begun if word.endswith("*") else whole
            key = word.rstrip("*")
            where[key] = where.get(key, 0) | _bit(name)
    return whole, tuple(begun.items()), odd


@lru_cache(maxsize=1 << 16)
def _lists_of(word: str) -> int:
    """Return the lists that have a phrase which a word may tell."""
    whole, begun, _ = _telling_words()
    bits = whole.get(word, 0)
    for start, more in begun:
        if word.startswith(start):
            bits |= more
    return bits


def _denied(plain: str, position: int) -> bool:
    """Whether a denial stands before a position in its sentence."""
    start = max(plain.rfind(mark, 0, position) for mark in ".!?;\n")
    return _DENIAL.search(plain, start + 1, position) is not None or _DENIED_BEHIND.match(plain, position) is not None


def plain_of(text: str) -> str:
    """Return a text in small letters with straight apostrophes; every letter keeps its place."""
    plain = text[:MAX_READ].lower().replace("’", "'")
    if len(plain) != len(text[:MAX_READ]):  # a letter whose small form is longer would shift every position
        plain = "".join(low if len(low := c.lower()) == 1 else c for c in text[:MAX_READ]).replace("’", "'")
    return plain


def read(text: str) -> RaterReading:
    """Cut a reply into sentences and words."""
    text = text[:MAX_READ]
    plain = plain_of(text)
    sentences = []
    for piece in _BREAK.split(plain):
        tokens = TOKEN.findall(piece)
        words = tuple([t for t in tokens if t[0].isalnum() or t in "¥€$" or t > "\x7f"])
        if words:
            end = piece.rstrip(" \"')")[-1:]
            inner = tuple([t for t in tokens if t[0] not in ".!?"])
            sentences.append(RaterSentence(words, inner, end in "?？", end in ".!?。！？"))
    all_words = tuple([w for s in sentences for w in s.words])
    lists = 0 if plain.isascii() else _telling_words()[2]
    for word in all_words:
        lists |= _lists_of(word)
    return RaterReading(text, plain, tuple(sentences), all_words, lists)
