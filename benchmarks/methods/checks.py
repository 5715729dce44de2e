"""Did REPO learn from where it started: each seed's own R_total and clean fixes against the SFT start's.

"Apart" is the strict reading: the two 95% intervals do not meet. The paired difference stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.methods.figures import CLEAN, REWARD, Column, Gap, apart, figure, gap
from benchmarks.observations import Score
from benchmarks.statistics import Figure

CHECKED: Final = (REWARD, CLEAN)


class Check(NamedTuple):
    """One seed's figure against the start's.

    Attributes:
        seed: of the training.
        column: what is compared.
        start: the start's figure.
        figure: the seed's.
        apart: 1 if its interval lies above the start's, -1 if below, 0 if they meet.
        difference: paired by scenario.
    """

    seed: int
    column: Column
    start: Figure
    figure: Figure
    apart: int
    difference: Gap | None


def checks(start: Sequence[Score], seeds: Mapping[int, Sequence[Score]]) -> list[Check]:
    """Return every seed's checks, seed by seed."""
    found = []
    for seed, scores in sorted(seeds.items()):
        for column in CHECKED:
            before, after = figure(start, column), figure(scores, column)
            found.append(
                Check(seed, column, before, after, apart(before, after), gap({0: start}, {seed: scores}, column))
            )
    return found


def verdict(found: Sequence[Check]) -> str:
    """Return one sentence on how many seeds rose beyond the start's interval, by column and in both."""
    seeds = sorted({check.seed for check in found})
    if not seeds:
        return "No run has been measured."
    risen = {column.title: {c.seed for c in found if c.column == column and c.apart == 1} for column in CHECKED}
    parts = [f"{title} above the start's interval in {len(own)} of {len(seeds)} seeds" for title, own in risen.items()]
    both = set(seeds).intersection(*risen.values())
    return f"{', '.join(parts)}; both in {len(both)} of {len(seeds)}."
