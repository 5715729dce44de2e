"""Which ticket a room name means: loose matching of the ways people name a scenario's rooms.

"the Deluxe King", "the deluxe", "king room", "ticket 2", "the second one", 大床房. A word that several of the
scenario's rooms share names none of them. It knows the rooms of one scenario and nothing else.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final

from negotiation_env.reading.lexicon import STOPS, TOKEN, Tree, add_phrase

_COMMON: Final = frozenset(
    ["room", "rooms", "view", "suite", "standard", "type", "with", "and", "the", "a", "of", "bed"]
)
_ORDINALS: Final = (("first", "one", "1", "一"), ("second", "two", "2", "二"), ("third", "three", "3", "三"))
_CHINESE: Final = {
    "king": ("大床", "大床房"),
    "queen": ("大床", "大床房"),
    "double": ("大床", "大床房"),
    "twin": ("双床", "双床房", "双人房", "标间"),
    "suite": ("套房",),
    "family": ("家庭房", "亲子房"),
    "executive": ("行政", "行政房"),
    "deluxe": ("豪华",),
    "superior": ("高级",),
}


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token for token in TOKEN.findall(text.lower()) if token not in STOPS)


@lru_cache(maxsize=1024)
def room_tree(rooms: tuple[str, ...]) -> Tree:
    """Return the tree of phrases that name one of the rooms; the sense of room k is ``1 << k``."""
    tree: Tree = {}
    names = [_tokens(room) for room in rooms]
    aliases: list[set[tuple[str, ...]]] = []
    for name in names:
        own: set[tuple[str, ...]] = {(word,) for word in name if word not in _COMMON and not word[0].isdigit()}
        own |= {name[i:] for i in range(1, len(name) - 1)} | {name[:-1]} if len(name) > 2 else set()
        own |= {(word, "suite") for word in name if word != "suite" and "suite" in name}
        own |= {tuple(chinese) for word in name for chinese in _CHINESE.get(word, ())}
        own |= {("suite",)} if "suite" in name else set()
        own |= {("standard",)} if name[:1] == ("standard",) else set()
        aliases.append(own)
    shared = Counter(alias for own in aliases for alias in own)
    for k, (name, own) in enumerate(zip(names, aliases, strict=True)):
        if name:
            add_phrase(tree, name, 1 << k)
        for alias in own:
            if alias and shared[alias] == 1 and alias not in names:
                add_phrase(tree, alias, 1 << k)
        for phrase in _positions(k):
            add_phrase(tree, phrase, 1 << k)
    return tree


def _positions(k: int) -> list[tuple[str, ...]]:
    """Return the phrases that name the ticket at position ``k`` by its number."""
    ordinal, word, digit, chinese = _ORDINALS[min(k, 2)]
    phrases: list[tuple[str, ...]] = [(ordinal, noun) for noun in ("one", "ticket", "room", "type", "rate")]
    phrases += [("ticket", digit), ("ticket", word), ("ticket", "number", digit), (ordinal, "room", "type")]
    return [*phrases, ("第", chinese, "个"), ("第", chinese, "间")]
