"""The numeric twin: its contract, and that its actions mean the same in words."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.state import apply_decision, apply_move, settle
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from simulators.managers.rule_manager import RuleManager


def _actions(seed: int, count: int) -> Any:
    rng = np.random.default_rng(seed)
    actions = rng.integers([0, 0, 0], [13, 8, 11], size=(count, 3))
    keep = rng.random(count) < 0.25
    actions[:, 0] = np.where(keep, actions[:, 0], rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 9], size=count))
    return actions


def test_worded_and_understood_again_an_action_leads_to_the_same_decisions() -> None:
    """Without what the words are worth beyond their acts, which the numeric twin takes as it is on average."""
    compared, manager = 0, RuleManager()
    for seed in range(150):
        numeric: Any = gym.make("HotelNegotiationStrategy-v0").unwrapped
        numeric.reset(seed=seed)
        negotiation = open_negotiation(numeric._scenario, manager)
        game, seat = negotiation.game, negotiation.seat
        for action in _actions(seed, 15):
            message = numeric.action_text(action)
            numeric.step(action)
            move = move_of(
                understand(message, context_of(negotiation.card, game, "agent")).acts, negotiation.card, game
            )
            apply_move(FLOATS, game, move, settle(FLOATS, game, move))
            apply_decision(FLOATS, game, seat.dynamics.decide(FLOATS, seat.state, game, move))
            b = numeric._game
            assert (game.quote, game.agreed, game.refused, game.end, game.upset) == (
                b.quote, b.agreed, b.refused, b.end, b.upset,
            ), message  # fmt: skip
            compared += 1
            if game.end:
                break
    assert compared > 600


def test_the_vector_env_plays_what_the_single_env_plays() -> None:
    vector = gym.make_vec("HotelNegotiationStrategy-v0", num_envs=32, vectorization_mode="vector_entry_point")
    singles = [gym.make("HotelNegotiationStrategy-v0") for _ in range(32)]
    seen, _ = vector.reset(seed=100)
    for i, env in enumerate(singles):
        assert np.array_equal(env.reset(seed=100 + i)[0], seen[i])
    for turn in range(30):
        actions = _actions(turn, 32)
        seen, rewards, terminated, truncated, info = vector.step(actions)
        for i, env in enumerate(singles):
            one, reward, ended, cut, _ = env.step(actions[i])
            assert (ended, cut) == (terminated[i], truncated[i])
            assert reward == pytest.approx(rewards[i], abs=1e-9)
            if ended or cut:
                assert np.array_equal(one, info["final_obs"][i])
                one, _ = env.reset()
            assert np.array_equal(one, seen[i])


def test_observations_stay_in_their_box() -> None:
    env = gym.make_vec("HotelNegotiationStrategy-v0", num_envs=256, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    for turn in range(40):
        seen, *_ = env.step(_actions(turn, 256))
        assert np.all(seen >= -1.0) and np.all(seen <= 2.0) and seen.dtype == np.float32


def test_a_scenario_and_a_persona_can_be_given() -> None:
    scenario = sample_scenario(5)
    env = gym.make("HotelNegotiationStrategy-v0", scenario=scenario, persona="loyal-partner", render_mode="ansi")
    env.reset(seed=0)
    env.step(np.array([0, 1, 4]))
    assert "AGENT:" in str(env.render()) and "HOTEL:" in str(env.render())


def test_a_manager_without_dynamics_is_refused() -> None:
    class Wordless:
        name = "wordless"

        def start(self, scenario: Any, persona: Any = None) -> None: ...

        def respond(self, negotiations: Any, moves: Any) -> list[Any]:
            return []

    with pytest.raises(UsageError, match="dynamics"):
        gym.make("HotelNegotiationStrategy-v0", manager=Wordless())


def test_stable_baselines3_accepts_it() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gym.make("HotelNegotiationStrategy-v0").unwrapped)


def test_a_scenario_given_at_reset_uses_up_its_turn_in_the_stream_of_seeds() -> None:
    given = {"scenario": sample_scenario(5)}
    text: Any = gym.make("HotelNegotiation-v0").unwrapped
    numeric: Any = gym.make("HotelNegotiationStrategy-v0").unwrapped
    for env in (text, numeric):
        env.reset(seed=4, options=given)
        env.reset()
    assert text._lane.negotiation.scenario == numeric._scenario
