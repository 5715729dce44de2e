"""Messages with what they do to the game, by kind (``cases/*.jsonl``), and whether a reader reads them so.

Written by AI authors who had seen neither the reader nor its training data; ``given.jsonl`` holds the inputs that the
first reader failed on. A case holds where the message makes those agreements, bids and endings that are expected of it,
and no others; where nothing is agreed, asking back is right too.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.files import read_lines
from negotiation_env.game.acts import Act
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import Facts, Hotel, TaskCard, Ticket, card_numbers
from negotiation_env.game.state import End, GameState, apply_decision, apply_move, new_game, settle
from negotiation_env.language.claims import find_claims
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import Context, Reader, Reading, context_of
from simulators.people.reading_labels import DrillTicket

FOLDER: Final = Path(__file__).with_name("cases")
FILES: Final = ("given", "a", "b", "c", "d", "hotel_nothing_agreed")
_MONTHS: Final = {name: number for number, name in enumerate(calendar.month_name) if name}


READERS: Final = ("rules", "encoder") if encoder_installed() else ("rules",)
"""Those that can be tried here."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Part):
    """What a message does; prices are yuan a night, selling unless ``("net", figure)``."""

    agreed: dict[int, float] = {}
    bids: dict[int, float | tuple[Literal["net"], float]] | None = {}
    """None where either reading of a figure is right."""
    ends: bool = False
    comforts: bool = False
    asks_price: bool = False
    promises_too_much: bool = False
    false_statement: bool = False
    retracts: bool = False


class Competitor(_Part):
    name: str
    price: int


class CaseCard(_Part):
    """The card of a case about facts."""

    hotel: str
    city: str
    dates: tuple[str, ...]
    nights: tuple[int, ...]
    event: str | None
    demand: int
    exposure: int
    conversion: int
    competitor: Competitor
    occupancy: int


class ReadingCase(_Part):
    """One message in its situation."""

    kind: str
    who: Literal["agent", "manager"]
    tickets: Annotated[tuple[DrillTicket, ...], Field(min_length=1)]
    hotel_said: tuple[float | None, ...]
    agent_said: tuple[float | None, ...]
    heard: str = ""
    text: str
    expect: Expected
    near: bool = False
    """Whether it only looks like its kind."""
    net: bool = False
    committed: bool = False
    """Whether the hotel had taken the agent's figure before."""
    may_promise: tuple[str, ...] = ()
    card: CaseCard | None = None
    facts: str = ""

    @property
    def task_card(self) -> TaskCard:
        told = self.card or CaseCard(
            hotel="Harbour Light Hotel", city="Xiamen", dates=("14 October to 18 October",) * 3, nights=(1, 1, 1),
            event="the lantern festival", demand=-7, exposure=18, conversion=12,
            competitor=Competitor(name="Swan House", price=454), occupancy=60,
        )  # fmt: skip
        tickets = tuple(
            Ticket(t.room, _first_day(told.dates[min(k, len(told.dates) - 1)]), t.nights, round(t.list), t.commission,
                   round(t.list * 0.75))
            for k, t in enumerate(self.tickets)
        )  # fmt: skip
        facts = Facts(
            told.exposure, told.conversion, told.competitor.name, told.competitor.price, told.event or "the weekend",
            told.demand,
        )  # fmt: skip
        hotel = Hotel(told.hotel, told.city, "city", 4, "mid", told.occupancy / 100.0)
        return TaskCard(hotel, tickets, facts, self.may_promise)

    def situation(self) -> tuple[TaskCard, GameState, Context]:
        """Return the card, the public state before the message, and the reader's context."""
        card = self.task_card
        game = new_game(FLOATS, card_numbers(card))
        assert len(self.hotel_said) == len(self.agent_said) == len(self.tickets)
        game.quote = _trio([q or 0.0 for q in self.hotel_said])
        game.quoted = _trio([q is not None for q in self.hotel_said])
        game.fresh = game.quoted if self.who == "agent" else (False, False, False)
        game.bid = _trio([b or 0.0 for b in self.agent_said])
        game.net = float(self.net)
        return card, game, context_of(card, game, self.who, self.heard)


def _trio(values: Sequence[Any]) -> Any:
    return (*values, *[type(values[0])()] * 3)[:3]


def _first_day(text: str) -> date:
    day, month = text.split()[:2]
    return date(2026, _MONTHS[month], int(day))


@cache
def cases(name: str) -> tuple[ReadingCase, ...]:
    """Return the cases of one file."""
    return tuple(read_lines(FOLDER / f"{name}.jsonl", ReadingCase))


def faults(name: str, reader: Reader) -> dict[int, str]:
    """Return what a reader reads wrong in a file: by line, counted from 1."""
    told = cases(name)
    situations = [case.situation() for case in told]
    readings = reader.read([case.text for case in told], [context for _, _, context in situations])
    wrong = {}
    for number, (case, (card, game, _), reading) in enumerate(zip(told, situations, readings, strict=True), 1):
        found = _wrong(case, card, game, reading)
        if found:
            wrong[number] = f"{case.kind}: {case.text} -> {'; '.join(found)}"
    return wrong


def _wrong(case: ReadingCase, card: TaskCard, game: GameState, reading: Reading) -> list[str]:
    expect = case.expect
    before = [game.quote[k] for k in range(3)]
    if case.who == "agent":
        move = move_of(reading.acts, card, game)
        said = {"comforts": move.soothe, "asks_price": move.ask, "promises_too_much": move.overpromise}
        unsure = [bool(flag or move.unclear) for flag in move.unsure]
        bids = dict(enumerate(move.bid))
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        agreed: Sequence[float] = game.agreed
        figures = {k: bid for k, bid in bids.items() if bid > 0.0 and game.agreed[k] <= 0.0}
        claims = find_claims(case.text, card, case.situation()[1], (case.heard,) if case.heard else ())
        said["false_statement"] = any(not claim.true for claim in claims)
    else:
        decision = decision_of(reading.acts, game)
        said = {"retracts": bool(decision.retract)}
        unsure = [False] * 3
        apply_decision(FLOATS, game, decision)
        taken = [
            game.quoted[k] and abs(game.quote[k] - (case.agent_said[k] or 0.0)) <= 2.0 for k in range(len(case.tickets))
        ]
        kept = case.committed and not said["retracts"]
        agreed = tuple(game.quote[k] if hit and not (kept and before[k] == game.quote[k]) else 0.0
                       for k, hit in enumerate(taken))  # fmt: skip
        if kept and expect.agreed:
            agreed = tuple(game.quote[k] for k in range(len(case.tickets)))
        figures = {k: game.quote[k] for k in range(len(case.tickets))
                   if game.quoted[k] and not taken[k] and abs(game.quote[k] - before[k]) > 2.0}  # fmt: skip
    found = [
        *_compare("agreed", expect.agreed, {k: a for k, a in enumerate(agreed) if a > 0.0}, unsure, case),
        *([] if expect.bids is None else _compare("bids", expect.bids, figures, unsure, case)),
    ]
    ended = int(game.end) in (End.CLOSED, End.WALKED_AWAY)
    if ended != expect.ends:
        found.append(f"ends {ended}")
    for name, value in said.items():
        wanted = getattr(expect, name)
        exact = name in ("false_statement", "promises_too_much") and (wanted or case.card or "promise" in case.kind)
        if (wanted or exact) and bool(value) != wanted:
            found.append(f"{name} {bool(value)}")
    return found


def _compare(
    name: str, wanted: dict[int, Any], got: dict[int, float], unsure: Sequence[bool], case: ReadingCase
) -> list[str]:
    out = []
    for k in range(len(case.tickets)):
        figure = wanted.get(k)
        if isinstance(figure, (list, tuple)):
            figure = figure[1] / (1.0 - case.tickets[k].commission)
        read = got.get(k)
        if figure is None and read is not None and not unsure[k]:
            out.append(f"{name}@{k}={read:g}, expected none")
        elif figure is not None and (read is None or abs(read - figure) > 2.0):
            out.append(f"{name}@{k}={read}, expected {figure:g}")
    return out


def asks_back(reading: Reading) -> bool:
    """Whether a reading leaves something to be asked about."""
    return any(act.kind in (Act.ACCEPT, Act.CONFIRM) and act.force.value != "firm" for act in reading.acts)
