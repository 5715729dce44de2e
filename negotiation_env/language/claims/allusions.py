"""What a message alludes to: the people, things and doings of an event, named where an event is named.

"With the runners in town", "the guitar crowd brings 8% more": which kind of event such words point to stands in
``events.toml``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.files import read_toml
from negotiation_env.language.claims.talk import Span, Talk

EVENTS_PATH: Final = Path(__file__).with_name("events.toml")
_WORD: Final = re.compile(r"[a-z]+")
_SMALL: Final = frozenset(
    "the a an s of in on at to and are is be their its his her from with for all our your up down have has go it".split()
)
_GROUP: Final = re.compile(
    r"(?:[ -][a-z]+)?[ -](?:crowds?|people|folks?|lot|brigade|thousands|hordes|lovers?|fans|watchers?|goers?|hunters?"
    r"|lookers|peepers?|weeks?|weekends?|days|seasons?|fortnight|crews?|teams?|shows?|stalls?|tents?|contests?|parades?"
    r"|champions\w*|types|tribe|army|visitors|shoppers)\b"
)
_OR_NO: Final = re.compile(r"s? or no\b|(?:,| and [a-z ]{1,24})? notwithstanding\b")
_NO_BEFORE: Final = re.compile(r"\bor no (?:[a-z]+ )?$")
_NOUNS: Final = r"(?:(?:the|all|those|these|our|its|their|all the|all those|city's|town's) )?(?:[a-z-]+[ -]){0,2}$"
_WITH: Final = re.compile(rf"\bwith {_NOUNS}")
_TIME: Final = re.compile(
    rf"\b(?:once|when|whenever|while|whilst|until|till|before|after|as soon as|now|now that|by the time|if|as) {_NOUNS}"
)
_WEEK_OF: Final = re.compile(rf"\b(?:weeks?|weekends?|days|season|festival|fair|fortnight) (?:of|with) {_NOUNS}")
_THERE: Final = re.compile(
    r"[a-z]*(?:[ -][a-z]+){0,2}? (?:in town|about|around|here|are|is|come|comes|arrive|arrives|open|opens|start|starts|begin|begins"
    r"|roll|turn up|pitch up|go up|goes up|pass|bloom|fill|up|out|lit|home)\b"
)
_PERCENT: Final = re.compile(r" ?(?:%|per ?cent\b|pct\b)|(?: [a-z]+){0,2} (?:in|out of|per|of) (?:a |one |every )?hundred\b")
_STEP: Final = re.compile(r" (?:more|fewer|less|up|down|above|below|over|under|off|higher|lower)\b")
_STEP_BEFORE: Final = re.compile(r"\b(?:up|down|plus|minus|by) (?:[a-z]+ )?$")
_OWNED: Final = re.compile(r"\b(?:your|my|his|her|i|you|we) (?:[a-z-]+ )?$")


class Allusion(NamedTuple):
    """A word that points to events of some kinds.

    Attributes:
        start: where it begins.
        end: where it ends.
        word: as ``events.toml`` has it.
        kinds: of the events.
        sure: whether it has no everyday meaning there.
    """

    start: int
    end: int
    word: str
    kinds: frozenset[str]
    sure: bool


class _Vocabulary(NamedTuple):
    named: dict[str, str]
    words: dict[str, frozenset[str]]
    sure: frozenset[str]
    chinese: dict[str, frozenset[str]]
    pattern: re.Pattern[str]


@cache
def _vocabulary() -> _Vocabulary:
    kinds = read_toml(EVENTS_PATH, dict[str, dict[str, str]])
    words: dict[str, frozenset[str]] = {}
    chinese: dict[str, frozenset[str]] = {}
    for kind, lists in kinds.items():
        for found, keys in ((words, ("words", "common")), (chinese, ("chinese",))):
            for word in " ".join(lists[key] for key in keys).split():
                found[word] = found.get(word, frozenset()) | {kind}
    return _Vocabulary(
        {word: kind for kind, lists in kinds.items() for word in lists["named"].split()},
        words,
        frozenset(word for lists in kinds.values() for word in lists["words"].split()),
        chinese,
        re.compile("|".join(sorted(chinese, key=len, reverse=True))),
    )


def kinds_of(event: str) -> frozenset[str]:
    """Return the kinds of an event by its name."""
    named = _vocabulary().named
    low = re.sub(r"spring festival|new year|mid-autumn|may day", lambda match: match[0].replace(" ", "-"), event.lower())
    return frozenset(named[word] for word in re.findall(r"[a-z-]+", low) if word in named)


def _forms(word: str) -> tuple[str, ...]:
    if not word.endswith("s"):
        return (word,)
    return (word, word[:-1], word[:-2], word[:-3] + "y") if word.endswith("es") else (word, word[:-1])


def find_allusions(low: str) -> list[Allusion]:
    """Return the words of a message in lower case that belong to events, in order."""
    vocabulary = _vocabulary()
    found: list[Allusion] = []
    near, last = [], ""  # the last word but for small ones; the last one
    place = 0
    for match in _WORD.finditer(low):
        forms = _forms(match[0])
        pairs = [(f"{first}_{second}", start) for first, start in near for second in forms]
        for word, start in [*pairs, *((form, match.start()) for form in forms)]:
            if kinds := vocabulary.words.get(word):
                sure = word in vocabulary.sure or _GROUP.match(low, match.end()) is not None
                found.append(Allusion(start, match.end(), word, kinds, sure))
                break
        if match[0] not in _SMALL:
            near = [(form, match.start()) for form in forms]
        elif match[0] == "the":
            near = [*near, ("the", match.start())]
    if not low.isascii():
        for match in vocabulary.pattern.finditer(low):
            found.append(Allusion(match.start(), match.end(), match[0], vocabulary.chinese[match[0]], True))
    return found


def in_figure(talk: Talk, at: int) -> bool:
    """Return whether the sentence of a place holds the figure of demand."""
    sentence = talk.sentence(at)
    for number in talk.numbers:
        if sentence.start <= number.start < sentence.end and number.value == abs(talk.card.facts.demand):
            if _PERCENT.match(talk.low, number.end) or _STEP.match(talk.low, number.end) or _STEP_BEFORE.search(talk.before(number.start, 24)):
                return True
    return False


def in_slot(talk: Talk, hit: Allusion) -> bool:
    """Return whether a word stands where an event is named."""
    before = talk.before(hit.start, 48)
    if _OWNED.search(before):
        return False
    low = talk.low
    return bool(
        _GROUP.match(low, hit.end)
        or _OR_NO.match(low, hit.end)
        or _NO_BEFORE.search(before)
        or _WEEK_OF.search(before)
        or ((_WITH.search(before) or _TIME.search(before)) and _THERE.match(low, hit.end))
    )
