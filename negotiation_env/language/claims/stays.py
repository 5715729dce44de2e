"""Claims about the stay: check-in, ranges, weekdays and nights, each held against the tickets that it may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import DateMention, Day, NightsMention
from negotiation_env.language.claims.rooms import RoomMention
from negotiation_env.language.claims.talk import Claim, Talk

_START_BEFORE: Final = re.compile(
    r"\b(?:from|starting|starts?|begins?|beginning|as of|check(?:ing)?[ -]?in(?: is| on| date)?|arriv\w+(?: on)?|nights?)"
    r"[ ,:]*(?:on )?(?:(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?,? )?(?:the )?$|从$"
)
_START_AFTER: Final = re.compile(r" ?(?:起|进|入住|开始)|,? (?:onwards?|on,)|,? ?(?:for )?(?:the )?(?:[a-z]+|[0-9]+) nights?\b")
# The date is somebody's day for doing something, or an edge that nights are counted up to.
_OTHER_DAY: Final = re.compile(
    r"\b(?:by|before|until|till|since|after|latest|ago|paid|pays?|payout|ring|call|phone|visit\w*|meet\w*|send|report|mail|write|"
    r"come|back|deadline|birthday|opens?|reopen\w*|closed?|shut|except|without|outside|not|never|today|tomorrow|last year|yesterday|"
    r"expires?|valid|invoice|contract|decide|answer|review|check again|wedding|exam\w*|opened|deliver\w*|photograph\w*|"
    r"were|was|had|hadn't|wasn't|holiday|festival|fair|new year)\b|再|之前|前$|联系|打给|回您|结算|发您|除了|不含"
)
_PART: Final = re.compile(
    r"\b(?:only|just|last|leave|except|without|outside|first|keep|kept|closed?|after|weekends?|weekdays?|midweek|other|"
    r"rest|remaining|of (?:those|these|them|the)|part|some|stays?|shorter|instead|half|quiet|empty|before|between|or|"
    r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|alone|either|split|minus|less|free)\b|只|其中|剩|另外|平日|周"
)
_LEAST: Final = re.compile(r"\b(?:minimum|min|at least|or more|or longer|least|every|each|per|more than|under|limit|up to|over|a|any|"
                           r"who|guests?|stays?|people|long)\b|以上|连住|起住|至少|最少")  # fmt: skip


def tickets_meant(talk: Talk, rooms: Sequence[RoomMention], start: int, end: int) -> tuple[Ticket, ...]:
    """Return the tickets that words at ``low[start:end]`` speak of.

    Those are the rooms named last before them in the sentence (all of "suite and double"), else the ones named next if
    the sentence names no others, else all tickets.
    """
    tickets = talk.card.tickets
    sentence = talk.sentence(start)
    inside = [room for room in rooms if sentence.start <= room.start < sentence.end]
    before = [room for room in inside if room.end <= start]
    if before:
        group = [before[-1]]
        for room in reversed(before[:-1]):
            if not re.fullmatch(r"[ ,]*(?:and|&|\+|/|,|和|、)? ?(?:the |your )?", talk.low[room.end : group[-1].start]):
                break
            group.append(room)
    elif len({room.tickets for room in inside}) == 1:
        group = inside[:1]
    else:
        return tickets
    meant = tuple(tickets[place] for room in group for place in room.tickets)
    return meant or tickets


def date_claims(talk: Talk, dates: Sequence[DateMention], rooms: Sequence[RoomMention],
                nights: Sequence[NightsMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each date that is said to be one of a stay."""
    found: list[Claim] = []
    for mention in dates:
        tickets = tickets_meant(talk, rooms, mention.start, mention.end)
        if mention.weekday is not None:
            found += _weekday_claims(talk, mention)
        start = _is_start(talk, mention)
        if not start and not mention.is_range and not _of_stay(talk, mention, rooms, nights):
            continue
        truth = ", ".join(sorted({ticket.check_in.isoformat() for ticket in tickets}))
        true = any(_fits(talk, mention, ticket, start, nights) for ticket in tickets)
        found.append(talk.claim("date", mention.start, mention.end, _iso(mention.days[0]), truth, true))
    return found


def _iso(day: Day) -> str:
    return f"--{day.day:02d}" if day.month is None else f"{day.month:02d}-{day.day:02d}"


def _is_start(talk: Talk, mention: DateMention) -> bool:
    """Return whether a date is said to be a first night."""
    return (
        _START_BEFORE.search(talk.before(mention.start, 32)) is not None
        or _START_AFTER.match(talk.low[mention.end : mention.end + 24]) is not None
    )


def _of_stay(
    talk: Talk, mention: DateMention, rooms: Sequence[RoomMention], nights: Sequence[NightsMention]
) -> bool:
    """Return whether a date without "from" or a range belongs to the stay: a room or nights stand by it in its sentence."""
    sentence, clause = talk.sentence(mention.start), talk.clause(mention.start)
    if _OTHER_DAY.search(talk.low[clause.start : max(clause.end, mention.end)]):
        return False
    return any(sentence.start <= item.start < sentence.end for item in (*rooms, *nights))


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
    if not all(_inside(day, ticket) for day in mention.days):
        return False
    if not start or mention.is_range or _begins(mention.days[0], ticket):
        return True
    beside = [item.nights for item in nights if -40 < item.start - mention.end < 30 and
              talk.sentence(item.start) == talk.sentence(mention.start)]  # fmt: skip
    if beside:
        return beside[0] != ticket.nights and any(
            found >= ticket.check_in and found + timedelta(days=beside[0]) <= ticket.check_out
            for found in _days(mention.days[0], ticket)
        )
    sentence = talk.sentence(mention.start)
    return _PART.search(talk.low[sentence.start : sentence.end]) is not None or _said_before(talk, mention.days[0])


def _said_before(talk: Talk, day: Day) -> bool:
    return re.search(rf"(?<![0-9]){day.day}(?:st|nd|rd|th|号|日)?(?![0-9])", talk.earlier_low) is not None


def _weekday_claims(talk: Talk, mention: DateMention) -> list[Claim]:
    """Return the claim that a date falls on a weekday, for dates in or near a stay."""
    days = {found for ticket in talk.card.tickets for found in _days(mention.days[0], ticket)}
    if not days:
        return []
    truth = ", ".join(sorted(found.strftime("%A") for found in days))
    true = any(found.weekday() == mention.weekday for found in days)
    return [talk.claim("weekday", mention.start, mention.end, _iso(mention.days[0]), truth, true)]


def nights_claims(talk: Talk, nights: Sequence[NightsMention], rooms: Sequence[RoomMention]) -> list[Claim]:
    """Return a claim for each length of a stay that is said of a ticket; "four nights or more" is none."""
    found: list[Claim] = []
    for mention in nights:
        around = talk.before(mention.start, 16) + "|" + talk.after(mention.end, 14)
        if mention.nights < 2 or _LEAST.search(around):
            continue
        tickets = tickets_meant(talk, rooms, mention.start, mention.end)
        lengths = sorted({ticket.nights for ticket in tickets})
        total = sum(ticket.nights for ticket in talk.card.tickets)
        sentence = talk.sentence(mention.start)
        fits = mention.nights in (*lengths, total)
        part = mention.nights < max(lengths) and (
            _PART.search(talk.low[sentence.start : sentence.end]) is not None or talk.was_said(mention.nights)
        )
        if fits or not part:
            truth = ", ".join(map(str, lengths))
            found.append(talk.claim("nights", mention.start, mention.end, float(mention.nights), truth, fits))
    return found
