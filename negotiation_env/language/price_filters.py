"""Which numbers in a message are no prices: dates, counts, measures, names, codes, deposits.

Judged from the characters and the few words around the number. A bare number of 10 or more is taken
for a price unless something speaks against it; below 10 something must speak for it.
"""

from __future__ import annotations

import re
from typing import Final

from negotiation_env.language.numerals import Number
from negotiation_env.language.price_vocabulary import (
    ALLOWED_AFTER,
    ATTACHED,
    CHINESE_COUNTERS,
    COUNTED,
    COUNTED_IF_SMALL,
    EXCHANGED_BEFORE,
    LABELS,
    LABELS_IF_SMALL,
    MONTHS,
    PERCENT_AFTER,
    PERCENT_BEFORE,
    PERCENT_METRICS,
    PERCENT_OFF_WORDS,
    PERCENT_TRENDS,
    PRICE_CUES,
    ROOM_TYPES,
    SMALL_PRICE_CUES,
    STREETS,
    WEEKDAYS,
    YEAR_CUES,
)

_MODAL_MAY: Final = re.compile(r" ?may (?:be|work|seem|sound|not|well|do|just|still|only)\b")
_ORDINALS: Final = frozenset({"first", "second", "third", "other", "same", "one"})
_SHARE_OF: Final = re.compile(
    r"(?: ?(?:yuan|rmb|cny|[¥$€£]))? (?:in|out of) (?:every |each |a )?"
    r"(?:two|three|four|five|six|eight|ten|twenty|hundred|10{0,2}|[2-9]|20)\b"
)
_EACH_HUNDRED: Final = re.compile(r"\b(?:every|each) [¥$€£]?$")
_STARRED: Final = re.compile(r" [a-z]+[- ]star [a-z]+s\b")
"""What follows a number of "1.2k five-star reviews"."""
_HOW_MANY: Final = re.compile(r"\bhow many\b[^.;:!?]*$")
_WITH: Final = re.compile(r" w (?!h\b)[a-z]")
_SECOND_WORD: Final = re.compile(r" ?\+?-?[a-z'.]+ ([a-z]+)")
_LIST_NUMBER: Final = re.compile(r"\n[0-9]{1,2}[.)] ")
_CENTS: Final = re.compile(r"[0-9]\.[0-9]{2}")
# "380 puts you ahead": a word on -s before one of these is a verb and not counted.
_UNTIL: Final = re.compile(r" (?:until|till|through) ")
_OBJECTS: Final = frozenset((
    "it", "you", "me", "us", "him", "her", "them", "the", "a", "an", "my", "your", "our", "his", "their", "that",
    "this", "those", "all", "both",
))  # fmt: skip
_LINK: Final = re.compile(r" ?(?:-|~|to|and|or|through|until|till|,|&|到|至|、|和) ?")
_CONTRACTION: Final = re.compile(r"'(?:s|d|ll|re)\b")
_DATE_CUES: Final = MONTHS | WEEKDAYS | {"from", "nights", "night", "between", "on", "dates", "date", "nos"}
_PAYING: Final = frozenset({"pay", "paying", "offer", "offering", "accept", "accepting"})
_PROPOSING: Final = frozenset({"how", "what", "down", "up", "go"})
_ROOMS: Final = frozenset({"room", "rooms"})
_EXCHANGED_JOINTS: Final = frozenset({"is", "of", "for", "worth", "was", "at"})
# No bare number from here on is a price: phone numbers, post codes with their area, ids.
_LARGEST_BARE: Final = 1e6


def is_day_range(low: str, left: Number, right: Number) -> bool:
    """Whether two figures are days of a month: "from 25 to 28", "14-16", "26到29"."""
    if not (left.value < right.value <= 31 and right.start - left.end < 9) or left.spelled or right.spelled:
        return False
    if low[left.end : right.start].strip(" ") in ("到", "至"):
        return True
    if _UNTIL.fullmatch(low, left.end, right.start):
        return True
    before = low[max(0, left.start - 6) : left.start]
    return before.endswith(("from ", "the ")) and links(low, left.end, right.start)


def links(low: str, start: int, end: int) -> bool:
    """Whether `low[start:end]` joins two numbers into a range or a list: "-", "to", "or", "and"."""
    return _LINK.fullmatch(low, start, end) is not None


def is_percent_off(low: str, number: Number, end: int, head: str) -> bool:
    """Whether the percentage before `end` is a discount, not an occupancy, uplift or commission."""
    after = low[end : end + 32]
    around = head + after
    if not 0 < number.value <= 100 or PERCENT_METRICS.search(around):
        return False
    if not PERCENT_OFF_WORDS.search(around) and PERCENT_TRENDS.search(around):
        return False
    return bool(PERCENT_AFTER.match(low, end) or PERCENT_BEFORE.search(head))


def is_share(low: str, number: Number, head: str) -> bool:
    """Whether the figure is one of a ratio: "one yuan in five", "out of every hundred yuan"."""
    if number.value <= 50 and _SHARE_OF.match(low, number.end):
        return True
    return number.value in (10, 100, 1000) and _EACH_HUNDRED.search(head) is not None


def is_exchanged(before: list[str]) -> bool:
    """Whether the figure is a deposit, a fee or a voucher: "the deposit is 1500"."""
    words = before[:-1] if before and before[-1] in ("$", "¥", "€", "£") else before
    if words[-2:] == ["fine", "of"]:
        return True
    return len(words) > 1 and words[-1] in _EXCHANGED_JOINTS and words[-2] in EXCHANGED_BEFORE


def is_chinese_price(low: str, number: Number, money: bool) -> bool:
    """Whether a run of Chinese numerals is a figure: 三百八 and 三十块 are, 一 and 十分 are not."""
    if money:
        return True
    counted = low[number.end : number.end + 1] in CHINESE_COUNTERS and not low.startswith("成不成", number.end)
    if counted or len(number.shape) < 2:
        return False
    return len(number.shape) in (3, 4) or any(char in "百千万" for char in number.shape)


def is_no_price(low: str, number: Number, before: list[str], joint: str, following: str, off: bool) -> bool:
    """Whether a figure without a currency is something else than a price.

    `before` are the words before the number, `joint` what stands between it and the word or sign
    `following`; `off`: whether it is an amount off, which may be small.
    """
    value = number.value
    last = before[-1] if before else ""
    if value >= _LARGEST_BARE or number.shape == "bare":
        return True
    if "many" in before and _HOW_MANY.search(low, max(0, number.start - 48), number.start):
        return True  # "how many rooms in all, 240?"
    if value < 100 and number.spelled and not (off or _is_proposed(before)):
        return True
    if value <= 31 and last == "the":
        return True
    if "-" in number.shape and (last in _DATE_CUES or following in MONTHS):  # "from 3-15", "3-15 May"
        return True
    if _is_label(value, before, last) or _is_date(low, number, last, following):
        return True
    if _touches_letters(low, number) or _runs_on(low, number, joint, following):
        return True
    if _is_counted(low, number, last, following):
        return True
    if _looks_like_year(number) and (
        last in YEAR_CUES or following == ")" or (len(before) > 1 and before[-2] in MONTHS)
    ):
        return True
    if value < 10 and not off:
        return not _is_small_price(number, before, following)
    return value <= 20 and _LIST_NUMBER.match(low, max(0, number.start - 1)) is not None


def _is_label(value: float, before: list[str], last: str) -> bool:
    """Whether the word before makes the number a name: "iPhone 6", "room 412", "ticket 2"."""
    if "numbered" in (last, *before[-3:-2]) and last in ("numbered", "and", "or"):  # "numbered 412 and 415"
        return True
    if last in _ROOMS:
        return len(before) < 2 or (before[-2] not in ROOM_TYPES and before[-2] not in _ORDINALS)
    return last in LABELS or (value < 100 and last in LABELS_IF_SMALL)


def _touches_letters(low: str, number: Number) -> bool:
    """Whether the characters right before the number make it part of a name, code or fraction."""
    if not number.start:
        return False
    previous = low[number.start - 1]
    earlier = low[number.start - 2] if number.start > 1 else " "
    if "a" <= previous <= "z" or previous in "#_\\+%":
        return True
    if previous == "-":
        return "a" <= earlier <= "z"
    if previous == "/":
        return not earlier.isdigit()
    if previous == ".":
        return not (earlier.isalpha() or earlier == ".")
    if previous == "'" and number.value < 100:  # '98
        return low[number.end : number.end + 1] != "'"
    return previous == ":" and earlier.isdigit()


def _runs_on(low: str, number: Number, joint: str, following: str) -> bool:
    """Whether what is attached to the number makes it a measure or a code: 32gb, 2-year, 5'11."""
    if not following or joint in (" ", "+ "):
        return False
    start, value = number.start, number.value
    if "a" <= following[0] <= "z":
        hyphenated = joint == "-" and value >= 100 and following in ALLOWED_AFTER
        return following not in ATTACHED and not hyphenated
    if following == "'":  # "5'11" is a measure, "380's fine" no
        return not (start and low[start - 1] == "'") and not _CONTRACTION.match(low, number.end)
    if following == '"':
        return value < 100 and '"' not in low[max(0, start - 40) : start]
    return following in "@_#°²^\\"


def _is_proposed(before: list[str]) -> bool:
    """Whether the words before a small spelled figure say that it is a price: "I'd pay forty", "how about sixty"."""
    if not before:
        return False
    return before[-1] in _PAYING or (before[-1] == "about" and len(before) > 1 and before[-2] in _PROPOSING)


def _is_date(low: str, number: Number, last: str, following: str) -> bool:
    """Whether a month or weekday beside the figure makes it a day or a year."""
    if last in MONTHS and (number.value <= 31 or _looks_like_year(number)):
        return True
    if number.value > 31:
        return False
    if last in WEEKDAYS:
        return True
    return following in MONTHS and (following != "may" or not _MODAL_MAY.match(low, number.end))


def _is_counted(low: str, number: Number, last: str, following: str) -> bool:
    """Whether the next word is a thing counted or measured."""
    value = number.value
    if following == "w" and _WITH.match(low, number.end):  # "538 w the banner"
        return False
    if _STARRED.match(low, number.end):
        return True
    if following in COUNTED or (value < 100 and following in COUNTED_IF_SMALL) or following == "x":
        return True
    if not "a" <= following[:1] <= "z" or following in ALLOWED_AFTER:
        return False
    match = _SECOND_WORD.match(low, number.end)
    second = match[1] if match else ""
    if second in COUNTED or following in STREETS or second in STREETS:
        return True
    if following in COUNTED_IF_SMALL:  # "380 weekdays" but not "150 new bookings"
        return second.endswith("s") and second not in ALLOWED_AFTER
    plural = (
        following.endswith("s") and not following.endswith("ss") and "'" not in following and second not in _OBJECTS
    )
    return plural or (value < 100 and last not in PRICE_CUES) or _looks_like_year(number)


def _is_small_price(number: Number, before: list[str], following: str) -> bool:
    """Whether a bare figure below 10 is a price: "6.50", "I'd go 8", "how about 6?"."""
    if number.spelled or ("a" <= following[:1] <= "z" and following not in ALLOWED_AFTER):
        return False
    if _CENTS.fullmatch(number.shape):
        return True
    if not before:
        return False
    proposed = before[-1] in ("about", "to") and len(before) > 1 and before[-2] in _PROPOSING
    return proposed or before[-1] in SMALL_PRICE_CUES


def _looks_like_year(number: Number) -> bool:
    return 1900 <= number.value < 2040 and not number.spelled and len(number.shape) == 4
