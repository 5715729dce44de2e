"""Train Stable-Baselines3's PPO on the numeric environment and export it without pickle.

``python -m policies.training.sb3_ppo --preset sb3-tiny --out DIR`` writes ``weights.npz`` and
``architecture.json``, which ``--policy sb3:DIR`` plays. The reward is the environment's own. Needs
the ``sb3`` extra.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO

from negotiation_env.strategy_vector import StrategyVectorEnv
from policies.mlp import MultiDiscreteMlp
from policies.sb3 import ACTION_SIZES
from policies.sb3_vec_env import NegotiationVecEnv
from policies.training.sb3_preset import Sb3Preset, read_preset


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
    seed: int | None = None,
    total_steps: int | None = None,
    verbose: int = 0,
) -> Path:
    """Train, export into ``out``, and return ``out``.

    Args:
        preset: settings as a table, a TOML file, or a shipped preset's name.
        out: folder for the exported agent; made if need be, its two files replaced.
        seed: replaces the preset's.
        total_steps: replaces the preset's; rounded up to whole rollouts.
        verbose: 1 prints SB3's log.

    Raises:
        DataFileError: on a wrong preset.
    """
    settings = read_preset(preset)
    changes = {"seed": seed, "total_steps": total_steps}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = read_preset({**settings.model_dump(), **given})
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


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Train PPO on the numeric negotiation environment.")
    parser.add_argument("--preset", default="sb3-tiny", help="name of a shipped preset, or a TOML file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the exported agent")
    parser.add_argument("--seed", type=int, help="replaces the preset's seed")
    parser.add_argument("--total-steps", type=int, help="replaces the preset's number of steps")
    given = parser.parse_args(arguments)
    train(given.preset, given.out, given.seed, given.total_steps, verbose=1)
    print(f"Trained agent written to {given.out}; play it with --policy sb3:{given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
