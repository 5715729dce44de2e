"""Promises that a scenario allows in words of its own ("a welcome drink for every guest"), found in a message.

Readers know the promises that they were made with. One that a scenario brings is made by a sentence that holds its
content words, negates nothing and asks nothing; what the reader took that sentence for instead is read without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.reading import Context, Reader, Reading

_SENTENCE: Final = re.compile(r"[^.!?;\n。！？；]+[.!?;\n。！？；]*")
_WORD: Final = re.compile(r"[a-z0-9]+|[^\W\d_a-z]")
_NEGATED: Final = re.compile(r"\b(?:not|never|no|cannot|without|unable)\b|n['’]t\b|[不没]")
_EMPTY: Final = word_set(
    "a an the of for in on at to and or with by from per each every all any our your their his her its we you they it "
    "is are be will can one"
)
_STEM: Final = 5
"""Letters that two forms of a word share: "guest" and "guests", "breakfasts" and "breakfast"."""


@lru_cache(maxsize=256)
def has_own_promises(promises: tuple[str, ...]) -> bool:
    """Whether any of a card's promises is none of the world's."""
    return any(promise not in world.PROMISES for promise in promises)


def with_own_promises(meant: Reading, text: str, context: Context, reader: Reader) -> Reading:
    """Return a message's reading with the promises of the card's own words that it makes."""
    sentences = _SENTENCE.findall(text.lower())
    own = [promise for promise in context.promises if promise not in world.PROMISES]
    made = {promise: [s for s in sentences if _makes(s, promise)] for promise in own}
    found = [DialogueAct(Act.PROMISE, detail=promise) for promise in own if made[promise]]
    if not found:
        return meant
    if any(_is_foreign(act, context) for act in meant.acts):
        said = {sentence for sentences_of_one in made.values() for sentence in sentences_of_one}
        rest = "".join(sentence for sentence in sentences if sentence not in said)
        (left,) = reader.read([rest], [context])
        over = [act for act in left.acts if _is_foreign(act, context)]
    else:
        over = []
    acts = [act for act in meant.acts if not _is_foreign(act, context) and act.kind is not Act.OFF_TOPIC]
    return meant._replace(acts=(*acts, *found, *over))


def _is_foreign(act: DialogueAct, context: Context) -> bool:
    """Whether an act promises what the card does not allow."""
    return act.kind is Act.PROMISE and act.detail not in context.promises


def _makes(sentence: str, promise: str) -> bool:
    """Whether a sentence in lower case promises this."""
    if "?" in sentence or "？" in sentence or _NEGATED.search(sentence):
        return False
    stems = {word[:_STEM] for word in _WORD.findall(sentence)}
    return _content(promise) <= stems


@lru_cache(maxsize=256)
def _content(promise: str) -> frozenset[str]:
    """Return the beginnings of a promise's content words; all of its words where it has no other."""
    words: Sequence[str] = _WORD.findall(promise.lower())
    return frozenset(word[:_STEM] for word in words if word not in _EMPTY) or frozenset(word[:_STEM] for word in words)
