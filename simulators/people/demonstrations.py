"""A decent, imperfect colleague who follows the whole procedure: dialogues that preference data are taken from.

Its own strategy is plain: no reading of personas, steps of one size. Here also stands how an agent declines what it may
not give (``phrases/declining.toml``). Everything is simulated; no person wrote a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from negotiation_env.files import read_toml
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState, unsettled
from simulators.managers.rule_manager import Lines
from simulators.people.candidates import Acts, draw_acts
from simulators.people.situations import Dialogue, play

MANAGER = "demanding:0.2"
"""Who answers in dialogues to learn from: one who now and then asks for what no agent may give."""
SLOPPY = 0.14
"""Share of replies that come from a bad habit."""
BAD_HABITS = (
    "stale", "bare bid", "large step", "take", "soothe", "ask again", "unmoved", "chatter", "take one", "greet",
)  # fmt: skip
"""What it falls back into when it is not paying attention."""
PATIENCE = 9
"""Turns after which it takes any standing cut, now and then earlier."""
TEST_SHARE = 0.15
"""Share of lines that belong to the test split."""


@cache
def declining() -> Lines:
    """Return how an agent declines what a manager asks for in vain: by kind of request, then by split."""
    return read_toml(Path(__file__).with_name("phrases") / "declining.toml", Lines)


def demonstrator(card: TaskCard, game: GameState, rng: np.random.Generator) -> tuple[str, Acts]:
    """Choose as a decent colleague does; see the module's docstring."""
    habit = _habit(game, rng)
    return habit, draw_acts(habit, card, game, rng)


def _habit(game: GameState, rng: np.random.Generator) -> str:
    luck = float(rng.random())
    if game.turn < 0.5 or not game.greeted:
        return "opening"
    if luck < SLOPPY:
        return str(rng.choice(BAD_HABITS))
    quotes = [k for k in unsettled(game) if game.quoted[k]]
    if any(game.quote[k] <= game.card.target[k] for k in quotes):
        return "settle"
    cuts = [k for k in quotes if game.quote[k] < game.card.selling[k]]
    if cuts and game.turn >= PATIENCE + int(rng.integers(-2, 4)):
        return "take cuts"
    if game.silent_streak:
        return "nudge"
    if game.upset:
        return "soothe and reason" if rng.random() < 0.8 else "step"
    if game.wants_reason:
        return "reason"
    if not game.asked and not quotes:
        return "reason and ask" if rng.random() < 0.4 else "ask"
    return str(rng.choice(["step", "step", "step", "step", "reason", "promise"]))


def full_paths(held_out: bool, first: int = 0) -> Iterator[tuple[int, Dialogue]]:
    """Yield (number, dialogue) of the demonstrator's dialogues that end with at least one rate agreed."""
    number = first
    while True:
        dialogue = play(number, held_out, demonstrator)
        if dialogue.agreed:
            yield number, dialogue
        number += 1
