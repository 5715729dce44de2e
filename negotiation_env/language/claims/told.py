"""What one message tells, for claims that are held against the talk: its days, weekdays and counts, and its words.

``told`` reads a message by itself, whoever said it, and remembers what it read; ``nights_on`` turns the days of a
message into dates near the stays of a card. ``retold`` compares.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import DateMention, Day, find_dates, ordinals
from negotiation_env.language.claims.talk import MAX_LENGTH, WORDS, Span, sentences_of, within
from negotiation_env.language.numerals import find_numbers, lower
from negotiation_env.language.price_vocabulary import word_set

T = TypeVar("T")

_WORD: Final = re.compile(r"[a-z]{3,}")
_ENDING: Final = re.compile(r"(?:ing|ers|ies|ed|es|er|s)$")
_PLAIN: Final = word_set(WORDS["talks"]["plain"])
"""Words that tie no two sentences of a talk about rooms together, or that count something else each time."""
_ROOM: Final = frozenset(("room", "king", "queen", "twin", "double", "suite", "executive", "guest"))
"""What a house has a number of: as words they tie no sentences, behind a number they do."""
_DAY_NAMES: Final = "mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun"
_WEEKDAY: Final = re.compile(
    rf"\b({_DAY_NAMES})(?:day)?s?\b|(?:(?:周|礼拜|星期)|(?<=(?:周|拜|期)[一二三四五六])[、和]?)([一二三四五六日天])(?![月号点个晚夜])"
)
_CHINESE_DAYS: Final = "一二三四五六日天"
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK_PART: Final = re.compile(r"\b(?:weekends?|weekdays?|midweek|in the week)\b|周|星期|礼拜|平日")
_WEEK_LIST: Final = re.compile(r"(?:,? (?:and|&|\+) |, ?| ?/ ?| )(?:the |an? )?|[、和跟]?")
_WEEK_CHOICE: Final = re.compile(r",? or (?:the |an? )?|或者?")
_WEEK_RANGE: Final = re.compile(r",? ?(?:to|until|till|through|-) ?(?:and including )?(?:the )?|[到至]")
_COUNT_UNIT: Final = re.compile(
    r" ?(?:%|per ?cent|points?\b|o'clock|am\b|pm\b|:[0-9]|st\b|nd\b|rd\b|th\b|-?[0-9]|yuan\b|net\b|[晚月号日间点])"
    r"|[ -]?(?:[a-z]+ )?nights?\b"
)
_JOINED: Final = re.compile(
    r"(?:[ ,;(、和，&]|\b(?:and|then|again|plus|also|on|from|the)\b|"
    rf"\b(?:{_DAY_NAMES})(?:day)?s?\b){{1,12}}"
)
MAX_COUNT: Final = 99
"""The highest number that is read as a count; higher ones are prices."""
_SPAN: Final = re.compile(r"(?<![0-9.,])(3[01]|[12]?[0-9]) ?(?:-|to|until|till|到|至) ?(3[01]|[12]?[0-9])(?![0-9.,%])")
DATED: Final = 24
"""Characters before a date within which a day of the week is the date's."""
_FAR: Final = timedelta(days=21)
"""How far from a stay a day may lie and still be told in dates."""
_LONGEST: Final = 31
"""Nights of the longest range of days."""


class Count(NamedTuple):
    """A whole number from 2 to ``MAX_COUNT`` that counts something, at ``low[start:end]``."""

    start: int
    end: int
    value: int


class Word(NamedTuple):
    """A word that may tie two sentences together, without its ending, at ``low[start:end]``."""

    start: int
    end: int
    stem: str


class Weekday(NamedTuple):
    """A day of the week, 0 for Monday, at ``low[start:end]``."""

    start: int
    end: int
    weekday: int


class WeekPart(NamedTuple):
    """Days of the week that are listed together or are the ends of a range, at ``low[start:end]``."""

    start: int
    end: int
    weekdays: frozenset[int]


class Told(NamedTuple):
    """What a message tells.

    Attributes:
        low: the message in lower case.
        sentences: its sentences.
        groups: its dates; those that are listed together are one group.
        weekdays: the days of the week that it names.
        any_week_part: whether it speaks of weekends, weekdays or, in Chinese, of any day of the week.
        counts: its numbers of things that are no nights, dates, shares or prices.
        words: its words that may tie sentences together.
        room_words: its words for rooms and guests, which tie a number to what it counts.
        days: every number from 1 to 31 that may be a day of a month, with those between the ends of a range.
    """

    low: str
    sentences: tuple[Span, ...]
    groups: tuple[tuple[DateMention, ...], ...]
    weekdays: tuple[Weekday, ...]
    any_week_part: bool
    counts: tuple[Count, ...]
    words: tuple[Word, ...]
    room_words: tuple[Word, ...]
    days: frozenset[int]


class Nights(NamedTuple):
    """The dates of a group at ``low[start:end]``.

    Attributes:
        start: where its words begin.
        end: where they end.
        days: all its dates; a range has its last one too.
        edges: the first and the last of a range, and every date that is listed.
    """

    start: int
    end: int
    days: frozenset[date]
    edges: frozenset[date]


def stem(word: str) -> str:
    """Return an English word without its ending; "bookings" and "booked" are one."""
    short = _ENDING.sub("", word)
    return short if len(short) >= 3 else word


@lru_cache(maxsize=2048)
def told(text: str) -> Told:
    """Return what a message tells; only its first ``MAX_LENGTH`` characters are read."""
    low = lower(text[:MAX_LENGTH])
    dates, numbers = find_dates(low), find_numbers(low, True, True, True)
    dated = [range(mention.start, mention.end) for mention in dates]
    whole = [n for n in numbers if n.value == int(n.value) and not any(n.start in span for span in dated)]
    counts = tuple(
        Count(n.start, n.end, int(n.value))
        for n in whole
        if 2 <= n.value <= MAX_COUNT and not _COUNT_UNIT.match(low, n.end)
    )
    days = {int(n.value) for n in whole if 1 <= n.value <= 31} | ordinals(low)
    for mention in dates:
        first, last = mention.days[0].day, mention.days[-1].day
        days.update(range(first, last) if mention.is_range else (), (day.day for day in mention.days))
    for match in _SPAN.finditer(low):
        days.update(range(int(match[1]), int(match[2]) + 1))
    words = [Word(match.start(), match.end(), stem(match[0])) for match in _WORD.finditer(low)]
    return Told(
        low,
        tuple(sentences_of(low)),
        tuple(_groups(low, dates)),
        tuple(Weekday(m.start(), m.end(), _weekday(m)) for m in _WEEKDAY.finditer(low)),
        _WEEK_PART.search(low) is not None,
        counts,
        tuple(word for word in words if word.stem not in _STOPPED and low[word.start : word.end] not in _PLAIN),
        tuple(word for word in words if word.stem in _ROOM_STEMS),
        frozenset(days),
    )


def _weekday(match: re.Match[str]) -> int:
    return _WEEKDAYS.index(match[1][:3]) if match[1] else min(6, _CHINESE_DAYS.index(match[2]))


_STOPPED: Final = frozenset(stem(word) for word in _PLAIN)
_ROOM_STEMS: Final = frozenset(stem(word) for word in _ROOM)


def _groups(low: str, dates: Sequence[DateMention]) -> list[tuple[DateMention, ...]]:
    groups: list[tuple[DateMention, ...]] = []
    for mention in dates:
        if groups and _JOINED.fullmatch(low, groups[-1][-1].end, mention.start):
            groups[-1] = (*groups[-1], mention)
        else:
            groups.append((mention,))
    return groups


def nights_on(said: Told, tickets: Sequence[Ticket]) -> list[Nights]:
    """Return the groups of a message as dates; a group that has no date within three weeks of a stay is left out."""
    found: list[Nights] = []
    for group in said.groups:
        days: set[date] = set()
        edges: set[date] = set()
        for mention in group:
            dates = _dates_of(mention, tickets)
            edges.update(dates)
            days.update(dates)
            if mention.is_range and len(dates) > 1 and (dates[-1] - dates[0]).days <= _LONGEST:
                days.update(dates[0] + timedelta(days=offset) for offset in range((dates[-1] - dates[0]).days))
        if days:
            found.append(Nights(group[0].start, group[-1].end, frozenset(days), frozenset(edges)))
    return found


def parted(
    groups: Sequence[Nights], tickets: Sequence[Ticket], others: AbstractSet[date] = frozenset()
) -> list[Nights]:
    """Return the groups of a message that part one stay between them: "14 to 18 and 21, 22; the 19th and 20th out".

    They lie in it, no night is in two of them, and they hold all of its nights (but for ``others``, which were told
    before), or one begins where another ends.
    """
    found: list[Nights] = []
    for ticket in tickets:
        nights = {ticket.check_in + timedelta(days=night) for night in range(ticket.nights)}
        inside = [group for group in groups if all(ticket.check_in <= day <= ticket.check_out for day in group.days)]
        held = frozenset[date]().union(*(group.days for group in inside))
        if sum(len(group.days) for group in inside) < len(held) + len(inside) and len(inside) > 1:
            if nights <= held or nights == (held & nights) ^ (others & nights):
                found += inside
            for one in inside:
                for other in inside:
                    if 0 <= (min(other.days) - max(one.days)).days <= 1 and len(one.days) + len(other.days) > 2:
                        found += (one, other)
        found += [group for group in inside if others and nights == (group.days & nights) ^ (others & nights)]
    return found


def days_out(said: Told, groups: Sequence[Nights], tickets: Sequence[Ticket]) -> AbstractSet[date]:
    """Return the days of stays that a message names by date or by day of the week.

    A day of the week right before a date is that date's and names no other: "Friday and Saturday, the 3rd and 4th".
    """
    named = {there.weekday for there in said.weekdays
             if not any(group.start - DATED <= there.start < group.end for group in groups)}  # fmt: skip
    stays = {ticket.check_in + timedelta(days=night) for ticket in tickets for night in range(ticket.nights)}
    return {day for day in stays if day.weekday() in named} | {day for group in groups for day in group.days}


def parts_of(text: str, earlier: Sequence[str], tickets: Sequence[Ticket]) -> list[Nights]:
    """Return the groups of a message that part a stay, by themselves or with days that the hotel has told.

    A group that shares some days with those that the hotel has listed and not all is none.
    """
    return parts_among(nights_on(told(text), tickets), earlier, tickets)


def parts_among(groups: list[Nights], earlier: Sequence[str], tickets: Sequence[Ticket]) -> list[Nights]:
    """Return those groups of a message that part a stay of some tickets; see ``parts_of``."""
    heard = [(said, nights_on(said, tickets)) for said in map(told, earlier[: -2 * _LATELY : -2] if groups else ())]
    lists = [group.days for _, there in heard for group in there if len(group.days) > 1]
    groups = [group for group in groups if not any(is_moved(group.days, days) for days in lists)]
    found = parted(groups, tickets)
    for said, there in heard:
        found += parted(groups, tickets, days_out(said, there, tickets))
    return found


def is_moved(days: AbstractSet[T], others: AbstractSet[T]) -> bool:
    """Return whether days share some with others, lack some of these, and have some of their own."""
    return bool(days & others and days - others and others - days)


def parts_told(messages: Sequence[str], tickets: Sequence[Ticket]) -> tuple[AbstractSet[int], AbstractSet[int]]:
    """Return how many nights the days that messages tell are and part stays into, and how many they leave of them."""
    parts: set[int] = set()
    left: set[int] = set()
    for text in messages[-_LATELY:]:
        said = told(text)
        groups = nights_on(said, tickets)
        dated = days_out(said._replace(weekdays=()), groups, tickets)
        parts |= {len(group.days) - last for group in groups for last in (0, 1)}
        for ticket in tickets:
            nights = {ticket.check_in + timedelta(days=night) for night in range(ticket.nights)}
            for days in (dated, days_out(said, (), tickets), days_out(said, groups, tickets)):
                parts.add(len(nights & days))
                left |= {ticket.nights - len(nights & days)} if nights & days else set()
            parts |= {abs((edge - day).days) for day in dated for edge in (ticket.check_in, ticket.check_out)}
    return parts, left


_LATELY: Final = 10
"""Messages of which the days may tell a part of a stay."""


def _dates_of(mention: DateMention, tickets: Sequence[Ticket]) -> list[date]:
    """Return days as dates: each the one nearest to a stay, on its weekday, and none before the one listed before."""
    found: list[date] = []
    for day in mention.days:
        near = _near(day, tuple((ticket.check_in, ticket.check_out) for ticket in tickets))
        later = [there for there in near if not found or there >= found[-1]]
        later = [there for there in later if mention.weekday in (None, there.weekday())] or later
        if not later:
            return []
        found.append(later[0])
    return found


@lru_cache(maxsize=4096)
def _near(day: Day, stays: tuple[tuple[date, date], ...]) -> tuple[date, ...]:
    """Return the dates within three weeks of the stays that a day may be, the nearest to a stay first."""
    first, last = min(start for start, _ in stays) - _FAR, max(end for _, end in stays) + _FAR
    dates = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    fitting = [there for there in dates if there.day == day.day and day.month in (None, there.month)]

    def apart(there: date) -> int:
        return min(max((start - there).days, (there - end).days, 0) for start, end in stays)

    return tuple(sorted(fitting, key=apart))


def week_parts(said: Told, choices: bool = False) -> list[WeekPart]:
    """Return the days of the week of a message: "Monday to Thursday" is one part, "Friday and Saturday" another.

    With ``choices``, "a Sunday or a Monday" is one too.
    """
    found: list[WeekPart] = []
    before = 0
    for named in said.weekdays:
        last = found[-1] if found else None
        if last is not None and _WEEK_RANGE.fullmatch(said.low, last.end, named.start):
            days = {(before + offset) % 7 for offset in range((named.weekday - before) % 7 + 1)}
            found[-1] = WeekPart(last.start, named.end, last.weekdays | days)
        elif last is not None and (
            _WEEK_LIST.fullmatch(said.low, last.end, named.start)
            or (choices and _WEEK_CHOICE.fullmatch(said.low, last.end, named.start))
        ):
            found[-1] = WeekPart(last.start, named.end, last.weekdays | {named.weekday})
        else:
            found.append(WeekPart(named.start, named.end, frozenset((named.weekday,))))
        before = named.weekday
    return found


def sentence_at(said: Told, at: int) -> Span:
    """Return the sentence of a message that a place lies in."""
    place = bisect_left(said.sentences, at + 1, key=lambda span: span.start)
    return said.sentences[max(0, place - 1)]


def is_asked(said: Told, sentence: Span) -> bool:
    """Return whether a sentence ends in a question mark."""
    return said.low[sentence.end : sentence.end + 1] in ("?", "？")


def words_in(said: Told, span: Span) -> frozenset[str]:
    """Return the words of a part of a message that may tie it to another."""
    return frozenset(word.stem for word in within(said.words, span.start, span.end))
