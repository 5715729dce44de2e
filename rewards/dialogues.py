"""Dialogues with the simulated hotel, for training data: every state of them is a situation that awaits a reply.

The hotel is the rule-based manager, found by name. Held-out data are played with other scenarios, other personas and
other phrases than training data. A dialogue follows from its number alone. Knows no annotator and no reward; scenario
numbers of both parts lie far from those of the benchmark suites.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from negotiation_env.exchange import open_negotiation
from negotiation_env.game import End, GameState, apply_decision, apply_move, settle
from negotiation_env.lanes import FLOATS
from negotiation_env.moves import move_of
from negotiation_env.protocols import Manager, Utterance
from negotiation_env.registry import PERSONAS, load, load_manager
from negotiation_env.scenario import TaskCard, sample_scenario
from negotiation_env.understanding import context_of, understand
from rewards.candidates import HABITS, Acts, draw_acts
from rewards.situations import SCENARIOS, Situation
from rewards.spoken import worded

LONGEST: Final = 16
"""Turns after which a dialogue is left."""
HELD_OUT_PERSONAS: Final = 5
"""Every so manieth persona speaks in held-out data only."""

Speaker = Callable[[TaskCard, GameState, np.random.Generator], tuple[str, Acts]]
"""Chooses what the agent does next: the name of the habit, and acts."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A situation and what the agent said in it."""

    situation: Situation
    habit: str
    text: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue: its turns in order, and the public state after the last one."""

    turns: tuple[Turn, ...]
    game: GameState

    @property
    def agreed(self) -> int:
        """Number of tickets agreed."""
        return sum(price > 0.0 for price in self.game.agreed)


@cache
def hotel() -> Manager:
    """Return the rule-based manager, made once."""
    return load_manager("rules")


@cache
def personas(held_out: bool) -> tuple[str, ...]:
    """Return the names of the shipped personas that one part of the data is played with."""
    names = sorted(path.stem for path in load(PERSONAS, "builtin", "persona pack")())
    return tuple(name for i, name in enumerate(names) if (i % HELD_OUT_PERSONAS == 2) is held_out)


def explorer(card: TaskCard, game: GameState, rng: np.random.Generator) -> tuple[str, Acts]:
    """Choose as agents of every kind do, good or bad: reaches states that a decent agent never sees."""
    habit = "opening" if game.turn < 0.5 and rng.random() < 0.85 else str(rng.choice(HABITS))
    return habit, draw_acts(habit, card, game, rng)


def play(number: int, held_out: bool, choose: Speaker) -> Dialogue:
    """Play one dialogue; ``number`` (0 and up) decides the scenario, the persona and every draw."""
    rng = np.random.default_rng((0xD1A, int(held_out), number))
    low, high = SCENARIOS[held_out]
    scenario_seed = int(rng.integers(low, high))
    scenario = sample_scenario(scenario_seed)
    names, manager = personas(held_out), hotel()
    talk = open_negotiation(scenario, manager, names[int(rng.integers(len(names)))])
    card, game = talk.card, talk.game
    turns: list[Turn] = []
    while game.end == End.OPEN and len(turns) < LONGEST:
        before = Situation(scenario_seed, card, copy(game), tuple(talk.agent_said), tuple(talk.manager_said))
        habit, acts = choose(card, game, rng)
        text = worded(acts, card, game, int(rng.integers(1 << 40)), held_out)
        turns.append(Turn(before, habit, text))
        meant = understand(text, context_of(card, game, "agent"))
        move = move_of(meant.acts, card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        talk.agent_said.append(Utterance(text, meant.acts))
        (answer,) = manager.respond([talk], [move])
        apply_decision(FLOATS, game, answer.decision)
        talk.manager_said.append(Utterance(answer.text, answer.acts))
    return Dialogue(tuple(turns), game)
