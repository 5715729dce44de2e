"""Settings of reward-adapter training, typed; the files lie in ``presets/rm``. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from negotiation_env.training.presets import AdapterPreset

PRESETS = Path(__file__).with_name("presets")


class RewardPreset(AdapterPreset):
    """What trainings of reward adapters share.

    Attributes:
        batch_size: examples (prompts with their replies) of an optimiser step.
        number: number format of the base.
        layers: uppermost layers that are adapted; 0 for all. What lies below is run once a text.
        through_prompts: whether gradients flow through prompts as well as replies; False takes less than half the time.
        pass_tokens: most tokens of a forward pass.
        measure_every: steps from one look at the validation examples to the next.
        valid: share of the training scenarios that choose the best weights.
    """

    base: str = "smollm2"
    seed: int = Field(default=0, ge=0)
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0.0)
    warmup_steps: int = Field(default=10, ge=0)
    batch_size: int = Field(default=16, ge=1)
    number: Literal["auto", "float32", "bfloat16"] = "auto"
    layers: int = Field(default=10, ge=0)
    epochs: float = Field(default=1.0, gt=0.0)
    through_prompts: bool = False
    pass_tokens: int = Field(default=2048, ge=64)
    measure_every: int = Field(default=50, ge=1)
    valid: float = Field(default=0.05, gt=0.0, lt=1.0)


class RmPreset(RewardPreset):
    """Settings of ``negotiate train rm``.

    Attributes:
        data: a JSON Lines file as ``negotiate data preferences`` writes; "" generates it from ``pairs`` and ``seed``.
        pairs: preference pairs, training and test; the source paper has 6,632.
        situations: instead of the training pairs, so many prompts with up to six replies each, every two of them
            compared: for one reading of a prompt there is much more to learn from. 0 for the pairs themselves.
        margin: what a step of an annotator's grade adds to the wanted difference of scores.
        smooth: probability of a wrong tick that the loss allows for.
        centre: weight of the squared mean score of a pair (reward centring, Eisenstein et al. 2023).
        bare: share of training prompts whose replies are read without notes, so that a file without them can be read.
        form: whether the score is read behind notes and the judge's form, which follow the reply; a judge's weights to
            start from have gathered there what they make of it. False reads it at the reply's end.
        trainer: "loop" (ours, lower layers run once), or "trl" (TRL's RewardTrainer, for GPUs).
    """

    data: str = ""
    pairs: int = Field(default=6632, ge=8)
    situations: int = Field(default=0, ge=0)
    margin: float = Field(default=0.0, ge=0.0)
    smooth: float = Field(default=0.02, ge=0.0, lt=0.5)
    centre: float = Field(default=0.01, ge=0.0)
    bare: float = Field(default=0.1, ge=0.0, le=1.0)
    form: bool = False
    trainer: Literal["loop", "trl"] = "loop"
