"""What the light judge sees of a reply in its case: named features, each there or not, hashed into a fixed width.

Four families: words and pairs of words of the reply ("w"); facts about reply and case, such as acts, marks and lengths,
and how many words it shares with what was said before ("f"); products of these with what the manager did ("x"); and the
manager's last words ("m"). Nothing tells of targets or floors: features that compare with a target are left out.
Chinese is read through its gloss, so that both languages share their words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from negotiation_env.game.acts import Act, Force, Tactic
from negotiation_env.game.features import FEATURES
from negotiation_env.game.state import granted, unsettled
from negotiation_env.language.gloss import gloss
from negotiation_env.play.protocols import ReplyView, Utterance
from rewards.judge.case_questions import heard_text
from rewards.judge.rubric import When
from rewards.linear import remembered, text_marks

RANGES: Final = {"f": (0, 2048), "x": (2048, 12288), "m": (12288, 16384), "w": (16384, 32768)}
"""The first and the end of the places that each family is hashed into."""
WIDTH: Final = 32768
MOST_WORDS: Final = 150
"""Words of a message that are looked at."""
_OF_TARGET: Final = frozenset(("take_at_target", "take_cut", "take_above_target", "press_at_target", "late"))
_SEEN: Final = tuple((i, name) for i, name in enumerate(FEATURES) if name not in _OF_TARGET)
_TOKEN: Final = re.compile(r"\d[\d,.]*%?|[a-z']+|[\u4e00-\u9fff]|[?!…]")
_FIGURE: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_GREYS: Final = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be been but by can could did do does for from had has have he her him his i i'd i'll i'm "
        "if in is it it's its just me mine my no not of oh ok on one or our out she so some than that that's the their "
        "them then there they this to too up us was we we'll were what when which who will with would yes you you'd "
        "you're your yours",
    )
)
"""Words that say little of what a message is about."""
_STEPS: Final = (1, 2, 3, 4, 6, 8)
_LENGTHS: Final = (3, 6, 10, 15, 22, 30, 40, 55, 75, 100)
_PAIRS_AGAIN: Final = (0.1, 0.2, 0.35, 0.5, 0.8)
_WORDS_AGAIN: Final = (0.3, 0.5, 0.7, 0.9)


_KINDS: Final = [kind.name.lower() for kind in Act]
_TACTICS: Final = ["" if tactic is Tactic.NONE else tactic.name.lower() for tactic in Tactic]


def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, with "#" for a figure and the signs ? ! … as words."""
    found = _TOKEN.findall(gloss(text[:2000]).lower().replace("’", "'"))
    return tuple(["#" if word[0].isdigit() else word for word in found[:MOST_WORDS]])


class _SeenText(NamedTuple):
    """What is compared of a text."""

    words: tuple[str, ...]
    pairs: tuple[str, ...]
    """Pairs of words, each once; none of what the hotel says, where nothing asks for them."""
    figures: tuple[str, ...]
    """As written but for commas."""


def _look(text: str, paired: bool = True) -> _SeenText:
    words = tokens(text)
    pairs = tuple(dict.fromkeys([f"{a} {b}" for a, b in pairwise(words)])) if paired else ()
    figures = tuple([figure.replace(",", "") for figure in _FIGURE.findall(text)])
    return _SeenText(words, pairs, figures)


_said: Final = remembered(_look)
_heard: Final = remembered(partial(_look, paired=False))


def places(view: ReplyView, here: frozenset[When]) -> NDArray[np.intp]:
    """Return where the features lie that a reply has in its case (``case_questions.cases``), ascending, each once."""
    reply, heard = _said(view.text), _heard(heard_text(view))
    case = _case_facts(view, here)
    words = _word_places(reply.words)
    words += _laid_out("m", [crc32(word, _HEARD) for word in _encoded(heard.words)])
    known = _places_with(tuple([fact for fact in case if fact.startswith(_CROSSED)]))
    facts = [known[fact] for fact in (*_reply_facts(view, reply.words), *_shared(view, reply, heard))]
    has = np.zeros(WIDTH, dtype=np.bool_)
    has[words] = True
    has[np.frombuffer(b"".join((_case_places(tuple(case)), *facts)), dtype=_PLACE)] = True
    return has.nonzero()[0]


_CROSSED: Final = ("upset", "asked", "why", "silent", "first", "act", "open", "quoted", "granted")


def word_places(text: str) -> list[int]:
    """Return where the words and pairs of a sentence by itself lie, each place once."""
    return list(dict.fromkeys(_word_places(tokens(text))))


def _word_places(words: Sequence[str]) -> list[int]:
    """Return where words and pairs of words lie; the checksum of a pair goes on from that of its first word."""
    data = _encoded(("^", *words, "$"))
    sums = [crc32(word, _SAID) for word in data]
    pairs = [crc32(b" " + word, before) for before, word in zip(sums, data[1:], strict=False)]
    return _laid_out("w", sums[1:-1] + pairs)


_SAID: Final = crc32(b"w ")
_HEARD: Final = crc32(b"m ")


def _encoded(words: Sequence[str]) -> list[bytes]:
    return " ".join(words).encode("utf-8", "replace").split()


_PLACE: Final = np.uint16
"""Holds every place."""


class _FactPlaces(dict[str, bytes]):
    """Where facts of a reply lie beside what the manager did, each as bytes of an array of ``_PLACE``.

    A fact lies at a place of its own, and at one for each product with what the manager did.
    """

    def __init__(self, did: Sequence[str]) -> None:
        super().__init__()
        self._begun = [crc32(f"x {fact} ".encode("utf-8", "replace")) for fact in did]

    def __missing__(self, fact: str) -> bytes:
        data = fact.encode("utf-8", "replace")
        found = _laid_out("f", [crc32(data, _FACT)]) + _laid_out("x", [crc32(data, begun) for begun in self._begun])
        if len(self) >= _MOST_FACTS:
            self.clear()
        self[fact] = places = np.array(found, dtype=_PLACE).tobytes()
        return places


_FACT: Final = crc32(b"f ")
_MOST_FACTS: Final = 1000
"""Remembered at most beside one thing that the manager did; a reader of the user's own may make up details."""
_places_with: Final = lru_cache(maxsize=512)(_FactPlaces)
"""By what the manager did. Remembered, with the facts that came beside it: few are new."""


@lru_cache(maxsize=1024)
def _case_places(case: tuple[str, ...]) -> bytes:
    """Return where the facts of a case lie, as bytes of an array of ``_PLACE``."""
    sums = [crc32(f"f case {fact}".encode("utf-8", "replace")) for fact in case]
    return np.array(_laid_out("f", sums), dtype=_PLACE).tobytes()


def _laid_out(family: str, sums: Sequence[int]) -> list[int]:
    """Return where a family's features of these checksums lie."""
    first, end = RANGES[family]
    size = end - first
    return [first + number % size for number in sums]


def _count(name: str, value: float, steps: tuple[float, ...] = _STEPS) -> tuple[str, ...]:
    """Return a count as steps that it reaches."""
    return _ladder(name, steps)[: bisect_right(steps, value)]


@cache
def _ladder(name: str, steps: tuple[float, ...]) -> tuple[str, ...]:
    return tuple([f"{name}>={step}" for step in steps])


def _reply_facts(view: ReplyView, said: Sequence[str]) -> list[str]:
    """Describe what a reply does and looks like."""
    features = view.features
    facts = [name for i, name in _SEEN if features[i] > 0.0]
    facts += text_marks(view)
    for act in view.acts:
        facts.append(_name(act.kind, act.tactic, act.detail))
        if act.force is not Force.FIRM:
            facts.append(f"{_KINDS[act.kind]} {act.force.value}")
        if act.kind is Act.PROMISE:
            facts.append("promise allowed" if act.detail in view.card.promises else "promise not allowed")
    facts += _count("words", len(said), _LENGTHS)
    facts += _count("figures", said.count("#")) + _count("questions", said.count("?"))
    facts += _count("sentences", sum(view.text.count(sign) for sign in ".!?。！？"))
    facts += _count("commas", 10.0 * (view.text.count(",") + view.text.count("，")) / max(1, len(said)))
    priced = {act.ticket for act in view.acts if act.price is not None and act.ticket is not None}
    left = [k for k in unsettled(view.game) if k not in priced]
    if priced and left:
        facts.append("figures for some rooms only")
        rest = {word for k in left for word in _heard(view.card.tickets[k].room).words} - {"room", "view"}
        facts.append("names the rest" if rest & set(said) else "does not name the rest")
    return facts


def _name(kind: Act, tactic: Tactic, detail: str) -> str:
    known = detail if kind is not Act.PROMISE and ":" not in detail else ""
    return " ".join(filter(None, (_KINDS[kind], _TACTICS[tactic], known)))


def _shared(view: ReplyView, reply: _SeenText, heard: _SeenText) -> list[str]:
    """Describe what a reply shares with what was said before."""
    said = reply.words
    ours, theirs = [_said(u.text) for u in view.agent_said], [_heard(u.text) for u in view.manager_said]
    own = set(said) - _GREYS
    long = {w for w in own if len(w) > 2}
    new = long.difference(heard.words)
    facts = [*_count("shared", len(long) - len(new))]
    facts += _count("shared earlier", len(new) - len(new.difference(*[words for words, _, _ in theirs[:-1]])))
    if ours and said:
        pairs = {*reply.pairs}
        again = max([len(pairs.intersection(earlier)) for _, earlier, _ in ours]) / max(1, len(pairs))
        facts += _count("again", again, _PAIRS_AGAIN)
        again = max([len(own.intersection(words)) for words, _, _ in ours]) / max(1, len(own))
        facts += _count("words again", again, _WORDS_AGAIN)
    if figures := {*reply.figures}:
        said_before = [earlier for _, _, earlier in theirs]
        unsaid = figures.difference(*[earlier for _, _, earlier in ours])
        older = figures.difference(heard.figures)
        facts += _count("own figures", len(figures) - len(unsaid))
        facts += _count("their figures", len(figures) - len(older))
        facts += _count("their older figures", len(older) - len(older.difference(*said_before)))
        facts += _count("new figures", len(unsaid.difference(*said_before)))
    return facts


def _case_facts(view: ReplyView, here: frozenset[When]) -> list[str]:
    """Describe the case."""
    game = view.game
    facts = sorted(str(name) for name in here - {"always", "first-message", "spoken-before"})
    facts += ["first"] if "first-message" in here else [] if "answered" in here else ["silent"]
    facts += ["upset"] if game.upset else []
    facts += ["why"] if game.wants_reason else []
    facts += [f"open {len(unsettled(game))}", *(f"turn>={n}" for n in (1, 2, 3, 5, 7) if game.turn >= n)]
    facts += [f"granted {len(granted(game))}"] if "granted" in here else []
    facts += ["agreed before"] if any(game.agreed) else []
    facts += _acts_of(view.manager_said[-1]) if view.manager_said else []
    return facts


def _acts_of(said: Utterance) -> list[str]:
    """Return what the manager's last message did, as the game knows it."""
    return [f"act {_name(act.kind, Tactic.NONE, act.detail.partition(':')[0])}" for act in said.acts]
