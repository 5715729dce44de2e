"""Short episodes that must not change unless the changelog says so under "Score-affecting".

``python tests/golden/test_golden.py`` writes them anew, after a change that is meant to move scores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout

GOLDEN = Path(__file__).parent / "episodes.json"
POLICIES = ("intent-driven", "sb3")
SEEDS = (1, 2, 3)


def play() -> list[dict[str, Any]]:
    """Play the golden episodes: what was said, and each reply's reward to six digits."""
    scenarios = [sample_scenario(seed) for seed in SEEDS]
    out = []
    for name in POLICIES:
        episodes = rollout(load_policy(name), scenarios, manager=load_manager("rules"), reward=load_reward("repo"))
        for episode in episodes:
            turns = [[t.text, t.answer, round(t.reward.total or 0.0, 6)] for t in episode.turns]
            out.append({"policy": name, "scenario": episode.scenario_id, "end": episode.end, "turns": turns})
    return out


def test_golden_episodes_are_unchanged() -> None:
    assert play() == json.loads(GOLDEN.read_text(encoding="utf-8")), (
        "episodes changed; if that is meant, run: python tests/golden/test_golden.py, and note the change in "
        "CHANGELOG.md under Score-affecting"
    )


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(play(), indent=1) + "\n", encoding="utf-8")
