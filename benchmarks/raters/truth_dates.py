"""Are the days and nights in a reply those of the card, or of the talk? Weekdays are held against the calendar.

As long as the hotel has not spoken of days, a stay is the card's: it begins and ends as there. Once it has, stays may
have been cut: then a day has to lie in a stay, or to have been said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from benchmarks.raters.rating import Finding, Skill
from benchmarks.raters.said_numbers import MONTHS, WEEKDAYS, SaidDay, numerals, said_days
from benchmarks.raters.situation import RatedSituation
from negotiation_env.game.scenario import TaskCard

NIGHTS: Final = re.compile(r"^[ -](?:more |other |quiet |full |calm |remaining |single )?nights?\b|^(?:个?晚|夜|间夜)")
_LATER: Final = re.compile(
    r"\b(?:call|ring|phone|write|send|speak|talk|hear|come|back|again|ask|answer|mail|email|letter|report|by|before|"
    r"after|photographer|until|till|ready|visit|look|next|since|last|bill|invoice|paid|pay|owner|boss|deadline|line)\b"
)
_FROM: Final = re.compile(r"(?:\bfrom|\bstarting|\bbeginning|\barriving|\bsince)\s+(?:the |\w+day,? (?:the )?)?$")
_OUT: Final = re.compile(
    r"\b(?:out|last night|ends?|ending|closes|check-?out|leaves?|leaving|gone)(?: by| on| is|,)?\s+"
    r"(?:the |\w+day,? (?:the )?)?$"
)
_LAST_NIGHT: Final = re.compile(r"\blast (?:night|one)(?: is| on|:|,| being| of it)?\s+(?:the |\w+day,? (?:the )?)?$")
_GOES: Final = re.compile(r"\b(?:out|check-?out|departure)(?: on| by| is|:)?\s+(?:the |\w+day,? (?:the )?)?$")
_LAST_WEEKDAY: Final = re.compile(rf"\blast (?:night|one)(?: is| on|:|,| being)?(?: the| a)? ({'|'.join(WEEKDAYS)})\b")
_OFFERED: Final = re.compile(
    r"\b(?:kings?|twins?|suites?|doubles?|queens?|execs?|executives?|rooms?|nights?)\b|晚|房|床"
)
_IN_MONTH: Final = re.compile(rf"\b(?:in|for|early|late|mid|this)[ -](?:early |late |mid-)?({'|'.join(MONTHS)})\b")
_PAST: Final = re.compile(r"\b(?:was|were|did|saw|had|put|wrote|last|happened|read|sent|went|told|said|turned|since)\b")
TO: Final = re.compile(r"\s?(?:to|till|until|through|-|–|—)\s?(?:the )?")
SURE, LIKELY = -2.25, -1.25
"""Points of what the card or the calendar refutes, and of what nothing bears out."""
NEAR: Final = timedelta(days=45)


class Stay(NamedTuple):
    """One ticket's stay."""

    first: date
    out: date
    nights: int


def stays(card: TaskCard) -> list[Stay]:
    """Return the stays of a card's tickets."""
    return [Stay(t.check_in, t.check_out, t.nights) for t in card.tickets]


def wrong_days(now: RatedSituation, plain: str) -> Iterator[Finding]:
    """Yield what a reply, given in small letters, says wrongly of days and nights."""
    found, card = said_days(plain), stays(now.card)
    for said in found:
        words = plain[said.span[0] : said.span[1]]
        before = plain[_start(plain, said.span[0]) : said.span[0]]
        if said.weekday is not None and not _fits_calendar(said, card):
            yield Finding("wrong_date", SURE, f"{words} is another day of the week", Skill.WORKFLOW, said.span)
        elif not _known(now, said, card):
            offered = now.number == 1 and _OFFERED.search(plain, *_around(plain, said.span[0])) is not None
            if offered or not (_LATER.search(before) or (now.hotel_days and said.month is None)):
                yield Finding(
                    "wrong_date", LIKELY, f"names the {words}, which is in no stay", Skill.WORKFLOW, said.span
                )
        elif now.number == 1 and not _edge(now, said, card):
            yield Finding(
                "wrong_date", SURE, f"names the {words}, where no stay begins or ends", Skill.WORKFLOW, said.span
            )
        elif said.weekday is not None and _said_otherwise(now, said):
            yield Finding(
                "wrong_date", SURE, f"names the {words}, the hotel named another day", Skill.WORKFLOW, said.span
            )
        elif not now.hotel_days and _FROM.search(before) and not _edge(now, said, card):
            yield Finding(
                "wrong_date", LIKELY, f"begins on the {words}, where no stay begins", Skill.WORKFLOW, said.span
            )
        elif _OUT.search(before) and not now.hotel_days and not _edge(now, said, card):
            yield Finding("wrong_date", LIKELY, f"ends on the {words}, where no stay ends", Skill.WORKFLOW, said.span)
    if not now.hotel_days:
        yield from _wrong_ranges(now, plain, found, card)
    yield from _wrong_ends(now, plain, found, card)
    yield from _wrong_months(now, plain, card)
    yield from _wrong_counts(plain, found, sum(s.nights for s in card))
    yield from _wrong_nights(now, plain, found, card)


def _wrong_ranges(now: RatedSituation, plain: str, found: tuple[SaidDay, ...], card: list[Stay]) -> Iterator[Finding]:
    """A first day with a last one that is another stay's, or none."""
    for first, last in pairwise(found):
        if not TO.fullmatch(plain[first.span[1] : last.span[0]]):
            continue
        own = [s for s in card if s.first.day == first.day]
        ends = {d.day for s in own for d in (s.out, s.out - timedelta(days=1))}
        if own and last.day not in ends and not any(day == last.day for day, _ in now.days):
            yield Finding(
                "wrong_date", SURE, f"ends a stay on the {last.day}., which it does not", Skill.WORKFLOW, last.span
            )


def _wrong_ends(now: RatedSituation, plain: str, found: tuple[SaidDay, ...], card: list[Stay]) -> Iterator[Finding]:
    """A last night that is the morning of check-out, or the other way round; a last night by a wrong weekday."""
    outs = {s.out.day for s in card}
    lasts = {(s.out - timedelta(days=1)).day for s in card}
    for said in found:
        if any(day == said.day for day, _ in now.days):
            continue
        before = plain[max(0, said.span[0] - 40) : said.span[0]]
        last, out = _LAST_NIGHT.search(before), _GOES.search(before)
        if last and said.day in outs - lasts:
            yield Finding("wrong_date", SURE, f"calls the {said.day}. a last night", Skill.WORKFLOW, said.span)
        elif out and not last and said.day in lasts - outs:
            yield Finding("wrong_date", SURE, f"ends a stay on the {said.day}., a day early", Skill.WORKFLOW, said.span)
    if now.hotel_days:
        return
    for match in _LAST_WEEKDAY.finditer(plain):
        if not any((s.out - timedelta(days=1)).weekday() == _weekday(match[1]) for s in card):
            yield Finding("wrong_date", SURE, f"ends a stay on a {match[1]}", Skill.WORKFLOW, match.span(1))


def _wrong_months(now: RatedSituation, plain: str, card: list[Stay]) -> Iterator[Finding]:
    """A month in the first message, of the rooms that it asks for, in which no stay lies."""
    if now.number > 1:
        return
    known = {d.month for s in card for d in (s.first, s.out)}
    for match in _IN_MONTH.finditer(plain):
        start, end = _around(plain, match.start())
        if MONTHS.index(match[1]) + 1 not in known and _OFFERED.search(plain, start, end) and not _PAST.search(plain):
            yield Finding("wrong_date", SURE, f"asks for rooms in {match[1]}", Skill.WORKFLOW, match.span(1))


def _around(plain: str, position: int) -> tuple[int, int]:
    """Return where a position's sentence begins and ends."""
    return next(((s, e) for s, e in sentences(plain) if s <= position < e), (0, len(plain)))


def _weekday(name: str) -> int:
    return next(i for i, full in enumerate(WEEKDAYS) if full.startswith(name[:3]))


def _wrong_counts(plain: str, found: tuple[SaidDay, ...], total: int) -> Iterator[Finding]:
    """A number of nights that the days beside it do not make: "14 to 26, fourteen nights"."""
    for first, last in pairwise(found):
        if not TO.fullmatch(plain[first.span[1] : last.span[0]]) or first.day >= last.day:
            continue
        start, end = next(((s, e) for s, e in sentences(plain) if s <= first.span[0] < e), (0, len(plain)))
        if re.search(
            r"\b(?:without|not|except|minus|less|but|bar|save|then|and|other|out|of|most|least|more|longer)\b",
            plain[start:end],
        ):
            continue
        counts = [n for n in numerals(plain) if start <= n.span[0] < end and NIGHTS.match(plain[n.span[1] :])]
        gap = last.day - first.day
        if (
            len(counts) == 1
            and sum(start <= d.span[0] < end for d in found) == 2
            and counts[0].value not in (gap, gap + 1, total)
        ):
            yield Finding(
                "wrong_date", SURE, f"counts {counts[0].value:g} nights of {gap}", Skill.WORKFLOW, counts[0].span
            )


def _said_otherwise(now: RatedSituation, said: SaidDay) -> bool:
    """Whether the hotel has just named that weekday with another day, and nobody this one."""
    if any(day == said.day for day, _ in now.days):
        return False
    return any(d.weekday == said.weekday and d.day != said.day for d in said_days(now.heard.plain))


def sentences(plain: str) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a text begin and end."""
    start = 0
    for match in re.finditer(r"[.!?;\n。！？；](?!\d)", plain):
        yield start, match.start()
        start = match.end()
    yield start, len(plain)


def _start(plain: str, position: int) -> int:
    """Return where a position's sentence begins."""
    return max(plain.rfind(mark, 0, position) for mark in ".!?;:\n") + 1


def _fits_calendar(said: SaidDay, card: list[Stay]) -> bool:
    """Whether a day near the stays has the weekday that is said."""
    low, high = min(s.first for s in card) - NEAR, max(s.out for s in card) + NEAR
    days = (low + timedelta(days=i) for i in range((high - low).days + 1))
    return any(d.day == said.day and said.month in (None, d.month) and d.weekday() == said.weekday for d in days)


def _known(now: RatedSituation, said: SaidDay, card: list[Stay]) -> bool:
    """Whether a day lies in a stay or was said before."""
    for stay in card:
        for i in range(stay.nights + 1):
            day = stay.first + timedelta(days=i)
            if day.day == said.day and said.month in (None, day.month):
                return True
    return any(day == said.day and (month is None or said.month in (None, month)) for day, month in now.days)


def _edge(now: RatedSituation, said: SaidDay, card: list[Stay]) -> bool:
    """Whether a stay begins or ends on a day, by its last night or by check-out; or it was said before."""
    edges = {d for s in card for d in (s.first, s.out, s.out - timedelta(days=1))}
    if any(d.day == said.day and said.month in (None, d.month) for d in edges):
        return True
    return any(day == said.day for day, _ in now.days)


_STAYS: Final = re.compile(
    r"\b(?:stay|stays|staying|stayed|least|minimum|most|longer|and more|only|other|left|leaves|that's|"
    r"without|party|guests?)\b"
)


def _wrong_nights(now: RatedSituation, plain: str, found: tuple[SaidDay, ...], card: list[Stay]) -> Iterator[Finding]:
    """Numbers of nights that no stay has, and that nobody said; and a stay's first day with another stay's nights."""
    spans = {d.span for d in found}
    all_nights = [s.nights for s in card]
    sums = {sum(all_nights)} | {a + b for i, a in enumerate(all_nights) for b in all_nights[i + 1 :]}
    for number in numerals(plain):
        if number.span in spans or not NIGHTS.match(plain[number.span[1] :]):
            continue
        value = int(number.value)
        if value <= 1 or value in all_nights or value in sums:
            day = next((d for d in reversed(found) if 0 <= number.span[0] - d.span[1] <= 24), None)
            if value > 1 and day is not None and not now.hotel_days and value not in sums:
                own = [s.nights for s in card if s.first.day == day.day and day.month in (None, s.first.month)]
                if own and value not in own and "." not in plain[day.span[1] : number.span[0]]:
                    yield Finding(
                        "wrong_date", SURE, f"gives {value} nights to another stay", Skill.WORKFLOW, number.span
                    )
            continue
        start, end = next(((a, b) for a, b in sentences(plain) if a <= number.span[0] < b), (0, len(plain)))
        han = plain[number.span[1]] > "\x7f"
        if _STAYS.search(plain, start, end) or (han and now.number > 1):
            continue  # how long guests stay, what is left of a stay
        if not now.hotel_days and value not in now.figures:
            yield Finding("wrong_date", LIKELY, f"says {value} nights, which no stay has", Skill.WORKFLOW, number.span)
        elif value > max(all_nights) and value not in now.figures:
            yield Finding(
                "wrong_date", LIKELY, f"says {value} nights, longer than any stay", Skill.WORKFLOW, number.span
            )
