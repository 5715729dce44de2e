"""Sampled states: what they are, whose seeds they have, and what is sampled in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("peft")

from negotiation_env.engines.protocol import ChatReply, ChatRequest, fault_reply
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import UsageError
from negotiation_env.exchange import reply_view
from negotiation_env.registry import load_reward, load_states
from policies.training.on_policy.samples import SamplingAgent, joined, reply_once
from policies.training.on_policy.scenarios import HELD_OUT_SEEDS, state_seeds, training_scenarios

STATES = load_states("sketched")


def test_states_follow_from_their_seeds_alone() -> None:
    once, alone = STATES(range(40)), [STATES([seed])[0] for seed in range(40)]
    assert [(v.seed, v.card, v.agent_said) for v in once] == [(v.seed, v.card, v.agent_said) for v in alone]
    assert len({view.seed for view in once}) == 40
    for view in once:
        assert int(view.game.turn) == len(view.agent_said) == len(view.manager_said) and not view.game.end


def test_states_that_a_weak_policy_hardly_comes_to_are_common() -> None:
    views = STATES(range(1000, 1400))
    below = [v for v in views if any(0 < q <= t for q, t in zip(v.game.quote, v.game.card.target, strict=True))]
    assert len(below) > 20 and sum(bool(v.game.upset) for v in views) > 20
    assert any(v.game.turn == 0 for v in views) and any(v.game.turn >= 6 for v in views)


def test_a_runs_states_have_other_seeds_than_its_dialogues_and_other_runs() -> None:
    own = {scenario.seed for scenario in training_scenarios(3, 0, 500)}
    seeds = state_seeds(3, 0, 500)
    assert list(state_seeds(3, 100, 400)) == list(seeds)[100:]
    assert not set(seeds) & set(state_seeds(4, 0, 500)) and not set(seeds) & set(HELD_OUT_SEEDS)
    assert not own & {view.seed for view in STATES(seeds)}
    with pytest.raises(UsageError, match="lower the budget"):
        state_seeds(3, 10_000_000, 1)


def test_one_reply_in_each_state_is_scored_as_if_it_were_played(base: Path) -> None:
    engine = TransformersEngine(str(base), dtype="float32")
    agent = SamplingAgent(engine, load_reward("repo"), 6, group_size=2)
    views = STATES(range(5))
    played = reply_once(agent, views, lambda breakdown: breakdown.total, batch_size=2)
    assert played.sampled == len(played.samples) == 10 and not played.episodes
    assert [s.group for s in played.samples] == [view.seed for view in views for _ in range(2)]
    own = SamplingAgent(engine, load_reward("repo"), 6)
    texts = [reply.text for reply in own.reply(views)]
    scores = load_reward("repo").score([reply_view(v, text) for v, text in zip(views, texts, strict=True)])
    assert [s.reward for s in played.samples[::2]] == [score.total for score in scores]
    twice = joined(played, played)
    assert twice.sampled == 20 and len(twice.breakdowns) == len(twice.samples) == 20


class _Failing(TransformersEngine):
    """An engine of which every third sample fails."""

    asked = 0

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        made = super().generate_from_prompts(requests)
        for place, (_, prompt) in enumerate(made):
            self.asked += 1
            if self.asked % 3 == 0:
                made[place] = fault_reply("out of memory"), prompt
        return made


def test_a_fault_costs_one_reply(base: Path) -> None:
    agent = SamplingAgent(_Failing(str(base), dtype="float32"), load_reward("repo"), 6)
    played = reply_once(agent, STATES(range(9)), lambda breakdown: breakdown.total)
    assert played.faults == 3 and len(played.samples) == 6 and played.sampled == 9


def test_an_unknown_source_of_states_is_named() -> None:
    with pytest.raises(UsageError, match=r"source of states, got 'sketch'.*sketched"):
        load_states("sketch")
    assert load_states(STATES) is STATES
