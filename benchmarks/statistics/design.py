"""What a run can tell apart: noise floor, sources of variance, and the trials that a difference needs.

Variance is split among scenarios, the policy's own draws, and the simulator's draws.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.statistics.intervals import LEVEL

POWER: Final = 0.8
"""Chance of finding a difference that is there."""
VARIANCE_RESAMPLES: Final = 1000
MOST_TRIALS: Final = 10_000

Array = NDArray[np.float64]


class Variance(NamedTuple):
    """Variances of one trial's figure by source; ``low`` and ``high`` bound each source's share of their sum.

    Attributes:
        parts: variance by source: ``scenario``, then either ``trial``, or ``policy``, ``simulator`` and ``both`` (what
            the two do together).
        low: lower end of the 95% interval of each source's share of the whole.
        high: upper end of the same.
    """

    parts: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]

    @property
    def within(self) -> float:
        """Variance between trials of one scenario."""
        return sum(value for name, value in self.parts.items() if name != "scenario")

    def shares(self) -> dict[str, float]:
        """Return each source's share of the whole; zeros where nothing varies."""
        return _shares(self.parts)


def repeated(values: Array, seed: int = 0, level: float = LEVEL) -> Variance | None:
    """Split the variance of scenarios' trials [M, K] into that among and within scenarios (one-way random effects).

    Returns None with fewer than two scenarios or two trials.
    """
    if values.shape[0] < 2 or values.shape[1] < 2:
        return None
    return _with_interval(
        np.stack([values.mean(axis=1), values.var(axis=1, ddof=1)]), _OneWay(values.shape[1]), seed, level
    )


def crossed(values: Array, seed: int = 0, level: float = LEVEL) -> Variance | None:
    """Split the variance of trials [M, P, S]: P draws of the policy crossed with S of the simulator, M scenarios.

    The two-way random-effects analysis of variance within each scenario (Searle, Casella and McCulloch 1992, ch. 4),
    pooled over scenarios; estimates below 0 count as 0. One trial a cell, so ``both`` holds the interaction. Returns
    None with fewer than two scenarios, policy draws or simulator draws.
    """
    if min(values.shape) < 2:
        return None
    _, policies, simulators = values.shape
    means = values.mean(axis=(1, 2))
    rows, columns = values.mean(axis=2), values.mean(axis=1)
    rest = values - rows[:, :, None] - columns[:, None, :] + means[:, None, None]
    squares = (
        simulators * rows.var(axis=1, ddof=1),
        policies * columns.var(axis=1, ddof=1),
        np.square(rest).sum(axis=(1, 2)) / ((policies - 1) * (simulators - 1)),
    )
    return _with_interval(np.stack([means, *squares]), _TwoWay(policies, simulators), seed, level)


class _OneWay(NamedTuple):
    trials: int

    def __call__(self, among: Array, squares: Array) -> dict[str, Array]:
        return {"scenario": np.maximum(0.0, among - squares[0] / self.trials), "trial": squares[0]}


class _TwoWay(NamedTuple):
    policies: int
    simulators: int

    def __call__(self, among: Array, squares: Array) -> dict[str, Array]:
        both = squares[2]
        policy = np.maximum(0.0, (squares[0] - both) / self.simulators)
        simulator = np.maximum(0.0, (squares[1] - both) / self.policies)
        noise = policy / self.policies + simulator / self.simulators + both / (self.policies * self.simulators)
        return {"scenario": np.maximum(0.0, among - noise), "policy": policy, "simulator": simulator, "both": both}


def _with_interval(rows: Array, split: _OneWay | _TwoWay, seed: int, level: float) -> Variance:
    """Estimate from scenario means and mean squares [1 + Q, M], and bootstrap over scenarios."""

    def estimate(sample: Array) -> dict[str, Array]:
        return split(sample[0].var(axis=-1, ddof=1), sample[1:].mean(axis=-1))

    count = rows.shape[1]
    parts = {name: float(value) for name, value in estimate(rows).items()}
    picks = np.random.default_rng(seed).integers(0, count, size=(VARIANCE_RESAMPLES, count))
    drawn = estimate(rows[:, picks])
    whole = np.maximum(sum(drawn.values(), np.zeros(VARIANCE_RESAMPLES)), 1e-300)
    tail = (1.0 - level) / 2.0
    ends = {name: np.quantile(value / whole, [tail, 1.0 - tail]) for name, value in drawn.items()}
    return Variance(parts, {n: float(e[0]) for n, e in ends.items()}, {n: float(e[1]) for n, e in ends.items()})


def _shares(parts: dict[str, float]) -> dict[str, float]:
    whole = sum(parts.values())
    return {name: value / whole if whole > 0.0 else 0.0 for name, value in parts.items()}


def noise_floor(within: float, scenarios: int, trials: int, level: float = LEVEL) -> float:
    """Return the difference that the same policy, run twice on the same scenarios, stays below with 95% chance.

    Args:
        within: variance between trials of one scenario.
        scenarios: how many are played.
        trials: how often each.
        level: the chance.
    """
    return float(stats.norm.ppf(0.5 + level / 2.0)) * math.sqrt(2.0 * within / (scenarios * trials))


def detectable(spread: float, within: float, scenarios: int, trials: int, power: float = POWER) -> float:
    """Return the smallest difference between two policies that a paired test finds with chance ``power``.

    Args:
        spread: variance, among scenarios, of the two policies' true difference.
        within: variance between trials of one scenario, of one policy.
        scenarios: how many both play.
        trials: how often each.
        power: the chance.
    """
    return _reach(power) * math.sqrt((spread + 2.0 * within / trials) / scenarios)


def trials_needed(difference: float, spread: float, within: float, scenarios: int, power: float = POWER) -> int | None:
    """Return how often each scenario must be played so that a difference is found; None if more trials cannot do it.

    The arguments are those of ``detectable``. Trials average out draws, not the scenarios' own differences: where None
    comes back, ``scenarios_needed`` says how many more scenarios it takes.
    """
    room = (difference / _reach(power)) ** 2 * scenarios - spread
    if room <= 0.0:
        return None
    trials = max(1, math.ceil(2.0 * within / room - 1e-9))
    return trials if trials <= MOST_TRIALS else None


def scenarios_needed(difference: float, spread: float, within: float, trials: int, power: float = POWER) -> int:
    """Return how many scenarios, each played ``trials`` times, a difference needs to be found; at least 2."""
    return max(2, math.ceil((_reach(power) / difference) ** 2 * (spread + 2.0 * within / trials) - 1e-9))


def _reach(power: float) -> float:
    """Return how many standard errors away a two-sided test at 5% has this power (normal approximation)."""
    return float(stats.norm.ppf(0.5 + LEVEL / 2.0) + stats.norm.ppf(power))
