"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) with TRL's DPOTrainer and a PEFT LoRA.

Their equation 7: minimise ``-log sigmoid(beta * (log p(chosen)/r(chosen) - log p(rejected)/r(rejected)))``, where p is
the policy and r the reference. Both begin as the preset's ``start`` (an SFT adapter, or the bare base); the reference
stays there, as a second frozen adapter on the same base. Open in the source paper, so ours: beta and the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from negotiation_env.training.presets import read_preset
from policies.training.resumable import Resumable
from policies.training.settings import PRESETS, DpoPreset
from policies.training.supervised import Data, run_training
from simulators.people.training_files import read_preferences


class ResumableDpoTrainer(Resumable, DPOTrainer):
    """TRL's trainer with checkpoints that survive a kill."""


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> DpoPreset:
    """Return the settings; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(DpoPreset, preset, PRESETS / "dpo", overrides)


def make_trainer(
    model: Any, tokenizer: PreTrainedTokenizerBase, data: Data, arguments: dict[str, Any], beta: float
) -> ResumableDpoTrainer:
    """Return the trainer of an adapted model; the model as it is now is the reference."""
    return ResumableDpoTrainer(
        model=model,
        args=DPOConfig(**arguments, beta=beta),
        train_dataset=data.train,
        eval_dataset=data.measured,
        processing_class=tokenizer,
    )


def train(
    settings: DpoPreset, out: Path, data: Path, resume: bool = False, command: str = "", quiet: bool = False
) -> Path:
    """Train on a file of preference pairs and return the run's folder; arguments and errors as in ``sft.train``.

    Margins and the annotators' sureness are not used: the method has no place for them.
    """
    return run_training(
        lambda model, tokenizer, parts, arguments: make_trainer(model, tokenizer, parts, arguments, settings.beta),
        "dpo",
        settings,
        data,
        read_preferences(data),
        lambda line: {"chosen": line.chosen, "rejected": line.rejected},
        out,
        resume,
        command,
        quiet,
    )
