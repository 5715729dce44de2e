"""What an expert says in its own states and in a learner's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from negotiation_env.play.protocols import AgentReply, AgentView, ReplyView, RewardBreakdown, Unscored
from negotiation_env.play.registry import load_manager, load_reward
from simulators.people.demonstrations import declining
from simulators.people.training_files import TEST, TRAIN, Demonstration

pytest.importorskip("torch")

from policies.training.imitation import WRITTEN, Expert, ShadowedPolicy, expert_demonstrations
from tests.policies.staged import opening


def _demonstrations(n: int, seed: int = 0, learner: object = None) -> list[Demonstration]:
    manager, reward = load_manager("demanding:0.5"), load_reward("repo")
    return list(expert_demonstrations(n, seed, learner=learner, manager=manager, reward=reward, batch_size=8))  # type: ignore[arg-type]


class Mumbling:
    """Says the same whatever happens, and keeps what it saw."""

    name = "mumbling"

    def __init__(self) -> None:
        self.seen: list[AgentView] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        self.seen += views
        return [AgentReply("It is a fine day for a walk by the river.") for _ in views]


def test_the_expert_s_lines_follow_from_the_seed_and_parts_share_no_scenario() -> None:
    lines = _demonstrations(80)
    assert lines == _demonstrations(80) and lines != _demonstrations(80, seed=1)
    parts = {split: {line.scenario for line in lines if line.split == split} for split in (TRAIN, TEST)}
    assert [line.split for line in lines] == [TRAIN] * 72 + [TEST] * 8
    assert not parts[TRAIN] & parts[TEST]
    written = Counter(line.split for line in lines if line.scenario.startswith("written/"))
    assert written == {TRAIN: round(WRITTEN * 72), TEST: round(WRITTEN * 8)}


def test_a_learner_s_states_are_played_and_the_expert_s_words_learned() -> None:
    learner = Mumbling()
    lines = _demonstrations(60, learner=learner)
    assert learner.seen
    shown = [message["content"] for line in lines for message in line.prompt if message["role"] == "assistant"]
    assert any("fine day" in text for text in shown)  # what it said is in the talk
    assert not any("fine day" in line.completion for line in lines)


class Refusing(Unscored):
    """Holds every reply to break a rule unless it declines something."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        lines = tuple(line for some in declining().values() for line in some[TRAIN])
        found = [0.0 if reply.text.startswith(lines) else -50.0 for reply in replies]
        return [RewardBreakdown(points, None, None, points, None) for points in found]


def test_where_every_wording_breaks_a_rule_the_expert_declines_first() -> None:
    (plain,) = Expert(Unscored()).reply([opening()])
    assert plain.text == ""  # nothing is known of any wording
    (declined,), (free,) = Expert(Refusing()).reply([opening()]), Expert(load_reward("repo")).reply([opening()])
    lines = tuple(line for some in declining().values() for line in some[TRAIN])
    assert declined.text.startswith(lines)
    assert free.text and not free.text.startswith(lines)


def test_where_the_expert_has_nothing_to_say_the_learner_plays_and_nothing_is_kept() -> None:
    learner = Mumbling()
    shadowed = ShadowedPolicy(learner, Expert(Unscored()), 1.0)
    (said,) = shadowed.reply([opening()])
    assert "fine day" in said.text and shadowed.kept == []
