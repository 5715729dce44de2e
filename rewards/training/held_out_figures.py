"""Figures of rewards on held-out data: accuracy, length, agreement beyond chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.seeds import Stream
from simulators.people.written_pairs import tied_pairs, written_pairs

Array = NDArray[np.float64]
_Z = 1.96


def share(right: NDArray[np.bool_] | Array) -> dict[str, float]:
    """Return a share of trues, or of what counts between 0 and 1, with its 95 percent Wilson interval, and n."""
    n = len(right)
    if not n:
        return {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    value = float(np.mean(right))
    centre = (value + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * math.sqrt(value * (1 - value) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    return {"value": value, "low": centre - half, "high": centre + half, "n": n}


def correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Return Pearson's correlation; 0 where one of both does not vary."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(x) < 2 or not x.std() or not y.std():
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def held_out(
    score: Callable[[Sequence[tuple[Sequence[ChatMessage], str]]], Sequence[float]], most: int | None = None
) -> dict[str, Any]:
    """Return a reward model's figures on the validation authors: pairs, minimal edits, and length.

    The chat does not tell which of an edit's two replies is true, so about half of them are right. Equal scores count
    half.

    Args:
        score: returns unbounded scores of replies to chats.
        most: cuts pairs and edits short, for tests.
    """
    pairs, edits = written_pairs("validation", None)[:most], tied_pairs("validation", ("validation.jsonl",))[:most]
    both = [*pairs, *edits]
    chosen, rejected = (
        np.array(score([(p.prompt, getattr(p, name)) for p in both]), dtype=np.float64)
        for name in ("chosen", "rejected")
    )
    right, n = (np.sign(chosen - rejected) + 1.0) / 2.0, len(pairs)
    lengths = [float(len(p.chosen)) for p in pairs] + [float(len(p.rejected)) for p in pairs]
    return {
        "accuracy on validation authors": share(right[:n]),
        "true over false, validation edits": share(right[n:]),
        "correlation with length": correlation(np.concatenate([chosen[:n], rejected[:n]]), lengths),
    }


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
