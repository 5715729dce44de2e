"""The text environment's contract with Gymnasium and with its users."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from negotiation_env.envs.text import HotelNegotiationEnv, plain_info
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from tests.play.readers import HearsGreetings

LINES = (
    "Hello, this is the travel platform. Partners gain more exposure. Could you offer a better rate?",
    "Our data shows conversion rises too. Could you do 300?",
    "I understand. Let us meet in the middle.",
    "Deal.",
    "Thank you, goodbye.",
)


def _transcript(env: gym.Env[Any, Any], seed: int) -> str:
    env.reset(seed=seed)
    out: list[Any] = []
    for line in LINES:
        observation, reward, terminated, truncated, info = env.step(line)
        out.append([observation["message"], reward, terminated, truncated, info["stage"]])
        if terminated or truncated:
            break
    return json.dumps(out)


@pytest.mark.parametrize("name", ["HotelNegotiation-v0", "HotelNegotiationStrategy-v0"])
def test_check_env_passes_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(name).unwrapped)
        check_env(gym.make(name, render_mode="ansi").unwrapped)


def test_observation_and_info_have_the_promised_fields() -> None:
    env = gym.make("HotelNegotiation-v0")
    observation, info = env.reset(seed=3)
    assert set(observation) == {"task", "message", "history", "turn"}
    observation, reward, _, _, info = env.step(LINES[0])
    assert env.observation_space.contains(observation)
    assert set(info["reward"]) >= {"total", "model", "judge", "rules", "enhancement", "terms"}
    assert reward == info["reward"]["total"]
    assert [m["role"] for m in info["messages"]] == ["system", "assistant", "user"]
    assert info["messages"][1]["content"] == LINES[0]
    assert info["fault"] is None and isinstance(info["stage"], str)


def test_info_says_how_the_message_was_read() -> None:
    env = gym.make("HotelNegotiation-v0")
    env.reset(seed=3)
    *_, info = env.step("Hello, would 300 work for you?")
    reading = info["reading"]
    assert json.loads(json.dumps(reading)) == reading
    assert (reading["reader"], reading["confidence"]) == ("rules", 1.0)
    assert [act["act"] for act in reading["acts"]] == ["GREET", "PROPOSE"]
    assert reading["acts"][1]["price"] == 300.0 and reading["acts"][1]["force"] == "firm"
    assert reading["text"].startswith("greets; proposes 300 for the ")


def test_the_reader_given_is_the_one_that_reads_alone_and_in_a_batch() -> None:
    env = gym.make("HotelNegotiation-v0", reader=HearsGreetings())
    env.reset(seed=3)
    *_, info = env.step("Would 300 work for you?")
    assert info["reading"]["text"] == "greets" and info["reading"]["reader"] == "greetings"
    envs = gym.make_vec(
        "HotelNegotiation-v0", num_envs=2, vectorization_mode="vector_entry_point", reader=HearsGreetings()
    )
    envs.reset(seed=3)
    *_, infos = envs.step(["Would 300 work for you?", "Deal."])
    assert infos["reading"].shape == (2,) and infos["reading"].dtype == object
    assert infos["reading"][0] == info["reading"]
    assert [reading["confidence"] for reading in infos["reading"]] == [0.25, 0.25]


def test_the_outcome_stands_in_info_at_the_end_and_step_raises_after_it() -> None:
    env = gym.make("HotelNegotiation-v0", max_turns=1)
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step("Hello, could you offer a lower rate?")
    assert terminated or truncated
    assert info["outcome"]["turns"] == 1
    with pytest.raises(EpisodeOverError, match="reset"):
        env.unwrapped.step("still there?")


def test_plain_info_is_json_and_tells_nothing_that_the_hotel_hides() -> None:
    env = HotelNegotiationEnv(max_turns=2)
    _, start = env.reset(seed=3)
    assert plain_info(start) == {"stage": "open", "fault": None}
    told = [plain_info(env.step(message)[4]) for message in ("Hello, could you offer 380?", "What can you do for us?")]
    common = {"reward", "stage", "fault", "reading"}
    assert [set(one) for one in told] == [common, common | {"outcome"}]
    assert not any(word in json.dumps(told) for word in ("floor", "persona", "mood"))
    assert set(told[0]["reward"]["terms"][0]) == {"source", "id", "points", "message"}


def test_closing_ends_the_episode() -> None:
    env = gym.make("HotelNegotiation-v0")
    env.reset(seed=0)
    _, _, terminated, _, info = env.step("That is all from my side, goodbye.")
    assert terminated and info["outcome"]["end"] == "closed"


def test_same_seed_same_transcript_alone_in_a_batch_in_another_order_and_in_a_second_process() -> None:
    alone = [_transcript(gym.make("HotelNegotiation-v0"), seed) for seed in range(64)]
    shared = gym.make("HotelNegotiation-v0")
    order = np.random.default_rng(1).permutation(64)
    again = {int(seed): _transcript(shared, int(seed)) for seed in order}
    assert [again[seed] for seed in range(64)] == alone

    env = gym.make_vec("HotelNegotiation-v0", num_envs=64, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    batch: list[list[Any]] = [[] for _ in range(64)]
    over = [False] * 64
    for line in LINES:
        observations, rewards, terminated, truncated, info = env.step([line] * 64)
        for i in range(64):
            if over[i]:
                continue
            ended = bool(terminated[i] or truncated[i])
            message = info["final_obs"][i]["message"] if ended else observations["message"][i]
            stage = info["final_info"][i]["stage"] if ended else info["stage"][i]
            batch[i].append([message, rewards[i], bool(terminated[i]), bool(truncated[i]), stage])
            over[i] = ended
    assert [json.dumps(lines) for lines in batch] == alone

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import gymnasium as gym, importlib.util as u; "
        "s = u.spec_from_file_location('t', sys.argv[2]); m = u.module_from_spec(s); s.loader.exec_module(m); "
        "print(m._transcript(gym.make('HotelNegotiation-v0'), 5))"
    )
    run = subprocess.run([sys.executable, "-c", code, ".", __file__], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == alone[5]


def test_episodes_of_a_rollout_do_not_depend_on_the_batch() -> None:
    scenarios = [sample_scenario(seed) for seed in range(24)]
    policy, manager, reward = load_policy("intent-driven"), load_manager("rules"), load_reward("repo")
    whole = rollout(policy, scenarios, manager=manager, reward=reward, batch_size=24)
    for batch_size in (1, 5):
        parts = rollout(policy, scenarios, manager=manager, reward=reward, batch_size=batch_size)
        assert [json.dumps(e.to_json()) for e in parts] == [json.dumps(e.to_json()) for e in whole]


def test_successive_resets_follow_from_the_first_seed() -> None:
    def tasks(env: gym.Env[Any, Any]) -> list[str]:
        return [env.reset(seed=11)[0]["task"], env.reset()[0]["task"], env.reset()[0]["task"]]

    first = tasks(gym.make("HotelNegotiation-v0"))
    assert first == tasks(gym.make("HotelNegotiation-v0"))
    assert len(set(first)) == 3


def test_scenario_and_persona_can_be_given_at_reset() -> None:
    scenario = sample_scenario(42)
    env = gym.make("HotelNegotiation-v0")
    observation, _ = env.reset(seed=1, options={"scenario": scenario, "persona": "loyal-partner"})
    assert observation["task"] == scenario.card.text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"manager": "rulez"}, "Did you mean 'rules'"),
        ({"reader": "rule"}, "Did you mean 'rules'"),
        ({"reward": "rebo"}, "Did you mean 'repo'"),
        ({"suite": "bad-case"}, "Did you mean 'bad-cases'"),
        ({"max_turns": 0}, "max_turns"),
        ({"max_turns": "20"}, "expected max_turns as an int >= 1, got '20': pass"),
        ({"max_turns": 20.0}, "expected max_turns as an int"),
        ({"max_turns": True}, "expected max_turns as an int"),
        ({"llm": 3}, "expected llm as an engine spec"),
        ({"manager": 3}, "expected a manager name"),
        ({"reader": 3}, "expected a reader name"),
        ({"reward": 3}, "expected a reward's name"),
        ({"suite": 3}, "expected a suite name"),
        ({"render_mode": "ansy"}, "Did you mean 'ansi'"),
        ({"scenario": 3}, "expected a Scenario"),
    ],
)
def test_a_wrong_argument_says_what_was_expected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of an unknown render mode before the environment refuses it
        gym.make("HotelNegotiation-v0", **arguments)


def test_a_wrong_persona_or_option_says_what_was_expected() -> None:
    with pytest.raises(UsageError, match="Did you mean"):
        gym.make("HotelNegotiation-v0", persona="loyal-partnr").reset(seed=0)
    with pytest.raises(UsageError, match="Did you mean 'persona'"):
        gym.make("HotelNegotiation-v0").reset(seed=0, options={"persna": "loyal-partner"})


def test_rendering_gives_the_transcript() -> None:
    env = gym.make("HotelNegotiation-v0", render_mode="ansi")
    env.reset(seed=3)
    env.step(LINES[0])
    text = env.render()
    assert isinstance(text, str) and f"AGENT: {LINES[0]}" in text and "HOTEL:" in text
