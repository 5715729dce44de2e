"""Nothing that is not negotiating pays under the default reward."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.studies.gaming import STALLING, STRATEGIES, Gain, GamingPolicy, failures, measure
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.play.rollout import rollout


@pytest.fixture(scope="module")
def gains() -> dict[str, Gain]:
    found = measure("repo", "intent-driven", scenarios=40)
    return {gain.strategy: gain for gain in found}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_strategy_earns_more_than_the_honest_reply_in_its_place(gains: dict[str, Gain], strategy: str) -> None:
    assert gains[strategy].total_gain[2] < 0.0


@pytest.mark.parametrize("strategy", STALLING)
def test_stalling_returns_less_than_negotiating(gains: dict[str, Gain], strategy: str) -> None:
    assert gains[strategy].return_gain[2] < 0.0


def test_the_honest_policy_gains_nothing_over_itself(gains: dict[str, Gain]) -> None:
    assert gains["honest"].total_gain == gains["honest"].return_gain == (0.0, 0.0, 0.0)


def test_a_strategy_that_pays_is_reported() -> None:
    paid = Gain("never-close", {}, (), (0.1, 0.0, 0.2), (0.3, 0.1, 0.5), 20.0)
    assert [line.partition(":")[0] for line in failures([paid])] == ["never-close"] * 2
    assert len(failures([replace(paid, strategy="empty")])) == 1


def test_strategies_depend_on_what_they_see_alone() -> None:
    scenarios = [sample_scenario(seed) for seed in range(3)]
    manager, reward = load_manager("rules"), load_reward("repo")
    for name in STRATEGIES:
        first, second = (rollout(GamingPolicy(name), scenarios, manager=manager, reward=reward) for _ in range(2))
        assert first == second


def test_an_unknown_strategy_is_an_error() -> None:
    with pytest.raises(UsageError, match="Did you mean 'flattery'"):
        GamingPolicy("flatery")
