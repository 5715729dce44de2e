"""Claims about first and last days: a range that its nights do not fill, or that is another room's stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import DateMention, NightsMention
from negotiation_env.language.claims.houses import RoomMention, tickets_meant
from negotiation_env.language.claims.talk import Claim, Talk, within

_BESIDE: Final = 32
"""Characters within which a number of nights belongs to a range."""
_PARTLY: Final = re.compile(
    r"\b(?:only|just|without|except|minus|less|but|not|first|last|weekends?|weekdays?|midweek|closed?|out|skip|leave"
    r"|keep|half|between|stays? of|minimum|at least|or|any|each|outside|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
    r"|只|不|除|另|周|礼拜|星期|平日|挑"
)
_OF_THESE: Final = re.compile(r"\bof (?:its|the|these|those|your|all)(?: the)? $")
_LISTED: Final = 30
"""Characters within which another date makes a range one of several."""
_LINK: Final = re.compile(r"[,:(，、共一 ]*(?:for|all|of|the|is|are|a stay of|one stay of|in all|so|that's)?[ ,]*")


def range_claims(talk: Talk, dates: Sequence[DateMention], nights: Sequence[NightsMention],
                 rooms: Sequence[RoomMention]) -> list[Claim]:  # fmt: skip
    """Return the ranges of days beside a number of nights that they do not hold: "9 to 15 May, nine nights".

    Fewer nights are false in a first message alone; later on some may be left out. A range that is the whole stay of
    one room is false of another one. None are those in a sentence which says that a part of the days is meant.
    """
    found: list[Claim] = []
    for mention in dates:
        length = _length(mention, talk.card.tickets)
        if length is None:
            continue
        if len(within(dates, mention.start - _LISTED, mention.end + _LISTED)) > 1:
            continue
        near = [
            item
            for item in within(nights, mention.start - _BESIDE, mention.end + _BESIDE)
            if _joined(talk, mention, item) and not _OF_THESE.search(talk.before(item.start, 14))
        ]
        sentence = talk.sentence(mention.start)
        if _PARTLY.search(talk.low, sentence.start, sentence.end):
            continue
        for item in near[:1]:
            if item.nights > length + 1 or (1 < item.nights < length and not talk.earlier):
                found.append(talk.claim("date", mention.start, mention.end, float(item.nights), float(length), False))
        if not near and _of_other(talk, mention, rooms):
            found.append(talk.claim("date", mention.start, mention.end, float(length), None, False))
    return found


def _joined(talk: Talk, mention: DateMention, item: NightsMention) -> bool:
    """Return whether a range and a number of nights stand side by side."""
    between = talk.low[mention.end : item.start] if item.start >= mention.end else talk.low[item.end : mention.start]
    return _LINK.fullmatch(between) is not None


def _length(mention: DateMention, tickets: Sequence[Ticket]) -> int | None:
    """Return the nights from the first to the last day of a range; None if it is none."""
    if not mention.is_range or len(mention.days) != 2:
        return None
    first, last = mention.days
    for ticket in tickets:
        month = ticket.check_in.month if first.month is None else first.month
        for year in (ticket.check_in.year, ticket.check_out.year):
            try:
                start = date(year, month, first.day)
            except ValueError:
                continue
            days = [offset for offset in range(1, 46) if (start + timedelta(days=offset)).day == last.day]
            if days:
                return days[0]
    return None


def _of_other(talk: Talk, mention: DateMention, rooms: Sequence[RoomMention]) -> bool:
    """Return whether a range is the whole stay of a room, and said of another one."""
    meant = tickets_meant(talk, rooms, mention.start, mention.end)
    if len(meant) != 1 or len(talk.card.tickets) < 2:
        return False
    edges = tuple(day.day for day in mention.days)
    stays = [ticket for ticket in talk.card.tickets if edges in _edges(ticket)]
    return bool(stays) and meant[0] not in stays


def _edges(ticket: Ticket) -> tuple[tuple[int, int], tuple[int, int]]:
    last = ticket.check_out - timedelta(days=1)
    return (ticket.check_in.day, ticket.check_out.day), (ticket.check_in.day, last.day)
