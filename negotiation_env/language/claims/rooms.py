"""Claims about rooms: which room types a message names, and whether the card has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game.scenario import Ticket
from negotiation_env.game.world import ROOM_TYPES
from negotiation_env.language.claims.talk import Claim, Talk

_FILLERS: Final = frozenset(("room", "view", "with", "and", "the", "of", "bed"))
"""Words of a room's name that tell no room from another."""
_OTHER_TYPES: Final = ("triple", "quad", "studio", "penthouse", "villa", "loft", "bungalow", "dorm", "junior",
                       "premium", "premier", "economy", "presidential", "connecting", "sea", "ocean", "lake",
                       "river", "mountain", "single")  # fmt: skip
"""Room types that hotels sell and sampled cards do not hold."""
_HEADS: Final = frozenset(
    ("king", "queen", "twin", "double", "suite", "executive", "deluxe", "triple", "penthouse", "loft", "studio")
)
"""Words that name a room by themselves ("the twin"); the others need another word or "room" beside them."""
_BEDS: Final = frozenset(("king", "queen", "twin", "double", "suite"))
"""Words of which a room has one: in "king twin" two rooms are named."""
_SHORT: Final = {"exec": "executive", "std": "standard", "dbl": "double", "deluxe": "deluxe", "dlx": "deluxe"}
_CHINESE: Final = {
    word: frozenset(bearing.split())
    for word, bearing in (
        ("大床", "king queen double"), ("双床", "twin"), ("双人", "twin double"), ("标大", "standard"),
        ("标双", "standard twin"), ("标间", "standard twin"), ("标准", "standard"), ("套房", "suite"),
        ("亲子房", "family"), ("家庭房", "family"), ("家庭", "family"), ("亲子套", "family"), ("行政", "executive"),
        ("花园", "garden"), ("园景", "garden"), ("豪华", "deluxe"), ("高级", "superior"), ("三人间", "triple"),
        ("单人间", "single"),
    )
}  # fmt: skip
"""What people write of rooms in Chinese, and the words of a room's name of which one bears it out."""
_CHINESE_ALONE: Final = frozenset(
    ("大床", "双床", "标大", "标双", "标间", "套房", "亲子房", "家庭房", "行政", "园景", "三人间")
)
_DETERMINER: Final = re.compile(
    r"(?:^|[,:;.!?，。：]|\b(?:the|your|our|a|an|this|that|these|those|for|and|or|of|each|every|per|on|one|"
    r"two|about|my|"
    r"[a-z]+'s|[0-9]+))\W{0,2}$"
)
# After these a room word is another word: "double the", "king of", "twin towns", "executive who", "suite of".
_OTHER_SENSE: Final = re.compile(
    r"[ -](?:sold|selling|the|your|our|that|what|as|check|checked|book\w*|of|beds?|bedded|who|whose|"
    r"decision|digits?|standards?|"
    r"sales?|entr(?:y|ies)|espressos?|towns?|brothers?|sisters?|size|sized|and a half|team|chef|director|"
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
    known = {word for room in (*ROOM_TYPES, *rooms) for word in room_words(room)}
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
        said = talk.low[mention.start : mention.end]
        if mention.tickets:
            room = talk.card.tickets[mention.tickets[0]].room
            found.append(
                talk.claim("room", mention.start, mention.end, talk.text[mention.start : mention.end], room, True)
            )
        elif _is_room(talk.low, mention) and not _named_before(talk, mention):
            found.append(talk.claim("room", mention.start, mention.end, said, rooms, False))
    return found


def _is_room(low: str, mention: RoomMention) -> bool:
    """Return whether words that fit no ticket do speak of a room."""
    if _OTHER_SENSE.match(low[mention.end : mention.end + 24]):
        return False
    if not low[mention.start : mention.end].isascii() or len(mention.words) > 1:
        return True
    before, after = low[max(0, mention.start - 16) : mention.start], low[mention.end : mention.end + 10]
    return _DETERMINER.search(before) is not None or re.match(r" (?:at |for |from |is )?[0-9]", after) is not None


def _named_before(talk: Talk, mention: RoomMention) -> bool:
    """Return whether each of the words was said before in the talk."""
    words = re.findall(r"[a-z]+|[\u4e00-\u9fff]+", talk.low[mention.start : mention.end])
    return all(word.rstrip("s") in talk.earlier_words if word.isascii() else word in talk.earlier_low for word in words)
