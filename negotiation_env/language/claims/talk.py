"""What the finders of claims share: a claim, and a message beside its card and the talk before it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from negotiation_env.files import read_toml
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState
from negotiation_env.language.claims.dates import DateMention, NightsMention, find_dates, find_nights
from negotiation_env.language.numerals import Number, find_numbers, lower
from negotiation_env.language.price_vocabulary import word_patterns

WORDS: Final = read_toml(Path(__file__).with_name("words.toml"), dict[str, dict[str, str]])
"""The lists of ``words.toml``; see there."""
PATTERNS: Final = word_patterns(Path(__file__).with_name("patterns.toml"))
"""The patterns of ``patterns.toml``; see there."""
KINDS: Final = frozenset(
    (
        "hotel", "city", "event", "room", "date", "weekday", "nights", "competitor", "competitor-price", "demand",
        "exposure", "conversion", "occupancy", "commission", "list-price", "net-price", "total", "performance",
        "earlier", "standing-price", "promise", "price-type",
    )
)  # fmt: skip
"""Every ``Claim.kind``. "performance" is a figure about how houses fare that no fact of the card bears out; "earlier"
is what a side is said to have said, or what is said to be agreed; "standing-price" is the figure of one room, said of
another; "promise" is a gift beside the price, true where the card allows it; "price-type" is a figure said to be net
or selling."""
MAX_LENGTH: Final = 2000
"""Characters of a message that are looked at; nobody writes longer ones, and the rest holds no claim for us."""
MAX_EARLIER: Final = 20_000
"""Characters of earlier messages that are looked at, from the last one backwards."""
MAX_SENTENCE: Final = 400
"""Characters after which a sentence is cut, so that looking around in it takes bounded time."""
NEAR: Final = 60
"""Characters within which two words of one sentence are taken to belong together."""

# A full stop between digits is no end; a line or one of these signs is.
_SENTENCE_END: Final = re.compile(r"[!?;\n。！？；]+|\.(?![0-9])")
_CLAUSE_END: Final = re.compile(r"[,:!?;\n。！？；，：、()—]+|\.(?![0-9])|,(?![0-9]{3})")


class Placed(Protocol):
    """Anything found at a place of a message."""

    @property
    def start(self) -> int:
        """Where it begins."""

    @property
    def end(self) -> int:
        """Where it ends."""


P = TypeVar("P", bound=Placed)


class Claim(NamedTuple):
    """A statement about the card or the talk.

    Attributes:
        kind: what it is about, one of ``KINDS``.
        said: its words, ``text[start:end]``.
        start: where they begin.
        end: where they end.
        value: what is claimed: a number (percentages as said, a fall below zero), a name or an ISO date; None if only
            the words say it.
        truth: what the card or the talk holds in its place; None if they hold nothing.
        true: whether the claim holds.
    """

    kind: str
    said: str
    start: int
    end: int
    value: float | str | None
    truth: float | str | None
    true: bool


class Span(NamedTuple):
    """A part of a message, ``text[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True)
class Talk:
    """A message beside its card and what was said before it.

    Attributes:
        text: the message.
        card: what is true.
        game: the public state before the message, if known.
        earlier: the messages before it, by both sides.
    """

    text: str
    card: TaskCard
    game: GameState | None
    earlier: Sequence[str]

    @cached_property
    def low(self) -> str:
        """The message in lower case, every character at its place."""
        return lower(self.text)

    @cached_property
    def numbers(self) -> list[Number]:
        """Its numbers, in digits and in words."""
        return find_numbers(self.low, True, True, True)

    @cached_property
    def sentences(self) -> list[Span]:
        """Its sentences, in order; together they are the message without the signs that end them."""
        return sentences_of(self.low)

    @cached_property
    def clauses(self) -> list[Span]:
        """Its parts between commas, colons and ends of sentences."""
        return _split(self.low, _CLAUSE_END)

    def sentence(self, at: int) -> Span:
        """Return the sentence that a place lies in."""
        return _around(self.sentences, at)

    def clause(self, at: int) -> Span:
        """Return the clause that a place lies in."""
        return _around(self.clauses, at)

    def before(self, at: int, width: int = NEAR) -> str:
        """Return what stands before a place in its sentence, at most ``width`` characters."""
        return self.low[max(self.sentence(at).start, at - width) : at]

    def after(self, at: int, width: int = NEAR) -> str:
        """Return what stands from a place on in its sentence, at most ``width`` characters."""
        return self.low[at : min(self.sentence(max(0, at - 1)).end, at + width)]

    @cached_property
    def earlier_low(self) -> str:
        """The earlier messages in lower case, a line each."""
        return lower("\n".join(self.earlier)[-MAX_EARLIER:])

    @cached_property
    def earlier_numbers(self) -> list[Number]:
        """The numbers in the earlier messages, at places of ``earlier_low``."""
        return find_numbers(self.earlier_low, True, True, True)

    @cached_property
    def earlier_values(self) -> frozenset[float]:
        """Every number that was said before, and what the public state holds as said."""
        said = {number.value for number in self.earlier_numbers}
        if self.game is not None:
            said |= {float(value) for trio in (self.game.quote, self.game.bid, self.game.agreed) for value in trio}
        return frozenset(said)

    @cached_property
    def standing(self) -> frozenset[float]:
        """The hotel's prices and those that are agreed."""
        game = self.game
        return frozenset(p for prices in (game.quote, game.agreed) for p in prices if p > 0.0) if game else frozenset()

    @cached_property
    def earlier_words(self) -> frozenset[str]:
        """The English words that were said before, without a plural's s."""
        return frozenset(word.rstrip("s") for word in re.findall(r"[a-z]+", self.earlier_low))

    @cached_property
    def earlier_dates(self) -> list[DateMention]:
        """The dates in the earlier messages, at places of ``earlier_low``."""
        return find_dates(self.earlier_low)

    @cached_property
    def earlier_nights(self) -> list[NightsMention]:
        """The numbers of nights in the earlier messages, at places of ``earlier_low``."""
        return find_nights(self.earlier_low, self.earlier_numbers)

    @cached_property
    def _sorted_values(self) -> list[float]:
        return sorted(self.earlier_values)

    def was_said(self, value: float, tolerance: float = 0.51) -> bool:
        """Return whether a number was said before."""
        at = bisect_left(self._sorted_values, value - tolerance)
        return at < len(self._sorted_values) and self._sorted_values[at] <= value + tolerance

    def claim(
        self, kind: str, at: Placed | re.Match[str], value: float | str | None, truth: float | str | None, true: bool
    ) -> Claim:
        """Return the claim that the words at a place make."""
        start, end = at.span() if isinstance(at, re.Match) else (at.start, at.end)
        return Claim(kind, self.text[start:end], start, end, value, truth, true)


def word_tuple(text: str) -> tuple[str, ...]:
    """Return the words of a list; those that are joined by "_" are words side by side."""
    return tuple(word.replace("_", " ") for word in text.split())


def sentences_of(low: str) -> list[Span]:
    """Return the sentences of a text, in order; together they are the text without the signs that end them."""
    return _split(low, _SENTENCE_END)


def _split(low: str, ends: re.Pattern[str]) -> list[Span]:
    parts: list[Span] = []
    at = 0
    for match in ends.finditer(low):
        parts += _cut(at, match.start())
        at = match.end()
    return parts + _cut(at, len(low))


def _cut(start: int, end: int) -> list[Span]:
    starts = range(start, max(end, start + 1), MAX_SENTENCE)
    return [Span(first, min(end, first + MAX_SENTENCE)) for first in starts]


def within(items: Sequence[P], start: int, end: int) -> Sequence[P]:
    """Return those of some things, in the order of the text, that begin at ``start`` or later and before ``end``."""
    return items[bisect_left(items, start, key=_start) : bisect_left(items, end, key=_start)]


def _start(item: Placed) -> int:
    return item.start


def _around(parts: Sequence[Span], at: int) -> Span:
    """Return the last part that begins at or before a place (by halving)."""
    first, last = 0, len(parts) - 1
    while first < last:
        middle = (first + last + 1) // 2
        if parts[middle].start <= at:
            first = middle
        else:
            last = middle - 1
    return parts[first]
