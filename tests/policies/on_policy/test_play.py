"""From play to samples: what is kept, what is left out and counted, and what a group is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("peft")

from benchmarks.cli.main import app
from benchmarks.suites import ab, online
from negotiation_env.engines.chat_model import ChatReply, ChatRequest, fault_reply
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import Lanes, Num, episode_seed
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.protocols import ReplyView, RewardBreakdown
from negotiation_env.play.registry import load_manager, load_reward
from policies.training.on_policy.evaluation import (
    HELD_OUT_SEEDS,
    held_out_scenarios,
    own_scenarios,
    training_scenarios,
    training_seeds,
)
from policies.training.on_policy.samples import SampledRound, SamplingAgent, play


class Flaky:
    """A reward whose judge fails now and then."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.asked = 0
        self.failed = 0

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        scores = load_reward("repo").score(replies)
        for place, found in enumerate(scores):
            self.asked += 1
            if self.asked % self.every == 0:
                self.failed += 1
                scores[place] = found._replace(total=None, judge=None, fault="judge: unreadable")
        return scores

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        return load_reward("repo").score_features(lanes, features)


class Stuttering(TransformersEngine):
    """An engine of which every fifth sample fails."""

    asked = 0

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        made = super().generate_from_prompts(requests)
        for place, (_, prompt) in enumerate(made):
            self.asked += 1
            if self.asked % 5 == 0:
                made[place] = fault_reply("out of memory"), prompt
        return made


def _play(agent: SamplingAgent, dialogues: int = 5, turn_discount: float = 0.0, batch_size: int = 64) -> SampledRound:
    return play(
        agent,
        [sample_scenario(seed) for seed in range(dialogues)],
        lambda breakdown: breakdown.total,
        manager=load_manager("rules"),
        max_turns=4,
        turn_discount=turn_discount,
        batch_size=batch_size,
    )


@pytest.fixture(scope="module")
def engine(base: Path) -> TransformersEngine:
    return TransformersEngine(str(base), dtype="float32")


def test_every_scored_reply_is_a_sample_with_its_own_reward(engine: TransformersEngine) -> None:
    bare = _play(SamplingAgent(engine, load_reward("repo:without=judge"), 6))
    assert {s.sources[1] for s in bare.samples} == {0.0} and any(s.sources[0] for s in bare.samples)
    played = _play(SamplingAgent(engine, load_reward("repo"), 6))
    turns = [turn for episode in played.episodes for turn in episode.turns]
    assert [(s.reply, s.logprobs, s.reward) for s in played.samples] == [
        (turn.token_ids, turn.logprobs, turn.reward.total) for turn in turns
    ]
    assert played.sampled == len(turns) and not played.unscored and not played.faults


def test_later_turns_count_by_the_turn_discount(engine: TransformersEngine) -> None:
    played = _play(SamplingAgent(engine, load_reward("repo"), 6), turn_discount=0.5)
    credits = iter(s.reward for s in played.samples)
    for episode in played.episodes:
        rewards = [turn.reward.total or 0.0 for turn in episode.turns]
        for place in range(len(rewards)):
            assert next(credits) == pytest.approx(sum(0.5**k * r for k, r in enumerate(rewards[place:])))


def test_a_dialogue_does_not_depend_on_the_batch_it_is_played_in(engine: TransformersEngine) -> None:
    agent = SamplingAgent(engine, load_reward("repo"), 6, group_size=2)
    assert [s.reply for s in _play(agent).samples] == [s.reply for s in _play(agent, batch_size=1).samples]


def test_a_judges_failure_costs_one_sample(engine: TransformersEngine) -> None:
    reward = Flaky(every=4)
    played = _play(SamplingAgent(engine, reward, 6, group_size=2))
    assert reward.failed > 2 and played.unscored == reward.failed
    assert len(played.samples) == played.sampled - reward.failed


def test_an_engines_fault_costs_one_reply_and_its_dialogue_no_earlier_ones(base: Path) -> None:
    played = _play(SamplingAgent(Stuttering(str(base), dtype="float32"), load_reward("repo"), 6, group_size=2))
    assert played.faults > 2
    assert len(played.samples) == played.sampled - played.faults
    turns = sum(len(episode.turns) for episode in played.episodes)
    assert len(played.samples) >= turns


def test_a_groups_replies_answer_one_prompt_and_are_scored_as_if_played(engine: TransformersEngine) -> None:
    reward = load_reward("repo")
    grouped = _play(SamplingAgent(engine, reward, 6, group_size=3))
    alone = _play(SamplingAgent(engine, reward, 6))
    groups: dict[int, list[int]] = {}
    for place, sample in enumerate(grouped.samples):
        groups.setdefault(sample.group, []).append(place)
    assert {len(members) for members in groups.values()} == {3}
    first = [grouped.samples[members[0]] for members in groups.values()]
    assert [s.reply for s in first] == [s.reply for s in alone.samples]
    for members in groups.values():
        assert len({grouped.samples[i].prompt for i in members}) == 1
        # The same reply to the same prompt has the same score, whether it went on with the dialogue or not.
        by_reply = {grouped.samples[i].reply: grouped.samples[i].reward for i in members}
        assert all(by_reply[grouped.samples[i].reply] == grouped.samples[i].reward for i in members)


def test_training_held_out_and_benchmark_scenarios_share_none() -> None:
    runs = [training_seeds(seed) for seed in (0, 1, 2, (1 << 31) - 1)]
    for one, other in pairwise(runs):
        assert one.stop <= other.start
    assert HELD_OUT_SEEDS.stop <= runs[0].start
    trained = {s.seed for s in training_scenarios(0, 0, 300)} | {s.seed for s in training_scenarios(0, 300, 300)}
    held_out = {s.seed for s in held_out_scenarios(300)}
    benchmark = {case.scenario.seed for suite in (online(), ab()) for case in suite.cases}
    assert len(trained) == 600 and not trained & held_out
    assert not (trained | held_out) & benchmark
    assert not {episode_seed(seed) for seed in range(1_000_000, 1_020_000)} & (trained | held_out)


def test_own_scenarios_take_turns_with_other_draws(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert CliRunner().invoke(app, ["scenario", "new", str(tmp_path / f"{name}.toml")]).exit_code == 0
    own = own_scenarios(str(tmp_path))
    assert len(own) == 2 and not own_scenarios(None)
    rounds = [training_scenarios(3, played, 3, own) for played in (0, 3)]
    played = [s for some in rounds for s in some]
    assert [s.id for s in played] == [own[i % 2].id for i in range(6)]
    assert len({s.seed for s in played}) == 6
    assert {s.seed for s in played} == {s.seed for s in training_scenarios(3, 0, 6)}
    with pytest.raises(UsageError, match="script"):
        own_scenarios("bad-cases")
