"""Phrases and what they mean: loads ``lexicon.toml`` and finds its phrases, and a scenario's rooms, in a list of words.

A phrase has one or several meanings ("senses"), which the file names. Matching walks a tree of words: at each word the
longest phrase wins, and phrases do not overlap. Rooms are matched as people name them: "the Deluxe King", "the deluxe",
"king room", "ticket 2", "the second one"; a word that several of the scenario's rooms share names none of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from negotiation_env.errors import DataFileError, did_you_mean
from negotiation_env.files import Text, parse, read_toml
from negotiation_env.game import world
from negotiation_env.game.acts import Tactic

Tree: TypeAlias = dict[str, Any]
"""Words to subtrees; under ``""`` the meanings (a frozenset) of the phrase that ends here. ``"#"`` is any number."""

TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+(?:[.,][0-9]+)*%?|[^\W0-9a-z_]|[.,;:!?\n，。；：！？、…–—\"“”]")
"""A word, a number, one letter of another script, or a punctuation mark."""
STOPS: Final = frozenset('.,;:!?\n，。；：！？、…–—"“”')
"""Tokens that are punctuation, not words."""

TACTIC_SENSES: Final = tuple((tactic, tactic.name.lower()) for tactic in Tactic if tactic is not Tactic.NONE)
PROMISE_SENSES: Final = tuple(
    (name, f"promise_{name.replace('-', '_')}") for name in (*world.PROMISES, *world.FORBIDDEN_PROMISES)
)
SENSES: Final = frozenset(
    (
        # The message as a whole.
        "greet", "upset", "insult", "soothe", "ask_reason", "off_topic", "close", "walk", "bye", "sarcasm",
        # What a sentence appeals to, promises or asks.
        *(sense for _, sense in TACTIC_SENSES), *(sense for _, sense in PROMISE_SENSES),
        "commit", "promise_word", "favour", "favour_word", "ask_price", "ask_weak", "ask_figure", "ask_confirm",
        # What a clause does with the price or the ticket it speaks of.
        "accept", "accept_weak", "approve", "confirm", "hold", "hold_bound", "final", "reject", "reject_weak",
        "retract", "offer", "net", "selling", "all", "except", "off_that",
        # How firmly it says so.
        "neg", "cond", "hedge", "put_off", "later", "past", "reported",
        # Structure, and phrases that mean nothing here but would be misread word by word.
        "stop", "break", "question", "pause", "turn", "and", "neutral",
    )
)  # fmt: skip
"""The senses that ``lexicon.toml`` may name."""
Sections: TypeAlias = dict[Literal["both", "agent", "manager"], dict[str, list[Text]]]
"""A lexicon file: by speaker, by senses joined with "+", the phrases."""
LEXICON_PATH: Final = Path(__file__).with_name("lexicon.toml")
_GROUP: Final = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")
_MAX_FORMS: Final = 8000
_SIGNS: Final = frozenset("()[]|?{}")


def expand(pattern: str) -> list[str]:
    """Return every phrase that a pattern stands for: ``(a|b)`` is one of, ``[a|b]`` is one of or nothing."""
    parts: list[list[str]] = []
    at = 0
    for match in _GROUP.finditer(pattern):
        parts.append([pattern[at : match.start()]])
        choices = (match[1] if match[1] is not None else match[2]).split("|")
        parts.append(choices if match[1] is not None else [*choices, ""])
        at = match.end()
    parts.append([pattern[at:]])
    return ["".join(form) for form in product(*parts)]


def _forms(pattern: str) -> set[tuple[str, ...]]:
    """Return the token tuples of a pattern, with and without apostrophes."""
    forms: set[tuple[str, ...]] = set()
    for phrase in expand(pattern):
        tokens = tuple(re.findall(r"#|" + TOKEN.pattern, phrase))
        forms.add(tokens)
        if "'" in phrase:
            forms.add(tuple(token.replace("'", "") for token in tokens))
    return forms


def add_phrase(tree: Tree, tokens: tuple[str, ...], senses: frozenset[Any]) -> None:
    """Add a phrase to a tree; a phrase that is listed twice has the senses of both."""
    node = tree
    for token in tokens:
        node = node.setdefault(token, {})
    node[""] = node.get("", frozenset()) | senses


def build_trees(sections: Mapping[str, Any], source: str) -> dict[str, Tree]:
    """Return one tree per speaker from the sections of a lexicon file.

    Raises:
        DataFileError: a section, a sense or a phrase is not as expected.
    """
    trees: dict[str, Tree] = {"agent": {}, "manager": {}}
    for section, senses in parse(Sections, sections, source).items():
        for sense, patterns in senses.items():
            names = sense.split("+")
            for name in names:
                if name not in SENSES:
                    raise DataFileError(
                        f"{source}: {section}: expected a sense, got {name!r}.{did_you_mean(name, SENSES)}"
                    )
            meaning = frozenset(names)
            for pattern in patterns:
                forms = _forms(pattern)
                nested = len(pattern) > 1 and any(set(form) & _SIGNS for form in expand(pattern))
                if () in forms or len(forms) > _MAX_FORMS or nested:
                    raise DataFileError(
                        f"{source}: {section}.{sense}: expected a phrase of 1 to {_MAX_FORMS} forms, its groups not "
                        f"nested, got {pattern!r}"
                    )
                for tokens in forms:
                    for speaker in trees if section == "both" else (section,):
                        add_phrase(trees[speaker], tokens, meaning)
    return trees


def _share(tree: Tree, seen: dict[tuple[tuple[str, int], ...], Tree]) -> Tree:
    """Let equal subtrees be one object: phrases made from one pattern end alike, and memory falls tenfold."""
    for word, below in tree.items():
        if word:
            tree[word] = _share(below, seen)
    key = tuple(sorted((word, below if word == "" else id(below)) for word, below in tree.items()))
    return seen.setdefault(key, tree)


@cache
def lexicon() -> dict[str, Tree]:
    """Return the shipped lexicon's tree per speaker, read once, with the names of the invented world added."""
    trees = build_trees(read_toml(LEXICON_PATH, dict[str, Any]), LEXICON_PATH.name)
    for tree in trees.values():
        for names, sense in ((world.COMPETITORS, "competitor"), (world.EVENTS, "calendar")):
            for name in names:
                add_phrase(tree, tuple(TOKEN.findall(name.lower())), frozenset((sense,)))
    return {speaker: _share(tree, {}) for speaker, tree in trees.items()}


def find_phrases(tokens: Sequence[str], tree: Tree) -> list[tuple[int, frozenset[Any], int]]:
    """Return (first token, meanings, token after) of the phrases in a list of tokens, in order."""
    found: list[tuple[int, frozenset[Any], int]] = []
    if tree.keys().isdisjoint(tokens):
        return found
    count, free = len(tokens), 0
    for i in [i for i, token in enumerate(tokens) if token in tree]:
        if i < free:
            continue
        node: Tree = tree[tokens[i]]
        j = i + 1
        best = node.get("")
        while j < count:
            token = tokens[j]
            below = node.get(token)
            if below is None:
                if token[0] not in "0123456789":
                    break
                below = node.get("#")
                if below is None:
                    break
            node = below
            j += 1
            senses = node.get("")
            if senses is not None:
                best, free = senses, j
        if best is not None:
            if free <= i:
                free = i + 1
            found.append((i, best, free))
    return found


_COMMON: Final = frozenset(
    ["room", "rooms", "view", "suite", "standard", "type", "with", "and", "the", "a", "of", "bed"]
)
_ORDINALS: Final = (("first", "one", "1", "一"), ("second", "two", "2", "二"), ("third", "three", "3", "三"))
_CHINESE: Final = {
    "king": ("大床", "大床房"),
    "queen": ("大床", "大床房"),
    "double": ("大床", "大床房"),
    "twin": ("双床", "双床房", "双人房", "双人间"),
    "suite": ("套房",),
    "family": ("家庭房", "亲子房"),
    "executive": ("行政", "行政房"),
    "deluxe": ("豪华",),
    "superior": ("高级",),
    "standard": ("标准", "标间"),
    "single": ("单人间", "单人房"),
    "garden": ("园景",),
    "sea": ("海景",),
    "ocean": ("海景",),
    "lake": ("湖景",),
    "river": ("江景", "河景"),
    "mountain": ("山景",),
    "city": ("城景",),
}
_STANDARD: Final = {"king": "大", "queen": "大", "double": "大", "twin": "双"}
"""What follows 标 in the short Chinese name of a standard room."""
_BEDS: Final = {tuple(name) for bed in ("king", "queen", "double", "twin") for name in _CHINESE[bed]}
"""What a room with a view is not called by in Chinese where another room has such beds too: it has its view's name."""


_SHORT: Final = {
    "executive": ("exec", "execs"), "standard": ("std",), "double": ("dbl", "doubles"), "deluxe": ("dlx",),
    "superior": ("sup",), "twin": ("twins", "twn"), "king": ("kings",), "queen": ("queens",), "suite": ("suites",),
    "family": ("fam",),
}  # fmt: skip
"""What the trade writes for a word of a room's name."""


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token for token in TOKEN.findall(text.lower()) if token not in STOPS)


@lru_cache(maxsize=1024)
def room_tree(rooms: tuple[str, ...]) -> Tree:
    """Return the tree of phrases that name one of the rooms; the meaning is the room's position."""
    tree: Tree = {}
    names = [_tokens(room) for room in rooms]
    aliases: list[set[tuple[str, ...]]] = []
    for name in names:
        own: set[tuple[str, ...]] = {(word,) for word in name if word not in _COMMON and not word[0].isdigit()}
        own |= {(short,) for word in name for short in _SHORT.get(word, ())}
        own |= {name[i:] for i in range(1, len(name) - 1)} | {name[:-1]} if len(name) > 2 else set()
        own |= {(word, "suite") for word in name if word != "suite" and "suite" in name}
        own |= {tuple(chinese) for word in name for chinese in _CHINESE.get(word, ())}
        if "twin" in name and not any("standard" in other for other in names):
            own.add(("标", "间"))
        if "standard" in name:
            own |= {("标", kind) for bed, kind in _STANDARD.items() if bed in name}
        own |= {("suite",)} if "suite" in name else set()
        own |= {("standard",)} if name[:1] == ("standard",) else set()
        aliases.append(own)
    for k, name in enumerate(names):
        if "view" in name:
            elsewhere = set().union(*[own for n, own in enumerate(aliases) if n != k and "view" not in names[n]])
            aliases[k] -= _BEDS & elsewhere
    shared = Counter(alias for own in aliases for alias in own)
    for k, (name, own) in enumerate(zip(names, aliases, strict=True)):
        if name:
            add_phrase(tree, name, frozenset((k,)))
        for alias in own:
            if alias and shared[alias] == 1 and alias not in names:
                add_phrase(tree, alias, frozenset((k,)))
        for phrase in _positions(k, len(names)):
            add_phrase(tree, phrase, frozenset((k,)))
    for j, k in combinations(range(min(3, len(names))), 2):  # "first and third are fine"
        for the in ((), ("the",)):
            add_phrase(tree, (*the, _ORDINALS[j][0], "and", *the, _ORDINALS[k][0]), frozenset((j, k)))
    return tree


def _positions(k: int, count: int) -> list[tuple[str, ...]]:
    """Return the phrases that name the ticket at position ``k`` of ``count`` by its number."""
    ordinal, word, digit, chinese = _ORDINALS[min(k, 2)]
    nouns = ("one", "ticket", "room", "type", "rate", "price", "figure", "number")
    phrases: list[tuple[str, ...]] = [(ordinal, noun) for noun in nouns]
    phrases += [("the", ordinal), ("number", word), ("number", digit), (ordinal, "is"), (ordinal, "isn't")]
    phrases += [("ticket", digit), ("ticket", word), ("ticket", "number", digit), (ordinal, "room", "type")]
    if k == 0 and count == 2:
        phrases.append(("former",))
    if k == count - 1 and count > 1:
        phrases += [("latter",), ("the", "last", "one"), ("last", "one"), ("the", "last")]
    return [*phrases, ("第", chinese, "个"), ("第", chinese, "间")]
