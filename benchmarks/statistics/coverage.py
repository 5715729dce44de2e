"""Checks the statistics by simulation: how often intervals cover the truth, and how often tests cry wolf.

``python -m benchmarks.statistics.coverage`` prints the table, and exits with 1 where a row lies outside its bounds. A
row is simulated until it lies three standard errors from its nearest bound, so that chance does not decide which side
it is on, or until it has had the most copies allowed. ``simulated`` holds the rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from benchmarks.statistics.simulated import (
    COVERAGE,
    FALSE_POSITIVES,
    Row,
    arm_rows,
    cluster_rows,
    mean_rows,
    paired_rows,
    share_rows,
)

SURE: Final = 3.0
"""Standard errors from the nearest bound at which a row is decided."""
LEAST, MOST = 10_000, 400_000
"""Simulated data sets for each row."""


class Check(NamedTuple):
    """One row: what was simulated, and the part of the copies in which the interval covered or the test rejected."""

    what: str
    part: float
    copies: int
    bounds: tuple[float, float]

    @property
    def error(self) -> float:
        """Return the part's standard error of simulation."""
        return float(np.sqrt(self.part * (1.0 - self.part) / self.copies))

    @property
    def inside(self) -> bool:
        """Return whether the part lies within its bounds."""
        return self.bounds[0] <= self.part <= self.bounds[1]

    @property
    def decided(self) -> bool:
        """Return whether the part is too far from its bounds for chance to have put it on its side of them."""
        return min(abs(self.part - bound) for bound in self.bounds) >= SURE * self.error


def check(row: Row, seed: tuple[int, ...], least: int = LEAST, most: int = MOST) -> Check:
    """Simulate a row with ``least`` copies, and on until it is decided or has had ``most``."""
    rng = np.random.default_rng(seed)
    hits = copies = 0
    while True:
        target = copies + least
        while copies < target:
            hits += int(row.simulate(rng, min(row.together, target - copies)).sum())
            copies += min(row.together, target - copies)
        found = Check(row.what, hits / copies, copies, row.bounds)
        if found.decided or copies + least > most:
            return found


def rows() -> Iterator[Row]:
    """Yield every row."""
    return chain(
        share_rows((30, 45, 150, 9653)),
        cluster_rows(),
        mean_rows((30, 45, 150)),
        paired_rows((30, 45, 150)),
        arm_rows((300, 4826)),
    )


def main() -> None:
    """Print every check; exit with 1 where one is outside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=int, default=LEAST, help="simulated data sets for each row")
    parser.add_argument("--most", type=int, default=MOST, help="simulated data sets for a row close to a bound")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    print(f"Nominal 95% intervals, to cover in {100 * COVERAGE[0]:g} to {100 * COVERAGE[1]:g}% of copies; 5% tests, to "
          f"reject in at most {100 * FALSE_POSITIVES[1]:g}%. Seed {options.seed}; {options.least:,} copies a row, "
          f"and up to {options.most:,} until it is {SURE:g} standard errors (se) from its nearest bound.")  # fmt: skip
    checks = []
    for index, row in enumerate(rows()):
        if options.only in row.what:
            found = check(row, (options.seed, index), options.least, options.most)
            checks.append(found)
            mark = ("" if found.decided else f"  (within {SURE:g} se of a bound)") if found.inside else "  OUTSIDE"
            print(f"{100 * found.part:6.2f}%  se {100 * found.error:.2f}  {found.what}{mark}", flush=True)
    outside = [found for found in checks if not found.inside]
    print(f"{len(checks)} rows, {len(outside)} outside; {sum(found.copies for found in checks):,} copies, "
          f"{time.process_time():.0f} s of CPU")  # fmt: skip
    for name, bounds in (("coverage", COVERAGE), ("false positives", FALSE_POSITIVES)):
        parts = [100 * found.part for found in checks if found.bounds == bounds]
        if parts:
            print(f"{name}: {min(parts):.2f} to {max(parts):.2f}%, on average {np.mean(parts):.2f}%")
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    main()
