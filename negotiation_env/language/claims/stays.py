"""Claims about the stay: dates, ranges, weekdays, months and nights, held against the tickets that they may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import (
    MONTHS,
    WEEKDAY,
    DateMention,
    Day,
    NightsMention,
    find_months,
    find_nights,
    weekday_row,
    weekdays_of,
)
from negotiation_env.language.claims.houses import RoomMention, tickets_meant
from negotiation_env.language.claims.talk import PATTERNS, Claim, Span, Talk, within
from negotiation_env.language.claims.told import Nights, nights_on, parts_among, told
from negotiation_env.language.numerals import find_numbers

_START_BEFORE: Final = re.compile(
    r"\b(?:from|starting|starts?|begins?|beginning|as of|check(?:ing)?[ -]?in(?: is| on| date)?|arriv\w+(?: on)?|"
    r"nights?|in)[ ,:]*(?:on )?(?:(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?,? )?(?:the )?$|从$"
)
_END_BEFORE: Final = re.compile(
    rf"(?:\b(?:(?:to|until|till|through)(?: the (?:morning|night|evening) of)?|out|leav\w+|depart\w+|"
    rf"check(?:ing)?[ -]?out)(?: on)?|-|到|至)[ ,]*(?:{WEEKDAY},? ?)?(?:the )?$"
)
_ROUGHLY_BEFORE: Final = re.compile(rf"\b(?:and|around|round|about|between|near)(?: {WEEKDAY},?)? (?:the )?$")
_OUT_BEFORE: Final = re.compile(
    rf"\b(?:out|gone(?: by)?|leaves|leaving|(?<!we )(?<!i )leave|depart\w+|check(?:ing)?[ -]?out)(?: on)? "
    rf"(?:{WEEKDAY},? ?)?(?:the )?$"
)
_LAST_BEFORE: Final = re.compile(
    rf"\blast (?:night|one)(?: is| being| of (?:it|them))?(?: on)?,? (?:{WEEKDAY},? ?)?(?:the )?$"
)
_FIRST_BEFORE: Final = re.compile(
    rf"\bfirst (?:night|of (?:them|those|these))(?: is| being)?(?: on)?,? (?:{WEEKDAY},? ?)?(?:the )?$"
)
_AND_DAY: Final = re.compile(rf",? (?:and|&) (?:{WEEKDAY},? )?(?:the )?")
"""Between two nights of one stay: "Saturday 8 and Sunday 9 May"."""
_CHINESE_OUT: Final = re.compile(
    r"(?:早上|一早|上午|中午)?(?:走|退房|离店|退|离开)|早上(?=[，。、]|四|五|六|七|八|九|十|[0-9])"
)
_OTHER_START: Final = re.compile(
    r"\b(?:banner|badge|boost|lift|photo\w*|report|again|shut|closed?|back|opens?|free|page|search|term|"
    r"school|project|work|fair|festival)\b[^,.;0-9]{0,24}$"
)
_NO_DAY_AFTER: Final = re.compile(
    r" (?:rooms|rates|stays)\b|,? (?:at|before|by|around) (?:(?:one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve)\b(?![ -][a-z]+ty\b| hundred)|noon|half past|[0-9]{1,2}(?![0-9.,%]))|,? [0-9]{1,2} ?(?:am|pm)\b|"
    r",? (?:it|they|you|we|all|everything|the (?:rate|price|page|room|list|town|house))(?: [a-z]+)? (?:goes?|is|are|"
    r"returns?|touch|back|free|sells?)\b|起?[，,]?(?:就?恢复|回到|照旧|您的价)"
)
"""A time of day, "3 May rooms", of which there are three, or what goes on from a day on when all is over."""
_START_AFTER: Final = re.compile(
    r" ?(?:起|进|入住|开始)|,? (?:onwards?|on,)| x ?[0-9]| ?(?:[0-9]{1,2}|[一二两三四五六七八九十]{1,3})晚|"
    r",? ?(?:for )?(?:the )?(?:[a-z]+|[0-9]+) nights?\b"
)
_OTHER_DAY: Final = PATTERNS["other_day"]
_I_WRITE: Final = re.compile(
    r"\b(?:i|we)(?:'m| am)? (?:writ\w+|call\w*|phon\w+|ring\w*) (?:you |to you )?(?:about|for)\b"
)
_BOOKED_BEFORE: Final = re.compile(r"\b(?:for|fill|filling|book|booking) (?:the )?$")
_NIGHTS_FROM: Final = re.compile(
    rf"[ ,]*(?:(?:of|in|for) (?:the |your )?[a-z ]{{1,20}},? )?(?:from|starting|beginning|as of|"
    rf"on|in)[ ,]*(?:{WEEKDAY},? ?)?(?:the )?"
)
_FROM_NIGHTS: Final = re.compile(r"[ ,:]*(?:起|进|入住)?(?:for )?(?:the |all |its )?")
_OTHER_MONTH: Final = re.compile(
    r"\b(?:last|was|were|had|did|happened|ran|read|since|ago|told|heard|saw|came|lost|back|put|promised|noticed)\b"
)
_ROOMS_ASKED: Final = re.compile(r"\b(?:rooms|rates?|nights|prices?)\b")
_IN_MONTH: Final = re.compile(r"(?: rooms?)? (?:in|for)(?: the)?(?: (?:early|late|mid|end of))? ?-?")
PART: Final = PATTERNS["part_of_stay"]


_ALL_FROM: Final = re.compile(
    rf"\b(?:all(?: (?:two|three))?|both)(?: of them| rooms)?,? (?:from|starting) (?:{WEEKDAY},? )?(?:the )?$"
)


def date_claims(talk: Talk, dates: Sequence[DateMention], rooms: Sequence[RoomMention],
                nights: Sequence[NightsMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each date that is said to be one of a stay."""
    found: list[Claim] = []
    said = _days_said(talk) if dates else frozenset[Day]()
    groups = nights_on(told(talk.text), talk.card.tickets) if dates and talk.earlier else []
    parts = parts_among(groups, talk.earlier, talk.card.tickets)
    meant = [tickets_meant(talk, rooms, mention.start, mention.end) for mention in dates] if groups else []
    for mention in dates:
        tickets = tickets_meant(talk, rooms, mention.start, mention.end)
        opening = not talk.earlier and not mention.is_range and len(mention.days) == 1
        opening = opening and not _ROUGHLY_BEFORE.search(talk.before(mention.start, 24))
        found += _weekday_claims(talk, mention)
        if _OTHER_START.search(talk.before(mention.start, 32)) or _NO_DAY_AFTER.match(talk.low, mention.end):
            continue
        if talk.low[mention.start - 1 : mention.start] == "、" and mention.days[0].month is None:
            continue  # the end of a list, "8、9、10号"
        alone = mention.is_range and len(tickets) == 1 and meant.count(tickets) == 1
        if _is_part(talk, mention, groups, parts, tickets if alone else ()):
            continue
        if any(_AND_DAY.fullmatch(talk.low, date.end, mention.start) and date.days[-1].day + 1 == mention.days[0].day
               for date in within(dates, mention.start - 24, mention.start)):  # fmt: skip
            continue
        start = _is_start(talk, mention, rooms)
        last = _LAST_BEFORE.search(talk.before(mention.start, 40)) is not None and len(mention.days) == 1
        out = _CHINESE_OUT.match(talk.low, mention.end) or (
            opening and _OUT_BEFORE.search(talk.before(mention.start, 32))
        )
        begun = () if start or last or out else _begun_before(talk, mention, dates, nights)
        if last or begun or (not start and out):
            found += _end_claims(talk, mention, begun or tickets, frozenset[Day]() if begun else said, last)
            continue
        if not start and not _of_stay(talk, mention, rooms, nights):
            continue
        truth = ", ".join(sorted({ticket.check_in.isoformat() for ticket in tickets}))
        if opening and not _END_BEFORE.search(talk.before(mention.start, 32)):
            # The first message says which stay it is about, not a part of it.
            true = any(begins(mention.days[0], ticket) for ticket in tickets)
        elif (told_so := _is_told_start(talk, mention, tickets, said, start)) is not None:
            true = told_so
        elif start and _whole_stay_elsewhere(talk, mention, tickets, nights):
            true = False
        elif all(day in said and not any(begins(day, ticket) for ticket in talk.card.tickets) for day in mention.days):
            true = True
        elif _lists_nights(talk, mention, nights):
            true = any(all(is_night(day, ticket) for day in mention.days) for ticket in tickets)
        elif len(mention.days) == 2 and mention.is_range and _half_fits(talk, mention, tickets, said, dates, nights):
            true = False
        elif len(mention.days) > 1 and (not mention.is_range or set(tickets) == set(talk.card.tickets)):
            between = talk.before(mention.start, 12).endswith(("between ", "between the "))
            ends = _END_BEFORE.search(talk.before(mention.start, 32)) is not None  # "to the 5th and the 7th"
            fits = _inside if mention.is_range or between or ends else is_night  # "11 and 12 April" are nights
            true = all(any(fits(day, ticket) for ticket in talk.card.tickets) for day in mention.days)
        else:
            true = any(_fits(talk, mention, ticket, start, nights) for ticket in tickets)
        found.append(talk.claim("date", mention, _iso(mention.days[0]), truth, true))
    return found


def _is_part(talk: Talk, mention: DateMention, groups: Sequence[Nights], parts: Sequence[Nights],
             tickets: Sequence[Ticket]) -> bool:  # fmt: skip
    """Return whether a date parts a stay; one told of some tickets alone does not with those told of other rooms."""
    if not any(part.start <= mention.start < part.end for part in parts):
        return False
    own = [group for group in groups if group.start <= mention.start < group.end]
    return not tickets or bool(parts_among(own, talk.earlier, tickets))


def _begun_before(talk: Talk, mention: DateMention, dates: Sequence[DateMention],
                  nights: Sequence[NightsMention]) -> tuple[Ticket, ...]:  # fmt: skip
    """Return the tickets of which the stay ends on a date: "in on the 5th", their first night, "and out on the 9th".

    None are those of which so many nights are told as lie between.
    """
    if not _OUT_BEFORE.search(talk.before(mention.start, 32)) or len(mention.days) > 1:
        return ()
    firsts = [date.days[0] for date in within(dates, mention.start - 40, mention.start) if len(date.days) == 1]
    if any(item.nights == mention.days[0].day - first.day for item in nights for first in firsts):
        return ()
    return tuple(t for t in talk.card.tickets if firsts and begins(firsts[-1], t))


def _end_claims(talk: Talk, mention: DateMention, tickets: Sequence[Ticket], said: AbstractSet[Day],
                last: bool) -> list[Claim]:  # fmt: skip
    """Return the claim that a date is a stay's last night, or the day on which the guests leave."""
    ends = {ticket.check_out - timedelta(days=int(last)) for ticket in tickets}
    shorter = {t.check_in + timedelta(days=n - int(last)) for t in tickets for n in nights_said(talk) if n <= t.nights}
    wrong = last and any(mention.days[-1].day == ticket.check_out.day for ticket in tickets)
    true = any(mention.days[-1].day == end.day for end in ends | shorter) or (not wrong and set(mention.days) <= said)
    begins = not mention.is_range or any(_inside(mention.days[0], ticket) for ticket in tickets)
    true = true and begins
    truth = ", ".join(sorted(end.isoformat() for end in ends))
    return [talk.claim("date", mention, _iso(mention.days[-1]), truth, true)]


def _days_said(talk: Talk) -> AbstractSet[Day]:
    """Return the days that were said before, with their months and without."""
    days = {day for mention in talk.earlier_dates for day in mention.days}
    return days | {Day(None, day.day) for day in days}


def _iso(day: Day) -> str:
    return f"---{day.day:02d}" if day.month is None else f"--{day.month:02d}-{day.day:02d}"


def _is_start(talk: Talk, mention: DateMention, rooms: Sequence[RoomMention]) -> bool:
    """Return whether a date is said to be a first night: "from", a room "on" it, or nights counted from it."""
    before = talk.before(mention.start, 32)
    if _END_BEFORE.search(before):
        return False
    if _START_BEFORE.search(before) or _FIRST_BEFORE.search(before) or _START_AFTER.match(talk.low, mention.end):
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
    return names_price(talk, sentence) or _BOOKED_BEFORE.search(talk.before(mention.start, 16)) is not None


def names_price(talk: Talk, sentence: Span) -> bool:
    """Return whether a sentence names a figure that may be a price."""
    return any(number.value >= 100 for number in within(talk.numbers, sentence.start, sentence.end))


@lru_cache(maxsize=512)
def _days(day: Day, ticket: Ticket) -> list[date]:
    """Return the days from a month before check-in to two months after it that a day may be."""
    days = (ticket.check_in + timedelta(days=offset) for offset in range(-31, 62))
    return [found for found in days if found.day == day.day and day.month in (None, found.month)]


def _inside(day: Day, ticket: Ticket) -> bool:
    return any(ticket.check_in <= found <= ticket.check_out for found in _days(day, ticket))


def begins(day: Day, ticket: Ticket) -> bool:
    """Return whether a day is a ticket's first night."""
    return day.day == ticket.check_in.day and day.month in (None, ticket.check_in.month)


FROM_DATE: Final = re.compile(rf",? from (?:{WEEKDAY},? ?)?(?:the )?")
"""Between nights that are a number alone and their first date."""


def _fits(talk: Talk, mention: DateMention, ticket: Ticket, start: bool, nights: Sequence[NightsMention]) -> bool:
    """Return whether a date may be said of a ticket's stay."""
    first = mention.days[0]
    if not all(_inside(day, ticket) for day in mention.days):
        return False
    if not start and _OUT_BEFORE.search(talk.before(mention.start, 24)):
        days = [found for found in _days(first, ticket) if found <= ticket.check_out]
        counts = {item.nights for item in within(nights, mention.start - 80, mention.end + 80)} | nights_said(talk)
        return any(found == ticket.check_out or (found - ticket.check_in).days in counts for found in days)
    if not start or mention.is_range:
        return True
    near = within(nights, mention.start - 60, mention.end + 40)
    beside = [item.nights for item in near if counted_from(talk, item, mention)]
    beside += [int(number.value) for number in within(talk.numbers, mention.start - 24, mention.start)
               if 1 <= number.value <= 31 and FROM_DATE.fullmatch(talk.low, number.end, mention.start)]  # fmt: skip
    if begins(first, ticket):
        return not beside or min(beside) <= ticket.nights
    inside = [found for found in _days(first, ticket) if ticket.check_in <= found < ticket.check_out]
    if not inside:
        return False
    if beside:
        return min(beside) < ticket.nights and inside[0] + timedelta(days=min(beside)) <= ticket.check_out
    clause = talk.clause(mention.start)
    return (
        PART.search(talk.low[clause.start : clause.end]) is not None
        or re.search(r"\bnights from (?:the )?$", talk.before(mention.start, 20)) is not None
        or first.day == ticket.check_out.day
    )


def is_night(day: Day, ticket: Ticket) -> bool:
    """Return whether a day is a night of a ticket."""
    return any(ticket.check_in <= found < ticket.check_out for found in _days(day, ticket))


def _is_told_start(talk: Talk, mention: DateMention, tickets: Sequence[Ticket], said: AbstractSet[Day],
                   start: bool) -> bool | None:  # fmt: skip
    """Return whether a date is a first night where the words tell it as one; None where they do not.

    "Both from the 5th", "the first night is the 5th"; or a start behind two nights that were named before.
    """
    day, before = mention.days[0], talk.before(mention.start, 40)
    if _ALL_FROM.search(before):
        return all(begins(day, ticket) for ticket in tickets)
    if _FIRST_BEFORE.search(before):
        return day in said or any(begins(day, ticket) for ticket in tickets)
    named = {Day(None, day.day - 1), Day(None, day.day - 2)} <= said
    inside = any(is_night(day, t) and not begins(day, t) for t in talk.card.tickets)
    return True if start and named and inside and not any(begins(day, t) for t in talk.card.tickets) else None


def _lists_nights(talk: Talk, mention: DateMention, nights: Sequence[NightsMention]) -> bool:
    """Return whether dates are listed as the nights of a stay: "two nights, 30 and 31 August"."""
    if mention.is_range or len(mention.days) < 2:
        return False
    near = within(nights, mention.start - 24, mention.end + 16)
    return any(item.nights == len(mention.days) for item in near)


def _half_fits(talk: Talk, mention: DateMention, tickets: Sequence[Ticket], said: AbstractSet[Day],
               dates: Sequence[DateMention], nights: Sequence[NightsMention]) -> bool:  # fmt: skip
    """Return whether a range of one room begins or ends as the stay does, and elsewhere on the other side.

    Nobody has said that other day before, and nothing in the sentence says that a part of the stay is meant.
    """
    sentence = talk.sentence(mention.start)
    if len(tickets) != 1 or PART.search(talk.low[sentence.start : sentence.end]):
        return False
    (ticket,) = tickets
    first, last = mention.days
    counts = {item.nights for item in within(nights, sentence.start, sentence.end)}
    clause = talk.clause(mention.start)
    if len(within(dates, clause.start, clause.end)) > 1 or counts & {last.day - first.day, last.day - first.day + 1}:
        return False
    starts = begins(first, ticket)
    ends = last.day == ticket.check_out.day
    night_before = last.day == (ticket.check_out - timedelta(days=1)).day
    other = last if starts else first
    return starts != ends and not night_before and Day(None, other.day) not in said


def _whole_stay_elsewhere(talk: Talk, mention: DateMention, tickets: Sequence[Ticket],
                          nights: Sequence[NightsMention]) -> bool:  # fmt: skip
    """Return whether all nights of one of some tickets are counted from a day on which no such stay begins."""
    near = within(nights, mention.start - 60, mention.end + 40)
    counts = {item.nights for item in near if counted_from(talk, item, mention)}
    alike = [ticket for ticket in tickets if ticket.nights in counts]
    return len(counts) == 1 and bool(alike) and not any(begins(mention.days[0], ticket) for ticket in alike)


def counted_from(talk: Talk, nights: NightsMention, date: DateMention) -> bool:
    """Return whether nights are counted from a date: "five nights from the 3rd", "the 3rd, five nights"."""
    if nights.end <= date.start:
        return _NIGHTS_FROM.fullmatch(talk.low[nights.end : date.start]) is not None
    return _FROM_NIGHTS.fullmatch(talk.low[date.end : max(date.end, nights.start)]) is not None


def weekday_claims(talk: Talk, dates: Sequence[DateMention]) -> list[Claim]:
    """Return the claims that a day of the week is a night of a stay, or its end: "249 on the Monday"."""
    claims: list[Claim] = []
    for match in _PRICED_DAY.finditer(talk.low):
        begun = [t for d in within(dates, talk.sentence(match.start()).start, match.start())
                 for t in talk.card.tickets if len(d.days) == 1 and begins(d.days[0], t)]  # fmt: skip
        tickets = talk.card.tickets if match[1] else begun
        if not tickets or max(ticket.nights for ticket in tickets) >= SHORT:
            continue
        said = match[1] or match[2]
        days = {(t.check_in + timedelta(days=n)).weekday() for t in tickets
                for n in (range(t.nights) if match[1] else (t.nights - 1, t.nights))}  # fmt: skip
        if said not in talk.earlier_low:
            true = _WEEKDAY_NAMES.index(said[:3]) in days
            claims.append(talk.claim("weekday", match, said, None, true))
    return claims


SHORT: Final = 6
"""Nights of a stay from which on any day of the week may be one of it."""
_WEEKDAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_DAY: Final = r"((?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
_PRICED_DAY: Final = re.compile(
    rf"[0-9]{{3}} on the {_FULL_DAY}|\b(?:out|back|gone|leav(?:es|ing)|home)\b[^.;?!0-9]{{0,20}}\bthat {_FULL_DAY}"
)


def _weekday_claims(talk: Talk, mention: DateMention) -> list[Claim]:
    """Return the claims that dates fall on weekdays, for dates in or near a stay."""
    claims: list[Claim] = []
    sentence = talk.sentence(mention.start)
    other = _OTHER_DAY.search(talk.low, sentence.start, sentence.end) is not None
    for said, weekday in (*weekdays_of(talk.low, mention), *weekday_row(talk.low, mention)):
        days = sorted({found for ticket in talk.card.tickets for found in _days(said, ticket)})
        if days and not (other and not any(_inside(said, ticket) for ticket in talk.card.tickets)):
            truth = ", ".join(found.strftime("%A") for found in days)
            told = any(item.weekday == weekday and item.days[0].day == said.day for item in talk.earlier_dates)
            true = told or any(found.weekday() == weekday for found in days)
            claims.append(talk.claim("weekday", mention, _iso(said), truth, true))
    return claims


def month_claims(talk: Talk, dates: Sequence[DateMention], rooms: Sequence[RoomMention]) -> list[Claim]:
    """Return a claim for each month without a day in which rooms are said to be asked for.

    That is a month in the first message, in a sentence about rooms or rates, or later one right behind a room.
    """
    months = {(t.check_in + timedelta(days=n)).month for t in talk.card.tickets for n in range(t.nights + 1)}
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
            claims.append(talk.claim("date", mention, f"--{mention.month:02d}", truth, true))
    return claims


def nights_said(talk: Talk) -> AbstractSet[int]:
    """Return the numbers of nights that were said before, and what other nights leave of a stay."""
    return _nights_of(talk.earlier_low, tuple(ticket.nights for ticket in talk.card.tickets))


@lru_cache(maxsize=64)
def _nights_of(low: str, lengths: tuple[int, ...]) -> AbstractSet[int]:
    numbers = find_numbers(low, True, True, True)
    said = {item.nights for item in find_nights(low, numbers) if item.nights > 1}
    said |= {length - count for length in lengths for count in said}
    return said | {int(item.value) for item in numbers if _COUNT.match(low, item.end)}


_COUNT: Final = re.compile(r"(?=[.,;!?]| (?:and|then|of them|in a row|in one|free|empty|left)\b)")
