"""Suites of live negotiations drawn from the scenario distribution: ``online`` by hotel intents, ``ab`` at large.

Both are functions of their seed ranges alone, which touch neither each other nor what training may use.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from pydantic import Field

from benchmarks.suites.case import Case, CaseSuite
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import Table, read_toml
from negotiation_env.game.lanes import episode_seed
from negotiation_env.game.scenario import Scenario, scenario_of
from negotiation_env.seeds import SCENARIOS
from simulators.personas import builtin_personas, read_persona, sample_persona

ONLINE_SEEDS: Final = SCENARIOS["online"]
"""User seeds from which the ``online`` suite picks. Keep training seeds below this range."""
AB_SEEDS: Final = SCENARIOS["ab"]
"""User seeds of the ``ab`` suite: as many as the paper's A/B test has conversations."""
TURNS: Final = 20
INTENTS: Final = Path(__file__).with_name("online.toml")


class HotelIntent(Table):
    """What some of the hotels have in mind, and how many of the suite do."""

    name: str
    title: str
    count: int = Field(ge=1)
    personas: list[str] = Field(min_length=1)
    target_in_reach: bool | None = None
    """Whether every ticket's floor must lie at or below its target; None for either."""

    def fits(self, scenario: Scenario, persona: str) -> bool:
        """Return whether a scenario with its persona is of this intent."""
        wanted = self.target_in_reach
        return persona in self.personas and (wanted is None or wanted is target_in_reach(scenario))


class _IntentFile(Table):
    intents: list[HotelIntent] = Field(min_length=1)


def target_in_reach(scenario: Scenario) -> bool:
    """Return whether the hotel could go down to the target on every ticket."""
    pairs = zip(scenario.brief.floors, scenario.card.tickets, strict=True)
    return all(floor <= ticket.target_price for floor, ticket in pairs)


def read_intents(path: Path = INTENTS) -> list[HotelIntent]:
    """Return the stated distribution of hotel intents.

    Raises:
        DataFileError: the file is no TOML, or a field is wrong.
    """
    return read_toml(path, _IntentFile).intents


@cache
def online() -> CaseSuite:
    """Return 30 negotiations with a live manager, drawn to the distribution of hotel intents in ``online.toml``.

    A case's category is its intent. Cards and floors are what ``scenario.sample_card`` and ``sample_floors`` give at
    the seeds of ``ONLINE_SEEDS`` that fit.
    """
    intents = read_intents()
    personas = [read_persona(path) for path in builtin_personas()]
    left = {intent.name: intent.count for intent in intents}
    cases: list[Case] = []
    for seed in ONLINE_SEEDS:
        scenario = scenario_of(f"online-{len(cases):02d}", episode_seed(seed))
        persona = sample_persona(scenario.seed, personas, scenario.card).name
        intent = next((i for i in intents if left[i.name] and i.fits(scenario, persona)), None)
        if intent is not None:
            left[intent.name] -= 1
            title = f"{intent.title} ({persona}, seed {seed})"
            cases.append(_live(scenario, intent.name, title, persona))
        if not any(left.values()):
            return CaseSuite("online", cases)
    raise DataFileError(f"{INTENTS}: expected intents that {len(ONLINE_SEEDS)} seeds can fill, still open: {left}")


def ab(size: str | int = len(AB_SEEDS)) -> CaseSuite:
    """Return the negotiations of the simulated A/B test: 9,653, or the first ``size`` of them.

    The persona of each is drawn from the scenario's seed by the manager.

    Raises:
        UsageError: ``size`` is no number from 1 to 9,653.
    """
    count = int(size) if str(size).isdecimal() else 0
    if not 1 <= count <= len(AB_SEEDS):
        raise UsageError(f"expected ab:N with N from 1 to {len(AB_SEEDS)}, got {size!r}")
    return CaseSuite(
        "ab",
        [
            _live(scenario_of(f"ab-{place:04d}", episode_seed(seed)), "ab", f"conversation, seed {seed}")
            for place, seed in enumerate(AB_SEEDS[:count])
        ],
    )


def _live(scenario: Scenario, category: str, title: str, persona: str | None = None) -> Case:
    return Case(
        scenario=scenario,
        category=category,
        severity="minor",
        script=None,
        checks=(),
        title=title,
        max_turns=TURNS,
        persona=persona,
    )
