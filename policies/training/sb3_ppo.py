"""Train Stable-Baselines3's PPO on the numeric environment and export it without pickle.

``negotiate train sb3 --preset tiny --out DIR`` writes ``weights.npz`` and ``architecture.json``, which ``--policy
sb3:DIR`` plays. The reward is the environment's own. Needs the ``sb3`` extra.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from negotiation_env.envs.numeric import StrategyVectorEnv
from negotiation_env.envs.spaces import ACTION_SIZES
from negotiation_env.errors import UsageError
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import provenance
from policies.sb3 import MultiDiscreteMlp, actor_layers
from policies.training.settings import PRESETS, Sb3Preset


class NegotiationVecEnv(VecEnv):
    """SB3's view of a Gymnasium vector env that resets finished copies in the same step.

    Args:
        envs: the vector env; its metadata must say ``AutoresetMode.SAME_STEP``.
        reward_scale: factor on every reward (a constant, so it does not change which policy is
            best).

    Raises:
        UsageError: if ``envs`` resets in another way; SB3 needs the final observation in the same
            step.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], reward_scale: float = 1.0) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise UsageError(f"expected a vector env with SAME_STEP autoreset, got {mode}: make one with that mode")
        self.envs = envs
        self.reward_scale = reward_scale
        self._actions: npt.NDArray[np.int64] | None = None
        self._returns = np.zeros(envs.num_envs)
        self._lengths = np.zeros(envs.num_envs, dtype=np.int64)
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> npt.NDArray[np.float32]:
        """Start every copy anew with the seeds and options set before; return [N, D].

        Raises:
            UsageError: copies were given different options.
        """
        seeds = None if None in self._seeds else [int(seed) for seed in self._seeds if seed is not None]
        if any(options != self._options[0] for options in self._options):
            raise UsageError("expected the same options for every copy, got different ones: pass one dict")
        # Gymnasium's own vector envs take a list of seeds; its base class is annotated with one
        # seed only.
        observations, _ = self.envs.reset(seed=seeds, options=self._options[0] or None)  # type: ignore[arg-type]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return np.asarray(observations, dtype=np.float32)

    def step_async(self, actions: npt.NDArray[np.int64]) -> None:
        """Keep the actions [N, 3] for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step every copy: observations [N, D], rewards [N], dones [N], one dict per copy.

        Raises:
            UsageError: ``step_async`` was not called before.
        """
        if self._actions is None:
            raise UsageError("expected step_async before step_wait, got no actions: call step")
        observations, rewards, terminated, truncated, info = self.envs.step(self._actions)
        self._actions = None
        rewards = np.asarray(rewards, dtype=np.float32) * np.float32(self.reward_scale)
        dones = np.logical_or(terminated, truncated)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(dones):
            infos[row] = {
                "terminal_observation": np.asarray(info["final_obs"][row], dtype=np.float32),
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
                "episode": {"r": float(self._returns[row]), "l": int(self._lengths[row]), "t": 0.0},
            }
        self._returns[dones] = 0.0
        self._lengths[dones] = 0
        return np.asarray(observations, dtype=np.float32), rewards, dones, infos

    def close(self) -> None:
        """Close the vector env."""
        self.envs.close()

    def _count(self, indices: int | Sequence[int] | Any | None) -> int:
        return len(list(self._get_indices(indices)))

    def get_attr(self, attr_name: str, indices: int | Sequence[int] | Any | None = None) -> list[Any]:
        """Return the vector env's attribute once per copy: all copies share it."""
        return [getattr(self.envs, attr_name)] * self._count(indices)

    def set_attr(self, attr_name: str, value: Any, indices: int | Sequence[int] | Any | None = None) -> None:
        """Set an attribute of the vector env for all copies, which share it. Raises ``UsageError`` for some alone."""
        if self._count(indices) != self.num_envs:
            raise UsageError(f"expected {attr_name!r} to be set for all copies: they share one vector env")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the vector env once; its result stands for every copy asked for."""
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result] * self._count(indices)

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None) -> list[bool]:
        """Return False for every copy: a native vector env has no single environments to wrap."""
        return [False] * self._count(indices)


def export(model: PPO, greedy: bool, made: dict[str, Any]) -> MultiDiscreteMlp:
    """Return the actor of a PPO model as plain arrays; the critic is left behind."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.policy.state_dict().items()}
    return MultiDiscreteMlp(actor_layers(state), ACTION_SIZES, greedy, made)


def make_model(preset: Sb3Preset, envs: NegotiationVecEnv, verbose: int = 0) -> PPO:
    """Return an untrained PPO on the CPU; the networks are too small to gain from a GPU."""
    rate = preset.learning_rate
    return PPO(
        "MlpPolicy",
        envs,
        learning_rate=lambda left: rate * (0.1 + 0.9 * left),
        n_steps=preset.n_steps,
        batch_size=preset.batch_size,
        n_epochs=preset.n_epochs,
        gamma=preset.gamma,
        gae_lambda=preset.gae_lambda,
        clip_range=preset.clip_range,
        ent_coef=preset.ent_coef,
        policy_kwargs={"net_arch": list(preset.hidden), "activation_fn": torch.nn.Tanh},
        seed=preset.seed,
        device="cpu",
        verbose=verbose,
    )


def train(
    preset: dict[str, Any] | str | Path,
    out: Path,
    overrides: Sequence[str] = (),
    verbose: int = 0,
) -> Path:
    """Train, export into ``out``, and return ``out``.

    Args:
        preset: settings as a table, a TOML file, or a shipped preset's name ("tiny").
        out: folder for the exported agent; made if need be, its two files replaced.
        overrides: "key=value" settings that replace the preset's; ``total_steps`` is rounded up to whole rollouts.
        verbose: 1 prints SB3's log.

    Raises:
        DataFileError: on a wrong preset.
        UsageError: on a wrong override.
    """
    settings = read_preset(Sb3Preset, preset, PRESETS / "sb3", overrides)
    torch.set_num_threads(settings.torch_threads)
    began = time.monotonic()
    envs = NegotiationVecEnv(StrategyVectorEnv(settings.num_envs, max_turns=settings.max_turns), settings.reward_scale)
    try:
        model = make_model(settings, envs, verbose)
        model.learn(settings.total_steps)
    finally:
        envs.close()
    made = {
        "algorithm": "PPO (Stable-Baselines3)",
        "preset": settings.model_dump(),
        "steps": model.num_timesteps,
        "seconds": round(time.monotonic() - began),
        "versions": provenance(("stable-baselines3", "torch", "numpy", "gymnasium")),
    }
    export(model, settings.greedy, made).save(out)
    return out
