"""Supervised fine-tuning: imitate demonstrations, the loss on the reply's tokens alone (TRL's SFTTrainer, PEFT LoRA).

``negotiate train sft``. Open in the source paper, so ours: the demonstrations, LoRA targets, and a learning rate that
falls linearly to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from negotiation_env.training.presets import read_preset
from policies.training.resumable import Resumable
from policies.training.settings import PRESETS, SftPreset
from policies.training.supervised import Data, run_training
from simulators.people.training_files import read_sft


class ResumableSftTrainer(Resumable, SFTTrainer):
    """TRL's trainer with checkpoints that survive a kill."""


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> SftPreset:
    """Return the settings; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(SftPreset, preset, PRESETS / "sft", overrides)


def make_trainer(
    model: Any, tokenizer: PreTrainedTokenizerBase, data: Data, arguments: dict[str, Any]
) -> ResumableSftTrainer:
    """Return the trainer of an adapted model."""
    return ResumableSftTrainer(
        model=model,
        args=SFTConfig(**arguments, completion_only_loss=True),
        train_dataset=data.train,
        eval_dataset=data.measured,
        processing_class=tokenizer,
    )


def train(
    settings: SftPreset, out: Path, data: Path, resume: bool = False, command: str = "", quiet: bool = False
) -> Path:
    """Train on a file of demonstrations and return the run's folder, which is a PEFT adapter folder.

    Args:
        settings: see ``read_settings``.
        out: the run's folder.
        data: JSON Lines of ``prompt`` and ``completion`` (see ``simulators.people.training_files``).
        resume: go on from the last checkpoint in ``out``, if there is one.
        command: what the user typed, for the model card.
        quiet: show no progress.

    Raises:
        DataFileError, UsageError: if data, start or folder do not fit.
        TrainingStoppedError: if the loss is no number.
    """
    lines = read_sft(data)
    return run_training(
        make_trainer,
        "sft",
        settings,
        data,
        lines,
        lambda line: {"completion": line.completion},
        out,
        resume,
        command,
        quiet,
    )
