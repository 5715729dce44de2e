"""Settings of the tiny base model's training from scratch. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from negotiation_env.presets import Preset

PRESETS = Path(__file__).with_name("presets") / "base"
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class BasePreset(Preset):
    """One training run from scratch; ``seed`` names it: corpus, first weights and order follow from it.

    ``examples`` chats are generated, ``held_out`` of them not trained on. ``vocabulary`` is the most that the
    tokenizer may have. ``bfloat16`` computes products in that format (faster on CPUs with AMX, slower elsewhere).
    """

    seed: Annotated[int, Field(ge=0)]
    examples: Count
    held_out: Count
    tokenizer_examples: Count
    vocabulary: Annotated[int, Field(ge=512, le=65536)]
    hidden: Count
    intermediate: Count
    layers: Count
    heads: Count
    kv_heads: Count
    context: Annotated[int, Field(ge=128)]
    epochs: Count
    batch_size: Count
    learning_rate: Rate
    """Of embeddings and norms (AdamW)."""
    muon_learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0.0, lt=1.0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    bfloat16: bool
    torch_threads: Annotated[int, Field(ge=1, le=64)]
    log_every: Count
    save_every: Count
