"""Claims about names: room types, the hotel that is addressed, its city and the competitor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game import world
from negotiation_env.game.scenario import Ticket
from negotiation_env.language.claims.dates import WEEKDAY
from negotiation_env.language.claims.talk import PATTERNS, WORDS, Claim, Span, Talk, within, word_tuple
from negotiation_env.language.price_vocabulary import word_set

_FILLERS: Final = word_set(WORDS["rooms"]["fillers"])
"""Words of a room's name that tell no room from another."""
_OTHER_TYPES: Final = word_tuple(WORDS["rooms"]["other_types"])
"""Room types that hotels sell and sampled cards do not hold."""
_HEADS: Final = word_set(WORDS["rooms"]["heads"])
"""Words that name a room by themselves ("the twin"); the others need another word or "room" beside them."""
_BEDS: Final = word_set(WORDS["rooms"]["beds"])
"""Words of which a room has one: in "king twin" two rooms are named."""
_SHORT: Final = {"exec": "executive", "std": "standard", "dbl": "double", "dlx": "deluxe"}
_CHINESE: Final = {word: word_set(bearing) for word, bearing in WORDS["chinese_rooms"].items()}
_CHINESE_ALONE: Final = word_set(WORDS["rooms"]["chinese_alone"])
_DETERMINER: Final = re.compile(
    r"(?:^|[,:;.!?，。：]|\b(?:the|your|our|a|an|this|that|these|those|for|and|or|of|each|every|per|on|one|two|about|"
    r"my|[a-z]+'s|[0-9]+))\W{0,2}$"
)
# After these a room word is another word: "double the", "king of", "twin towns", "executive who", "suite of".
_OTHER_SENSE: Final = re.compile(
    r"[ -](?:sold|selling|the|your|our|that|what|as|check|checked|book\w*|of|beds?|bedded|who|whose|decision|digits?|"
    r"standards?|sales?|entr(?:y|ies)|espressos?|towns?|brothers?|sisters?|size|sized|and a half|team|chef|director|"
    r"board|office|crab|bee)\b"
)


class RoomMention(NamedTuple):
    """A room that a message names.

    Attributes:
        start: where its words begin.
        end: where they end.
        words: what is said about it; for each word the words of a room's name that bear it out.
        tickets: places of the tickets that it may mean.
    """

    start: int
    end: int
    words: tuple[frozenset[str], ...]
    tickets: tuple[int, ...]


def room_words(room: str) -> frozenset[str]:
    """Return the words of a room's name that tell it from others."""
    return frozenset(re.findall(r"[a-z]+", room.lower())) - _FILLERS


@lru_cache(maxsize=256)
def _pattern(rooms: tuple[str, ...]) -> re.Pattern[str]:
    known = {word for room in (*world.ROOM_TYPES, *rooms) for word in room_words(room)}
    english = sorted({*known, *_OTHER_TYPES, *_SHORT}, key=len, reverse=True)
    chinese = sorted(_CHINESE, key=len, reverse=True)
    # "GVQ" for the Garden View Queen; two letters would be too little to know a room by.
    initials = sorted({letters for room in rooms if len(letters := _initials(room)) > 2}, key=len, reverse=True)
    return re.compile(
        rf"\b({'|'.join(map(re.escape, [*initials, *english]))})(?:e?s)?\b|({'|'.join(chinese)})", re.ASCII
    )


def _initials(room: str) -> str:
    return "".join(word[0] for word in re.findall(r"[a-z]+", room.lower()))


def find_rooms(low: str, tickets: Sequence[Ticket]) -> list[RoomMention]:
    """Return the rooms that a lower-case text names, those of the card and others, in order."""
    names = tuple(ticket.room for ticket in tickets)
    owns = [room_words(name) for name in names]
    found: list[RoomMention] = []
    group: list[re.Match[str]] = []
    for match in [*_pattern(names).finditer(low), None]:
        if match is not None and group and _same_room(low, group, match):
            group.append(match)
            continue
        if group:
            found += _mention(low, group, owns, names)
        group = [] if match is None else [match]
    return found


def _same_room(low: str, group: Sequence[re.Match[str]], match: re.Match[str]) -> bool:
    """Return whether a room word goes on with the room that the words before it name."""
    if low[group[-1].end() : match.start()] not in ("", " ", "-", " view ", "view", "景"):
        return False
    if match[2]:
        return group[-1][2] not in _CHINESE_ALONE and group[-1][2] is not None
    return not (group[-1][1] in _BEDS and match[1] in (*_BEDS, "executive", "deluxe", "family", "superior", "standard"))


def _mention(low: str, group: Sequence[re.Match[str]], owns: Sequence[frozenset[str]], names: Sequence[str]
             ) -> list[RoomMention]:  # fmt: skip
    words = tuple(frozenset((_SHORT.get(match[1], match[1]),)) if match[1] else _CHINESE[match[2]] for match in group)
    start, end = group[0].start(), group[-1].end()
    for place, name in enumerate(names):
        if group[0][1] == _initials(name):
            return [RoomMention(start, end, words, (place,))]
    fitting = tuple(place for place, own in enumerate(owns) if all(word & own for word in words))
    alone = len(group) == 1 and not (words[0] & _HEADS if group[0][1] else group[0][2] in _CHINESE_ALONE)
    if group[-1][1] == "double" and re.match(r"[ -]book", low[end : end + 5]):
        return []
    if "single" in words[0] and not re.match(r"(?: bed)? ?rooms?\b", low[end : end + 10]):
        return []
    if alone and (
        "single" in words[0] or not re.match(r" view|(?: view)?(?: rooms?\b|s\b)|景|房|大床", low[end : end + 12])
    ):
        return []
    return [RoomMention(start, end, words, fitting)]


def room_claims(talk: Talk, mentions: Sequence[RoomMention]) -> list[Claim]:
    """Return a claim for each room that is named; a room that the talk has named before is not accused."""
    rooms = ", ".join(ticket.room for ticket in talk.card.tickets)
    found: list[Claim] = []
    for mention in mentions:
        if mention.tickets:
            room = talk.card.tickets[mention.tickets[0]].room
            found.append(talk.claim("room", mention, talk.text[mention.start : mention.end], room, True))
        elif _DENIED.search(talk.before(mention.start, 16)):
            continue
        elif _is_room(talk, mention) and not _named_before(talk, mention):
            found.append(talk.claim("room", mention, talk.low[mention.start : mention.end], rooms, False))
    return found


_DENIED: Final = re.compile(r"\b(?:is|are)(?: not|n't) an? $")
"""Before a room of another kind: "a suite is not a double"."""
_NAMED_ROOM: Final = re.compile(r"\b(?:[Yy]our|[Tt]he|[Oo]ur) [A-Z][a-z]+ $")
"""What stands before a room word that has a name: "your Panorama Penthouse"."""


def _is_room(talk: Talk, mention: RoomMention) -> bool:
    """Return whether words that fit no ticket do speak of a room."""
    low = talk.low
    if _OTHER_SENSE.match(low[mention.end : mention.end + 24]):
        return False
    if not low[mention.start : mention.end].isascii() or len(mention.words) > 1:
        return True
    before, after = low[max(0, mention.start - 16) : mention.start], low[mention.end : mention.end + 10]
    named = _NAMED_ROOM.search(talk.text, max(0, mention.start - 24), mention.start)
    named = named if talk.text[mention.start].isupper() else None
    return bool(named or _DETERMINER.search(before) or re.match(r" (?:at |for |from |is )?[0-9]", after))


def _named_before(talk: Talk, mention: RoomMention) -> bool:
    """Return whether each of the words was said before in the talk."""
    words = re.findall(r"[a-z]+|[\u4e00-\u9fff]+", talk.low[mention.start : mention.end])
    return all(word.rstrip("s") in talk.earlier_words if word.isascii() else word in talk.earlier_low for word in words)


_CITIES: Final = (*world.CITIES, *word_tuple(WORDS["cities"]["english"]))
_CHINESE_CITIES: Final = {chinese: city for city, chinese in WORDS["chinese_cities"].items()}
_LODGING: Final = word_tuple(WORDS["houses"]["lodging"])
_TELLING: Final = word_set(WORDS["houses"]["telling"])
"""Words of a name that contradict another kind of house; "hotel" is said of all of them."""
_LODGING_TAIL: Final = rf"(?: (?:{'|'.join(_LODGING)})\b)*"
_GENERIC: Final = re.compile(
    r"\b((?:[A-Z][a-z]+ ){1,3})"
    r"(Hotel|Inn|Guesthouse|Resort|Lodge|Hostel|Homestay|Apartments|Residence|Palace|Retreat|Boutique)\b"
)
_OWN_HOUSE_BEFORE: Final = re.compile(
    r"(?:\b(?:dear|hello|hi|morning|evening|afternoon|speaking (?:to|with)|is (?:that|this|it)|calling about|your|"
    r"welcome to|here at|mr \w+ of|mrs \w+ of|ms \w+ of|right at|on behalf of|you own)|[0-9]{3,4} for)\W+(?:the |a )?$"
)
_ALONE_BEFORE: Final = re.compile(r"\b(?:the|your|at|of|for) $")
"""What stands before a house's name of one word ("the Lotus"), which else may be a flower."""
_OWN_HOUSE_AFTER: Final = re.compile(r" team\b|,? isn't it| could do| do on\b| i'd put|,? naturally")
_FOR_HOUSE: Final = re.compile(r"(?:\bfor|\byou own|\b(?:what|which|how) [a-z ]{0,20}) (?:the )?$")
_HOUSE_ROOM: Final = re.compile(r"(?:'s|,) (?:the |a )?(?:[a-z]+ ){0,2}$")
_LOCAL: Final = re.compile(
    r"\b(?:search(?:es|ed|ing)?|look(?:s|ing|ed)?|people|demand|interest|travell?ers|visitors|tourists|guests|bound|"
    r"trips?)(?: [a-z']+){0,3} (?:for|to|in|of) (?:the )?$|搜$|[您你店]们?(?:家)?在$"
)
_ARRIVING: Final = re.compile(
    r"\b(?:fly|flies|flying|flights?|come|comes|coming|travel|travels|travelling|land|landing|trains?|drive|head|"
    r"heading) (?:in)?to $|\b(?:arriv\w+|land|landing) (?:at|in) $"
)
_DESK: Final = re.compile(r" (?:desk|side|team|office)\b")
_I_DO: Final = re.compile(r"\bi (?:do|cover|look after|handle|sit on the|am on the) $")
_HERE: Final = re.compile(
    rf"\b(?:your|the|this|that) (?:[a-z]+ ){{0,3}}(?:{'|'.join(_LODGING)}|house|place|"
    rf"property)(?: there)?(?:,| in| at) (?:the )?$"
)
_YOUR_HOUSE: Final = re.compile(
    r"(?:[您你]们|[您你]家|[您你](?=[\u4e00-\u9fff]{2,6}?那家))(?:在)?([\u4e00-\u9fff]{2,6}?)(?:那家|那间|"
    r"的)?([\u4e00-\u9fff]{0,4}?)(酒店|旅馆|民宿|客栈|宾馆|公寓|度假村|饭店|旅店|招待所)"
)
_RIVAL: Final = re.compile(
    r"\b[Tt]he ((?:[A-Z][a-z]+ ?){1,3})(?:next door|around the corner|across the (?:road|street)|down the road|opposite"
    r"|over the road)?(?: is| are)? ?(?:sells|asks|lists|charges|stands|sits|goes|shows|wants|undercuts|at|has)\b"
)
"""A house that is no hotel by its name: "the Ritz next door sells at 454"."""
_CHINESE_HOUSES: Final = {name: core for core, names in WORDS["chinese_houses"].items() for name in names.split()}
_CHINESE_HOUSE: Final = re.compile(
    rf"({'|'.join(sorted(_CHINESE_HOUSES, key=len, reverse=True))})"
    r"(?=客栈|酒店|旅馆|宾馆|别院|之家|民宿|居|苑|庄|那|都|才|还|也|现在|挂|卖|降|跌|平日|"
    r".?(?:总|经理|老板|店长)| ?[0-9]|[有的]?[一二三两][个段间]|行政|大床|双床|套房)"
)
_CHINESE_ADDRESS: Final = re.compile(
    r"(?:酒店|客栈|[居苑])?[的有]?(?:.?(?:总|经理|老板|店长|掌柜)|[0-9]{1,2}月|[一二两三][个段间]|行政|大床|双床|套房|家庭|标间|豪华|高级)"
)
_OWN_SIGNS: Final = WORDS["own_signs"]
_CHINESE_OWN: Final = re.compile(
    r"(?:是|找)([\u4e00-\u9fff]{2,6})(?:酒店|旅馆|民宿|客栈|宾馆|度假村|饭店|旅店)(?=的|吗|吧|么|是吧|？)"
)
_ASKS_PRICE: Final = re.compile(r" (?:(?:is|at|asks|sells at|has|stands at|sits at) )?[0-9]{3}\b")
_TWO_NAMES: Final = re.compile(r"\b([A-Z][a-z]+)(?= ([A-Z][a-z]+)\b)")
_TWO_PLAIN: Final = re.compile(rf"\b([a-z]+)(?= ([a-z]+) (?:{'|'.join(_LODGING)})\b)")
_LODGING_NEXT: Final = re.compile(rf" (?:{'|'.join(_LODGING)})\b")
_NAMES_HOUSE: Final = re.compile(
    r"\b(?:for|at|about|regarding|concerning|with|of|on behalf of|looks? after|account of)(?: the)? $"
)
_ROOMS_AT: Final = re.compile(r"\b(?:rooms?|stays?|nights?|rates?) at (?:the )?([A-Z][a-z]+)\b(?! [A-Z])")
_NO_NAMES: Final = frozenset(_LODGING) | word_set(WORDS["houses"]["no_names"])
_PLACES: Final = frozenset(word_tuple(WORDS["houses"]["places"]))
"""Names of two words that are no house's."""


class House(NamedTuple):
    """A house that a message names; ``core`` is its name without "Hotel", "Inn" and the like, in lower case."""

    start: int
    end: int
    core: str
    tail: str


def core_name(name: str) -> str:
    """Return a name in lower case without the words that say that it is a hotel, as people shorten it."""
    return re.sub(_LODGING_TAIL + "$", "", name.lower().strip()) or name.lower().strip()


@lru_cache(maxsize=256)
def _names(own: str, competitor: str) -> re.Pattern[str]:
    cores = {core_name(name) for name in (own, competitor, *world.NAME_STARTS, *world.COMPETITORS)}
    return re.compile(
        rf"\b({'|'.join(sorted(map(re.escape, cores), key=len, reverse=True))})\b({_LODGING_TAIL})", re.ASCII
    )


@lru_cache(maxsize=1)
def _cities() -> re.Pattern[str]:
    cities = sorted({city.lower() for city in _CITIES}, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, cities))})\b|({'|'.join(_CHINESE_CITIES)})", re.ASCII)


def find_houses(talk: Talk) -> list[House]:
    """Return the houses that a message names: of the card, of the invented world, and names that end as hotels' do."""
    shouting = talk.text == talk.low  # nothing is capitalised: names are not either
    rival_name = core_name(talk.card.facts.competitor_name)
    found: list[House] = []
    for match in _names(talk.card.hotel.name, talk.card.facts.competitor_name).finditer(talk.low):
        capital = all(talk.text[match.start(1) + word.start()].isupper() for word in re.finditer(r"[a-z']+", match[1]))
        if " " not in match[1] and not match[2] and not _ALONE_BEFORE.search(talk.before(match.start(), 16)):
            continue
        plain = shouting and (
            (" " in match[1] and match[1] not in ("old town", "west gate", "sunrise bay")) or match[2] != ""
        )
        rival = match[1] == rival_name and " " in rival_name
        if capital or plain or rival or (" " in match[1] and _ASKS_PRICE.match(talk.low, match.end())):
            found.append(House(match.start(), match.end(), match[1], match[2].strip()))
    for match in _GENERIC.finditer(talk.text):
        if not any(house.start < match.end() and match.start() < house.end for house in found):
            words = match[1].lower().split()
            if words[0] in ("the", "your", "dear", "a", "this", "that", "our"):
                words = words[1:]
            if set(words) - set(_LODGING):
                found.append(House(match.start(), match.end(), " ".join(words), match[2].lower()))
    found += [
        House(match.start(), match.end(), _CHINESE_HOUSES[match[1]], "") for match in _CHINESE_HOUSE.finditer(talk.low)
    ]
    for match in _RIVAL.finditer(talk.text):
        if not any(house.start < match.end() and match.start() < house.end for house in found):
            core = match[1].strip().lower()
            if not set(core.split()) & _NO_HOUSES:
                found.append(House(match.start(1), match.start(1) + len(core), core, ""))
    return sorted(found)


_NO_HOUSES: Final = word_set(WORDS["houses"]["no_houses"])


def house_claims(talk: Talk, houses: list[House], rooms: list[RoomMention]) -> list[Claim]:
    """Return a claim for each house that is named, and for the city that is said of this one."""
    hotel, competitor = talk.card.hotel, talk.card.facts.competitor_name
    own, other = core_name(hotel.name), core_name(competitor)
    found: list[Claim] = []
    for house in houses:
        name = talk.text[house.start : house.end]
        before, after = talk.before(house.start, 32), talk.after(house.end, 16)
        if house.core == own:
            wrong = set(house.tail.split()) & _TELLING - set(hotel.name.lower().split())
            found.append(talk.claim("hotel", house, name, hotel.name, not wrong))
        elif house.core == other:
            addressed = _OWN_HOUSE_BEFORE.search(before) is not None or _OWN_HOUSE_AFTER.match(after) is not None
            addressed = addressed or _is_asked_of(talk, house, rooms)
            if not talk.earlier and not any(named.core == own for named in houses):
                addressed = addressed or _is_addressed_first(talk, house)
            if addressed:
                found.append(talk.claim("hotel", house, name, hotel.name, False))
            else:
                found.append(talk.claim("competitor", house, name, competitor, True))
        elif house.core not in talk.earlier_low and name not in talk.earlier_low:
            found.append(talk.claim("competitor", house, name, competitor, False))
    found += _city_claims(talk, houses, rooms)
    found += _near_name_claims(talk, houses, rooms) + _near_rival_claims(talk)
    if not talk.earlier and own in _OWN_SIGNS:
        for match in _CHINESE_OWN.finditer(talk.low):
            true = bool(set(match[1]) & set(_OWN_SIGNS[own]))
            found.append(talk.claim("hotel", Span(*match.span(1)), match[1], hotel.name, true))
    for match in _YOUR_HOUSE.finditer(talk.low):
        if match[1] not in talk.earlier_low:
            found.append(talk.claim("hotel", match, match[0], hotel.name, False))
    return found


def _near_name_claims(talk: Talk, houses: list[House], rooms: list[RoomMention]) -> list[Claim]:
    """Return a claim for each name that shares a word with this house's, or stands where its name should.

    "Silver Harbour" for the Silver Bridge, "two rooms at the Starlight"; one that was said before is not accused.
    """
    hotel = talk.card.hotel
    own = core_name(hotel.name).split()
    others = [house for house in houses if house.core.split() != own]
    spans = [(house.start, house.end) for house in others] + [(room.start, room.end) for room in rooms]
    taken = {place for start, end in spans for place in range(start, end)}
    found: list[Claim] = []
    shouting = talk.text == talk.low
    for match in (_TWO_PLAIN if shouting else _TWO_NAMES).finditer(talk.text):
        first, second = match[1].lower(), match[2].lower()
        shares = first == own[0] and second.removesuffix("s") != own[-1]  # "two Pine Ridges in one list" are its own
        if len(own) == 2 and second == own[1] and first != own[0]:
            shares = _NAMES_HOUSE.search(talk.before(match.start(), 24)) is not None
        end = match.end(2)
        apart = taken.isdisjoint(range(match.start(), end))
        said = talk.low[match.start() : end]
        known = said in talk.earlier_low or second in _NO_NAMES or first in _NO_NAMES
        known = known or (said in _PLACES and not _LODGING_NEXT.match(talk.low, end))
        if shares and apart and not known and not {first, second} & (_NO_HOUSES - {"garden"}):
            found.append(talk.claim("hotel", Span(match.start(), end), said, hotel.name, False))
    for match in _ROOMS_AT.finditer(talk.text) if not talk.earlier else ():
        name = match[1].lower()
        other = taken.isdisjoint(range(match.start(1), match.end(1))) and not _cities().match(name)
        if other and name not in own and name not in _NO_NAMES | _NO_HOUSES:
            found.append(talk.claim("hotel", Span(*match.span(1)), match[1], hotel.name, False))
    return found


_OFFERS: Final = re.compile(r"(?:'s)? (?:is |now |still )?(?:at|asks|sells|lists|charges|shows)\b")
"""What a house of a city's name is said to do: "City Moon's at 322", and not "City Centre"."""


def _near_rival_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each name that shares one of two words with the competitor's: "Golden Willow's at 480"."""
    competitor = talk.card.facts.competitor_name
    other, own = core_name(competitor).split(), core_name(talk.card.hotel.name).split()
    found: list[Claim] = []
    for match in _TWO_NAMES.finditer(talk.text) if len(other) == 2 else ():
        first, second, end = match[1].lower(), match[2].lower(), match.end(2)
        words = {first, second}
        shares = (first == other[0]) != (second.removesuffix("s") == other[1].removesuffix("s"))
        if not shares or "the" in words or words & _NO_HOUSES or [first, second] == own:
            continue
        said = talk.low[match.start() : end]
        if said not in talk.earlier_low and (not words & _NO_NAMES or _OFFERS.match(talk.low, end)):
            name = talk.text[match.start() : end]
            found.append(talk.claim("competitor", Span(match.start(), end), name, competitor, False))
    return found


def _is_addressed_first(talk: Talk, house: House) -> bool:
    """Return whether a first message, which does not name this house, takes another for it: "rooms at the Lotus"."""
    if _CHINESE_ADDRESS.match(talk.low, house.end):
        return True
    at_it = _AT_HOUSE.search(talk.before(house.start, 16)) is not None
    told = _OF_THIRD.search(talk.before(house.start, 60)) or _DOES.match(talk.low, house.end)
    priced = re.match(r"[^.;?!]{0,40}[0-9]{3}", talk.low[house.end : house.end + 44]) is not None
    return at_it and not told and not priced


_AT_HOUSE: Final = re.compile(r"\b(?:at|of|behind)(?: the)? $")
_OF_THIRD: Final = PATTERNS["of_third_house"]
_DOES: Final = re.compile(
    r"'s\b| (?:is|are|was|asks?|asked|told|has|have|had|lists?|sells?|signed|says?|said|and you|stands?|charges?)\b"
    r"|[那都才也挂卖]"
)


def _is_asked_of(talk: Talk, house: House, rooms: list[RoomMention]) -> bool:
    """Return whether a room is asked of a house as of this one: "for Plum Blossom's king", "the twins at it"."""
    of_it = any(
        0 <= room.start - house.end <= 24 and _HOUSE_ROOM.fullmatch(talk.low[house.end : room.start]) for room in rooms
    )
    at_it = any(talk.low[room.end : house.start] in (" at ", " at the ", " of ", " of the ") for room in rooms)
    near = [number for number in within(talk.numbers, house.end, house.end + 44) if number.value >= 100]
    priced = bool(near) and not re.search(r"[.,;?!]", talk.low[house.end : near[0].start])
    if priced or not (of_it or at_it):
        return False
    if talk.before(house.start, 60).endswith((" of the ", " at the ")) and at_it:
        return True
    sentence = talk.sentence(house.start)
    asked = re.search(r"[?？]", talk.low[sentence.end : sentence.end + 60])
    return asked is not None or _FOR_HOUSE.search(talk.before(house.start, 30)) is not None


def _city_claims(talk: Talk, houses: list[House], rooms: list[RoomMention]) -> list[Claim]:
    """Return a claim for each city that the house is said to lie in, or that people are said to look for."""
    city = talk.card.hotel.city
    own = core_name(talk.card.hotel.name)
    found: list[Claim] = []
    for match in _cities().finditer(talk.low):
        said = _CHINESE_CITIES[match[2]] if match[2] else match[1]
        before = talk.before(match.start(), 50)
        beside = any(
            house.core == own and re.fullmatch(r",? ?(?:in|at|of)? ?(?:the )?", talk.low[house.end : match.start()])
            for house in houses
            if house.end <= match.start() <= house.end + 10
        ) or any(
            0 <= match.start() - room.end <= 6 and talk.low[room.end : match.start()].strip() == "in" for room in rooms
        )
        ours = (not talk.earlier and _DESK.match(talk.low, match.end())) or _I_DO.search(before)
        if beside or ours or _LOCAL.search(before) or _HERE.search(before) or _ARRIVING.search(before):
            true = said.lower().replace("'", "") == city.lower().replace("'", "")
            if true or beside or said.lower() not in talk.earlier_low:
                found.append(talk.claim("city", match, talk.text[match.start() : match.end()], city, true))
    return found


DATE_ASIDE: Final = re.compile(rf"(?:[ ,:(]|\b(?:from|on|the|starting|for|{WEEKDAY})\b)*")
"""What may stand between a room and its date."""
_ROOM_BEHIND: Final = re.compile(
    r",? (?:in|of|for) (?:the|your|a) |起?的?"
    r"|(?:起|进|入住|住进来|住|号|[、，]|[0-9一二两三四五六七八九十]{1,3}晚){1,4}的"
)
_NO_ROOM: Final = re.compile(r"\b(?:no|not|without|except|but)(?: the| your)? $")
_NEXT_ROOM: Final = re.compile(r"(?=,? and (?:the |your )?$|.{0,20}\band [0-9]{3}).*", re.S)
"""Between a date and a room of which the words go on: "the twin from the 10th and the king from the 7th"."""


def tickets_meant(talk: Talk, rooms: Sequence[RoomMention], start: int, end: int) -> tuple[Ticket, ...]:
    """Return the tickets that words at ``low[start:end]`` speak of.

    Those are the rooms named last before them in the sentence (all of "suite and double"), or the ones named next if
    no room stands before the words or the sentence says the figures first ("from the 6th for twelve in the twin");
    else all tickets.
    """
    tickets = talk.card.tickets
    sentence = talk.sentence(start)
    inside = [room for room in within(rooms, sentence.start, sentence.end)
              if not _NO_ROOM.search(talk.before(room.start, 16))]  # fmt: skip
    before = [room for room in inside if room.end <= start]
    after = [room for room in inside if room.start >= end]
    clause = talk.clause(start)
    between = talk.low[end : after[0].start] if after else " "
    spaced = talk.low[start:end].endswith(" ")  # it parts clauses in Chinese
    behind = not spaced and _ROOM_BEHIND.fullmatch(between) is not None
    if before and not behind and not (after and after[0].start < clause.end and before[-1].start < clause.start):
        group = [before[-1]]
        beside = DATE_ASIDE.fullmatch(talk.low[before[-1].end : start])
        if before[-1].start < clause.start and len({room.tickets for room in before}) > 1 and not beside:
            group = before  # "the Queen and the Executive, nights from the 9th and from the 12th"
        for room in reversed(before[:-1]):
            if not re.fullmatch(r"[ ,]*(?:and|&|\+|/|,|和|、)? ?(?:the |your )?", talk.low[room.end : group[-1].start]):
                break
            group.append(room)
    elif after and (len(inside) == 1 or after[0].start < clause.end) and not _NEXT_ROOM.fullmatch(between):
        group = after[:1]
    else:
        group = _named_last(talk, rooms, sentence)
    meant = tuple(tickets[place] for room in group for place in room.tickets)
    return meant or tickets


_ALL_ROOMS: Final = re.compile(r"\b(?:all|both|others?|each|rest|everything|they)\b|都|其他|其余")


def _named_last(talk: Talk, rooms: Sequence[RoomMention], sentence: Span) -> list[RoomMention]:
    """Return the room of the sentence before, if it names one: "Your queen is at 487. Could she go for 435?"."""
    before = [room for room in rooms if room.end <= sentence.start]
    if not before:
        return []
    last = talk.sentence(before[-1].start)
    inside = [room for room in before if room.start >= last.start]
    alone = len({room.tickets for room in inside}) == 1 and last.end + 4 >= sentence.start
    alone = alone and not _ALL_ROOMS.search(talk.low, sentence.start, sentence.end)
    return inside[-1:] if alone else []
