"""Vector environments by Gymnasium's book: autoreset, info, seeds, wrappers, and wrong arguments."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, NormalizeObservation, NormalizeReward, RecordEpisodeStatistics

import negotiation_env
from negotiation_env.errors import EpisodeOverError, UsageError

TEXT, NUMERIC = "HotelNegotiation-v0", "HotelNegotiationStrategy-v0"
BOTH = pytest.mark.parametrize("name", [TEXT, NUMERIC])
MODES = pytest.mark.parametrize("mode", list(AutoresetMode))
CLOSE = {TEXT: "That is all from my side, goodbye.", NUMERIC: np.array([10, 0, 0])}
ASK = {TEXT: "Hello, could you offer a lower rate?", NUMERIC: np.array([4, 0, 0])}
"""Actions that end a negotiation, and that do not."""


def make(name: str, lanes: Any = 3, **arguments: Any) -> Any:
    return gym.make_vec(name, num_envs=lanes, **arguments)


def actions(name: str, closing: list[bool]) -> Any:
    chosen = [CLOSE[name] if closes else ASK[name] for closes in closing]
    return chosen if name == TEXT else np.array(chosen)


def lane_of(observations: Any, i: int) -> Any:
    """A lane's observation, comparable."""
    if isinstance(observations, dict):
        return tuple(observations[key][i] for key in ("task", "message", "history", "turn"))
    return tuple(observations[i])


def alone(observation: Any) -> Any:
    """A single environment's observation, comparable."""
    return tuple(observation.values()) if isinstance(observation, dict) else tuple(observation)


def test_the_package_is_registered() -> None:
    assert negotiation_env.__version__


@BOTH
@MODES
def test_episodes_are_the_single_environments_in_every_mode(name: str, mode: AutoresetMode) -> None:
    envs, singles = make(name, 4, autoreset_mode=mode), [gym.make(name) for _ in range(4)]
    seen, _ = envs.reset(seed=40)
    expected = [env.reset(seed=40 + i)[0] for i, env in enumerate(singles)]
    over, ends = np.zeros(4, dtype=bool), 0
    for step in range(12):
        assert [lane_of(seen, i) for i in range(4)] == [alone(one) for one in expected]
        chosen = actions(name, [step % 5 == 3 + i for i in range(4)])
        late = over if mode is AutoresetMode.NEXT_STEP else np.zeros(4, dtype=bool)
        seen, rewards, terminated, truncated, info = envs.step(chosen)
        for i, env in enumerate(singles):
            if late[i]:
                expected[i] = env.reset()[0]
                assert (rewards[i], terminated[i], truncated[i]) == (0.0, False, False)
                continue
            expected[i], reward, ended, cut, _ = env.step(chosen[i])
            assert reward == pytest.approx(rewards[i], abs=1e-9)
            assert (ended, cut) == (terminated[i], truncated[i])
            if ended and mode is AutoresetMode.SAME_STEP:
                assert alone(info["final_obs"][i]) == alone(expected[i])
                expected[i] = env.reset()[0]
        over = terminated | truncated
        ends += int(over.sum())
        if over.any() and mode is AutoresetMode.DISABLED:
            seen, _ = envs.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over).tolist():
                expected[i] = singles[i].reset()[0]
    assert ends >= 4


@BOTH
def test_after_an_autoreset_info_is_the_new_episode_s_and_final_info_the_old_one_s(name: str) -> None:
    envs, alone = make(name), gym.make(name)
    envs.reset(seed=7)
    alone.reset(seed=8)
    *_, info = envs.step(actions(name, [False, True, False]))
    *_, old = alone.step(CLOSE[name])
    _, new = alone.reset()
    assert info["_final_info"].tolist() == info["_final_obs"].tolist() == [False, True, False]
    assert info["_reward"].tolist() == [True, False, True]
    if name == TEXT:
        assert info["final_info"][1] == old and info["final_info"][0] is None
        assert old["outcome"]["end"] == "closed" and "outcome" not in info
        assert {key: info[key][1] for key in new} == new
        assert info["reward"][1] is None and info["reading"][1] is None
        assert info["messages"][0][1]["content"] == ASK[name]
    else:
        assert info["final_info"]["reward"]["total"][1] == pytest.approx(old["reward"]["total"], abs=1e-9)
        assert info["final_info"]["tickets"][1] == old["tickets"]
        np.testing.assert_array_equal(info["final_info"]["agreed"][1], old["agreed"])
        assert np.isnan(info["reward"]["total"]).tolist() == [False, True, False]
        assert "agreed" not in info and new == {}


@BOTH
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_without_a_reset_in_the_same_step_info_is_the_ended_episode_s(name: str, mode: AutoresetMode) -> None:
    envs = make(name, autoreset_mode=mode)
    envs.reset(seed=7)
    *_, info = envs.step(actions(name, [False, True, False]))
    assert not {"final_obs", "final_info"} & set(info)
    key = "outcome" if name == TEXT else "agreed"
    assert info[f"_{key}"].tolist() == [False, True, False]
    if mode is AutoresetMode.NEXT_STEP:
        *_, info = envs.step(actions(name, [False, True, False]))
        assert info["_reward"].tolist() == [True, False, True]
        assert key not in info


@BOTH
def test_without_autoreset_a_lane_that_is_over_must_be_reset(name: str) -> None:
    envs = make(name, autoreset_mode="DISABLED")
    envs.reset(seed=7)
    seen, _, over, _, ended = envs.step(actions(name, [False, True, False]))
    with pytest.raises(EpisodeOverError, match="1 that are over: call reset"):
        envs.step(actions(name, [False] * 3))
    options = {"reset_mask": over}
    again, info = envs.reset(options=options)
    assert options == {"reset_mask": over} and over.tolist() == [False, True, False]
    assert ended["_outcome" if name == TEXT else "_agreed"].tolist() == over.tolist()
    assert [lane_of(again, i) == lane_of(seen, i) for i in range(3)] == [True, False, True]
    if name == TEXT:
        assert info["_stage"].tolist() == [False, True, False] and info["stage"][0] is None
    envs.step(actions(name, [False] * 3))
    envs.reset()
    envs.step(actions(name, [False] * 3))


@BOTH
@MODES
def test_a_mask_resets_some_lanes_to_given_seeds_in_every_mode(name: str, mode: AutoresetMode) -> None:
    envs = make(name, autoreset_mode=mode)
    envs.reset(seed=0)
    envs.reset(options={"reset_mask": np.array([False, False, True])})
    seen, *_ = envs.step(actions(name, [False] * 3))
    again, _ = envs.reset(seed=[70, 71, 72], options={"reset_mask": np.array([True, False, True])})
    whole, _ = make(name).reset(seed=70)
    assert lane_of(again, 1) == lane_of(seen, 1)
    assert [lane_of(again, i) == lane_of(whole, i) for i in (0, 2)] == [True, True]
    envs.step(actions(name, [False] * 3))


@BOTH
@pytest.mark.parametrize("mask", [np.zeros(3, dtype=bool), np.ones(2, dtype=bool), np.ones(3), "all"])
def test_a_wrong_mask_is_refused(name: str, mask: Any) -> None:
    envs = make(name)
    with pytest.raises(EpisodeOverError, match="without a reset_mask"):
        envs.reset(options={"reset_mask": np.ones(3, dtype=bool)})
    envs.reset(seed=0)
    with pytest.raises(UsageError, match=r"reset_mask'\] as a bool array of shape \(3,\) with a True"):
        envs.reset(options={"reset_mask": mask})
    with pytest.raises(UsageError, match="Did you mean 'reset_mask'"):
        envs.reset(options={"reset_mas": mask})


@BOTH
@MODES
def test_gymnasium_s_episode_statistics_count_every_reward_once(name: str, mode: AutoresetMode) -> None:
    envs: Any = RecordEpisodeStatistics(make(name, autoreset_mode=mode, max_turns=4))
    envs.reset(seed=3)
    returns, lengths = np.zeros(3), np.zeros(3, dtype=int)
    found: list[tuple[float, int]] = []
    expected: list[tuple[float, int]] = []
    over = np.zeros(3, dtype=bool)
    for step in range(14):
        late = over.copy()
        _, rewards, terminated, truncated, info = envs.step(actions(name, [step == 1, False, False]))
        over = terminated | truncated
        counted = ~late if mode is AutoresetMode.NEXT_STEP else np.ones(3, dtype=bool)
        returns, lengths = returns + rewards, lengths + counted
        for i in np.flatnonzero(over):
            found.append((info["episode"]["r"][i], info["episode"]["l"][i]))
            expected.append((returns[i], lengths[i]))
            returns[i], lengths[i] = 0.0, 0
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
    assert len(found) > 6
    assert np.allclose(found, expected)
    assert {length for _, length in found} >= {2, 4}


def test_gymnasium_s_other_wrappers_take_the_numeric_one() -> None:
    envs: Any = NormalizeReward(NormalizeObservation(make(NUMERIC, 64, autoreset_mode=AutoresetMode.NEXT_STEP)))
    envs.reset(seed=0)
    for step in range(30):
        seen, rewards, *_ = envs.step(actions(NUMERIC, [step % 7 == 3] * 64))
    assert seen.shape == (64, 55) and np.isfinite(seen).all() and np.isfinite(rewards).all()


@BOTH
@MODES
def test_info_as_a_list_is_the_single_environments(name: str, mode: AutoresetMode) -> None:
    envs: Any = DictInfoToList(make(name, autoreset_mode=mode))
    envs.reset(seed=7)
    alone = gym.make(name)
    alone.reset(seed=8)
    *_, old = alone.step(CLOSE[name])
    *_, infos = envs.step(actions(name, [False, True, False]))
    ended = infos[1]["final_info"] if mode is AutoresetMode.SAME_STEP else infos[1]
    assert "final_info" not in infos[0]
    if name == TEXT:
        assert {key: value for key, value in ended.items() if not key.startswith("final")} == old
    else:
        assert ended["reward"]["total"] == pytest.approx(old["reward"]["total"], abs=1e-9)
        assert ended["tickets"] == old["tickets"]
    if mode is AutoresetMode.SAME_STEP:
        assert "reward" not in infos[1] and "reward" in infos[0]


@BOTH
@pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
def test_the_mode_stands_in_the_metadata_without_a_warning(name: str, mode: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = gym.make_vec(name, num_envs=2, vectorization_mode=mode)
        envs.reset(seed=0)
        envs.step(actions(name, [False, True]))
    assert isinstance(envs.metadata["autoreset_mode"], AutoresetMode)
    first, second = make(name, autoreset_mode="NextStep"), make(name)
    assert first.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert second.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


SEEDS = [
    np.int64(5),
    np.uint8(5),
    np.array(5),
    [5, 6, 7],
    (np.int32(5), 6, np.int64(7)),
    np.array([5, 6, 7]),
    np.array([5, 6, 7], dtype=np.uint16),
]


@BOTH
@pytest.mark.parametrize("seed", SEEDS, ids=repr)
def test_numpy_s_seeds_are_python_s(name: str, seed: Any) -> None:
    envs = make(name)
    first, _ = envs.reset(seed=5)
    second, _ = envs.reset(seed=seed)
    assert [lane_of(first, i) for i in range(3)] == [lane_of(second, i) for i in range(3)]
    if np.ndim(seed) == 0:
        env = gym.make(name)
        one, other = env.reset(seed=5)[0], env.reset(seed=seed)[0]
        assert one == other if name == TEXT else np.array_equal(one, other)


WRONG_SEEDS = [-1, np.int64(-3), 1.0, np.float64(2.0), "5", True, [1, 2], [1, 2, -3], [1, 2, 0.5], np.ones((3, 1), int)]


@BOTH
@pytest.mark.parametrize("seed", WRONG_SEEDS, ids=repr)
def test_wrong_seeds_are_refused_alike_and_change_nothing(name: str, seed: Any) -> None:
    envs = make(name)
    envs.reset(seed=1)
    with pytest.raises(UsageError, match="seed"):
        envs.reset(seed=seed)
    after, *_ = envs.step(actions(name, [False] * 3))
    fresh = make(name)
    fresh.reset(seed=1)
    expected, *_ = fresh.step(actions(name, [False] * 3))
    assert [lane_of(after, i) for i in range(3)] == [lane_of(expected, i) for i in range(3)]
    if np.ndim(seed) == 0:
        with pytest.raises(UsageError, match="seed as an int >= 0"):
            gym.make(name).reset(seed=seed)


def test_none_in_a_list_of_seeds_is_a_random_one() -> None:
    tasks = [make(TEXT).reset(seed=[3, None, 5])[0]["task"] for _ in range(2)]
    assert tasks[0][0] == tasks[1][0] and tasks[0][2] == tasks[1][2]
    assert tasks[0][1] != tasks[1][1]


@pytest.mark.parametrize(
    "batch", ["abc", b"abc", None, 3, {"a": 1, "b": 2, "c": 3}, ["a", "b"], ["a", "b", 3], np.array("abc")]
)
def test_what_is_no_batch_of_messages_is_refused_and_changes_nothing(batch: Any) -> None:
    envs = make(TEXT)
    envs.reset(seed=0)
    with pytest.raises(UsageError, match=r"expected .* got .*: pass"):
        envs.step(batch)
    assert envs.views()[0].agent_said == []
    envs.step(np.array(["Hello.", "Hello.", "Hello."]))


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"autoreset_mode": "NEXT_STEPS"}, "Did you mean 'NEXT_STEP'"),
        ({"autoreset_mode": 1}, "expected autoreset_mode as a gymnasium.vector.AutoresetMode"),
        ({"max_turns": "20"}, "expected max_turns as an int >= 1, got '20'"),
        ({"lanes": "3"}, "expected num_envs as an int >= 1, got '3'"),
        ({"lanes": 0}, "expected num_envs as an int >= 1, got 0"),
        ({"render_mode": "rgb_array"}, "expected render_mode None"),
    ],
)
def test_a_wrong_argument_says_what_was_expected(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(name, **arguments)


@BOTH
def test_numpy_s_whole_numbers_are_whole_numbers(name: str) -> None:
    envs = make(name, np.int64(2), max_turns=np.int32(1))
    envs.reset(seed=np.int64(0))
    _, _, terminated, truncated, _ = envs.step(actions(name, [False, False]))
    assert (terminated | truncated).all()
