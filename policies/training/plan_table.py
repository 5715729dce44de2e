"""Shows a plan as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from policies.training.plan import GPU_BYTES, Plan, seconds


def show_plan(console: Console, plan: Plan, title: str) -> None:
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
