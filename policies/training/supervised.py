"""SFT and DPO of a PEFT LoRA, on generated data or a file: ``negotiate train sft`` and ``dpo``.

**SFT** imitates good replies; open in the source paper, so ours: the data, LoRA targets, and a learning rate that falls
linearly to 0. **DPO** (Rafailov et al. 2023, arXiv 2305.18290). Their equation 7: minimise
``-log sigmoid(beta * (log p(chosen)/r(chosen) - log p(rejected)/r(rejected)))``, where p is the policy and r the
reference. Both begin as the preset's ``start`` (an SFT adapter, or the bare base); the reference stays there, as a
second frozen adapter on the same base. Open in the source paper, so ours: beta and the start. Margins and the
annotators' sureness are not used: the method has no place for them.

Where the preset's prompt is "transcript", both learn from whole dialogues with graded replies
(``dialogue_trainers``); else from a prompt and a reply, or two of them, at a time, by TRL's trainers.

A run's folder, beside what ``run_folder`` says: the best adapter in PEFT's format, ``last``, ``best``, ``tensorboard``.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import datasets
import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase, PrinterCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.specs import base_path
from negotiation_env.errors import UsageError
from negotiation_env.files import write_text
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.training.lora import check_shape, lora_config
from negotiation_env.training.presets import read_preset
from negotiation_env.training.processes import ProcessGroup
from negotiation_env.training.run_folder import CARD, MetricsLog, RunFolder, sha256
from policies.adapters import start_folder
from policies.training.dialogue_batches import compared, dialogue_row, imitated
from policies.training.dialogue_trainers import DialogueTrainer
from policies.training.imitation import expert_demonstrations
from policies.training.resumable import ADAPTER, BEST, LAST, Resumable, Watch
from policies.training.settings import PRESETS, DpoPreset, PolicyPreset, SftPreset, SupervisedPreset, policy_card
from simulators.people.conversations import (
    LEAST_QUALITY,
    Conversation,
    read_conversations,
    write_conversations,
    written_conversations,
)
from simulators.people.demonstrations import MANAGER
from simulators.people.preferences import preference_pairs
from simulators.people.training_files import (
    TEST,
    Demonstration,
    PreferencePair,
    read_preferences,
    read_sft,
    split_lines,
    write_lines,
)

L = TypeVar("L", PreferencePair, Demonstration)
E = TypeVar("E")
_KEPT_BACK = 0.1


class ResumableSftTrainer(Resumable, SFTTrainer):
    """TRL's trainer with checkpoints that survive a kill."""


class ResumableDpoTrainer(Resumable, DPOTrainer):
    """TRL's trainer with checkpoints that survive a kill."""


def read_settings(
    method: str, preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()
) -> SftPreset | DpoPreset:
    """Return the settings of "sft" or "dpo"; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    if method == "sft":
        return read_preset(SftPreset, preset, PRESETS / method, overrides)
    return read_preset(DpoPreset, preset, PRESETS / method, overrides)


def train(
    settings: SftPreset | DpoPreset, out: Path, data: Path, resume: bool = False, command: str = "", quiet: bool = False
) -> Path:
    """Train on a data file and return the run's folder, which is a PEFT adapter folder.

    Args:
        settings: see ``read_settings``; they say which method it is.
        out: the run's folder.
        data: JSON Lines of demonstrations, or for DPO of preference pairs (see ``simulators.people.training_files``).
        resume: go on from the last checkpoint in ``out``, if there is one.
        command: what the user typed, for the model card.
        quiet: show no progress.

    Raises:
        DataFileError, UsageError: if data, start or folder do not fit.
        TrainingStoppedError: if the loss is no number.
    """
    method = "dpo" if isinstance(settings, DpoPreset) else "sft"
    torch.set_num_threads(settings.torch_threads)
    datasets.disable_progress_bars()
    lines = _read(settings, data)
    processes, folder, digest = ProcessGroup(), RunFolder(out), sha256(data)
    wanted = {"method": method, **settings.model_dump(mode="json"), "data_sha256": digest}
    checkpoint = processes.on_main(lambda: folder.claim(wanted, resume))
    model, tokenizer = load_base(settings)
    parts = (conversation_data if settings.prompt == "transcript" else make_data)(lines, settings, tokenizer)
    trainer = make_trainer(settings, with_adapter(model, settings), tokenizer, parts, folder)
    prepared = trainer.eval_dataset
    trainer.eval_dataset = prepared["held_out"]
    log = folder.log(checkpoint) if processes.is_main else None
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch(trainer, log, "" if quiet or log is None else f"training {method}"))
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_adapter(out / LAST)
    processes.wait()  # until the best adapter is whole
    tested = _test_loss(trainer, prepared.get("test"))
    if log is not None:
        wrapped = trainer.accelerator.unwrap_model(trainer.model)
        figures = {
            "training examples": len(parts.train),
            "held-out examples": len(parts.held_out),
            "left out as too long": parts.too_long,
            "optimiser steps": trainer.state.global_step,
            "trained parameters": sum(p.numel() for n, p in wrapped.named_parameters() if f".{ADAPTER}." in n),
            "best held-out loss": round(trainer.best_loss, 4),
            "test loss of the best": "not measured" if tested is None else round(tested, 4),
            "seconds of this process": round(time.monotonic() - began),
        }
        figures |= _last_figures(log) | ({"processes": processes.count} if processes.count > 1 else {})
        told = f"Data: {len(lines)} lines, SHA-256 `{digest}`."
        card = policy_card(method, settings, command, figures, told)
        write_text(out / LAST / CARD, card)
        write_text(out / BEST / CARD, card)
        folder.publish(out / BEST, card)
    processes.wait()
    return out


def load_base(settings: PolicyPreset) -> tuple[Any, PreTrainedTokenizerBase]:
    """Return the preset's base, frozen, on the CPU, and its tokenizer with a padding token."""
    path = base_path(settings.base)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=number_format(settings.dtype), use_safetensors=True, attn_implementation="sdpa"
    )
    model.requires_grad_(False)
    model.name_or_path = settings.base  # PEFT notes it in the adapter, whatever the folder on this machine
    tokenizer = AutoTokenizer.from_pretrained(path)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def with_adapter(model: Any, settings: PolicyPreset) -> Any:
    """Return the base with the adapter to train: the preset's start, or a new one whose weights follow from the seed.

    Raises:
        UsageError: if the start is an adapter of another base or another shape than the preset's.
    """
    if settings.start:
        folder = start_folder(settings.start)
        check_shape(folder, settings)
        return peft.PeftModel.from_pretrained(model, str(folder), adapter_name=ADAPTER, is_trainable=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return peft.get_peft_model(model, lora_config(settings), adapter_name=ADAPTER)


@dataclass(frozen=True, slots=True)
class Data:
    """A run's data.

    Attributes:
        train: dataset in TRL's conversational format.
        held_out: the same from other scenarios of the training split; the best adapter is chosen on it.
        test: the same from the file's test split, whose wording may be new as well; only reported.
        too_long: lines left out because prompt or reply is longer than the preset allows.
    """

    train: datasets.Dataset
    held_out: datasets.Dataset
    test: datasets.Dataset | None
    too_long: int


def make_data(lines: Sequence[L], settings: SupervisedPreset, tokenizer: PreTrainedTokenizerBase) -> Data:
    """Return training and held-out datasets.

    Raises:
        UsageError: if too little is left to train or to measure on.
    """
    kept: list[list[dict[str, Any]]] = []
    too_long = 0
    learnt, test = split_lines(lines)
    to_learn, to_choose = _divided(learnt, lambda line: line.scenario or json.dumps(line.prompt))
    for some in (to_learn, to_choose, test):
        rows = []
        for line in some:
            chat = [{"role": message["role"], "content": message["content"]} for message in line.prompt]
            text = str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
            prompt = len(_ids(tokenizer, text))
            lengths = [len(_ids(tokenizer, reply)) + 2 for reply in _replies(line).values()]
            if prompt > settings.max_prompt_tokens or max(lengths) > settings.max_reply_tokens:
                too_long += 1
                continue
            rows.append(
                {"prompt": list(line.prompt)}
                | {column: [{"role": "assistant", "content": text}] for column, text in _replies(line).items()}
            )
        kept.append(rows)
    return _data(kept, settings, too_long)


def conversation_data(
    lines: Sequence[Conversation], settings: SupervisedPreset, tokenizer: PreTrainedTokenizerBase
) -> Data:
    """Return training and held-out datasets of whole dialogues (``dialogue_batches.dialogue_row``).

    Raises:
        UsageError: if too little is left to train or to measure on.
    """
    learnt = [line for line in lines if line.split != TEST]
    compares = isinstance(settings, DpoPreset)
    most = settings.max_prompt_tokens + settings.max_reply_tokens
    kept: list[list[dict[str, Any]]] = []
    too_long = 0
    for some in (*_divided(learnt, lambda line: line.scenario), [line for line in lines if line.split == TEST]):
        rows = [dialogue_row(tokenizer, line, 1 if compares else LEAST_QUALITY) for line in some]
        useful = [row for row in rows if (compared(row) if compares else imitated(row))]
        kept.append([row for row in useful if len(row["input_ids"]) <= most])
        too_long += len(useful) - len(kept[-1])
    return _data(kept, settings, too_long)


def _data(kept: Sequence[list[dict[str, Any]]], settings: SupervisedPreset, too_long: int) -> Data:
    train, held_out, unseen = kept[0], kept[1][: settings.held_out], kept[2][: settings.held_out]
    if len(train) < settings.batch_size or not held_out:
        raise UsageError(
            f"data: expected at least {settings.batch_size} training and 1 held-out examples, got {len(train)} and "
            f"{len(held_out)} ({too_long} are longer than max_prompt_tokens or max_reply_tokens allow)"
        )
    parts = [datasets.Dataset.from_list(rows) if rows else None for rows in (train, held_out, unseen)]
    return Data(parts[0], parts[1], parts[2], too_long)


def _divided(lines: Sequence[E], name: Callable[[E], str]) -> tuple[list[E], list[E]]:
    """Return the lines to learn from, and those to choose by: a tenth of the scenarios, the same in every run."""
    choosing = [
        zlib.crc32(f"choose {name(line)}".encode("utf-8", "surrogatepass")) / 2**32 < _KEPT_BACK for line in lines
    ]
    return (
        [line for line, chosen in zip(lines, choosing, strict=True) if not chosen],
        [line for line, chosen in zip(lines, choosing, strict=True) if chosen],
    )


def _replies(line: PreferencePair | Demonstration) -> dict[str, str]:
    """Return a line's replies by the dataset's column."""
    if isinstance(line, Demonstration):
        return {"completion": line.completion}
    return {"chosen": line.chosen, "rejected": line.rejected}


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def make_trainer(
    settings: SftPreset | DpoPreset, model: Any, tokenizer: PreTrainedTokenizerBase, data: Data, folder: RunFolder
) -> Any:
    """Return TRL's trainer of an adapted model; for DPO the model as it is now is the reference."""
    arguments = trainer_arguments(settings, folder.path)
    measured = {"held_out": data.held_out} | ({"test": data.test} if data.test is not None else {})
    parts: dict[str, Any] = {
        "model": model,
        "train_dataset": data.train,
        "eval_dataset": measured,
        "processing_class": tokenizer,
    }
    trainer: Resumable
    if settings.prompt == "transcript":
        del arguments["max_length"]  # longer dialogues were left out
        trainer = DialogueTrainer(parts.pop("model"), settings, arguments, parts)
    elif isinstance(settings, DpoPreset):
        trainer = ResumableDpoTrainer(args=DPOConfig(**arguments, beta=settings.beta), **parts)
    else:
        trainer = ResumableSftTrainer(args=SFTConfig(**arguments, completion_only_loss=True), **parts)
    trainer.folder, trainer.base = folder, settings.base
    return trainer


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


def _test_loss(trainer: Any, test: datasets.Dataset | None) -> float | None:
    """Return the best adapter's loss on the test split, or None where there is none or the model is divided."""
    if test is None or trainer.is_sharded():
        return None
    trainer.load_adapter(trainer.folder.path / BEST)
    return float(trainer.evaluate(test, metric_key_prefix="test")["test_loss"])


def _last_figures(log: MetricsLog) -> dict[str, Any]:
    """Return the figures of the last measurement on held-out data."""
    measured = [line for line in log.read() if "eval_loss" in line]
    names = ("eval_loss", "eval_mean_token_accuracy", "eval_rewards/accuracies", "eval_rewards/margins")
    return {f"last {name}": round(measured[-1][name], 4) for name in names if measured and name in measured[-1]}


def trained_examples(settings: SupervisedPreset, data: Path) -> int:
    """Return how many examples of a file a run trains on; whole dialogues are counted as one each."""
    if settings.prompt == "transcript":
        return sum(line.split != TEST for line in read_conversations(data))
    return len(split_lines(_read(settings, data))[0])


def _read(settings: SupervisedPreset, data: Path) -> Sequence[Any]:
    """Return the lines of a run's data file."""
    if settings.prompt == "transcript":
        return read_conversations(data)
    return read_preferences(data) if isinstance(settings, DpoPreset) else read_sft(data)


def generated_data(method: str, settings: SupervisedPreset, out: Path, tell: Callable[[str], None]) -> Path:
    """Return the generated data of a run, written on its first start by its first process; a kill leaves no half of it.

    Args:
        method: "sft" for demonstrations, "dpo" for preference pairs.
        settings: of the run; their ``examples`` are written.
        out: the run's folder.
        tell: hears what is written, if anything is.
    """
    file = out / "data" / ("sft.jsonl" if method == "sft" else "preferences.jsonl")

    def write() -> None:
        if file.is_file():
            return
        tell(f"writing examples into {file}")
        file.parent.mkdir(parents=True, exist_ok=True)
        if settings.prompt == "transcript":
            write_conversations(file, chain(written_conversations("train"), written_conversations("validation")))
        elif method == "sft":
            hotel, grades = load_manager(MANAGER), load_reward("repo")
            write_lines(file, expert_demonstrations(settings.examples, settings.seed, manager=hotel, reward=grades))
        else:
            write_lines(file, (pair.line() for pair in preference_pairs(settings.examples, settings.seed)))

    ProcessGroup().on_main(write)
    return file
