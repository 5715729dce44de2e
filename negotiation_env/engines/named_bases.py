"""Base models that have a name of their own, where their checkpoint folders lie, and which base an adapter is for.

An adapter names its base in ``base_model_name_or_path``; one trained here says "tiny" or "smollm2", so that it finds
its base on every machine. Imports no machine-learning library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from negotiation_env.engines.protocol import EngineSpecError
from negotiation_env.engines.smollm2 import smollm2_path

NAMED_BASES = ("tiny", "smollm2")
_TINY = Path(__file__).with_name("tiny")


def tiny_path() -> Path:
    """Return the folder of the tiny base, which ships with the package (see its README.md)."""
    if not (_TINY / "config.json").is_file():
        raise EngineSpecError(f"{_TINY}: expected the tiny base's checkpoint, found none; install the package again")
    return _TINY


class AdapterConfig(NamedTuple):
    """What a PEFT adapter folder says of itself: its base, as ``base_path`` takes it, and its rank (0 if none)."""

    base: str
    rank: int


def adapter_config(name: str) -> AdapterConfig | None:
    """Return what an adapter folder says of itself; None where ``name`` is no adapter folder.

    Raises EngineSpecError where the folder holds no weights as safetensors, or names no base.
    """
    folder = Path(name).expanduser()
    if not (folder / "adapter_config.json").is_file():
        return None
    if not (folder / "adapter_model.safetensors").is_file():
        raise EngineSpecError(
            f"{name}: expected adapter_model.safetensors beside adapter_config.json, found none; "
            "save the adapter with safe_serialization=True"
        )
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    base, rank = config.get("base_model_name_or_path"), config.get("r")
    if not isinstance(base, str) or not base:
        raise EngineSpecError(f'{name}: adapter_config.json names no base; set base_model_name_or_path, say "smollm2"')
    return AdapterConfig(base, rank if isinstance(rank, int) else 0)


def base_path(name: str) -> str:
    """Return what ``from_pretrained`` takes for a base: a named base's folder, a folder's full path, or a Hub id.

    Raises EngineSpecError or EngineMissingError where a named base is not there.
    """
    if name == "tiny":
        return str(tiny_path())
    if name == "smollm2":
        return str(smollm2_path())
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name
