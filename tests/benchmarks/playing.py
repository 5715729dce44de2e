"""Small pieces that the benchmark tests share: a policy with fixed replies, and a game played with it."""

from collections.abc import Sequence

from benchmarks.metrics import Played, judge
from benchmarks.suites import Case
from negotiation_env.protocols import AgentReply, AgentView, ReplyView, RewardBreakdown
from negotiation_env.rollout import rollout
from simulators.replay import ReplayManager


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


def play(case: Case, lines: Sequence[str]) -> Played:
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
