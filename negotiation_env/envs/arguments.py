"""What the environments' keyword arguments mean: scenario, suite, persona, manager, turns, seeds, options.

One place checks them, so that the single, vector, text and numeric environments agree; what vector environments take
beside these stands in ``vector``. Nothing here changes an environment: whatever may fail is called first, and what was
found is kept once all of it has been.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import numpy as np

from negotiation_env.errors import RenderModeError, UsageError, did_you_mean
from negotiation_env.game.features import FEATURES
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.scenario import Scenario, scenario_of
from negotiation_env.game.scenario_file import load_scenario
from negotiation_env.play.protocols import Manager, Reward
from negotiation_env.play.registry import SUITES, known, load, load_manager, load_reward

RENDER_MODES = ("ansi", "human")
RESET_OPTIONS = ("scenario", "persona")

NOT_BEGUN: Final = "expected an episode in progress, got none: call reset() first"
IS_OVER: Final = "expected an episode in progress, got one that is over: call reset() first"
BROKEN_OFF: Final = "expected an episode in progress, got one whose last step failed half-way: call reset() first"
"""Why ``step`` cannot be called. A manager's private state cannot be taken back, so a step that fails (or is stopped by
Ctrl-C) after its action was found good leaves nothing to go on from."""

Seed: TypeAlias = int | np.integer[Any]
"""At least 0."""


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

    @property
    def seed(self) -> int:
        """The next episode's 64-bit seed."""
        return self._root if self._count == 0 else FLOATS.fork(self._root, self._count)

    def advance(self) -> None:
        """Go on to the seed after it: the episode was opened."""
        self._count += 1


def seed_stream(current: SeedStream | None, seed: int | None, generator: np.random.Generator) -> SeedStream:
    """Return the stream that a reset goes on with: a new one for a seed, else the current one, else a random one."""
    if seed is not None:
        return SeedStream(seed)
    return current if current is not None else SeedStream(_random_seed(generator))


def check_seed(seed: object) -> int:
    """Return a seed as Python's int, or raise if it is not an int (Python's or NumPy's) of at least 0."""
    found = _whole(seed)
    if found is None or found < 0:
        raise UsageError(f"expected a seed as an int >= 0, Python's or NumPy's, got {seed!r}: pass one, or None")
    return found


def _random_seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**62))


def _whole(value: object) -> int | None:
    """Return a whole number of Python's or NumPy's as Python's int; None for anything else, bools among it."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


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

    def episode(self, seed: int, options: dict[str, Any]) -> tuple[Scenario, object | None]:
        """Return the scenario and persona of an episode's seed; what reset's ``options`` name goes first."""
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


def check_turns(max_turns: object) -> int:
    """Return ``max_turns`` as Python's int, or raise if it is not an int of at least 1."""
    return at_least_one(max_turns, "max_turns", "how many replies an episode may have")


def at_least_one(value: object, name: str, meaning: str) -> int:
    """Return a whole number of at least 1 as Python's int, or raise: ``meaning`` says what to pass as ``name``."""
    found = _whole(value)
    if found is None or found < 1:
        raise UsageError(f"expected {name} as an int >= 1, got {value!r}: pass {meaning}")
    return found


def check_llm(llm: object) -> str:
    """Return the spec of the manager's language model, or raise if it is no text."""
    if not isinstance(llm, str):
        raise UsageError(f"expected llm as an engine spec, got {llm!r}: pass text such as 'smollm2'")
    return llm


def check_render_mode(mode: object) -> str | None:
    """Return the render mode, or raise ``RenderModeError`` if there is no such mode."""
    if mode is None or (isinstance(mode, str) and mode in RENDER_MODES):
        return mode
    hint = did_you_mean(mode, RENDER_MODES) if isinstance(mode, str) else ""
    raise RenderModeError(f"expected render_mode None, 'ansi' or 'human', got {mode!r}: pass one of these.{hint}")


def check_options(options: dict[str, Any] | None, names: Sequence[str] = RESET_OPTIONS) -> dict[str, Any]:
    """Return a copy of reset's options, or raise on a name that is not among ``names``, or on no scenario."""
    if options is not None and not isinstance(options, dict):
        raise UsageError(f"expected options as a dict, got {type(options).__name__}: pass {{name: value}}")
    for name in options or {}:
        if name not in names:
            raise UsageError(f"unknown reset option {name!r}.{did_you_mean(str(name), names)}")
    chosen = dict(options or {})
    if chosen.get("scenario") is not None:
        chosen["scenario"] = load_scenario(chosen["scenario"])
    return chosen
