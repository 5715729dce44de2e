"""Subjects beside the rate: breakfast, cancelling, minimum stay, nights, rooms, payment, a call back.

``subjects.toml`` holds for each how an agent's question about it is told, the facts of houses with the manager's lines,
and how the manager itself asks about it. A house's fact is drawn from the episode's seed, so that it stays the same
through a talk; where the manager ties its price to the subject (``world.CONDITIONS``), its fact is the one that goes
with that. All of it is words: no line changes a decision, or how the answer beside it is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from negotiation_env.errors import UsageError
from negotiation_env.files import Many, Table, Text, known, read_toml
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import CONDITION_NAMES
from negotiation_env.seeds import CHANNELS, TURNS
from simulators.concerns import MANNERS, Circumstances, Lines

PATH: Final = Path(__file__).with_suffix(".toml")
SUBJECTS: Final = ("breakfast", "cancellation", "minimum-stay", "dates", "allotment", "payment", "call-back")
"""Every subject, in the order in which they are drawn."""
HOUSE_TURN: Final = TURNS["house"]
"""Position in the draw space at which a house's facts are drawn, a channel for each subject."""
_CHANNELS: Final = CHANNELS["subjects"]
ANSWER, TAKE, THINK, ASK, WHICH = range(_CHANNELS.start, _CHANNELS.start + 5)
"""Draw channels: the wording of an answer, that of thanks for one, whether it asks for time, whether and about which
subject it asks, and in which words."""
THINKS, ASKS_AT = 0.15, 0.06
"""Shares of answers with which a manager that hesitates asks for time, and asks about a subject."""
MOST_ANSWERED: Final = 2
"""Subjects that one answer speaks of."""
MOST_HEARD: Final = 1000
"""Characters of a message in which a question is looked for."""
_SENTENCE: Final = re.compile(r"[^.!?;:。！？；\n]+[.!?;:。！？；\n]*")
_REQUESTS: Final = ("tell me", "let me know", "to know", "please say", "could you say", "may i ask", "i wonder")
_CHINESE_QUESTION: Final = re.compile(r"[吗呢]|请问|是否|能不能|可不可以|有没有|要不")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_BID: Final = re.compile(r"\d{3}")
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?|\d+")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from error
    return text


class HouseFact(Table):
    """What is so in a house, with the manager's lines about it, one by manner (``concerns.MANNERS``)."""

    fits: Circumstances = Circumstances()
    tied: bool = False
    """Whether it is so in a house whose manager ties its price to the subject's condition, and only there."""
    told: Text
    """In other words, which a language model may choose."""
    dry: Text
    tired: Text
    angry: Text
    chatty: Text
    formal: Text

    def lines(self, tone: str | None = None) -> tuple[str, ...]:
        """Return the lines in which a persona of a tone says it; every line for None or a tone without manners."""
        manners = MANNERS.get(tone or "", ("dry", "tired", "angry", "chatty", "formal"))
        return tuple(getattr(self, manner) for manner in manners)


class Subject(Table):
    """One subject."""

    condition: Annotated[str, known(("", *CONDITION_NAMES), "a condition")] = ""
    """Which of ``world.CONDITIONS`` it is about."""
    words: Lines
    """Words of which a question about it holds one, as they stand in it; Chinese ones anywhere in it."""
    asked: Annotated[Many[Annotated[str, AfterValidator(_pattern)]], Field(min_length=1)]
    """Regular expressions of which a question about it, in lower case, matches one."""
    unless: Annotated[str, AfterValidator(_pattern)] = "(?!)"
    """A regular expression of what is no question about it all the same; the default matches nothing."""
    asks: Many[Text] = ()
    """Questions of the manager's about it; none: it does not ask."""
    answers: Annotated[str, AfterValidator(_pattern)] = "(?!)"
    """A regular expression of what an agent's answer to them, in lower case, holds in a sentence that asks nothing."""
    facts: Annotated[Many[HouseFact], Field(min_length=1)]


class Replies(Table):
    """Lines that belong to no subject."""

    thinks: Lines
    """Asks for time to think."""
    thought: Lines
    """Says, at its next answer, that it has thought."""
    taken: Lines
    """Takes the agent's answer to a question."""


@cache
def subjects() -> dict[str, Subject]:
    """Return the shipped subjects by name, in the order of ``SUBJECTS``."""
    found = read_toml(PATH, dict[str, Subject])
    if set(found) != set(SUBJECTS):
        raise UsageError(f"expected the subjects {sorted(SUBJECTS)} in {PATH}, got {sorted(found)}: add or remove some")
    return {name: found[name] for name in SUBJECTS}


@cache
def replies() -> Replies:
    """Return the shipped lines that belong to no subject."""
    return read_toml(PATH.with_name("subject_replies.toml"), Replies)


class _Told(NamedTuple):
    """By what a subject is told, prepared."""

    english: dict[str, tuple[str, ...]]
    """Subjects by word."""
    chinese: tuple[tuple[str, str], ...]
    """Chinese words with their subjects."""
    asked: dict[str, re.Pattern[str]]
    unless: dict[str, re.Pattern[str]]


@cache
def _told() -> _Told:
    english: dict[str, tuple[str, ...]] = {}
    chinese = []
    for name, one in subjects().items():
        for word in one.words:
            if _HAN.search(word):
                chinese.append((word, name))
            else:
                english[word] = (*english.get(word, ()), name)
    asked = {name: re.compile("|".join(f"(?:{pattern})" for pattern in one.asked)) for name, one in subjects().items()}
    return _Told(english, tuple(chinese), asked, {name: re.compile(one.unless) for name, one in subjects().items()})


def mentioned(text: str) -> set[str]:
    """Return the subjects of which a text, in lower case, holds a word."""
    told = _told()
    found = {name for word in _WORD.findall(text) if word in told.english for name in told.english[word]}
    if _HAN.search(text):
        found |= {name for word, name in told.chinese if word in text}
    return found


def asked_about(text: str) -> tuple[str, ...]:
    """Return the subjects that a message asks about, in the order of its sentences, at most ``MOST_ANSWERED``.

    A statement about a subject asks nothing: a question mark, a request to be told, or a Chinese question word is
    needed in the same sentence.
    """
    low = _lower(text)
    if "?" not in low and not _HAN.search(low) and not _requests(low):
        return ()
    found: list[str] = []
    for sentence in _SENTENCE.findall(low):
        if _is_question(sentence):
            names = mentioned(sentence)
            found += [name for name in SUBJECTS if name in names and _is_about(sentence.strip(), name)]
    return tuple(dict.fromkeys(found))[:MOST_ANSWERED]


def answers(text: str, name: str) -> bool:
    """Whether a message answers the manager's question about a subject; a bid does not, whatever nights it names."""
    told = [part for part in _SENTENCE.findall(_lower(text)) if not _is_question(part) and not _BID.search(part)]
    return any(re.search(subjects()[name].answers, part) for part in told)


def _lower(text: str) -> str:
    return text[:MOST_HEARD].lower().replace("\u2019", "'")


def _is_question(sentence: str) -> bool:
    if "?" in sentence or "？" in sentence or _requests(sentence):
        return True
    return bool(_HAN.search(sentence) and _CHINESE_QUESTION.search(sentence))


def _is_about(sentence: str, name: str) -> bool:
    """Whether a question in lower case is about a subject."""
    told = _told()
    return bool(told.asked[name].search(sentence)) and not told.unless[name].search(sentence)


def _requests(text: str) -> bool:
    """Whether a text, in lower case, asks to be told something."""
    return any(words in text for words in _REQUESTS)


def fact_of(name: str, card: TaskCard, seed: int, condition: str = "") -> HouseFact:
    """Return what is so about a subject in a card's house, for a 64-bit episode seed.

    ``condition``: what the manager ties its best prices to, one of ``world.CONDITIONS`` or "".
    """
    one = subjects()[name]
    tied = bool(condition) and one.condition == condition
    known_facts = [fact for fact in one.facts if fact.tied == tied]
    fitting = [fact for fact in known_facts if fact.fits.fits(card.hotel)] or known_facts
    return fitting[int(FLOATS.draw(seed, HOUSE_TURN, SUBJECTS.index(name)) * len(fitting))]


class Aside(NamedTuple):
    """What a manager says beside its decision."""

    before: str = ""
    """Before the answer, "" for nothing."""
    after: str = ""
    """Behind it."""
    facts: tuple[str, ...] = ()
    """What it tells of the house, in other words, which a language model may choose."""

    @property
    def text(self) -> str:
        """All of it as one text."""
        return " ".join((self.before, self.after, *self.facts))


NO_ASIDE: Final = Aside()


@dataclass(slots=True)
class OtherSubjects:
    """A manager's side of the subjects in one talk."""

    tone: str | None
    condition: str = ""
    """What it ties its best prices to, "" for nothing."""
    said: list[str] = field(default_factory=list)
    """Lines already said."""
    waits_for: str = ""
    """The subject about which it asked last, until the agent has spoken."""
    has_asked: bool = False
    thinks: Literal["no", "asked", "done"] = "no"
    """Whether it has asked for time to think, and has come back to it."""

    def aside(
        self, text: str, card: TaskCard, seed: int, turn: float, may: Sequence[str] = (), ends: bool = False
    ) -> Aside:
        """Return what is said of other subjects in answer to a message, and remember it.

        Args:
            text: the agent's message.
            card: of the hotel.
            seed: of the episode.
            turn: of the answer.
            may: what it may do of its own accord: "think" ask for time to think, "ask" ask about a subject.
            ends: whether the talk is over with this answer.
        """
        before, facts = [], []
        for name in asked_about(text):
            fact = fact_of(name, card, seed, self.condition)
            before.append(self._choose(fact.lines(self.tone), seed, turn, ANSWER))
            facts.append(fact.told)
        waited, self.waits_for = self.waits_for, ""
        if waited and not before and answers(text, waited):
            before.append(self._choose(replies().taken, seed, turn, TAKE))
        if self.thinks == "asked" and not ends:
            self.thinks = "done"
            before.append(self._choose(replies().thought, seed, turn, TAKE))
        if before:
            return Aside(" ".join(before), "", tuple(facts))
        return Aside("", self._asks(seed, turn, may))

    def take_back(self, aside: Aside) -> Aside:
        """Return an answer's aside without what it asks, as if it had not been asked."""
        if aside.after:
            self.has_asked = self.has_asked and not self.waits_for
            self.thinks = "no" if self.thinks == "asked" else self.thinks
            self.waits_for = ""
        return aside._replace(after="")

    def _asks(self, seed: int, turn: float, may: Sequence[str]) -> str:
        """Return what it asks of its own accord, "" for most answers."""
        if "think" in may and self.thinks == "no" and FLOATS.draw(seed, turn, THINK) < THINKS:
            self.thinks = "asked"
            return self._choose(replies().thinks, seed, turn, WHICH)
        chance = FLOATS.draw(seed, turn, ASK)
        if "ask" not in may or self.has_asked or chance >= ASKS_AT:
            return ""
        asking = [name for name in SUBJECTS if subjects()[name].asks]
        self.waits_for = asking[int(chance / ASKS_AT * len(asking))]
        self.has_asked = True
        return self._choose(subjects()[self.waits_for].asks, seed, turn, WHICH)

    def _choose(self, lines: Sequence[str], seed: int, turn: float, channel: int) -> str:
        """Return one of some lines, one that it has not said yet where there is one."""
        fresh = [line for line in lines if line not in self.said] or list(lines)
        line = fresh[int(FLOATS.draw(seed, turn, channel) * len(fresh))]
        self.said.append(line)
        return line
