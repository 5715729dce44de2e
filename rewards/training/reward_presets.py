"""Settings of the reward adapter's training, typed; the files lie in ``presets/rm``. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from negotiation_env.training.presets import AdapterPreset

PRESETS = Path(__file__).with_name("presets")


class RmPreset(AdapterPreset):
    """Settings of ``negotiate train rm``.

    Attributes:
        data: a JSON Lines file of pairs in TRL's format whose training lines are taken; "" for the written pairs.
        pairs: written pairs, in the composition of the source paper, which has 6,632; 0 for all there are.
        ties: minimal edits, which the chat does not tell apart; 0 for all there are.
        bland: replies, of those that say nothing and of bland ones, by which zero and unit are set; 0 for all.
        level: weight of the loss that draws chosen replies above 0 and rejected ones below.
        length: weight of the squared correlation of score and length.
        batch_size: examples (talks with their replies) of an optimiser step.
        number: number format of the base.
        layers: uppermost layers that are adapted; 0 for all. What lies below is run once a text.
        through_prompts: whether gradients flow through prompts as well as replies; False takes less than half the time.
        pass_tokens: most tokens of a forward pass.
        measure_every: steps from one look at the validation examples to the next.
        valid: share of the training scenarios that choose the best weights.
        trainer: "loop" (ours, lower layers run once), or "trl" (TRL's RewardTrainer, for GPUs).
        most: cuts what is measured by in the end short, for tests.
    """

    base: str = "smollm2"
    seed: int = Field(default=0, ge=0)
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0.0)
    warmup_steps: int = Field(default=10, ge=0)
    batch_size: int = Field(default=16, ge=1)
    data: str = ""
    pairs: int = Field(default=6632, ge=0)
    ties: int = Field(default=0, ge=0)
    bland: int = Field(default=0, ge=0)
    level: float = Field(default=0.3, ge=0.0)
    length: float = Field(default=0.3, ge=0.0)
    number: Literal["auto", "float32", "bfloat16"] = "auto"
    layers: int = Field(default=10, ge=0)
    epochs: float = Field(default=1.0, gt=0.0)
    through_prompts: bool = False
    pass_tokens: int = Field(default=2048, ge=64)
    measure_every: int = Field(default=50, ge=1)
    valid: float = Field(default=0.05, gt=0.0, lt=1.0)
    trainer: Literal["loop", "trl"] = "loop"
    most: int | None = None
