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


def training_seeds(run_seed: int) -> range:
    """Return all the scenario seeds that a run may train on; those of different runs are disjoint."""
    start = _TRAINING_START + run_seed * _PER_RUN
    return range(start, start + _PER_RUN)


def training_scenarios(run_seed: int, played: int, count: int) -> list[Scenario]:
    """Return a run's next scenarios, after ``played`` ones."""
    seeds = training_seeds(run_seed)[played : played + count]
    if len(seeds) < count:
        raise UsageError(f"replies: expected a run of at most {_PER_RUN} dialogues, got more: lower the budget")
    return [sample_scenario(seed) for seed in seeds]


def held_out_scenarios(count: int, skip: int = 0) -> list[Scenario]:
    """Return held-out scenarios, the first ``skip`` left out."""
    return [sample_scenario(seed) for seed in HELD_OUT_SEEDS[skip : skip + count]]
