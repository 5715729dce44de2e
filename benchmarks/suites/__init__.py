"""Benchmark suites: the scripted bad cases, the sampled live negotiations (``sampled``), and a user's own by path.

A suite is a list of cases (``case``, read by ``case_file``). This module finds and loads them; it does not play them.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.suites.case import CATEGORIES, Case, CaseSuite
from benchmarks.suites.case_file import read_case
from benchmarks.suites.sampled import ab, online
from negotiation_env.envs.arguments import load_suite as load_any_suite
from negotiation_env.errors import DataFileError, UsageError

__all__ = [
    "BAD_CASES",
    "CATEGORIES",
    "FRESH_CASES",
    "Case",
    "CaseSuite",
    "ab",
    "bad_cases",
    "bad_cases_fresh",
    "load_suite",
    "online",
    "read_suite",
]

BAD_CASES = Path(__file__).parent / "bad_cases"
"""Folder of the shipped bad cases."""
FRESH_CASES = Path(__file__).parent / "bad_cases_fresh"
"""Folder of the fresh ones, half of which are sealed."""


def bad_cases() -> CaseSuite:
    """Return the 45 scripted bad cases, five for each of the nine categories, by file name."""
    return read_suite(BAD_CASES, "bad-cases")


def bad_cases_fresh() -> CaseSuite:
    """Return the 90 open ones of the fresh bad cases, ten for each of the nine categories; see their data card."""
    return read_suite(FRESH_CASES, "bad-cases-fresh")


def read_suite(path: Path, name: str | None = None) -> CaseSuite:
    """Read a case or scenario file, or every ``*.toml`` of a folder in the order of names; named after the path.

    Raises:
        DataFileError: the folder holds no such file, or one of them is wrong.
    """
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise DataFileError(f"{path}: expected a folder of case files (*.toml), got none: add one")
    return CaseSuite(name or path.resolve().stem, tuple(read_case(file) for file in files))


def load_suite(spec: str) -> CaseSuite:
    """Return a suite by name (``bad-cases``, ``online``, ``ab``, a plug-in's) or by the path of its file or folder.

    ``NAME:ARGUMENT`` hands the argument to the suite: ``ab:1000`` is the first 1,000 of its conversations.

    Raises:
        UsageError: there is no suite of this name or path, or it is a plug-in's that makes something else.
        DataFileError: a file of it is wrong.
    """
    suite = load_any_suite(spec)
    if not isinstance(suite, CaseSuite):
        raise UsageError(f"expected suite {spec!r} to be a CaseSuite, got {type(suite).__name__}")
    return suite
