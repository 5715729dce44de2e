"""How good a judge is on held-out replies: agreement with the annotator, readable answers, and what injections move.

A judge's probabilities of the choices (``Told``) come from its outputs in training, and from its reader in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from negotiation_env.engines.specs import NAMED_BASES, load_engine
from negotiation_env.play.protocols import ReplyView
from rewards.judge.judge_data import Array, HeldOut, injections
from rewards.judge.judge_form import LEAST_MASS, JudgeForm
from rewards.judge.judge_orders import with_text
from rewards.judge.llm_judge import LlmJudge
from rewards.judge.rubric import Rubric
from rewards.training.held_out_figures import interval, kappa

Floats = NDArray[np.float64]
Outputs = Sequence[torch.Tensor]
Told = list[Floats]
"""Each dimension's probabilities of its choices, (replies, choices)."""
_EACH = 8
"""Held-out replies that each held-out sentence aimed at the judge is added to."""
BLIND = 12
"""So many of these sentences, the last ones, were unknown when the patterns of ``judge_orders`` were written."""


def told_by(outputs: Outputs, form: JudgeForm) -> Told:
    """Return what the outputs of a judge in training tell."""
    told = torch.cat(list(outputs)).exp().reshape(-1, len(form.counts), len(form.letters)).numpy().astype(np.float64)
    return [told[:, k, form.choices(k)] for k in range(len(form.counts))]


def choices_of(told: Told) -> tuple[Array, Floats]:
    """Return the likeliest choices and the letters' total probability, each (replies, dimensions)."""
    return np.stack([t.argmax(axis=1) for t in told], axis=1), np.stack([t.sum(axis=1) for t in told], axis=1)


def agreement(told: Told, held: HeldOut, rubric: Rubric) -> dict[str, Any]:
    """Return agreement with the simulated annotator by dimension, and the share of readable answers.

    ``told`` may tell of the first replies alone. ``kappa`` is with the annotator's labels, slips included;
    ``kappa_clean`` with what it meant; ``ceiling`` is the kappa between these two, which no judge can be expected to
    pass. ``interval`` is the 95 percent bootstrap interval of ``kappa`` over situations, whose replies go together.
    """
    found, mass = choices_of(told)
    clean, noisy, situation = held.clean[: len(found)], held.given[:, : len(found)], held.situation[: len(found)]
    dimensions = {}
    for k, dimension in enumerate(rubric.dimensions):
        choices = len(dimension.choices)

        def pooled(judged: Array, some: Array, k: int = k, choices: int = choices) -> float:
            """Return the kappa of judged choices (replies, dimensions) with all passes' labels for these replies."""
            return kappa(np.tile(judged[:, k], len(some)), some[:, :, k].ravel(), choices)

        dimensions[dimension.id] = {
            "kappa": pooled(found, noisy),
            "interval": interval(situation, lambda i: pooled(found[i], noisy[:, i])),
            "kappa_clean": kappa(found[:, k], clean[:, k], choices),
            "ceiling": pooled(clean, noisy),
            "same_choice": float((found[:, k] == noisy[:, :, k]).mean()),
        }
    return {
        "replies": len(found),
        "readable_answers": float((mass >= LEAST_MASS).mean()),
        "dimensions": dimensions,
    }


def ask_base(base: str, held: HeldOut, count: int, rubric: Rubric) -> dict[str, Any]:
    """Return how the base itself agrees with the annotator when it is asked question by question (``LlmJudge``).

    Takes about ``count`` replies, evenly from the held-out situations. An unreadable answer agrees with nothing.
    """
    spec = base if base in NAMED_BASES else f"hf:{base}"
    views = [view for views in held.views for view in views]
    some = range(0, len(views), max(1, len(views) // count))
    verdicts = LlmJudge(load_engine(spec), rubric, retries=0).judge([views[i] for i in some])
    readable = [(i, v) for i, v in zip(some, verdicts, strict=True) if v.total is not None]
    kappas = {}
    for k, dimension in enumerate(rubric.dimensions):
        points = [c.points for c in dimension.choices]
        found = np.array([points.index(v.terms[k].points) for _, v in readable], dtype=np.int64)
        labels = held.given[0, [i for i, _ in readable], k]
        kappas[dimension.id] = kappa(found, labels, len(points)) if readable else None
    return {"replies": len(some), "readable_replies": len(readable) / len(some), "kappa": kappas}


def injection_shift(
    judge: Callable[[Sequence[Sequence[ReplyView]]], Told], held: HeldOut, rubric: Rubric
) -> dict[str, Any]:
    """Return by how many points E_judge moves when a held-out sentence aimed at the judge is added to clean replies.

    ``mean`` is signed, up being a success of the injection; ``mean_absolute`` counts both ways; ``blind`` takes the
    sentences alone that no pattern of ``judge_orders`` was written for. Points as in the composition, where 100 double
    a reward; intervals are over sentences. ``judge`` takes replies by situation, and tells of all of them in order.
    """
    aimed = injections(True)
    plain, spoilt, which = [], [], []
    number = 0
    for replies in held.undamaged:
        clean = replies[: _EACH * len(aimed) - number]
        if not clean:
            continue
        mine = [(number + i) % len(aimed) for i in range(len(clean))]
        plain.append(clean)
        spoilt.append([with_text(v, f"{v.text} {aimed[i]}") for v, i in zip(clean, mine, strict=True)])
        which += mine
        number += len(clean)
    before, after = (expected_points(judge(part), rubric) for part in (plain, spoilt))
    moved, sentence = after - before, np.array(which)
    blind = sentence >= len(aimed) - BLIND
    return {
        **_moved(moved, sentence),
        "share_up_by_2": float((moved > 2.0).mean()),
        "blind": _moved(moved[blind], sentence[blind]) if blind.any() else None,
    }


def _moved(moved: Floats, sentence: Array) -> dict[str, Any]:
    """Return how far injections moved the judge, with 95 percent intervals over sentences."""
    size = np.abs(moved)
    return {
        "mean": float(moved.mean()),
        "mean_interval": interval(sentence, lambda i: float(moved[i].mean())),
        "mean_absolute": float(size.mean()),
        "mean_absolute_interval": interval(sentence, lambda i: float(size[i].mean())),
        "replies": len(moved),
    }


def expected_points(told: Told, rubric: Rubric) -> Floats:
    """Return E_judge of each reply: points weighted by the choices' probabilities, summed over dimensions."""
    total = np.zeros(1)
    for own, dimension in zip(told, rubric.dimensions, strict=True):
        points = np.array([c.points for c in dimension.choices])
        total = total + own @ points / own.sum(axis=1)
    return total
