"""Trains a LoRA on the MiniLM sentence encoder together with heads, whatever the heads are for.

The base is frozen, in bfloat16 where the processor multiplies it; its layers and the heads have dropout: without it the
loss was four times as high on new authors as on those trained on. What is written in the end is a running mean of the
weights along the steps (Polyak and Juditsky 1992), with a share of those that it began with if it is to be. A run goes
on from its last whole epoch.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import numpy as np
import peft
import torch
from pydantic import Field
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.files import read_json, write_file, write_json
from negotiation_env.language.encoder_build import SETTINGS, WEIGHTS, base_folder
from negotiation_env.training.lora import lora_config
from negotiation_env.training.presets import AdapterPreset, Count, LearningRate, Share
from negotiation_env.training.run_folder import (
    RunFolder,
    TrainingStoppedError,
    restore,
    settings_of,
    sha256,
    state_tensors,
)

STATE: Final = "state.safetensors"
SCHEDULE: Final = "schedule.json"
T = TypeVar("T")


class EncoderPreset(AdapterPreset):
    """Settings of a run; ``learning_rate`` is the LoRA's and falls to a fiftieth along a cosine, as ``head_rate`` does.

    ``start`` is the folder of a trained encoder of the same shape.
    """

    head_rate: LearningRate
    epochs: Count
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Of the encoder's layers."""
    head_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """What a step leaves of the running mean of the weights; 0 keeps the last step's weights alone."""
    start_share: Share = 0.0
    """Share of ``start`` in what is written, by which it reads unlike authors better (Wortsman et al. 2022)."""
    torch_threads: Annotated[int, Field(ge=1, le=64)] = 1


def encoder_tokenizer() -> Tokenizer:
    """Return the base's tokenizer, which neither pads nor cuts."""
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def head(wide: int, hidden: int, out: int, dropout: float) -> nn.Sequential:
    """Return one hidden layer with a GELU; ``encoder_heads`` computes the same in NumPy."""
    return nn.Sequential(
        nn.Linear(wide, hidden), nn.GELU(approximate="tanh"), nn.Dropout(dropout), nn.Linear(hidden, out)
    )


class AdaptedEncoder:
    """Base with LoRA, and heads; their optimiser and its schedule over ``steps``."""

    def __init__(self, settings: EncoderPreset, heads: Callable[[float], nn.Module], steps: int) -> None:
        torch.manual_seed(settings.seed)
        body = BertModel.from_pretrained(
            base_folder(),
            add_pooling_layer=False,
            attn_implementation="eager",
            hidden_dropout_prob=settings.dropout,
            attention_probs_dropout_prob=0.0,
        )
        self.number = number_format("auto", "cpu")
        held: Any = body.to(self.number)  # type: ignore[arg-type]
        self.body: Any = peft.get_peft_model(held, lora_config(settings, task="FEATURE_EXTRACTION"))
        self.body.train()
        self.heads = heads(settings.head_dropout)
        if settings.start:
            self._put(load_file(Path(settings.start) / WEIGHTS))
        self.averaging, self.start_share = settings.averaging, settings.start_share
        self.start = self.tensors()
        self.average = self.tensors()
        self.trained = [p for p in self.body.parameters() if p.requires_grad]
        groups = [
            {"params": self.trained, "lr": settings.learning_rate},
            {"params": list(self.heads.parameters()), "lr": settings.head_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01)

        def part(step: int) -> float:
            return min(1.0, (step + 1) / (settings.warmup_steps + 1)) * max(
                0.02, 0.5 * (1.0 + math.cos(math.pi * step / max(1, steps)))
            )

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, part)

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last layer's vectors [N, tokens, width] in float32."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.number is torch.bfloat16):
            last: Tensor = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return last.float()

    def step(self, loss: Tensor) -> float:
        """Take one optimiser step; return the loss."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.trained, *self.heads.parameters()], 1.0)
        self.optimizer.step()
        self.schedule.step()
        # a short memory at first, so that the first weights do not weigh on the mean
        kept = min(self.averaging, self.schedule.last_epoch / (self.schedule.last_epoch + 10))
        for name, tensor in self.tensors().items():
            self.average[name].lerp_(tensor, 1.0 - kept)
        return loss.item()

    def tensors(self) -> dict[str, Tensor]:
        """Return what is trained, by the names that ``encoder_build`` knows."""
        found = {
            name.removeprefix("base_model.model.").replace(".default.weight", ""): tensor
            for name, tensor in self.body.state_dict().items()
            if ".lora_" in name
        }
        found |= dict(self.heads.state_dict())
        return {name: tensor.detach().to(torch.float32, copy=True).contiguous() for name, tensor in found.items()}

    def written(self) -> dict[str, Tensor]:
        """Return the weights that the run comes to."""
        return {name: mean.lerp(self.start[name], self.start_share) for name, mean in self.average.items()}

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        """Set what is trained."""
        body = {f"base_model.model.{name}.default.weight": t for name, t in weights.items() if ".lora_" in name}
        self.body.load_state_dict(body, strict=False)
        self.heads.load_state_dict({name: tensor.float() for name, tensor in weights.items() if ".lora_" not in name})

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        held = load_file(path / STATE)
        self._put({name: held[name] for name in self.average})
        self.average = {name: held[f"average.{name}"] for name in self.average}
        told = read_json(path / SCHEDULE, dict[str, Any])
        restore(self.optimizer, held, "optimizer", told["groups"])
        self.schedule.last_epoch = told["step"]

    def save(self, path: Path) -> None:
        """Write a checkpoint into a folder."""
        average = {f"average.{name}": tensor for name, tensor in self.average.items()}
        save_file(self.tensors() | average | state_tensors(self.optimizer, "optimizer"), path / STATE)
        write_json(path / SCHEDULE, {"groups": settings_of(self.optimizer), "step": self.schedule.last_epoch})


def batches(data: Sequence[T], length: Callable[[T], int], size: int, rng: random.Random) -> list[list[T]]:
    """Return an epoch's batches, in random order, of examples of like length."""
    order = list(range(len(data)))
    rng.shuffle(order)
    made = []
    for start in range(0, len(order), size * 20):
        chunk = sorted(order[start : start + size * 20], key=lambda i: length(data[i]))
        made += [[data[i] for i in chunk[s : s + size]] for s in range(0, len(chunk), size)]
    rng.shuffle(made)
    return made


def run(
    heads: Callable[[float], nn.Module],
    settings: EncoderPreset,
    data: Sequence[T],
    length: Callable[[T], int],
    loss: Callable[[AdaptedEncoder, list[T]], Tensor],
    folder: RunFolder,
    checkpoint: Path | None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> tuple[AdaptedEncoder, dict[str, float]]:
    """Train over ``settings.epochs`` and return the model, and the run's figures.

    Args:
        heads: makes the model's heads, given their dropout.
        settings: of the run; ``batch_size`` counts examples of ``data``.
        data: examples.
        length: an example's tokens, by which batches are made.
        loss: of a batch.
        folder: the run's, which holds a checkpoint an epoch.
        checkpoint: to go on from.
        on_step: told step, steps and loss.

    Raises:
        TrainingStoppedError: the loss is no number.
    """
    a_round = math.ceil(len(data) / settings.batch_size)
    steps = settings.epochs * a_round
    made = AdaptedEncoder(settings, heads, steps)
    done = 0 if checkpoint is None else folder.number(checkpoint)
    if checkpoint is not None:
        made.load(checkpoint)
    log = folder.log(checkpoint)
    began = time.monotonic()
    for epoch in range(done, settings.epochs):
        torch.manual_seed(settings.seed + 1000 * (epoch + 1))
        losses = []
        parts = batches(data, length, settings.batch_size, random.Random(settings.seed + 1000 * epoch))
        for place, part in enumerate(parts, 1):
            losses.append(made.step(loss(made, part)))
            if not math.isfinite(losses[-1]):
                raise TrainingStoppedError(
                    f"{folder.path}: expected a finite loss, got {losses[-1]} in epoch {epoch + 1}"
                )
            if on_step is not None:
                on_step(epoch * a_round + place, steps, losses[-1])
        folder.save(epoch + 1, made.save)
        log.write(epoch + 1, {"loss": float(np.mean(losses)), "seconds": round(time.monotonic() - began)})
    return made, {"optimiser steps": steps, "loss of the last epoch": log.read()[-1]["loss"]}


def publish(
    model: AdaptedEncoder, settings: EncoderPreset, out: Path, thresholds: Mapping[str, float] | None = None
) -> None:
    """Write what ``encoder_build`` reads: weights in half precision, settings, a reader's first thresholds."""
    arrays = {name: tensor.numpy().astype(np.float16) for name, tensor in model.written().items()}
    write_file(out / WEIGHTS, partial(save_arrays, arrays))
    said = {
        "lora_rank": settings.lora_rank,
        "lora_alpha": settings.lora_alpha,
        "base_sha256": sha256(base_folder() / "model.safetensors"),
    }
    write_json(out / SETTINGS, said | ({} if thresholds is None else {"thresholds": dict(thresholds)}), indent=1)
