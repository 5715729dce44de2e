"""States of scripted dialogues: whose they are, that they are all kinds, and what is sampled in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("peft")

from negotiation_env.engines.protocol import ChatReply, ChatRequest, fault_reply
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import DataFileError
from negotiation_env.exchange import reply_view
from negotiation_env.presets import read_preset
from negotiation_env.protocols import AgentView
from negotiation_env.registry import load_manager, load_policy, load_reward
from negotiation_env.scenario import sample_scenario
from policies.training.on_policy.preset import PRESETS, OnPolicyPreset
from policies.training.on_policy.roll_in import roll_in
from policies.training.on_policy.samples import SamplingAgent, joined, reply_once
from policies.training.on_policy.scenarios import roll_in_scenarios, training_scenarios


def _states(count: int, scenarios: int = 40) -> list[AgentView]:
    policies = [load_policy(name) for name in ("intent-driven", "random")]
    chosen = [sample_scenario(seed) for seed in range(scenarios)]
    return roll_in(policies, chosen, count, manager=load_manager("rules"), max_turns=10)


def test_states_follow_from_the_scenarios_and_stay_as_they_were() -> None:
    once, again = _states(60), _states(60)
    assert [view.seed for view in once] == [view.seed for view in again] and len({view.seed for view in once}) == 60
    for view in once:
        assert int(view.game.turn) == len(view.agent_said) and not view.game.end
        assert all(agreed >= 0.0 for agreed in view.game.agreed)


def test_states_that_a_weak_policy_hardly_comes_to_are_among_them() -> None:
    views = _states(150)
    assert any(view.game.turn == 0 for view in views) and any(view.game.turn >= 6 for view in views)
    met = [v for v in views if any(0 < q <= t for q, t in zip(v.game.quote, v.game.card.target, strict=True))]
    assert met and any(any(agreed > 0 for agreed in v.game.agreed) for v in views)


def test_as_many_states_as_there_are() -> None:
    assert len(_states(10_000, scenarios=3)) < 60
    assert roll_in([load_policy("random")], [], 5, manager=load_manager("rules"), max_turns=3) == []


def test_a_runs_scripted_dialogues_are_others_than_its_own() -> None:
    own = {s.seed for s in training_scenarios(3, 0, 500)}
    assert not own & {s.seed for s in roll_in_scenarios(3, 0, 500)}


def test_one_reply_in_each_state_is_scored_as_if_it_were_played(base: Path) -> None:
    engine = TransformersEngine(str(base), dtype="float32")
    agent = SamplingAgent(engine, load_reward("repo"), 6, group_size=2)
    views = _states(5)
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
    played = reply_once(agent, _states(9), lambda breakdown: breakdown.total)
    assert played.faults == 3 and len(played.samples) == 6 and played.sampled == 9


def test_states_without_a_policy_are_refused() -> None:
    with pytest.raises(DataFileError, match="roll_in: expected a policy"):
        read_preset(OnPolicyPreset, "tiny", PRESETS / "repo", ["roll_in=[]", "roll_in_states=8"])
