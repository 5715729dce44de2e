"""Benchmark suites: the scripted bad cases, the sampled online negotiations, and a user's own by path.

A suite is a list of cases. This module finds and loads them; it does not play them.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.suites.case import CATEGORIES, Case, CaseSuite
from benchmarks.suites.case_file import read_case
from negotiation_env import registry
from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.lanes import episode_seed
from negotiation_env.scenario import scenario_of

__all__ = [
    "CATEGORIES",
    "ONLINE_SEEDS",
    "Case",
    "CaseSuite",
    "bad_cases",
    "load_suite",
    "online",
    "read_suite",
]

ONLINE_SEEDS = range(1_000_000, 1_000_030)
"""User seeds of the ``online`` suite. Keep training seeds outside this range."""
ONLINE_TURNS = 20


def bad_cases() -> CaseSuite:
    """Return the scripted bad cases, at least three for each of the nine categories, by file name."""
    return read_suite(Path(__file__).parent / "bad_cases", "bad-cases")


def online() -> CaseSuite:
    """Return 30 negotiations with a live manager, sampled from the scenario distribution.

    The distribution is ``scenario.sample_card`` and ``sample_floors`` at the seeds
    ``ONLINE_SEEDS``; the persona is drawn from the scenario's seed by the manager.
    """
    cases = tuple(
        Case(
            scenario=scenario_of(f"online-{seed - ONLINE_SEEDS.start:02d}", episode_seed(seed)),
            category="online",
            severity="minor",
            script=None,
            checks=(),
            title=f"sampled negotiation, seed {seed}",
            max_turns=ONLINE_TURNS,
        )
        for seed in ONLINE_SEEDS
    )
    return CaseSuite("online", cases)


def read_suite(path: Path, name: str | None = None) -> CaseSuite:
    """Read a case file, or every ``*.toml`` of a folder in the order of names; named after the path."""
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise DataFileError(f"{path}: expected a folder of case files (*.toml), got none: add one")
    return CaseSuite(name or path.stem, tuple(read_case(file) for file in files))


def load_suite(spec: str) -> CaseSuite:
    """Return a suite by name (``bad-cases``, ``online``, a plug-in's) or by the path of its file or folder."""
    names = registry.known(registry.SUITES)
    if spec in names:
        suite = registry.load(registry.SUITES, spec, "suite")()
        if isinstance(suite, CaseSuite):
            return suite
        raise UsageError(f"expected suite {spec!r} to be a CaseSuite, got {type(suite).__name__}")
    path = Path(spec)
    if path.exists():
        return read_suite(path)
    if os.sep in spec or spec.endswith(".toml"):
        raise UsageError(f"expected a case file or a folder of them, got {spec!r}: no such path")
    raise UsageError(f"expected a suite's name or path, got {spec!r}.{did_you_mean(spec, names)}")
