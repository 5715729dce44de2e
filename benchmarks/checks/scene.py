"""One recorded episode as the automated checks see it: who said which figure, and who committed to what.

Read from the record's acts alone, without the game's state, so that a fault in the game's bookkeeping cannot hide
itself. Turns are numbered from 1; ticket positions from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from negotiation_env.game.acts import PRICED_ACTS, Act, DialogueAct, PriceType
from negotiation_env.game.scenario import TaskCard, to_selling
from negotiation_env.play.records import Episode, TurnRecord

CLAIMS = frozenset({Act.ACCEPT, Act.CONFIRM})
BIDS = frozenset({Act.PROPOSE, Act.COUNTER})
TOLERANCE = 1.5
"""Yuan of selling price within which two figures count as the same."""


@dataclass(slots=True)
class Standing:
    """How the tickets stand before a turn.

    Attributes:
        quotes: the manager's commitments, selling price by ticket.
        fresh: tickets whose figure the manager's last message named.
        taken: tickets whose figure the agent has taken.
        bids: the agent's last figures, selling price by ticket.
        net: whether the price type last named is net; a figure of no type is read in it.
    """

    quotes: dict[int, float] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    bids: dict[int, float] = field(default_factory=dict)
    net: bool = False


class Said(NamedTuple):
    """One ticket's figure in an act, as a selling price; None if the act names none."""

    ticket: int
    price: float | None


@dataclass(frozen=True, slots=True)
class Scene:
    """An episode with the questions that checks ask of it."""

    episode: Episode

    @property
    def card(self) -> TaskCard:
        """The agent's side of the scenario."""
        return self.episode.card

    def turn(self, number: int) -> TurnRecord:
        """Return the turn with the given number (from 1)."""
        return self.episode.turns[number - 1]

    def reached(self, turns: tuple[int, ...]) -> list[int]:
        """Return which of ``turns`` were played; every turn if none is named."""
        played = range(1, len(self.episode.turns) + 1)
        return [n for n in (turns or tuple(played)) if n in played]

    def said(self, act: DialogueAct, standing: Standing) -> list[Said]:
        """Return what an act says of each ticket that it may speak of; without a name, that is every open one."""
        cards = self.card.tickets
        if act.ticket is not None:
            tickets = [act.ticket] if act.ticket < len(cards) else []
        else:
            tickets = [k for k in range(len(cards)) if k not in standing.taken] or list(range(len(cards)))
        kind = act.price_type or (PriceType.NET if standing.net else PriceType.SELLING)
        return [
            Said(k, None if act.price is None else to_selling(act.price, kind, cards[k].commission)) for k in tickets
        ]

    def standing(self, number: int) -> Standing:
        """Return how things stood before turn ``number``."""
        now = Standing()
        for record in self.episode.turns[: number - 1]:
            self.follow(record, now)
        return now

    def follow(self, record: TurnRecord, now: Standing) -> None:
        """Bring ``now`` from before a turn to after it, in place."""
        self._hear_agent(record, now)
        self._hear_manager(record, now)

    def taken_by(self, act: DialogueAct, standing: Standing) -> list[int]:
        """Return the tickets whose committed figure an act of the agent takes; empty if it claims none.

        A claim without a figure takes what the last message named, or repeats what was taken
        before.
        """
        if act.kind not in CLAIMS:
            return []
        taken = []
        for ticket, price in self.said(act, standing):
            quote = standing.quotes.get(ticket)
            known = ticket in standing.fresh or ticket in standing.taken
            if quote is not None and (known if price is None else abs(price - quote) <= TOLERANCE):
                taken.append(ticket)
        return taken

    def _hear_agent(self, record: TurnRecord, now: Standing) -> None:
        for act in record.acts:
            now.taken.update(self.taken_by(act, now))
            if act.kind in BIDS:
                now.bids.update({k: price for k, price in self.said(act, now) if price is not None})
        _hear_type(record.acts, now)

    def _hear_manager(self, record: TurnRecord, now: Standing) -> None:
        now.fresh = set()
        for act in record.answer_acts:
            if act.kind not in PRICED_ACTS | {Act.REJECT}:
                continue
            for ticket, price in self.said(act, now):
                if price is None and act.kind is Act.ACCEPT:
                    price = now.bids.get(ticket)
                # A refusal to move repeats a figure that stands; by itself it commits to none.
                if price is not None and (act.kind is not Act.REJECT or ticket in now.quotes):
                    now.quotes[ticket] = price
                    now.fresh.add(ticket)
        _hear_type(record.answer_acts, now)


def _hear_type(acts: tuple[DialogueAct, ...], now: Standing) -> None:
    """Remember the price type that was named last."""
    for act in acts:
        if act.price is not None and act.price_type is not None:
            now.net = act.price_type is PriceType.NET
