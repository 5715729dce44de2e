"""Small pieces that the benchmark tests share: a policy with fixed replies, and a game played with it."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.metrics.judging import AssessedEpisode, judge
from benchmarks.suites import Case
from negotiation_env.play.protocols import AgentReply, AgentView, ReplyView, RewardBreakdown
from negotiation_env.play.rollout import rollout
from policies.scripted import HeuristicPolicy
from simulators.managers.replay_manager import ReplayManager


class FixedReplies:
    """Says the given lines in order, then nothing."""

    name = "fixed"

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        places = [len(view.agent_said) for view in views]
        return [AgentReply(self.lines[k] if k < len(self.lines) else "") for k in places]


class NoReward:
    """Scores nothing: every source is missing."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        return [RewardBreakdown(None, None, None, None, None, fault="not asked") for _ in replies]

    def score_features(self, lanes: object, features: object) -> RewardBreakdown:
        return RewardBreakdown(None, None, None, None, None)


def play(case: Case, lines: Sequence[str]) -> AssessedEpisode:
    """Play a scripted case with fixed replies and judge it."""
    assert case.script is not None
    (episode,) = rollout(
        FixedReplies(lines),
        [case.scenario],
        manager=ReplayManager({case.id: case.script}),
        reward=NoReward(),
        max_turns=len(lines),
    )
    return judge(case, episode)


class ScoredByLength:
    """A cheap reward for tests: a tenth of a point for each word."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        totals = [len(view.words) / 10.0 for view in replies]
        return [RewardBreakdown(total, total, 0.0, 0.0, 0.0) for total in totals]

    def score_features(self, lanes: object, features: object) -> RewardBreakdown:
        return RewardBreakdown(0.0, 0.0, 0.0, 0.0, 0.0)


class Polite(FixedReplies):
    """A policy to be named as ``tests.benchmarks.playing:Polite``."""

    name = "polite"

    def __init__(self) -> None:
        super().__init__(
            [
                "Good morning, I am calling about your room rates.",
                "A lower rate brings more views. What rate could you offer?",
                "I am sorry to press. Which selling price would work for the room?",
                "Thank you. Could you tell me a rate for each room?",
                "Thank you for your time, goodbye.",
            ]
        )


class Breaking(Polite):
    """Fails on the second reply of every scenario whose seed is even, while ``broken``."""

    name = "breaking"
    broken = True

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        replies = super().reply(views)
        return [
            AgentReply("", fault="engine lost") if self.broken and view.agent_said and view.card.tickets[1:] else reply
            for view, reply in zip(views, replies, strict=True)
        ]


def deadly(state: object, item: int) -> Iterator[int]:
    """Work whose process is killed, but for item 0."""
    yield item
    if item:
        os.kill(os.getpid(), signal.SIGKILL)


class LostOnce(HeuristicPolicy):
    """Its process is killed in the middle of a batch, once in a working folder: the file ``lost`` says that it was."""

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        if max(len(view.agent_said) for view in views) >= 3 and not Path("lost").exists():
            Path("lost").write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().reply(views)
