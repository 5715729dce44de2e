"""Finds the days, weekdays, months and numbers of nights that a message names; ``stays`` checks them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from negotiation_env.language.numerals import Number, find_chinese_numerals

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b"
)
_UNITS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEENS: Final = ("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
                 "eighteenth", "nineteenth", "twentieth")  # fmt: skip
_ORDINALS: Final[dict[str, int]] = {
    **{word: number for number, word in enumerate(_UNITS, 1)},
    **{word: number for number, word in enumerate(_TEENS, 10)},
    **{f"twenty{join}{word}": 20 + number for number, word in enumerate(_UNITS, 1) for join in "- "},
    **{"thirtieth": 30, "thirty-first": 31, "thirty first": 31},
}
_WORDS: Final = "|".join(sorted(_ORDINALS, key=len, reverse=True))
_DAY: Final = rf"(?:(?<![0-9.,])(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?(?![0-9]|[.,][0-9]|%)|\b(?:{_WORDS})\b)"
WEEKDAY: Final = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_TO: Final = rf",? ?(?:-|to|until|till|til|through|thru|up to)(?: and including)? ?(?:{WEEKDAY},? ?)?(?:the )?"
_AND: Final = r",? ?(?:and|&|\+|,) ?(?:the )?"
_DAYS: Final = rf"{_DAY}(?:(?:{_TO}|{_AND}){_DAY}){{0,4}}"
_ENGLISH: Final = re.compile(
    rf"({_DAYS}) ?(?:of )?({_MONTH})|({_MONTH})\.? (?:the )?({_DAYS})|\b20[0-9]{{2}}-([0-9]{{2}})-([0-9]{{2}})\b"
)
_BARE_DAY: Final = rf"(?:(?<![0-9.,])(?:3[01]|[12][0-9]|[1-9])(?:st|nd|rd|th)\b|\b(?:{_WORDS})\b)"
_ANY_ORDINAL: Final = re.compile(_BARE_DAY)
_BARE: Final = re.compile(rf"{_BARE_DAY}(?:(?:{_TO}|{_AND})(?:{_BARE_DAY}|{_DAY})){{0,4}}")
_ONE_DAY: Final = re.compile(_DAY)
_RANGE: Final = re.compile(rf"(?<=[a-z0-9]){_TO}(?=[a-z0-9])|到|至|[-~—]")
# What may follow "the 18th" where it is a day and not the eighteenth of something.
_DAY_ENDS: Final = re.compile(
    r"\W*$|\s*[,.:;?!()/'–-]|\s+(?:for|at|to|and|or|on|until|till|through|with|is|are|was|it|if|then|could|would|can|"
    r"may|what|how|only|as|by|in|onwards?|please|now|too|also|so|but|still|which|where|when|we|i|you|stays?|again|both|"
    r"just|inclusive|instead|because|since|while|before|after|all|no|not|that|your|the|a|six|five|four|three|two|seven|"
    r"eight|nine|ten|eleven|twelve|thirteen|go|goes|belongs?|remains?|keeps?|leaves?|were|has|have|will|works?|costs?|"
    r"suits?|[0-9]+n?)\b"
)
_BARE_CUE: Final = re.compile(
    r"\b(?:from|on|to|until|till|through|between|and|after|before|by|starting|of|for|since|nights?(?: is)?|"
    r"(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?|begins?|starts?|or|except|without|"
    r"not|king|queen|twin|double|suite|room|executive|exec)s?[ ,:]*(?:the )?(?:night of the )?$"
    rf"|{_MONTH}, the $"
)
_ZH_NUMBER: Final = r"(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})"
_CHINESE: Final = re.compile(
    rf"({_ZH_NUMBER}) ?月 ?(?:份)?([0-9]{{1,2}}|{_ZH_NUMBER}(?= ?[号日])) ?[号日]?"
    rf"(?: ?(?:到|至|-|~|和|跟|、) ?(?:({_ZH_NUMBER}) ?月 ?)?({_ZH_NUMBER}) ?[号日]?"
    r"(?![0-9一二两三四五六七八九十晚间%]|(?:到|至|-|~)[0-9]))?"
    rf"|(?<![0-9月])({_ZH_NUMBER})[号日]?(?:到|至|-|~|和|跟|、)({_ZH_NUMBER}) ?[号日]|"
    rf"(?<![0-9月一二三四五六七八九十周期头第])({_ZH_NUMBER})[号日](?!楼|线|店)"
    rf"|(?<![0-9月])([0-9]{{1,2}})(?:到|、(?=[0-9]{{1,2}} ?[两二三]晚))([0-9]{{1,2}})(?![0-9%晚])"
    rf"|(?<![0-9/])(1[0-2]|[1-9])/(3[01]|[12][0-9]|[1-9])(?![0-9/])"
)
_CHINESE_WEEKDAY: Final = re.compile(r"[（(]?(?:周|礼拜|星期)([一二三四五六日天])(?![、一二三四五六日天到至])")
_CHINESE_WEEKDAY_BEFORE: Final = re.compile(r"(?:周|礼拜|星期)([一二三四五六日天])[（(]?$")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_BEFORE: Final = re.compile(rf"\b({WEEKDAY})s?,? (?:the )?$")
_WEEKDAY_LIST: Final = re.compile(rf"\b{WEEKDAY}s?(?:,? (?:and|to|or|till|until) |, | ?[&-] ?){WEEKDAY}s?,? (?:the )?$")
_WEEKDAY_ROW: Final = re.compile(
    rf"\b{WEEKDAY}(?:(?:,? (?:and|to|till|until|through) |, | ?[&-] ?){WEEKDAY}){{1,4}}[,:]? (?:the )?$"
)
_WEEKDAY_AFTER: Final = re.compile(rf",? \(?({WEEKDAY})\b(?!s? (?:to|and|&))")
_NIGHTS: Final = re.compile(
    r" ?n\b|[ -]?(?:(?!a |per |the |each |every )[a-z]+ )?nights?\b| (?:mornings|evenings)(?= in a row| running|"
    r" on end)|个?(?:晚上|晚|夜)"
)
_WEEKDAY_DAY: Final = re.compile(
    rf"\b({WEEKDAY}) (3[01]|[12][0-9]|[1-9])(?![0-9.,:%]*[0-9:%])(?! ?(?:nights?|rooms?|am|pm|o'clock|then|sharp)\b)"
)
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_TIMES_NIGHTS: Final = re.compile(
    r"(?<![a-z0-9] )(?<![a-z0-9])x ?([1-9]|[1-3][0-9])(?![0-9]| x| ?[0-9])|(?<=[a-z0-9] )x([1-9]|"
    r"[1-3][0-9])(?![0-9]| x)"
)
_READ_OUT: Final = re.compile(r"[一二三四五六七八九]{2,}")
_BARE_MONTH: Final = re.compile(
    rf"\b(?:in|for|of|during)(?: the)?(?: (?:early|late|mid|middle of|end of|second half of|first half of|"
    rf"beginning of))?[ -]({_MONTH})(?![ ,]*(?:the )?[0-9])"
)
_ROOM_ON: Final = re.compile(r"\b(?:king|queen|twin|double|suite|room|executive)s? (?:on|from) the $")


class Day(NamedTuple):
    """A day of the year; ``month`` is None where only "the 18th" is said."""

    month: int | None
    day: int


class DateMention(NamedTuple):
    """One date, several, or the first and the last of a range, at ``low[start:end]``.

    ``weekday`` (0 for Monday) is the one that is said beside a single date.
    """

    start: int
    end: int
    days: tuple[Day, ...]
    is_range: bool
    weekday: int | None


class NightsMention(NamedTuple):
    """A number of nights, at ``low[start:end]``."""

    start: int
    end: int
    nights: int


class MonthMention(NamedTuple):
    """A month without a day, 1 to 12, at ``low[start:end]``."""

    start: int
    end: int
    month: int


def _ordinal(word: str) -> int:
    return _ORDINALS[word] if word in _ORDINALS else int(re.sub(r"[a-z]", "", word))


def _chinese_number(word: str) -> int:
    if word.isdecimal():
        return int(word)
    values = [item.value for item in find_chinese_numerals(word)]
    return int(values[0]) if values else 0


def find_dates(low: str) -> list[DateMention]:
    """Return the dates of a lower-case text in order; two that are joined to a range are one mention."""
    found = [part for match in _ENGLISH.finditer(low) if (mention := _english(low, match)) is not None
             for part in _parted(low, mention)]  # fmt: skip
    taken = {place for mention in found for place in range(mention.start, mention.end)}
    for match in _BARE.finditer(low):
        if not taken.intersection(range(match.start(), match.end())) and _is_day(low, match):
            days = tuple(Day(None, _ordinal(day[0])) for day in _ONE_DAY.finditer(match[0]))
            is_range = len(days) > 1 and _RANGE.search(match[0]) is not None  # "the twenty-second" is one day
            found += _parted(low, _with_weekday(low, match.start(), match.end(), days, is_range))
    for match in _WEEKDAY_DAY.finditer(low):
        if not taken.intersection(range(match.start(2), match.end(2))):
            days, weekday = (Day(None, int(match[2])),), _WEEKDAYS.index(match[1][:3])
            found.append(DateMention(*match.span(2), days, False, weekday))
            taken.update(range(match.start(2), match.end(2)))
    han = _HAN.search(low) is not None
    for match in _CHINESE.finditer(low):
        if "/" in match[0] and not han:
            continue  # 6/20 is a date among Chinese words, elsewhere it may be a share or the sixth of a month
        if not taken.intersection(range(match.start(), match.end())):
            found += _chinese(low, match)
    return _joined(low, sorted(found))


def _parted(low: str, mention: DateMention) -> list[DateMention]:
    """Return the range and the days beside it of "the 5th to the 8th, and the 10th"; other mentions as they are."""
    places = list(_ONE_DAY.finditer(low, mention.start, mention.end))
    if not mention.is_range or len(mention.days) < 3 or len(places) != len(mention.days):
        return [mention]
    found: list[DateMention] = []
    for place, day in zip(places, mention.days, strict=True):
        last = found[-1] if found else None
        if last is not None and len(last.days) == 1 and _RANGE.search(low, last.end, place.start()):
            found[-1] = DateMention(last.start, place.end(), (*last.days, day), True, None)
        else:
            found.append(DateMention(place.start(), place.end(), (day,), False, None))
    found[0] = found[0]._replace(start=mention.start)
    found[-1] = found[-1]._replace(end=mention.end)
    return found


_SPELLED: Final = re.compile(r"[0-9]-[0-9]-[0-9]")


def _english(low: str, match: re.Match[str]) -> DateMention | None:
    if match[5]:
        month, days, words = int(match[5]), [int(match[6])], ""
    else:
        words = match[1] or match[4]
        if _SPELLED.search(words):  # "at 5-7-5, 30 October"
            words = words.rpartition(",")[2]
        month = MONTHS.index((match[2] or match[3])[:3]) + 1
        days = [_ordinal(day[0]) for day in _ONE_DAY.finditer(words)]
    if not 1 <= month <= 12 or not days or re.search(r"[0-9]-$", low[max(0, match.start() - 2) : match.start()]):
        return None
    is_range = len(days) > 1 and _RANGE.search(words) is not None
    # "the 25th to 3 November" begins in October, and "the 24th and 1 May" in April.
    months = [(month - 2) % 12 + 1 if day > days[-1] else month for day in days]
    return _with_weekday(low, match.start(), match.end(), tuple(map(Day, months, days)), is_range)


def _chinese(low: str, match: re.Match[str]) -> list[DateMention]:
    groups = match.groups()
    if groups[0]:
        month = _chinese_number(groups[0])
        days = [Day(month, _chinese_number(groups[1]))]
        if groups[3]:
            days.append(Day(_chinese_number(groups[2]) if groups[2] else month, _chinese_number(groups[3])))
    else:
        days = [Day(None, _chinese_number(group)) for group in groups[4:9] if group]
        if groups[9]:
            days = [Day(int(groups[9]), int(groups[10]))]
    if not all(1 <= day.day <= 31 and (day.month is None or 1 <= day.month <= 12) for day in days):
        return []
    joined = len(days) > 1 and re.search("[和跟、]", match[0]) is None
    named = None
    if len(days) == 1:
        before = _CHINESE_WEEKDAY_BEFORE.search(low[max(0, match.start() - 4) : match.start()])
        named = _CHINESE_WEEKDAY.match(low, match.end()) or before
    weekday = None if named is None else min(6, "一二三四五六日天".index(named[1]))
    return [DateMention(match.start(), match.end(), tuple(days), joined, weekday)]


def _with_weekday(low: str, start: int, end: int, days: tuple[Day, ...], is_range: bool) -> DateMention:
    before = _WEEKDAY_BEFORE.search(low[max(0, start - 16) : start])
    after = _WEEKDAY_AFTER.match(low[end : end + 14])
    weekday = before or after if len(days) == 1 else None
    return DateMention(start, end, days, is_range, None if weekday is None else _WEEKDAYS.index(weekday[1][:3]))


_NAMED_DAY: Final = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day,? the $")
_DAY_BEFORE: Final = re.compile(r"\b(?:from|on|until|till) the $")
_NO_DAY: Final = re.compile(
    r" (?:floors?|lines?|rooms?|times?|years?|birthday|anniversary|century|page|place|house|hour|minute|step|street"
    r"|generation|percentile|week|story|storey|attempt|try|call|message|guest|night)\b"
)
"""What is the 13th and more, and no day of a month."""


_LISTED: Final = re.compile(r"[0-9]{1,2}[a-z]{2}(?:,? (?:and |& )?(?:the )?[0-9]{1,2}[a-z]{2}){1,4}")
"""Days that are listed by their ordinals: "the 30th, the 5th and the 6th"."""


def _is_day(low: str, match: re.Match[str]) -> bool:
    """Return whether "18th" or "eighteenth" is a day: a word before and what comes after must allow it."""
    first = match[0]
    unit = first in _UNITS[:5] and not _ROOM_ON.search(low[max(0, match.start() - 24) : match.start()])
    if unit and _NAMED_DAY.search(low[max(0, match.start() - 16) : match.start()]):
        return _DAY_ENDS.match(low, match.end()) is not None  # "Friday and Saturday, the third and fourth"
    if unit or re.match(
        r"\W*(?:floor|line|night|room|one|time|in (?:a|every) (?:hundred|ten))", low[match.end() : match.end() + 18]
    ):
        return False
    before = low[max(0, match.start() - 20) : match.start()]
    listed = _LISTED.fullmatch(first) and not before.endswith(("from the ", "from "))
    if listed or (len(_ONE_DAY.findall(first)) > 1 and _RANGE.search(first)):
        return True
    if first[:2].isdecimal() and int(first[:2]) > 12 and _DAY_BEFORE.search(before):
        return _NO_DAY.match(low, match.end()) is None
    return _BARE_CUE.search(before) is not None and _DAY_ENDS.match(low[match.end() : match.end() + 16]) is not None


_TO_DAY: Final = re.compile(rf"{_TO}(?:{WEEKDAY},? ?(?:the )?)?| ?[到至~—] ?")
_BETWEEN: Final = re.compile(rf"\bbetween (?:{WEEKDAY},? ?)?(?:the )?$")
_AND_DAY: Final = re.compile(rf" (?:and|&) (?:{WEEKDAY},? ?)?(?:the )?")


def _joined(low: str, found: list[DateMention]) -> list[DateMention]:
    """Join "26 June" and "4 July" to one range where only "to" stands between them, or "between" before them."""
    joined: list[DateMention] = []
    for mention in found:
        last = joined[-1] if joined else None
        apart = low[last.end : mention.start] if last is not None else ""
        single = last is not None and len(last.days) == len(mention.days) == 1
        if last is not None and single and (_TO_DAY.fullmatch(apart) or (
            _BETWEEN.search(low[max(0, last.start - 24) : last.start]) and _AND_DAY.fullmatch(apart)
        )):  # fmt: skip
            joined[-1] = DateMention(last.start, mention.end, (*last.days, *mention.days), True, None)
        else:
            joined.append(mention)
    return joined


def weekdays_of(low: str, mention: DateMention) -> list[tuple[Day, int]]:
    """Return the days of a mention that have a weekday beside them, with it: "Monday 3 to Friday 7 May" has two."""
    if mention.weekday is not None:
        return [(mention.days[0], mention.weekday)]
    places = [day.start() for day in _ONE_DAY.finditer(low, mention.start, mention.end)]
    if len(places) != len(mention.days):
        return []
    named = [_WEEKDAY_BEFORE.search(low[max(0, place - 16) : place]) for place in places]
    if _WEEKDAY_LIST.search(low[max(0, places[0] - 32) : places[0]]):  # "Monday and Tuesday the 22nd and 23rd"
        named[0] = None
    return [(day, _WEEKDAYS.index(word[1][:3])) for day, word in zip(mention.days, named, strict=True) if word]


def weekday_row(low: str, mention: DateMention) -> list[tuple[Day, int]]:
    """Return the first and the last of some days with the first and the last of the weekdays told right before them.

    "Monday to Thursday, 31 May to 3 June"; "Sunday, Monday, Tuesday, the 14th to the 16th".
    """
    row = _WEEKDAY_ROW.search(low[max(0, mention.start - 60) : mention.start])
    if len(mention.days) < 2 or row is None:
        return []
    named = re.findall(rf"\b{WEEKDAY}", row[0])
    joined = mention.is_range or len(named) == len(mention.days)
    if len(named) < 2 or not joined:
        return []
    first, last = (_WEEKDAYS.index(name[:3]) for name in (named[0], named[-1]))
    return [(mention.days[0], first), (mention.days[-1], last)]


def find_nights(low: str, numbers: list[Number]) -> list[NightsMention]:
    """Return the numbers of nights: "five nights", "5-night", 五晚."""
    found: list[NightsMention] = []
    for number in numbers:
        unit = _NIGHTS.match(low, number.end)
        if _READ_OUT.fullmatch(number.shape):  # 周二三晚 are the nights of two days of the week
            continue
        if unit is not None and 1 <= number.value <= 60 and number.value == int(number.value):
            found.append(NightsMention(number.start, unit.end(), int(number.value)))
    found += [
        NightsMention(match.start(), match.end(), int(match[1] or match[2])) for match in _TIMES_NIGHTS.finditer(low)
    ]
    return sorted(found)


def ordinals(low: str) -> set[int]:
    """Return the numbers from 1 to 31 that a text says as ordinals, whether or not they are days: "the 24th"."""
    return {_ordinal(match[0]) for match in _ANY_ORDINAL.finditer(low)}


def find_months(low: str) -> list[MonthMention]:
    """Return the months that are named without a day: "in late July"."""
    return [
        MonthMention(match.start(1), match.end(1), MONTHS.index(match[1][:3]) + 1)
        for match in _BARE_MONTH.finditer(low)
    ]
