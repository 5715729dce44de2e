"""The environment of the verifiers library plays the text environment's game, scores it the same, and keeps secrets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("verifiers", reason="verifiers is not installed: it needs an environment of its own (openai < 3)")

from aiohttp import web

from environments.hotel_negotiation.example import example, play, scripted_endpoint
from negotiation_env.engines.specs import base_path
from negotiation_env.envs.text import TextLane
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import ManagerBrief, sample_scenario
from negotiation_env.play.agent_prompts import plain_prompt
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.prompts import NO_ANSWER
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.play.rollout import agent_view
from policies.integrations import verifiers_env
from policies.integrations.verifiers_env import RECORD, NegotiationEnv, assign_turn_advantages, load_environment
from tests.policies.rewards_by_turn import RewardsByTurn
from tests.policies.turn_gradients import policy_gradient, tiny_model, tiny_reply

SEEDS = range(3, 6)
TURNS = 4


def played(environment: NegotiationEnv) -> list[Any]:
    async def run() -> list[Any]:
        async with scripted_endpoint() as base_url:
            return await play(environment, base_url, "scripted")

    return asyncio.run(run())


@pytest.fixture(scope="module")
def episodes() -> list[Any]:
    return played(load_environment(SEEDS.start, len(SEEDS), max_turns=TURNS))


def test_a_dialogue_is_the_text_environment_s(episodes: list[Any]) -> None:
    manager, reward = load_manager("rules"), load_reward("repo")
    for seed, episode in zip(SEEDS, episodes, strict=True):
        assert episode.ok, episode.errors
        (trace,) = episode.traces
        negotiation = open_negotiation(sample_scenario(seed), manager)
        expected = [dict(message) for message in plain_prompt(agent_view(negotiation))]
        lane, totals = TextLane(negotiation, TURNS), list[float]()
        for said in trace.assistant_messages:
            (step,) = exchange([negotiation], [said.content], manager, reward)
            _, ended, truncated, info = lane.take(step)
            assert step.reward.total is not None
            totals.append(step.reward.total)
            expected.append({"role": "assistant", "content": said.content})
            if not (ended or truncated):
                expected.append({"role": "user", "content": step.answer.text or NO_ANSWER})
        assert [{"role": m.role, "content": m.content} for m in trace.messages] == expected
        assert ended or truncated
        assert trace.stop_condition == ("max_turns" if truncated else info["outcome"]["end"])
        assert trace.info[RECORD]["outcome"] == info["outcome"]
        assert trace.reward == pytest.approx(fmean(totals))
        assert trace.metrics["replies"] == len(totals)
        assert trace.metrics["unscored"] == 0


def test_each_source_is_a_metric(episodes: list[Any]) -> None:
    for episode in episodes:
        (trace,) = episode.traces
        turns = trace.info[RECORD]["turns"]
        for source in ("model", "judge", "rules", "enhancement"):
            assert trace.metrics[source] == pytest.approx(fmean(turn["reward"][source] for turn in turns))


def test_the_sum_is_the_environment_s_return(episodes: list[Any]) -> None:
    (summed,) = played(load_environment(SEEDS.start, 1, max_turns=TURNS, credit="sum"))
    turns = episodes[0].traces[0].info[RECORD]["turns"]
    assert summed.traces[0].reward == pytest.approx(sum(turn["reward"]["total"] for turn in turns))


def test_the_hidden_side_is_in_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def low_floors(seed: int) -> Any:
        scenario = sample_scenario(seed)
        return replace(scenario, brief=replace(scenario.brief, floors=(61, 67, 73)[: len(scenario.card.tickets)]))

    assert set(ManagerBrief.__dataclass_fields__) == {"floors"}
    monkeypatch.setattr(verifiers_env, "sample_scenario", low_floors)
    (episode,) = played(load_environment(SEEDS.start, 1, max_turns=2))
    record = json.loads(episode.model_dump_json())
    (trace,) = record["traces"]
    told = [record["task"], trace["task"], [node["message"] for node in trace["nodes"]], trace["info"]]
    text = json.dumps([told, trace["rewards"], trace["metrics"]])
    assert "floor" not in text
    assert "persona" not in text
    assert not re.search(r"\b(61|67|73)\b", text)


def test_a_model_that_fails_is_an_error_and_not_a_reward() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[str]:
        async def fail(_: web.Request) -> web.Response:
            return web.json_response({"error": {"message": "no"}}, status=500)

        app = web.Application()
        app.router.add_post("/v1/chat/completions", fail)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    async def run() -> list[Any]:
        async with broken() as base_url:
            return await play(load_environment(3, 1), base_url, "broken")

    (episode,) = asyncio.run(run())
    assert not episode.ok
    (trace,) = episode.traces
    assert trace.errors
    assert not trace.rewards


def test_a_dialogue_without_a_scored_reply_is_an_error() -> None:
    task = next(iter(load_environment(3, 1).taskset))
    nothing = dict.fromkeys(("total", "model", "judge", "rules", "enhancement"))
    trace = SimpleNamespace(info={RECORD: {"turns": [{"reward": nothing}]}})
    with pytest.raises(Exception, match="expected at least one scored reply"):
        asyncio.run(task.repo(trace))
    assert asyncio.run(task.metrics(trace)) == {"success": 0.0, "replies": 1.0, "unscored": 1.0}


@pytest.mark.parametrize(
    "wrong", [{"max_turns": 0}, {"scenarios": 0}, {"first_seed": -1}, {"credit": "last"}, {"manager": "rule"}]
)
def test_a_wrong_setting_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        load_environment(**wrong)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example(scenarios=1, max_turns=2)
    assert "scenario-0" in capsys.readouterr().out


def trained(*rewards: Sequence[float]) -> list[Any]:
    """Play one scenario once for each row of rewards by turn, as in training: the tiny base behind vLLM's protocol."""
    from verifiers.v1 import ModelContext
    from verifiers.v1.configs.client import TrainClientConfig

    async def generate(request: web.Request) -> web.Response:
        body = await request.json()
        ids, logprobs = tiny_reply(body["token_ids"], 6)
        evidence = [{"token": f"token_id:{i}", "logprob": p} for i, p in zip(ids, logprobs, strict=True)]
        choice = {"token_ids": ids, "finish_reason": "stop", "logprobs": {"content": evidence}}
        return web.json_response({"request_id": "tiny", "choices": [choice]})

    async def run() -> list[Any]:
        app = web.Application()
        app.router.add_post("/inference/v1/generate", generate)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = TrainClientConfig(
            base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
            api_key_var="OPENAI_API_KEY",
            renderer_model_name=str(base_path("tiny")),
        )
        try:
            episodes = []
            for row in rewards:
                environment = load_environment(3, 1, max_turns=len(row), prompt="compact")
                environment._reward = RewardsByTurn(row)
                async with environment.serving():
                    task = next(iter(environment.taskset))
                    episodes.append(await environment.run_episode(task, ModelContext(model="tiny", client=client)))
            return episodes
        finally:
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize(("discount", "reached"), [(0.0, {2}), (0.25, {1, 2})])
def test_a_reward_at_turn_two_reaches_turn_two_s_tokens_and_those_it_is_credited_to(
    discount: float, reached: set[int]
) -> None:
    pytest.importorskip("torch")
    episodes = trained((0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
    assert all(episode.ok for episode in episodes), episodes
    assign_turn_advantages(episodes, discount)
    (branch,) = episodes[0].traces[0].branches
    gradient = policy_gradient(tiny_model(), branch.token_ids, branch.advantages, branch.sampled_mask)
    place, found = 0, dict[int, list[float]]()
    for node in branch.nodes:
        at = gradient[place : place + len(node.token_ids)]
        place += len(node.token_ids)
        if node.sampled:
            found[len(found) + 1] = [g for g, own in zip(at, node.mask, strict=True) if own]
            at = [g for g, own in zip(at, node.mask, strict=True) if not own]
        assert not any(at)
    assert len(found) == 3
    assert {turn for turn, at in found.items() if any(at)} == reached
    assert max(found[2]) < 0.0
    assert found[1][0] == pytest.approx(discount * found[2][0], rel=1e-5)


def test_advantages_are_for_this_environment_s_traces() -> None:
    foreign = SimpleNamespace(traces=[SimpleNamespace(info={}, has_error=False)])
    with pytest.raises(UsageError, match="play NegotiationEnv"):
        assign_turn_advantages([foreign])
