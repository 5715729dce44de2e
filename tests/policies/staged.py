"""Views of a negotiation staged by hand: what the hotel is made to say, without a manager."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from negotiation_env.game.acts import MAX_TICKETS, Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Facts, Hotel, TaskCard, Ticket, card_numbers
from negotiation_env.game.state import GameState, new_game, open_tickets, stage_of
from negotiation_env.play.protocols import AgentView, Utterance

ROOMS = ("Deluxe King", "Superior Twin", "Family Suite")


def card(tickets: int = 1) -> TaskCard:
    """Return a card: tickets sell at 400, 440, 480 with targets 360, 396, 432 and a commission of 15 %."""
    return TaskCard(
        hotel=Hotel("Jade Lake Hotel", "Hangzhou", "business", 4, "low", 0.5),
        tickets=tuple(
            Ticket(room, date(2027, 3, 1), 5, 400 + 40 * k, 0.15, 360 + 36 * k)
            for k, room in enumerate(ROOMS[:tickets])
        ),
        facts=Facts(22, 12, "Orchid Court", 371, "the spring trade fair", -17),
        promises=("banner", "badge"),
    )


def trio(values: Sequence[Any], rest: Any) -> tuple[Any, Any, Any]:
    """Return the values, filled up to three."""
    padded = [*values, *[rest] * MAX_TICKETS][:MAX_TICKETS]
    return (padded[0], padded[1], padded[2])


def view(
    tickets: int = 1,
    *,
    heard: str | None = None,
    heard_acts: Sequence[DialogueAct] = (),
    quotes: Sequence[float] = (),
    seed: int = 11,
    agent_said: Sequence[Utterance] = (),
    **state: Any,
) -> AgentView:
    """Return a view in the middle of bargaining; ``state`` sets fields of the public state.

    ``quotes``: the hotel's committed selling prices, 0 for a ticket without one. ``heard``: its
    last message.
    """
    task = card(tickets)
    game: GameState = new_game(FLOATS, card_numbers(task))
    game.turn, game.greeted, game.asked, game.ever_answered = 4.0, True, True, True
    game.used = tuple(1.0 if tactic == 1 else 0.0 for tactic in range(len(game.used)))
    game.quote = trio([q or s for q, s in zip(quotes, game.quote, strict=False)], game.quote[-1])
    game.quoted = trio([q > 0.0 for q in quotes], False)
    game.fresh = game.quoted
    for name, value in state.items():
        setattr(game, name, value)
    game.open = open_tickets(FLOATS, game)
    said = [] if heard is None else [Utterance(heard, tuple(heard_acts))]
    return AgentView(task, game, stage_of(game), list(agent_said), said, seed)


def opening(tickets: int = 1, seed: int = 11) -> AgentView:
    """Return the view before the first message."""
    task = card(tickets)
    game = new_game(FLOATS, card_numbers(task))
    return AgentView(task, game, stage_of(game), [], [], seed)


def of_kind(acts: Sequence[DialogueAct], *kinds: Act) -> list[DialogueAct]:
    """Return the acts of the given kinds."""
    return [act for act in acts if act.kind in kinds]
