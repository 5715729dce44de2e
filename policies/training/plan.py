"""``--dry-run``: what a run will take, worked out without running it or holding its weights.

The base is built on PyTorch's meta device (shapes without numbers), so that a model of 32 billion parameters is counted
in seconds, offline. Parameters are counted; bytes of weights, gradients and optimiser follow from them; activations are
an estimate (see ``_activation_values``), and so is time. A method is known by its ``Work`` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import peft
import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoConfig, AutoModelForCausalLM

from negotiation_env.engines.checkpoints import number_format
from negotiation_env.engines.exact.trees import uppermost
from negotiation_env.engines.specs import NAMED_BASES, base_path
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.training.lora import lora_config
from policies.training.on_policy.methods import load_method
from policies.training.settings import PolicyPreset, SupervisedPreset

ARCHITECTURES = Path(__file__).with_name("architectures")
"""Configurations of bases that are not on this machine, under the last part of their Hub id."""
GPU_BYTES = 80e9
"""Memory of one data-centre GPU of the layout."""
HEADROOM = 0.85
"""Share of a GPU's memory that the layout fills: the rest is for fragments, buffers, and the estimate's error."""
TRAINING_SHARE = 0.35
"""Part of a GPU's peak products that training is assumed to reach."""
GPU_FLOPS = 989e12 * TRAINING_SHARE
"""Products a second of one H100 in bfloat16."""
PASS_PARTS = ("activations kept, about", "layer at work or logits, about")
"""Parts of a plan's memory that a pass with gradients takes."""
_FLOAT = 4
_MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Work:
    """What a method does with its models.

    Attributes:
        method: its name.
        sequences: prompt with one reply, passed forward and backward, over the whole run.
        steps: optimiser steps.
        trained_adapters: adapters with gradients: 1, or 2 with a value model, less where it adapts some layers only.
        frozen_adapters: further adapters that are only read, such as a reference.
        forward_passes: passes without gradients per sequence (reference, old log-probabilities, ...).
        at_once: sequences of one pass on one device.
        sampled: replies sampled during training; 0 where the data are given.
        rollout_batch: replies sampled at a time.
        prompt_tokens, reply_tokens: mean tokens, where known; else None for the preset's most.
    """

    method: str
    sequences: int
    steps: int
    at_once: int
    trained_adapters: float = 1.0
    frozen_adapters: float = 0
    forward_passes: float = 0.0
    sampled: int = 0
    rollout_batch: int = 0
    prompt_tokens: float | None = None
    reply_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A base's sizes, and its parameters with one adapter on it."""

    base: int
    adapter: int
    layers: int
    hidden: int
    intermediate: int
    queries: int
    """Width of all query heads together."""
    keys: int
    """Width of all key heads together; values are as wide."""
    vocabulary: int
    largest_layer: int
    """Parameters of one decoder layer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Devices for training and, where replies are sampled, for rollouts."""

    training_gpus: int
    training_bytes: float
    """On each training GPU."""
    rollout_gpus: int
    """Tensor-parallel GPUs of one rollout engine; 0 where nothing is sampled."""
    rollout_bytes: float


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A run worked out. Bytes of ``memory`` are for one device that holds everything."""

    settings: PolicyPreset
    work: Work
    shape: Shape
    memory: dict[str, float]
    tokens: float
    """Of all passes with gradients; prompts are counted with every reply."""
    sampled_tokens: float
    learning_flops: float
    flops: float
    """Of learning and sampling."""
    layout: Layout | None
    """None where everything fits onto one device by far."""

    @property
    def trained(self) -> int:
        """Parameters with gradients."""
        return round(self.shape.adapter * self.work.trained_adapters)

    @property
    def number_bytes(self) -> int:
        """Of a number of the base."""
        return _number_bytes(self.settings)

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with the longest reply."""
        return self.settings.max_prompt_tokens + self.settings.max_reply_tokens

    @property
    def cell_bytes(self) -> int:
        """Of one token's keys and values."""
        return 2 * self.shape.layers * self.shape.keys * self.number_bytes


def base_config(name: str) -> Any:
    """Return a base's configuration: from its folder, or from this package for a base of the paper's scale.

    Raises:
        UsageError: if it is neither.
    """
    known = {path.stem: path for path in ARCHITECTURES.glob("*.json")}
    file = known.get(name.rpartition("/")[2])
    if name not in NAMED_BASES and file is not None:
        return AutoConfig.from_pretrained(str(file))
    path = base_path(name)
    if not Path(path).is_dir():
        names = did_you_mean(name, [*NAMED_BASES, *known])
        raise UsageError(f"base: expected a base whose configuration is on this machine, got {name!r}.{names}")
    return AutoConfig.from_pretrained(path)


@cache
def shape_of(settings: PolicyPreset) -> Shape:
    """Return the sizes of the preset's base and adapter, counted on the meta device."""
    config = base_config(settings.base).get_text_config()
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        base = sum(p.numel() for p in model.parameters())
        model.name_or_path = settings.base  # PEFT notes it in the adapter
        layer = sum(p.numel() for p in model.get_decoder().layers[0].parameters())
        wrapped = peft.get_peft_model(model, lora_config(settings))
    size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return Shape(
        base=base,
        adapter=sum(p.numel() for p in wrapped.parameters() if p.requires_grad),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        queries=config.num_attention_heads * size,
        keys=config.num_key_value_heads * size,
        vocabulary=config.vocab_size,
        largest_layer=layer,
    )


def _pass_bytes(shape: Shape, settings: PolicyPreset, at_once: int) -> tuple[float, float]:
    """Return what a pass with gradients holds: activations kept for the backward pass, and the most beside them.

    Counted from a layer's parts as Korthikanti et al. (2022, arXiv 2205.05198) do, for attention that keeps no score
    matrix. A layer keeps, in the base's format: three of the layer's width (norms' outputs, the residual), five of all
    query heads' (queries, keys and values repeated for them, their mix twice) and four of the feed-forward's; in
    float32 what its norms read. Beside them are either one layer's own, where it is computed anew, with the gradients
    of its feed-forward, or the logits of all replies three times over in float32, whichever is more.
    """
    number, tokens = _number_bytes(settings), at_once * (settings.max_prompt_tokens + settings.max_reply_tokens)
    inside = number * (3 * shape.hidden + 5 * shape.queries + 4 * shape.intermediate)
    inside += _FLOAT * (2 * shape.hidden + shape.queries + shape.keys)
    logits = 3.0 * _FLOAT * at_once * settings.max_reply_tokens * shape.vocabulary
    gradients = 2 * number * shape.intermediate
    if settings.gradient_checkpointing:
        kept = shape.layers * shape.hidden * number
        return float(tokens * kept), max(tokens * (inside + gradients), logits)
    return float(tokens * shape.layers * inside), max(tokens * gradients, logits)


def _number_bytes(settings: PolicyPreset) -> int:
    return number_format(settings.dtype).itemsize


def make_plan(settings: PolicyPreset, work: Work) -> TrainingPlan:
    """Work a run out. Raises ``UsageError`` where the base's configuration is not at hand."""
    shape, number = shape_of(settings), _number_bytes(settings)
    prompt = settings.max_prompt_tokens if work.prompt_tokens is None else work.prompt_tokens
    reply = settings.max_reply_tokens if work.reply_tokens is None else work.reply_tokens
    trained = shape.adapter * work.trained_adapters
    longest = settings.max_prompt_tokens + settings.max_reply_tokens
    kept, beside = _pass_bytes(shape, settings, work.at_once)
    memory = {
        "base weights": float(shape.base * number),
        "adapters": float(_FLOAT * shape.adapter * (work.trained_adapters + work.frozen_adapters)),
        "gradients": float(_FLOAT * trained),
        "optimiser (two moments)": float(2 * _FLOAT * trained),
        "activations kept, about": kept,
        "layer at work or logits, about": beside,
    }
    if work.sampled:
        cell = 2 * shape.layers * shape.keys * number
        memory["keys and values of rollouts, at most"] = float(work.rollout_batch * longest * cell)
    passes = 4.0 + (2.0 if settings.gradient_checkpointing else 0.0) + 2.0 * work.forward_passes
    tokens = work.sequences * (prompt + reply)
    sampled = work.sampled * (prompt + reply)
    learning = tokens * (passes * shape.base + 6.0 * trained)
    flops = learning + 2.0 * sampled * shape.base
    plan = TrainingPlan(settings, work, shape, memory, tokens, work.sampled * reply, learning, flops, None)
    if sum(memory.values()) <= HEADROOM * GPU_BYTES:
        return plan
    return replace(plan, layout=_layout(plan))


def training_memory(plan: TrainingPlan, gpus: int) -> dict[str, float]:
    """Return the bytes of each training GPU by part, at most, where keys and values of rollouts are elsewhere.

    FSDP divides the base's decoder layers among the GPUs; the layer at work and the next one, on its way, are whole on
    each, and so are embeddings, adapters, gradients and optimiser. Gradients are summed up as one message, of which
    there are two copies; activations are gone by then.
    """
    memory, number, shape = plan.memory, plan.number_bytes, plan.shape
    layers = float(shape.layers * shape.largest_layer * number)
    passing = sum(memory[name] for name in PASS_PARTS)
    found = {"decoder layers": layers / gpus, "embeddings": shape.base * number - layers}
    found |= {name: memory[name] for name in ("adapters", "gradients", "optimiser (two moments)")}
    if gpus == 1:
        return found | {"a pass": passing}
    found["two layers whole"] = 2.0 * number * shape.largest_layer
    return found | {"a pass, or gradients on their way": max(passing, 2.0 * memory["gradients"])}


def _layout(plan: TrainingPlan) -> Layout:
    """Return the fewest GPUs, in powers of two, that hold training under FSDP and rollouts under tensor parallelism."""
    memory, limit = plan.memory, HEADROOM * GPU_BYTES

    def training(gpus: int) -> float:
        return sum(training_memory(plan, gpus).values())

    cache_bytes = memory.get("keys and values of rollouts, at most", 0.0)
    served = memory["base weights"] + plan.number_bytes * plan.shape.adapter + cache_bytes
    learners = _fewest(training, limit)
    rollout = _fewest(lambda gpus: served / gpus, limit) if plan.work.sampled else 0
    return Layout(learners, training(learners), rollout, served / rollout if rollout else 0.0)


def _fewest(need: Callable[[int], float], limit: float) -> int:
    gpus = 1
    while gpus <= _MOST_GPUS:
        if need(gpus) <= limit:
            return gpus
        gpus *= 2
    raise UsageError(
        f"plan: expected a run that fits onto {_MOST_GPUS} GPUs of {GPU_BYTES / 1e9:.0f} GB, got one that does not; "
        "lower micro_batch_size, or set gradient_checkpointing = true"
    )


MEASURED_SPEED = {"tiny": 2800.0}
"""Tokens per CPU second of SFT, by base, where it was measured: one core of a busy Xeon with AVX-512, float32."""


def seconds(plan: TrainingPlan) -> tuple[float, str] | None:
    """Return an estimate of the run's wall time and on what, or None where nothing is known."""
    speed = MEASURED_SPEED.get(plan.settings.base)
    if speed is not None:
        return plan.tokens * (
            1.0 + plan.work.forward_passes / 2.0
        ) / speed, "one CPU core, at the speed measured for SFT on a busy machine"
    if plan.layout is None:  # small models are bound by other things than products
        return None
    gpus = plan.layout.training_gpus + plan.layout.rollout_gpus
    return plan.flops / (gpus * GPU_FLOPS), f"{gpus} H100-class GPU{'s' * (gpus > 1)} at an assumed 35 % of their peak"


def supervised_work(method: str, settings: SupervisedPreset, train_examples: int) -> Work:
    """Return the work of SFT, or of DPO, whose reference reads everything as well.

    An example is a reply, for DPO two of them; or a whole dialogue, whatever is learned from it.
    """
    references = 1 if method == "dpo" else 0
    replies = 2 if method == "dpo" and settings.prompt != "transcript" else 1
    return Work(
        method=method,
        sequences=train_examples * settings.epochs * replies,
        steps=math.ceil(train_examples / settings.batch_size) * settings.epochs,
        at_once=settings.micro_batch_size * replies,
        frozen_adapters=references,
        forward_passes=float(references),
    )


def on_policy_plan(
    name: str,
    preset: Mapping[str, Any] | str | Path,
    overrides: Sequence[str] = (),
    prompt_tokens: float | None = None,
    reply_tokens: float | None = None,
) -> TrainingPlan:
    """Return what a run of "ppo", "grpo" or "repo" will take; ``prompt_tokens`` and ``reply_tokens`` as in ``Work``.

    Raises:
        DataFileError, UsageError: where settings are wrong, or the base's configuration is not at hand.
    """
    method = load_method(name, preset, overrides)
    settings = method.preset
    models = 2 if method.has_value else 1
    sequences = settings.replies * settings.epochs * models
    layers = shape_of(settings).layers
    policy_part = len(uppermost(settings.policy_layers or 0, layers)) / layers
    value_part = len(uppermost(settings.value_layers, layers)) / layers if method.has_value else 0.0
    # Once a round: values before learning, and the start's log-probabilities.
    read = int(method.has_value) + int(method.wants_start)
    work = Work(
        method=name,
        sequences=sequences,
        steps=math.ceil(settings.replies / settings.batch_size) * settings.epochs,
        at_once=settings.micro_batch_size,
        trained_adapters=policy_part + value_part,
        frozen_adapters=2.0 - policy_part,
        forward_passes=read * settings.replies / sequences,
        sampled=settings.replies,
        rollout_batch=min(settings.rollout_batch * settings.group_size, settings.dialogues),
        prompt_tokens=prompt_tokens,
        reply_tokens=reply_tokens,
    )
    return make_plan(settings, work)


def show_plan(console: Console, plan: TrainingPlan, title: str) -> None:
    """Print what the run will take: parameters, memory, tokens and steps, devices, time."""
    settings, work, shape = plan.settings, plan.work, plan.shape
    table = Table("what", "how much", title=title, title_justify="left")
    table.add_row("base", f"{settings.base}, {settings.dtype}")
    table.add_row("base parameters (frozen)", _count(shape.base))
    table.add_row("trained parameters", f"{_count(plan.trained)} ({plan.trained / shape.base:.2%} of the base)")
    for name, size in plan.memory.items():
        table.add_row(f"memory: {name}", _bytes(size))
    table.add_row("memory: together", _bytes(sum(plan.memory.values())), end_section=True)
    table.add_row("optimiser steps", f"{work.steps:,}")
    table.add_row("sequences learned from", f"{work.sequences:,}")
    table.add_row("tokens learned from" + (", at most" if work.prompt_tokens is None else ""), _count(plan.tokens))
    if work.sampled:
        table.add_row("replies sampled", f"{work.sampled:,}")
        table.add_row("tokens sampled, at most", _count(plan.sampled_tokens))
    table.add_row("products (floating point)", f"{plan.flops:.2g}")
    time = seconds(plan)
    table.add_row("time, about", "not known" if time is None else f"{_duration(time[0])} on {time[1]}")
    console.print(table)
    if plan.layout is None:
        console.print("Devices: everything on one device.")
        return
    at = plan.layout
    devices = Table(
        "part", "devices", "memory on each", title=f"Devices of {GPU_BYTES / 1e9:.0f} GB", title_justify="left"
    )
    devices.add_row("training: FSDP (Accelerate)", f"{at.training_gpus} GPUs", _bytes(at.training_bytes))
    if at.rollout_gpus:
        devices.add_row("rollouts: vLLM, tensor parallel", f"{at.rollout_gpus} GPUs", _bytes(at.rollout_bytes))
        devices.add_row("episodes, managers, rewards: Ray", "CPU cores of all machines", "under 2 GB a worker")
    console.print(devices)
    console.print("Parameters were counted on the meta device; no weights were read.")


def _count(number: float) -> str:
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.4g}{unit}"
    return f"{number:.4g}"


def _bytes(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.0f} kB"


def _duration(time: float) -> str:
    if time < 120:
        return f"{time:.0f} s"
    return f"{time / 60:.0f} min" if time < 7200 else f"{time / 3600:.1f} h"
