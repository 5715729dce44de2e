"""What a manager asks for in vain, and how the agent declines it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import benchmarks
from negotiation_env.game.features import FEATURE_INDEX
from rewards.rules.rule_reward import RuleReward, example_view
from simulators.managers.rule_manager import requests
from simulators.people.demonstrations import declining

CASES = Path(benchmarks.__file__).parent / "suites" / "bad_cases"
SPLITS = ("train", "test")


@pytest.mark.parametrize("kind", sorted(declining()))
def test_answers_promise_nothing_and_break_no_rule(kind: str) -> None:
    for split in SPLITS:
        for answer in declining()[kind][split]:
            view = example_view(f"{answer} Could you do 380 selling price?")
            assert view.features[FEATURE_INDEX["overpromise"]] == 0.0, answer
            assert RuleReward.shipped().score(view).points == 0.0, answer


def test_nothing_asked_is_of_the_bad_cases_or_of_both_splits() -> None:
    scripts = {
        line["text"].lower()
        for path in CASES.glob("*.toml")
        for line in tomllib.loads(path.read_text(encoding="utf-8"))["script"]
    }
    assert scripts
    assert requests().keys() == declining().keys()
    for kind in (*requests().values(), *declining().values()):
        for name, lines in kind.items():
            assert not any(line.lower() in said for line in lines for said in scripts), name
        assert not set(kind["train"]) & set(kind["test"])
