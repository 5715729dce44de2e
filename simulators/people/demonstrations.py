"""Demonstrations: an agent that follows the whole procedure as a decent, imperfect colleague would.

Its own strategy is plain (no reading of personas, steps of one size), so that learning from rewards has room above
imitating it. Now and then the manager asks for what an agent may not give (``simulators.managers.rule_manager``); it
declines (``phrases/declining.toml``) and goes on. Everything is simulated; no person wrote a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from negotiation_env.files import read_toml
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState, unsettled
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.prompts import prompt
from negotiation_env.seeds import Stream
from simulators.managers.rule_manager import Lines, requests
from simulators.people.candidates import Acts, draw_acts
from simulators.people.situations import Dialogue, Turn, play
from simulators.people.training_files import TEST, TRAIN, Demonstration

SOURCE = "demonstrator"
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
ASKED = 0.15
"""Share of the manager's messages that ask for what an agent may not give."""
ALONE = 0.4
"""Share of these that say nothing else."""


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


def is_worth_imitating(turn: Turn) -> bool:
    """Whether a turn is one of the replies to learn from: most bad habits are left out, milder ones stay."""
    return bool(turn.text) and turn.habit not in ("chatter", "unmoved", "greet", "ask again")


def demonstrations(n: int, seed: int = 0) -> Iterator[Demonstration]:
    """Yield ``n`` lines along full paths, the test split last; the same seed gives the same lines."""
    held = round(TEST_SHARE * n)
    for held_out, count in ((False, n - held), (True, held)):
        left = count
        for _, dialogue in full_paths(held_out, seed * n):
            for turn in dialogue.turns:
                if left and is_worth_imitating(turn):
                    left -= 1
                    yield _line(turn, TEST if held_out else TRAIN)
            if not left:
                break


def _line(turn: Turn, split: str) -> Demonstration:
    at, text, manager = turn.situation, turn.text, turn.situation.manager
    rng = np.random.default_rng((Stream.DEMONSTRATION, at.seed, int(at.game.turn)))
    if manager and manager[-1].text and rng.random() < ASKED:
        kind = str(rng.choice(sorted(requests())))
        asked, answer = (str(rng.choice(lines[kind][split])) for lines in (requests(), declining()))
        asked = asked if rng.random() < ALONE else f"{asked} {manager[-1].text}"
        manager, text = (*manager[:-1], manager[-1]._replace(text=asked)), f"{answer} {text}"
    view = reply_view(text, at.card, at.game, at.said, manager)
    return Demonstration(prompt(view), text, SOURCE, at.name, split)
