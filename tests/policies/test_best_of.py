"""Best of n: which of a policy's replies is said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import AgentReply, AgentView, ReplyView, RewardBreakdown, Unscored
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from policies import best_of
from policies.best_of import BestOfPolicy
from policies.intent_driven import IntentDrivenPolicy
from policies.training.distillation import distilled_scenarios
from tests.policies.staged import opening


class Numbered:
    """Says "0", "1", ..., a number for each view; the replies of ``faulty`` are spoiled."""

    name = "numbered"

    def __init__(self, faulty: Sequence[int] = ()) -> None:
        self.places, self.faulty = count(), faulty
        self.seeds: list[int] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        self.seeds += [view.seed for view in views]
        places = [next(self.places) for _ in views]
        return [AgentReply(str(place), fault="lost" if place in self.faulty else None) for place in places]


class Worth(Unscored):
    """Gives the reply with number i the i-th value."""

    def __init__(self, *values: float | None) -> None:
        self.values = values

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        return [RewardBreakdown(self.values[int(reply.text)], None, None, None, None) for reply in replies]


@pytest.mark.parametrize(
    ("values", "faulty", "said"),
    [
        ((0.1, 0.3, 0.2, -1.0, 0.0, 0.5), (), ("1", "5")),
        ((0.1, 0.1, 0.1, 0.0, 0.0, 0.0), (), ("0", "3")),
        ((0.1, 0.3, 0.2, None, -9.0, None), (1,), ("2", "4")),
        ((None, None, None, 0.1, 0.2, 0.3), (3, 4, 5), ("0", "3")),
    ],
)
def test_the_reply_with_the_highest_reward_is_said(
    values: tuple[float | None, ...], faulty: tuple[int, ...], said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_of, "load_reward", lambda spec: Worth(*values))
    policy = BestOfPolicy(Numbered(faulty), 3)
    views = [opening()._replace(seed=seed) for seed in (5, 6)]
    assert tuple(reply.text for reply in policy.reply(views)) == said
    drawn = policy.policy.seeds  # type: ignore[attr-defined]
    assert len(set(drawn)) == 6 and (drawn[0], drawn[3]) == (5, 6)  # the first draw is the policy's own
    assert policy.reply([]) == []


def test_more_draws_earn_more_of_the_reward_that_chooses() -> None:
    reward, manager, scenarios = load_reward("repo"), load_manager("rules"), distilled_scenarios(3, 20)

    def mean(policy: object) -> float:
        episodes = rollout(load_policy(policy), scenarios, manager=manager, reward=reward, max_turns=6)
        totals = [turn.reward.total for episode in episodes for turn in episode.turns]
        return sum(total or 0.0 for total in totals) / len(totals)

    alone = mean(IntentDrivenPolicy())
    assert mean("best-of:4:intent-driven") > alone + 0.05


def test_a_spec_says_how_many_of_whose_replies_and_which_reward() -> None:
    policy = load_policy("best-of:heuristic")
    assert isinstance(policy, BestOfPolicy) and (policy.n, policy.name) == (4, "best-of:4:heuristic")
    policy = load_policy("best-of:8:heuristic?reward=outcome&name=mine")
    assert isinstance(policy, BestOfPolicy) and (policy.n, policy.name) == (8, "mine")
    assert policy.reward is load_reward("outcome") and policy.parallel


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("best-of", "best-of:N:POLICY"),
        ("best-of:4", "got no policy"),
        ("best-of:1:heuristic", "at least 2, got 1"),
        ("best-of:4:heuristics", "Did you mean 'heuristic'"),
        ("best-of:4:heuristic?draws=3", "draws"),
    ],
)
def test_a_wrong_spec_says_what_was_expected(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_policy(spec)
