"""What SFT and DPO have in common: generated data, files to datasets, trainer arguments, the run's folder, its card.

A run's folder: the best adapter in PEFT's format with its model
card, ``last`` (the last one), ``best``, ``checkpoints`` (for --resume), ``metrics.jsonl``, ``run.json`` (settings and
data, checked on --resume), ``tensorboard``.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datasets
import torch
from transformers import PreTrainedTokenizerBase, PrinterCallback

from negotiation_env.errors import UsageError
from negotiation_env.training.run_folder import (
    METRICS,
    MetricsLog,
    clear_leftovers,
    provenance,
    sha256,
    write_folder,
    write_text,
)
from policies.training.lora import ADAPTER, load_base, save_adapter, with_adapter
from policies.training.model_card import Card, write_card
from policies.training.resumable import BEST, LAST, Watch, checkpoints
from policies.training.settings import SupervisedPreset
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

L = TypeVar("L", PreferencePair, Demonstration)
_RUN = "run.json"
_KEPT_BACK = 0.1


@dataclass(frozen=True, slots=True)
class Data:
    """A run's data.

    Attributes:
        train: dataset in TRL's conversational format.
        held_out: the same from other scenarios of the training split; the best adapter is chosen on it.
        test: the same from the file's test split, whose wording may be new as well; only reported.
        too_long: lines left out because prompt or reply is longer than the preset allows.
        tokens: tokens of all training lines, prompts repeated for pairs.
    """

    train: datasets.Dataset
    held_out: datasets.Dataset
    test: datasets.Dataset | None
    too_long: int
    tokens: int

    @property
    def measured(self) -> dict[str, datasets.Dataset]:
        """What is measured on, for the trainer to prepare."""
        return {"held_out": self.held_out} | ({"test": self.test} if self.test is not None else {})


def make_data(
    lines: Sequence[L],
    settings: SupervisedPreset,
    tokenizer: PreTrainedTokenizerBase,
    replies: Callable[[L], dict[str, str]],
) -> Data:
    """Return training and held-out datasets; ``replies`` names a line's replies by their column.

    Raises:
        UsageError: if too little is left to train or to measure on.
    """
    kept: list[list[dict[str, Any]]] = []
    tokens = too_long = 0
    learnt, test = split_lines(lines)
    chosen = [line for line in learnt if _is_for_choosing(line)]
    learnt = [line for line in learnt if not _is_for_choosing(line)]
    for part, some in enumerate((learnt, chosen, test)):
        rows = []
        for line in some:
            chat = [{"role": message["role"], "content": message["content"]} for message in line.prompt]
            text = str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
            prompt = len(_ids(tokenizer, text))
            lengths = [len(_ids(tokenizer, reply)) + 2 for reply in replies(line).values()]
            if prompt > settings.max_prompt_tokens or max(lengths) > settings.max_reply_tokens:
                too_long += 1
                continue
            rows.append(
                {"prompt": list(line.prompt)}
                | {column: [{"role": "assistant", "content": text}] for column, text in replies(line).items()}
            )
            tokens += 0 if part else sum(prompt + length for length in lengths)
        kept.append(rows)
    train, held_out, unseen = kept[0], kept[1][: settings.held_out], kept[2][: settings.held_out]
    if len(train) < settings.batch_size or not held_out:
        raise UsageError(
            f"data: expected at least {settings.batch_size} training and 1 held-out examples, got {len(train)} and "
            f"{len(held_out)} ({too_long} are longer than max_prompt_tokens or max_reply_tokens allow)"
        )
    parts = [datasets.Dataset.from_list(rows) if rows else None for rows in (train, held_out, unseen)]
    return Data(parts[0], parts[1], parts[2], too_long, tokens)


def _is_for_choosing(line: PreferencePair | Demonstration) -> bool:
    """Whether a line of the training split is kept back: a tenth of the scenarios, the same in every run."""
    name = f"choose {line.scenario or json.dumps(line.prompt)}"
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) / 2**32 < _KEPT_BACK


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def trainer_arguments(settings: SupervisedPreset, out: Path) -> dict[str, Any]:
    """Return the arguments that SFTConfig and DPOConfig share."""
    share = settings.batch_size // settings.micro_batch_size
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    if share % devices:
        raise UsageError(
            f"batch_size: expected a multiple of micro_batch_size times {devices} devices, got {settings.batch_size}"
        )
    cuda = torch.cuda.is_available()
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(out / "tensorboard")  # the trainer has no argument for it
    return {
        "output_dir": str(out),
        "seed": settings.seed,
        "data_seed": settings.seed,
        "per_device_train_batch_size": settings.micro_batch_size,
        "per_device_eval_batch_size": settings.micro_batch_size,
        "gradient_accumulation_steps": share // devices,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup_steps,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "max_length": settings.max_prompt_tokens + settings.max_reply_tokens,
        "gradient_checkpointing": settings.gradient_checkpointing,
        # Base and adapters keep their own formats; autocast would round the adapters' products.
        "bf16": False,
        "use_cpu": not cuda,
        "dataloader_pin_memory": cuda,
        "eval_strategy": "steps",
        "eval_steps": settings.measure_every,
        "save_strategy": "steps",
        "save_steps": settings.measure_every,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": ["tensorboard"],
        "disable_tqdm": True,
    }


def open_folder(out: Path, settings: SupervisedPreset, data: Path, resume: bool) -> Path | None:
    """Make a run's folder; return the checkpoint to go on from, or None to begin.

    Raises:
        UsageError: if a run lies there and ``resume`` is off, or it had other settings or data.
    """
    (out / "checkpoints").mkdir(parents=True, exist_ok=True)
    for folder in (out, out / "checkpoints"):
        clear_leftovers(folder)
    run = {"settings": json.loads(settings.model_dump_json()), "data_sha256": sha256(data)}
    known = out / _RUN
    found = checkpoints(out)
    if found and not resume:
        raise UsageError(f"{out}: expected no run there, found one; pass --resume to go on, or another --out")
    if found and json.loads(known.read_text(encoding="utf-8")) != run:
        raise UsageError(f"{out}: expected the settings and data of the run to resume ({known}), got others")
    write_text(known, json.dumps(run, indent=1) + "\n")
    return found[-1] if found else None


def run_training(
    make_trainer: Callable[[Any, PreTrainedTokenizerBase, Data, dict[str, Any]], Any],
    method: str,
    settings: SupervisedPreset,
    data_file: Path,
    lines: Sequence[L],
    replies: Callable[[L], dict[str, str]],
    out: Path,
    resume: bool,
    command: str,
    quiet: bool,
) -> Path:
    """Train an adapter and write the run's folder; see the module's docstring. Returns ``out``."""
    torch.set_num_threads(settings.torch_threads)
    datasets.disable_progress_bars()
    checkpoint = open_folder(out, settings, data_file, resume)
    model, tokenizer = load_base(settings)
    data = make_data(lines, settings, tokenizer, replies)
    trainer = make_trainer(with_adapter(model, settings), tokenizer, data, trainer_arguments(settings, out))
    trainer.out = out
    prepared = trainer.eval_dataset
    trainer.eval_dataset = prepared["held_out"]
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
    watch = Watch(out, MetricsLog(out / METRICS, step), "" if quiet else f"training {method}")
    watch.trainer = trainer
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    wrapped = trainer.accelerator.unwrap_model(trainer.model)
    write_folder(out / LAST, lambda folder: save_adapter(wrapped, folder))
    tested = _test_loss(trainer, prepared.get("test"))
    if trainer.is_world_process_zero():
        trainable = sum(p.numel() for n, p in wrapped.named_parameters() if f".{ADAPTER}." in n)
        facts = {
            "training examples": len(data.train),
            "held-out examples": len(data.held_out),
            "left out as too long": data.too_long,
            "optimiser steps": trainer.state.global_step,
            "trained parameters": trainable,
            "best held-out loss": round(trainer.best_loss, 4),
            "test loss of the best": "not measured" if tested is None else round(tested, 4),
            "seconds of this process": round(time.monotonic() - began),
        }
        facts |= _last_figures(watch.log)
        _finish(out, Card(method, settings, command, sha256(data_file), len(lines), facts, provenance()))
    return out


def _test_loss(trainer: Any, test: datasets.Dataset | None) -> float | None:
    """Return the best adapter's loss on the test split, or None where there is none or the model is divided."""
    if test is None or trainer.is_sharded():
        return None
    trainer.load_adapter(trainer.out / BEST)
    return float(trainer.evaluate(test, metric_key_prefix="test")["test_loss"])


def _last_figures(log: MetricsLog) -> dict[str, Any]:
    """Return the figures of the last measurement on held-out data."""
    measured = [line for line in log.read() if "eval_loss" in line]
    names = ("eval_loss", "eval_mean_token_accuracy", "eval_rewards/accuracies", "eval_rewards/margins")
    return {f"last {name}": round(measured[-1][name], 4) for name in names if measured and name in measured[-1]}


def _finish(out: Path, card: Card) -> None:
    """Put the best adapter and its card into the run's folder itself."""
    for folder in (out / BEST, out / LAST):
        write_card(folder / "README.md", card)
    for name in ("adapter_model.safetensors", "adapter_config.json", "README.md"):
        part = out / f".{name}.part"
        shutil.copyfile(out / BEST / name, part)
        part.replace(out / name)


def trained_examples(method: str, data: Path) -> int:
    """Return how many examples of a file are trained on; ``method`` is "sft" or "dpo"."""
    if method == "sft":
        return len(split_lines(read_sft(data))[0])
    return len(split_lines(read_preferences(data))[0])


def generated_data(method: str, settings: SupervisedPreset, out: Path, tell: Callable[[str], None]) -> Path:
    """Return the generated data of a run, written on its first start; a kill leaves no half of it.

    Args:
        method: "sft" for demonstrations, "dpo" for preference pairs.
        settings: of the run; their ``examples`` are written.
        out: the run's folder.
        tell: hears what is written, if anything is.
    """
    file = out / "data" / ("sft.jsonl" if method == "sft" else "preferences.jsonl")
    if file.is_file():
        return file
    tell(f"generating {settings.examples} examples into {file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    if method == "sft":
        write_lines(part, demonstrations(settings.examples, settings.seed))
    else:
        write_lines(part, (pair.line() for pair in preference_pairs(settings.examples, settings.seed)))
    part.replace(file)
    return file
