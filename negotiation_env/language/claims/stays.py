"""Claims about the stay: dates, ranges, weekdays, months and nights, held against the tickets that they may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.houses import RoomMention
from negotiation_env.language.claims.talk import Claim, Span, Talk, within
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
_BARE: Final = re.compile(rf"{_BARE_DAY}(?:(?:{_TO}|{_AND})(?:{_BARE_DAY}|{_DAY})){{0,4}}")
_ONE_DAY: Final = re.compile(_DAY)
_RANGE: Final = re.compile(rf"(?<=[a-z0-9]){_TO}(?=[a-z0-9])|到|至|[-~—]")
# What may follow "the 18th" where it is a day and not the eighteenth of something.
_DAY_ENDS: Final = re.compile(
    r"\W*$|\s*[,.:;?!()/'–-]|\s+(?:for|at|to|and|or|on|until|till|through|with|is|are|was|it|if|then|"
    r"could|would|can|may|what|"
    r"how|only|as|by|in|onwards?|on|please|now|too|also|so|but|still|which|where|when|we|i|you|stays?|again|both|just|"
    r"inclusive|instead|because|since|while|before|after|all|no|not|that|your|the|a|six|five|four|three|two|seven|"
    r"eight|nine|ten|eleven|twelve|thirteen|go|goes|belongs?|remains?|keeps?|leaves?|were|has|have|will|"
    r"works?|costs?|suits?|"
    r"[0-9]+)\b"
)
_BARE_CUE: Final = re.compile(
    r"\b(?:from|on|to|until|till|through|between|and|after|before|by|starting|of|for|since|nights?|"
    r"(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?|begins?|starts?|or|except|without|"
    r"not)[ ,:]*(?:the )?(?:night of the )?$"
)
_ZH_NUMBER: Final = r"(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})"
_CHINESE: Final = re.compile(
    rf"({_ZH_NUMBER}) ?月 ?(?:份)?([0-9]{{1,2}}|{_ZH_NUMBER}(?= ?[号日])) ?[号日]?"
    rf"(?: ?(?:到|至|-|~|和|、) ?(?:({_ZH_NUMBER}) ?月 ?)?({_ZH_NUMBER}) ?[号日]?(?![0-9一二两三四五六七八九十晚间%]))?"
    rf"|(?<![0-9月])({_ZH_NUMBER})[号日]?(?:到|至|-|~|和|、)({_ZH_NUMBER})[号日]|"
    rf"(?<![0-9月一二三四五六七八九十周期])({_ZH_NUMBER})[号日](?!楼|线|店)"
    rf"|(?<![0-9月])([0-9]{{1,2}})到([0-9]{{1,2}})(?![0-9%晚])"
    rf"|(?<![0-9/])(1[0-2]|[1-9])/(3[01]|[12][0-9]|[1-9])(?![0-9/])"
)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_BEFORE: Final = re.compile(rf"\b({WEEKDAY})s?,? (?:the )?$")
_WEEKDAY_AFTER: Final = re.compile(rf",? \(?({WEEKDAY})\b(?!s? (?:to|and|&))")
_NIGHTS: Final = re.compile(r"[ -]?(?:(?!a |per |the |each |every )[a-z]+ )?nights?\b|个?(?:晚上|晚|夜)")


_WEEKDAY_DAY: Final = re.compile(
    rf"\b({WEEKDAY}) (3[01]|[12][0-9]|[1-9])(?![0-9.,:%]*[0-9:%])(?! ?(?:nights?|rooms?|am|pm|o'clock)\b)"
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
    if word in _ORDINALS:
        return _ORDINALS[word]
    return int(re.sub(r"[a-z]", "", word))


def _chinese_number(word: str) -> int:
    if word.isdigit():
        return int(word)
    values = [item.value for item in find_chinese_numerals(word)]
    return int(values[0]) if values else 0


def find_dates(low: str) -> list[DateMention]:
    """Return the dates of a lower-case text in order; two that are joined to a range are one mention."""
    found = [mention for match in _ENGLISH.finditer(low) if (mention := _english(low, match)) is not None]
    taken = {place for mention in found for place in range(mention.start, mention.end)}
    for match in _BARE.finditer(low):
        if not taken.intersection(range(match.start(), match.end())) and _is_day(low, match):
            days = tuple(Day(None, _ordinal(day[0])) for day in _ONE_DAY.finditer(match[0]))
            found.append(_with_weekday(low, match.start(), match.end(), days, _RANGE.search(match[0]) is not None))
    for match in _WEEKDAY_DAY.finditer(low):
        if not taken.intersection(range(match.start(2), match.end(2))):
            found.append(
                DateMention(
                    match.start(2), match.end(2), (Day(None, int(match[2])),), False, _WEEKDAYS.index(match[1][:3])
                )
            )
            taken.update(range(match.start(2), match.end(2)))
    han = _HAN.search(low) is not None
    for match in _CHINESE.finditer(low):
        if "/" in match[0] and not han:
            continue  # 6/20 is a date among Chinese words, elsewhere it may be a share or the sixth of a month
        if not taken.intersection(range(match.start(), match.end())):
            found += _chinese(match)
    return _joined(low, sorted(found))


def _english(low: str, match: re.Match[str]) -> DateMention | None:
    if match[5]:
        month, days, words = int(match[5]), [int(match[6])], ""
    else:
        words = match[1] or match[4]
        month = MONTHS.index((match[2] or match[3])[:3]) + 1
        days = [_ordinal(day[0]) for day in _ONE_DAY.finditer(words)]
    if not 1 <= month <= 12 or not days or re.search(r"[0-9]-$", low[max(0, match.start() - 2) : match.start()]):
        return None
    is_range = len(days) > 1 and _RANGE.search(words) is not None
    # "the 25th to 3 November" begins in October, and "the 24th and 1 May" in April.
    months = [(month - 2) % 12 + 1 if day > days[-1] else month for day in days]
    return _with_weekday(low, match.start(), match.end(), tuple(map(Day, months, days)), is_range)


def _chinese(match: re.Match[str]) -> list[DateMention]:
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
    joined = len(days) > 1 and "和" not in match[0] and "、" not in match[0]
    return [DateMention(match.start(), match.end(), tuple(days), joined, None)]


def _with_weekday(low: str, start: int, end: int, days: tuple[Day, ...], is_range: bool) -> DateMention:
    before = _WEEKDAY_BEFORE.search(low[max(0, start - 16) : start])
    after = _WEEKDAY_AFTER.match(low[end : end + 14])
    weekday = before or after if len(days) == 1 else None
    return DateMention(start, end, days, is_range, None if weekday is None else _WEEKDAYS.index(weekday[1][:3]))


def _is_day(low: str, match: re.Match[str]) -> bool:
    """Return whether "18th" or "eighteenth" is a day: a word before and what comes after must allow it."""
    first = match[0]
    if first in _UNITS[:5] or re.match(r"\W*(?:floor|line|night|room|one|time)", low[match.end() : match.end() + 8]):
        return False
    if len(_ONE_DAY.findall(first)) > 1 and _RANGE.search(first):
        return True
    before = low[max(0, match.start() - 20) : match.start()]
    return _BARE_CUE.search(before) is not None and _DAY_ENDS.match(low[match.end() : match.end() + 16]) is not None


def _joined(low: str, found: list[DateMention]) -> list[DateMention]:
    """Join "26 June" and "4 July" to one range where only "to" stands between them."""
    joined: list[DateMention] = []
    for mention in found:
        last = joined[-1] if joined else None
        if last is not None and len(last.days) == len(mention.days) == 1 and re.fullmatch(
            rf"{_TO}(?:{WEEKDAY},? ?(?:the )?)?| ?[到至~—] ?", low[last.end : mention.start]
        ):  # fmt: skip
            joined[-1] = DateMention(last.start, mention.end, (*last.days, *mention.days), True, None)
        else:
            joined.append(mention)
    return joined


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


def find_months(low: str) -> list[MonthMention]:
    """Return the months that are named without a day: "in late July"."""
    return [
        MonthMention(match.start(1), match.end(1), MONTHS.index(match[1][:3]) + 1)
        for match in _BARE_MONTH.finditer(low)
    ]


_START_BEFORE: Final = re.compile(
    r"\b(?:from|starting|starts?|begins?|beginning|as of|check(?:ing)?[ -]?in(?: is| on| date)?|"
    r"arriv\w+(?: on)?|nights?|in)"
    r"[ ,:]*(?:on )?(?:(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?,? )?(?:the )?$|从$"
)
_END_BEFORE: Final = re.compile(
    rf"(?:\b(?:to|until|till|through|out|leav\w+|check(?:ing)?[ -]?out)(?: on)?|-|到|"
    rf"至)[ ,]*(?:{WEEKDAY},? ?)?(?:the )?$"
)
_ROUGHLY_BEFORE: Final = re.compile(rf"\b(?:and|around|round|about|between|near)(?: {WEEKDAY},?)? (?:the )?$")
_OUT_BEFORE: Final = re.compile(rf"\b(?:out|leav\w+|check(?:ing)?[ -]?out)(?: on)? (?:{WEEKDAY},? ?)?(?:the )?$")
_OTHER_START: Final = re.compile(
    r"\b(?:banner|badge|boost|lift|photo\w*|report|again|shut|closed?|back|opens?|free|page|search|term|"
    r"school|project|work|fair|festival)\b[^,.;0-9]{0,24}$"
)
_CLOCK: Final = re.compile(
    r",? (?:at|before|by|around) (?:(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|"
    r"twelve)\b(?![ -][a-z]+ty\b| hundred)|noon|"
    r"[0-9]{1,2}(?![0-9.,%]))"
)
_START_AFTER: Final = re.compile(
    r" ?(?:起|进|入住|开始)|,? (?:onwards?|on,)| x ?[0-9]| ?(?:[0-9]{1,2}|[一二两三四五六七八九十]{1,3})晚|"
    r",? ?(?:for )?(?:the )?(?:[a-z]+|[0-9]+) nights?\b"
)
# The date is somebody's day for doing something, or an edge that nights are counted up to.
_OTHER_DAY: Final = re.compile(
    r"\b(?:by|before|until|till|since|after|latest|ago|paid|pays?|payout|ring|call|phone|visit\w*|meet\w*|"
    r"send|report|mail|write|pictures|photos|"
    r"come|back|deadline|birthday|opens?|reopen\w*|closed?|shut|outside|not|never|today|tomorrow|last year|yesterday|"
    r"expires?|valid|invoice|contract|decide|answer|review|check again|wedding|exam\w*|opened|deliver\w*|photograph\w*|"
    r"were|was|had|hadn't|wasn't|holiday|festival|fair|new year)\b|再|之前|前$|联系|打给|回您|结算|发您|除了|不含"
)
_I_WRITE: Final = re.compile(
    r"\b(?:i|we)(?:'m| am)? (?:writ\w+|call\w*|phon\w+|ring\w*) (?:you |to you )?(?:about|for)\b"
)
_NIGHTS_FROM: Final = re.compile(
    rf"[ ,]*(?:(?:of|in|for) (?:the |your )?[a-z ]{{1,20}},? )?(?:from|starting|beginning|as of|"
    rf"on)[ ,]*(?:{WEEKDAY},? ?)?(?:the )?"
)
_FROM_NIGHTS: Final = re.compile(r"[ ,:]*(?:起|进|入住)?(?:for )?(?:the |all |its )?")
_OTHER_MONTH: Final = re.compile(
    r"\b(?:last|was|were|had|did|happened|ran|read|since|ago|told|heard|saw|came|lost|back)\b"
)
_ROOMS_ASKED: Final = re.compile(r"\b(?:rooms|rates?|nights|prices?)\b")
_IN_MONTH: Final = re.compile(r"(?: rooms?)? (?:in|for)(?: the)?(?: (?:early|late|mid|end of))? ?-?")
_TO_NIGHTS: Final = re.compile(r"(?:'s|[,，]| for| at)*(?: the)?(?: ?[0-9]{3,4})?[,，]?(?: for)? ?")
_PART: Final = re.compile(
    r"\b(?:only|just|last|leave|except|without|outside|first|keep|kept|closed?|after|weekends?|weekdays?|midweek|other|"
    r"rest|remaining|of (?:those|these|them|the)|part|some|stays?|shorter|instead|half|quiet|empty|before|between|or|"
    r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|alone|either|split|minus|"
    r"less|free)\b|只|其中|剩|另外|平日|周"
)
_AT_ONCE: Final = re.compile(r" in one go\b| at a stretch\b| on end\b")
_LEAST: Final = re.compile(
    r"\b(?:minimum|min|at least|or more|or longer|least|every|each|per|more than|under|limit|up to|over|a|any|"
                           r"who|guests?|stays?|people|long)\b|以上|连住|起住|至少|最少")  # fmt: skip


def tickets_meant(talk: Talk, rooms: Sequence[RoomMention], start: int, end: int) -> tuple[Ticket, ...]:
    """Return the tickets that words at ``low[start:end]`` speak of.

    Those are the rooms named last before them in the sentence (all of "suite and double"), or the ones named next if
    no room stands before the words or the sentence says the figures first ("from the 6th for twelve in the twin");
    else all tickets.
    """
    tickets = talk.card.tickets
    sentence = talk.sentence(start)
    inside = within(rooms, sentence.start, sentence.end)
    before = [room for room in inside if room.end <= start]
    after = [room for room in inside if room.start >= end]
    clause = talk.clause(start)
    behind = after and re.fullmatch(r",? (?:in|of|for) (?:the|your|a) |起?的?", talk.low[end : after[0].start])
    if before and not behind and not (after and after[0].start < clause.end and before[-1].start < clause.start):
        group = [before[-1]]
        if before[-1].start < clause.start and len({room.tickets for room in before}) > 1:
            group = before  # "the Queen and the Executive, nights from the 9th and from the 12th"
        for room in reversed(before[:-1]):
            if not re.fullmatch(r"[ ,]*(?:and|&|\+|/|,|和|、)? ?(?:the |your )?", talk.low[room.end : group[-1].start]):
                break
            group.append(room)
    elif after and (len(inside) == 1 or after[0].start < clause.end):
        group = after[:1]
    else:
        group = _named_last(talk, rooms, sentence)
    meant = tuple(tickets[place] for room in group for place in room.tickets)
    return meant or tickets


_OTHERS: Final = re.compile(r"\b(?:all|both|others?|each|rest|everything|they)\b|都|其他|其余")
_ALL_FROM: Final = re.compile(
    rf"\b(?:all(?: (?:two|three))?|both)(?: of them| rooms)?,? (?:from|starting) (?:{WEEKDAY},? )?(?:the )?$"
)
_EACH: Final = re.compile(r" each\b")


def _named_last(talk: Talk, rooms: Sequence[RoomMention], sentence: Span) -> list[RoomMention]:
    """Return the room of the sentence before, if it names one: "Your queen is at 487. Could she go for 435?"."""
    before = [room for room in rooms if room.end <= sentence.start]
    if not before:
        return []
    last = talk.sentence(before[-1].start)
    inside = [room for room in before if room.start >= last.start]
    alone = len({room.tickets for room in inside}) == 1 and last.end + 4 >= sentence.start
    alone = alone and not _OTHERS.search(talk.low, sentence.start, sentence.end)
    return inside[-1:] if alone else []


def date_claims(talk: Talk, dates: Sequence[DateMention], rooms: Sequence[RoomMention],
                nights: Sequence[NightsMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each date that is said to be one of a stay."""
    found: list[Claim] = []
    said = _days_said(talk.earlier_low) if dates else frozenset[Day]()
    for mention in dates:
        tickets = tickets_meant(talk, rooms, mention.start, mention.end)
        opening = not talk.earlier and not mention.is_range and len(mention.days) == 1
        opening = opening and not _ROUGHLY_BEFORE.search(talk.before(mention.start, 24))
        if mention.weekday is not None:
            found += _weekday_claims(talk, mention)
        if _OTHER_START.search(talk.before(mention.start, 32)) or _CLOCK.match(talk.low, mention.end):
            continue
        start = _is_start(talk, mention, rooms)
        if not start and not _of_stay(talk, mention, rooms, nights):
            continue
        truth = ", ".join(sorted({ticket.check_in.isoformat() for ticket in tickets}))
        if opening and not _END_BEFORE.search(talk.before(mention.start, 32)):
            # The first message says which stay it is about, not a part of it.
            true = any(_begins(mention.days[0], ticket) for ticket in tickets)
        elif _ALL_FROM.search(talk.before(mention.start, 40)):
            true = all(_begins(mention.days[0], ticket) for ticket in tickets)
        elif start and _whole_stay_elsewhere(talk, mention, tickets, nights):
            true = False
        elif all(day in said and not any(_begins(day, ticket) for ticket in talk.card.tickets) for day in mention.days):
            true = True
        elif len(mention.days) > 1 and (not mention.is_range or len(tickets) == len(talk.card.tickets)):
            true = all(any(_inside(day, ticket) for ticket in talk.card.tickets) for day in mention.days)
        else:
            true = any(_fits(talk, mention, ticket, start, nights) for ticket in tickets)
        found.append(talk.claim("date", mention.start, mention.end, _iso(mention.days[0]), truth, true))
    return found


def _days_said(low: str) -> AbstractSet[Day]:
    """Return the days that a text names, with their months and without."""
    days = {day for mention in find_dates(low) for day in mention.days}
    return days | {Day(None, day.day) for day in days}


def _iso(day: Day) -> str:
    return f"---{day.day:02d}" if day.month is None else f"--{day.month:02d}-{day.day:02d}"


def _is_start(talk: Talk, mention: DateMention, rooms: Sequence[RoomMention]) -> bool:
    """Return whether a date is said to be a first night: "from", a room "on" it, or nights counted from it."""
    before = talk.before(mention.start, 32)
    if _END_BEFORE.search(before):
        return False
    if _START_BEFORE.search(before) or _START_AFTER.match(talk.low, mention.end):
        return True
    return _on_room(talk, mention, rooms)


def _on_room(talk: Talk, mention: DateMention, rooms: Sequence[RoomMention]) -> bool:
    """Return whether a date stands right behind a room: "a queen on 27 October"."""
    return any(
        re.fullmatch(r"(?: rooms?)?,? on (?:the )?", talk.low[room.end : mention.start])
        for room in within(rooms, mention.start - 40, mention.start)
    )


def _of_stay(talk: Talk, mention: DateMention, rooms: Sequence[RoomMention], nights: Sequence[NightsMention]) -> bool:
    """Return whether a date without "from" belongs to the stay: a room, nights or a price stand in its sentence."""
    sentence, clause = talk.sentence(mention.start), talk.clause(mention.start)
    words = _I_WRITE.sub("", talk.low[clause.start : max(clause.end, mention.end)])
    if _OTHER_DAY.search(words):
        return False
    if len(within(rooms, sentence.start, sentence.end)) + len(within(nights, sentence.start, sentence.end)):
        return True
    return _names_price(talk, sentence) or re.search(r"\bfor (?:the )?$", talk.before(mention.start, 12)) is not None


def _names_price(talk: Talk, sentence: Span) -> bool:
    return any(number.value >= 100 for number in within(talk.numbers, sentence.start, sentence.end))


@lru_cache(maxsize=512)
def _days(day: Day, ticket: Ticket) -> list[date]:
    """Return the days from a month before check-in to two months after it that a day may be."""
    days = (ticket.check_in + timedelta(days=offset) for offset in range(-31, 62))
    return [found for found in days if found.day == day.day and day.month in (None, found.month)]


def _inside(day: Day, ticket: Ticket) -> bool:
    return any(ticket.check_in <= found <= ticket.check_out for found in _days(day, ticket))


def _begins(day: Day, ticket: Ticket) -> bool:
    return day.day == ticket.check_in.day and day.month in (None, ticket.check_in.month)


def _fits(talk: Talk, mention: DateMention, ticket: Ticket, start: bool, nights: Sequence[NightsMention]) -> bool:
    """Return whether a date may be said of a ticket's stay."""
    first = mention.days[0]
    if not all(_inside(day, ticket) for day in mention.days):
        return False
    if not start and _OUT_BEFORE.search(talk.before(mention.start, 24)):
        return first.day == ticket.check_out.day
    if not start or mention.is_range:
        return True
    near = within(nights, mention.start - 60, mention.end + 40)
    beside = [item.nights for item in near if _counted_from(talk, item, mention)]
    if _begins(first, ticket):
        return not beside or min(beside) <= ticket.nights
    inside = [found for found in _days(first, ticket) if ticket.check_in <= found < ticket.check_out]
    if not inside:
        return False
    if beside:
        return min(beside) < ticket.nights and inside[0] + timedelta(days=min(beside)) <= ticket.check_out
    clause = talk.clause(mention.start)
    return (
        _PART.search(talk.low[clause.start : clause.end]) is not None
        or re.search(r"\bnights from (?:the )?$", talk.before(mention.start, 20)) is not None
        or first.day == ticket.check_out.day
    )


def _whole_stay_elsewhere(talk: Talk, mention: DateMention, tickets: Sequence[Ticket],
                          nights: Sequence[NightsMention]) -> bool:  # fmt: skip
    """Return whether all nights of one of some tickets are counted from a day on which no such stay begins."""
    near = within(nights, mention.start - 60, mention.end + 40)
    counts = {item.nights for item in near if _counted_from(talk, item, mention)}
    alike = [ticket for ticket in tickets if ticket.nights in counts]
    return len(counts) == 1 and bool(alike) and not any(_begins(mention.days[0], ticket) for ticket in alike)


def _counted_from(talk: Talk, nights: NightsMention, date: DateMention) -> bool:
    """Return whether nights are counted from a date: "five nights from the 3rd", "the 3rd, five nights"."""
    if nights.end <= date.start:
        return _NIGHTS_FROM.fullmatch(talk.low[nights.end : date.start]) is not None
    return _FROM_NIGHTS.fullmatch(talk.low[date.end : max(date.end, nights.start)]) is not None


def _weekday_claims(talk: Talk, mention: DateMention) -> list[Claim]:
    """Return the claim that a date falls on a weekday, for dates in or near a stay."""
    days = sorted({found for ticket in talk.card.tickets for found in _days(mention.days[0], ticket)})
    if not days:
        return []
    truth = ", ".join(found.strftime("%A") for found in days)
    true = any(found.weekday() == mention.weekday for found in days)
    return [talk.claim("weekday", mention.start, mention.end, _iso(mention.days[0]), truth, true)]


def month_claims(talk: Talk, dates: Sequence[DateMention], rooms: Sequence[RoomMention]) -> list[Claim]:
    """Return a claim for each month without a day in which rooms are said to be asked for.

    That is a month in the first message, in a sentence about rooms or rates, or later one right behind a room.
    """
    months = {
        (ticket.check_in + timedelta(days=night)).month
        for ticket in talk.card.tickets
        for night in range(ticket.nights + 1)
    }
    truth = ", ".join(MONTHS[month - 1] for month in sorted(months))
    claims: list[Claim] = []
    for mention in find_months(talk.low):
        sentence = talk.sentence(mention.start)
        dated = any(mention.start < date.end for date in within(dates, mention.start - 60, mention.start + 1))
        if dated or _OTHER_MONTH.search(talk.low, sentence.start, sentence.end):
            continue
        named = within(rooms, sentence.start, mention.start)
        asked = _ROOMS_ASKED.search(talk.low, sentence.start, sentence.end)
        beside = any(_IN_MONTH.fullmatch(talk.low[room.end : mention.start]) for room in named[-2:])
        if beside or (not talk.earlier and (named or asked)):
            true = mention.month in months
            claims.append(talk.claim("date", mention.start, mention.end, f"--{mention.month:02d}", truth, true))
    return claims


def nights_claims(talk: Talk, nights: Sequence[NightsMention], rooms: Sequence[RoomMention],
                  dates: Sequence[DateMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each length of a stay that is said of a ticket; "four nights or more" is none.

    Fewer nights than a ticket has are a part of it and no false claim, unless they are said of a room by its name.
    """
    found: list[Claim] = []
    lengths = sorted({ticket.nights for ticket in talk.card.tickets})
    total = sum(ticket.nights for ticket in talk.card.tickets)
    for mention in nights:
        # A word that the window cuts is no word.
        after = re.sub(r"[a-z]+$", "", talk.after(mention.end, 18))
        around = re.sub(r"^[a-z]+", "", talk.before(mention.start, 18)) + "|" + after
        if mention.nights < 2 or _LEAST.search(around) or mention.nights > 45:
            continue
        sentence = talk.sentence(mention.start)
        meant = _named_beside(talk, mention, rooms)
        true = mention.nights in ((*lengths, total) if meant is None else {ticket.nights for ticket in meant})
        if len(lengths) > 1 and meant is None and _EACH.match(talk.low, mention.end):
            true = False
        if not true:
            swapped = meant is not None and mention.nights in lengths
            longest = max(ticket.nights for ticket in meant or talk.card.tickets)
            about = bool(
                within(rooms, sentence.start, sentence.end) or within(dates, sentence.start, sentence.end)
            ) or _names_price(talk, sentence)
            part = _PART.search(talk.low[sentence.start : sentence.end]) or talk.was_said(mention.nights)
            at_once = mention.nights > longest and _AT_ONCE.match(talk.low, mention.end)
            if not (about or at_once) or mention.nights == total:
                continue
            if mention.nights < longest and talk.earlier and not swapped and (meant is None or part):
                continue
        found.append(talk.claim("nights", mention.start, mention.end, float(mention.nights),
                                ", ".join(map(str, lengths)), true))  # fmt: skip
    return found


def _named_beside(talk: Talk, mention: NightsMention, rooms: Sequence[RoomMention]) -> tuple[Ticket, ...] | None:
    """Return the tickets of a room that stands right beside a number of nights; None if none does."""
    for room in within(rooms, mention.start - 60, mention.end + 24):
        after = 0 <= room.start - mention.end <= 20 and re.fullmatch(
            r" (?:of|in|on|for) (?:the |your |a )?", talk.low[mention.end : room.start]
        )
        before = 0 <= mention.start - room.end <= 16 and _TO_NIGHTS.fullmatch(talk.low[room.end : mention.start])
        if (after or before or mention.start <= room.start < mention.end) and room.tickets:
            return tuple(talk.card.tickets[place] for place in room.tickets)
    return None
