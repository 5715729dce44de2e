"""Reads a case from a TOML file: data, checked field by field, with errors that name file, field and value.

``FORMAT`` is the file's documentation.
"""

from __future__ import annotations

import tomllib
import zlib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmarks.checks.case_checks import KINDS, CheckSpec
from benchmarks.checks.problems import PROBLEMS
from benchmarks.suites.case import Case, HalfFix, RecordedFailure, read_failure
from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.game.lanes import episode_seed
from negotiation_env.game.scenario import (
    Facts,
    Hotel,
    ManagerBrief,
    Scenario,
    TaskCard,
    Ticket,
)
from simulators.managers.replay_manager import ScriptLine, check_condition

FORMAT = """\
title, category, severity (minor, major, severe), promises (ids); optional: fails, seed, max_turns
[hotel]      name, city, kind, stars, season, occupancy (0 to 1)
[facts]      exposure, conversion, competitor_name, competitor_price, event, demand
[[tickets]]  room, check_in, nights, selling, commission (0 to 1), target, floor
[[script]]   text; line i answers the agent's i-th message; "" is silence
             branches = [{ when = "accept|confirm", text = "..." }]: said instead where the message
             does that; after a settlement, a goodbye or an empty message the hotel says what fits
             unless a branch does
[[checks]]   kind, turns (from 1), and what the kind needs: ticket (from 1), low, high, figures,
             words
[replies]    good: messages of the agent that pass; optional: bad: that fail
[replies.half]  the good messages but for one, fixed with a new problem: turn, text, problem (its id);
             or replies (all messages) and problem
"""
SETTLED_LINE = "Then that is settled. Thank you for your call, goodbye."
CLOSED_LINE = "Goodbye."
EMPTY_LINE = "Hello? I cannot hear you."
DEFAULT_BRANCHES = (("settled", SETTLED_LINE), ("close", CLOSED_LINE), ("silence", EMPTY_LINE))
"""What every scripted line but silence branches on, where its text would make no sense; its own branches on one of
these conditions come first, its other branches after."""

Price = Annotated[int, Field(gt=0, le=1_000_000)]
Turn = Annotated[int, Field(ge=1, le=100)]


class _Part(BaseModel):
    """A table of the file: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Hotel(_Part):
    name: str
    city: str
    kind: Literal["business", "resort", "boutique", "family", "airport", "homestay"]
    stars: Annotated[int, Field(ge=1, le=5)]
    season: Literal["low", "shoulder", "high"]
    occupancy: Annotated[float, Field(ge=0.0, le=1.0)]


class _Facts(_Part):
    exposure: int
    conversion: int
    competitor_name: str
    competitor_price: Price
    event: str
    demand: int


class _Ticket(_Part):
    room: str
    check_in: date
    nights: Annotated[int, Field(ge=1, le=365)]
    selling: Price
    commission: Annotated[float, Field(ge=0.0, lt=1.0)]
    target: Price
    floor: Price


class _Branch(_Part):
    when: str
    text: str

    @field_validator("when")
    @classmethod
    def _known(cls, when: str) -> str:
        try:
            check_condition(when)
        except UsageError as error:
            raise ValueError(str(error).removeprefix("expected ")) from error
        return when


class _Line(_Part):
    text: str
    branches: list[_Branch] = []


class _Check(_Part):
    kind: str
    turns: list[Turn] = []
    ticket: Annotated[int, Field(ge=1, le=3)] | None = None
    low: float | None = None
    high: float | None = None
    figures: list[float] = []
    words: list[str] = []

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"a kind of check.{did_you_mean(kind, KINDS)}")
        return kind

    @model_validator(mode="after")
    def _complete(self) -> _Check:
        missing = [name for name in KINDS[self.kind].needs if getattr(self, name) in (None, [])]
        if missing:
            raise ValueError(f"{' and '.join(missing)} for a {self.kind} check")
        return self


class _Half(_Part):
    problem: str
    turn: Turn | None = None
    text: str = ""
    replies: list[str] = []

    @field_validator("problem")
    @classmethod
    def _known(cls, problem: str) -> str:
        if problem not in PROBLEMS:
            raise ValueError(f"a problem's id.{did_you_mean(problem, PROBLEMS)}")
        return problem

    @model_validator(mode="after")
    def _one_way(self) -> _Half:
        if (self.turn is None) != bool(self.replies):
            raise ValueError("either turn and text, or replies")
        return self


class _Replies(_Part):
    good: list[str]
    bad: list[str] = []
    half: _Half | None = None

    @model_validator(mode="after")
    def _half_fits(self) -> _Replies:
        if self.half is not None and (self.half.turn or 1) > len(self.good):
            raise ValueError(f"a half.turn of at most {len(self.good)}, the number of good replies")
        return self


class _CaseFile(_Part):
    title: str
    fails: str = ""
    category: str
    severity: Literal["minor", "major", "severe"]
    hotel: _Hotel
    facts: _Facts
    promises: list[str]
    tickets: Annotated[list[_Ticket], Field(min_length=1, max_length=3)]
    script: Annotated[list[_Line], Field(min_length=1)] | None = None
    checks: list[_Check] = []
    replies: _Replies | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    max_turns: Turn | None = None

    @model_validator(mode="after")
    def _script_has_checks(self) -> _CaseFile:
        if (self.script is None) != (not self.checks):
            raise ValueError("both [[script]] and [[checks]], or neither of them")
        return self


def read_case(path: Path) -> Case:
    """Read one case file; the case's id is the file's name without ``.toml``.

    Raises:
        DataFileError: the file is unreadable, no TOML, or a field is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFileError(f"{path}: expected a readable case file ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path}: expected a TOML file in UTF-8, got: {error}") from error
    try:
        return _case(path.stem, _CaseFile.model_validate(data), read_failure(path))
    except ValidationError as error:
        raise DataFileError(f"{path}: {_explain(error)}") from error
    except UsageError as error:
        raise DataFileError(f"{path}: {error}") from error


def _explain(error: ValidationError) -> str:
    """Return the first fault as: field, expected, got."""
    faults = error.errors(include_url=False)
    # A misspelt field is also a missing one: the misspelling says more.
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(p + 1) if isinstance(p, int) else p for p in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"{place}: expected one of the fields below, got an unknown one\n{FORMAT}"
    if first["type"] == "missing":
        return f"{place}: expected this field, got nothing: add it"
    wanted = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{place}: expected {wanted}, got {_short(first['input'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _case(name: str, file: _CaseFile, failure: RecordedFailure | None) -> Case:
    card = TaskCard(
        hotel=Hotel(**file.hotel.model_dump()),
        tickets=tuple(Ticket(t.room, t.check_in, t.nights, t.selling, t.commission, t.target) for t in file.tickets),
        facts=Facts(**file.facts.model_dump()),
        promises=tuple(file.promises),
    )
    brief = ManagerBrief(tuple(t.floor for t in file.tickets))
    # Cases differ in their draws without anybody having to number them.
    seed = zlib.crc32(name.encode()) if file.seed is None else file.seed
    lines = None if file.script is None else tuple(map(_line, file.script))
    replies = file.replies or _Replies(good=[])
    return Case(
        scenario=Scenario(name, episode_seed(seed), card, brief),
        category=file.category,
        severity=file.severity,
        script=lines,
        checks=tuple(_check(check) for check in file.checks),
        title=file.title,
        max_turns=file.max_turns or (20 if lines is None else len(lines)),
        fails=file.fails,
        good=tuple(replies.good),
        bad=failure.replies if failure else tuple(replies.bad),
        half=_half(replies),
        failure=failure,
    )


def _line(line: _Line) -> ScriptLine:
    own = tuple((branch.when, branch.text) for branch in line.branches)
    if not line.text.strip():
        return ScriptLine(line.text, own)
    first = tuple(branch for branch in own if any(name in branch[0] for name, _ in DEFAULT_BRANCHES))
    return ScriptLine(line.text, first + DEFAULT_BRANCHES + tuple(branch for branch in own if branch not in first))


def _half(replies: _Replies) -> HalfFix | None:
    half = replies.half
    if half is None:
        return None
    if half.turn is None:
        return HalfFix(half.problem, tuple(half.replies))
    said = [*replies.good[: half.turn - 1], half.text, *replies.good[half.turn :]]
    return HalfFix(half.problem, tuple(said))


def _check(check: _Check) -> CheckSpec:
    return CheckSpec(
        kind=check.kind,
        turns=tuple(check.turns),
        ticket=check.ticket,
        low=check.low,
        high=check.high,
        figures=tuple(check.figures),
        words=tuple(check.words),
    )
