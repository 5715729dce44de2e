"""Numbers in a message, in digits and in words, each with its value and span.

Spelled ones are read as people say prices: "two hundred and fifty", "three eighty" (380), "four-oh-two" (402), "five
nine five" (595), "3-forty" and "3-40" (340), "twelve hundred", 三百八 (380), 两百五 (250), 一千二 (1200), 一千零五十,
一万二; not ordinals or fractions. Digits may be set apart in thousands: 1,200, 1.200, 1 200, 1'200. ``lower`` puts a
text into the form that the price patterns read: lower case, ASCII digits and signs, every character at its place.
Whether a number is a price is decided in ``prices``.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

from negotiation_env.language.price_vocabulary import SCAN


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

_ZEROS: Final = frozenset({"oh", "o", "zero", "nought"})

_WORD: Final = "|".join(sorted((*_UNITS, *_TEENS, *_TENS), key=len, reverse=True))
_SCALE: Final = "|".join(_SCALES)
_ZERO: Final = "|".join(sorted(_ZEROS, key=len, reverse=True))
# Every loop step eats at least one number word and no word can be eaten in two ways: linear time.
_ENGLISH: Final = re.compile(
    rf"(?:\b(?:(?:a )?(?:{_SCALE})|{_WORD})\b|(?<![0-9a-z.,:/-])[1-9][0-9]?(?=-[a-z]))"
    rf"(?:(?:(?<=hundred) and |(?<=thousand) and | |-)(?:{_WORD}|{_SCALE}|{_ZERO})\b)*"
)
# "3-forty" starts with digits.
_DIGIT_WORDS: Final = {str(value): word for word, value in (*_UNITS.items(), *_TEENS.items())}
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
    if after < len(words) and words[after] in _ZEROS:
        rest, more = _below_hundred(words, after + 1)
        return (head * 100 + rest, width + 1 + more) if 0 < rest < 10 else (head, width)
    rest, more = _below_hundred(words, after)
    # "three eighty" and "twelve fifty" are hundreds said short; "five three" is not a number.
    if rest >= 10:
        return head * 100 + rest, width + more
    return head, width


def _read_digits(words: list[str]) -> float | None:
    """Value of three digits read out one by one ("five nine five", "four zero nine"), or None."""
    if len(words) != 3 or words[0] not in _UNITS or words == ["one", "two", "three"]:
        return None
    digits = [0 if word in _ZEROS else _UNITS.get(word, -1) for word in words]
    if -1 in digits or words[1] == "oh" != words[2]:
        return None
    return float(100 * digits[0] + 10 * digits[1] + digits[2])


def _read_english(words: list[str]) -> float | None:
    """Value of a whole run of number words, or None where the run is not one number."""
    digits = _read_digits(words)
    if digits is not None:
        return digits
    value, at = _below_thousand(words, 0)
    if at < len(words) and words[at] in ("thousand", "grand"):
        rest, width = _below_thousand(words, at + 1)
        value, at = (value or 1) * 1000 + rest, at + 1 + width
    return float(value) if value and at == len(words) else None


def find_english_numbers(low: str) -> list[Numeral]:
    """Numbers in words in lower-case text, in order. A run that is no single number is left out."""
    found: list[Numeral] = []
    for match in _ENGLISH.finditer(low):
        if match.end() - match.start() < 3:  # digits before a word: "4-star"
            continue
        words = match.group().replace("-", " ").split()
        bare = words[0] in _SCALES
        words = [_DIGIT_WORDS.get(word, word) for word in words if word not in ("a", "and")]
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
    "０１２３４５６７８９％．＋－／＝～￥＄：＂＇（）’‘“”–—−\u00a0\u3000\u2009\u202f",
    "0123456789%.+-/=~¥$:\"'()''\"\"---    ",
)
# A message that is not ASCII only for its "¥" needs no translation, which is slow.
_HAS_FULL_WIDTH: Final = re.compile("[" + re.escape("".join(map(chr, _FULL_WIDTH))) + "]")
_SCALE_VALUES: Final = {
    "k": 1e3, "grand": 1e3, "thousand": 1e3, "hundred": 1e2, "million": 1e6,
    "百": 1e2, "千": 1e3, "万": 1e4,
}  # fmt: skip


def _digits_value(figure: str, scale: str | None) -> float | None:
    """Value of digits with separators ("1,200", "1.2", "1,5" with k), or None if no number."""
    if figure.isdecimal():
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


_NUMBERED: Final = ("ticket ", "room ", "option ", "number ", "type ")
"""What has a number of its own before a price."""


def _read_digits_match(low: str, match: re.Match[str]) -> Number | None:
    """The number of a match of SCAN, or None where it is none (a date, a time, a phone number)."""
    start, end = match.span()
    plain, spaced, hyphened, rest, scale = match.groups()
    if plain is not None:
        figure = low[start:end]
        value = _digits_value(figure, None)
    elif rest is not None:
        figure = low[start : match.end(4)]
        value = _digits_value(figure, scale)
    elif spaced:
        if low[start + 1] == " " and low[max(0, start - 7) : start].endswith(_NUMBERED):  # "ticket 1 280 yuan"
            start += 2
        figure = low[start:end].replace(" ", "").replace("'", "")
        value = _digits_value(figure, None)
    elif hyphened:
        figure = low[start:end]
        value = float(figure.replace("-", ""))
    else:
        return None
    return None if value is None else Number(value, start, end, "", figure)


def find_numbers(low: str, digits: bool, words: bool, chinese: bool) -> list[Number]:
    """All numbers in digits and in words, in the order of the text; none overlaps another."""
    found: list[Number] = []
    if digits:
        for match in SCAN.finditer(low):
            number = _read_digits_match(low, match)
            if number is not None:
                found.append(number)
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
    if not (words or chinese) or len(found) < 2:
        return found
    found.sort(key=lambda number: (number.start, -number.end))
    apart = found[:1]
    apart.extend(after for before, after in pairwise(found) if after.start >= before.end)
    return apart
