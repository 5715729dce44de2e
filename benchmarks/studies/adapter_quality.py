"""How good a judge and a reward adapter are, as they are used: ``negotiate study adapters``.

Training measures weights in its own loop; here they are loaded as rewards load them, the shipped ones unless told
otherwise. The judge is measured on the validation authors' replies, whose flaws and acts are annotated; the adapter on
the pairs and minimal edits of the same authors. Exit status 1 if a target is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import write_json
from rewards.judge.judge_data import written_replies
from rewards.judge.judge_figures import AskedJudge, agreement, by_grade, injection_shift
from rewards.loading import load_judge
from rewards.model.adapter_model import AdapterRewardModel
from rewards.training.held_out_figures import held_out

KAPPA, READABLE, MOVED, ACCURACY, LENGTH = 0.7, 1.0, 3.0, 0.85, 0.2
"""Targets: agreement in each dimension, readable answers, points moved by injections, accuracy, length correlation."""


def measure_judge(judge: AskedJudge, most: int | None = None) -> dict[str, Any]:
    """Return agreement, points by grade and what injections move, on the first ``most`` turns of validation authors."""
    turns = list(islice(written_replies("validation", judge.rubric), most))
    replies = [r for turn in turns for r in turn]
    told = judge.answers([r.view for r in replies])
    points = [np.nan if v.total is None else v.total for v in judge.judge([r.view for r in replies])]
    sound = [r.view for r in replies if r.quality >= 3]
    return {
        **agreement(told, turns, judge.rubric),
        **by_grade(np.array(points), turns, judge.rubric),
        "injection": injection_shift(judge.answers, sound, judge.rubric),
    }


def measure_model(model: AdapterRewardModel, most: int | None = None) -> dict[str, Any]:
    """Return what ``held_out`` finds, and how many replies could not be read, which count as equal to others."""
    unread = 0

    def score(chats: Sequence[tuple[Sequence[ChatMessage], str]]) -> list[float]:
        nonlocal unread
        found = model.chat_scores(chats)
        unread += found.count(None)
        return [0.0 if s is None else s for s in found]

    return {**held_out(score, most), "unread": unread}


def _lines(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return (what, figure, target, whether it is met) rows."""
    lines = []
    if (judge := found.get("judge")) is not None:
        for name, d in judge["dimensions"].items():
            low, high = d["interval"]
            told = f"{d['kappa']:.3f} [{low:.3f}, {high:.3f}]"
            lines.append((f"judge, kappa, {name}", told, f"{KAPPA}", d["kappa"] >= KAPPA))
        readable, moved = judge["readable"], judge["injection"]
        lines.append(("judge, readable replies", f"{readable:.4f}", f"{READABLE}", readable >= READABLE))
        for name in ("excellent_seen", "excellent_flawed", "excellent_bland", "bland_flawed"):
            a = judge[name]
            told = f"{a['value']:.3f} [{a['low']:.3f}, {a['high']:.3f}], n {a['n']}"
            lines.append((f"judge, the better reply gets more, {name.replace('_', ' over ')}", told, "", True))
        met = moved["mean_absolute"] < MOVED
        lines.append(("judge, points moved by injections", _shift(moved), f"< {MOVED}", met))
        if moved["blind"] is not None:  # few replies do not get as far as these sentences
            lines.append(("judge, points moved by injections of unknown wording", _shift(moved["blind"]), "", True))
    if (model := found.get("reward_model")) is not None:
        a = model["accuracy on validation authors"]
        told = f"{a['value']:.3f} [{a['low']:.3f}, {a['high']:.3f}], n {a['n']}"
        lines.append(("reward model, accuracy on validation authors", told, f"{ACCURACY}", a["value"] >= ACCURACY))
        a = model["true over false, validation edits"]
        told = f"{a['value']:.3f} [{a['low']:.3f}, {a['high']:.3f}], n {a['n']}"
        lines.append(("reward model, true over false, which the chat does not tell", told, "", True))
        r = model["correlation with length"]
        lines.append(("reward model, score and length", f"{r:+.3f}", f"within {LENGTH}", abs(r) <= LENGTH))
    return lines


def _shift(moved: dict[str, Any]) -> str:
    low, high = moved["mean_absolute_interval"]
    size, signed = moved["mean_absolute"], moved["mean"]
    return f"{size:.2f} [{low:.2f}, {high:.2f}], signed {signed:.2f}, n {moved['replies']}"


def study(
    judge: Annotated[
        str, typer.Option(help="A judge as in reward specs: distilled, a folder, an engine.")
    ] = "distilled",
    rm: Annotated[Path | None, typer.Option(help="Adapter folder; default: the shipped one.")] = None,
    only: Annotated[Literal["judge", "rm"] | None, typer.Option(help="Measure one of both.")] = None,
    turns: Annotated[int | None, typer.Option(help="Most turns for the judge; default: all.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Most pairs and edits for the adapter; default: all.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures there.")] = None,
) -> int:
    """Measure a judge, and the reward model's adapter, as they are used; exit status 1 if a target is missed."""
    found: dict[str, Any] = {}
    if only != "rm":
        found["judge"] = measure_judge(cast(AskedJudge, load_judge(judge)), turns)
    if only != "judge":
        model = AdapterRewardModel.from_folder(rm) if rm else AdapterRewardModel.shipped()
        found["reward_model"] = measure_model(model, pairs)
    if json_file is not None:
        write_json(json_file, found, indent=1)
    table = Table(title="Held-out data; 95 % intervals")
    for column in ("what", "figure", "target", "met"):
        table.add_column(column)
    lines = _lines(found)
    for what, figure, target, met in lines:
        table.add_row(what, figure, target, ("yes" if met else "no") if target else "")
    Console().print(table)
    return 0 if all(met for *_, met in lines) else 1
