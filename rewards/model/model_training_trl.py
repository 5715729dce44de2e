"""The reward model by TRL's RewardTrainer: for large bases on GPUs, with whatever Accelerate spreads them over.

Same pairs, same loss with margins and centring, same adapter format and report as ``rm``. Every layer of every text is
run in every epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from negotiation_env.engines.chat_text import control_tokens, without_controls
from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.trees import uppermost
from negotiation_env.engines.specs import base_path
from rewards.training.adapter_training import TrainedAdapter, lora_settings
from rewards.training.reward_presets import RmPreset
from simulators.people.training_files import PreferencePair

MOST_TOKENS = 1024
"""Pairs with a longer text are left out by TRL."""


def train_with_trl(
    settings: RmPreset, learn: Sequence[PreferencePair], valid: Sequence[PreferencePair], folder: Path
) -> TrainedAdapter:
    """Train with TRL in ``folder/trl`` and return the adapter with the weights that were best on ``valid``."""
    path = base_path(settings.base)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(
        path, num_labels=1, dtype=number_format(settings.number), use_safetensors=True
    )
    model.config.pad_token_id = tokenizer.pad_token_id
    count = int(model.config.get_text_config().num_hidden_layers)
    arguments = RewardConfig(
        output_dir=str(folder / "trl"),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        center_rewards_coefficient=settings.centre,
        max_length=MOST_TOKENS,
        eval_strategy="steps",
        eval_steps=settings.measure_every,
        save_steps=settings.measure_every,
        save_total_limit=2,
        logging_steps=settings.measure_every,
        load_best_model_at_end=True,
        metric_for_best_model="eval_accuracy",
        seed=settings.seed,
        bf16=False,  # weights have the preset's number format already
        gradient_checkpointing=False,
        report_to="none",
    )
    specials = control_tokens(tokenizer)
    trainer = RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=_dataset(learn, settings.margin, specials),
        eval_dataset=_dataset(valid, settings.margin, specials),
        processing_class=tokenizer,
        peft_config=lora_settings(
            "SEQ_CLS", settings.rank, settings.alpha, settings.targets, uppermost(settings.layers, count)
        ),
    )
    trainer.train()
    saved = folder / "trl" / "best"
    trainer.save_model(str(saved))
    adapter = TrainedAdapter.of(settings, "SEQ_CLS")
    set_peft_model_state_dict(adapter.peft, load_file(saved / "adapter_model.safetensors"))
    return adapter


def _dataset(pairs: Sequence[PreferencePair], margin: float, specials: Sequence[str]) -> Any:
    """Return pairs in TRL's conversational form, control tokens in what was said broken up."""

    def said(role: str, text: str) -> dict[str, str]:
        return {"role": role, "content": without_controls(text, specials)}

    return Dataset.from_list(
        [
            {
                "prompt": [said(m["role"], m["content"]) for m in pair.prompt],
                "chosen": [said("assistant", pair.chosen.strip())],
                "rejected": [said("assistant", pair.rejected.strip())],
                "margin": margin * pair.margin,
            }
            for pair in pairs
        ]
    )
