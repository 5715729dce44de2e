"""Figures about data files: composition, splits, what the annotators' noise allows, length artefacts, overlap.

Works on lines alone, so that a user's own file is described as well; what a file does not say is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from negotiation_env.training_files import TEST, Demonstration, PreferencePair


class PreferenceFigures(NamedTuple):
    """Figures about some pairs.

    Attributes:
        pairs: how many.
        test: how many of them are test pairs.
        scenarios: different scenarios.
        ceiling: best accuracy that any model can reach on them, given the annotators' stated noise; None if not stated.
        right: share of pairs whose chosen reply is the one that the annotator more probably prefers; None likewise.
        length_correlation: see ``length_correlation``.
        mean_margin: mean margin.
    """

    pairs: int
    test: int
    scenarios: int
    ceiling: float | None
    right: float | None
    length_correlation: float
    mean_margin: float


def preference_figures(pairs: Sequence[PreferencePair]) -> PreferenceFigures:
    """Return the figures about pairs (at least one)."""
    sure = np.array([p.sure for p in pairs if p.sure is not None])
    return PreferenceFigures(
        pairs=len(pairs),
        test=sum(p.split == TEST for p in pairs),
        scenarios=len({p.scenario for p in pairs}),
        ceiling=float(np.maximum(sure, 1.0 - sure).mean()) if len(sure) else None,
        right=float((sure > 0.5).mean()) if len(sure) else None,
        length_correlation=length_correlation(pairs),
        mean_margin=float(np.mean([p.margin for p in pairs])),
    )


def length_correlation(pairs: Sequence[PreferencePair]) -> float:
    """Return the correlation of length difference (characters) and preference over pairs in both orders.

    With every pair taken as (chosen, rejected, +1) and as (rejected, chosen, -1) this is mean(d) / sqrt(mean(d^2)) of
    d = length of the chosen reply less that of the rejected one: 0 where length tells nothing, 1 where longer wins.
    """
    d = np.array([len(p.chosen) - len(p.rejected) for p in pairs], dtype=np.float64)
    size = float(np.sqrt((d * d).mean()))
    return float(d.mean()) / size if size else 0.0


def by_source(pairs: Sequence[PreferencePair]) -> dict[str, list[PreferencePair]]:
    """Return the pairs of each source, in order of first appearance."""
    groups: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        groups.setdefault(pair.source or "(not said)", []).append(pair)
    return groups


def shared(train: Sequence[str], test: Sequence[str]) -> float:
    """Return the share of test items that occur in training."""
    seen = set(train)
    return sum(x in seen for x in test) / max(len(test), 1)


def reply_texts(lines: Sequence[PreferencePair] | Sequence[Demonstration]) -> list[str]:
    """Return every reply's text that is no silence."""
    texts: list[str] = []
    for line in lines:
        texts += [line.chosen, line.rejected] if isinstance(line, PreferencePair) else [line.completion]
    return [text for text in texts if text]
