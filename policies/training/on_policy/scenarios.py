"""Which scenarios a run trains on and which it is measured on: disjoint ranges of seeds.

The benchmark's ``online`` and ``ab`` suites have seeds of their own, between 1,000,000 and 2,000,000, that no run
touches.
"""

from __future__ import annotations

from negotiation_env.errors import UsageError
from negotiation_env.scenario import Scenario, sample_scenario

HELD_OUT_SEEDS = range(2_000_000_000, 2_001_000_000)
"""Seeds of the scenarios on which checkpoints are compared; the same for every run."""
_TRAINING_START = 3_000_000_000
_PER_RUN = 10_000_000
_STATES = _PER_RUN // 2
"""Place among a run's seeds of the first that is a sampled state's."""


def training_seeds(run_seed: int) -> range:
    """Return all the scenario seeds that a run may train on; those of different runs are disjoint."""
    start = _TRAINING_START + run_seed * _PER_RUN
    return range(start, start + _PER_RUN)


def training_scenarios(run_seed: int, played: int, count: int) -> list[Scenario]:
    """Return a run's next scenarios, after ``played`` ones."""
    return [sample_scenario(seed) for seed in _next(training_seeds(run_seed)[:_STATES], played, count)]


def state_seeds(run_seed: int, sampled: int, count: int) -> range:
    """Return the seeds of a run's next sampled states, after ``sampled`` ones."""
    return _next(training_seeds(run_seed)[_STATES:], sampled, count)


def _next(seeds: range, used: int, count: int) -> range:
    chosen = seeds[used : used + count]
    if len(chosen) < count:
        raise UsageError(
            f"replies: expected a run of at most {len(seeds)} dialogues or states, got more: lower the budget"
        )
    return chosen


def held_out_scenarios(count: int, skip: int = 0) -> list[Scenario]:
    """Return held-out scenarios, the first ``skip`` left out."""
    return [sample_scenario(seed) for seed in HELD_OUT_SEEDS[skip : skip + count]]
