"""Numbers and days as people write them, by the raters' own reading: digits, words, ordinals, lists before a month.

"380", "three eighty", "a hundred and sixty-six", "the twenty-first", "10, 12 and 17 June". Fractions in words are not
numbers here. A day has no month where none is said.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS: Final = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_CARDINAL: Final = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), 2)
}
_ORDINAL: Final = {word: value for value, word in enumerate(_ORDINALS.split())} | {"twentieth": 20, "thirtieth": 30}
_WORD: Final = "|".join(sorted([*_CARDINAL, *_ORDINAL, "hundred", "thousand", "oh"], key=len, reverse=True))
_FOUND: Final = re.compile(
    rf"(?<![\w.])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<th>st|nd|rd|th)?(?![a-z\d])"
    rf"|(?<![\w'])(?P<words>(?:{_WORD})(?:(?:[ -]|(?<=hundred) and |(?<=thousand) and )(?:{_WORD}))*)(?![\w])"
    r"|(?<=[\u4e00-\u9fff¥])(?P<bare>\d+(?:\.\d+)?)|(?P<han>[零〇一二两三四五六七八九十百]{1,8})(?=[号日晚月成%％]|个点|个百分点)"
)
_PERCENT: Final = re.compile(r"\s?[%％]|[ -]percent\b|[ -]per cent\b|个点|个百分点")
MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
                 "november", "december")  # fmt: skip
_MONTH: Final = re.compile(
    rf"\b({'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b|(1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月"
)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAY: Final = re.compile(r"\b(mon|tues?|wed|thur?s?|fri|sat|sun)(?:day|nesday|urday)?\b")
WEEKDAY_ALONE: Final = re.compile(
    rf"\b(?:{'|'.join(WEEKDAYS)}|mon|tues?|thur?s?|fri)\b|\b(?:wed|sat|sun)\b(?=\.? (?:the )?\d)"
)
"""A weekday that needs no day beside it; "sat", "sun" and "wed" are words, but for one before a figure."""
_VERB: Final = re.compile(r"\s+(?:i|we|you|he|she|it|they|one|this|that|be|not|well)\b")
"""What follows "may" or "march" where it is no month."""
_JOIN: Final = re.compile(
    r"(?:\s|,|;|-|–|—|&|\b(?:and|to|or|till|until|through|the|plus|then|"
    rf"{'|'.join(WEEKDAYS)}|mon|tue|wed|thu|fri|sat|sun)\b)*"
)
_COUNTS: Final = re.compile(
    r"(?:[ -](?:more |other |quiet |full |short |long |single |of )?(?:nights?|rooms?|stays?|days?|weeks?|yuan|"
    r"hours?|them|times?|guests?|percent|lines?|points?|years?|o'clock|am|pm)\b)|[:.]\d| ?[x×*/] ?\d"
)
"""What follows a number that is no day."""
_ENDS: Final = re.compile(
    r"\s*(?:$|[,.;:?!)–—-]|(?:and|to|or|till|until|is|are|was|at|for|in|on|as|you|we|i|the|stay|to)\b)"
)
"""What follows a day that stands without its month."""
_NEXT: Final = re.compile(r"\.? (?:the )?")
_ALONE: Final = re.compile(r"(?:\bthe|\bfrom|\buntil|\btill|\bto|\bof|\band|\bor|,|\bon)\s*$")


MOST: Final = 1e12
"""A larger number counts as this one."""


class SaidNumber(NamedTuple):
    """A number in a text, and where it stands."""

    value: float
    span: tuple[int, int]
    percent: bool
    ordinal: bool


class SaidDay(NamedTuple):
    """A day in a text: month 1 to 12, weekday 0 (Monday) to 6; each None where it is not said."""

    day: int
    month: int | None
    weekday: int | None
    span: tuple[int, int]


@lru_cache(maxsize=8192)
def numerals(plain: str) -> tuple[SaidNumber, ...]:
    """Return the numbers of a text in small letters, in order."""
    found: list[SaidNumber] = []
    for match in _FOUND.finditer(plain):
        percent = _PERCENT.match(plain, match.end()) is not None
        if match["han"]:
            value = float(_in_han(match["han"]))
            tenths = plain[match.end() : match.end() + 1] == "成"
            found.append(SaidNumber(10.0 * value if tenths else value, match.span(), percent or tenths, False))
        elif match["words"]:
            found += [
                SaidNumber(float(value), match.span(), percent, ordinal) for value, ordinal in _in_words(match["words"])
            ]
        else:
            value = min(MOST, float((match["digits"] or match["bare"]).replace(",", "")))
            found.append(SaidNumber(value, match.span(), percent, match["th"] is not None))
    return tuple(found)


def _in_han(run: str) -> int:
    """Return the number that Chinese figures say: 十二, 二十一, 三百八十, 五七六."""
    if not set(run) & set("十百"):
        return int("".join(str(_HAN[sign]) for sign in run))
    total, digit = 0, 0
    for sign in run:
        if sign in "十百":
            total, digit = total + max(digit, 1) * (10 if sign == "十" else 100), 0
        else:
            digit = _HAN[sign]
    return total + digit


_HAN: Final = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))


def _in_words(run: str) -> list[tuple[int, bool]]:
    """Return the numbers that a run of number words says, and whether each is an ordinal."""
    words = [w for w in re.split(r"[ ,-]+", run) if w != "and"]
    parts: list[tuple[int, bool, str]] = []
    for word in words:
        if word in ("hundred", "thousand", "oh"):
            parts.append((0, False, word))
            continue
        value, ordinal = _CARDINAL.get(word, -1), word in _ORDINAL
        value = _ORDINAL[word] if ordinal else value
        tens = parts and not parts[-1][2] and not parts[-1][1] and parts[-1][0] >= 20 and parts[-1][0] % 10 == 0
        if tens and 1 <= value <= 9:
            parts[-1] = (parts[-1][0] + value, ordinal, "")
        else:
            parts.append((value, ordinal, ""))
    found: list[tuple[int, bool]] = []
    at = 0
    while at < len(parts):
        value, ordinal, sign = parts[at]
        after = parts[at + 1 : at + 4]
        at += 1
        if sign:
            value = {"hundred": 100, "thousand": 1000, "oh": 0}[sign]
            if sign != "oh" and after and not after[0][2] and after[0][0] < value:
                value, ordinal, at = value + after[0][0], after[0][1], at + 1
        elif after and after[0][2] in ("hundred", "thousand"):
            value *= 100 if after[0][2] == "hundred" else 1000
            at += 1
            if len(after) > 2 and after[2][2] == "hundred":
                value, at = value + 100 * after[1][0], at + 2
                after = parts[at - 1 : at + 1]
            price = len(after) > 2 and after[1][0] < 10 and not after[2][2] and after[2][0] >= 10  # "and five seventy"
            if len(after) > 1 and not after[1][2] and after[1][0] < 100 and not price:
                value, ordinal, at = value + after[1][0], after[1][1], at + 1
        elif 1 <= value <= 9 and after and not after[0][2] and after[0][0] >= 10:
            value, ordinal, at = 100 * value + after[0][0], after[0][1], at + 1
        elif 1 <= value <= 9 and len(after) > 1 and after[0][2] == "oh" and after[1][0] < 10:
            value, ordinal, at = 100 * value + after[1][0], after[1][1], at + 2
        elif 1 <= value <= 9 and len(after) > 1 and all(not p[2] and p[0] < 10 for p in after[:2]):
            value, at = 100 * value + 10 * after[0][0] + after[1][0], at + 2
        elif 10 <= value <= 19 and after and not after[0][2] and after[0][0] >= 20:
            value, ordinal, at = 100 * value + after[0][0], after[0][1], at + 1
        found.append((value, ordinal))
    return found


@lru_cache(maxsize=8192)
def said_days(plain: str) -> tuple[SaidDay, ...]:
    """Return the days of the month that a text in small letters names, in order."""
    small = [
        n
        for n in numerals(plain)
        if 1 <= n.value <= 31 and n.value == int(n.value) and not n.percent and not _COUNTS.match(plain[n.span[1] :])
    ]
    months: dict[tuple[int, int], int] = {}
    named = [(match, _month(match)) for match in _MONTH.finditer(plain) if _is_month(plain, small, match)]
    led = [_give_before(plain, small, match, month, months) for match, month in named]
    for (match, month), taken in zip(named, led, strict=True):
        if not taken:
            _give_behind(plain, small, match, month, months)
    found = []
    for number in small:
        day, month_said = int(number.value), months.get(number.span)
        weekday = _weekday_before(plain, number.span[0])
        if plain[number.span[1] : number.span[1] + 1] in ("号", "日"):
            found.append(SaidDay(day, month_said, None, number.span))
            continue
        alone = (
            number.ordinal
            and (day > 5 or plain[number.span[0]].isdigit())
            and _ALONE.search(plain[: number.span[0]])
            and _ENDS.match(plain[number.span[1] :])
        )
        if month_said is None and weekday is None and not alone:
            continue
        found.append(SaidDay(day, month_said, weekday, number.span))
    return tuple(found)


def _is_month(plain: str, small: list[SaidNumber], match: re.Match[str]) -> bool:
    """Whether a month's name means the month: "may" and "march" do right beside a number and before no pronoun."""
    if match[1] not in ("may", "march"):
        return True
    if _VERB.match(plain, match.end()):
        return False
    return any(
        re.fullmatch(r"[\s-]*(?:of )?", plain[n.span[1] : match.start()])
        if n.span[1] <= match.start()
        else _NEXT.fullmatch(plain[match.end() : n.span[0]])
        for n in small
    )


def _month(match: re.Match[str]) -> int:
    if match[2]:
        return int(match[2]) if match[2].isdigit() else _in_han(match[2])
    return next(i for i, m in enumerate(MONTHS, 1) if m.startswith(match[1][:3]))


def _give_before(
    plain: str, small: list[SaidNumber], match: re.Match[str], month: int, months: dict[tuple[int, int], int]
) -> bool:
    """Note that a month belongs to the numbers joined to it before ("10, 12 and 17 June"); return if there are any."""
    edge, later, found = match.start(), 99, False
    if match[2]:
        return False
    for number in reversed([n for n in small if n.span[1] <= match.start()]):
        between = plain[number.span[1] : edge]
        if number.span in months or not (_JOIN.fullmatch(between) or (not found and between == " of ")):
            break
        if not found and _COUNTS.match(plain[match.end() :]):
            break  # "two June stays"
        if number.value <= later:  # "the 27th to 5 February" begins in January
            months[number.span] = month
        edge, later, found = number.span[0], int(number.value), True
    return found


def _give_behind(
    plain: str, small: list[SaidNumber], match: re.Match[str], month: int, months: dict[tuple[int, int], int]
) -> None:
    """Note that a month belongs to the numbers joined to it behind ("June 10 to 12")."""
    edge = match.end()
    if match[2]:
        months |= {n.span: month for n in small if n.span[0] == edge}
        return
    for number in small:
        if number.span[0] >= match.end():
            join = plain[edge : number.span[0]]
            if number.span in months or not (_JOIN if edge > match.end() else _NEXT).fullmatch(join):
                break
            months[number.span] = month
            edge = number.span[1]


def _weekday_before(plain: str, position: int) -> int | None:
    """Return the one weekday that stands right before a day: "Saturday the 16th", and not "Friday, Saturday 5"."""
    head = plain[max(0, position - 40) : position]
    match = re.search(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? (?:the )?$", head)
    if match is None or not WEEKDAY.fullmatch(re.match(r"[a-z]+", match[0])[0]):  # type: ignore[index]
        return None
    if re.search(r"(?:day|mon|tue|wed|thu|fri|sat|sun)s?(?:,| and| or| to|-|–|/| &)+ ?$", head[: match.start()]):
        return None
    return next(i for i, name in enumerate(WEEKDAYS) if name.startswith(match[1]))
