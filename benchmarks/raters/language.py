"""The language rater: how a reply is said. A linguist's view, by pattern and by counting; no language model.

It looks at word order, slips of grammar, repetition, length and sentences, register, comfort for an upset manager,
mixing of languages. Word order is checked by pairs of English function words that cannot stand side by side: a sentence
whose words are shuffled puts articles before prepositions, modal verbs at the end, currencies away from their figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import log
from pathlib import Path
from typing import Final

from benchmarks.raters.phrasing import Phrasing, phrasing
from benchmarks.raters.rating import DialogueRating, Finding, ReplyRating, Skill, of_replies, rate_reply
from benchmarks.raters.situation import RatedSituation
from benchmarks.raters.wordlists import RaterReading, RaterSentence, find, insult, pattern
from negotiation_env.files import read_toml
from negotiation_env.play.records import TurnRecord

_ORDER: Final = read_toml(Path(__file__).with_name("word_order.toml"), dict[str, dict[str, str]])
_WORDS, _FOLLOWERS = _ORDER["words"], _ORDER["followers"]
"""Function words by kind, and what kinds cannot follow a kind."""
_KIND: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_CLASHES: Final = frozenset((one, other) for one, others in _FOLLOWERS.items() for other in others.split())
_PAUSES: Final = frozenset(",;:()")
_ARTICLES, _MODALS = frozenset(_WORDS["article"].split()), frozenset(_WORDS["modal"].split())
_GREETINGS: Final = frozenset(["hello", "hi"])
_NO_LAST: Final = (
    _ARTICLES
    | _MODALS
    | frozenset(f"{_WORDS['joining']} {_WORDS['short']} {_WORDS['subject']} of into per very be , ; : (".split())
)
"""What ends no sentence."""
_NO_LAST_OF_STATEMENT: Final = frozenset(["from", "at", "between", "brings", "gives", "lifts", "has"])
_COPULA: Final = frozenset(["is", "are", "am", "was", "were"])
_NO_FIRST: Final = frozenset(["of", "than", "yuan", "into", "me", "us", "them", "be", "per"])
_AROUND: Final = frozenset(["about", "around", "between", "by"])
_THIRD_PERSON: Final = frozenset(["brings", "gives", "lifts", "has"])
_NOT_AFTER_SUBJECT: Final = frozenset(["of", "for", "by", "into", "with"])
_DOUBLED: Final = frozenset(["had", "that", "very", "bye", "win"])
_OWN_IS: Final = frozenset(["what's", "who's", "where's", "how's", "he's", "she's", *_WORDS["short"].split()])
"""Where 's stands for "is" and not for an owner."""
_AN_ANYWAY: Final = ("hour", "honest", "honour", "heir", "rmb", "x-", "sms")
_A_ANYWAY: Final = ("uni", "use", "usu", "one", "once", "eu", "ubiq", "utili")


def clashes(sentence: RaterSentence) -> list[str]:
    """Return the impossible pairs of a sentence, each as its two words ("the of"); empty if the order holds.

    "^" stands for the sentence's beginning, "$" for its end.
    """
    words = sentence.tokens
    if len(words) < 3:
        return []
    found = _edges(words, sentence)
    before, before_kind = "", ""
    for place, word in enumerate(words):
        if word in _PAUSES:
            if before in _ARTICLES or before in _MODALS:
                found.append(f"{before} {word}")
            before, before_kind = "", ""
            continue
        kind = _KIND.get(word) or ("number" if word[0].isdigit() else "")
        if before and (_clash(before, before_kind, word, kind, place) or _lone_money(words, place, kind)):
            found.append(f"{before} {word}")
        before, before_kind = word, kind
    return found


def _edges(words: tuple[str, ...], sentence: RaterSentence) -> list[str]:
    """Words that begin or end no sentence."""
    first, last = words[0], words[-1]
    found = []
    if (first in _NO_FIRST and words[1] != "course") or (
        not sentence.question and (first in _COPULA or first in _MODALS)
    ):
        found.append(f"^ {first}")
    if not sentence.stopped or (sentence.question and last in ("i", "we", "they")):
        return found  # "Shall we?" is a sentence
    hangs = last in _COPULA and words[-2] not in ("it", "that", "this", "there")
    if last in _NO_LAST or hangs or (last in _NO_LAST_OF_STATEMENT and not sentence.question):
        found.append(f"{last} $")
    return found


def _clash(before: str, before_kind: str, word: str, kind: str, place: int) -> bool:
    """Whether two neighbours cannot stand side by side. ``place``: position of the second one."""
    if before == word and len(word) > 1 and not word[0].isdigit() and word not in _DOUBLED:
        return True
    if before_kind == "preposition" and kind == "preposition":
        return word not in _AROUND and before not in ("on", "in", "by")
    if word in _GREETINGS or (before == "more" and kind == "article"):
        return True
    if before.endswith("'s") and before not in _OWN_IS:
        ends = ("finite", "preposition", "article", "modal", "object", "subject", "joining")
        return kind in ends or word in ("this", "there")
    if (before_kind, kind) in _CLASHES:
        return not _fine_anyway(before, word)
    if before == "is" and word == "you":
        return place > 2
    if before_kind == "subject" and word in _NOT_AFTER_SUBJECT:
        return True
    if before_kind == "modal" and kind == "finite":
        return word not in ("have", "do")
    if before_kind == "preposition" and before != "to" and kind == "bare":
        return True
    if before_kind == "article" and word in _THIRD_PERSON:
        return True
    return before in ("a", "an") and word.isalpha() and _wrong_article(before, word)


def _fine_anyway(before: str, word: str) -> bool:
    """The few clashing pairs that do occur: "it's" without its apostrophe, "to do", "400 a night", dates."""
    if before == "its" and word in ("not", "a", "the"):
        return True
    if before == "to" and word in ("do", "have"):
        return True
    if before[0].isdigit() and (word in ("a", "per") or before[-1] == "%"):
        return True
    return before[0].isdigit() and word[0].isdigit() and (len(before) <= 2 or len(word) == 4)


def _lone_money(words: tuple[str, ...], place: int, kind: str) -> bool:
    """Whether a currency stands apart from any figure."""
    if kind != "money":
        return False
    near = (words[place - 1], words[place + 1] if place + 1 < len(words) else "")
    return not any(n[:1].isdigit() for n in near) and near[0] not in ("in", "of", "per", "few", "some", "any")


def _wrong_article(article: str, word: str) -> bool:
    """Whether it should be the other indefinite article."""
    vowel = word[0] in "aeiou"
    if article == "a":
        return vowel and not word.startswith(_A_ANYWAY)
    return not vowel and not word.startswith(_AN_ANYWAY)


NAME: Final = "language"
START: Final = 3.0
"""A plain sentence without faults."""
MERITS: Final = 3
"""Merits from which a faultless reply is excellent."""
LONG, FAR_TOO_LONG, RUN_ON = 80, 140, 38
"""Words of a reply, and of a sentence, from which it is hard to read in a chat."""
SAME_SHAPE, SAME_WORDS = 0.72, 0.55
"""Share of common word triples from which a reply repeats an earlier one, or echoes the manager."""
WELL: Final = "reads_well"
"""The finding without which a reply is not excellent."""
VIVID: Final = 0.87
"""Chance of being excellent from which a reply reads well."""
SLOPE, MOST, SMALL = 0.28, 1.9, 1e-3
"""Points for each e-fold of the chance of being excellent against that of being flawed, and the most that they come to;
and what no chance is smaller than."""
WORST: Final = -1.95
"""Most that is taken off for how a reply reads: words alone show no severe fault."""
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
_SUM: Final = re.compile(r"\d ?[-+=x×*/] ?\d")
_STRANGE: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}|^[bcdfghjklmnpqrstvwxz]{4,}$|(.)\1\1|[a-z]{22,}")
_COMMON: Final = frozenset((
    "about", "would", "could", "should", "their", "there", "which", "these", "those", "where", "while", "hello",
    "thank", "thanks", "please", "with", "that", "this", "have", "from", "your", "what", "will", "more", "they", "them",
    "then", "than", "been", "into", "also", "just", "some", "rate", "rates", "price", "prices", "room", "rooms",
    "offer", "yuan", "selling", "night", "nights", "hotel", "lower",
))  # fmt: skip


def rate(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> ReplyRating:
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
    findings += _manner(phrasing(now, record, reading))
    findings += _address(now, reading)
    return rate_reply(START, findings, OPINIONS, MERITS)


def _manner(read: Phrasing) -> Iterator[Finding]:
    """How the words read, by weights fitted on written replies: like a good agent's, or like a flawed one's."""
    leaning = SLOPE * (1.0 - read.bland) * log((read.excellent + SMALL) / (read.flawed + SMALL))
    points = min(MOST, max(WORST, leaning))
    if points < 0.0:
        words = ", ".join(word for word in read.words if not word.startswith("=")) or "its way with what was said"
        yield Finding("reads_flawed", points, f"reads like a flawed reply: {words}", Skill.FLUENCY)
    elif read.excellent >= VIVID:
        yield Finding(WELL, points, "speaks to this person about this matter", Skill.FLUENCY)
    else:
        yield Finding("reads_plain", points, "reads like a reply that could be said to many", Skill.FLUENCY)


def rate_dialogue(replies: tuple[ReplyRating, ...]) -> DialogueRating:
    """Rate a dialogue by its replies."""
    return DialogueRating(of_replies(replies), any(r.excellent for r in replies), replies)


def _form(reading: RaterReading) -> Iterator[Finding]:
    plain = reading.plain
    for mark, points, reason, expression in (
        ("speaker_label", -1.25, "puts a speaker's name before the words", _LABEL),
        ("marked_up", -0.75, "is laid out like a document", _MARKUP),
        ("unfilled", -1.5, "leaves a gap to be filled in", _BLANK),
    ):
        if (match := expression.search(plain)) is not None:
            yield Finding(mark, points, reason, Skill.FLUENCY, match.span())
    if hit := find("letter", reading):
        yield Finding("letter_style", -1.0, f"a letter in a chat: {hit.text}", Skill.FLUENCY, hit.span)
    first = reading.text.lstrip()[:1]
    if first.isalpha() and first.islower():
        yield Finding("small_start", -0.05, "starts with a small letter")
    if not reading.sentences[-1].stopped and len(reading.words) > 12:
        yield Finding("breaks_off", -0.4, "breaks off", Skill.FLUENCY)
    elif not reading.sentences[-1].stopped:
        yield Finding("no_stop", -0.25, "does not end its last sentence")
    shouted = sum(1 for word in reading.text.split() if len(word) > 4 and word.isalpha() and word.isupper())
    if shouted >= 2 or "!!" in reading.plain:
        yield Finding("shouts", -0.75, "shouts", Skill.FLUENCY)


def _grammar(now: RatedSituation, reading: RaterReading) -> Iterator[Finding]:
    strange = [w for w in reading.words if len(w) > 3 and w.isascii() and w.isalpha() and _STRANGE.search(w)]
    if len(strange) * 5 > len(reading.words):
        yield Finding("no_words", -2.5, f"is not made of words: {strange[0][:20]}", Skill.FLUENCY)
    broken = [pair for sentence in reading.sentences for pair in clashes(sentence)]
    if _SUM.search(reading.plain):
        broken = [pair for pair in broken if not all(word[0].isdigit() for word in pair.split())]
    if broken:
        # One in a dozen is how people write in a chat.
        points = -0.25 if len(broken) == 1 else -0.75 if len(broken) == 2 and len(reading.words) > 24 else -1.9
        yield Finding("word_order", points, f"words out of order: {', '.join(broken[:3])}", Skill.FLUENCY)
    if name := next((n for n in _names(now) if _is_broken(n, reading)), ""):
        yield Finding("broken_name", -0.75, f"tears a name apart: {name}", Skill.FLUENCY)
    slips = [match.span() for match in _SLIPS.finditer(reading.plain)]
    if slips:
        span = slips[0]
        said = reading.plain[span[0] : span[1]]
        yield Finding("grammar_slip", -0.5 * min(3, len(slips)), f"grammar: {said}", Skill.FLUENCY, span)


def _names(now: RatedSituation) -> list[str]:
    """Names of more than one word that the talk may need, in small letters."""
    names = [now.card.hotel.name, now.card.facts.competitor_name, *(ticket.room for ticket in now.card.tickets)]
    return [name.lower() for name in names if " " in name]


def _is_broken(name: str, reading: RaterReading) -> bool:
    """Whether all words of a name are there, but not side by side."""
    return name not in reading.plain and set(name.split()) <= set(reading.words)


def _languages(reading: RaterReading, heard: RaterReading) -> Iterator[Finding]:
    other = _SCRIPT.search(reading.plain)
    whole = 3 * len(_SCRIPT.findall(reading.plain)) > len(re.findall("[a-z]", reading.plain))
    alone = whole and not heard.words  # the first message is in whatever language the writer takes the hotel to speak
    if other is not None and _SCRIPT.search(heard.plain) is None and not alone:
        yield Finding("other_script", -2.0, "mixes in another script", Skill.FLUENCY, other.span())
    if len({m[0] for m in pattern("foreign").finditer(reading.plain)}) >= 2 and find("foreign", heard) is None:
        yield Finding("other_language", -1.75, "mixes in another language", Skill.FLUENCY)


def _length(reading: RaterReading, heard_length: int) -> Iterator[Finding]:
    count = len(reading.words)
    longest = max(len(sentence.words) for sentence in reading.sentences)
    if not reading.plain.isascii():
        longest //= 2  # a Chinese character counts as a word
        count = count // 2 if 3 * len(_SCRIPT.findall(reading.plain)) > count else count
    if count > FAR_TOO_LONG:
        yield Finding("endless", -1.75, f"{count} words in one message", Skill.FLUENCY)
    elif count > LONG:
        yield Finding("long", -0.75, f"{count} words in one message", Skill.FLUENCY)
    if count < 3 and heard_length > 2:
        yield Finding("curt", -0.5, "hardly says a word")
    if longest > RUN_ON:
        yield Finding("run_on", -0.15, f"a sentence of {longest} words")
    if 6 <= count <= 50 and longest <= 24:
        yield Finding("easy_to_read", 0.1, "short and easy to read", Skill.FLUENCY)


def _repetition(now: RatedSituation, reading: RaterReading, heard: RaterReading) -> Iterator[Finding]:
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


def _register(reading: RaterReading) -> Iterator[Finding]:
    if hit := insult(reading):
        yield Finding("rude_words", -2.5, f"rude: {hit.text}", Skill.FLUENCY, hit.span)
    for name, points in (("blunt", -0.5), ("slang", -0.25)):
        if hit := find(name, reading):
            yield Finding(f"{name}_words", points, f"{name}: {hit.text}", Skill.FLUENCY, hit.span)
    if hit := find("courtesy", reading):
        yield Finding("courteous", 0.05, f"courteous: {hit.text}", Skill.FLUENCY, hit.span)


def _warmth(now: RatedSituation, reading: RaterReading, heard: RaterReading) -> Iterator[Finding]:
    comfort = find("comfort", reading)
    if now.upset:
        if comfort:
            yield Finding("comforts", 0.3, f"meets the manager's feelings: {comfort.text}", Skill.FLUENCY, comfort.span)
        else:
            yield Finding("cold", -0.3, "passes over the manager's feelings", Skill.FLUENCY)
    elif comfort:
        yield Finding("attentive", 0.1, f"listens: {comfort.text}", Skill.FLUENCY, comfort.span)
    ours = {w for w in reading.words if len(w) > 3 and w.isalpha()} - _COMMON
    if ours & set(heard.words):
        yield Finding("picks_up", 0.05, "picks up the manager's words", Skill.SCOPE)


def _address(now: RatedSituation, reading: RaterReading) -> Iterator[Finding]:
    if hit := find("machine", reading):
        yield Finding("machine_talk", -2.0, f"talks about itself or the task: {hit.text}", Skill.SCOPE, hit.span)
    if hit := find("wrong_side", reading):
        yield Finding("wrong_side", -1.5, f"speaks as somebody else: {hit.text}", Skill.SCOPE, hit.span)
    if now.number > 1 and len(reading.words) >= 10 and not _to_the_matter(reading):
        yield Finding("beside_the_matter", -0.3, "has nothing to do with rates and rooms", Skill.SCOPE)


def _to_the_matter(reading: RaterReading) -> bool:
    """Whether a reply speaks of rates and rooms, names a figure, comforts, or takes its leave."""
    return any(find(name, reading) for name in ("matter", "comfort", "farewell")) or any(
        w[0].isdigit() for w in reading.words
    )
