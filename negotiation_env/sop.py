"""The standard operating procedure (SOP) of a negotiation: six stages, inferred from the dialogue.

The stages' names and number are ours; the source method (REPO, arXiv 2510.04214) names an SOP without listing it.
"""

from __future__ import annotations

from enum import IntEnum

from negotiation_env.acts import MAX_TICKETS, Tactic
from negotiation_env.game import End, GameState


class Stage(IntEnum):
    """Where a negotiation stands."""

    OPEN = 0
    """Greet and say who is calling."""
    REASON = 1
    """Give the reason, with facts."""
    ASK_PRICE = 2
    """Ask for a price."""
    OBJECTIONS = 3
    """Handle objections and bargain."""
    CONFIRM = 4
    """Confirm price, price type, dates, every ticket."""
    CLOSE = 5
    """Thank and close."""


def stage_of(game: GameState) -> Stage:
    """Return the stage that one negotiation (floats) is in: what the agent should do next."""
    if game.end != End.OPEN:
        return Stage.CLOSE
    if not game.greeted:
        return Stage.OPEN
    if not any(game.used[t] for t in range(Tactic.EXPOSURE, Tactic.PRESSURE)):
        return Stage.REASON
    unsettled = [k for k in range(MAX_TICKETS) if k < game.card.tickets and not game.agreed[k] and not game.refused[k]]
    if not any(game.quoted[k] for k in unsettled) and not game.asked:
        return Stage.ASK_PRICE
    if any(game.quoted[k] and game.quote[k] <= game.card.target[k] for k in unsettled):
        return Stage.CONFIRM
    return Stage.OBJECTIONS
