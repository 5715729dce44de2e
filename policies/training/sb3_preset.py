"""Settings of a PPO training run, read from TOML and checked. Needs no torch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from negotiation_env.errors import DataFileError

PRESETS = Path(__file__).with_name("presets")
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Sb3Preset(BaseModel):
    """One PPO run. Names follow Stable-Baselines3 where it has one.

    ``seed`` names the run: network, action sampling and training scenarios follow from it.
    ``reward_scale`` is a constant factor on rewards, which mostly lie between -2 and 2 a turn.
    ``learning_rate`` falls linearly to a tenth of itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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


def read_preset(preset: dict[str, Any] | str | Path) -> Sb3Preset:
    """Return a preset from a table, a TOML file, or the name of a shipped one ("sb3-tiny").

    Raises:
        DataFileError: naming the file, the field, and what was expected.
    """
    if isinstance(preset, dict):
        return _checked("preset", preset)
    path = Path(preset)
    if not path.suffix:
        path = PRESETS / f"{preset}.toml"
    try:
        return _checked(path.name, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{path}: expected a readable TOML preset, got {error}") from error


def _checked(name: str, table: dict[str, Any]) -> Sb3Preset:
    try:
        return Sb3Preset.model_validate(table)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"]) or "preset"
        raise DataFileError(f"{name}: {field}: {fault['msg']}, got {fault['input']!r}") from error
