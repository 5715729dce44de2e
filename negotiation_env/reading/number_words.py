"""Numbers spelled in English words and in Chinese numerals, with their spans.

Reads cardinal numbers as people say prices: "two hundred and fifty", "three eighty" (380), "twelve
hundred", "a thousand", 三百八 (380), 三百八十, 两百五 (250), 一千二 (1200), 一千零五十, 一万二.

It does not know whether a number is a price, a count or a date: `negotiation_env.prices` decides
that from the words around it. Ordinals, fractions and negative numbers are not read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Numeral", "find_chinese_numerals", "find_english_numbers"]


class Numeral(NamedTuple):
    """A spelled number: `text[start:end]` says `value`. `bare` marks a lone "hundred"."""

    value: float
    start: int
    end: int
    bare: bool


_UNITS: Final = {
    word: value
    for value, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        start=1,
    )
}
_TEENS: Final = {
    word: value
    for value, word in enumerate(
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
        start=10,
    )
}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
        start=2,
    )
} | {"fourty": 40, "ninty": 90}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "grand": 1000}

_WORD: Final = "|".join(sorted((*_UNITS, *_TEENS, *_TENS), key=len, reverse=True))
_SCALE: Final = "|".join(_SCALES)
# Every loop step eats at least one number word and no word can be eaten in two ways: linear time.
_ENGLISH: Final = re.compile(
    rf"\b(?:(?:a )?(?:{_SCALE})|{_WORD})\b"
    rf"(?:(?:(?<=hundred) and |(?<=thousand) and | |-)(?:oh |o )?(?:{_WORD}|{_SCALE})\b)*"
)
# A spelled number this long is no price, and reading it would only cost time.
_MAX_WORDS: Final = 12


def _below_hundred(words: list[str], at: int) -> tuple[int, int]:
    """Value and width in words of "eighty", "eighty five", "fifteen" or "five" at `at`; 0 if none."""
    if at >= len(words):
        return 0, 0
    word = words[at]
    if word in _TENS:
        if at + 1 < len(words) and words[at + 1] in _UNITS:
            return _TENS[word] + _UNITS[words[at + 1]], 2
        return _TENS[word], 1
    if word in _TEENS:
        return _TEENS[word], 1
    if word in _UNITS:
        return _UNITS[word], 1
    return 0, 0


def _below_thousand(words: list[str], at: int) -> tuple[int, int]:
    """Value and width of "two hundred and fifty", "three eighty", "twelve fifty" at `at`."""
    head, width = _below_hundred(words, at)
    after = at + width
    if after < len(words) and words[after] == "hundred":
        rest, more = _below_hundred(words, after + 1 if head else at + 1)
        return (head or 1) * 100 + rest, (width or 0) + 1 + more
    if not head:
        return 0, 0
    if after < len(words) and words[after] in ("oh", "o"):
        rest, more = _below_hundred(words, after + 1)
        return (head * 100 + rest, width + 1 + more) if 0 < rest < 10 else (head, width)
    rest, more = _below_hundred(words, after)
    # "three eighty" and "twelve fifty" are hundreds said short; "five three" is not a number.
    if rest >= 10:
        return head * 100 + rest, width + more
    return head, width


def _read_english(words: list[str]) -> float | None:
    """Value of a whole run of number words, or None where the run is not one number."""
    value, at = _below_thousand(words, 0)
    if at < len(words) and words[at] in ("thousand", "grand"):
        rest, width = _below_thousand(words, at + 1)
        value, at = (value or 1) * 1000 + rest, at + 1 + width
    return float(value) if value and at == len(words) else None


def find_english_numbers(low: str) -> list[Numeral]:
    """Numbers in words in lower-case text, in order. A run that is no single number is left out."""
    found: list[Numeral] = []
    for match in _ENGLISH.finditer(low):
        words = match.group().replace("-", " ").split()
        bare = words[0] in _SCALES
        words = [word for word in words if word not in ("a", "and")]
        if len(words) > _MAX_WORDS:
            continue
        value = _read_english(words)
        if value is not None:
            found.append(Numeral(value, match.start(), match.end(), bare))
    return found


_CHINESE_DIGITS: Final = {
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4,
    "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
}  # fmt: skip
_CHINESE_SCALES: Final = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_CHINESE: Final = re.compile("[零〇一二两三四五六七八九十百千万]+")


def _read_chinese(run: str) -> float | None:
    """Value of a run of Chinese numerals, or None where it is not one number."""
    if all(char in _CHINESE_DIGITS for char in run):  # 三八零: digits read out one by one
        if len(run) == 1:
            return float(_CHINESE_DIGITS[run])
        return float("".join(str(_CHINESE_DIGITS[char]) for char in run)) if len(run) < 5 else None
    total, section, digit, last_scale, zero = 0, 0, -1, 0, False
    for char in run:
        if char in _CHINESE_DIGITS:
            if digit > 0:
                return None
            digit = _CHINESE_DIGITS[char]
            zero = zero or digit == 0
            continue
        scale = _CHINESE_SCALES[char]
        if scale == 10000:
            if total or section + max(digit, 0) == 0:
                return None
            total, section = (section + max(digit, 0)) * scale, 0
        else:
            if 0 < last_scale <= scale and last_scale != 10000:
                return None
            if digit <= 0 and not (scale == 10 and (digit == 0 or last_scale == 0)):
                return None
            section += max(digit, 1) * scale
        digit, last_scale, zero = -1, scale, False
    if digit > 0:
        # 三百八 is 380 and 一千二 is 1200: a last digit right after a scale takes the scale below.
        section += digit * (last_scale // 10 if last_scale >= 100 and not zero else 1)
    return float(total + section) or None


def find_chinese_numerals(text: str) -> list[Numeral]:
    """Numbers in Chinese numerals, in order. A run that is no single number is left out."""
    found: list[Numeral] = []
    for match in _CHINESE.finditer(text):
        if match.end() - match.start() > _MAX_WORDS:
            continue
        run = match.group()
        value = _read_chinese(run)
        if value is None and run[-1] in "一两" and len(run) > 1:
            run = run[:-1]  # 三百八一晚: 380 for one night
            value = _read_chinese(run)
        if value is not None:
            end = match.start() + len(run)
            found.append(Numeral(value, match.start(), end, run[0] in "百千万"))
    return found
