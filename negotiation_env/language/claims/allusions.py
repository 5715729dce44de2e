"""Where a message alludes to an event by the people, things and doings that belong to it.

"With the runners in town", "the guitar crowd brings 8% more": such a word names an event where it stands in a slot of
the sentence in which events are named, or beside the figure of demand. What kind of event it points to stands in
``events.toml``.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.files import read_toml
from negotiation_env.language.claims.talk import Span, Talk, within
from negotiation_env.language.price_vocabulary import word_set

EVENTS_PATH: Final = Path(__file__).with_name("events.toml")
_WORD: Final = re.compile(r"[a-z]+")
_SMALL: Final = word_set(
    "the a an s of in on at to and are is be their its his her from with for all our your up down have has go it"
)
_MARK: Final = re.compile(r"[.,:;!?\n]")
_JOINED: Final = re.compile(r"\b(?:spring festival|new year|may day|(?:summer|winter|spring) holidays)\b")
"""Names of events that are looked up as one word."""

# Slots. What stands before a word is searched for at its end, what stands after it is matched.
_PERIODS: Final = r"weeks?|weekends?|days|seasons?|fortnight"
_PERIOD: Final = re.compile(rf"[ -](?:{_PERIODS})\b")
_GROUP: Final = re.compile(
    r"[ -](?:crowds?|people|folks?|lot|brigade|thousands|hordes|lovers?|fans|watchers?|goers?|hunters?|lookers|peepers?"
    rf"|tribe|army|crews?|teams?|contests?|visitors|worshippers|{_PERIODS})\b"
)
_ASIDE: Final = re.compile(
    r",? (?:or (?:no|not)\b|(?:and [a-z ]{1,24})?notwithstanding\b|aside\b|out of (?:it|this)\b)"
)
_NOUNS: Final = (
    r"(?:(?:all |and )?(?:the |those |these |its |their |this |that |some )?|[a-z]+'s )(?:[a-z-]+[ -]){0,2}$"
)
_WHILE: Final = re.compile(
    r"\b(?:with|once|when|whenever|while|whilst|until|till|before|after|soon as|now|now that|by the time|if|as) "
    + _NOUNS
)
_THERE: Final = re.compile(
    r"(?:[ -][a-z]+){0,2}? (?:in town|about|around|here|come|comes|arrive|arrives|are(?! (?:down|over|gone|past|not))"
    r"|opens?|starts?|begins?|roll in|turn up|pitch up|go up|goes up|bloom|flower|fill|up|out|on|lit|off|plugged|play"
    r"|show)\b"
)
_NAMED: Final = re.compile(
    r"\b(?:(?:people|those|folks?|everyone|everybody|thousands) who"
    r"|the (?:weeks?|weekend|days|nights|season|festival|fair|fortnight) (?:of|with)"
    r"|(?:people|those|folks?|everyone|everybody|men|women|girls|boys|gentlemen|ladies|ones|thousands|crowds?|lot) "
    r"(?:who |that )?(?:in|with|on|come for|came for|comes for|here for|carrying|carry|carries|wearing)"
    rf"|ahead of|down for|here for|in town for|come for|week of) {_NOUNS}|\bor no (?:[a-z]+ )?$"
)
_CAUSE: Final = re.compile(
    r"\b(?:because of|thanks to|owing to|due to|around|round|over|during|for|despite|spite of|comes? with|come from) "
    + _NOUNS
)
_BRINGS: Final = re.compile(
    r"(?: and [a-z ]{1,20}?| [a-z]+)?(?:,[a-z ]{1,20},)?"
    r"(?: (?:do|does|will|may|might|have|has|had|can|could|would|won't|isn't|aren't|is|are|be)){0,3}"
    r" (?:bring|brings|bringing|brought|mean|means|push|pushes|pushed|draw|draws|drawing|adds?|lift|lifts|lifted|costs?"
    r"|leave|leaves|left|shows?|changes?|runs?|comes?|pulls?|[0-9]+)\b"
)
_AROUND: Final = re.compile(r"\b(?:for|around|round|during|over) (?:the|those|all the) $")
_THE: Final = re.compile(r"(?:^|[,:] ?|\b(?:and|but|that|so|then|though|as|if|meanwhile) )the (?:[a-z-]+[ -])?$")
_DOES: Final = re.compile(
    r"(?<=[sn]) (?:can|could|will|won't|may|might|must|come|came|leave|hardly|bring|mean|fill|sleep)\b"
)
"""What people do, after the word for them: "the pilgrims can find their own way"."""
_NOUN: Final = re.compile(r"\b(?:the|those|these|all|for|by) (?:[a-z-]+[ -])?$")
_NO_NAME: Final = re.compile(
    r"\b(?:your|my) (?:[a-z-]+ )?$"
    r"|\b(?:search(?:es)?|demand|interest|traffic|will|would|may|might|can|could|don't|won't) (?:[a-z]+ly )?$"
)
"""The house's own; and a word that is a verb there: "searches mushroom"."""
_VERB: Final = re.compile(r"\b(?:i|you|we) (?:[a-z-]+ )?$")
_PERCENT: Final = re.compile(
    r" ?(?:%|per ?cent\b|pct\b)|(?: [a-z]+){0,2} (?:in|out of|per|of) (?:a |one |every )?hundred\b"
    r"| (?:more|fewer|less|up|down|above|below|over|under|off|higher|lower)\b"
)
_STEP_BEFORE: Final = re.compile(r"\b(?:up|down|plus|minus|by) (?:[a-z]+ )?$")
_DEMAND: Final = re.compile(r"\b(?:search(?:es|ing|ed)?|demand|lookers|(?:more|fewer) (?:people|travellers))\b|搜")


class EventWord(NamedTuple):
    """A word that points to events of some kinds.

    Attributes:
        start: where it begins.
        end: where it ends.
        word: as ``events.toml`` has it.
        kinds: of the events.
        telling: those of which it has no other meaning.
        sure: whether it means an event of some kind, where it stands.
    """

    start: int
    end: int
    word: str
    kinds: frozenset[str]
    telling: frozenset[str]
    sure: bool


class Allusion(NamedTuple):
    """An event word that names an event by where it stands.

    Attributes:
        word: the event word.
        sentence: that it stands in.
        own: whether it is of the card's kind.
        slot: whether the words around it make a slot for events; else it is named by demand in its sentence.
        figure: whether the figure of demand stands in its sentence.
    """

    word: EventWord
    sentence: Span
    own: bool
    slot: bool
    figure: bool


class _Vocabulary(NamedTuple):
    """``events.toml`` by word; and its words, or the second ones of pairs, as they are heard."""

    named: dict[str, str]
    words: dict[str, frozenset[str]]
    heard: frozenset[str]
    telling: dict[str, frozenset[str]]
    chinese: dict[str, frozenset[str]]
    pattern: re.Pattern[str]


@cache
def _vocabulary() -> _Vocabulary:
    kinds = read_toml(EVENTS_PATH, dict[str, dict[str, str]])
    words, telling, chinese = (_kinds_by_word(kinds, *keys) for keys in (("words", "common"), ("words",), ("chinese",)))
    return _Vocabulary(
        {word: kind for kind, lists in kinds.items() for word in lists["named"].split()},
        words,
        frozenset(f"{stem}{end}" for word in words for stem, end in _heard(word.split("_")[-1])),
        telling,
        chinese,
        re.compile("|".join(sorted(chinese, key=len, reverse=True))),
    )


def _heard(word: str) -> tuple[tuple[str, str], ...]:
    """Return the stems and ends of which a word's singular and plurals consist."""
    return (word, ""), (word, "s"), (word, "es"), (word[:-1], "ies"), (word[:-2], "en")


def _kinds_by_word(kinds: dict[str, dict[str, str]], *keys: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for kind, lists in kinds.items():
        for word in " ".join(lists[key] for key in keys).split():
            found[word] = found.get(word, frozenset()) | {kind}
    return found


@lru_cache(maxsize=256)
def kinds_of(event: str) -> frozenset[str]:
    """Return the kinds of an event by its name: by the words that name kinds, else by any that belong to them."""
    named = _vocabulary().named
    low = _JOINED.sub(lambda match: match[0].replace(" ", "-"), event.lower())
    kinds = frozenset(named[form] for word in re.findall(r"[a-z-]+", low) for form in _forms(word) if form in named)
    hits = find_event_words(low)
    sure = frozenset(kind for hit in hits if hit.sure for kind in hit.kinds)
    return kinds | sure or frozenset(kind for hit in hits for kind in hit.kinds)


def _forms(word: str) -> tuple[str, ...]:
    """Return a word and what its singular may be."""
    if word[-1] != "s":
        return (word, f"{word[:-2]}an") if word.endswith("men") else (word,)
    more = (word[:-2], word[:-3] + "y") if word.endswith("es") and len(word) > 4 else ()
    return (word, word[:-1], *more)


def find_event_words(low: str) -> list[EventWord]:
    """Return the words of a message in lower case that belong to events, in order."""
    vocabulary = _vocabulary()
    found: list[EventWord] = []
    read = list(_WORD.finditer(low))
    for place, match in enumerate(read):
        if match[0] not in vocabulary.heard:
            continue
        firsts = _before(read, place)
        for form in _forms(match[0]):
            pairs = ((f"{first}_{form}", one) for one in firsts for first in _forms(one[0]))
            word, start = next((pair for pair in pairs if pair[0] in vocabulary.words), (form, match))
            if kinds := vocabulary.words.get(word):
                telling = vocabulary.telling.get(word, frozenset())
                sure = bool(telling) or _GROUP.match(low, match.end()) is not None
                found.append(EventWord(start.start(), match.end(), word, kinds, telling, sure))
                break
    if not low.isascii():
        for match in vocabulary.pattern.finditer(low):
            kinds = vocabulary.chinese[match[0]]
            found.append(EventWord(match.start(), match.end(), match[0], kinds, kinds, True))
    return found


def _before(read: list[re.Match[str]], place: int) -> list[re.Match[str]]:
    """Return what may make a pair with a word: "the" or "no" before it, and the last word that is no small one."""
    firsts: list[re.Match[str]] = []
    for match in reversed(read[max(0, place - 5) : place]):
        if _MARK.search(match.string, match.end(), read[place].start()):
            break
        if match[0] in ("the", "no") or match[0] not in _SMALL:
            firsts.append(match)
        if match[0] not in _SMALL:
            break
    return firsts


def alluded_events(talk: Talk, words: list[EventWord], own: frozenset[str]) -> list[Allusion]:
    """Return the words that name an event, in order; in a sentence that has one of the card's kinds, those alone.

    Args:
        talk: the message.
        words: its event words; those that are no event's here may be left out.
        own: the kinds of the card's event.
    """
    found: list[Allusion] = []
    for sentence, group in groupby(words, key=lambda word: talk.sentence(word.start)):
        here = [word for word in group if not _NO_NAME.search(talk.before(word.start, 24))]
        demand = _demand(talk, sentence)
        slots = [_in_slot(talk, word, demand) for word in here]
        if any(word.kinds & own and (slot or word.sure) for word, slot in zip(here, slots, strict=True)):
            found += [
                Allusion(word, sentence, True, slot, demand == 2)
                for word, slot in zip(here, slots, strict=True)
                if word.kinds & own and (slot or (word.sure and demand == 2))
            ]
            continue
        asked = talk.low[sentence.end : sentence.end + 1] == "?"
        found += [
            Allusion(word, sentence, False, slot, demand == 2)
            for word, slot in zip(here, slots, strict=True)
            if (demand == 2 and (slot or word.sure))
            or (demand and slot and word.sure)
            or (not asked and ((demand and word.sure) or (slot and word.telling)))
        ]
    return found


def _demand(talk: Talk, sentence: Span) -> int:
    """Return 2 where a sentence holds the figure of demand, 1 where it speaks of demand, else 0."""
    for number in within(talk.numbers, sentence.start, sentence.end):
        if number.value == abs(talk.card.facts.demand) and (
            _PERCENT.match(talk.low, number.end) or _STEP_BEFORE.search(talk.before(number.start, 24))
        ):
            return 2
    return int(_DEMAND.search(talk.low, sentence.start, sentence.end) is not None)


def _in_slot(talk: Talk, word: EventWord, demand: int) -> bool:
    """Return whether a word stands where an event is named, in a sentence that speaks of demand or not."""
    before, low = talk.before(word.start, 56), talk.low
    if _VERB.search(before):
        return False
    group = _GROUP.match(low, word.end) or _GROUP.search(low, word.start, word.end)
    period = _PERIOD.match(low, word.end) or _PERIOD.search(low, word.start, word.end)
    return bool(
        (group and not period)
        or _ASIDE.match(low, word.end)
        or _NAMED.search(before)
        or (low[word.end - 1] == "s" and _AROUND.search(before))
        or (_DOES.match(low, word.end) and _THE.search(before))
        or ((period or _THERE.match(low, word.end)) and _WHILE.search(before))
        or (demand and (group or _CAUSE.search(before) or _BRINGS.match(low, word.end)))
        or (demand == 2 and _NOUN.search(before))
    )
