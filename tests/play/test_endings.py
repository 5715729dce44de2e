"""How a negotiation ended, in a word: nothing agreed is never "settled"."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import pytest

from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.state import End, new_game
from negotiation_env.play.exchange import end_of
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import load_policy
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import ReplayManager, ScriptLine

SCENARIO = sample_scenario(4)
REFUSAL = "No. I will not lower any of the rates, that is final."


@pytest.mark.parametrize(
    ("end", "agreed", "word"),
    [
        (End.SETTLED, 380.0, "settled"),
        (End.SETTLED, 0.0, "no_deal"),
        (End.WALKED_AWAY, 0.0, "walked_away"),
        (End.CLOSED, 0.0, "closed"),
        (End.NO_ANSWER, 0.0, "no_answer"),
    ],
)
def test_endings_are_told_apart(end: End, agreed: float, word: str) -> None:
    game = new_game(FLOATS, card_numbers(SCENARIO.card))
    assert end_of(replace(game, end=float(end), agreed=(agreed, 0.0, 0.0))) == word


def refusing() -> ReplayManager:
    return ReplayManager({SCENARIO.id: (ScriptLine(REFUSAL), ScriptLine(REFUSAL))})


def test_all_tickets_refused_is_no_deal() -> None:
    env = gym.make("negotiation_env:HotelNegotiation-v0", scenario=SCENARIO, manager=refusing())
    env.reset(seed=1)
    _, _, terminated, _, info = env.step("Hello, could you offer us a lower price?")
    assert terminated and all(ticket["refused"] for ticket in info["outcome"]["tickets"])
    assert info["outcome"]["end"] == "no_deal"
    (episode,) = rollout(load_policy("heuristic"), [SCENARIO], manager=refusing(), reward=Unscored())
    assert episode.end == "no_deal" and all(ticket.refused for ticket in episode.tickets)
