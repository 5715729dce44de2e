"""The standard operating procedure (SOP) of a negotiation: six stages, inferred from the dialogue.

The stages' names and number are ours; the source method (REPO, arXiv 2510.04214) names an SOP without listing it.
"""

from __future__ import annotations

from enum import IntEnum

from negotiation_env.acts import Tactic
from negotiation_env.game import GameState


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


STAGE_NAMES = tuple(stage.name.lower() for stage in Stage)
"""Names in order, as ``info["stage"]`` gives them."""
_REASONS = slice(int(Tactic.EXPOSURE), int(Tactic.PRESSURE))


def stage_of(game: GameState) -> Stage:
    """Return the stage that one negotiation (floats) is in: what the agent should do next."""
    if game.end:
        return Stage.CLOSE
    if not game.greeted:
        return Stage.OPEN
    if not any(game.used[_REASONS]):
        return Stage.REASON
    card, haggles = game.card, game.asked
    for k in range(int(card.tickets)):
        if game.open[k] and game.quoted[k]:
            if game.quote[k] <= card.target[k]:
                return Stage.CONFIRM
            haggles = True
    return Stage.OBJECTIONS if haggles else Stage.ASK_PRICE
