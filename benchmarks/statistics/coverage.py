"""Checks the statistics by simulation: how often intervals cover the truth, and how often tests cry wolf.

``python -m benchmarks.statistics.coverage`` prints the table. A share of few observations takes few values, so the
coverage of any interval jumps with the true share; the truth is therefore drawn from within 3 points of the one named
(Brown, Cai and DasGupta 2001 average alike). Populations are stated here, not fitted to results.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.bootstrap import Sums
from benchmarks.statistics.intervals import mean, share
from benchmarks.statistics.paired import difference
from benchmarks.statistics.two_arms import compare_shares

Array = NDArray[np.float64]
WINDOW: Final = 0.03
"""A true share is drawn from so far around the one named."""
SHARES: Final = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
ALPHA: Final = 0.05


class Check(NamedTuple):
    """One row: what was simulated, and the part of the copies in which the interval covered or the test rejected."""

    what: str
    part: float
    copies: int


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


def alike(rng: np.random.Generator, truth: float, correlation: float, sizes: Array) -> list[list[bool]]:
    """Return clusters of yes and no whose observations correlate (beta-binomial), of the given sizes [M]."""
    chances = np.full(len(sizes), truth)
    if correlation > 0.0:
        spread = (1.0 - correlation) / correlation
        chances = rng.beta(truth * spread, (1.0 - truth) * spread, len(sizes))
    most = int(sizes.max())
    hits = (rng.random((len(sizes), most)) < chances[:, None]).tolist()
    return [row[: int(size)] for row, size in zip(hits, sizes, strict=True)]


def share_coverage(sizes: Sequence[int], copies: int, seed: int, shares: Sequence[float] = SHARES) -> Iterator[Check]:
    """Simulate intervals of shares of independent observations."""
    rng = np.random.default_rng(seed)
    for n in sizes:
        for p in shares:
            truths = rng.uniform(p - WINDOW, p + WINDOW, copies)
            hits = rng.binomial(n, truths)
            ends = {k: share([[i < k] for i in range(n)])[1:3] for k in set(hits.tolist())}
            low, high = np.array([ends[k] for k in hits.tolist()], dtype=np.float64).T
            yield Check(f"share {p:g}, {n} scenarios", float(np.mean((low <= truths) & (truths <= high))), copies)


def cluster_coverage(copies: int, seed: int, shares: Sequence[float] = SHARES) -> Iterator[Check]:
    """Simulate intervals of shares whose observations are alike within scenarios: trials, and one to three tickets."""
    rng = np.random.default_rng(seed)
    for scenarios, trials in ((45, 3), (30, 3), (30, 0), (150, 0)):
        for correlation in (0.0, 0.2, 0.5):
            for p in shares:
                inside = 0
                for truth in rng.uniform(p - WINDOW, p + WINDOW, copies):
                    few = rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2], size=scenarios)
                    sizes = np.full(scenarios, trials) if trials else few
                    low, high = share(alike(rng, truth, correlation, sizes))[1:3]
                    inside += low is not None and high is not None and low <= truth <= high
                what = f"{trials} trials" if trials else "1-3 tickets"
                yield Check(
                    f"share {p:g}, {scenarios} scenarios x {what}, corr. {correlation:g}", inside / copies, copies
                )


def mean_coverage(sizes: Sequence[int], copies: int, seed: int) -> Iterator[Check]:
    """Simulate intervals of means, of single observations and of three trials that share half of their variance."""
    rng = np.random.default_rng(seed)
    for name, (draw, truth) in POPULATIONS.items():
        for n in sizes:
            for trials in (1, 3):
                inside = 0
                for copy in range(copies):
                    # A trial repeats its scenario's value or draws its own: correlated, with the same mean.
                    values = np.where(rng.random((n, trials)) < 0.7, draw(rng, (n, 1)), draw(rng, (n, trials)))
                    low, high = mean(values.tolist(), seed=copy)[1:3]
                    inside += low is not None and high is not None and low <= truth <= high
                yield Check(f"mean of {name}, {n} scenarios x {trials}", inside / copies, copies)


def paired_tests(sizes: Sequence[int], copies: int, seed: int) -> Iterator[Check]:
    """Simulate paired tests of two policies that are alike: how often p is at most 5%."""
    rng = np.random.default_rng(seed)
    for n in sizes:
        for p in (0.15, 0.5, 0.9):
            for trials in (1, 3):
                rejected = 0
                for copy in range(copies):
                    both = alike(rng, p, 0.4, np.full(n, 2.0 * trials))
                    hits = np.array(both, dtype=np.float64).reshape(n, 2, trials).sum(axis=2)
                    rejected += _rejects(hits[:, 0], hits[:, 1], trials, shares=True, seed=copy)
                yield Check(f"paired, share {p:g}, {n} scenarios x {trials}", rejected / copies, copies)
        for name, (draw, _) in POPULATIONS.items():
            rejected = 0
            for copy in range(copies):
                same = rng.random((n, 2)) < 0.5
                values = np.where(same, draw(rng, (n, 1)), draw(rng, (n, 2)))
                rejected += _rejects(values[:, 0], values[:, 1], 1, shares=False, seed=copy)
            yield Check(f"paired, mean of {name}, {n} scenarios", rejected / copies, copies)


def _rejects(first: Array, second: Array, trials: int, *, shares: bool, seed: int) -> bool:
    counts = np.full(len(first), float(trials))
    found = difference(Sums(first, counts), Sums(second, counts), shares=shares, seed=seed)
    return found is not None and found.p <= ALPHA


def arm_tests(sizes: Sequence[int], copies: int, seed: int) -> Iterator[Check]:
    """Simulate A/B tests of two alike policies (p at most 5%), and the coverage of the difference's interval."""
    rng = np.random.default_rng(seed)
    for n in sizes:
        for p, tickets in ((0.47, False), (0.2, True), (0.25, True)):
            rejected = inside = 0
            for _ in range(copies):
                few = rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2], size=(2, n)) if tickets else np.ones((2, n))
                arms = [alike(rng, p, 0.5 if tickets else 0.0, few[arm]) for arm in (0, 1)]
                found = compare_shares(arms[0], arms[1])
                rejected += found is not None and found.p <= ALPHA
                inside += found is not None and found.low <= 0.0 <= found.high
            what = f"A/B, share {p:g} {'by ticket' if tickets else 'by conversation'}, {n} an arm"
            yield Check(what, rejected / copies, copies)
            yield Check(f"{what}: interval covers", inside / copies, copies)


def main() -> None:
    """Print every check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=2000, help="simulated data sets for each row")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    copies, seed = options.copies, options.seed
    print(f"Nominal 95% intervals and 5% tests; {copies} copies a row, seed {seed}; standard error about "
          f"{100 * (0.05 * 0.95 / copies) ** 0.5:.1f} points")  # fmt: skip
    checks = chain(
        share_coverage((30, 45, 150, 9653), copies * 5, seed),
        cluster_coverage(copies, seed),
        mean_coverage((30, 45, 150), copies, seed),
        paired_tests((30, 45, 150), copies, seed),
        arm_tests((300, 4826), copies // 2, seed),
    )
    for check in checks:
        print(f"{100 * check.part:5.1f}%  {check.what}", flush=True)


if __name__ == "__main__":
    main()
