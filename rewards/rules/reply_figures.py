"""The figures of a message: those in digits, which of them are percentages, and phone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_FIGURE: Final = re.compile(r"[0-9][0-9.,]*")
_NO_DIGITS: Final = bytes(c for c in range(128) if not 48 <= c < 58)
_PERCENT: Final = re.compile(r" ?(?:%|percent|per cent|pct)")
_THOUSAND: Final = re.compile(r" ?k\b")
_PHONE: Final = re.compile(r"(?<![0-9])(?:\+? ?86[ -]?)?1[ .\-()_]{0,3}[3-9](?:[ .\-()_]{0,3}[0-9]){9}(?![0-9])")
_THOUSANDS: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_LABEL: Final = re.compile(r"\b(?:room|no\.?|number|flight|train|bus|line|street|floor|apartment|unit|nr\.?) ?#?$")
_MOST: Final = 24
"""Figures of a message that are looked at."""
_REMEMBERED: Final = 2048
"""Texts whose figures are remembered."""


class SaidFigure(NamedTuple):
    """A figure of a message."""

    value: float
    percent: bool


@lru_cache(maxsize=_REMEMBERED)
def figures_of(text: str) -> tuple[SaidFigure, ...]:
    """Return the figures of a lower-cased text without phone numbers; a date or version ("1.2.3") is none.

    Remembered: every later turn asks for those of the manager's messages.
    """
    return tuple(_read_figures(text))


def _read_figures(text: str) -> Iterator[SaidFigure]:
    """Yield the figures of a lower-cased text."""
    text = _THOUSANDS.sub("", _PHONE.sub(" ", text))
    for number, match in enumerate(_FIGURE.finditer(text)):
        if number == _MOST:
            return
        plain = match[0].rstrip(".,")
        if plain.count(".") > 1 or "," in plain:
            continue
        start, end = match.start(), match.start() + len(plain)
        if _LABEL.search(text[max(0, start - 12) : start]):
            continue
        percent = _PERCENT.match(text, end) is not None or text[max(0, start - 3) : start] == "百分之"
        yield SaidFigure(float(plain) * (1000.0 if _THOUSAND.match(text, end) else 1.0), percent)


def phone_count(text: str) -> int:
    """Return the number of mobile phone numbers in a text, their digits set apart or not."""
    if text.isascii() and len(text.encode("ascii").translate(None, _NO_DIGITS)) < 11:
        return 0
    return len(_PHONE.findall(text))
