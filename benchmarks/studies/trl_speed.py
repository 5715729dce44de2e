"""REPO's loop against TRL's GRPOTrainer: ``negotiate study trl-speed``.

Both sides have the preset's base, start, LoRA settings, number format, threads, replies per optimiser step, passes over
each reply (``epochs``), replies computed at once, and greatest reply length. Each side runs in a process of its own,
one after the other on this machine, so that its peak memory (resident set; on a GPU torch's own count) is its own. A
warm-up round is run and left out; the figures are medians over the other rounds. A sampled reply's seconds are all that
a round takes, by its replies: generating, the hotel's answers, scoring and learning. What each side does is in
``trl_speed_sides``; TRL is charged for no reward model and no judge.

Targets: REPO's seconds per sampled reply at most 0.7 times TRL's, its peak memory at most 1.2 times; ``trl-dialogues``
is shown for comparison.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.runner.provenance import typed_command
from negotiation_env.errors import UsageError
from negotiation_env.files import write_json

PARTS = ("generate", "score", "learn")
"""Sampling replies (with the hotel's answers, where it answers), scoring them, and learning from them."""


@dataclass(slots=True)
class Round:
    """One round: replies sampled, and the seconds from its first to its last optimiser step."""

    replies: int = 0
    reply_tokens: int = 0
    prompt_tokens: int = 0
    """Tokens of the prompts of these replies; where a dialogue is one sample, of its opening."""
    optimiser_steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Processor time of the process, all threads: what is left of the seconds on a machine that is shared."""
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    """Seconds by part."""
    cpu_parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    """Processor time by part."""


@dataclass(slots=True)
class MeasuredSide:
    """A side's rounds, the warm-up round left out, and the most memory that its process held."""

    side: str
    what: str
    rounds: list[Round]
    peak_memory_mb: float
    device: str
    threads: int


SIDES: Final = ("repo", "trl", "trl-dialogues")
MOST_SECONDS, MOST_MEMORY = 0.7, 1.2
COMPARED = ("seconds_per_reply", "cpu_seconds_per_reply", "peak_memory_mb")
REPORT = "report.json"


def summary(measured: MeasuredSide, passes: int) -> dict[str, float]:
    """Return a side's figures: medians over its rounds, per sampled reply where they are seconds.

    Args:
        measured: the side.
        passes: over each reply, so that a reply belongs to as many optimiser steps.
    """
    rounds = measured.rounds
    replies = sum(r.replies for r in rounds)

    def median(seconds: Iterable[float]) -> float:
        return statistics.median(taken / r.replies for taken, r in zip(seconds, rounds, strict=True))

    return {
        "seconds_per_reply": median(r.seconds for r in rounds),
        **{f"seconds_per_reply, {part}": median(r.parts[part] for r in rounds) for part in PARTS},
        "cpu_seconds_per_reply": median(r.cpu_seconds for r in rounds),
        **{f"cpu_seconds_per_reply, {part}": median(r.cpu_parts[part] for r in rounds) for part in PARTS},
        "peak_memory_mb": measured.peak_memory_mb,
        "replies": replies,
        "replies_per_step": passes * replies / sum(r.optimiser_steps for r in rounds),
        "tokens_per_reply": sum(r.reply_tokens for r in rounds) / replies,
        "prompt_tokens_per_reply": sum(r.prompt_tokens for r in rounds) / replies,
    }


def compare(sides: Sequence[MeasuredSide], passes: int) -> dict[str, Any]:
    """Return the report: each side's figures, and the ratios of REPO's to each of TRL's.

    Args:
        sides: those measured.
        passes: over each reply.

    Raises:
        ValueError: if REPO's side is not among them.
    """
    figures = {one.side: summary(one, passes) for one in sides}
    if "repo" not in figures:
        raise ValueError(f"expected REPO's side among those measured, got {sorted(figures)}")
    ours = figures["repo"]
    ratios = {
        name: {key: ours[key] / theirs[key] for key in COMPARED} for name, theirs in figures.items() if name != "repo"
    }
    return {"sides": figures, "ratios": ratios, "what": {one.side: one.what for one in sides}}


def missed(report: dict[str, Any]) -> list[str]:
    """Return which targets are missed, in words."""
    ratios = report["ratios"].get("trl")
    if ratios is None:
        return []
    wanted = {"seconds_per_reply": MOST_SECONDS, "peak_memory_mb": MOST_MEMORY}
    return [f"{key}: {ratios[key]:.2f} of TRL's, at most {most}" for key, most in wanted.items() if ratios[key] > most]


def _table(report: dict[str, Any]) -> Table:
    table = Table(title="Medians over rounds")
    table.add_column("")
    for name in report["sides"]:
        table.add_column(name, justify="right")
    for key in report["sides"]["repo"]:
        digits = 0 if key in ("peak_memory_mb", "replies", "replies_per_step") else 1 if "tokens" in key else 3
        table.add_row(key, *(f"{own[key]:.{digits}f}" for own in report["sides"].values()))
    for key in COMPARED:
        ratios = [report["ratios"].get(name, {}).get(key) for name in report["sides"]]
        table.add_row(f"ratio, {key}", *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios))
    return table


class Given(NamedTuple):
    """What a side is measured with."""

    preset: str
    overrides: tuple[str, ...]
    rounds: int
    reward: str
    trl_reward: str


def _begin(threads: str) -> None:
    """Set a side's process up, before torch is imported there."""
    os.environ.update(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, TRL_EXPERIMENTAL_SILENCE="1")


def measure_side(side: str, given: Given) -> MeasuredSide:
    """Measure one side in this process."""
    from benchmarks.studies import trl_speed_sides as sides
    from policies.training.on_policy.methods import load_method

    method = load_method("repo", given.preset, given.overrides)
    if side == "repo":
        return sides.measure_repo(method, given.rounds, given.reward)
    return sides.measure_trl(method.preset, given.rounds, side == "trl-dialogues", given.trl_reward)


def _in_a_process(side: str, given: Given, threads: int) -> MeasuredSide:
    """Measure one side in a process of its own."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(str(threads),)) as process:
        return process.submit(measure_side, side, given).result()


def study(
    preset: Annotated[str, typer.Option(help="Preset of `negotiate train repo`.")] = "small",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replaces a preset's value.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 3,
    reward: Annotated[str, typer.Option(help="REPO's reward.")] = "repo:model=small",
    trl_reward: Annotated[str, typer.Option(help="The reward on TRL's side.")] = "repo",
    sides: Annotated[str, typer.Option(help="Which to measure, by comma; REPO's is always.")] = ",".join(SIDES),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the figures.")] = Path("out/trl-speed"),
) -> int:
    """Measure REPO's loop against TRL's GRPOTrainer; exit status 1 if a target is missed against ``trl``."""
    from negotiation_env.training.run_folder import provenance
    from policies.training.on_policy.methods import load_method

    chosen = list(dict.fromkeys(["repo", *filter(None, sides.split(","))]))
    if odd := [side for side in chosen if side not in SIDES]:
        raise UsageError(f"--sides: expected some of {', '.join(SIDES)}, got {', '.join(odd)}")
    given = Given(preset, tuple(overrides or ()), rounds, reward, trl_reward)
    settings = load_method("repo", preset, given.overrides).preset
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for side in chosen:
        found.append(_in_a_process(side, given, settings.torch_threads))
        write_json(out / f"{side}.json", asdict(found[-1]))
    report = compare(found, settings.epochs)
    report["targets"] = {"seconds_per_reply": MOST_SECONDS, "peak_memory_mb": MOST_MEMORY}
    report["missed"] = missed(report)
    report["settings"] = settings.model_dump(mode="json")
    report["made_with"] = provenance() | {
        "command": typed_command(),
        "device": found[0].device,
        "threads": str(found[0].threads),
    }
    report["rounds"] = {one.side: asdict(one)["rounds"] for one in found}
    write_json(out / REPORT, report)
    console = Console()
    console.print(_table(report))
    console.print(f"Report: {out / REPORT}")
    for line in report["missed"]:
        console.print(f"missed: {line}")
    return 1 if report["missed"] else 0
