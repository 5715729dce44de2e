"""Where a reply is due: situations sampled without a simulator, and dialogues with the simulated hotel.

A situation is reached by playing a few turns between an agent that draws its moves and a *sketch* of a manager that
draws its answers at random between the floor and the quote: it only has to reach every kind of public state. In a
dialogue (``play``) the hotel is the rule-based manager. Held-out data have other scenarios, personas and phrases than
training data; both follow from their numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from negotiation_env.game.acts import MAX_TICKETS, Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS, Trio
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import Scenario, TaskCard, card_numbers, sample_scenario
from negotiation_env.game.state import (
    Decision,
    End,
    GameState,
    Move,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    settle,
)
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import Manager, Utterance
from negotiation_env.play.registry import PERSONAS, load, load_manager
from negotiation_env.seeds import SCENARIOS, Stream
from simulators.people.candidates import HABITS, Acts, draw_acts, worded

SCENARIO_SEEDS = {False: SCENARIOS["generated data"], True: SCENARIOS["generated data held out"]}
"""Scenario seeds of training and of held-out data (True)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a reply is due: the scenario's seed, the card, the public state, and what was said."""

    seed: int
    card: TaskCard
    game: GameState
    said: tuple[Utterance, ...]
    manager: tuple[Utterance, ...]

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return f"sampled-{self.seed}"


def sample_situation(seed: int, held_out: bool = False, longest: int = 9) -> Situation:
    """Return the situation of a seed: 0 to ``longest`` turns into a negotiation that is still open."""
    rng = np.random.default_rng((Stream.SITUATION, seed))
    scenario_seed = int(rng.integers(SCENARIO_SEEDS[held_out].start, SCENARIO_SEEDS[held_out].stop))
    scenario = sample_scenario(scenario_seed)
    turns = 0 if rng.random() < 0.15 else int(rng.integers(1, longest + 1))
    game = new_game(FLOATS, card_numbers(scenario.card))
    said: list[Utterance] = []
    manager: list[Utterance] = []
    for _ in range(turns):
        after = copy(game)
        own, answer = _play_turn(rng, scenario, after, held_out)
        if after.end != End.OPEN:
            break
        game = after
        said.append(own)
        manager.append(answer)
    return Situation(scenario_seed, scenario.card, game, tuple(said), tuple(manager))


def _play_turn(
    rng: np.random.Generator, scenario: Scenario, game: GameState, held_out: bool
) -> tuple[Utterance, Utterance]:
    """Play one turn in place; return both messages."""
    card = scenario.card
    habit = "opening" if game.turn < 0.5 and rng.random() < 0.8 else str(rng.choice(HABITS))
    acts = draw_acts(habit, card, game, rng)
    text = worded(acts, card, game, int(rng.integers(1 << 40)), held_out)
    meant = understand(text, context_of(card, game, "agent"))
    move = move_of(meant.acts, card, game)
    apply_move(FLOATS, game, move, settle(FLOATS, game, move))
    decision = sketch_decision(rng, game, move, scenario.brief.floors)
    said = decision_acts(game, decision)
    apply_decision(FLOATS, game, decision)
    return Utterance(text, meant.acts), Utterance(plain_text(said, card), said)


def sketch_decision(rng: np.random.Generator, game: GameState, move: Move, floors: tuple[int, ...]) -> Decision:
    """Draw the sketched manager's answer to a move that was applied. Quotes never lie below the floor."""
    none = (False, False, False)
    silent = bool(rng.random() < (0.15 if not game.ever_answered else 0.06))
    net = bool(rng.random() < 0.2)
    flags: dict[str, list[bool]] = {name: [False] * MAX_TICKETS for name in ("accept", "counter", "hold", "refuse")}
    quote = [float(q) for q in game.quote]
    for k in range(MAX_TICKETS):
        if not game.open[k]:
            continue
        luck = rng.random()
        if game.bid[k] >= floors[k] and game.bid[k] <= quote[k] and luck < 0.45:
            flags["accept"][k], quote[k] = True, float(game.bid[k])
        elif luck < 0.8 and not (game.turn < 0.5 and luck < 0.6):
            flags["counter"][k] = True
            step = rng.random() ** 1.5
            quote[k] = float(round(max(quote[k] - step * 0.7 * (quote[k] - floors[k]), floors[k])))
        elif luck < 0.985:
            flags["hold"][k] = True
        else:
            flags["refuse"][k] = True
    return Decision(
        silent=silent,
        greet=bool(game.turn < 0.5 and rng.random() < 0.6),
        walk=False,
        bye=False,
        ask=not any(move.tactics) and bool(rng.random() < 0.35),
        upset=bool(rng.random() < (0.7 if move.rude or move.tactics[Tactic.PRESSURE] else 0.15)),
        objection=float(rng.integers(1, 6)) if rng.random() < 0.15 else 0.0,
        accept=_trio(flags["accept"]),
        counter=_trio(flags["counter"]),
        hold=_trio(flags["hold"]),
        refuse=_trio(flags["refuse"]),
        confirm=none,
        quote=(quote[0], quote[1], quote[2]),
        net=net,
    )


def _trio(values: list[bool]) -> Trio:
    return (values[0], values[1], values[2])


def plain_text(acts: tuple[DialogueAct, ...], card: TaskCard) -> str:
    """Return the sketched manager's acts in bare words; silence is ""."""
    parts = []
    for act in acts:
        room = card.tickets[act.ticket].room if act.ticket is not None else ""
        kind = "net" if act.price_type is PriceType.NET else "a night"
        if act.kind in (Act.ACCEPT, Act.CONFIRM) and act.price is not None:
            parts.append(f"{act.price:.0f} {kind} for the {room} is fine.")
        elif act.kind is Act.COUNTER and act.price is not None:
            parts.append(f"I could do {act.price:.0f} {kind} for the {room}.")
        elif act.kind is Act.REJECT:
            parts.append(f"The {room} stays as it is.")
        elif act.kind is Act.GREET:
            parts.append("Hello.")
        elif act.kind is Act.ASK:
            parts.append("What would we gain?")
        elif act.kind is Act.INFORM:
            parts.append("I am not happy about this." if act.detail == "upset" else "I don't see that it helps.")
    return " ".join(parts)


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
    rng = np.random.default_rng((Stream.DIALOGUE, int(held_out), number))
    scenario_seed = int(rng.integers(SCENARIO_SEEDS[held_out].start, SCENARIO_SEEDS[held_out].stop))
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
