"""What act-level policies share: reasons, bids, taking the hotel's figures, and words for the acts they choose."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from negotiation_env.game.acts import MAX_TICKETS, PRICED_ACTS, Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, fact_figure, to_net
from negotiation_env.game.state import GameState, said_price
from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.protocols import AgentReply, AgentView

CREDIBLE_SHARE = 0.5
"""Share of the current selling price below which a figure is not taken at its word."""
_EXACT = 1e-6
"""Keeps a whole number whole that arithmetic has left a hair below itself."""


def takeable(game: GameState, ticket: int, limit: float) -> bool:
    """Return whether the hotel has committed to a credible selling price of at most ``limit`` yuan."""
    return bool(game.quoted[ticket]) and game.quote[ticket] <= limit and not odd_quote(game, ticket)


def odd_quote(game: GameState, ticket: int) -> bool:
    """Return whether a standing figure is too low to be a room rate: misheard, or a number that was no price."""
    return bool(game.quoted[ticket]) and game.quote[ticket] < CREDIBLE_SHARE * game.card.selling[ticket]


def spoken_type(game: GameState) -> PriceType:
    """Return the type of price that was named last: answering in another one invites a mix-up."""
    return PriceType.NET if game.net else PriceType.SELLING


def take(game: GameState, ticket: int) -> DialogueAct:
    """Return the act that takes the hotel's standing figure.

    Figure, type and ticket are named, so that nothing is left to guess.
    """
    kind = spoken_type(game)
    price = said_price(game.quote[ticket], game.card.commission[ticket], kind)
    return DialogueAct(Act.CONFIRM, price=price, price_type=kind, ticket=ticket)


def bid(game: GameState, ticket: int, selling: float) -> DialogueAct:
    """Return a bid of ``selling`` yuan of selling price, said in the price type named last."""
    kind = spoken_type(game)
    act = Act.COUNTER if game.quoted[ticket] else Act.PROPOSE
    price = to_net(selling, game.card.commission[ticket]) if kind is PriceType.NET else selling
    # Rounded down: a bid that is accepted must not lie above the price that was meant.
    return DialogueAct(act, price=float(math.floor(price + _EXACT)), price_type=kind, ticket=ticket)


def reason(card: TaskCard, tactic: Tactic) -> DialogueAct:
    """Return the act that gives a reason, with its true figure where it has one."""
    figure = fact_figure(card.facts, tactic)
    return DialogueAct(Act.INFORM, tactic, figure=None if figure is None else float(abs(figure)))


def next_reason(card: TaskCard, game: GameState, order: tuple[Tactic, ...]) -> DialogueAct:
    """Return the first reason of ``order`` that was used least often."""
    return reason(card, min(order, key=lambda tactic: game.used[tactic]))


def concession(card: TaskCard, ticket: int, anchor: float, share: float, power: float) -> float:
    """Return the bid after a share of the time: the polynomial tactic of Faratin et al. 1998.

    Args:
        card: the task.
        ticket: 0-based ticket.
        anchor: depth of the first bid: 1 is the target price, 1.3 lies 30 % of the wanted cut below
            it.
        share: share of the negotiation's time that has passed, 0 to 1.
        power: 1 concedes evenly, above 1 late (Boulware), below 1 early (conceder).

    Returns:
        Yuan of selling price, whole, from the anchor (``share`` 0) to the target (``share`` 1).
    """
    asked = card.tickets[ticket]
    gap = asked.selling_price - asked.target_price
    depth = anchor + (1.0 - anchor) * min(max(share, 0.0), 1.0) ** power
    return float(round(asked.selling_price - gap * depth))


def without_conflict(acts: tuple[DialogueAct, ...]) -> tuple[DialogueAct, ...]:
    """Return the acts without a refusal that would be read as refusing the message's own figures.

    A message that takes a figure takes it; else a refusal stands, and bids wait for the next
    message.
    """
    if not any(act.kind is Act.REJECT for act in acts):
        return acts
    if any(act.kind in (Act.ACCEPT, Act.CONFIRM) for act in acts):
        return tuple(act for act in acts if act.kind is not Act.REJECT)
    return tuple(act for act in acts if act.kind not in PRICED_ACTS)


_ORDER = {
    Act.GREET: 0,
    Act.SOOTHE: 1,
    Act.REJECT: 2,
    Act.INFORM: 3,
    Act.PROMISE: 4,
    Act.ASK: 6,
    Act.OFF_TOPIC: 7,
    Act.CLOSE: 8,
}
_TICKETS = 5


def in_speaking_order(acts: tuple[DialogueAct, ...]) -> tuple[DialogueAct, ...]:
    """Return acts as people order them: feelings and refusals first, then reasons, tickets in turn, questions last."""

    def place(act: DialogueAct) -> tuple[int, int]:
        within = act.tactic if act.kind is Act.INFORM else MAX_TICKETS if act.ticket is None else act.ticket
        return _ORDER.get(act.kind, _TICKETS), int(within)

    return tuple(sorted(acts, key=place))


def say(view: AgentView, acts: tuple[DialogueAct, ...]) -> AgentReply:
    """Word acts with the agent's phrase book; ``view.seed`` decides which phrases are drawn."""
    context = context_of(view.card, view.game, "agent")
    turn = int(view.game.turn)
    return AgentReply(word(in_speaking_order(acts), view.card, context, agent_phrase_book(), view.seed, turn))


class ActPolicy(ABC):
    """A policy that thinks in dialogue acts. Stateless: a reply depends on its own view alone."""

    name: str
    parallel = True
    """It needs no torch and no engine: a benchmark may play it in several processes."""

    @abstractmethod
    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the acts of the next message, at least one."""

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        return [say(view, self.choose(view)) for view in views]
