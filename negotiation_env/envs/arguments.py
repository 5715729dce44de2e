"""What the environments' keyword arguments mean: scenario, suite, persona, manager, reward, turns.

One place checks them, so that the single, vector, text and numeric environments agree.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game.features import FEATURES
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.scenario import Scenario, scenario_of
from negotiation_env.game.scenario_file import load_scenario
from negotiation_env.play.protocols import Manager, Reward
from negotiation_env.play.registry import SUITES, known, load, load_manager, load_reward

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

    def __init__(
        self, scenario: Scenario | str | Path | None, suite: str | Path | Suite | None, persona: object | None
    ) -> None:
        """Take a scenario (or its file) or a suite, or neither (sample); ``persona`` None is drawn by the manager."""
        if scenario is not None and suite is not None:
            raise UsageError("expected scenario or suite, got both: pass one of them")
        self._scenario = load_scenario(scenario) if scenario is not None else None
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


PATH = "path"
"""Entry point of the group of suites that reads a case file, a scenario file, or a folder of them."""


def load_suite(suite: str | Path | Suite) -> Suite:
    """Return a suite by name, by ``NAME:ARGUMENT``, by the path of its file or folder, or the object given.

    Raises:
        UsageError: there is no such name or path.
        DataFileError: a file is no case and no scenario.
    """
    if not isinstance(suite, str | Path):
        if isinstance(suite, Suite):
            return suite
        raise UsageError(f"expected a suite name, a path, or an object with scenarios and manager(), got {suite!r}")
    spec, names = str(suite), [name for name in known(SUITES) if name != PATH]
    name, _, argument = spec.partition(":")
    if name in names:
        factory = load(SUITES, name, "suite")
        if argument and not signature(factory).parameters:
            raise UsageError(f"expected suite {name!r} without an argument, got {spec!r}")
        return factory(argument) if argument else factory()  # type: ignore[no-any-return]
    path = Path(spec).expanduser()
    if path.exists():
        return load(SUITES, PATH, "suite")(path)  # type: ignore[no-any-return]
    if os.sep in spec or spec.endswith(".toml"):
        raise UsageError(f"expected a case file or a folder of them, got {spec!r}: no such path")
    raise UsageError(f"expected a suite's name or path, got {spec!r}.{did_you_mean(spec, names)}")


def load_act_reward(reward: object) -> Reward:
    """Return a reward that can score moves without text; see ``registry.load_reward``.

    Raises:
        UsageError: it needs the text, so the numeric environment has nothing to hand to it.
    """
    made = load_reward(reward)
    scored = made.score_features(FLOATS, (0.0,) * len(FEATURES))
    if scored.total is None and scored.fault:
        raise UsageError(
            f"expected a reward that scores moves without text, got {reward!r} ({scored.fault}): play it "
            "in HotelNegotiation-v0"
        )
    return made


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
    chosen = dict(options or {})
    if chosen.get("scenario") is not None:
        chosen["scenario"] = load_scenario(chosen["scenario"])
    return chosen
