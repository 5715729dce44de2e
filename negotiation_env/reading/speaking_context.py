"""The context in which a message is read or worded: the public state, as flat tuples per ticket.

It holds nothing private to the manager and knows no text.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from negotiation_env.game import GameState
from negotiation_env.scenario import TaskCard


class Context(NamedTuple):
    """What a message is read against, or worded for. Prices are selling prices, yuan per night."""

    speaker: Literal["agent", "manager"]
    rooms: tuple[str, ...]
    """Room type per ticket."""
    selling: tuple[float, ...]
    """Current selling price per ticket."""
    commissions: tuple[float, ...]
    quotes: tuple[float | None, ...]
    """The manager's standing committed figure per ticket, None if none."""
    bids: tuple[float | None, ...]
    """The agent's last figure per ticket, None if none."""
    open: tuple[bool, ...]
    """Tickets neither agreed nor refused."""
    net: bool
    """Whether the price type last named is net."""


def context_of(card: TaskCard, game: GameState, speaker: Literal["agent", "manager"]) -> Context:
    """Return the context in which ``speaker`` speaks next, from one negotiation's public state (floats)."""
    tickets = card.tickets
    places = range(len(tickets))
    quoted, quote, bid = game.quoted, game.quote, game.bid
    return Context(
        speaker,
        tuple([t.room for t in tickets]),
        tuple([t.selling_price for t in tickets]),
        tuple([t.commission for t in tickets]),
        tuple([quote[k] if quoted[k] else None for k in places]),
        tuple([bid[k] if bid[k] > 0.0 else None for k in places]),
        game.open[: len(tickets)],
        bool(game.net),
    )
