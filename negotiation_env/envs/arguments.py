"""What the environments' keyword arguments mean: scenario, suite, persona, manager, reward, turns.

One place checks them, so that the single, vector, text and numeric environments agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.scenario import Scenario, scenario_of
from negotiation_env.play.protocols import Manager
from negotiation_env.play.registry import SUITES, known, load, load_manager

RENDER_MODES = ("ansi", "human")
RESET_OPTIONS = ("scenario", "persona")


@runtime_checkable
class Suite(Protocol):
    """A named list of scenarios, with the manager that plays the hotel's side of them (None: any manager will do)."""

    name: str
    scenarios: Sequence[Scenario]

    def manager(self) -> Manager | None:
        """Return the suite's own manager, if its hotel lines are scripted."""
        ...


class SeedStream:
    """Episode seeds of one environment: the first is the user's seed, each next one follows from it.

    An environment in a batch draws the same stream as one alone.
    """

    def __init__(self, seed: int) -> None:
        """Start at a user's non-negative seed."""
        self._root = episode_seed(seed)
        self._count = 0

    def next(self) -> int:
        """Return the next episode's 64-bit seed."""
        seed = self._root if self._count == 0 else FLOATS.fork(self._root, self._count)
        self._count += 1
        return seed


def seed_stream(current: SeedStream | None, seed: int | None, generator: np.random.Generator) -> SeedStream:
    """Return the stream that a reset goes on with: a new one for a seed, else the current one, else a random one."""
    if seed is not None:
        return SeedStream(seed)
    return current if current is not None else SeedStream(_random_seed(generator))


def lane_seeds(seed: int | Sequence[int | None] | None, count: int, generator: np.random.Generator) -> list[int]:
    """Return a seed per lane: ``seed + i`` for an int, a sequence's own, and random ones where there is None."""
    if isinstance(seed, int):
        return [seed + i for i in range(count)]
    given: Sequence[int | None] = [None] * count if seed is None else seed
    if len(given) != count:
        raise UsageError(f"expected {count} seeds, got {len(given)}: one per environment")
    return [_random_seed(generator) if s is None else s for s in given]


def _random_seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**62))


class ScenarioSource:
    """What is played: a scenario that was given, a suite's, or the world's; and with which persona."""

    def __init__(self, scenario: Scenario | None, suite: str | Suite | None, persona: object | None) -> None:
        """Take a scenario or a suite, or neither (sample); ``persona`` None is drawn by the manager."""
        if scenario is not None and suite is not None:
            raise UsageError("expected scenario or suite, got both: pass one of them")
        if scenario is not None and not isinstance(scenario, Scenario):
            raise UsageError(f"expected a Scenario, got {type(scenario).__name__}: build one or pass suite=NAME")
        self._scenario = scenario
        self._persona = persona
        self.suite = load_suite(suite) if suite is not None else None

    def next(self, seeds: SeedStream, options: dict[str, Any]) -> tuple[Scenario, object | None]:
        """Return the next episode's scenario and persona; what reset's ``options`` name goes first."""
        seed = seeds.next()
        return options.get("scenario") or self._drawn(seed), options.get("persona", self._persona)

    def _drawn(self, seed: int) -> Scenario:
        """Return the scenario of an episode seed, with that seed."""
        if self._scenario is not None:
            return replace(self._scenario, seed=seed)
        if self.suite is not None:
            scenarios = self.suite.scenarios
            return replace(scenarios[seed % len(scenarios)], seed=seed)
        return scenario_of(f"sampled-{seed:016x}", seed)

    def manager(self, spec: object, llm: str) -> Manager:
        """Return the manager: a scripted suite brings its own."""
        own = self.suite.manager() if self.suite is not None else None
        return own if own is not None else load_manager(spec, llm)


def load_suite(suite: str | Suite) -> Suite:
    """Return a suite by name, or the object given."""
    if not isinstance(suite, str):
        if isinstance(suite, Suite):
            return suite
        raise UsageError(f"expected a suite name or an object with scenarios and manager(), got {suite!r}")
    if suite not in known(SUITES):
        raise UsageError(f"expected the name of a suite, got {suite!r}.{did_you_mean(suite, known(SUITES))}")
    return load(SUITES, suite, "suite")()  # type: ignore[no-any-return]


def check_turns(max_turns: int) -> int:
    """Return ``max_turns``, or raise if it is not an int of at least 1."""
    if max_turns < 1:
        raise UsageError(
            f"expected max_turns as an int >= 1, got {max_turns!r}: pass how many replies an episode may have"
        )
    return max_turns


def check_render_mode(mode: str | None) -> str | None:
    """Return the render mode, or raise if there is no such mode."""
    if mode is not None and mode not in RENDER_MODES:
        raise UsageError(
            f"expected render_mode None, 'ansi' or 'human', got {mode!r}.{did_you_mean(mode, RENDER_MODES)}"
        )
    return mode


def check_options(options: dict[str, Any] | None) -> dict[str, Any]:
    """Return reset's options, or raise on a name that is not one."""
    for name in options or {}:
        if name not in RESET_OPTIONS:
            raise UsageError(f"unknown reset option {name!r}.{did_you_mean(name, RESET_OPTIONS)}")
    scenario = (options or {}).get("scenario")
    if scenario is not None and not isinstance(scenario, Scenario):
        raise UsageError(f"expected options['scenario'] as a Scenario, got {type(scenario).__name__}")
    return dict(options or {})
