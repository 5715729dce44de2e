"""Are the rooms, houses, cities and events in a reply those of the card, or of the talk?

A name counts as known once either side has said it. Rooms are known by the words that hoteliers use for them ("twin",
"the exec"); houses by the world's names, and by capitals before a word such as "Hotel".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

from benchmarks.raters.rating import Finding, Skill
from benchmarks.raters.said_numbers import numerals, said_days
from benchmarks.raters.situation import RatedSituation
from benchmarks.raters.truth_dates import NIGHTS, SURE, TO, sentences
from negotiation_env.game import world
from negotiation_env.game.scenario import TaskCard

_ROOMS: Final = {
    "king": r"(?:deluxe )?kings?",
    "twin": r"(?:superior )?twins?",
    "suite": r"(?:family )?suites?",
    "double": r"(?:standard )?doubles?",
    "queen": r"(?:garden(?:[ -]view)? )?queens?|gvq",
    "executive": r"execs?|executives?(?: rooms?)?",
    "studio": r"studios?",
    "single": r"single rooms?",
    "loft": r"lofts?",
    "penthouse": r"penthouses?",
    "villa": r"villas?",
    "triple": r"triples?|triple rooms?",
    "bungalow": r"bungalows?",
}  # fmt: skip
_HAN_ROOMS: Final = {
    "king": "豪华大床|大床王",
    "twin": "(?:高级)?双床",
    "suite": "家庭套房?|套房|家庭房",
    "double": "标准大床|标大|标准双人",
    "queen": "园景大?床?|花园景大?床?|花园房",
    "executive": "行政",
}
ROOM: Final = re.compile(
    "|".join(
        rf"(?P<{name}>\b(?:{words})\b" + (f"|{_HAN_ROOMS[name]})" if name in _HAN_ROOMS else ")")
        for name, words in _ROOMS.items()
    )
)
_HAN_RIVALS: Final = {
    "天鹅居": "swan house",
    "兰苑": "orchid court",
    "蓝门": "blue gate hotel",
    "梅花": "plum blossom inn",
    "城市之星": "city star hotel",
    "星城": "city star hotel",
}
_NO_ROOM: Final = re.compile(
    r"^(?:[ -](?:the (?:amount|price|rate|number|usual)|check|checked|booked|booking|glaz\w+|as|beds?|meaning|edged|"
    r"size|sized|life|that|it|your (?:money|bookings)|digit|figures?|decision|summary|board|chef|lounge|club|floor)\b"
    r"|-(?:check|glaz|book))"
)
_AS_VERB: Final = re.compile(r"(?:\bto|\bwill|\bnot|\bcan|\bwould|n't|\bi|\bwe|\byou|\bthe view|\bon the|\ba) $")
_FULL_ROOM: Final = re.compile(
    r"\b(?:deluxe|superior|family|standard|garden(?: view)?|executive) (?:king|twin|suite|double|queen|room)\b"
)
_ROOM_TYPES: Final = frozenset([*(name.lower() for name in world.ROOM_TYPES), "garden queen"])
_HOUSE_WORD: Final = r"(?:Hotel|Inn|Resort|Guesthouse|House|Court|Lodge|Willow|Gate|Palace|Blossom|Plaza|Hostel)"
_HOUSE: Final = re.compile(rf"\b((?:[A-Z][a-z]+ ){{1,2}}{_HOUSE_WORD})\b")
_NAMES: Final = tuple(name.lower() for name in (*world.NAME_STARTS, *world.COMPETITORS))
_STEMS: Final = {
    re.sub(r" (?:inn|hotel|court|house)$", "", name) if name.count(" ") > 1 else name: name for name in _NAMES
}


def named_rooms(card: TaskCard, plain: str) -> list[tuple[int, int]]:
    """Return where rooms of a card are named in a text: the ticket's place, and the position; in order."""
    kinds = [room_kind(ticket.room) for ticket in card.tickets]
    return [(kinds.index(m.lastgroup), m.start()) for m in ROOM.finditer(plain) if m.lastgroup in kinds]


@lru_cache(maxsize=1024)
def room_kind(room: str) -> str:
    """Return the word that a room is known by: "king", "twin", ...; "" for one of no usual kind."""
    match = ROOM.search(room.lower())
    return match.lastgroup or "" if match else ""


def wrong_names(now: RatedSituation, plain: str, text: str) -> Iterator[Finding]:
    """Yield rooms, houses and events in a reply that are not those of the talk."""
    card = now.card
    kinds = {room_kind(ticket.room) for ticket in card.tickets}
    talk = "\n".join(now.told)
    if "" not in kinds:
        for match in ROOM.finditer(plain):
            kind = match.lastgroup or ""
            if kind in kinds or _NO_ROOM.match(plain[match.end() :]) or _AS_VERB.search(plain[: match.start()]):
                continue
            if kind == "double" and not re.search(r"\b(?:the|your|a|that|standard|and|for) $", plain[: match.start()]):
                continue
            if not any(m.lastgroup == kind for m in ROOM.finditer(talk)):
                yield Finding(
                    "wrong_room", SURE, f"speaks of the {match[0]}, which is on no ticket", Skill.WORKFLOW, match.span()
                )
    for match in _FULL_ROOM.finditer(plain):
        if (
            match[0] not in _ROOM_TYPES
            and match[0] not in talk
            and not any(t.room.lower() == match[0] for t in card.tickets)
        ):
            yield Finding(
                "wrong_room", SURE, f"speaks of a {match[0]}, which is no room here", Skill.WORKFLOW, match.span()
            )
    yield from _wrong_houses(now, plain, text, talk)
    yield from _misnamed(now, plain, text, talk)
    yield from _wrong_pairs(now, plain)
    yield from _forgotten(now, plain)


def _forgotten(now: RatedSituation, plain: str) -> Iterator[Finding]:
    """Rooms that the first message leaves out where it names the others, or counts too few."""
    count = len(now.card.tickets)
    if now.number > 1 or count < 2:
        return
    named = {k for k, _ in named_rooms(now.card, plain)}
    told = [int(n.value) for n in numerals(plain) if _ROOMS_COUNTED.match(plain[n.span[1] :])]
    if 0 < len(named) < count or (told and told[0] < count and not named):
        yield Finding("settles_one_room", FORGOTTEN, "names some rooms and leaves others out", Skill.SCOPE)


_ROOMS_COUNTED: Final = re.compile(r"^ (?:of your |\w+ )?(?:rooms|stays|room types)\b")
FORGOTTEN: Final = -0.9
"""Points of a first message that leaves a room out."""


def _wrong_houses(now: RatedSituation, plain: str, text: str, talk: str) -> Iterator[Finding]:
    """Houses that are neither the hotel nor its competitor."""
    own, rival = now.card.hotel.name.lower(), now.card.facts.competitor_name.lower()
    for stem, name in _STEMS.items():
        if own.startswith(name) or rival == name or stem in talk or (stem in rival or stem in own):
            continue
        match = re.search(rf"\b{re.escape(stem)}\b", plain)
        if match is None or (not text[match.start()].isupper() and " " not in stem):
            continue
        if stem in ("old town", "lotus", "moonlight") and not text[match.start()].isupper():
            continue
        yield Finding(
            "wrong_house", SURE, f"speaks of {name.title()}, which is neither house", Skill.WORKFLOW, match.span()
        )
    names = {w for name in (own, rival) for w in name.split()} - _KINDS
    for han, name in _HAN_RIVALS.items():
        if han in plain and name != rival and han not in talk:
            at = plain.index(han)
            yield Finding("wrong_house", SURE, f"speaks of {name}", Skill.WORKFLOW, (at, at + len(han)))
    for match in _HOUSE.finditer(text):
        words = [w for w in match[1].lower().split() if w not in _KINDS and w not in _BEFORE_NAME]
        if words and not set(words) <= names and words[0] not in talk and not any(w in talk for w in words):
            yield Finding(
                "wrong_house", SURE, f"speaks of {match[1]}, which is neither house", Skill.WORKFLOW, match.span()
            )


def _misnamed(now: RatedSituation, plain: str, text: str, talk: str) -> Iterator[Finding]:
    """The hotel or its competitor by a name that is nearly theirs, or the one by the other's."""
    own, rival = now.card.hotel.name.lower(), now.card.facts.competitor_name.lower()
    for name in (own, rival):
        first, *rest = name.split()
        for match in re.finditer(rf"\b{re.escape(first)} ([a-z]+)\b", plain):
            if not rest or match[1] in rest or match[0] in talk or match[1] in _AFTER_NAME or match[0] in own + rival:
                continue
            if text[match.start(1)].isupper() and text[match.start()].isupper():
                yield Finding("wrong_house", SURE, f"says {match[0]}, the name is {name}", Skill.WORKFLOW, match.span())
    for match in re.finditer(
        rf"\b{re.escape(_stem(own))} (?:(?:airport|boutique|family) )?({'|'.join(_KINDS)})\b", plain
    ):
        if match[1] not in own and match[0] not in talk:
            yield Finding("wrong_house", SURE, f"says {match[0]}, the name is {own}", Skill.WORKFLOW, match.span())
    swapped = re.search(
        rf"\b(?:for|of|at) (?:the )?{re.escape(_stem(rival))}(?: \w+)?'s (?:\w+ )?({ROOM_WORDS})\b", plain
    )
    if swapped and not re.search(r"^[^.?!]{0,12}\d{3}", plain[swapped.end() :]):
        yield Finding("wrong_house", SURE, "gives the hotel its competitor's name", Skill.WORKFLOW, swapped.span())


def _stem(name: str) -> str:
    """Return a house's name without what kind of house it is."""
    words = [w for w in name.split() if w not in _KINDS - {"court", "house", "gate"}]
    return " ".join(words[:2])


def _wrong_pairs(now: RatedSituation, plain: str) -> Iterator[Finding]:
    """Yield what a sentence gives one room and belongs to another: a price, a number of nights, a first day."""
    rooms = named_rooms(now.card, plain)
    if len(now.card.tickets) < 2 or not rooms:
        return
    own = [_belongings(now, k) for k in range(len(now.card.tickets))]
    found = said_days(plain)
    lasts = {b.span for a, b in pairwise(found) if TO.fullmatch(plain[a.span[1] : b.span[0]])}
    days = {d.span: d.day for d in found}
    for start, end in sentences(plain):
        places = [(position, k) for k, position in rooms if start <= position < end]
        told: dict[str, list[tuple[int, int, tuple[int, int]]]] = {"day": [], "nights": [], "price": []}
        for number in numerals(plain) if places else ():
            if start <= number.span[0] < end and not number.percent:
                kind = "day" if number.span in days else "nights" if NIGHTS.match(plain[number.span[1] :]) else "price"
                if (kind != "price" or number.value >= 100) and number.span not in lasts:
                    told[kind].append((number.span[0], round(number.value), number.span))
        for kind, marks in told.items():
            if len(marks) != len(places) or (kind != "price" and now.hotel_days):
                continue
            by_turns = [at for (room, _), mark in zip(places, marks, strict=True) for at in (room, mark[0])]
            backward = [at for (room, _), mark in zip(places, marks, strict=True) for at in (mark[0], room)]
            if sorted(by_turns) not in (by_turns, backward):
                continue
            wrong = [
                (k, value, span)
                for (_, k), (_, value, span) in zip(places, marks, strict=True)
                if not _has(own[k], kind, value) and any(_has(other, kind, value) for other in own)
            ]
            near = len(wrong) == 1 == len(places) and abs(places[0][0] - marks[0][0]) < NEAR
            rival = round(now.card.facts.competitor_price)
            if len(wrong) >= 2 or (near and rival != wrong[0][1] and (kind != "price" or _just_said(now, wrong[0][1]))):
                k, value, span = wrong[0]
                yield Finding(
                    "wrong_room",
                    SURE,
                    f"gives the {now.card.tickets[k].room} another's {kind}: {value}",
                    Skill.WORKFLOW,
                    span,
                )


def _just_said(now: RatedSituation, value: int) -> bool:
    """Whether the hotel's last message has a figure for a room that it named with it."""
    fresh = [now.standing.quotes[k] for k in now.standing.fresh if k in now.standing.quotes]
    return len(fresh) >= 1 and any(abs(value - price) <= 1 for price in fresh)


def _belongings(now: RatedSituation, k: int) -> dict[str, set[int]]:
    """Return a ticket's first day, nights and known prices."""
    ticket = now.card.tickets[k]
    prices = [ticket.selling_price, now.standing.quotes.get(k), now.standing.bids.get(k)]
    known = {round(p * part) for p in prices if p for part in (1.0, 1.0 - ticket.commission)}
    return {"day": {ticket.check_in.day}, "nights": {ticket.nights}, "price": known}


def _has(own: dict[str, set[int]], kind: str, value: int) -> bool:
    return any(abs(value - x) <= (1 if kind == "price" else 0) for x in own[kind])


NEAR: Final = 16
"""Characters within which a lone figure belongs to a lone room."""
_KINDS: Final = {"hotel", "inn", "resort", "guesthouse", "house", "court", "lodge", "boutique", "airport", "family",
                 "palace", "plaza", "hostel", "gate"}  # fmt: skip
_BEFORE: Final = "above below under over the your for at and then both dear from with in of to is my our sister mr ms"
_BEFORE_NAME: Final = frozenset(_BEFORE.split())
_AFTER: Final = "is at sells asks has shows on and or stands to in for the"
_AFTER_NAME: Final = frozenset(_AFTER.split())
ROOM_WORDS: Final = "king|twin|suite|double|queen|executive"
