"""Dialogues in free language, written line by line by AI authors for this project, one file an author.

What people say here was written and not made of phrases: it is what reading, managers, rewards and policies are trained
on and measured by. The format, the acts, the flaws and the grades stand in ``dialogues/README.md``. Authors, not
dialogues, are split into training, validation and test (``SPLITS``): a claim about language is measured on the test
authors, whose texts nobody reads while building. ``negotiate data dialogues`` checks files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.files import read_lines
from negotiation_env.game.scenario import Facts, Hotel, TaskCard, Ticket

FOLDER: Final = Path(__file__).with_name("dialogues")
SPLITS: Final[dict[str, tuple[int, ...]]] = {
    "test": (17, 18, 21, 24, 26),
    "validation": (27, 30),
    "train": (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 22, 23, 25, 28, 29, 31, 32, 33, 34, 35),
}
"""Authors by split. A new author joins one of them before anything is measured on it."""
FLAWS: Final = frozenset(
    (
        "invented-figure", "wrong-direction", "wrong-date", "wrong-room", "wrong-hotel", "overpromise", "target-leak",
        "internal-term", "ignores-feeling", "ignores-question", "presses-below-target", "accepts-too-early",
        "drops-ticket", "price-type-mixup", "assumes-silence-agrees", "mistaken-agreement", "repeats", "rude",
        "pressure", "flattery", "off-topic", "over-long", "asks-again", "private-data", "out-of-role", "keyword-soup",
        "empty-phrases",
    )
)  # fmt: skip
SHARED_WORDS: Final = 9
"""Words in a row that two dialogues may not share (Chinese characters count as a word each)."""
TOLERANCE: Final = 2.0
"""Yuan within which a figure counts as the same: net prices are rounded when they are said."""
MOST_WORDS: Final = 75
"""Words of a good reply, ``over-long`` ones aside."""

_PRICE = r"@[012]=\d+(?:\.\d+)?(?: (?:selling|net))?"
_TACTICS = "exposure|conversion|competitor|demand"
_AGENT = re.compile(
    rf"greet|identify|inform:(?:(?:{_TACTICS})=-?\d+(?:\.\d+)?|{_TACTICS}|fit|partnership)|"
    rf"ask:(?:price(?:@[012])?|concern|other)|(?:propose|accept|confirm){_PRICE}|reject(?:@[012])?|soothe|"
    r"address:[a-z-]+|promise:[a-z-]+|decline|defer|close|off_topic|silence"
)
_MANAGER = re.compile(
    rf"greet|ask:(?:identity|reason|forbidden|time|other)|(?:quote|accept|confirm){_PRICE}|"
    rf"(?:hold|refuse|retract)(?:@[012])?|upset|objection:(?:{_TACTICS}|fit|partnership)|concern:[a-z-]+|maybe|"
    r"off_topic|silence|close"
)
_FIGURE = re.compile(r"(?P<act>\w+)@(?P<ticket>[012])=(?P<value>\d+(?:\.\d+)?)(?: (?P<type>selling|net))?$")
_FACT_FIELDS = {
    "exposure": "exposure",
    "conversion": "conversion",
    "competitor": "competitor_price",
    "demand": "demand",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WrittenHotel(_Part):
    """The hotel of a card; ``occupancy`` is a share."""

    name: str
    city: str
    kind: str
    stars: int
    season: str
    occupancy: Annotated[float, Field(ge=0.0, le=1.0)]


class WrittenTicket(_Part):
    """A hotel room that is negotiated; prices are yuan a night."""

    room: str
    check_in: str
    nights: Annotated[int, Field(ge=1)]
    selling: float
    commission: Annotated[float, Field(ge=0.0, lt=1.0)]
    net: float
    target: float
    floor: float


class WrittenFacts(_Part):
    """What the agent may cite: percentages of ``exposure``, ``conversion`` and ``demand``, the competitor, an event."""

    exposure: float
    conversion: float
    competitor: str
    competitor_price: float
    event: str
    demand: float


class WrittenManager(_Part):
    """Who answers: what weighs on them, how they write, who they are."""

    concern: str
    concern_text: str
    talk: str
    who: Annotated[str, Field(min_length=1)]


class WrittenReply(_Part):
    """Something the agent says or could have said: acts, a grade from 1 to 5, and named flaws."""

    text: str
    acts: tuple[str, ...]
    quality: Annotated[int, Field(ge=1, le=5)]
    flaws: tuple[str, ...] = ()


class WrittenTurn(_Part):
    """The agent's message, the hotel's answer ("" for silence), and other replies the agent could have given."""

    agent: str
    agent_acts: tuple[str, ...]
    quality: Annotated[int, Field(ge=1, le=5)]
    flaws: tuple[str, ...] = ()
    manager: str
    manager_acts: tuple[str, ...]
    mood: Annotated[int, Field(ge=-2, le=2)]
    why: str = ""
    alternatives: tuple[WrittenReply, ...] = ()

    @property
    def replies(self) -> tuple[WrittenReply, ...]:
        """The agent's message and its alternatives."""
        return (WrittenReply(text=self.agent, acts=self.agent_acts, quality=self.quality, flaws=self.flaws),
                *self.alternatives)  # fmt: skip


class WrittenOutcome(_Part):
    """How it ended, and the selling price agreed for each ticket, or None; ``note`` where only some nights are."""

    end: Literal["settled", "part", "no deal", "call back"]
    agreed: tuple[float | None, ...]
    note: str = ""


class WrittenDialogue(_Part):
    """One dialogue with its card."""

    id: str
    hotel: WrittenHotel
    tickets: Annotated[tuple[WrittenTicket, ...], Field(min_length=1, max_length=3)]
    facts: WrittenFacts
    may_promise: tuple[str, ...]
    manager: WrittenManager
    plot: str
    turns: Annotated[tuple[WrittenTurn, ...], Field(min_length=3, max_length=16)]
    outcome: WrittenOutcome

    @property
    def texts(self) -> list[str]:
        """Everything said in it by both sides, alternatives left out."""
        return [text for turn in self.turns for text in (turn.agent, turn.manager) if text]


class PricedAct(NamedTuple):
    """An act that names a figure: its kind, the ticket's place, and the selling price in yuan."""

    kind: str
    ticket: int
    selling: float


def path_of(author: int) -> Path:
    """Return an author's file."""
    return FOLDER / f"dialogues_{author}.jsonl"


@cache
def written_dialogues(split: str) -> tuple[WrittenDialogue, ...]:
    """Return a split's dialogues: "train", "validation" or "test"."""
    return tuple(dialogue for author in SPLITS[split] for dialogue in read_lines(path_of(author), WrittenDialogue))


def task_card(dialogue: WrittenDialogue) -> TaskCard:
    """Return the card of a dialogue as the game's agents get it; the floors stay out."""
    hotel, facts = dialogue.hotel, dialogue.facts
    return TaskCard(
        hotel=Hotel(hotel.name, hotel.city, hotel.kind, hotel.stars, hotel.season, hotel.occupancy),
        tickets=tuple(
            Ticket(
                room=ticket.room,
                check_in=date.fromisoformat(ticket.check_in),
                nights=ticket.nights,
                selling_price=round(ticket.selling),
                commission=ticket.commission,
                target_price=round(ticket.target),
            )
            for ticket in dialogue.tickets
        ),
        facts=Facts(
            exposure=round(facts.exposure),
            conversion=round(facts.conversion),
            competitor_name=facts.competitor,
            competitor_price=round(facts.competitor_price),
            event=facts.event,
            demand=round(facts.demand),
        ),
        promises=dialogue.may_promise,
    )


def priced(act: str, tickets: Sequence[WrittenTicket]) -> PricedAct | None:
    """Return what an act's figure is as a selling price; None for an act without one, or on no ticket of the card."""
    found = _FIGURE.search(act)
    if found is None or int(found["ticket"]) >= len(tickets):
        return None
    ticket, value = int(found["ticket"]), float(found["value"])
    return PricedAct(
        found["act"], ticket, value / (1.0 - tickets[ticket].commission) if found["type"] == "net" else value
    )


def faults(dialogue: WrittenDialogue) -> list[str]:
    """Return what is wrong with one dialogue: acts, figures, facts, promises, grades, outcome; [] if nothing is."""
    found: list[str] = []
    named: dict[int, float] = {}
    agreed: dict[int, float] = {}
    for number, turn in enumerate(dialogue.turns, 1):
        wrong = [fault for reply in turn.replies for fault in _reply_faults(reply, dialogue)]
        wrong += _taken(turn, dialogue, named, agreed)
        wrong += _answered(turn, dialogue, named, agreed)
        found += [f"{dialogue.id} turn {number}: {fault}" for fault in wrong]
    if sum(bool(turn.alternatives) for turn in dialogue.turns) < 3:
        found.append(f"{dialogue.id}: expected alternatives in at least three turns")
    if len(dialogue.outcome.agreed) != len(dialogue.tickets):
        found.append(f"{dialogue.id}: expected one outcome a ticket")
    for ticket, value in enumerate(dialogue.outcome.agreed):
        if value is not None and abs(value - agreed.get(ticket, -9.0)) > TOLERANCE:
            found.append(f"{dialogue.id}: outcome {value:g} on ticket {ticket}, the talk agreed {agreed.get(ticket)}")
    return found


def _taken(
    turn: WrittenTurn, dialogue: WrittenDialogue, named: Mapping[int, float], agreed: dict[int, float]
) -> Iterator[str]:
    """Note what the agent agrees to; yield figures that it takes and that the hotel has not named."""
    for act in _priced_acts(turn.agent_acts, dialogue):
        if act.kind in ("accept", "confirm") and abs(act.selling - named.get(act.ticket, -9.0)) <= TOLERANCE:
            agreed[act.ticket] = act.selling
        elif act.kind == "accept" and not turn.flaws:
            yield f"takes {act.selling:g}, which the hotel has not named ({dict(named)})"


def _answered(
    turn: WrittenTurn, dialogue: WrittenDialogue, named: dict[int, float], agreed: dict[int, float]
) -> Iterator[str]:
    """Note what the hotel names and agrees to; yield what is wrong with its answer."""
    yield from (f"unknown act {act!r} of the manager" for act in turn.manager_acts if not _MANAGER.fullmatch(act))
    for act in _priced_acts(turn.manager_acts, dialogue):
        if act.selling < dialogue.tickets[act.ticket].floor - 1.0:
            yield f"{act.selling:g} lies below the floor"
        named[act.ticket] = act.selling
        if act.kind in ("accept", "confirm"):
            agreed[act.ticket] = act.selling
    if (turn.manager.strip() == "") != (turn.manager_acts == ("silence",)):
        yield f"expected an empty answer to be silence and nothing else, got {turn.manager_acts}"


def _priced_acts(acts: Iterable[str], dialogue: WrittenDialogue) -> list[PricedAct]:
    return [found for act in acts if (found := priced(act, dialogue.tickets)) is not None]


def _reply_faults(reply: WrittenReply, dialogue: WrittenDialogue) -> Iterator[str]:
    """Yield what is wrong with one reply of the agent."""
    if set(reply.flaws) - FLAWS or (reply.quality >= 4 and reply.flaws) or (reply.quality <= 2 and not reply.flaws):
        yield f"quality {reply.quality} and flaws {reply.flaws} do not fit"
    for act in reply.acts:
        kind, _, value = act.partition(":")
        fact, equals, figure = value.partition("=")
        if not _AGENT.fullmatch(act):
            yield f"unknown act {act!r} of the agent"
        elif "@" in act and int(act[act.index("@") + 1]) >= len(dialogue.tickets):
            yield f"{act} names a ticket that is not on the card"
        elif kind == "promise" and value not in dialogue.may_promise and "overpromise" not in reply.flaws:
            yield f"{act} is not allowed here and is no overpromise"
        elif kind == "inform" and equals and not {"invented-figure", "wrong-direction"} & set(reply.flaws):
            true = float(getattr(dialogue.facts, _FACT_FIELDS[fact]))
            if abs(float(figure)) != abs(true):
                yield f"{act} differs from the card's {true:g}"
    if reply.quality >= 4 and len(reply.text.split()) > MOST_WORDS:
        yield f"{len(reply.text.split())} words in a good reply"
    acts = " ".join(reply.acts)
    targets = [f"{ticket.target:g}" for ticket in dialogue.tickets]
    spoken = any(re.search(rf"\b{target}\b", reply.text) for target in targets)
    if reply.quality >= 3 and spoken and not any(target in acts for target in targets):
        yield f"names the target {targets} outside of a bid"


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; each Chinese character is one."""
    return re.findall(r"[\u4e00-\u9fff]|[a-z0-9'’]+", text.lower())


def shared_runs(dialogues: Sequence[WrittenDialogue], length: int = SHARED_WORDS) -> list[tuple[str, str, str]]:
    """Return (dialogue, dialogue, words) for every run of words that two dialogues share; one for each two of them."""
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for dialogue in dialogues:
        replies = [a.text for turn in dialogue.turns for a in turn.alternatives]
        for text in (*dialogue.texts, *replies):
            said = words(text)
            for start in range(len(said) - length + 1):
                places[tuple(said[start : start + length])].add(dialogue.id)
    found: dict[tuple[str, str], str] = {}
    for run, names in places.items():
        if len(names) > 1:
            first, second = sorted(names)[:2]
            found.setdefault((first, second), " ".join(run))
    return [(first, second, run) for (first, second), run in sorted(found.items())]


def distinct(texts: Iterable[str], n: int = 2, tokens: int = 5000) -> float:
    """Return the share of different n-grams among those of the first ``tokens`` words; 1 where nothing comes twice."""
    said: list[str] = []
    grams: list[tuple[str, ...]] = []
    for text in texts:
        here = words(text)[: tokens - len(said)]
        said += here
        grams += [tuple(here[i : i + n]) for i in range(len(here) - n + 1)]
        if len(said) >= tokens:
            break
    return len(set(grams)) / max(1, len(grams))


class Coverage(NamedTuple):
    """How often each flaw, concern, plot and kind of act comes in some dialogues."""

    flaws: Counter[str]
    concerns: Counter[str]
    plots: Counter[str]
    agent_acts: Counter[str]
    manager_acts: Counter[str]


def coverage(dialogues: Iterable[WrittenDialogue]) -> Coverage:
    """Count flaws (replies), concerns and plots (dialogues), and acts by their kind (messages)."""
    counts = Coverage(Counter(), Counter(), Counter(), Counter(), Counter())
    for dialogue in dialogues:
        counts.concerns[dialogue.manager.concern] += 1
        counts.plots[dialogue.plot] += 1
        for turn in dialogue.turns:
            for reply in turn.replies:
                counts.flaws.update(set(reply.flaws))
                counts.agent_acts.update({kind_of(act) for act in reply.acts})
            counts.manager_acts.update({kind_of(act) for act in turn.manager_acts})
    return counts


def kind_of(act: str) -> str:
    """Return an act without its ticket, its figure, and the concern or promise that it is about."""
    kind = re.split(r"[@=]", act)[0]
    return kind.partition(":")[0] if kind.startswith(("address:", "promise:", "concern:")) else kind
