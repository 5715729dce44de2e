"""How a model really failed a case: the recorded dialogue, with where it comes from, as one JSON file per case.

Knows the file, not how a failure is found; ``record_failures`` writes these files.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from negotiation_env.errors import DataFileError

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
    if not path.is_file():
        return None
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name: data[field.name] for field in fields(RecordedFailure)}
        known["findings"] = tuple(str(finding) for finding in known["findings"])
        known["dialogue"] = tuple((str(reply), str(answer)) for reply, answer in known["dialogue"])
        return RecordedFailure(**known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{path}: expected a recorded failure, got {error!r}: record it again") from error


def write_failure(case_file: Path, failure: RecordedFailure) -> Path:
    """Write the record of a case file and return its path."""
    path = record_path(case_file)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(failure), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
