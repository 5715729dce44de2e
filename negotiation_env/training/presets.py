"""Training presets: one TOML file, checked against a typed model; single values are replaced from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.files import parse, read_toml, toml_value


class Preset(BaseModel):
    """Base of every preset: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
LearningRate = Annotated[float, Field(gt=0.0, lt=1.0)]
LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class AdapterPreset(Preset):
    """What every training of a LoRA adapter has in common, be it a policy's, a reward model's or a judge's."""

    seed: Annotated[int, Field(ge=0)]
    """Names the run: first weights, data and their order follow from it."""
    base: Annotated[str, Field(min_length=1)]
    """The frozen base: "tiny", "smollm2", a checkpoint folder, or a Hub id."""
    start: str = ""
    """Adapter of the same base and shape to start from: the name of a shipped one, or a folder; "" for a new one."""
    lora_rank: Annotated[int, Field(ge=1, le=1024)]
    lora_alpha: Annotated[float, Field(gt=0.0)]
    """The adapter's product is scaled by alpha / rank. There is no dropout."""
    lora_targets: Annotated[tuple[str, ...], Field(min_length=1)] = LINEAR_LAYERS
    """Linear layers that get an adapter, by the last part of their name."""
    learning_rate: LearningRate
    warmup_steps: Annotated[int, Field(ge=0)]
    batch_size: Count
    """Examples of one optimiser step, over all devices."""


P = TypeVar("P", bound=Preset)


def read_preset(
    model: type[P],
    preset: Mapping[str, Any] | str | Path,
    folder: Path,
    overrides: Sequence[str] = (),
) -> P:
    """Return a preset from a table, a TOML file's path, or the name of a shipped one.

    Args:
        model: the settings' type.
        preset: a table, a path that ends in ".toml", or the stem of a file in ``folder``.
        folder: where the shipped presets lie.
        overrides: "key=value", where the value is TOML or a bare string; "a.b=1" reaches into a sub-table.

    Raises:
        DataFileError: naming the file, the field, and what was expected.
        UsageError: if an override is no "key=value", or its key is unknown.
    """
    if isinstance(preset, Mapping):
        name, table = "preset", dict(preset)
    else:
        path = Path(preset)
        if path.suffix != ".toml":
            path = _shipped(str(preset), folder)
        name, table = path.name, read_toml(path, dict[str, Any])
    for override in overrides:
        _replace(model, table, override)
    return parse(model, table, name)


def _shipped(name: str, folder: Path) -> Path:
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise UsageError(f"preset: expected a shipped preset or a .toml file, got {name!r}.{did_you_mean(name, known)}")
    return folder / f"{name}.toml"


def _replace(model: type[Preset], table: dict[str, Any], override: str) -> None:
    """Write one "key=value" into the table."""
    key, equals, value = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError(f"--set: expected key=value, got {override!r}")
    head, *rest = key.split(".")
    if head not in model.model_fields:
        raise UsageError(f"--set: unknown key {head!r}.{did_you_mean(head, model.model_fields)}")
    place = table
    for part in [head, *rest][:-1]:
        inner = dict(place.get(part) or {})
        place[part] = inner
        place = inner
    place[(rest or [head])[-1]] = toml_value(value.strip())
