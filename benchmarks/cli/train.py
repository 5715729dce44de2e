"""``negotiate train``: hands a training run to the room that has its code.

One command per method, all with the same options. A method's module has
``train(preset, out, overrides=..., ...)`` and imports its libraries at its top; it is imported only when asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.raters.panel import rate_episode
from negotiation_env.errors import UsageError
from negotiation_env.play.records import Episode

app = typer.Typer(no_args_is_help=True, help="Train a model or a policy.")

PresetOption = Annotated[str, typer.Option(help="A shipped preset's name, or the path of a TOML file.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for what is trained; reuse it with --resume.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Replace a preset's value: --set key=value.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where a run in the same folder was cut off.")]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Replaces the preset's seed.")]
_NGRAM = "ngram"
"""The preset of ``train rm`` that is no adapter's."""


@app.callback()
def _train() -> None:
    """Train a model or a policy."""


def training_module(name: str, extra: str) -> ModuleType:
    """Import a training module. Raises ``UsageError`` where a library is missing, saying what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"training: expected the package {error.name!r}, which is not installed: "
            f"pip install 'negotiation-env[{extra}]'"
        ) from error


def with_seed(overrides: list[str] | None, seed: int | None) -> tuple[str, ...]:
    """Return the overrides, the seed's among them."""
    return (*(overrides or ()), *(() if seed is None else (f"seed={seed}",)))


@app.command("sb3")
def sb3(
    out: OutOption,
    preset: PresetOption = "tiny",
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Train Stable-Baselines3's PPO on the numeric environment."""
    module = training_module("policies.training.sb3_ppo", "sb3")
    folder = module.train(preset, out, with_seed(overrides, seed), verbose=1)
    Console().print(f"Trained agent: {folder}; play it with --policy sb3:{folder}", soft_wrap=True, markup=False)


@app.command("rm")
def rm(
    out: OutOption,
    preset: PresetOption = "small",
    seed: SeedOption = None,
    overrides: SetOption = None,
    resume: ResumeOption = False,
) -> None:
    """Train the LoRA reward model on preference pairs; preset "ngram": the n-gram model and the distilled judge."""
    if preset == _NGRAM:
        if resume:
            raise UsageError(f"train rm: expected no --resume with the preset {_NGRAM!r}, whose run takes two minutes")
        folder = training_module("rewards.training.ngram_training", "train").train(
            preset, out, with_seed(overrides, seed)
        )
        told = f"Reward model and distilled judge: {folder}; their figures: {folder}/report.json"
        Console().print(told, soft_wrap=True, markup=False)
        return
    module = training_module("rewards.model.model_training", "train")
    folder = module.train(preset, out, with_seed(overrides, seed), resume=resume, command=_command())
    Console().print(f"Reward model: {folder}; its figures: {folder}/README.md", soft_wrap=True, markup=False)


@app.command("judge")
def judge(
    out: OutOption,
    preset: PresetOption = "small",
    seed: SeedOption = None,
    overrides: SetOption = None,
    resume: ResumeOption = False,
) -> None:
    """Train the LoRA judge on replies labelled by the rubric."""
    module = training_module("rewards.judge.judge_training", "train")
    folder = module.train(preset, out, with_seed(overrides, seed), resume=resume, command=_command())
    Console().print(f"Judge: {folder}; its figures: {folder}/README.md", soft_wrap=True, markup=False)


InitOption = Annotated[str | None, typer.Option("--init", help="Adapter to start from: a folder, or a shipped one.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what the run would take, and train nothing.")]


def _command() -> str:
    """Return what the user typed."""
    return " ".join(["negotiate", *sys.argv[1:]])


def persuasion(episodes: Sequence[Episode]) -> float:
    """Return the mean rating, 1 to 5, that the automated raters give dialogues."""
    rated = [found.consensus.score for episode in episodes if (found := rate_episode(episode)) is not None]
    return fmean(rated) if rated else 1.0


def _on_policy(
    method: str, out: Path, preset: str, overrides: tuple[str, ...], init: str | None, resume: bool, dry_run: bool
) -> None:
    """Train by the loop that PPO, GRPO and REPO share, or print its plan."""
    settings = (*overrides, *(() if init is None else (f"start={init}",)))
    if dry_run:
        plans = training_module("policies.training.plan", "train")
        made = plans.on_policy_plan(method, preset, settings)
        plans.show_plan(Console(), made, f"negotiate train {method} --preset {preset}")
        return
    module = training_module("policies.training.on_policy.loop", "train")
    folder = module.train(method, preset, out, settings, resume=resume, rate=persuasion, command=_command())
    told = f"Trained agent: {folder}; play it with --policy {method}:{folder}; its curve: {folder}/learning_curve.png"
    Console().print(told, soft_wrap=True, markup=False)


@app.command("ppo")
def ppo(
    out: OutOption,
    preset: PresetOption = "tiny",
    seed: SeedOption = None,
    overrides: SetOption = None,
    init: InitOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train a policy with PPO on the reward model's reward."""
    _on_policy("ppo", out, preset, with_seed(overrides, seed), init, resume, dry_run)


@app.command("grpo")
def grpo(
    out: OutOption,
    preset: PresetOption = "tiny",
    seed: SeedOption = None,
    overrides: SetOption = None,
    init: InitOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train a policy with GRPO on the reward model's reward."""
    _on_policy("grpo", out, preset, with_seed(overrides, seed), init, resume, dry_run)


@app.command("repo")
def repo(
    out: OutOption,
    preset: PresetOption = "tiny",
    seed: SeedOption = None,
    overrides: SetOption = None,
    init: InitOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train a policy with REPO on the composed reward."""
    _on_policy("repo", out, preset, with_seed(overrides, seed), init, resume, dry_run)
