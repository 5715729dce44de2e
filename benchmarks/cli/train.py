"""``negotiate train``: hands a training run to the policy room's training code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Train a policy.")


@app.callback()
def _train() -> None:
    """Train a policy."""


@app.command("sb3")
def sb3(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the trained agent.")],
    preset: Annotated[str, typer.Option(help="A shipped preset's name, or the path of a TOML file.")] = "tiny",
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the preset's seed.")] = None,
    total_steps: Annotated[int | None, typer.Option(min=1, help="Replaces the preset's steps.")] = None,
) -> None:
    """Train Stable-Baselines3's PPO on the numeric environment."""
    try:
        from policies.training import sb3_ppo
    except ModuleNotFoundError as error:
        from negotiation_env.errors import UsageError

        raise UsageError(
            f"expected Stable-Baselines3 and torch, got no module {error.name!r}: pip install 'negotiation-env[sb3]'"
        ) from error

    named = preset if preset.endswith(".toml") or preset.startswith("sb3-") else f"sb3-{preset}"
    folder = sb3_ppo.train(named, out, seed, total_steps, verbose=1)
    Console().print(f"Trained agent: {folder}; play it with --policy sb3:{folder}", soft_wrap=True, markup=False)
