"""``negotiate train``: one command per method, which hands a run over to the method's own module.

The modules import their libraries at their top, so each is imported only when its command runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.cli import completion
from benchmarks.cli.queue import run_queue
from negotiation_env.errors import UsageError
from negotiation_env.language.promises import PATH as PROMISE_WORDS
from negotiation_env.training import optional_module
from simulators.content import WORDS_PATH as CONTENT_WORDS

app = typer.Typer(no_args_is_help=True, help="Train a model or a policy.")

OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for what is trained; reuse it with --resume.")]
PresetOption = Annotated[
    str, typer.Option(help="A shipped preset's name, or the path of a TOML file.", autocompletion=completion.presets)
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Replace a preset's value: --set key=value.")]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Replaces the preset's seed.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where a run in the same folder was cut off.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what the run would take, and train nothing.")]
InitOption = Annotated[str | None, typer.Option("--init", help="Adapter to start from: a folder, or a shipped one.")]
RayOption = Annotated[
    str, typer.Option("--ray", help="Play the dialogues on Ray: local, auto, or a cluster's HOST:PORT.")
]
WorkersOption = Annotated[int, typer.Option(min=0, help="Actors with --ray; 0: as many as fit.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="JSON Lines to train on; default: generated.")]

NGRAM: Final = "ngram"
"""Preset of the light reward model, whose training needs no torch."""
ENCODER: Final = "encoder"
"""Beginning of the presets of scorers on a sentence encoder."""
TRAINED_SHARE: Final = 0.85
"""About the share of generated data that is trained on, for a plan; the rest is held out."""


@app.callback(invoke_without_command=True)
def _train(
    context: typer.Context,
    queue: Annotated[
        Path | None, typer.Option(help="A TOML file of commands to run one after another, in place of a command.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a queue that was begun.")] = False,
) -> None:
    """Train a model or a policy."""
    if context.invoked_subcommand is not None:
        if queue is not None:
            raise UsageError("train: expected --queue without a command, got both: put the command into the file")
        return
    if queue is None:
        raise UsageError("train: expected a command or --queue FILE; see negotiate train --help")
    if failed := run_queue(queue, resume, _tell):
        raise UsageError(f"{len(failed)} runs failed: {'; '.join(failed)}; the same command tries them again")


def _with_seed(overrides: list[str] | None, seed: int | None) -> tuple[str, ...]:
    """Return the overrides, the seed's among them."""
    return (*(overrides or ()), *(() if seed is None else (f"seed={seed}",)))


def _tell(text: str) -> None:
    """Print a line; of several processes of a run, the first alone does."""
    if os.environ.get("RANK", "0") == "0":
        Console().print(text, soft_wrap=True, markup=False)


def _typed() -> str:
    """Return what the user typed, for model cards."""
    from benchmarks.runner.provenance import typed_command

    return typed_command()


def _show_plan(method: str, plan: Any, preset: str) -> None:
    optional_module("policies.training.plan", "train").show_plan(
        Console(), plan, f"negotiate train {method} --preset {preset}"
    )


@app.command("base")
def base(
    out: OutOption,
    preset: PresetOption = "tiny",
    resume: ResumeOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Train the tiny base model from scratch on generated dialogues; the other scales start from a pre-trained one."""
    from policies.training.base_corpus import write_corpus

    module = optional_module("policies.training.base_lm", "train")
    settings = module.read_settings(preset, _with_seed(overrides, seed))
    corpus = out / "data" / "corpus.jsonl"
    if not corpus.is_file():
        _tell(f"writing {settings.examples} dialogues to {corpus}")
        write_corpus(corpus, settings.examples, settings.seed)
    folder = _watched("the base", partial(module.train, settings, out, corpus, resume, command=_typed()))
    _tell(f"Base model: {folder}; use it as hf:{folder}")


def _supervised(method: str) -> Callable[..., None]:
    """Return the command of SFT or DPO."""

    def command(
        out: OutOption,
        preset: PresetOption = "tiny",
        data: DataOption = None,
        resume: ResumeOption = False,
        dry_run: DryRunOption = False,
        seed: SeedOption = None,
        overrides: SetOption = None,
    ) -> None:
        supervised = optional_module("policies.training.supervised", "train")
        settings = supervised.read_settings(method, preset, _with_seed(overrides, seed))
        if dry_run:
            generated = round(TRAINED_SHARE * settings.examples)
            examples = generated if data is None else supervised.trained_examples(settings, data)
            plan = optional_module("policies.training.plan", "train")
            _show_plan(method, plan.make_plan(settings, plan.supervised_work(method, settings, examples)), preset)
            return
        file = data or supervised.generated_data(method, settings, out, _tell)
        folder = supervised.train(settings, out, file, resume, _typed())
        _tell(f"Adapter, model card and metrics: {folder}; play it with --policy {method}:{folder}")

    return command


def _on_policy(method: str) -> Callable[..., None]:
    """Return the command of a method that trains by the loop that PPO, GRPO and REPO share."""

    def command(
        out: OutOption,
        preset: PresetOption = "tiny",
        seed: SeedOption = None,
        overrides: SetOption = None,
        init: InitOption = None,
        resume: ResumeOption = False,
        dry_run: DryRunOption = False,
        ray: RayOption = "",
        workers: WorkersOption = 0,
    ) -> None:
        from benchmarks.raters.panel import persuasion

        settings = (*_with_seed(overrides, seed), *(() if init is None else (f"start={init}",)))
        if dry_run:
            plan = optional_module("policies.training.plan", "train")
            _show_plan(method, plan.on_policy_plan(method, preset, settings), preset)
            return
        loop = optional_module("policies.training.on_policy.loop", "train")
        _tell(f"Replies are read by: {loop.load_method(method, preset, settings).preset.reader}")
        folder = loop.train(
            method, preset, out, settings, resume=resume, rate=persuasion, command=_typed(),
            ray=ray or None, workers=workers,
        )  # fmt: skip
        curve = f"{folder}/learning_curve.png"
        _tell(f"Trained agent: {folder}; play it with --policy {method}:{folder}; its curve: {curve}")

    return command


def _watched(what: str, train: Callable[..., Path]) -> Path:
    """Run a training with a bar of its steps; ``train`` takes ``on_step``."""
    with Progress(console=Console(), transient=True) as progress:
        task = progress.add_task(f"training {what}", total=None)

        def show(done: int, steps: int, loss: float) -> None:
            progress.update(task, completed=done, total=steps, description=f"training {what}, loss {loss:.3f}")

        return train(on_step=show)


@app.command("reader")
def reader(
    out: OutOption,
    preset: PresetOption = "small",
    resume: ResumeOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Train the encoder reader on written dialogues and drills: a LoRA and heads on MiniLM."""
    module = optional_module("policies.training.reader", "train")
    settings = module.read_settings(preset, _with_seed(overrides, seed))
    folder = _watched("the reader", partial(module.train, settings, out, resume, command=_typed()))
    _tell(f"Reader: {folder}; measure it with negotiate study reading validation --reader encoder:{folder}")


@app.command("voice")
def voice(
    out: OutOption,
    preset: PresetOption = "small",
    resume: ResumeOption = False,
    seed: SeedOption = None,
    overrides: SetOption = None,
) -> None:
    """Train the hotel manager's voice on written dialogues: a LoRA on a small base."""
    module = optional_module("policies.training.voice", "train")
    folder = module.train(module.read_settings(preset, _with_seed(overrides, seed)), out, resume, _typed())
    _tell(f"Voice: {folder}; hear it with negotiate play --manager llm --llm hf:{folder}")


@app.command("promise-words")
def promise_words(out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = PROMISE_WORDS) -> None:
    """Train the rule reader's word model of forbidden promises on written dialogues and drills."""
    heard = optional_module("policies.training.reader_promises", "train").train(out)
    _tell(f"{out}: hears {heard:.0%} of the validation authors' forbidden promises")


@app.command("content-words")
def content_words(out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = CONTENT_WORDS) -> None:
    """Train the word models by which the hotel manager hears sincerity, offence, and what speaks to its concern."""
    found = optional_module("policies.training.content_words", "train").train(out)
    told = ", ".join(f"{name} {area:.2f}" for name, area in found.items())
    _tell(f"{out}: areas under ROC on the validation authors: {told}")


app.command("sft", help="Fine-tune on demonstrations (TRL's SFTTrainer, LoRA).")(_supervised("sft"))
app.command("dpo", help="Optimise on preference pairs directly (TRL's DPOTrainer, LoRA).")(_supervised("dpo"))
app.command("ppo", help="Train a policy with PPO on the reward model's reward.")(_on_policy("ppo"))
app.command("grpo", help="Train a policy with GRPO on the reward model's reward.")(_on_policy("grpo"))
app.command("repo", help="Train a policy with REPO on the composed reward.")(_on_policy("repo"))


@app.command("rm")
def rm(
    out: OutOption,
    preset: PresetOption = "small",
    seed: SeedOption = None,
    overrides: SetOption = None,
    resume: ResumeOption = False,
) -> None:
    """Train the LoRA reward model on preference pairs; "encoder": on a sentence encoder; "ngram": the light model."""
    if preset == NGRAM:
        if resume:
            raise UsageError(f"train rm: expected no --resume with the preset {NGRAM!r}, whose run takes a minute")
        light = optional_module("rewards.model.ngram_fit", "train")
        folder = light.train(preset, out, _with_seed(overrides, seed))
        _tell(f"Reward model: {folder}/preference.npz; its figures: {folder}/preference.json")
        return
    if preset.startswith(ENCODER):
        encoder = optional_module("rewards.model.encoder_training", "train")
        settings = encoder.read_settings(preset, _with_seed(overrides, seed))
        folder = _watched("the reward model", partial(encoder.train, settings, out, resume, command=_typed()))
        _tell(f"Reward model: {folder}; use it with --reward repo:model={folder}")
        return
    module = optional_module("rewards.model.model_training", "train")
    folder = module.train(preset, out, _with_seed(overrides, seed), resume=resume, command=_typed())
    _tell(f"Reward model: {folder}; its figures: {folder}/README.md")


@app.command("judge")
def judge(out: OutOption, preset: PresetOption = "light", seed: SeedOption = None, overrides: SetOption = None) -> None:
    """Train the default judge on replies with known answers; it takes a minute."""
    light = optional_module("rewards.judge.light_training", "train")
    folder = light.train(preset, out, _with_seed(overrides, seed))
    for line in light.figure_lines(folder):
        _tell(line)
    _tell(f"Judge: {folder}/judge.npz; its figures: {folder}/judge.json")


@app.command("sb3")
def sb3(out: OutOption, preset: PresetOption = "tiny", seed: SeedOption = None, overrides: SetOption = None) -> None:
    """Train Stable-Baselines3's PPO on the numeric environment."""
    module = optional_module("policies.training.sb3_ppo", "sb3")
    folder = module.train(preset, out, _with_seed(overrides, seed), verbose=1)
    _tell(f"Trained agent: {folder}; play it with --policy sb3:{folder}")
