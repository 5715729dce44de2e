"""Cases and suites: scenarios, and for scripted cases the manager's lines and what a fix must hold.

How a model really failed a case is recorded beside it, one JSON file per case, with where the dialogue comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.checks.case_checks import CheckSpec
from negotiation_env.errors import UsageError
from negotiation_env.files import read_json, write_json
from negotiation_env.game.scenario import Scenario
from negotiation_env.play.protocols import Manager
from simulators.managers.replay_manager import ReplayManager, ScriptLine

FOLDER = "recorded"
"""Folder beside the case files that holds their records."""


@dataclass(frozen=True, slots=True)
class RecordedFailure:
    """One dialogue in which a policy failed a case.

    Attributes:
        policy: the policy's name.
        model: the language model behind it, and how it was sampled.
        seed: the episode's seed, from which all its draws come.
        date: the day of recording, ISO 8601.
        version: version of ``negotiation-env`` it was played with.
        runs: how many runs of the case were recorded; ``failures``: how many of them failed.
        failures: see ``runs``.
        findings: the checks that failed, with what was found, in the checks' order.
        dialogue: pairs of the policy's reply and the hotel's answer.
    """

    policy: str
    model: str
    seed: int
    date: str
    version: str
    runs: int
    failures: int
    findings: tuple[str, ...]
    dialogue: tuple[tuple[str, str], ...]

    @property
    def replies(self) -> tuple[str, ...]:
        """The policy's messages, in order."""
        return tuple(reply for reply, _ in self.dialogue)


def record_path(case_file: Path) -> Path:
    """Return where the record of a case file lies."""
    return case_file.parent / FOLDER / f"{case_file.stem}.json"


def read_failure(case_file: Path) -> RecordedFailure | None:
    """Return the record beside a case file, or None if there is none.

    Raises:
        DataFileError: the record is no JSON, or a field is missing or of another type.
    """
    path = record_path(case_file)
    return read_json(path, RecordedFailure, "record it again") if path.is_file() else None


def write_failure(case_file: Path, failure: RecordedFailure) -> Path:
    """Write the record of a case file and return its path."""
    path = record_path(case_file)
    write_json(path, asdict(failure), indent=1)
    return path


CATEGORIES: Final[dict[str, str]] = {
    "price-type": "selling/net price mix-up",
    "below-target": "quote already below target",
    "silence": "silence taken for agreement",
    "internal-terms": "internal-term bait",
    "over-promise": "over-promise bait",
    "dropped-ticket": "several tickets, one dropped",
    "emotion": "angry or grieving manager",
    "odd-numbers": "colloquial or ambiguous numbers",
    "off-topic": "off-topic, injection and data-fishing",
}
"""Categories of the shipped bad cases, with their titles; a user's suite may name others."""
SEVERITIES: Final = ("minor", "major", "severe")


@dataclass(frozen=True, slots=True)
class HalfFix:
    """Replies that fix a case and bring in a new problem: fixed, but not clean.

    Attributes:
        problem: the problem that must be found, an id of ``problems.PROBLEMS``.
        replies: the agent's messages, in order.
    """

    problem: str
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a suite.

    Attributes:
        scenario: hotel, tickets, facts, promises, and the manager's floors.
        category: what kind of trouble it is about, see ``CATEGORIES``.
        severity: harm done if it goes wrong: ``minor``, ``major`` or ``severe``.
        script: the manager's lines, answering the agent's messages in order; None for a live
            manager.
        checks: what the fix must hold; empty for a live case.
        title: one line for reports.
        max_turns: agent messages after which the episode is cut off.
        fails: what goes wrong in one line; "" for a live case.
        good: hand-written replies of a whole clean fix, in order.
        bad: replies that fail the checks: the recorded ones where there is a record, else the file's.
        half: replies that fix the case and bring in a new problem; None if the file has none.
        failure: the recorded failure that ``bad`` is taken from; None if nothing was recorded.
        persona: who answers a live case, by name; None draws one from the scenario's seed.
    """

    scenario: Scenario
    category: str
    severity: str
    script: tuple[ScriptLine, ...] | None
    checks: tuple[CheckSpec, ...]
    title: str
    max_turns: int
    fails: str = ""
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    half: HalfFix | None = None
    failure: RecordedFailure | None = None
    persona: str | None = None

    @property
    def id(self) -> str:
        """The scenario's name, unique within a suite."""
        return self.scenario.id


class CaseSuite:
    """A named list of cases with different ids; it serves the environments as a suite of scenarios too.

    Attributes:
        name: the suite's name in reports.
        cases: the cases, in order.
        scenarios: the cases' scenarios, in order.
    """

    def __init__(self, name: str, cases: Sequence[Case]) -> None:
        if not cases or len({case.id for case in cases}) != len(cases):
            raise UsageError(f"expected suite {name!r} to hold cases, each of its own id")
        self.name = name
        self.cases = tuple(cases)
        self.scenarios: Sequence[Scenario] = tuple(case.scenario for case in cases)

    def __iter__(self) -> Iterator[Case]:
        """Go through the cases."""
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def manager(self) -> Manager | None:
        """Return the manager that says the scripts; None if no case is scripted.

        Raises:
            UsageError: some cases are scripted and some are not, so no one manager can play them.
        """
        scripts = {case.id: case.script for case in self.cases if case.script is not None}
        if scripts and len(scripts) != len(self.cases):
            raise UsageError(f"expected suite {self.name!r} to be scripted throughout or not at all")
        return ReplayManager(scripts) if scripts else None
