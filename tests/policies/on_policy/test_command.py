"""``negotiate train ppo|grpo|repo``: plans, refusals, and what the policy specs find."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("peft")

from benchmarks.cli.main import app
from benchmarks.raters.panel import persuasion
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from policies.training.on_policy.methods import METHODS
from policies.training.plan import on_policy_plan


@pytest.mark.parametrize("method", METHODS)
def test_a_dry_run_trains_nothing(method: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["train", method, "--preset", "paper", "--dry-run", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Qwen/Qwen3-32B" in done.output and "replies sampled" in done.output
    assert not out.exists()


def test_the_value_model_is_what_a_plan_of_grpo_lacks() -> None:
    plans = {name: on_policy_plan(name, "paper") for name in METHODS}
    assert plans["repo"].trained == plans["ppo"].trained == 2 * plans["grpo"].trained
    some = on_policy_plan("repo", "paper", ["value_layers=16"])
    assert some.trained == plans["grpo"].trained * (1 + 16 / some.shape.layers)
    part = on_policy_plan("grpo", "paper", ["policy_layers=16"])
    assert part.trained == plans["grpo"].trained * 16 / part.shape.layers
    assert {plan.work.sampled for plan in plans.values()} == {25_600}
    assert len({plan.work.steps for plan in plans.values()}) == 1


def test_a_setting_that_is_none_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    command = ["train", "repo", "--set", "learning_rat=1", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "learning_rate" in done.output


def test_the_persuasion_score_tells_good_dialogues_from_bad_ones() -> None:
    scenarios = [sample_scenario(seed) for seed in range(6)]
    manager, reward = load_manager("rules"), load_reward("repo")
    good, bad = (
        persuasion(rollout(load_policy(spec), scenarios, manager=manager, reward=reward))
        for spec in ("heuristic", "random")
    )
    assert 1.0 <= bad < good <= 5.0
    assert persuasion([]) == 1.0
