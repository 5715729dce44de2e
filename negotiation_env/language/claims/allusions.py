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
_CROWD: Final = r"crowds?|people|folks?|lot|brigade|thousands|hordes|lovers?|fans|watchers?|goers?|hunters?|lookers|peepers?|tribe|army"
_GROUP: Final = re.compile(rf"[ -](?:{_CROWD}|weeks?|weekends?|days|seasons?|fortnight|crews?|teams?|contests?|visitors|worshippers)\b")
_PERIOD: Final = re.compile(r"[ -](?:weeks?|weekends?|days|seasons?|fortnight)\b")
_ASIDE: Final = re.compile(r",? (?:or (?:no|not)\b|(?:and [a-z ]{1,24})?notwithstanding\b|aside\b|out of (?:it|this)\b)")
_NOUNS: Final = r"(?:(?:all |and )?(?:the |those |these |its |their |this |that |some )?|[a-z]+'s )(?:[a-z-]+[ -]){0,2}$"
_WITH: Final = re.compile(rf"\bwith {_NOUNS}")
_TIME: Final = re.compile(rf"\b(?:once|when|whenever|while|whilst|until|till|before|after|soon as|now|now that|by the time|if|as) {_NOUNS}")
_THERE: Final = re.compile(
    r"(?:[ -][a-z]+){0,2}? (?:in town|about|around|here|come|comes|arrive|arrives|are(?! (?:down|over|gone|past|not))|open|opens|start|starts|begin|begins"
    r"|roll in|turn up|pitch up|go up|goes up|bloom|flower|fill|up|out|on|lit|off|plugged|play|show)\b"
)
_NAMED: Final = re.compile(
    rf"\b(?:people|those|folks?|everyone|everybody|thousands) who {_NOUNS}"
    rf"|\bthe (?:weeks?|weekend|days|nights|season|festival|fair|fortnight) (?:of|with) {_NOUNS}"
    rf"|\b(?:people|those|folks?|everyone|everybody|men|women|girls|boys|gentlemen|ladies|ones|thousands|crowds?|lot) "
    rf"(?:who |that )?(?:in|with|on|come for|came for|comes for|here for|carrying|carry|carries|wearing) {_NOUNS}"
    rf"|\b(?:ahead of|down for|here for|in town for|come for|week of) {_NOUNS}|\bor no (?:[a-z]+ )?$"
)
_CAUSE: Final = re.compile(
    rf"\b(?:because of|thanks to|owing to|due to|around|round|over|during|for|despite|spite of|comes? with|come from) {_NOUNS}"
)
_BRINGS: Final = re.compile(
    r"(?: and [a-z ]{1,20}?| [a-z]+)?(?:,[a-z ]{1,20},)?(?: (?:do|does|will|may|might|have|has|had|can|could|would|won't|isn't|aren't|is|are|be))*"
    r" (?:bring|brings|bringing|brought|mean|means|push|pushes|pushed|draw|draws|drawing|add|adds|lift|lifts|lifted|cost|costs|leave|leaves|left"
    r"|show|shows|change|changes|run|runs|come|comes|pull|pulls|[0-9]+)\b"
)
_THE: Final = re.compile(r"(?:^|[,:] ?|\b(?:and|but|that|so|then|though|as|if|meanwhile) )the (?:[a-z-]+[ -])?$")
_SUBJECT: Final = re.compile(r" (?:can|could|will|won't|may|might|must|come|came|leave|hardly|bring|mean|fill|sleep)\b")
_NOUN: Final = re.compile(r"\b(?:the|those|these|all|for|by) (?:[a-z-]+[ -]){0,1}$")
_PERCENT: Final = re.compile(
    r" ?(?:%|per ?cent\b|pct\b)|(?: [a-z]+){0,2} (?:in|out of|per|of) (?:a |one |every )?hundred\b"
    r"| (?:more|fewer|less|up|down|above|below|over|under|off|higher|lower)\b"
)
_STEP_BEFORE: Final = re.compile(r"\b(?:up|down|plus|minus|by) (?:[a-z]+ )?$")
_DEMAND: Final = re.compile(r"\b(?:search(?:es|ing|ed)?|demand|lookers|(?:more|fewer) (?:people|travellers))\b|搜")
_OWNED: Final = re.compile(r"\b(?:your|my|his|her|i|you|we) (?:[a-z-]+ )?$")


_JOINED: Final = re.compile(r"\b(?:spring festival|new year|may day|(?:summer|winter|spring) holidays)\b")


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
    seconds: frozenset[str]
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
        frozenset(word.split("_")[1] for word in words if "_" in word),
        frozenset(word for lists in kinds.values() for word in lists["words"].split()),
        chinese,
        re.compile("|".join(sorted(chinese, key=len, reverse=True))),
    )


def kinds_of(event: str) -> frozenset[str]:
    """Return the kinds of an event by its name: by the words that name kinds, else by any that belong to them."""
    named = _vocabulary().named
    low = _JOINED.sub(lambda match: match[0].replace(" ", "-"), event.lower())
    kinds = frozenset(named[form] for word in re.findall(r"[a-z-]+", low) for form in _forms(word) if form in named)
    hits = find_allusions(low)
    sure = frozenset(kind for hit in hits if hit.sure for kind in hit.kinds)
    return kinds | sure or frozenset(kind for hit in hits for kind in hit.kinds)


def _forms(word: str) -> tuple[str, ...]:
    if word[-1] != "s":
        return (word,)
    return (word, word[:-1], word[:-2], word[:-3] + "y") if word.endswith("es") and len(word) > 4 else (word, word[:-1])


def find_allusions(low: str) -> list[Allusion]:
    """Return the words of a message in lower case that belong to events, in order."""
    vocabulary = _vocabulary()
    words, seconds = vocabulary.words, vocabulary.seconds
    found: list[Allusion] = []
    near: tuple[re.Match[str], ...] = ()  # the last word that is no small one, and "the" or "no" after it
    for match in _WORD.finditer(low):
        forms = _forms(match[0])
        for form in forms:
            pair = None
            if form in seconds:
                pair = next(((f"{f}_{form}", m) for m in near for f in _forms(m[0]) if f"{f}_{form}" in words), None)
            word, first = pair or (form, match)
            if kinds := words.get(word):
                sure = word in vocabulary.sure or _GROUP.match(low, match.end()) is not None
                found.append(Allusion(first.start(), match.end(), word, kinds, sure))
                break
        if match[0] in ("the", "no"):
            near = (*near, match)
        elif match[0] not in _SMALL:
            near = (match,)
    if not low.isascii():
        for match in vocabulary.pattern.finditer(low):
            found.append(Allusion(match.start(), match.end(), match[0], vocabulary.chinese[match[0]], True))
    return found


def in_figure(talk: Talk, at: int) -> int:
    """Return 2 where the sentence of a place holds the figure of demand, 1 where it speaks of demand, else 0."""
    sentence = talk.sentence(at)
    for number in talk.numbers:
        if sentence.start <= number.start < sentence.end and number.value == abs(talk.card.facts.demand):
            if _PERCENT.match(talk.low, number.end) or _STEP_BEFORE.search(talk.before(number.start, 24)):
                return 2
    return int(_DEMAND.search(talk.low, sentence.start, sentence.end) is not None)


def in_slot(talk: Talk, hit: Allusion, figure: int) -> bool:
    """Return whether a word stands where an event is named."""
    before, low = talk.before(hit.start, 56), talk.low
    if _OWNED.search(before):
        return False
    group = _GROUP.match(low, hit.end) or _GROUP.search(low, hit.start, hit.end)
    period = _PERIOD.match(low, hit.end) or _PERIOD.search(low, hit.start, hit.end)
    there = _THERE.match(low, hit.end) or period
    if (group and not period) or _ASIDE.match(low, hit.end) or _NAMED.search(before):
        return True
    if low[hit.end - 1] == "s" and _SUBJECT.match(low, hit.end) and _THE.search(before):
        return True
    if there and (_WITH.search(before) or _TIME.search(before)):
        return True
    return figure > 0 and bool(group or _CAUSE.search(before) or _BRINGS.match(low, hit.end) or (figure == 2 and _NOUN.search(before)))
