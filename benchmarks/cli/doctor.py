"""``negotiate doctor``: what is installed, where the cache lies, and what to do about what is missing."""

from __future__ import annotations

import os
import platform
from importlib import metadata, util
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from negotiation_env import __version__
from negotiation_env.engines import smollm2
from negotiation_env.engines.chat_model import EngineMissingError

CORE = ("gymnasium", "numpy", "scipy", "pydantic", "rich", "typer", "jinja2")
OPTIONAL = {
    "torch": "llm", "transformers": "llm", "peft": "llm", "stable-baselines3": "sb3",
    "openai": "openai", "vllm": "vllm", "ray": "ray",
}  # fmt: skip
"""Optional packages, and the extra that brings each."""


def doctor() -> None:
    """Show versions, optional parts, the embedded model and the cache folder."""
    table = Table(title=f"negotiation-env {__version__}")
    for heading in ("part", "state", "what to do"):
        table.add_column(heading, overflow="fold")
    table.add_row("Python", platform.python_version(), "")
    sound = True
    for name in CORE:
        version = _version(name)
        sound = sound and version is not None
        table.add_row(name, version or "missing", "" if version else f"pip install {name}")
    for name, extra in OPTIONAL.items():
        version = _version(name)
        advice = "" if version else rf"optional: pip install 'negotiation-env\[{extra}]'"
        table.add_row(name, version or "not installed", advice)
    table.add_row(*_embedded_model())
    cache = smollm2.cache_folder()
    writable = _writable(cache)
    table.add_row(
        "cache",
        f"{cache} ({'writable' if writable else 'not writable'})",
        "" if writable else "set NEGOTIATION_ENV_CACHE to a folder that can be written",
    )
    table.add_row("built-in policies", *_policies())
    Console().print(table)
    if not sound:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _embedded_model() -> tuple[str, str, str]:
    """Whether SmolLM2 is there, and whether it has been unpacked into the cache."""
    try:
        file = smollm2.gguf_file()
    except (EngineMissingError, smollm2.ModelFileError) as error:
        return "SmolLM2", "missing", str(error)
    unpacked = list((smollm2.cache_folder() / "models").glob("smollm2-*/manifest.json"))
    state = "ready" if unpacked else "installed; unpacked on first use"
    if util.find_spec("torch") is None:
        return "SmolLM2", f"{state}, {file.stat().st_size >> 20} MB", "needs the llm extra to run"
    return "SmolLM2", f"{state}, {file.stat().st_size >> 20} MB", ""


def _writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that exists, can be written."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(nearest, os.W_OK)


def _policies() -> tuple[str, str]:
    from negotiation_env.play import registry

    return ", ".join(registry.known(registry.POLICIES)), ""
