"""Numbers in a message, in digits and in words, each with its value and span.

Also puts a text into the form that the price patterns read: lower case, ASCII digits and signs,
every character at its place. Whether a number is a price is decided in `negotiation_env.prices`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from negotiation_env.reading.number_words import find_chinese_numerals, find_english_numbers
from negotiation_env.reading.price_vocabulary import SCAN

__all__ = ["Number", "find_numbers", "lower"]


class Number(NamedTuple):
    """A number in the text at `low[start:end]`.

    `spelled` is "" for digits, "en" or "zh" for words. `shape` is the figure as written for digits
    (without its scale) and for Chinese numerals, "bare" for a lone "hundred", else "".
    """

    value: float
    start: int
    end: int
    spelled: str
    shape: str


_FULL_WIDTH: Final = str.maketrans(
    "０１２３４５６７８９％．，＋－／＝～￥＄：＂＇（）’‘“”–—−\u00a0\u3000",
    "0123456789%.,+-/=~¥$:\"'()''\"\"---  ",
)
# A message that is not ASCII only for its "¥" needs no translation, which is slow.
_HAS_FULL_WIDTH: Final = re.compile("[" + re.escape("".join(map(chr, _FULL_WIDTH))) + "]")
_SCALE_VALUES: Final = {
    "k": 1e3, "grand": 1e3, "thousand": 1e3, "hundred": 1e2, "million": 1e6,
    "百": 1e2, "千": 1e3, "万": 1e4,
}  # fmt: skip


def _digits_value(figure: str, scale: str | None) -> float | None:
    """Value of digits with separators ("1,200", "1.2", "1,5" with k), or None if no number."""
    if figure.isdigit():
        if len(figure) > 9 or (figure[0] == "0" and len(figure) > 1):
            return None
        if scale is None:
            return float(figure)
        value = float(figure)
    elif len(figure) > 14:
        return None
    else:
        parts = re.split("[.,]", figure)
        tail = parts[-1]
        if len(parts) > 1 and all(len(part) == 3 for part in parts[1:]) and parts[0] != "0":
            value = float("".join(parts))  # 1,200 and 1.200: no price has three decimals
        elif len(parts) == 2 or (len(tail) < 3 and all(len(part) == 3 for part in parts[1:-1])):
            value = float("".join(parts[:-1]) + "." + tail)
        else:
            return None
    if scale:
        value *= _SCALE_VALUES[scale]
    return value


def lower(text: str) -> str:
    """`text` in lower case and ASCII digits and signs, with every character at its place."""
    if text.isascii():
        return text.lower()
    low = text.lower()
    if len(low) != len(text):  # "İ" grows when lowered
        low = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return low.translate(_FULL_WIDTH) if _HAS_FULL_WIDTH.search(low) else low


def find_numbers(low: str, digits: bool, words: bool, chinese: bool) -> list[Number]:
    """All numbers in digits and in words, in the order of the text."""
    found: list[Number] = []
    if digits:
        for match in SCAN.finditer(low):
            start, end = match.span()
            plain, spaced, rest, scale = match.groups()
            if plain is not None:
                figure = low[start:end]
                value = _digits_value(figure, None)
                if value is not None:
                    found.append(Number(value, start, end, "", figure))
            elif rest is not None:
                figure = low[start : match.end(3)]
                value = _digits_value(figure, scale)
                if value is not None:
                    found.append(Number(value, start, end, "", figure))
            elif spaced:
                figure = low[start:end].replace(" ", "")
                found.append(Number(float(figure), start, end, "", figure))
    if words:
        found.extend(
            Number(item.value, item.start, item.end, "en", "bare" if item.bare else "")
            for item in find_english_numbers(low)
        )
    if chinese:
        found.extend(
            Number(item.value, item.start, item.end, "zh", low[item.start : item.end])
            for item in find_chinese_numerals(low)
        )
    if words or chinese:
        found.sort(key=lambda number: number.start)
    return found
