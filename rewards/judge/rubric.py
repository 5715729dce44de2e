"""The judge's rubric: dimensions with ordered choices and points, read from ``rubric.toml`` and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from negotiation_env.errors import DataFileError, did_you_mean

SHIPPED = Path(__file__).with_name("rubric.toml")
_DIMENSION_FIELDS = frozenset({"id", "title", "question", "choice"})
_CHOICE_FIELDS = frozenset({"letter", "points", "text"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a dimension's question."""

    letter: str
    points: float
    text: str


@dataclass(frozen=True, slots=True)
class Dimension:
    """One question of the rubric; ``choices`` are ordered, best first."""

    id: str
    title: str
    question: str
    choices: tuple[Choice, ...]

    @property
    def low(self) -> float:
        """Fewest points."""
        return self.choices[-1].points

    @property
    def high(self) -> float:
        """Most points."""
        return self.choices[0].points


@dataclass(frozen=True, slots=True)
class Rubric:
    """The dimensions, in the order in which points are reported."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def from_toml(cls, path: str | Path | None = None) -> Rubric:
        """Load a rubric; None loads the shipped one. Raises ``DataFileError`` where the file is wrong."""
        return _shipped() if path is None else _load(Path(path))


@cache
def _shipped() -> Rubric:
    return _load(SHIPPED)


def _load(path: Path) -> Rubric:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("dimension")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{path}: expected a readable TOML file of dimensions: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise DataFileError(f"{path}: expected at least one [[dimension]] table, got none: add one")
    dimensions = tuple(_dimension(path, number, table) for number, table in enumerate(tables, 1))
    if len({d.id for d in dimensions}) != len(dimensions):
        raise DataFileError(f"{path}: id: expected dimensions of different ids, got a repeated one: rename it")
    return Rubric(dimensions)


def _dimension(path: Path, number: int, table: Any) -> Dimension:
    """Check one dimension."""
    where = f"{path}: dimension {number}"
    _fields(where, table, _DIMENSION_FIELDS)
    for field in ("id", "title", "question"):
        if not isinstance(table[field], str) or not table[field]:
            raise DataFileError(f"{where}: {field}: expected a text, got {table[field]!r}")
    if not isinstance(table["choice"], list) or not 2 <= len(table["choice"]) <= 26:
        raise DataFileError(f"{where}: choice: expected 2 to 26 [[dimension.choice]] tables, got {table['choice']!r}")
    choices = tuple(_choice(f"{where}: choice {k}", k, c) for k, c in enumerate(table["choice"], 1))
    points = [c.points for c in choices]
    if points != sorted(points, reverse=True):
        raise DataFileError(f"{where}: points: expected choices ordered from best to worst, got {points}")
    return Dimension(table["id"], table["title"], table["question"], choices)


def _choice(where: str, number: int, table: Any) -> Choice:
    """Check one choice."""
    _fields(where, table, _CHOICE_FIELDS)
    letter = chr(ord("A") + number - 1)
    if table["letter"] != letter:
        raise DataFileError(f"{where}: letter: expected {letter!r}, got {table['letter']!r}")
    points = table["points"]
    if isinstance(points, bool) or not isinstance(points, int | float) or not -100 <= points <= 100:
        raise DataFileError(f"{where}: points: expected a number from -100 to 100, got {points!r}")
    if not isinstance(table["text"], str) or not table["text"]:
        raise DataFileError(f"{where}: text: expected a text, got {table['text']!r}")
    return Choice(letter, float(points), table["text"])


def _fields(where: str, table: Any, known: frozenset[str]) -> None:
    if not isinstance(table, dict):
        raise DataFileError(f"{where}: expected a table, got {table!r}")
    for field in sorted(table.keys() - known):
        raise DataFileError(f"{where}: {field}: expected no such field.{did_you_mean(field, known)}")
    for field in sorted(known - table.keys()):
        raise DataFileError(f"{where}: {field}: expected this field, which is not there: add it")
