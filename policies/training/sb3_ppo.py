"""Train Stable-Baselines3's PPO on the numeric environment and export it without pickle.

``negotiate train sb3 --preset tiny --out DIR`` writes ``weights.npz`` and
``architecture.json``, which ``--policy sb3:DIR`` plays. The reward is the environment's own. Needs
the ``sb3`` extra.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO

from negotiation_env.presets import read_preset
from negotiation_env.strategy_vector import StrategyVectorEnv
from policies.mlp import MultiDiscreteMlp
from policies.sb3 import ACTION_SIZES
from policies.sb3_vec_env import NegotiationVecEnv
from policies.training.sb3_preset import PRESETS, Sb3Preset


def export(model: PPO, greedy: bool, provenance: dict[str, Any]) -> MultiDiscreteMlp:
    """Return the actor of a PPO model as plain arrays; the critic is left behind."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.policy.state_dict().items()}
    hidden = "mlp_extractor.policy_net."
    names = [n.removesuffix(".weight") for n in state if n.startswith(hidden) and n.endswith(".weight")]
    names.sort(key=lambda name: int(name.removeprefix(hidden)))
    layers = tuple(
        (state[f"{name}.weight"].astype(np.float64), state[f"{name}.bias"].astype(np.float64))
        for name in (*names, "action_net")
    )
    return MultiDiscreteMlp(layers, ACTION_SIZES, greedy, provenance)


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
    settings = read_preset(Sb3Preset, preset, PRESETS, overrides)
    torch.set_num_threads(settings.torch_threads)
    began = time.monotonic()
    envs = NegotiationVecEnv(StrategyVectorEnv(settings.num_envs, max_turns=settings.max_turns), settings.reward_scale)
    try:
        model = make_model(settings, envs, verbose)
        model.learn(settings.total_steps)
    finally:
        envs.close()
    provenance = {
        "algorithm": "PPO (Stable-Baselines3)",
        "preset": settings.model_dump(),
        "steps": model.num_timesteps,
        "seconds": round(time.monotonic() - began),
        "versions": {
            "negotiation-env": version("negotiation-env"),
            "stable-baselines3": version("stable-baselines3"),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "gymnasium": gymnasium.__version__,
        },
    }
    export(model, settings.greedy, provenance).save(out)
    return out
