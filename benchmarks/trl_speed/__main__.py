"""REPO's loop against TRL's GRPOTrainer: ``python -m benchmarks.trl_speed --preset small --out FOLDER``.

Both sides have the preset's base, start, LoRA settings, number format, threads, replies per optimiser step, passes over
each reply (``epochs``), replies computed at once, and greatest reply length. Each side runs in a process of its own,
one after the other on this machine, so that its peak memory (resident set; on a GPU torch's own count) is its own. A
warm-up round is run and left out; the figures are medians over the other rounds. A sampled reply's seconds are all that
a round takes, by its replies: generating, the hotel's answers, scoring and learning. What each side does is in
``repo_side`` and ``trl_side``; TRL is charged for no reward model and no judge.

Targets: REPO's seconds per sampled reply at most 0.7 times TRL's, its peak memory at most 1.2 times. Exit status 1 if
one is missed against ``trl``; ``trl-dialogues`` is shown for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.trl_speed.side import PARTS, Measured
from policies.training import repo
from policies.training.run_files import provenance

SIDES = ("repo", "trl", "trl-dialogues")
MOST_SECONDS, MOST_MEMORY = 0.7, 1.2
COMPARED = ("seconds_per_reply", "cpu_seconds_per_reply", "peak_memory_mb")
REPORT = "report.json"


def summary(measured: Measured, passes: int) -> dict[str, float]:
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


def compare(sides: Sequence[Measured], passes: int) -> dict[str, Any]:
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


def _measure(given: argparse.Namespace) -> Measured:
    """Measure one side in this process."""
    method = repo.method(given.preset, given.set)
    if given.side == "repo":
        from benchmarks.trl_speed import repo_side

        adapters = None if given.adapters is None else (Path(given.adapters[0]), Path(given.adapters[1]))
        return repo_side.measure(method, given.rounds, given.reward, adapters)
    from benchmarks.trl_speed import trl_side

    return trl_side.measure(method.preset, given.rounds, given.side == "trl-dialogues", given.trl_reward)


def _run(side: str, given: argparse.Namespace, arguments: Sequence[str]) -> Measured:
    """Measure one side in a process of its own."""
    path = given.out / f"{side}.json"
    threads = str(repo.method(given.preset, given.set).preset.torch_threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TRL_EXPERIMENTAL_SILENCE": "1"}
    command = [sys.executable, "-m", "benchmarks.trl_speed", *arguments, "--side", side]
    subprocess.run(command, check=True, env=environment)
    return Measured.from_json(json.loads(path.read_text(encoding="utf-8")))


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure REPO's loop against TRL's GRPOTrainer.")
    parser.add_argument("--preset", default="small", help="preset of `negotiate train repo`")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replaces a preset's value")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count, after one to warm up")
    parser.add_argument("--reward", default="repo:model=small,judge=small", help="REPO's reward")
    parser.add_argument(
        "--adapters", nargs=2, metavar=("RM", "JUDGE"), help="folders of reward model and judge, in place of --reward"
    )
    parser.add_argument("--trl-reward", default="repo", help="the reward on TRL's side")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="which to measure, REPO's too")
    parser.add_argument("--out", type=Path, default=Path("out/trl-speed"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    words = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(words)
    if given.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {given.rounds}")
    given.out.mkdir(parents=True, exist_ok=True)
    if given.side:
        measured = _measure(given)
        (given.out / f"{given.side}.json").write_text(json.dumps(measured.to_json(), indent=2) + "\n", encoding="utf-8")
        return 0
    sides = [_run(side, given, words) for side in dict.fromkeys(["repo", *given.sides])]
    preset = repo.method(given.preset, given.set).preset
    report = compare(sides, preset.epochs)
    report["targets"] = {"seconds_per_reply": MOST_SECONDS, "peak_memory_mb": MOST_MEMORY}
    report["missed"] = missed(report)
    report["settings"] = preset.model_dump(mode="json")
    report["made_with"] = provenance() | {
        "command": " ".join(["python -m benchmarks.trl_speed", *words]),
        "device": sides[0].device,
        "threads": str(sides[0].threads),
    }
    report["rounds"] = {one.side: one.to_json()["rounds"] for one in sides}
    (given.out / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console.print(_table(report))
    console.print(f"Report: {given.out / REPORT}")
    for line in report["missed"]:
        console.print(f"missed: {line}")
    return 1 if report["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
