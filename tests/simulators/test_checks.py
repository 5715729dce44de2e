"""The conformance kits find what they are for."""

from collections.abc import Sequence

import pytest

from negotiation_env.checks import CheckError, check_manager, check_policy, check_reward
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.game.state import Move
from negotiation_env.play.protocols import (
    AgentReply,
    AgentView,
    ManagerReply,
    Negotiation,
    ReplyView,
    RewardBreakdown,
)
from simulators.managers.rule_manager import RuleManager


class Broken(RuleManager):
    """A rule manager with a fault to be found."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.calls = fault, 0

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        replies = super().respond(negotiations, moves)
        self.calls += 1
        if self.fault == "count":
            return replies[1:]
        return [self._spoil(reply) for reply in replies]

    def _spoil(self, reply: ManagerReply) -> ManagerReply:
        decision = reply.decision
        if self.fault == "words" and reply.text:
            return reply._replace(text="I can do 12 yuan.")
        if self.fault == "floor" and any(decision.counter):
            return reply._replace(decision=decision._replace(quote=(1.0, 1.0, 1.0)))
        if self.fault == "state" and reply.text:
            return reply._replace(text=f"{reply.text} The lift is loud{'.' * (self.calls % 7)}")
        if self.fault == "silence" and not reply.text:
            return reply._replace(text=" ")
        return reply


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("count", "one per negotiation"),
        ("words", "its text to mean the decision"),
        ("floor", "mean the decision|at least the floor"),
        ("state", "alone and in a batch|in another order"),
        ("silence", "for silence"),
    ],
)
def test_a_broken_manager_is_found(fault: str, words: str) -> None:
    with pytest.raises(CheckError, match=words):
        check_manager(Broken(fault), negotiations=24, turns=12)


def test_something_else_is_no_manager() -> None:
    with pytest.raises(CheckError, match="respond"):
        check_manager(object())  # type: ignore[arg-type]


class SteadyPolicy:
    """Says the same thing at the same turn."""

    name = "steady"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        return [AgentReply(f"Hello, could you lower your rate? Turn {int(view.game.turn)}.") for view in views]


class BatchPolicy:
    """Lets the batch leak into its replies."""

    name = "batch"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        return [AgentReply(f"Hello, one of {len(views)}.") for _ in views]


class FaultyPolicy:
    """Reports a fault."""

    name = "faulty"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        return [AgentReply("", fault="out of memory") for _ in views]


def test_policies_are_told_apart() -> None:
    check_policy(SteadyPolicy(), negotiations=4, turns=3)
    with pytest.raises(CheckError, match="alone and in a batch"):
        check_policy(BatchPolicy(), negotiations=4, turns=3)
    with pytest.raises(CheckError, match="no fault"):
        check_policy(FaultyPolicy(), negotiations=4, turns=3)


class FixedReward:
    """A reward that always gives the same breakdown."""

    def __init__(self, breakdown: RewardBreakdown) -> None:
        self.breakdown = breakdown

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        return [self.breakdown] * len(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        return self.breakdown


@pytest.mark.parametrize(
    ("breakdown", "words"),
    [
        (RewardBreakdown(-1.5, -1.0, -30.0, -20.0, -50.0), ""),
        (RewardBreakdown(None, None, -30.0, -20.0, None, fault="no model"), ""),
        (RewardBreakdown(-0.5, -1.0, -30.0, -20.0, -50.0), "expected total -1.5"),
        (RewardBreakdown(-2.5, -1.0, -80.0, -70.0, -150.0), "expected enhancement"),
        (RewardBreakdown(None, None, -30.0, -20.0, None), "why there is no total"),
        (RewardBreakdown(float("nan"), 1.0, 0.0, 0.0, 0.0), "finite"),
    ],
)
def test_rewards_must_follow_the_formula(breakdown: RewardBreakdown, words: str) -> None:
    reward = FixedReward(breakdown)
    if not words:
        check_reward(reward, negotiations=2, turns=2)
        return
    with pytest.raises(CheckError, match=words):
        check_reward(reward, negotiations=2, turns=2)
