"""Settings of a PPO training run with Stable-Baselines3. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from negotiation_env.presets import Preset

PRESETS = Path(__file__).with_name("presets") / "sb3"
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Sb3Preset(Preset):
    """One PPO run. Names follow Stable-Baselines3 where it has one.

    ``seed`` names the run: network, action sampling and training scenarios follow from it.
    ``reward_scale`` is a constant factor on rewards, which mostly lie between -2 and 2 a turn.
    ``learning_rate`` falls linearly to a tenth of itself.
    """

    seed: Annotated[int, Field(ge=0)]
    total_steps: Annotated[int, Field(ge=1)]
    num_envs: Annotated[int, Field(ge=1, le=65536)]
    max_turns: Annotated[int, Field(ge=4, le=200)] = 20
    n_steps: Annotated[int, Field(ge=2, le=4096)]
    batch_size: Annotated[int, Field(ge=2)]
    n_epochs: Annotated[int, Field(ge=1, le=100)]
    learning_rate: Annotated[float, Field(gt=0.0, lt=1.0)]
    gamma: Share
    gae_lambda: Share
    clip_range: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    ent_coef: Annotated[float, Field(ge=0.0, le=1.0)]
    reward_scale: Annotated[float, Field(gt=0.0)]
    hidden: Annotated[tuple[int, ...], Field(min_length=1, max_length=4)]
    torch_threads: Annotated[int, Field(ge=1, le=64)] = 1
    greedy: bool = True
    """Whether the exported agent takes the likeliest action."""
