"""The language rater: how a reply is said. A linguist's view, by pattern and by counting; no language model.

It looks at word order, slips of grammar, repetition, length and sentences, register, comfort for an upset manager,
mixing of languages, and whether the reply speaks to the manager at all. It knows the dialogue's words and the manager's
mood as said aloud; it knows no prices, no floors and no business rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from benchmarks.raters.rating import DialogueRating, Finding, ReplyRating, Skill, of_replies, rate_reply
from benchmarks.raters.situation import Situation
from benchmarks.raters.word_order import clashes
from benchmarks.raters.wordlists import Reading, find, pattern

NAME: Final = "language"
START: Final = 4.0
"""A plain sentence without faults."""
MERITS: Final = 3
"""Merits from which a faultless reply is excellent."""
LONG, FAR_TOO_LONG, RUN_ON = 80, 140, 38
"""Words of a reply, and of a sentence, from which it is hard to read in a chat."""
SAME_SHAPE, SAME_WORDS = 0.72, 0.55
"""Share of common word triples from which a reply repeats an earlier one, or echoes the manager."""
OPINIONS: Final = (Skill.FLUENCY, Skill.SCOPE)

_SLIPS: Final = re.compile(
    r"\b(?:he|she|it) (?:have|do|are)\b|\bi (?:is|are|has|were|does)\b|"
    r"\b(?:(?<!on )(?<!for )(?<!to )(?<!with )(?<!from )you|we|they) (?:is|was|has|am|does)\b|"
    r"\b(?:can|could|will|would|should|must|might) (?:to|of|is|are|has|had|was)\b|"
    r"\b(?:can|could|will|would|should|must) (?!need|feed|proceed|exceed|succeed|bring|heed)[a-z]{2,}(?:ed|ing)\b|"
    r"\b(?:dont|doesnt|cant|wont|isnt|didnt|couldnt|wouldnt|im|ive|youre|theyre)\b|"
    r"\bmore (?:better|cheaper|lower|higher)\b|\b(?:informations|advices|feedbacks|discounts rate|an other)\b|"
    r"\b(?:didn't|doesn't|don't|did not|does not) [a-z]{2,}(?<!need)(?<!proceed)ed\b|\b(?:much|very) many\b"
)
_LABEL: Final = re.compile(
    r"^\W*(?:agent|assistant|manager|hotel|user|system|me|you|bd|response|answer|reply)\b[^a-z]{0,3}:", re.M
)
_MARKUP: Final = re.compile(r"\*\*|^#+ |^\s*(?:[-*•]|\d+[.)])\s+\S|`|</?[a-z]+>|\|\s", re.M)
_BLANK: Final = re.compile(r"[\[<{][^\]>}\n]{2,30}[\]>}]|_{3,}|\bxx+\b")
_SCRIPT: Final = re.compile(r"[^\W\d_a-zA-ZÀ-ɏ]")
_FIGURE: Final = re.compile(r"[¥€$]?\d[\d,.]*%?(?: (?:yuan|rmb|cny))?|(?:rmb|cny) \d[\d,.]*")
_STRANGE: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}|^[bcdfghjklmnpqrstvwxz]{4,}$|(.)\1\1|[a-z]{22,}")
_COMMON: Final = frozenset(
    [
        "about",
        "would",
        "could",
        "should",
        "their",
        "there",
        "which",
        "these",
        "those",
        "where",
        "while",
        "hello",
        "thank",
        "thanks",
        "please",
        "with",
        "that",
        "this",
        "have",
        "from",
        "your",
        "what",
        "will",
        "more",
        "they",
        "them",
        "then",
        "than",
        "been",
        "into",
        "also",
        "just",
        "some",
        "rate",
        "rates",
        "price",
        "prices",
        "room",
        "rooms",
        "offer",
        "yuan",
        "selling",
        "night",
        "nights",
        "hotel",
        "lower",
    ]
)


def rate(now: Situation, reading: Reading) -> ReplyRating:
    """Rate one reply, in the situation before it."""
    heard = now.heard
    if not reading.words:
        return rate_reply(START, [Finding("wordless", -3.0, "says no word", Skill.FLUENCY)], OPINIONS, MERITS)
    findings = [
        *_form(reading),
        *_grammar(now, reading),
        *_languages(reading, heard),
        *_length(reading, len(heard.words)),
    ]
    findings += _repetition(now, reading, heard)
    findings += _register(reading)
    findings += _warmth(now, reading, heard)
    findings += _address(now, reading)
    return rate_reply(START, findings, OPINIONS, MERITS)


def rate_dialogue(replies: tuple[ReplyRating, ...]) -> DialogueRating:
    """Rate a dialogue by its replies."""
    return DialogueRating(of_replies(replies), any(r.excellent for r in replies), replies)


def _form(reading: Reading) -> Iterator[Finding]:
    plain = reading.plain
    for mark, points, reason, expression in (
        ("speaker_label", -1.25, "puts a speaker's name before the words", _LABEL),
        ("marked_up", -1.0, "is laid out like a document", _MARKUP),
        ("unfilled", -1.5, "leaves a gap to be filled in", _BLANK),
    ):
        if (match := expression.search(plain)) is not None:
            yield Finding(mark, points, reason, Skill.FLUENCY, match.span())
    if hit := find("letter", reading):
        yield Finding("letter_style", -1.0, f"a letter in a chat: {hit.text}", Skill.FLUENCY, hit.span)
    first = reading.text.lstrip()[:1]
    if first.isalpha() and first.islower():
        yield Finding("small_start", -0.25, "starts with a small letter")
    if not reading.sentences[-1].stopped and len(reading.words) > 12:
        yield Finding("breaks_off", -0.75, "breaks off", Skill.FLUENCY)
    elif not reading.sentences[-1].stopped:
        yield Finding("no_stop", -0.25, "does not end its last sentence")
    shouted = sum(1 for word in reading.text.split() if len(word) > 4 and word.isalpha() and word.isupper())
    if shouted >= 2 or "!!" in reading.plain:
        yield Finding("shouts", -0.75, "shouts", Skill.FLUENCY)


def _grammar(now: Situation, reading: Reading) -> Iterator[Finding]:
    strange = [w for w in reading.words if len(w) > 3 and w.isascii() and w.isalpha() and _STRANGE.search(w)]
    if len(strange) * 5 > len(reading.words):
        yield Finding("no_words", -2.5, f"is not made of words: {strange[0][:20]}", Skill.FLUENCY)
    broken = [pair for sentence in reading.sentences for pair in clashes(sentence)]
    if broken:
        # One slip in a long reply is a slip; several, or one in a few words, is no English.
        points = -0.5 if len(broken) == 1 and len(reading.words) > 24 else -1.0 if len(broken) == 1 else -2.0
        yield Finding("word_order", points, f"words out of order: {', '.join(broken[:3])}", Skill.FLUENCY)
    if name := next((n for n in _names(now) if _is_broken(n, reading)), ""):
        yield Finding("broken_name", -0.75, f"tears a name apart: {name}", Skill.FLUENCY)
    slips = [match.span() for match in _SLIPS.finditer(reading.plain)]
    if slips:
        span = slips[0]
        said = reading.plain[span[0] : span[1]]
        yield Finding("grammar_slip", -0.5 * min(3, len(slips)), f"grammar: {said}", Skill.FLUENCY, span)


def _names(now: Situation) -> list[str]:
    """Names of more than one word that the talk may need, in small letters."""
    names = [now.card.hotel.name, now.card.facts.competitor_name, *(ticket.room for ticket in now.card.tickets)]
    return [name.lower() for name in names if " " in name]


def _is_broken(name: str, reading: Reading) -> bool:
    """Whether all words of a name are there, but not side by side."""
    return name not in reading.plain and set(name.split()) <= set(reading.words)


def _languages(reading: Reading, heard: Reading) -> Iterator[Finding]:
    other = _SCRIPT.search(reading.plain)
    if other is not None and _SCRIPT.search(heard.plain) is None:
        yield Finding("other_script", -2.0, "mixes in another script", Skill.FLUENCY, other.span())
    if len({m[0] for m in pattern("foreign").finditer(reading.plain)}) >= 2 and find("foreign", heard) is None:
        yield Finding("other_language", -1.75, "mixes in another language", Skill.FLUENCY)


def _length(reading: Reading, heard_length: int) -> Iterator[Finding]:
    count = len(reading.words)
    longest = max(len(sentence.words) for sentence in reading.sentences)
    if count > FAR_TOO_LONG:
        yield Finding("endless", -1.75, f"{count} words in one message", Skill.FLUENCY)
    elif count > LONG:
        yield Finding("long", -0.75, f"{count} words in one message", Skill.FLUENCY)
    if count < 3 and heard_length > 2:
        yield Finding("curt", -0.5, "hardly says a word")
    if longest > RUN_ON:
        yield Finding("run_on", -0.5, f"a sentence of {longest} words")
    if 6 <= count <= 50 and longest <= 24:
        yield Finding("easy_to_read", 0.25, "short and easy to read", Skill.FLUENCY)


def _repetition(now: Situation, reading: Reading, heard: Reading) -> Iterator[Finding]:
    own, parts = shape_of(reading.plain), _sentences(reading.plain)
    earlier = [_remembered(text) for text in now.said]
    if any(_shared(own, shape) >= SAME_SHAPE for shape, _ in earlier):
        yield Finding("says_again", -1.5, "is an earlier message again", Skill.FLUENCY)
    elif earlier:
        again = next((part for part in parts if any(part in said for _, said in earlier)), "")
        if again:
            yield Finding("sentence_again", -0.5, f"says a sentence again: {again[:40]}")
    if len(set(parts)) < len(parts):
        yield Finding("twice_in_one", -1.0, "says a sentence twice", Skill.FLUENCY)
    if (
        len(own) >= 8
        and len(heard.words) >= 8
        and _shared(_triples(reading.plain), _triples(heard.plain)) >= SAME_WORDS
    ):
        yield Finding("echoes", -1.5, "gives the manager's own message back", Skill.SCOPE)


def shape_of(plain: str) -> frozenset[tuple[str, ...]]:
    """Return the word triples of a text in which every figure looks the same."""
    return _triples(_FIGURE.sub("#", plain))


def _triples(plain: str) -> frozenset[tuple[str, ...]]:
    """Return the word triples of a text."""
    words = [w.strip(".,!?;:()\"'") for w in plain.split()]
    return frozenset(zip(words, words[1:], words[2:], strict=False)) if len(words) > 2 else frozenset([tuple(words)])


@lru_cache(maxsize=4096)
def _remembered(text: str) -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """Return an earlier message's shape and its sentences."""
    return shape_of(text.lower()), frozenset(_sentences(text))


def _shared(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Share of the larger set's triples that both hold."""
    return len(one & other) / max(len(one), len(other), 1)


def _sentences(plain: str) -> list[str]:
    """Sentences of at least five words, in small letters, figures included."""
    parts = [" ".join(part.lower().split()) for part in re.split(r"[.!?]+(?:\s|$)", plain)]
    return [part for part in parts if part.count(" ") >= 4]


def _register(reading: Reading) -> Iterator[Finding]:
    for name, points, reason in (("rude", -2.5, "rude"), ("blunt", -0.75, "blunt"), ("slang", -0.75, "slang")):
        if hit := find(name, reading):
            yield Finding(f"{name}_words", points, f"{reason}: {hit.text}", Skill.FLUENCY, hit.span)
    if hit := find("courtesy", reading):
        yield Finding("courteous", 0.25, f"courteous: {hit.text}", Skill.FLUENCY, hit.span)


def _warmth(now: Situation, reading: Reading, heard: Reading) -> Iterator[Finding]:
    comfort = find("comfort", reading)
    if now.upset:
        if comfort:
            yield Finding(
                "comforts", 0.75, f"meets the manager's feelings: {comfort.text}", Skill.FLUENCY, comfort.span
            )
        else:
            yield Finding("cold", -1.25, "passes over the manager's feelings", Skill.FLUENCY)
    elif comfort:
        yield Finding("attentive", 0.25, f"listens: {comfort.text}", Skill.FLUENCY, comfort.span)
    ours = {w for w in reading.words if len(w) > 3 and w.isalpha()} - _COMMON
    if ours & set(heard.words):
        yield Finding("picks_up", 0.25, "picks up the manager's words", Skill.SCOPE)


def _address(now: Situation, reading: Reading) -> Iterator[Finding]:
    if hit := find("machine", reading):
        yield Finding("machine_talk", -2.0, f"talks about itself or the task: {hit.text}", Skill.SCOPE, hit.span)
    if hit := find("wrong_side", reading):
        yield Finding("wrong_side", -1.5, f"speaks as somebody else: {hit.text}", Skill.SCOPE, hit.span)
    if now.number > 1 and len(reading.words) >= 10 and not _to_the_matter(reading):
        yield Finding("beside_the_matter", -1.25, "has nothing to do with rates and rooms", Skill.SCOPE)


def _to_the_matter(reading: Reading) -> bool:
    """Whether a reply speaks of rates and rooms, names a figure, comforts, or takes its leave."""
    return any(find(name, reading) for name in ("matter", "comfort", "farewell")) or any(
        w[0].isdigit() for w in reading.words
    )
