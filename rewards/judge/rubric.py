"""The judge's rubric: dimensions with ordered choices and points, read from ``rubric.toml`` and checked."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from negotiation_env.files import Many, Table, Text, read_toml

SHIPPED = Path(__file__).with_name("rubric.toml")


class Choice(Table):
    """One answer to a dimension's question."""

    letter: str
    points: Annotated[float, Field(ge=-100, le=100)]
    text: Text


class Dimension(Table):
    """One question of the rubric; ``choices`` are ordered, best first."""

    id: Text
    title: Text
    question: Text
    choices: Annotated[Many[Choice], Field(alias="choice", min_length=2, max_length=26)]

    @model_validator(mode="after")
    def _in_order(self) -> Dimension:
        for number, (choice, letter) in enumerate(zip(self.choices, string.ascii_uppercase, strict=False), 1):
            if choice.letter != letter:
                raise ValueError(f"choice.{number}.letter: expected {letter!r}, got {choice.letter!r}")
        points = [choice.points for choice in self.choices]
        if points != sorted(points, reverse=True):
            raise ValueError(f"points: expected choices ordered from best to worst, got {points}")
        return self

    @property
    def low(self) -> float:
        """Fewest points."""
        return self.choices[-1].points

    @property
    def high(self) -> float:
        """Most points."""
        return self.choices[0].points


class Rubric(Table):
    """The dimensions, in the order in which points are reported."""

    dimensions: Annotated[Many[Dimension], Field(alias="dimension", min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Rubric:
        ids = [dimension.id for dimension in self.dimensions]
        if len(set(ids)) != len(ids):
            raise ValueError(f"id: expected dimensions of different ids, got {ids}: rename one")
        return self

    @classmethod
    def from_toml(cls, path: str | Path | None = None) -> Rubric:
        """Load a rubric; None loads the shipped one. Raises ``DataFileError`` where the file is wrong."""
        return _shipped() if path is None else read_toml(Path(path), cls)


@cache
def _shipped() -> Rubric:
    return read_toml(SHIPPED, Rubric)
