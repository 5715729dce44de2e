"""What a message's words are worth to the manager who hears them, beyond its acts (``dynamics.Heard``).

The same acts open little in empty words and much in a sentence that has looked at this house, says something true and
new, and speaks to what weighs on this manager. Sincerity, offence and what speaks to which concern are linear models
over words (``content_words.json``, ``negotiate train content-words``), trained on written dialogues; which details of
the card a message names, whether it speaks of another kind of house (``houses.toml``), and whether it was said before
are computed. How the parts add up is ours. It takes some 50 microseconds a message, and no other library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.errors import DataFileError
from negotiation_env.files import Table, read_json, read_toml
from negotiation_env.game.scenario import TaskCard
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.word_model import WordModel, WordModels, grams, share, tokens_of, words_of
from simulators.dynamics import Heard

WORDS_PATH: Final = Path(__file__).with_name("content_words.json")
HOUSES_PATH: Final = Path(__file__).with_name("houses.toml")
FEWEST: Final = 4
"""Words below which a message has no content to speak of."""
LONG: Final = 90
"""Words beyond which a message tires."""
STRAYS: Final = 0.5
"""Log-odds from which on a message speaks to another concern."""
MOST_DETAILS: Final = 3
"""Details of the card beyond which naming more adds nothing."""
NAMED, DENSE = (4.0, 7.0), (0.16, 0.26)
"""Names of the card in one message, and their share of its words, up to which it says something of them and from which
on it recites them. Of good written messages 3% name more than 4, half of these densely."""
SNATCHES: Final = (4.0, 8.0)
"""The same for short pieces without a figure between commas, times the share of the message that they are: 95% of good
written messages keep below 3.5."""
_PIECES: Final = re.compile(r"[,;:.!?\n]+|\band\b|[\uff0c\u3001\u3002\uff1b\uff01\uff1f]")
_PIECE: Final = 4
"""Words that a short piece holds at most."""
UNKNOWN: Final = 0.08
"""Share of unknown words that is usual: names, typing errors."""
AGAIN: Final = 0.6
"""Share of a message's telling words that an earlier one held, from which on it says the same again."""
OFFENDS: Final = 0.75
"""How likely a message must sound offending to hurt at all."""
UNSAID, LISTING = 0.85, 0.2
"""What a list loses of what it would be worth as a message, and how far it offends."""
SCALE, MOST_WORTH = 1.6, 2.0
"""So that a plain true reason is worth about 1."""
LEAST_SPOKEN: Final = 0.15
"""How likely a message must speak of a concern to count at all."""
_NUMBER: Final = re.compile(r"\d+")
_HAN: Final = "\u2e80"
_SIGNS: Final = frozenset({"#"})
_MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
                  "november", "december")  # fmt: skip
_COMMON: Final = word_set(
    "the hotel inn house guesthouse resort room rooms city star court gate grand new old weekend week festival "
    "holidays season fair trade for and you your"
)
"""Words of names that anyone says."""


class ContentWords(BaseModel):
    """The word models, and the words that are known at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concerns: dict[str, WordModel]
    sincere: WordModel
    offends: WordModel
    known: str
    """Known words, with blanks between."""


class HouseTopic(Table):
    """What one kind of house is for, and another is not."""

    kinds: Annotated[list[str], Field(min_length=1)]
    cities: list[str] = Field(default_factory=list)
    words: Annotated[list[str], Field(min_length=1)]


@cache
def content_words() -> ContentWords:
    """Return the shipped models."""
    return read_json(WORDS_PATH, ContentWords)


@cache
def _models() -> WordModels:
    """Return the models of sincerity, of offence, and of the concerns in the order of their names in the file."""
    words = content_words()
    return WordModels([words.sincere, words.offends, *words.concerns.values()])


@cache
def _known() -> frozenset[str]:
    return frozenset(content_words().known.split())


@cache
def _topics() -> dict[str, HouseTopic]:
    """Return the topics by what stands for them in a message: a word or a pair of words, in the singular or plural."""
    found: dict[str, HouseTopic] = {}
    for topic in read_toml(HOUSES_PATH, dict[str, HouseTopic]).values():
        for word in topic.words:
            tokens = tokens_of(word)
            if len(tokens) > 2:
                raise DataFileError(f"{HOUSES_PATH}: expected one or two words or characters, got {word!r}")
            found |= {" ".join(tokens) + ending: topic for ending in ("", "s", "es")}
    return found


class Details(NamedTuple):
    """What of a card is worth naming."""

    names: frozenset[str]
    figures: frozenset[str]
    alien: frozenset[str]
    """What speaks of another kind of house."""
    suits: frozenset[str]
    """What speaks of this kind of house."""


@dataclass(slots=True)
class Memory:
    """What a manager remembers of the talk, to tell what is new; ``of`` makes one for a card."""

    card: Details
    said: list[frozenset[str]] = field(default_factory=list)
    """Telling words of the agent's earlier messages."""
    shown: frozenset[str] = frozenset()
    """Telling words with which the manager has shown its concern."""
    named: set[str] = field(default_factory=set)
    """Details of the card that the agent has named."""
    strays: set[str] = field(default_factory=set)
    """Other concerns that the agent has spoken to."""

    @classmethod
    def of(cls, card: TaskCard) -> Memory:
        """Return the memory of the manager of a card's hotel before the talk."""
        hotel, facts = card.hotel, card.facts
        said = [hotel.name, hotel.city, facts.event, facts.competitor_name, *(t.room for t in card.tickets)]
        names = {token for text in said for token in tokens_of(text) if token not in _COMMON and len(token) > 2}
        figures = {str(abs(n)) for n in (facts.exposure, facts.conversion, facts.competitor_price, facts.demand)}
        figures.add(f"{hotel.occupancy * 100:.0f}")
        for ticket in card.tickets:
            names.add(_MONTHS[ticket.check_in.month - 1])
            figures |= {str(ticket.check_in.day), str(ticket.check_out.day), str(ticket.selling_price)}
        own = frozenset(gram for text in said for gram in grams(tokens_of(text)))
        suits, alien = _houses(hotel.kind, hotel.city)
        return cls(Details(frozenset(names), frozenset(figures), alien - own, suits - own))


class Content(NamedTuple):
    """The parts of what a message says, each 0 to 1; ``hear`` makes a ``Heard`` of them."""

    sincere: float
    """How much it sounds like a good reply, and not like a bland or an empty one."""
    offends: float
    speaks_to: float
    """How likely it speaks to the manager's concern."""
    details: float
    """How many details of the card it names for the first time, as a share of ``MOST_DETAILS``."""
    suits: float
    """1 where it speaks of what this house is for."""
    alien: float
    """1 where it speaks of what this house is not."""
    unknown: float
    """Share of words that nobody uses in such talks."""
    again: float
    """Share of its telling words that one earlier message held."""
    listed: float
    """How far it lists things rather than says something of them."""
    strays: int
    """How many other concerns the agent has spoken to by now."""
    words: int


def content_of(text: str, concern: str, memory: Memory) -> Content:
    """Return what a message says to the manager who remembers, and remember it."""
    concerns, card = content_words().concerns, memory.card
    tokens, found = words_of(text.lower())
    words = {*tokens} - _SIGNS
    telling = frozenset([t for t in words if len(t) > 4 or t > _HAN or t in card.names])
    again = max([len(telling & past) / len(telling) for past in memory.said], default=0.0) if telling else 0.0
    memory.said.append(telling)
    named = (card.names & words | card.figures.intersection(_NUMBER.findall(text))) - memory.named
    memory.named |= named
    suits = not card.suits.isdisjoint(found)
    alien = not card.alien.isdisjoint(found)
    sincere, offends, *others = _models().scores(found)
    scores = dict(zip(concerns, others, strict=True))
    # Who says none of the words of the concern does not speak to it.
    own = not concerns[concern].weights.keys().isdisjoint(found)
    score = scores.pop(concern)
    speaks_to = share(score) if own else 0.0
    if memory.shown:
        speaks_to = min(1.0, speaks_to + 0.12 * len(telling & memory.shown))
    memory.strays.update([name for name, other in scores.items() if other > STRAYS])
    return Content(
        sincere=share(sincere),
        offends=share(offends),
        speaks_to=speaks_to,
        details=min(len(named), MOST_DETAILS) / MOST_DETAILS,
        suits=float(suits),
        alien=(0.5 if suits else 1.0) * alien,
        unknown=len(words - _known() - card.names) / len(words) if words else 1.0,
        again=again,
        listed=max(_recited(len(card.names & words), len(tokens)), _between(_snatches(text), SNATCHES)),
        strays=len(memory.strays),
        words=len(tokens),
    )


def _recited(names: int, words: int) -> float:
    """Return how far a message recites the card, from how many names of it and how many words it holds."""
    return _between(names, NAMED) * _between(names / max(1, words), DENSE)


def _snatches(text: str) -> float:
    """Return the number of short pieces without a figure, times the share of a message's words that they hold."""
    pieces = _PIECES.split(text)
    sizes = [len(piece.split()) for piece in pieces]
    short = [n for n, piece in zip(sizes, pieces, strict=True) if 0 < n <= _PIECE and not _NUMBER.search(piece)]
    return len(short) * sum(short) / max(1, sum(sizes))


def _between(value: float, bounds: tuple[float, float]) -> float:
    """Return where a value lies between two bounds, 0 to 1."""
    return max(0.0, min(1.0, (value - bounds[0]) / (bounds[1] - bounds[0])))


def hear(content: Content) -> Heard:
    """Return what a message is worth to the manager."""
    words = content.words
    odd = max(0.0, content.unknown - UNKNOWN)
    same = max(0.0, content.again - AGAIN) / (1.0 - AGAIN)
    astray = max(0, content.strays - 1)
    offence = max(0.0, (content.offends - OFFENDS) / (1.0 - OFFENDS)) + 0.3 * (odd > 0.3)
    # A list is heard as one: it speaks to nobody, and to troubles that this manager does not have.
    offence = min(1.0, offence + LISTING * content.listed + 0.05 * min(4, astray))
    worth = 0.1 + 0.65 * content.sincere + 0.3 * content.details + 0.15 * content.suits
    worth = worth - 0.5 * content.alien - 1.5 * odd - 0.4 * same - 0.5 * offence
    if words < FEWEST:
        worth = min(worth, 0.4)
    worth = max(0.0, min(MOST_WORTH, worth * SCALE)) * min(1.0, LONG / max(1, words))
    said = 1.0 - UNSAID * content.listed
    worth = worth * said
    eases = max(0.0, min(1.0, (content.speaks_to - LEAST_SPOKEN) / 0.5))
    eases = eases * (0.4 + 0.6 * content.sincere) * (1.0 - offence) * said
    # Who speaks to every trouble there is has heard none.
    eases = eases * (1.0 - min(1.0, 2.0 * odd)) / (1.0 + astray)
    # A plain message is no worse than a dull one: what is cold costs less than what is warm earns.
    invites = (0.4 if worth > 0.7 else 0.2) * (worth - 0.7) + 0.1 * content.suits - 0.3 * offence - 0.6 * odd
    return Heard(
        worth=round(worth, 4),
        tells=round(max(0.0, min(1.0, (worth - 0.7) / 1.0)) * (1.0 - content.again), 4) if words >= FEWEST else 0.0,
        eases=round(eases, 4),
        offends=round(offence, 4),
        invites=round(max(-0.5, min(0.4, invites)), 4),
    )


@cache
def _houses(kind: str, city: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what speaks of a kind of house in a city, and what speaks of other houses."""
    suits, alien = set[str](), set[str]()
    for gram, topic in _topics().items():
        fits = kind in topic.kinds and (not topic.cities or city in topic.cities)
        (suits if fits else alien).add(gram)
    return frozenset(suits), frozenset(alien)


def telling_words(text: str) -> frozenset[str]:
    """Return the words of a text that tell what it is about."""
    return frozenset([t for t in tokens_of(text) if len(t) > 4 or t > _HAN])
