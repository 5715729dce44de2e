"""Settings that every method shares: the base, the LoRA adapter on it, batches, lengths. Needs no torch.

A method's preset adds its own fields to ``AdapterPreset``; its files lie in ``presets/METHOD/SCALE.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from negotiation_env.presets import Preset

PRESETS = Path(__file__).with_name("presets")
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class AdapterPreset(Preset):
    """What all methods of a scale have in common, so that only the method differs."""

    seed: Annotated[int, Field(ge=0)]
    """Names the run: first weights, data and their order follow from it."""
    base: Annotated[str, Field(min_length=1)]
    """The frozen base: "tiny", "smollm2", a folder, or a Hub id."""
    start: str = ""
    """Adapter to start from, and the reference where a method has one: the name of a shipped one, or a folder;
    "" for a new adapter, which leaves the base as it is."""
    lora_rank: Annotated[int, Field(ge=1, le=1024)]
    lora_alpha: Annotated[float, Field(gt=0.0)]
    lora_targets: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    """Linear layers that get an adapter, by the last part of their name."""
    learning_rate: Rate
    warmup_steps: Annotated[int, Field(ge=0)]
    epochs: Count
    batch_size: Count
    """Examples (pairs, replies) of one optimiser step, over all devices."""
    micro_batch_size: Count
    """Examples computed at once on one device; divides ``batch_size``."""
    max_prompt_tokens: Count
    max_reply_tokens: Count
    dtype: Literal["float32", "bfloat16"]
    """Number format of the base; adapters and their optimiser are float32."""
    gradient_checkpointing: bool = False
    """Compute activations twice to hold fewer of them."""
    torch_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads on a CPU."""

    @model_validator(mode="after")
    def _whole_batches(self) -> AdapterPreset:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"expected batch_size as a multiple of micro_batch_size, got {self.batch_size} and "
                f"{self.micro_batch_size}"
            )
        return self


class SupervisedPreset(AdapterPreset):
    """What SFT and DPO have in common."""

    examples: Count
    """Examples to generate where no file is given, held-out ones included."""
    held_out: Count
    """Most held-out examples that each measurement uses."""
    measure_every: Count
    """Optimiser steps between measurements of the held-out loss; each is followed by a checkpoint."""


class SftPreset(SupervisedPreset):
    """One SFT run."""


class DpoPreset(SupervisedPreset):
    """One DPO run (Rafailov et al. 2023, arXiv 2305.18290)."""

    beta: Annotated[float, Field(gt=0.0, le=10.0)]
    """Strength of the pull towards the start (their equation 7)."""
