"""The held-out dialogues that R_total is measured on: no training plays them, and no checkpoint is chosen on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from benchmarks.suites import Case, CaseSuite
from policies.training.on_policy.scenarios import held_out_scenarios

HELD_OUT: Final = "held-out"
SKIPPED: Final = 10_000
"""Held-out scenarios left to training, which compares its checkpoints on the first of them."""


def held_out(count: int, max_turns: int) -> CaseSuite:
    """Return negotiations with a live manager, whose persona is drawn from each scenario's seed."""
    return CaseSuite(
        HELD_OUT,
        [
            Case(
                scenario=replace(scenario, id=f"held-out-{place:04d}"),
                category=HELD_OUT,
                severity="minor",
                script=None,
                checks=(),
                title=f"held-out dialogue, seed {scenario.seed}",
                max_turns=max_turns,
            )
            for place, scenario in enumerate(held_out_scenarios(count, skip=SKIPPED))
        ],
    )
