"""Claims about how many nights a stay has, held against the tickets that they may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import WEEKDAY, DateMention, NightsMention
from negotiation_env.language.claims.houses import DATE_ASIDE, RoomMention
from negotiation_env.language.claims.stays import FROM_DATE, PART, begins, counted_from, names_price, nights_said
from negotiation_env.language.claims.talk import PATTERNS, Claim, Span, Talk, within
from negotiation_env.language.claims.told import parts_told

_TO_NIGHTS: Final = re.compile(r"(?:'s|[,，]| for| at)*(?: the)?(?: ?[0-9]{3,4})?[,，]?(?: for)? ?")
_ONE_NIGHT: Final = re.compile(r"[,.;)]|$")
_NO_MORE: Final = re.compile(r",? (?:and )?(?:no more|not one more|no longer)\b")
_AND_NIGHTS: Final = re.compile(r"/[0-9]| and (?:[a-z]+|[0-9]+)(?:[,.;:?!)]|$)")
_AT_ONCE: Final = re.compile(r" in (?:one go|a row)\b| at a stretch\b| on end\b| running\b")
_LEAST: Final = PATTERNS["least_nights"]
_EACH: Final = re.compile(r" each\b")


def nights_claims(talk: Talk, nights: Sequence[NightsMention], rooms: Sequence[RoomMention],
                  dates: Sequence[DateMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each length of a stay that is said of a ticket; "four nights or more" is none.

    Fewer nights than a ticket has are a part of it and no false claim, unless they are said of a room by its name.
    """
    found: list[Claim] = []
    lengths = sorted({ticket.nights for ticket in talk.card.tickets})
    total = sum(ticket.nights for ticket in talk.card.tickets)
    whole, told = _whole_stays(talk, nights, dates)
    found += whole
    gapped = _gapped_nights(talk, nights, rooms)
    for mention in (*nights, *gapped):
        if mention.start in told:
            continue
        # A word that the window cuts is no word.
        after = re.sub(r"[a-z]+$", "", talk.after(mention.end, 18))
        around = re.sub(r"^[a-z]+", "", talk.before(mention.start, 18)) + "|" + after
        single = mention.nights == 1 and _ONE_NIGHT.match(talk.low, mention.end) and _just_before(dates, mention)
        if single and "1 night" not in talk.earlier_low and "one night" not in talk.earlier_low:
            true = 1 in lengths
            found.append(talk.claim("nights", mention, 1.0, ", ".join(map(str, lengths)), true))
        exact = _NO_MORE.match(after) is not None  # "three nights and no more"
        loose = _LEAST.search(around) or talk.before(mention.start, 3).endswith((" a ", "这", "那"))
        loose = loose or talk.low.startswith("起", mention.end)
        if mention.nights < 2 or (loose and not exact) or mention.nights > 45:
            continue
        sentence = talk.sentence(mention.start)
        meant = _named_beside(talk, mention, rooms, dates) or _priced_beside(talk, mention)
        if _AND_NIGHTS.match(talk.low, mention.end):  # "suite and double, eight nights and ten" are in order
            meant = None
        true = mention.nights in ((*lengths, total) if meant is None else {ticket.nights for ticket in meant})
        if len(lengths) > 1 and meant is None and _EACH.match(talk.low, mention.end):
            true = False
        if not true:
            swapped = meant is not None and mention.nights in lengths
            longest = max(ticket.nights for ticket in meant or talk.card.tickets)
            about = bool(
                within(rooms, sentence.start, sentence.end) or within(dates, sentence.start, sentence.end)
            ) or names_price(talk, sentence)
            span = sentence if meant is None else talk.clause(mention.start)
            span = Span(mention.start, mention.end) if mention in gapped else span
            heard = mention.nights in nights_said(talk) if meant is not None else talk.was_said(mention.nights)
            part = PART.search(talk.low, span.start, span.end) or heard
            at_once = mention.nights > longest and _AT_ONCE.match(talk.low, mention.end)
            if not (about or at_once) or mention.nights == total:
                continue
            partly = mention.nights < longest and talk.earlier and not swapped
            asked = talk.low[sentence.end : sentence.end + 1] in ("?", "？")
            part = part or ((asked or meant is None) and _is_a_part(talk, sentence, dates))
            messages = (*talk.earlier, talk.text) if talk.earlier else ()
            parts, left = parts_told(messages, meant or talk.card.tickets)
            if mention.nights in left or (partly and not exact and (part or mention.nights in parts)):
                continue
        found.append(talk.claim("nights", mention, float(mention.nights), ", ".join(map(str, lengths)), true))
    return found


def _gapped_nights(talk: Talk, nights: Sequence[NightsMention], rooms: Sequence[RoomMention]) -> list[NightsMention]:
    """Return the nights that are a number alone behind a room, after others: "king ten nights, the twin eight"."""
    found: list[NightsMention] = []
    for room in rooms:
        number = next(iter(within(talk.numbers, room.end + 1, room.end + 2)), None)
        before = within(nights, talk.sentence(room.start).start, room.start)
        if number and before and 2 <= number.value <= 31 and _BARE_END.match(talk.low, number.end):
            found.append(NightsMention(number.start, number.end, int(number.value)))
    return found


def _whole_stays(
    talk: Talk, nights: Sequence[NightsMention], dates: Sequence[DateMention]
) -> tuple[list[Claim], set[int]]:
    """Return the claims of nights that are counted from a check-in, and where they begin.

    "Ten nights from 28 March", and where a message has told nights before "the double from the 31st, eight". Nobody
    has said that number of nights before, and nothing in the sentence says that a part of the stay is meant.
    """
    found: list[Claim] = []
    heard: AbstractSet[int] | None = None
    for mention in (*nights, *_bare_nights(talk, nights, dates)):
        near = within(dates, mention.start - 60, mention.end + 40)
        begun = [date for date in near if len(date.days) == 1 and counted_from(talk, mention, date)]
        lengths = {t.nights for date in begun for t in talk.card.tickets if begins(date.days[0], t)}
        if not lengths:
            continue
        true = mention.nights in lengths
        if not true and talk.earlier and sum(item.nights for item in nights) in lengths:
            continue  # "five nights from the 15th, two from the 23rd, and the fair's three"
        if not true:
            sentence = talk.sentence(mention.start)
            heard = nights_said(talk) if heard is None else heard
            first, last = talk.clause(mention.start).start, talk.clause(mention.end).end
            others = {ticket.nights for ticket in talk.card.tickets}  # five nights that are the other room's
            others = set() if _DAYS_OUT.search(talk.low) else others
            told = mention.nights in heard and mention.nights not in others
            told = told or _LESS.search(talk.low, first, last) is not None
            if told or any(len(date.days) > 1 for date in within(dates, sentence.start, sentence.end)):
                continue
        truth = ", ".join(map(str, sorted(lengths)))
        found.append(talk.claim("nights", mention, float(mention.nights), truth, true))
    return found, {claim.start for claim in found}


_DAYS_OUT: Final = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days\b|\bout\b|weekend")
"""What tells that some nights of a stay are left out."""
_LESS: Final = PATTERNS["fewer_nights"]


def _bare_nights(talk: Talk, nights: Sequence[NightsMention], dates: Sequence[DateMention]) -> list[NightsMention]:
    """Return the nights that are said as a number alone beside a date, after others: "eight from the 31st"."""
    found: list[NightsMention] = []
    if not nights:
        return found
    dated = {place for date in dates for place in range(date.start, date.end)}
    for number in talk.numbers:
        if not 2 <= number.value <= 31 or number.value != int(number.value) or number.start in dated:
            continue
        if number.start < nights[0].start or any(item.start <= number.start < item.end for item in nights):
            continue
        ahead = any(
            FROM_DATE.fullmatch(talk.low, number.end, date.start) for date in within(dates, number.end, number.end + 30)
        )
        behind = any(
            talk.low[date.end : number.start] in (", ", " (", " for ")
            for date in within(dates, number.start - 40, number.start)
        )
        if ahead or (behind and _BARE_END.match(talk.low, number.end)):
            found.append(NightsMention(number.start, number.end, int(number.value)))
    return found


_BARE_END: Final = re.compile(r"[.;,)!?:]|$| and\b| from\b")


def _is_a_part(talk: Talk, sentence: Span, dates: Sequence[DateMention]) -> bool:
    """Return whether the talk has told of a part of a stay, or the sentence tells which nights are meant."""
    tickets = talk.card.tickets
    named = within(dates, sentence.start, sentence.end)
    if any(len(date.days) > 1 for date in named) or len(named) > len(tickets):
        return True
    if _PART_TOLD.search(talk.earlier_low):
        return True
    lengths = {ticket.nights for ticket in tickets} | {sum(ticket.nights for ticket in tickets)}
    if any(item.nights not in lengths for item in talk.earlier_nights):
        return True
    edges = {day for ticket in tickets for day in (ticket.check_in.day, ticket.check_out.day)}
    return any(day.day not in edges for mention in talk.earlier_dates for day in mention.days)


_PART_TOLD: Final = re.compile(
    rf"\b(?:{WEEKDAY}s?|weekends?|weekdays?|midweek|closed?|shut|blocked)\b|周|平日|关房|国庆|中秋|春节"
)
"""What tells that not all nights of a stay are spoken of."""


def _just_before(dates: Sequence[DateMention], mention: NightsMention) -> bool:
    """Return whether a date stands right before a number of nights."""
    return any(0 <= mention.start - date.end <= 2 for date in dates)


def _priced_beside(talk: Talk, mention: NightsMention) -> tuple[Ticket, ...] | None:
    """Return the ticket for which the figure right before some nights stands: "625 for seven nights"."""
    before = within(talk.numbers, mention.start - 24, mention.start)
    if talk.game is None or not before or not _FOR_NIGHTS.fullmatch(talk.low, before[-1].end, mention.start):
        return None
    value, game = before[-1].value, talk.game
    fitting = [
        ticket
        for k, ticket in enumerate(talk.card.tickets)
        if any(abs(value - price) < 1.0 for price in (game.quote[k], game.agreed[k]) if price > 0.0)
    ]
    return tuple(fitting) if len(fitting) == 1 and len(talk.card.tickets) > 1 else None


_FOR_NIGHTS: Final = re.compile(r"(?: yuan)?(?: net| selling)?,? for (?:the |all )?")


def _named_beside(talk: Talk, mention: NightsMention, rooms: Sequence[RoomMention],
                  dates: Sequence[DateMention]) -> tuple[Ticket, ...] | None:  # fmt: skip
    """Return the tickets of a room that stands right beside a number of nights; None if none does."""
    named = within(rooms, mention.start - 80, mention.start)
    if named and not talk.earlier and named[-1].tickets:
        # "the Twin from Monday the 2nd, three nights": only a date lies between
        between = talk.low[named[-1].end : mention.start]
        for date in reversed(within(dates, named[-1].end, mention.start)):
            between = between[: date.start - named[-1].end] + between[date.end - named[-1].end :]
        if len(within(dates, named[-1].end, mention.start)) == 1 and DATE_ASIDE.fullmatch(between):
            return tuple(talk.card.tickets[place] for place in named[-1].tickets)
    for room in within(rooms, mention.start - 60, mention.end + 24):
        after = 0 <= room.start - mention.end <= 20 and re.fullmatch(
            r" (?:of|in|on|for) (?:the |your |a )?", talk.low[mention.end : room.start]
        )
        before = 0 <= mention.start - room.end <= 16 and _TO_NIGHTS.fullmatch(talk.low[room.end : mention.start])
        if (after or before or mention.start <= room.start < mention.end) and room.tickets:
            return tuple(talk.card.tickets[place] for place in room.tickets)
    return None
