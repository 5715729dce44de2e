"""The situation in which each reply of an episode was made, read from the record's acts and texts.

One walk over the record gives, per turn, what was said, quoted, taken, refused and bid before it; the game's own
bookkeeping is not used. ``said_instead`` puts another reply into a recorded dialogue, read as it would have been there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from benchmarks.checks.scene import BIDS, CLAIMS, Scene, Standing
from benchmarks.raters.said_numbers import WEEKDAY_ALONE, numerals, said_days
from benchmarks.raters.wordlists import NOTHING, RaterReading, find, plain_of, read
from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import Scenario, TaskCard, card_numbers, scenario_of
from negotiation_env.game.state import apply_decision, apply_move, new_game, settle
from negotiation_env.language.reading import Context, context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.records import Episode, TurnRecord
from simulators.personas import load_persona

_EVERY: Final = re.compile(r"\b(?:both|all|each|every|others?|the rest|remaining|two rooms|three rooms)\b")
_AGREES: Final = re.compile(
    r"\b(?:deal|agreed?|accept\w*|confirm\w*|settled|booked|works for (?:us|me)|"
    r"(?:we|i)(?:'ll| will)? take (?:it|that))\b"
)
REASONS: Final = tuple(t for t in Tactic if t not in (Tactic.NONE, Tactic.PRESSURE))


@dataclass(frozen=True, slots=True)
class Hidden:
    """What only the manager knew.

    Attributes:
        floors: lowest selling price per ticket, yuan per night.
        weights: how much a reason of each kind moves this manager, a share of its room; empty where no persona spoke.
    """

    floors: tuple[int, ...]
    weights: Mapping[Tactic, float] = field(default_factory=dict)


def hidden_of(episode: Episode, scenario: Scenario | None = None) -> Hidden | None:
    """Return an episode's hidden side, or None where it cannot be had.

    Args:
        episode: the record; its seed and persona are drawn again.
        scenario: the scenario played, where it is at hand; else the floors come from the record's seed, if that seed
            gives the record's card.
    """
    if scenario is None:
        scenario = scenario_of(episode.scenario_id, episode.seed)
        if scenario.card != episode.card:
            return None
    weights: dict[Tactic, float] = {}
    if episode.persona:
        try:
            tactics = load_persona(episode.persona).tactics
        except UsageError:  # a persona of the recording machine that this one does not have
            return Hidden(scenario.brief.floors)
        weights = {tactic: float(getattr(tactics, tactic.name.lower())) for tactic in REASONS}
    return Hidden(scenario.brief.floors, weights)


@dataclass(slots=True)
class RatedSituation:
    """How things stand before a reply. Prices are selling prices, yuan per night; tickets count from 0.

    ``walk`` changes it in place from turn to turn: read it before the next one is asked for.
    """

    scene: Scene
    hidden: Hidden | None
    number: int = 1
    """The turn, from 1."""
    standing: Standing = field(default_factory=Standing)
    said: list[str] = field(default_factory=list)
    """The agent's earlier replies."""
    heard: RaterReading = NOTHING
    """The manager's last message; nothing before the first, and where it was silent."""
    told: list[str] = field(default_factory=list)
    """What either side has said, in small letters, oldest first."""
    figures: set[float] = field(default_factory=set)
    """Every number that either side has said."""
    hotel_figures: set[float] = field(default_factory=set)
    """Every number that the hotel has said."""
    days: set[tuple[int, int | None]] = field(default_factory=set)
    """Every day of the month that either side has said, with its month where that was said."""
    hotel_days: bool = False
    """Whether the hotel has spoken of days: a stay may have been cut or moved since."""
    heard_acts: tuple[DialogueAct, ...] = ()
    refused: set[int] = field(default_factory=set)
    used: Counter[Tactic] = field(default_factory=Counter)
    """How often each reason was given."""
    promised: Counter[str] = field(default_factory=Counter)
    greeted: bool = False
    asked: bool = False
    upset: bool = False
    """Whether the manager's last message was upset, or told of trouble."""
    asks_why: bool = False
    """Whether the manager's last message asked what is in it for the hotel."""
    objection: Tactic = Tactic.NONE
    """The reason that the manager's last message argued against."""
    silent: int = 0
    """Messages in a row that were not answered."""
    answered: bool = False
    """Whether the manager has ever answered."""

    @property
    def card(self) -> TaskCard:
        """The agent's side of the scenario."""
        return self.scene.card

    @property
    def open(self) -> list[int]:
        """Tickets that are neither taken nor refused."""
        return [k for k in range(len(self.card.tickets)) if k not in self.standing.taken and k not in self.refused]

    @property
    def met(self) -> list[int]:
        """Open tickets whose standing quote is at or below the target: to be taken at once."""
        quotes, tickets = self.standing.quotes, self.card.tickets
        return [k for k in self.open if k in quotes and quotes[k] <= tickets[k].target_price + 0.5]

    def room_left(self, ticket: int) -> float | None:
        """Return the share of the winnable zone that a ticket's quote has not given yet, 0 to 1.

        The zone reaches from today's price down to the higher of target and floor; None without a quote or a floor.
        """
        quote = self.standing.quotes.get(ticket)
        if quote is None or self.hidden is None:
            return None
        card = self.card.tickets[ticket]
        end = max(card.target_price, self.hidden.floors[ticket])
        if card.selling_price <= end:
            return 0.0
        return min(1.0, max(0.0, (quote - end) / (card.selling_price - end)))


def walk(episode: Episode, hidden: Hidden | None = None) -> Iterator[tuple[RatedSituation, TurnRecord]]:
    """Yield each turn with the situation before it, in order. The situation is one object, changed in place."""
    scene = Scene(episode)
    now = RatedSituation(scene, hidden)
    for record in episode.turns:
        yield now, record
        _hear_agent(now, record)
        _hear_manager(now, record)
        scene.follow(record, now.standing)
        now.number += 1


def _hear_agent(now: RatedSituation, record: TurnRecord) -> None:
    now.said.append(record.text)
    _note(now, plain_of(record.text))
    for act in record.acts:
        if act.kind is Act.GREET:
            now.greeted = True
        elif act.kind is Act.ASK:
            now.asked = True
        elif act.kind is Act.INFORM and act.tactic is not Tactic.NONE:
            now.used[act.tactic] += 1
        elif act.kind is Act.PROMISE:
            now.promised[act.detail] += 1


def _hear_manager(now: RatedSituation, record: TurnRecord) -> None:
    now.heard_acts = record.answer_acts
    if not record.answer.strip():
        now.silent, now.heard = now.silent + 1, NOTHING
        return
    now.heard = _read_answer(record.answer)
    _note(now, now.heard.plain)
    now.hotel_figures |= {number.value for number in numerals(now.heard.plain)}
    now.hotel_days |= bool(said_days(now.heard.plain)) or WEEKDAY_ALONE.search(now.heard.plain) is not None
    now.silent, now.answered = 0, True
    now.upset, now.asks_why = find("distress", now.heard) is not None, False
    now.objection = Tactic.NONE
    for act in record.answer_acts:
        if act.kind is Act.INFORM and act.detail == "upset":
            now.upset = True
        elif act.kind is Act.INFORM and act.detail == "objection":
            now.objection = act.tactic
        elif act.kind is Act.ASK and act.detail == "reason":
            now.asks_why = True
        elif act.kind is Act.REJECT and act.detail == "final" and act.ticket is not None:
            now.refused.add(act.ticket)


@lru_cache(maxsize=1024)
def _read_answer(text: str) -> RaterReading:
    """Read a manager's message; scripts say the same ones again and again."""
    return read(text)


def _note(now: RatedSituation, plain: str) -> None:
    """Note what a message of either side says in numbers and days."""
    now.told.append(plain)
    now.figures |= {number.value for number in numerals(plain)}
    now.days |= {(int(number.value), None) for number in numerals(plain) if number.ordinal}
    now.days |= {(found.day, found.month) for found in said_days(plain)}


def as_said(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> TurnRecord:
    """Return the turn without claims that only a machine would hear.

    "I would rather hear what works for you" reads as an agreement to nothing in particular; a person would not take it
    so. A claim that names no figure, takes none that is on the table, and stands in a text without a word of agreement
    is left out. Where a figure is on the table, "excellent" may well be a yes, and stays one.
    """
    odd = [
        act
        for act in record.acts
        if act.kind in CLAIMS and act.price is None and not now.scene.taken_by(act, now.standing)
    ]
    if not odd or _AGREES.search(reading.plain):
        return record
    acts = tuple(act for act in record.acts if act not in odd)
    return replace(record, acts=acts or (DialogueAct(Act.OFF_TOPIC),))


def named_tickets(now: RatedSituation, record: TurnRecord, plain: str) -> set[int]:
    """Return the open tickets that a reply deals with or speaks of: by an act, by room, or by "both" and the like."""
    if _EVERY.search(plain):
        return set(now.open)
    found: set[int] = set()
    for act in record.acts:
        if act.kind in BIDS | CLAIMS | {Act.REJECT}:
            found.update(now.open if act.ticket is None else [act.ticket])
        elif act.kind is Act.ASK and act.detail == "price":
            found.update(now.open)
    return found | {k for k in now.open if now.card.tickets[k].room.lower() in plain}


def contexts(episode: Episode) -> Iterator[Context]:
    """Yield, for each turn, the context in which the agent's message was read."""
    game = new_game(FLOATS, card_numbers(episode.card))
    for record in episode.turns:
        yield context_of(episode.card, game, "agent")
        move = move_of(record.acts, episode.card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        apply_decision(FLOATS, game, decision_of(record.answer_acts, game))


def said_instead(record: TurnRecord, text: str, context: Context) -> TurnRecord:
    """Return a turn in which the agent says ``text``, read in the turn's context."""
    return replace(record, text=text, acts=understand(text, context).acts)
