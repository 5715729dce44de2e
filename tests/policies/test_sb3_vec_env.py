from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

from negotiation_env.errors import UsageError

pytest.importorskip("stable_baselines3")

from policies.training.sb3_ppo import NegotiationVecEnv


class Counting(VectorEnv[Any, Any, Any]):
    """Copy i ends after i + 2 steps, copy 0 by truncation; observations count the steps."""

    render_mode = None

    def __init__(self, num_envs: int = 3) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(-1.0, 99.0, (2,), np.float32)
        self.single_action_space = gym.spaces.MultiDiscrete([3, 2])
        self.seeds: Any = None

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: Any = None) -> Any:
        self.seeds = seed
        self.count = np.zeros(self.num_envs, dtype=int)
        return self._observe(), {}

    def _observe(self) -> Any:
        return np.stack([self.count, np.arange(self.num_envs)], axis=1).astype(np.float32)

    def step(self, actions: Any) -> Any:
        self.count += 1
        over = self.count >= np.arange(self.num_envs) + 2
        truncated = over & (np.arange(self.num_envs) == 0)
        info = {"final_obs": self._observe(), "_final_obs": over}
        rewards = actions[:, 0].astype(float)
        self.count[over] = 0
        return self._observe(), rewards, over & ~truncated, truncated, info


def test_steps_are_passed_through_with_scaled_rewards() -> None:
    envs = NegotiationVecEnv(Counting(), reward_scale=0.5)
    assert envs.reset().shape == (3, 2)
    observations, rewards, dones, infos = envs.step(np.array([[2, 0], [1, 0], [0, 0]]))
    assert isinstance(observations, np.ndarray)
    np.testing.assert_array_equal(observations[:, 0], [1, 1, 1])
    np.testing.assert_allclose(rewards, [1.0, 0.5, 0.0])
    assert not dones.any()
    assert infos == [{}, {}, {}]


def test_a_finished_copy_hands_over_its_last_observation_and_return() -> None:
    envs = NegotiationVecEnv(Counting())
    envs.reset()
    actions = np.array([[2, 0], [1, 0], [0, 0]])
    envs.step(actions)
    observations, _, dones, infos = envs.step(actions)
    assert list(dones) == [True, False, False]
    assert isinstance(observations, np.ndarray)
    assert observations[0, 0] == 0.0
    np.testing.assert_array_equal(infos[0]["terminal_observation"], [2.0, 0.0])
    assert infos[0]["TimeLimit.truncated"] is True
    assert (infos[0]["episode"]["r"], infos[0]["episode"]["l"]) == (4.0, 2)
    _, _, dones, infos = envs.step(actions)
    assert list(dones) == [False, True, False]
    assert infos[1]["TimeLimit.truncated"] is False
    assert infos[1]["episode"]["r"] == 3.0


def test_seeds_reach_the_copies_once() -> None:
    inner = Counting()
    envs = NegotiationVecEnv(inner)
    envs.seed(40)
    envs.reset()
    assert inner.seeds == [40, 41, 42]
    envs.reset()
    assert inner.seeds is None


def test_attributes_are_shared() -> None:
    envs = NegotiationVecEnv(Counting())
    assert envs.get_attr("num_envs", [0, 2]) == [3, 3]
    assert envs.env_is_wrapped(gym.Wrapper) == [False] * 3
    with pytest.raises(UsageError, match="all copies"):
        envs.set_attr("seeds", 1, [0])


def test_other_autoreset_modes_are_refused() -> None:
    envs = Counting()
    envs.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    with pytest.raises(UsageError, match="SAME_STEP"):
        NegotiationVecEnv(envs)


def test_waiting_without_a_step_is_refused() -> None:
    with pytest.raises(UsageError, match="step_async"):
        NegotiationVecEnv(Counting()).step_wait()
