"""Claims about what goes on at the time of the stay: the fair, the festival, the holidays that the card names.

An event is named, or alluded to by the people, things and doings that belong to it: "with the runners in town", "the
guitar crowd brings 8% more". Such a word names an event where it stands in a slot of the sentence in which events are
named, or beside the figure of demand. What kind of event it points to stands in ``events.toml``.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.files import read_toml
from negotiation_env.language.claims.talk import PATTERNS, WORDS, Claim, Span, Talk, within
from negotiation_env.language.price_vocabulary import word_set

_NAME: Final = (
    r"(?:(?!the |your |our |this |that |a |an |for |of |in |and |to |at |around |round |during |next |no |my |by |her |"
    r"his |their |its |with |before |after |when |until |is |are |like |every |each |because |little |big "
    r"|whole |those |"
    r"these |says? |on |over |from |as |than |but |so |if |while |any |some |one |two |three )"
    r"[a-z]{1,20}(?:-[a-z]{1,20}){0,2}[ -]){0,2}?"
)
_HEADS: Final = (
    r"fairs?|festivals?|marathons?|holidays?|vacations?|carnival|regatta|races?|expos?|exhibition|parade|congress|"
    r"concerts?|tournament|conference|summit|derby|convention|championships?|symposium|pageant|procession|"
    r"jubilee|fireworks|pilgrimage|harvest"
)
_SEASONS: Final = (
    r"(?:leaf|leaves(?! (?:search|interest|crowd|traffic|demand))"
    r"|foliage|blossom|cherry|plum|harvest|ski|gull|rains?|tours?|study tours?|exams?|lantern|music|boat|"
    r"crab|tea|lotus|snow|ice|sailing|kite|beer|wine|flower|peony|orchid|osmanthus|ginkgo|maple|lychee|dragon boat|"
    r"jazz|film|opera|firework|marathon|rapeseed|graduation|food|festival|holiday)"
)
_LOOKED_FOR: Final = r"searches|search|interest|crowds?|traffic|demand"
_DAYS: Final = (
    r"(?:national day|labou?r day|may day|golden week|qingming|tomb[- ]sweeping(?: day)?|lunar new year|"
    r"chinese new year|new year(?:'s(?: eve| day)?)?|christmas|mid-autumn|dragon boat(?: day)?|double ninth)"
)
_EVENT: Final = re.compile(
    rf"\b(?P<name>{_NAME})(?P<head>{_HEADS})\b"
    rf"|\b(?P<of>(?:autumn |spring |red )?{_SEASONS})[ -](?P<season>seasons?|weeks?|weekend|days|time|{_LOOKED_FOR})\b"
    r"|\b(?:for|around|round|during|over) the (?P<alone>leaves|blossoms?|lanterns|gulls|exams)\b"
    rf"|\b(?:for|around|round|during|over) (?:the )?(?P<day>{_DAYS})\b"
    r"(?! (?:fairs?|festivals?|holidays?|races?|regatta|seasons?|weeks?|weekend|days|time))"
    rf"|\b(?P<day_of>{_DAYS}) (?:{_LOOKED_FOR})\b"
    r"|\bsearches (?:for|in|round|around|during|over) the "
    rf"(?!(?:[a-z-]+ )?(?:{_HEADS})\b)(?P<looked>(?:[a-z-]+ )?[a-z-]+)"
    r"(?= (?:are|is|run|runs|stand|sit|have|were|stay|down|up)\b)"
    r"|(?P<chinese>红叶|樱花|梅花(?=季|节)|油菜花|音乐(?=[节周季会])|美食|马拉松|交易会|博览会|展销会|暑假|寒假|国庆|(?<![一二三四五六七八九十百])五一(?![一二三四五六七八九十百、，])|中秋|春节|元宵|灯会|龙舟|红嘴鸥|火把节|学生假)"
    r"(?:节|季|周|假期|那几天|那阵|那段|期间)?"
)
_CHINESE: Final = WORDS["chinese_events"]
_NO_EVENTS: Final = word_set(WORDS["events"]["no_events"])
_PLAIN: Final = word_set(WORDS["events"]["plain"])
_EVENT_WORDS: Final = word_set(WORDS["events"]["event_words"])
_KINDS: Final = word_set(WORDS["events"]["kinds"])
_NO_DAYS: Final = word_set(WORDS["events"]["no_days"])
_HOLIDAYS: Final = (
    (re.compile(r"spring[ -]festival|lunar|new year|春节"), ((1, 1), (2, 28))),
    (re.compile(r"christmas|new year"), ((12, 18), (12, 31))),
    (re.compile(r"qingming|tomb"), ((4, 1), (4, 8))),
    (re.compile(r"dragon boat|端午"), ((5, 25), (6, 28))),
    (re.compile(r"may|labou?r|golden|五一"), ((4, 26), (5, 7))),
    (re.compile(r"mid-autumn|中秋"), ((9, 8), (10, 9))),
    (re.compile(r"national|golden|国庆"), ((9, 26), (10, 10))),
)
"""Holidays of the whole country, and the first and the last day around which they may be spoken of in any house."""
_NO_HOLIDAY: Final = timedelta(days=7)
_GENERIC: Final = frozenset(
    ("holiday", "vacation", "festival", "fair", "season", "expo", "tour", "exam", "rain", "harvest")
)
_GIVEN: Final = re.compile(r"(?:\b(?:the|an?|this|that|your|our)|'s) $")
_ADJECTIVE: Final = re.compile(
    r"(?:y|ous|ful|ing|ed|ish|able|ible|ic|less|est|er)$|^(?:only|poor|happy|famous|grand|same|usual|annual|local|actual|"
    r"entire|real|main|old|huge|loud|wretched|damned|blessed|dear|own|whole|current|next|present|said)$"
)
_ONLY_EVENTS: Final = word_set(WORDS["events"]["only_events"])
_HOUSE_AFTER: Final = re.compile(r"(?: [a-z]+)? (?:hotel|inn|court|resort|lodge|guest ?house)\b")
_NONE: Final = re.compile(r"\b(?:no|not an?|without an?|isn't an?|any) $")
"""Before an event that there is not: "no festival at your end"."""
_NO_EVENT_BEFORE: Final = re.compile(
    r"\b(?:happy|nice|good|enjoy (?:your|the)|your|my|his|her|their|on|a|an|bank|only|more|than|is|was|be|be a|seems?|"
    r"it's|that's|sounds?|not|as|too|so|very|quite|call it|hardly|pretty)(?: [a-z]+)? $"
)
_NO_EVENT_AFTER: Final = re.compile(
    r"(?:,? enough|,? and square| price| figure| deal| point| question| answer| share| trade|-minded| rates?\b"
    r"| lists?\b|"
    r"ly\b| to (?:you|me|us|both|him|her)| against| between| by)"
)
_SEASON: Final = re.compile(r"\b(?:spring|summer|autumn|winter)\b(?! festival)")
_OF_FAIR: Final = re.compile(
    r"(?:the|this|that|your|our|city's|town's|every|last) (?:(?:winter|spring|summer|autumn|big|local|city) )?fair"
    r"|(?<!both )fair(?:[ -]?(?:weeks?|days?|search\w*|demand|times?|crowds?|guests?|visitors?|people|folk|traffic|"
    r"nights?|dates?|season|goers?|halls?|stands?|grounds?|rush|peak|weekends?|months?|opens?|begins?|starts?|ends?|"
    r"brings?|draws?|fills?|runs?|lifts?|pulls?|is on|comes?|in town)|s)\b"
)
_LONG_AGO: Final = PATTERNS["long_ago"]
_BESIDE: Final = re.compile(r"\b(?:before|after|outside|ahead of|next to|until) (?:the )?$")
_PERCENT: Final = re.compile(r"%|per ?cent\b")
_DEMAND: Final = re.compile(r"%|per ?cent|\b(?:demand|search|searches|busy|busier|town|people|guests|fills?)\b")
_TELLING: Final = re.compile(
    r"\b(?:around|round|during|for|over|because of|thanks to|with|by|before|after|in|into|outside"
    r"|until) (?:the |these |those )?$"
    r"|\b(?:the|this|your) $"
    r"|^ ?$|[.?!:,;\"] ?$"
)

_AT_THE_TIME: Final = re.compile(
    r"\b(?:in town|coming up|around the corner|(?:that|those|your) (?:week|weekend|days|nights|dates))\b"
)


def event_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each event that is named; one that was spoken of before is not accused."""
    event = talk.card.facts.event
    known = _roots(event)
    city = talk.card.hotel.city.lower()
    found: list[Claim] = []
    spans: list[tuple[int, int]] = []
    own, hits = kinds_of(event), find_event_words(talk.low)
    for match in _EVENT.finditer(talk.low):
        spans.append(match.span())
        words, generic = _said(match)
        if generic and (unlisted := _unlisted(match)) and _GIVEN.search(talk.before(match.start(), 8)):
            words, generic = unlisted, False
        true = bool(words & known) or _is_of_kind(words, match, hits, own, known)
        true = true and not _is_other_season(match[0], talk)
        if not words or (generic and not true and _is_plain(talk, match)):
            continue
        if not true and match[0].startswith("s ") and not talk.before(match.start(), 24).endswith(f"{city}'"):
            continue  # "the season's festivals", but not "Harbin's marathon"
        if not true and _NONE.search(talk.before(match.start(), 12)):
            continue
        sentence = talk.sentence(match.start())
        clause = max(sentence.start, *(talk.low.rfind(mark, sentence.start, match.start()) for mark in ":;"))
        # A figure beside it is the card's, of the searches for its event.
        told = _PERCENT.search(talk.low, clause, sentence.end) is not None
        unsure = not (true or words & known) and (generic or match["chinese"] or not told)
        if unsure and _is_public(talk, match[0], generic):
            continue
        beside = _BESIDE.search(talk.before(match.start(), 24)) and not told
        other = _LONG_AGO.search(talk.low, clause, sentence.end) or beside
        adjective = match["head"] in ("fair", "fairs", "race", "races") and not (
            talk.before(match.start(), 6).endswith(("the ", "this ", "that ", "your ", "our "))
            or words & _EVENT_WORDS - {"marathon"}
            or (match["head"].startswith("fair") and _is_fair(talk, match, sentence.start))
        )
        if not true and (other or adjective):
            continue
        if true or not _was_named((words & known and frozenset(_SEASON.findall(match[0]))) or words, talk):
            found.append(talk.claim("event", match, talk.low[match.start() : match.end()], event, true))
    return [*found, *_alluded_claims(talk, hits, own, found, spans)]


def _is_of_kind(
    words: frozenset[str], match: re.Match[str], hits: list[EventWord], own: frozenset[str], known: frozenset[str]
) -> bool:
    """Return whether an event is named by another word for the card's: "the exhibition" for a trade fair.

    A word that tells it from others of its kind must be of the kind too, and the card's be no special one: the tea
    weeks are no harvest of rice.
    """
    telling = {h.word for h in hits if h.telling & own and h.start < match.end() and match.start() < h.end}
    special = (words - {_root(match["head"] or "")}) & _EVENT_WORDS
    return bool(telling) and (not special or (special <= telling and not known & _EVENT_WORDS - _PLAIN - _KINDS))


def _alluded_claims(
    talk: Talk, hits: list[EventWord], own: frozenset[str], found: list[Claim], spans: list[tuple[int, int]]
) -> list[Claim]:
    """Return a claim for each sentence that alludes to an event without a name for it."""
    card = talk.card
    houses = (card.hotel.name, card.facts.competitor_name, *(ticket.room for ticket in card.tickets))
    names = frozenset(" ".join(houses).lower().split())
    words = [
        hit._replace(kinds=frozenset()) if _is_other_season(talk.low[hit.start : hit.end], talk) else hit
        for hit in hits
        if talk.low[hit.start : hit.end] not in names and not _HOUSE_AFTER.match(talk.low, hit.end)
    ]
    more: dict[int, Claim] = {}
    for word, sentence, true, slot, figure in alluded_events(talk, words, own) if own else ():
        if sentence.start in more or any(start < word.end and word.start < end for start, end in spans):
            continue
        named = not slot and any(sentence.start <= claim.start < sentence.end for claim in found)
        # The searches' figure, or that it goes on at the time, tells that another event is meant for the card's.
        told = figure or _AT_THE_TIME.search(talk.low, sentence.start, sentence.end) is not None
        if true or (told and not named and not _was_spoken_of(word.word, talk)):
            said = talk.low[word.start : word.end]
            more[sentence.start] = talk.claim("event", word, said, card.facts.event, true)
    return list(more.values())


def _was_spoken_of(word: str, talk: Talk) -> bool:
    """Return whether a word that alludes to an event, or one of its root, was said before."""
    if not word.isascii():
        return word in talk.earlier_low
    roots = tuple(part[: max(4, len(part) - 2)].rstrip("s") for part in word.split("_") if len(part) > 3)
    return any(said.startswith(roots) for said in talk.earlier_words)


def _is_other_season(said: str, talk: Talk) -> bool:
    """Return whether an event is said to be of one season where the card has it in another: "the autumn fair"."""
    event = talk.card.facts.event.lower()
    named, own = (set(_SEASON.findall(text.lower())) for text in (said, event))
    if not own and "school" in event:
        months = {ticket.check_in.month for ticket in talk.card.tickets}
        own = {"summer"} if months <= {6, 7, 8} else {"winter"} if months <= {12, 1, 2} else set()
    return bool(named) and bool(own) and not named & own


def _was_named(words: frozenset[str], talk: Talk) -> bool:
    """Return whether one of the words that tell an event was said before."""
    return any(re.search(rf"\b{re.escape(word)}s?\b", talk.earlier_low) for word in words)


def _is_fair(talk: Talk, match: re.Match[str], start: int) -> bool:
    """Return whether "fair" is an event by where it stands in the sentence that begins at ``start``."""
    telling = match.start() == start or _TELLING.search(talk.before(match.start(), 24))
    return bool(telling or _OF_FAIR.search(talk.low, max(0, match.start() - 6), match.end() + 12))


def _root(word: str) -> str:
    kinds = {"leaf": ("leaves", "foliage"), "marathon": ("races", "race", "runners"), "music": ("concerts", "concert")}
    return next((kind for kind, words in kinds.items() if word in words), word.removesuffix("s"))


@lru_cache(maxsize=256)
def _roots(event: str) -> frozenset[str]:
    """Return the words of an event's name without a plural's s."""
    low = event.lower()
    roots = frozenset(_root(word) for word in (*re.findall(r"[a-z]+(?:-[a-z]+)?", low), *re.findall(r"[a-z]+", low)))
    if "spring festival" in low:
        roots |= {"lunar", "year", "lantern"}
    return roots | {"holiday"} if any(name.search(low) for name, _ in _HOLIDAYS) else roots


def _is_public(talk: Talk, said: str, generic: bool) -> bool:
    """Return whether holidays are those of the whole country, or may be, at the time of a stay."""
    unnamed = generic and "holiday" in said
    for name, ((month, day), (last_month, last_day)) in _HOLIDAYS:
        for ticket in talk.card.tickets if unnamed or name.search(said) else ():
            first, last = date(ticket.check_in.year, month, day), date(ticket.check_in.year, last_month, last_day)
            if ticket.check_in - _NO_HOLIDAY <= last and first <= ticket.check_out + _NO_HOLIDAY:
                return True
    return False


def _said(match: re.Match[str]) -> tuple[frozenset[str], bool]:
    """Return the words that tell an event, and whether it is only called a fair, a festival or the holidays."""
    if match["chinese"]:
        return frozenset(map(_root, _CHINESE[match["chinese"]].split())), False
    if match["alone"]:
        return frozenset((_root(match["alone"]),)), False
    if day := match["day"] or match["day_of"]:
        return frozenset(map(_root, re.split("[ -]", day))) - _NO_DAYS, False
    if match["looked"]:
        words = frozenset(map(_root, match["looked"].split()))
        return words - _PLAIN - _NO_DAYS, bool(words & (_NO_EVENTS | _PLAIN))
    if match["of"]:
        return frozenset(map(_root, match["of"].split())) - _PLAIN, False
    words = frozenset(_root(word) for word in re.findall(r"[a-z]+(?:-[a-z]+)?", match["name"])) - _PLAIN
    words |= frozenset(part for word in words for part in word.split("-"))
    head = _root(match["head"])
    if words & _EVENT_WORDS:
        return words, False
    return frozenset((head,)), head in _GENERIC


def _unlisted(match: re.Match[str]) -> frozenset[str]:
    """Return the words that tell a fair or a festival from others though no list has them: "the job fair"."""
    words = frozenset(_root(word) for word in re.findall(r"[a-z]+(?:-[a-z]+)?", match["name"] or "")) - _PLAIN
    return frozenset(word for word in words if len(word) > 2 and not _ADJECTIVE.search(word))


def _is_plain(talk: Talk, match: re.Match[str]) -> bool:
    """Return whether "fair", "holiday" or "race" by itself is no event: "fair enough", "on holiday"."""
    return (
        _NO_EVENT_BEFORE.search(talk.before(match.start(), 24)) is not None
        or _NO_EVENT_AFTER.match(talk.low, match.end()) is not None
        or (
            match["head"] not in _ONLY_EVENTS
            and _TELLING.search(talk.before(match.start(), 24)) is None
            and not _DEMAND.search(talk.low, *talk.sentence(match.start()))
        )
        or (match["head"] == "fair" and not _OF_FAIR.search(talk.low, max(0, match.start() - 7), match.end() + 12))
    )


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
_SHARE: Final = re.compile(
    r" ?(?:%|per ?cent\b|pct\b)|(?: [a-z]+){0,2} (?:in|out of|per|of) (?:a |one |every )?hundred\b"
    r"| (?:more|fewer|less|up|down|above|below|over|under|off|higher|lower)\b"
)
_STEP_BEFORE: Final = re.compile(r"\b(?:up|down|plus|minus|by) (?:[a-z]+ )?$")
_SEARCHES: Final = re.compile(r"\b(?:search(?:es|ing|ed)?|demand|lookers|(?:more|fewer) (?:people|travellers))\b|搜")


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
            _SHARE.match(talk.low, number.end) or _STEP_BEFORE.search(talk.before(number.start, 24))
        ):
            return 2
    return int(_SEARCHES.search(talk.low, sentence.start, sentence.end) is not None)


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
