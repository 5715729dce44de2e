"""What a training used up and how far it got, as its own files tell; nothing is estimated.

Sampled are replies for training, not those of held-out measurements. Trained are tokens, prompts included, that went
through a pass with gradients, each model's counted: PPO's and REPO's value model takes every token a second time, and
GRPO has none; a pair of DPO is two replies, the reference's passes not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

from benchmarks.methods.runs import Run
from benchmarks.methods.usage import read_usage
from benchmarks.methods.variants import ON_POLICY
from policies.training.run_files import METRICS


class Budget(NamedTuple):
    """One training's expense; None where it was not measured.

    Attributes:
        replies: sampled for training.
        steps: of the optimiser.
        sampled_tokens: of those replies.
        trained_tokens: see the module's docstring.
        seconds: wall time of the whole process.
        cpu_seconds: of all its threads.
        peak_memory_mb: MiB of that process.
        compared: checkpoints that were measured on held-out data, of which the best was kept.
        best: where the best was found, as a part of the training.
        processes: how many the training took; more than 1 where it was killed and resumed.
    """

    replies: int | None = None
    steps: int | None = None
    sampled_tokens: int | None = None
    trained_tokens: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    compared: int | None = None
    best: float | None = None
    processes: int | None = None


FIELDS: Final[dict[str, str]] = {
    "replies": "replies sampled",
    "steps": "optimiser steps",
    "sampled_tokens": "tokens sampled",
    "trained_tokens": "tokens trained",
    "seconds": "wall, s",
    "cpu_seconds": "CPU, s",
    "peak_memory_mb": "peak memory, MiB",
    "compared": "checkpoints compared",
    "best": "best at, part of training",
}
"""Headings, in the order to show them."""


def budget(run: Run) -> Budget | None:
    """Return what a run's training used up; None for a policy that was not trained here, or not yet."""
    if not run.trains:
        return None
    rows = _rows(run.training / METRICS)
    found = _on_policy(run, rows) if run.variant.method in ON_POLICY else _supervised(rows)
    usage = read_usage(run.folder)
    if usage is None:
        return found
    return found._replace(
        seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds,
        peak_memory_mb=usage.peak_memory_mb,
        processes=usage.processes,
    )


def _on_policy(run: Run, rows: list[Mapping[str, Any]]) -> Budget:
    states = sorted((run.training / "checkpoints").glob("round-*/state.json"))
    if not states:
        return Budget()
    state = json.loads(states[-1].read_text(encoding="utf-8"))
    return Budget(
        state["replies"],
        state["steps"],
        state["sampled_tokens"],
        state["trained_tokens"],
        compared=sum("held_out/total" in row for row in rows),
        best=state["best_round"] / state["round"] if state["round"] else None,
    )


def _supervised(rows: list[Mapping[str, Any]]) -> Budget:
    steps = max((row["step"] for row in rows if "loss" in row), default=0)
    held_out = [(row["eval_loss"], row["step"]) for row in rows if "eval_loss" in row]
    return Budget(
        0,
        steps,
        0,
        tokens_of(row["num_tokens"] for row in rows if "num_tokens" in row),
        compared=len(held_out),
        best=min(held_out)[1] / steps if held_out and steps else None,
    )


def tokens_of(counts: Iterable[float]) -> int:
    """Return all tokens trained, from running counts that begin anew wherever training was resumed."""
    total = before = 0.0
    for count in counts:
        total += count - before if count >= before else count
        before = count
    return round(total)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the metrics' whole lines; one that a kill cut off is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def progress(run: Run) -> str:
    """Return how far a run's training is, in a few words."""
    rows = _rows(run.training / METRICS)
    if not rows:
        return "starting"
    last = rows[-1]
    if "replies" in last:
        total = next((row["held_out/total"] for row in reversed(rows) if "held_out/total" in row), None)
        told = "" if total is None else f", held-out R_total {total:.3f}"
        return f"{last['replies']} of {run.settings['replies']} replies{told}"
    return f"step {last['step']}"


def average_budget(budgets: Iterable[Budget], name: str) -> dict[str, float] | None:
    """Return mean, least and most of one of the ``FIELDS``, None where it is not known of any."""
    known = [float(value) for b in budgets if (value := getattr(b, name)) is not None]
    if not known:
        return None
    return {"mean": round(fmean(known), 3), "least": round(min(known), 3), "most": round(max(known), 3)}
