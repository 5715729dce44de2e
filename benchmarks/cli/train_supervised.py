"""``negotiate train base``, ``sft`` and ``dpo``: make the data where none are given, then train on the file.

The rooms that train know no rewards, and the data come from there; so the two meet here, as files.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.cli.train import OutOption, PresetOption, SeedOption, SetOption, training_module, with_seed
from policies.training.base_corpus import write_corpus
from simulators.people.demonstrations import demonstrations
from simulators.people.preferences import preference_pairs
from simulators.people.training_files import (
    Demonstration,
    PreferencePair,
    read_preferences,
    read_sft,
    split_lines,
    write_lines,
)

ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what the run will take, and stop.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="JSON Lines to train on; default: generated.")]


def base(
    out: OutOption,
    preset: PresetOption = "tiny",
    resume: ResumeOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Train the tiny base model from scratch on generated dialogues; the other scales start from a pre-trained one."""
    module = training_module("policies.training.base_lm", "train")
    settings = module.read_settings(preset, with_seed(overrides, seed))
    console = Console()
    corpus = out / "data" / "corpus.jsonl"
    if not corpus.is_file():
        console.print(f"writing {settings.examples} dialogues to {corpus}", soft_wrap=True, markup=False)
        write_corpus(corpus, settings.examples, settings.seed)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("training the base", total=None)

        def show(done: int, steps: int, loss: float) -> None:
            progress.update(task, completed=done, total=steps, description=f"training the base, loss {loss:.3f}")

        folder = module.train(settings, out, corpus, resume, command=_command(), on_step=show)
    console.print(f"Base model: {folder}; use it as hf:{folder}", soft_wrap=True, markup=False)


def sft(
    out: OutOption,
    preset: PresetOption = "tiny",
    data: DataOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Fine-tune on demonstrations (TRL's SFTTrainer, LoRA)."""
    module = training_module("policies.training.sft", "train")
    settings = module.read_settings(preset, with_seed(overrides, seed))
    if dry_run:
        _show_plan(settings, "sft", None if data is None else len(split_lines(read_sft(data))[0]))
        return
    file = data or _generated(
        out / "data" / "sft.jsonl", settings, lambda: demonstrations(settings.examples, settings.seed)
    )
    _tell("sft", module.train(settings, out, file, resume, _command()))


def dpo(
    out: OutOption,
    preset: PresetOption = "tiny",
    data: DataOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Optimise on preference pairs directly (TRL's DPOTrainer, LoRA)."""
    module = training_module("policies.training.dpo", "train")
    settings = module.read_settings(preset, with_seed(overrides, seed))
    if dry_run:
        _show_plan(settings, "dpo", None if data is None else len(split_lines(read_preferences(data))[0]))
        return

    def pairs() -> Iterable[PreferencePair]:
        return (pair.line() for pair in preference_pairs(settings.examples, settings.seed))

    file = data or _generated(out / "data" / "preferences.jsonl", settings, pairs)
    _tell("dpo", module.train(settings, out, file, resume, _command()))


def _generated(file: Path, settings: Any, make: Callable[[], Iterable[Demonstration | PreferencePair]]) -> Path:
    """Return the generated data of a run, made on its first start; a kill leaves no half of it."""
    if not file.is_file():
        console = Console()
        console.print(f"generating {settings.examples} examples into {file}", soft_wrap=True, markup=False)
        write_lines(file, make())
    return file


def _show_plan(settings: Any, method: str, train: int | None) -> None:
    """Print the plan; where no data are given, their training part is about 85 % of what would be generated."""
    plan = training_module("policies.training.plan", "train")
    table = training_module("policies.training.plan", "train")
    work = plan.supervised_work(method, settings, round(0.85 * settings.examples) if train is None else train)
    table.show_plan(Console(), plan.make_plan(settings, work), f"negotiate train {method}")


def _tell(method: str, folder: Path) -> None:
    Console().print(
        f"Adapter, model card and metrics: {folder}; play it with --policy {method}:{folder}",
        soft_wrap=True,
        markup=False,
    )


def _command() -> str:
    """Return what the user typed."""
    return shlex.join(["negotiate", *sys.argv[1:]])
