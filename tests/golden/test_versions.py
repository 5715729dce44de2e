"""Versions are raised with what they stand for: each is tied to a digest of what its part does on fixed inputs.

``python tests/golden/test_versions.py`` writes ``versions.json`` anew, after a version was raised.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.checks.problems import find_problems
from benchmarks.raters.panel import rate_episode
from benchmarks.runner.provenance import VERSIONS
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.protocols import ReplyView, Unscored
from negotiation_env.play.records import Episode, recorded_views
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from rewards.judge.distilled_judge import DistilledJudge
from rewards.model.ngram_model import NgramRewardModel
from rewards.rules.rule_reward import RuleReward, example_view

FILE = Path(__file__).parent / "versions.json"
SEEDS = range(200, 216)
POLICIES = ("random", "heuristic", "intent-driven")


@cache
def episodes() -> list[Episode]:
    """Episodes of the scripted policies with the rule manager."""
    scenarios = [sample_scenario(seed) for seed in SEEDS]
    return [
        episode
        for name in POLICIES
        for episode in rollout(load_policy(name), scenarios, manager=load_manager("rules"), reward=Unscored())
    ]


@cache
def views() -> list[ReplyView]:
    """What rewards see of those episodes, and of the rules' own examples."""
    examples = [example_view(e) for rule in RuleReward.shipped().rules for e in (*rule.yes, *rule.no)]
    return [*examples, *(view for episode in episodes() for view in recorded_views(episode))]


def managers() -> Iterable[object]:
    return ([(turn.answer, turn.answer_acts) for turn in episode.turns] for episode in episodes())


def reader() -> Iterable[object]:
    return ((view.text, view.acts) for view in views())


def rules() -> Iterable[object]:
    return ([(t.id, t.points) for t in found.terms] for found in map(RuleReward.shipped().score, views()))


def judge() -> Iterable[object]:
    return ([(t.id, round(t.points, 6)) for t in found.terms] for found in DistilledJudge.shipped().judge(views()))


def model() -> Iterable[object]:
    return (round(NgramRewardModel.shipped().score(view), 6) for view in views())


def checks() -> Iterable[object]:
    return (find_problems(episode) for episode in episodes())


def raters() -> Iterable[object]:
    scenarios = itertools.cycle([sample_scenario(seed) for seed in SEEDS])
    return (rate_episode(episode, scenario) for episode, scenario in zip(episodes(), scenarios, strict=False))


def scenarios() -> Iterable[object]:
    return (sample_scenario(seed) for seed in SEEDS)


PARTS: dict[str, Callable[[], Iterable[object]]] = {
    "scenarios": scenarios,
    "reader": reader,
    "managers": managers,
    "rules": rules,
    "judge": judge,
    "model": model,
    "checks": checks,
    "raters": raters,
}


def plain(value: Any) -> Any:
    """Values without the names of their classes, which may change."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (list, tuple, set, frozenset)):
        inner = [plain(part) for part in value]
        return sorted(inner) if isinstance(value, (set, frozenset)) else inner
    return value


def digest(results: Iterable[object]) -> str:
    lines = (json.dumps(plain(result), ensure_ascii=False, default=str) for result in results)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def found() -> dict[str, dict[str, object]]:
    """Each part's version and the digest of what it does."""
    return {name: {"version": VERSIONS[name], "digest": digest(part())} for name, part in PARTS.items()}


def test_every_part_has_a_version() -> None:
    assert PARTS.keys() == VERSIONS.keys()


def test_a_part_that_does_otherwise_has_another_version() -> None:
    known, now = json.loads(FILE.read_text(encoding="utf-8")), found()
    moved = [name for name in now if now[name] != known[name]]
    assert not moved, (
        f"{', '.join(moved)}: what it does changed; raise {', '.join(f'{n.upper()}_VERSION' for n in moved)}, then run "
        "python tests/golden/test_versions.py, and note the change in CHANGELOG.md under Score-affecting"
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps(found(), indent=1) + "\n", encoding="utf-8")
