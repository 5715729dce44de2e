"""Base models that have a name of their own, and where their checkpoint folders lie.

An adapter names its base in ``base_model_name_or_path``; one trained here says "tiny" or "smollm2", so that it finds
its base on every machine. Imports no machine-learning library.
"""

from __future__ import annotations

from pathlib import Path

from negotiation_env.engines.protocol import EngineSpecError
from negotiation_env.engines.smollm2 import smollm2_path

NAMED_BASES = ("tiny", "smollm2")
_TINY = Path(__file__).with_name("tiny")


def tiny_path() -> Path:
    """Return the folder of the tiny base, which ships with the package (see its README.md)."""
    if not (_TINY / "config.json").is_file():
        raise EngineSpecError(f"{_TINY}: expected the tiny base's checkpoint, found none; install the package again")
    return _TINY


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
