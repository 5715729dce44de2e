"""Named measurements for rules: what a pattern cannot see.

Each takes the reply's view and its prepared text and returns a number that a rule compares with ``above``. They know
the public state and the card, never anything of the manager's private side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from negotiation_env.acts import PriceType
from negotiation_env.protocols import ReplyView, Utterance
from negotiation_env.scenario import TaskCard

LONGEST_READ = 4000
"""Characters that patterns and measurements read; a longer reply breaks the length rules anyway."""
OWN_MESSAGES = 3
"""How many of its own last messages a reply is compared with."""

_SIMILAR = 0.8
"""Overlaps of messages below this are not told apart: they count as 0."""
_FIGURE = re.compile(r"[0-9][0-9.,]+%?")
_PHONE = re.compile(r"1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9])")
_ASCII_TOKENS = bytes(c if chr(c).isalnum() and c < 128 else 32 for c in range(256))
_TOKENS = {c: " " for c in range(128) if not chr(c).isalnum()}
_LATIN_END = 0x250
"""First code point after the Latin blocks."""


class Prepared(NamedTuple):
    """A reply made ready for rules.

    Attributes:
        text: lower case, and for text beyond ASCII: NFKC, no zero-width signs, look-alike letters as Latin ones.
        raw: the reply as written (NFKC, case kept, "$" for the yuan sign), cut to ``LONGEST_READ``.
        tokens: runs of letters and digits in ``text``.
        ascii: whether the reply is plain ASCII.
    """

    text: str
    raw: str
    tokens: list[str]
    ascii: bool


Measure = Callable[[ReplyView, Prepared, Sequence[str]], float]


def tokens_of(text: str) -> list[str]:
    """Return runs of letters and digits of a lower-cased text. Bytes are translated five times as fast as text."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII_TOKENS).decode("ascii").split()
    return text.translate(_TOKENS).split()


@lru_cache(maxsize=4096)
def _token_set(text: str) -> frozenset[str]:
    """Return a message's tokens (cached: a message is compared with several later ones)."""
    return frozenset(tokens_of(text[:LONGEST_READ].lower()))


@lru_cache(maxsize=64)
def _marks(phrases: tuple[str, ...]) -> frozenset[str]:
    """Return one word of each phrase, its longest: a reply with none of them holds no phrase."""
    return frozenset(max(tokens_of(p), key=len) for p in phrases)


def characters(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Length in characters."""
    return len(view.text)


def words(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Length in words, as understanding split them."""
    return len(view.words)


def repetition(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Largest Jaccard overlap of the reply's words with one of its own last messages: 0, or 0.8 to 1."""
    size, best = len(view.text), 0.0
    if not size:
        return 0.0
    for earlier in view.agent_said[-OWN_MESSAGES:]:
        if not 0.7 * size < len(earlier.text) < 1.43 * size:
            continue
        mine, theirs = _token_set(view.text), _token_set(earlier.text)
        if _SIMILAR * len(mine) > len(theirs) or _SIMILAR * len(theirs) > len(mine):
            continue  # sets of such sizes cannot overlap enough
        shared = len(mine & theirs)
        best = max(best, shared / (len(mine) + len(theirs) - shared or 1))
    return best if best >= _SIMILAR else 0.0


def repeated_phrase(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of watched phrases in the reply that an earlier message of the agent holds too."""
    if not view.agent_said or _marks(tuple(phrases)).isdisjoint(prepared.tokens):
        return 0.0
    text = prepared.text
    found = [p for p in phrases if p in text]
    return float(sum(any(p in u.text.lower() for u in view.agent_said) for p in found)) if found else 0.0


def foreign_letters(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Share of letters that are not Latin, 0 to 1; 0 where the manager itself writes another script."""
    if prepared.ascii:
        return 0.0
    said = next((u.text for u in reversed(view.manager_said) if u.text), "")
    if any(c.isalpha() and ord(c) >= _LATIN_END for c in said):
        return 0.0
    letters = [c for c in prepared.raw if c.isalpha()]
    return sum(ord(c) >= _LATIN_END for c in letters) / len(letters) if letters else 0.0


def figures_not_allowed(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of figures of at least 100 that nothing allows.

    Allowed: anything between half of the lowest net price and the highest selling price, whatever the card or the
    manager said, and such a price times a ticket's nights. Percentages are left to the facts' check.
    """
    strange = 0
    for figure in _FIGURE.findall(prepared.text):
        value = _value(figure)
        if value < 100.0:
            continue
        selling, commission = view.game.card.selling, view.game.card.commission
        high = max(selling) + 1.0
        low = 0.5 * min(selling) * (1.0 - commission[0])
        if not low <= value <= high:
            strange += not _is_known(view, value, low, high)
    return float(strange)


def _value(figure: str) -> float:
    """Return a figure's value; 0 for a percentage and for what is no single number (a date, a range)."""
    plain = figure.rstrip(".,").replace(",", "")
    return float(plain) if plain[-1] != "%" and plain.count(".") < 2 else 0.0


def _is_known(view: ReplyView, value: float, low: float, high: float) -> bool:
    """Whether the card or the manager said this figure, or it is a price times the nights of a ticket."""
    if value in _card_figures(view.card):
        return True
    if value > high and any(low <= value / t.nights <= high for t in view.card.tickets):
        return True
    return any(value in _figures(u) for u in view.manager_said)


def _figures(said: Utterance) -> set[float]:
    """Every figure in a message of the manager's."""
    figures = {_value(f) for f in _FIGURE.findall(said.text)}
    return figures | {act.price for act in said.acts if act.price is not None}


def _card_figures(card: TaskCard) -> set[float]:
    """Every figure of at least 100 on the card that may be said aloud (the targets lie in the range of bids)."""
    figures = {float(card.facts.competitor_price)}
    for ticket in card.tickets:
        figures |= {float(ticket.selling_price), float(round(ticket.net_price)), float(ticket.check_in.year)}
        figures.add(float(ticket.check_out.year))
    return figures


def phone_numbers(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of mobile phone numbers."""
    return len(_PHONE.findall(prepared.text))


def price_type_mixups(view: ReplyView, prepared: Prepared, phrases: Sequence[str]) -> float:
    """Number of prices said as *net* that lie above the hotel's net price now: a selling price taken for a net one."""
    mixed = 0
    for act in view.acts:
        if act.price_type is PriceType.NET and act.price is not None:
            card = view.game.card
            mixed += act.price > max(card.selling) * (1.0 - card.commission[0]) + 2.0
    return float(mixed)


MEASURES: dict[str, Measure] = {
    "characters": characters,
    "words": words,
    "repetition": repetition,
    "repeated-phrase": repeated_phrase,
    "foreign-letters": foreign_letters,
    "figures-not-allowed": figures_not_allowed,
    "phone-numbers": phone_numbers,
    "price-type-mixups": price_type_mixups,
}
"""Measurements by the name that ``rules.toml`` uses."""
