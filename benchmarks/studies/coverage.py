"""Checks the statistics by simulation: how often intervals cover the truth, and how often tests cry wolf.

``negotiate study coverage`` prints the table, and exits with 1 where a row lies outside its bounds. A row is
simulated until it lies three standard errors from its nearest bound, so that chance does not decide which side it is
on, or until it has had the most copies allowed.

A share of few observations takes few values, so the coverage of any interval jumps with the true share; the truth is
therefore drawn from within 3 points of the one named (Brown, Cai and DasGupta 2001 average alike). Populations are
stated here, not fitted to results. The arrays simulated are those that ``share``, ``mean``, ``difference`` and
``compare_shares`` reduce one data set to, so the code measured is the code that reports use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Annotated, Final, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.statistics import intervals as bootstrap
from benchmarks.statistics.differences import newcombe, p_values, two_proportions
from benchmarks.statistics.intervals import LEVEL, Shares, Sums, shares, student, wilson_ends

Array = NDArray[np.float64]
Hits = NDArray[np.bool_]
Simulation = Callable[[np.random.Generator, int], Hits]
"""Simulates so many data sets, C, and returns of each whether the interval covered or the test rejected, [C]."""

WINDOW: Final = 0.03
"""A true share is drawn from so far around the one named."""
SHARES: Final = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
ALPHA: Final = 0.05
COVERAGE: Final = (0.935, 0.965)
"""Where the coverage of a 95% interval must lie."""
FALSE_POSITIVES: Final = (float("-inf"), 0.055)
"""Where the part of false positives of a 5% test must lie."""
TICKETS: Final = ((1.0, 2.0, 3.0), (0.5, 0.3, 0.2))
"""Tickets of a scenario, and how often they occur."""
TOGETHER: Final = 50
"""Data sets that share resamples: few enough that this adds at most 1% to the standard error of a row."""
CELLS: Final = 2_000_000
"""Numbers that an array of simulated clusters may hold."""


class SimulatedRow(NamedTuple):
    """What is simulated, and the bounds of the part of data sets in which the interval covers or the test rejects."""

    what: str
    bounds: tuple[float, float]
    simulate: Simulation
    together: int
    """Data sets to simulate in one call at most."""


class Population(NamedTuple):
    """A distribution that means are taken of: draws of a given shape, and the true mean."""

    draw: Callable[[np.random.Generator, tuple[int, ...]], Array]
    truth: float


POPULATIONS: Final[dict[str, Population]] = {
    "normal": Population(lambda rng, shape: rng.normal(0.3, 1.0, shape), 0.3),
    "turns": Population(  # geometric, cut off at 20
        lambda rng, shape: np.minimum(20, rng.geometric(0.15, shape)).astype(np.float64),
        sum(min(20, k) * 0.15 * 0.85 ** (k - 1) for k in range(1, 500)),
    ),
    "rating": Population(
        lambda rng, shape: rng.choice([1.0, 2.0, 3.0, 4.0, 5.0], p=[0.02, 0.05, 0.13, 0.3, 0.5], size=shape), 4.21
    ),
    "discount": Population(  # two fifths agree on something
        lambda rng, shape: (rng.random(shape) < 0.4) * rng.beta(2, 5, shape), 0.4 * 2 / 7
    ),
    "return": Population(lambda rng, shape: rng.normal(1.0, 0.5, shape) - rng.exponential(1.0, shape), 0.0),
}


def alike(rng: np.random.Generator, truths: Array, correlation: float, sizes: Array) -> Array:
    """Return hits in clusters whose observations correlate (beta-binomial), [..., M].

    Args:
        rng: source of the draws.
        truths: true shares, [...].
        correlation: of two observations of a cluster.
        sizes: observations by cluster, [..., M].
    """
    chances = np.broadcast_to(truths[..., None], sizes.shape)
    if correlation > 0.0:
        spread = (1.0 - correlation) / correlation
        chances = rng.beta(chances * spread, (1.0 - chances) * spread)
    return rng.binomial(sizes.astype(np.int64), chances).astype(np.float64)


def share_rows(sizes: Sequence[int], named: Sequence[float] = SHARES) -> Iterator[SimulatedRow]:
    """Yield intervals of shares of independent observations."""
    for n in sizes:
        for p in named:
            yield SimulatedRow(f"share {p:g}, {n} scenarios", COVERAGE, partial(_single, n, p), CELLS)


def _single(n: int, p: float, rng: np.random.Generator, copies: int) -> Hits:
    truths = _near(rng, p, copies)
    hits = rng.binomial(n, truths).astype(np.float64)
    low, high = wilson_ends(hits, np.full(copies, float(n)), student(LEVEL, np.full(copies, np.inf)))
    return (low <= truths) & (truths <= high)


def _near(rng: np.random.Generator, p: float, copies: int) -> Array:
    return rng.uniform(p - WINDOW, p + WINDOW, copies)


def cluster_rows(named: Sequence[float] = SHARES) -> Iterator[SimulatedRow]:
    """Yield intervals of shares whose observations are alike within scenarios: trials, and one to three tickets."""
    for scenarios, trials in ((45, 3), (30, 3), (30, 0), (150, 0)):
        for correlation in (0.0, 0.2, 0.5):
            for p in named:
                what = f"{trials} trials" if trials else "1-3 tickets"
                yield SimulatedRow(
                    f"share {p:g}, {scenarios} scenarios x {what}, corr. {correlation:g}", COVERAGE,
                    partial(_clustered, scenarios, trials, correlation, p), CELLS // scenarios,
                )  # fmt: skip


def _clustered(
    scenarios: int, trials: int, correlation: float, p: float, rng: np.random.Generator, copies: int
) -> Hits:
    truths = _near(rng, p, copies)
    sizes = np.full((copies, scenarios), float(trials)) if trials else _tickets(rng, (copies, scenarios))
    found = shares(alike(rng, truths, correlation, sizes), sizes)
    return (found.low <= truths) & (truths <= found.high)


def _tickets(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice(TICKETS[0], p=TICKETS[1], size=shape)


def mean_rows(sizes: Sequence[int]) -> Iterator[SimulatedRow]:
    """Yield intervals of means, of single observations and of three trials that share half of their variance."""
    for name, population in POPULATIONS.items():
        for n in sizes:
            for trials in (1, 3):
                what = f"mean of {name}, {n} scenarios x {trials}"
                yield SimulatedRow(what, COVERAGE, partial(_mean, population, n, trials), TOGETHER)


def _mean(population: Population, n: int, trials: int, rng: np.random.Generator, copies: int) -> Hits:
    # A trial repeats its scenario's value or draws its own: correlated, with the same mean.
    own = rng.random((copies, n, trials)) >= 0.7
    values = np.where(own, population.draw(rng, (copies, n, trials)), population.draw(rng, (copies, n, 1)))
    part = Sums(values.sum(axis=2), np.full((copies, n), float(trials)))
    found = bootstrap.bootstrap_many([part], bootstrap.resamples(n, rng))
    return np.abs(found.value - population.truth) <= found.half


def paired_rows(sizes: Sequence[int]) -> Iterator[SimulatedRow]:
    """Yield paired tests of two policies that are alike: whether p is at most 5%."""
    for n in sizes:
        for p in (0.15, 0.5, 0.9):
            for trials in (1, 3):
                what = f"paired, share {p:g}, {n} scenarios x {trials}"
                yield SimulatedRow(what, FALSE_POSITIVES, partial(_paired_shares, n, p, trials), TOGETHER)
        for name, population in POPULATIONS.items():
            what = f"paired, mean of {name}, {n} scenarios"
            yield SimulatedRow(what, FALSE_POSITIVES, partial(_paired_means, population, n), TOGETHER)


def _paired_shares(n: int, p: float, trials: int, rng: np.random.Generator, copies: int) -> Hits:
    # Both policies' trials of a scenario are draws with one chance of success.
    spread = (1.0 - 0.4) / 0.4
    chances = rng.beta(p * spread, (1.0 - p) * spread, (copies, n))
    first, second = rng.binomial(trials, chances, (2, copies, n)).astype(np.float64)
    return _rejected(first, second, trials, rng, yes_or_no=True)


def _paired_means(population: Population, n: int, rng: np.random.Generator, copies: int) -> Hits:
    same = rng.random((copies, n, 2)) < 0.5
    values = np.where(same, population.draw(rng, (copies, n, 1)), population.draw(rng, (copies, n, 2)))
    return _rejected(values[..., 0], values[..., 1], 1, rng, yes_or_no=False)


def _rejected(first: Array, second: Array, trials: int, rng: np.random.Generator, *, yes_or_no: bool) -> Hits:
    counts = np.full(first.shape, float(trials))
    drawn = bootstrap.resamples(first.shape[1], rng)
    return p_values(Sums(first, counts), Sums(second, counts), drawn, shares=yes_or_no) <= ALPHA


def arm_rows(sizes: Sequence[int]) -> Iterator[SimulatedRow]:
    """Yield A/B tests of two alike policies (p at most 5%), and the coverage of the difference's interval."""
    for n in sizes:
        for p, tickets in ((0.47, False), (0.2, True), (0.25, True)):
            what = f"A/B, share {p:g} {'by ticket' if tickets else 'by conversation'}, {n} an arm"
            yield SimulatedRow(what, FALSE_POSITIVES, partial(_arms_reject, n, p, tickets), CELLS // (2 * n))
            yield SimulatedRow(
                f"{what}: interval covers", COVERAGE, partial(_arms_cover, n, p, tickets), CELLS // (2 * n)
            )


def _arms_reject(n: int, p: float, tickets: bool, rng: np.random.Generator, copies: int) -> Hits:
    return two_proportions(*_arms(n, p, tickets, rng, copies)) <= ALPHA


def _arms_cover(n: int, p: float, tickets: bool, rng: np.random.Generator, copies: int) -> Hits:
    low, high = newcombe(*_arms(n, p, tickets, rng, copies))
    return (low <= 0.0) & (high >= 0.0)


def _arms(n: int, p: float, tickets: bool, rng: np.random.Generator, copies: int) -> tuple[Shares, Shares]:
    sizes = _tickets(rng, (2, copies, n)) if tickets else np.ones((2, copies, n))
    hits = alike(rng, np.full((2, copies), p), 0.5 if tickets else 0.0, sizes)
    return shares(hits[0], sizes[0]), shares(hits[1], sizes[1])


SURE: Final = 3.0
"""Standard errors from the nearest bound at which a row is decided."""
LEAST, MOST = 10_000, 400_000
"""Simulated data sets for each row."""


class CoverageCheck(NamedTuple):
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


def check(row: SimulatedRow, seed: tuple[int, ...], least: int = LEAST, most: int = MOST) -> CoverageCheck:
    """Simulate a row with ``least`` copies, and on until it is decided or has had ``most``."""
    rng = np.random.default_rng(seed)
    hits = copies = 0
    while True:
        target = copies + least
        while copies < target:
            hits += int(row.simulate(rng, min(row.together, target - copies)).sum())
            copies += min(row.together, target - copies)
        found = CoverageCheck(row.what, hits / copies, copies, row.bounds)
        if found.decided or copies + least > most:
            return found


def rows() -> Iterator[SimulatedRow]:
    """Yield every row."""
    return chain(
        share_rows((30, 45, 150, 9653)),
        cluster_rows(),
        mean_rows((30, 45, 150)),
        paired_rows((30, 45, 150)),
        arm_rows((300, 4826)),
    )


def study(
    least: Annotated[int, typer.Option(help="Simulated data sets for each row.")] = LEAST,
    most: Annotated[int, typer.Option(help="Simulated data sets for a row close to a bound.")] = MOST,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    only: Annotated[str, typer.Option(help="Rows whose name holds this.")] = "",
) -> int:
    """CoverageCheck the statistics by simulation, row by row; exit status 1 where a row is outside its bounds."""
    print(f"Nominal 95% intervals, to cover in {100 * COVERAGE[0]:g} to {100 * COVERAGE[1]:g}% of copies; 5% tests, to "
          f"reject in at most {100 * FALSE_POSITIVES[1]:g}%. Seed {seed}; {least:,} copies a row, "
          f"and up to {most:,} until it is {SURE:g} standard errors (se) from its nearest bound.")  # fmt: skip
    checks = []
    for index, row in enumerate(rows()):
        if only in row.what:
            found = check(row, (seed, index), least, most)
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
    return 1 if outside else 0
