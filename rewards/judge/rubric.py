"""The judge's rubric: dimensions of yes-or-no questions with points, read from ``rubric.toml`` and checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from negotiation_env.errors import did_you_mean
from negotiation_env.files import Many, Table, Text, read_toml

SHIPPED = Path(__file__).with_name("rubric.toml")
When = Literal[
    "always", "first-message", "answered", "asked", "spoken-before", "several-open", "quoted", "granted", "may-promise"
]
"""The cases in which a question is asked; ``case_questions`` tells them."""
FILLED: Final = ("heard", "asked", "said", "rooms", "quotes", "bids", "agreed", "promises")
"""What a question's text may have filled in."""
Points = Annotated[float, Field(ge=-100, le=100)]


class Question(Table):
    """One yes-or-no question about a reply, and what its answers are worth."""

    id: Text
    text: Text
    when: When = "always"
    yes: Points = 0.0
    no: Points = 0.0

    @model_validator(mode="after")
    def _can_be_filled(self) -> Question:
        try:
            names = [name for _, name, _, _ in Formatter().parse(self.text) if name is not None]
        except ValueError as error:
            raise ValueError(f"text: {error}: write '{{{{' for a brace") from error
        for name in names:
            if name not in FILLED:
                raise ValueError(f"text: expected one of {FILLED} in braces, got {name!r}.{did_you_mean(name, FILLED)}")
        if self.yes == self.no:
            raise ValueError(f"yes: expected other points than for no, got {self.yes:g} for both")
        return self

    def points(self, yes: float) -> float:
        """Return the points for a yes that is so likely, 0 to 1."""
        return yes * self.yes + (1.0 - yes) * self.no


class Dimension(Table):
    """One side of a reply that is judged."""

    id: Text
    title: Text
    questions: Annotated[Many[Question], Field(alias="question", min_length=1)]


class Rubric(Table):
    """The dimensions, in the order in which points are reported, and the limits of their sum."""

    least: Points = -75.0
    most: Points = 60.0
    dimensions: Annotated[Many[Dimension], Field(alias="dimension", min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Rubric:
        for kind in (self.dimensions, self.questions):
            ids = [part.id for part in kind]
            twice = {name for name in ids if ids.count(name) > 1}
            if twice:
                raise ValueError(f"id: expected different ids, got {sorted(twice)} more than once: rename one")
        if not self.least < 0.0 < self.most:
            raise ValueError(f"least: expected least < 0 < most, got {self.least:g} and {self.most:g}")
        return self

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions, in order."""
        return tuple(question for dimension in self.dimensions for question in dimension.questions)

    @classmethod
    def from_toml(cls, path: str | Path | None = None) -> Rubric:
        """Load a rubric; None loads the shipped one. Raises ``DataFileError`` where the file is wrong."""
        return _shipped() if path is None else read_toml(Path(path), cls)


@cache
def _shipped() -> Rubric:
    return read_toml(SHIPPED, Rubric)
