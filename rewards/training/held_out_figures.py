"""Figures of rewards on held-out data: accuracy, calibration, margins, length, agreement beyond chance; their card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negotiation_env.seeds import Stream
from negotiation_env.training.run_folder import model_card, provenance
from rewards.training.reward_presets import RewardPreset

Array = NDArray[np.float64]
BINS = 10
_Z = 1.96


def share(right: NDArray[np.bool_]) -> dict[str, float]:
    """Return a share of trues with its 95 percent Wilson interval, and n."""
    n = len(right)
    if not n:
        return {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    value = float(np.mean(right))
    centre = (value + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * math.sqrt(value * (1 - value) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    return {"value": value, "low": centre - half, "high": centre + half, "n": n}


def calibration_error(gaps: Array, bins: int = BINS) -> float:
    """Return the expected calibration error (Guo et al. 2017) of sigmoid(|gap|) as the chance of being right."""
    sure = 1.0 / (1.0 + np.exp(-np.abs(gaps)))
    right = gaps > 0.0
    place = np.minimum(((sure - 0.5) * 2 * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            total += float(inside.sum()) * abs(float(right[inside].mean()) - float(sure[inside].mean()))
    return total / max(len(gaps), 1)


def temperature(gaps: Array) -> float:
    """Return the factor on gaps that makes sigmoid(factor * gap) likeliest; 0.05 to 5 are tried."""
    factors = np.geomspace(0.05, 5.0, 120)
    losses = [float(np.logaddexp(0.0, -f * gaps).mean()) for f in factors]
    return float(factors[int(np.argmin(losses))])


def correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Return Pearson's correlation; 0 where one of both does not vary."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(x) < 2 or not x.std() or not y.std():
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def pair_report(
    gaps: Array,
    sources: Sequence[str],
    margins: Sequence[float],
    sure: Sequence[float | None],
    scores: Array,
    lengths: Array,
    fitted: Array,
) -> dict[str, Any]:
    """Return a reward model's figures on held-out pairs.

    Args:
        gaps: chosen minus rejected score of each pair.
        sources: of the pairs.
        margins: grades of the pairs.
        sure: as the pairs say; None where no annotator was simulated.
        scores: of each reply, for the length correlation.
        lengths: of each reply, in characters.
        fitted: gaps on validation pairs, from which the temperature is taken.
    """
    right = gaps > 0.0
    names, grades = np.array(sources), np.array(margins)
    known = [max(s, 1.0 - s) for s in sure if s is not None]
    factor = temperature(fitted) if len(fitted) else 1.0
    return {
        "accuracy": share(right),
        "ceiling": float(np.mean(known)) if known else None,
        "accuracy_by_source": {str(n): share(right[names == n]) for n in sorted(set(sources))},
        "calibration": {
            "ece": calibration_error(gaps),
            "temperature": factor,
            "ece_scaled": calibration_error(factor * gaps),
        },
        "margin_curve": {
            f"{g:g}": {**share(right[grades == g]), "mean_gap": float(gaps[grades == g].mean())}
            for g in sorted(set(margins))
        },
        "length_correlation": correlation(scores, lengths),
    }  # fmt: skip


def kappa(one: NDArray[np.int64], other: NDArray[np.int64], choices: int) -> float:
    """Return Cohen's kappa (Cohen 1960), unweighted; 1 where both always give the same single choice."""
    table = np.zeros((choices, choices))
    np.add.at(table, (one, other), 1.0)
    table /= table.sum()
    chance = float(table.sum(axis=1) @ table.sum(axis=0))
    return 1.0 if chance >= 1.0 else float((np.trace(table) - chance) / (1.0 - chance))


def interval(groups: NDArray[np.int64], figure: Callable[[NDArray[np.int64]], float], draws: int = 1000) -> list[float]:
    """Return the 95 percent bootstrap interval of a figure; whole groups are drawn (Efron and Tibshirani 1993, ch. 8).

    Args:
        groups: of each row; rows of a group are drawn together.
        figure: returns the figure of some rows, which may come more than once.
        draws: bootstrap samples; the interval follows from the data alone, for they are the same at every call.
    """
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    found = []
    for _ in range(draws):
        some = rng.integers(len(members), size=len(members))
        found.append(figure(np.concatenate([members[i] for i in some])))
    return [float(x) for x in np.quantile(found, (0.025, 0.975))]


def reward_card(kind: str, use: str, preset: RewardPreset, command: str, report: Mapping[str, Any]) -> str:
    """Return a reward adapter's model card: what it is, how it is loaded, what it was trained on, every figure."""
    return model_card(
        f"LoRA {kind} for hotel-rate negotiation",
        (
            f"A LoRA adapter on `{preset.base}` (SmolLM2-135M-Instruct where that is `smollm2`).",
            "Its data are generated and its annotators simulated, with documented values, blind spots and error rates; "
            "no person wrote or labelled anything. It knows this project's game and no other, and is no judge of real "
            "negotiations. What it reads behind a reply holds notes that code has made of it "
            "(`rewards.reply_reader.notes`): whether a reason is new, a bid above the offer, a figure nobody's. So "
            "part of what the figures show is the notes' merit, not the model's. Figures are on held-out data, whose "
            "scenarios, personas, phrases and damage were never trained on.",
        ),
        base=preset.base,
        tags=("lora", "negotiation", kind.replace(" ", "-")),
        use=use,
        made=(command,),
        settings=preset.model_dump(),
        figures=report,
        versions=provenance(),
    )
