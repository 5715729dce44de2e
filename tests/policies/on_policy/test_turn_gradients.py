"""Which tokens a turn's reward reaches in this project's own loop: gradients at a dialogue's log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")

import torch

from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.protocols import AgentReply, AgentView, RewardBreakdown
from negotiation_env.play.registry import load_manager
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.loop import Learner
from policies.training.on_policy.losses import gae, on_last_token
from policies.training.on_policy.methods import Method, Repo, RoundTensors, Targets, load_method
from policies.training.on_policy.samples import Sample, SamplingAgent, play
from tests.policies.on_policy.conftest import settings
from tests.policies.rewards_by_turn import RewardsByTurn

TURNS = 3


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return TransformersEngine("tiny", dtype="float32", max_prompt_tokens=400)


class UnwhitenedRepo(Repo):
    """REPO without what a round's tokens have in common: no mean is taken away, and nothing is scaled."""

    def targets(self, played: RoundTensors) -> Targets:
        assert played.values is not None
        rewards = on_last_token(played.rewards, played.mask)
        return Targets(*gae(rewards, played.values, played.mask, self.preset.gamma, self.preset.gae_lambda))


class FirstIsRewarded(SamplingAgent):
    """Gives a group's replies that do not go on with the dialogue a reward of 0."""

    def _score(self, others: Sequence[tuple[AgentView, AgentReply]]) -> None:
        for view, reply in others:
            self.states[view.seed].others.append((reply, RewardBreakdown(0.0, 0.0, None, None, None)))


def gradients(
    engine: TransformersEngine, method: Method, reward: RewardsByTurn
) -> Iterator[tuple[Sample, list[float]]]:
    """Play one dialogue and learn from it; yield each reply, by turn, with the loss's gradient at its tokens."""
    preset = method.preset
    with ActorCritic(engine, preset, with_value=method.has_value) as actor:
        agent = FirstIsRewarded(engine, reward, preset.max_reply_tokens, preset.group_size)
        played = play(
            agent,
            [sample_scenario(3)],
            method.read,
            manager=load_manager("rules"),
            max_turns=TURNS,
            turn_discount=preset.turn_discount,
        )
        learner = Learner(method, actor)
        learner.steps = 1  # the value model keeps its 0, instead of beginning at the mean reward
        policy, backward = actor.policy, learner._backward
        seen: list[tuple[list[int], Any, torch.Tensor]] = []
        of_part: list[Any] = []

        def spied_policy(batch: Any, *rest: Any) -> Any:
            scores = policy(batch, *rest)
            scores.logprobs.retain_grad()
            of_part.append(scores.logprobs)
            return scores

        def spied_backward(batch: Any, rows: list[int], *rest: Any) -> Any:
            found = backward(batch, rows, *rest)
            seen.append((rows, of_part.pop(), batch.mask))
            return found

        setattr(actor, "policy", spied_policy)  # noqa: B010
        setattr(learner, "_backward", spied_backward)  # noqa: B010
        learner.learn(played.samples, 0)
    found = {
        row: at[own].tolist()
        for rows, logprobs, mask in seen
        for row, at, own in zip(rows, logprobs.grad, mask, strict=True)
    }
    yield from ((sample, found[row]) for row, sample in enumerate(played.samples))


def made(name: str, **changes: Any) -> Method:
    return load_method(
        name, settings(Path("tiny"), batch_size=32, micro_batch_size=32, gae_lambda=1.0, max_turns=TURNS, **changes)
    )


def test_a_reward_at_turn_two_reaches_turn_two_s_tokens_only(engine: TransformersEngine) -> None:
    (_, one), (_, two), (_, three) = gradients(
        engine, UnwhitenedRepo(made("repo").preset), RewardsByTurn((0.0, 1.0, 0.0))
    )
    assert not any(one + three)
    assert two and max(two) < 0.0


def test_credit_for_turn_two_reaches_turn_one_as_far_as_the_discount_says(engine: TransformersEngine) -> None:
    method = UnwhitenedRepo(made("repo", turn_discount=0.25).preset)
    (_, one), (_, two), (_, three) = gradients(engine, method, RewardsByTurn((0.0, 1.0, 0.0)))
    assert not any(three)
    assert one[0] == pytest.approx(0.25 * two[0], rel=1e-5)


def test_whitening_shifts_all_other_tokens_alike(engine: TransformersEngine) -> None:
    """REPO and PPO take the mean away over a round's tokens: what turn 2 gains the others lose, each token as much."""
    (_, one), (_, two), (_, three) = gradients(engine, made("repo"), RewardsByTurn((0.0, 1.0, 0.0)))
    assert max(two) < 0.0
    assert one + three == pytest.approx([one[0]] * len(one + three), rel=1e-5)
    assert sum(one + two + three) == pytest.approx(0.0, abs=1e-6)


def test_in_a_group_a_reward_reaches_the_replies_to_its_own_prompt_only(engine: TransformersEngine) -> None:
    rows = list(gradients(engine, made("grpo", group_size=2), RewardsByTurn((0.0, 1.0, 0.0))))
    assert len(rows) == 2 * TURNS
    groups = list(dict.fromkeys(sample.group for sample, _ in rows))
    for sample, at in rows:
        assert all(at) if sample.group == groups[1] else not any(at)
