"""Claims that say back what the talk has said: its dates, weekdays and counts, held against those said before.

A day or a number that nobody has said is an agent's right: it may be new. It is a false claim where the words around
it tell what was told before, and what was told was another one; see each function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from itertools import combinations
from typing import Final, NamedTuple

from negotiation_env.language.claims.talk import MAX_EARLIER, MAX_LENGTH, Claim, Talk, within
from negotiation_env.language.claims.told import (
    DATED,
    Count,
    Nights,
    Told,
    Word,
    is_asked,
    is_moved,
    nights_on,
    parts_of,
    sentence_at,
    told,
    week_parts,
    words_in,
)

_DAY: Final = timedelta(days=1)
_STARTS_BEFORE: Final = re.compile(r"\b(?:from|begin\w*|start\w*|after|again)\b[^,;.]{0,14}$")
_ENDS_BEFORE: Final = re.compile(r"\b(?:to|until|till|through|ends?|ending|last|out|before)\b[^,;.]{0,14}$")
_STARTS_AFTER: Final = re.compile(r" ?(?:起|往后|之后|开始)")
_LINK: Final = re.compile(r"[,;:0-9.!?]")
"""What parts a number from the word behind it that it does not count."""
WEEK_PART: Final = 5
"""The most days of the week that are a part of it."""
COUNTED: Final = 16
"""Characters within which a number counts the word behind it."""


class _Before(NamedTuple):
    """What was told before a message.

    Attributes:
        messages: the messages, oldest first.
        nights: the dates of each.
        days: every number that was or may have been said as a day of a month, and each stay's first and last days.
    """

    messages: list[Told]
    nights: list[list[Nights]]
    days: frozenset[int]


def retold_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each date, weekday and count that says back another one; none in a talk's first messages."""
    if len(talk.earlier) < 2 or not talk.earlier[-1]:
        return []
    now, before = told(talk.text), _before(talk)
    parts = parts_of(talk.text, talk.earlier, talk.card.tickets)
    nights = [group for group in nights_on(now, talk.card.tickets) if group not in parts]
    found = [
        *_dates_said_back(talk, now, nights, before),
        *_lists_moved(talk, now, nights, before),
        *_weekdays_said_back(talk, now, before),
        *_weekdays_moved(talk, now, nights, before),
        *_counts_said_back(talk, now, before),
    ]
    return list({claim.start: claim for claim in found}.values())


def _before(talk: Talk) -> _Before:
    messages: list[Told] = []
    length = 0
    for message in reversed(talk.earlier):
        if length >= MAX_EARLIER:
            break
        length += min(len(message), MAX_LENGTH)
        messages.insert(0, told(message))
    days = {day for message in messages for day in message.days}
    for ticket in talk.card.tickets:
        days |= {ticket.check_in.day, ticket.check_out.day, (ticket.check_out - _DAY).day}
    return _Before(messages, [nights_on(message, talk.card.tickets) for message in messages], frozenset(days))


def _unheard(nights: Nights, before: _Before) -> list[date]:
    """Return the ends of ranges and the listed days of a group that nobody has said."""
    return sorted(day for day in nights.edges if day.day not in before.days)


def _dates_said_back(talk: Talk, now: Told, nights: Sequence[Nights], before: _Before) -> Iterator[Claim]:
    """Yield the dates that nobody has said where the hotel has named another of late that the message leaves out.

    "The mason comes on the 17th." - "Until the 27th, then." None are those of questions, which may propose, those on
    a weekday that was named without a date, and those that the hotel's own leave over.
    """
    named = {day for group in nights for day in group.days}
    lately = list(zip(before.messages, before.nights, strict=True))[:-4:-2]  # what the hotel said, and before that
    heard = [frozenset(day for group in groups for day in group.days) for _, groups in lately]
    free = {there.weekday for message, groups in zip(before.messages, before.nights, strict=True)
            for there in message.weekdays
            if there.weekday not in {day.weekday() for group in groups for day in group.days}}  # fmt: skip
    if all(days <= named for days in heard):
        return
    for group in nights:
        new = _unheard(group, before)
        if not new or is_asked(now, sentence_at(now, group.start)) or all(day.weekday() in free for day in new):
            continue
        if not any(_is_left_over(talk, group, new, days) for days in heard):
            yield _date_claim(talk, group, new[0])


def _is_left_over(talk: Talk, group: Nights, new: Sequence[date], heard: AbstractSet[date]) -> bool:
    """Return whether days are what those that were heard leave of a stay: they begin or end right beside them."""
    after = any(day - _DAY in heard for day in new)
    before = any(day + _DAY in heard for day in new)
    if len(group.days) > 1:
        return (after or before) and not group.days & heard
    words = talk.before(group.start, 30)
    starts = after and _STARTS_BEFORE.search(words)
    ends = before and _ENDS_BEFORE.search(words)
    return bool(starts or ends or _STARTS_AFTER.match(talk.low, group.end))


def _lists_moved(talk: Talk, now: Told, nights: Sequence[Nights], before: _Before) -> Iterator[Claim]:
    """Yield lists and ranges of days that share some with one that was told, lack some of it and have some unheard."""
    lists = [group.days for groups in before.nights for group in groups if len(group.days) > 1]
    heard = {day for group in before.nights[-1] for day in group.days}
    for group in nights:
        new = _unheard(group, before)
        if len(group.days) < 2 or not new or is_asked(now, sentence_at(now, group.start)):
            continue
        moved = any(is_moved(group.days, days) for days in lists)
        if moved and not _is_left_over(talk, group, new, heard):
            yield _date_claim(talk, group, new[0])


def _date_claim(talk: Talk, group: Nights, day: date) -> Claim:
    return talk.claim("date", group, day.isoformat(), None, False)


def _weekdays_said_back(talk: Talk, now: Told, before: _Before) -> Iterator[Claim]:
    """Yield the weekdays that nobody has said where the hotel has just named another that the message leaves out.

    The two sentences share a word: "The photographer on Thursday." - "The photographer on Wednesday, noted."
    """
    heard = before.messages[-1]
    missing = {named.weekday for named in heard.weekdays} - {named.weekday for named in now.weekdays}
    if not missing:
        return
    known = {named.weekday for message in before.messages for named in message.weekdays}
    known |= {day.weekday() for groups in before.nights for group in groups for day in group.days}
    for ticket in talk.card.tickets:
        known |= {ticket.check_in.weekday(), ticket.check_out.weekday()}
    if any(message.any_week_part for message in before.messages):
        return
    words = frozenset[str]().union(*(words_in(heard, sentence_at(heard, named.start)) for named in heard.weekdays))
    for named in now.weekdays:
        sentence = sentence_at(now, named.start)
        whole = named.end - named.start >= len("monday")
        if whole and named.weekday not in known and words & words_in(now, sentence):
            yield talk.claim("weekday", named, talk.low[named.start : named.end], None, False)


_WEEK_DAYS: Final = frozenset(range(7))
_WEEKEND: Final = re.compile(r"weekend|周末")
_WEEKENDS: Final = {frozenset((4, 5)), frozenset((5, 6))}


def _weekdays_moved(talk: Talk, now: Told, nights: Sequence[Nights], before: _Before) -> Iterator[Claim]:
    """Yield the days of the week, without dates, that share some with those that the hotel has just listed and not all.

    "Friday and Saturday are the wedding's." - "Saturday and Sunday stay theirs, then."
    """
    heard = [part.weekdays for message in before.messages[::-2] for part in week_parts(message)
             if 2 <= len(part.weekdays) <= WEEK_PART]  # fmt: skip
    if not heard:
        return
    known = {part.weekdays for message in before.messages for any_of in (False, True)
             for part in week_parts(message, any_of)}  # fmt: skip
    known |= {frozenset(day.weekday() for day in group.days) for groups in before.nights for group in groups}
    stays = {frozenset((ticket.check_in + number * _DAY).weekday() for number in range(ticket.nights))
             for ticket in talk.card.tickets}  # fmt: skip
    known |= stays | {stay - days for stay in (*stays, _WEEK_DAYS) for days in heard}
    if _WEEKEND.search(talk.earlier_low) and not _WEEKENDS.intersection(heard):
        known |= _WEEKENDS
    for part in week_parts(now):
        dated = any(group.start - DATED <= part.start < group.end for group in nights)
        if dated or not 2 <= len(part.weekdays) <= WEEK_PART or part.weekdays in known:
            continue
        moved = any(is_moved(part.weekdays, days) for days in heard)
        if moved and not is_asked(now, sentence_at(now, part.start)):
            yield talk.claim("weekday", part, talk.low[part.start : part.end], None, False)


def _counts_said_back(talk: Talk, now: Told, before: _Before) -> Iterator[Claim]:
    """Yield the numbers that nobody has said before a word that the hotel has just told another number of.

    "Eleven rooms shut" - "Seventeen rooms shut, then." None are those of questions, and those that are a sum, a
    difference or a product of what was heard.
    """
    heard = before.messages[-1]
    told_of = {word.stem: count for count in heard.counts for word in _counted(heard, count)}
    said = {count.value for count in now.counts}
    if not told_of:
        return
    for count in now.counts:
        sentence = sentence_at(now, count.start)
        if count.value in before.days or talk.was_said(count.value) or is_asked(now, sentence):
            continue
        others = {other.value for other in (*heard.counts, *within(now.counts, sentence.start, sentence.end))}
        if _comes_of(count.value, sorted(others - {count.value})):
            continue
        for word in _counted(now, count, apart=False):
            other = told_of.get(word.stem)
            if other is not None and other.value not in said:
                yield talk.claim("earlier", count, float(count.value), float(other.value), False)
                break


def _counted(said: Told, count: Count, apart: bool = True) -> list[Word]:
    """Return the words that a number may count: close behind it or, if they may stand apart, right before it."""
    behind = [
        word
        for words in (said.words, said.room_words)
        for word in within(words, count.end, count.end + COUNTED)
        if not _LINK.search(said.low, count.end, word.start)
    ]
    ahead = within(said.words, count.start - COUNTED, count.start) if apart else ()
    return [*behind, *(word for word in ahead if 0 <= count.start - word.end <= 6)]


def _comes_of(value: int, parts: Sequence[int]) -> bool:
    sums = (value in (a + b, abs(a - b), a * b) for a, b in combinations(parts, 2))
    return any(value == 2 * part for part in parts) or any(sums)
