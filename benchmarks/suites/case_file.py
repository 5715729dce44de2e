"""Reads a case from a TOML file: data, checked field by field, with errors that name file, field and value.

A case file is a scenario file (``negotiation_env.game.scenario_file``), and one without anything more is a live case.
What it may hold beside that::

    title, category, severity (minor, major, severe), fails, max_turns
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

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from benchmarks.checks.case_checks import KINDS, CheckSpec
from benchmarks.checks.problems import PROBLEMS
from benchmarks.suites.case import Case, HalfFix, RecordedFailure, read_failure
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import Many, Table, known, read_toml
from negotiation_env.game.scenario_file import ScenarioFile
from simulators.managers.replay_manager import ScriptLine, check_condition

OWN = "own"
"""Category of a case whose file names none."""
SETTLED_LINE = "Then that is settled. Thank you for your call, goodbye."
CLOSED_LINE = "Goodbye."
EMPTY_LINE = "Hello? I cannot hear you."
DEFAULT_BRANCHES = (("settled", SETTLED_LINE), ("close", CLOSED_LINE), ("silence", EMPTY_LINE))
"""What every scripted line but silence branches on, where its text would make no sense; its own branches on one of
these conditions come first, its other branches after."""

Turn = Annotated[int, Field(ge=1, le=100)]


def _checked_condition(when: str) -> str:
    check_condition(when)
    return when


class _Branch(Table):
    when: Annotated[str, AfterValidator(_checked_condition)]
    text: str


class _ScriptLine(Table):
    text: str
    branches: Many[_Branch] = ()


class _Check(Table):
    kind: Annotated[str, known(KINDS, "a kind of check")]
    turns: Many[Turn] = ()
    ticket: Annotated[int, Field(ge=1, le=3)] | None = None
    low: float | None = None
    high: float | None = None
    figures: Many[float] = ()
    words: Many[str] = ()

    @model_validator(mode="after")
    def _complete(self) -> _Check:
        missing = [name for name in KINDS[self.kind].needs if getattr(self, name) in (None, ())]
        if missing:
            raise ValueError(f"{' and '.join(missing)} for a {self.kind} check")
        return self


class _Half(Table):
    problem: Annotated[str, known(PROBLEMS, "a problem's id")]
    turn: Turn | None = None
    text: str = ""
    replies: Many[str] = ()

    @model_validator(mode="after")
    def _one_way(self) -> _Half:
        if (self.turn is None) != bool(self.replies):
            raise ValueError("either turn and text, or replies")
        return self


class _Replies(Table):
    good: Many[str]
    bad: Many[str] = ()
    half: _Half | None = None

    @model_validator(mode="after")
    def _half_fits(self) -> _Replies:
        if self.half is not None and (self.half.turn or 1) > len(self.good):
            raise ValueError(f"a half.turn of at most {len(self.good)}, the number of good replies")
        return self


class _CaseFile(ScenarioFile):
    title: str = ""
    fails: str = ""
    category: str = OWN
    severity: Literal["minor", "major", "severe"] = "minor"
    script: Annotated[list[_ScriptLine], Field(min_length=1)] | None = None
    checks: Many[_Check] = ()
    replies: _Replies | None = None
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
    file = read_toml(path, _CaseFile)
    try:
        return _case(path.stem, file, read_failure(path))
    except UsageError as error:
        raise DataFileError(f"{path}: {error}") from error


def _case(name: str, file: _CaseFile, failure: RecordedFailure | None) -> Case:
    lines = None if file.script is None else tuple(map(_line, file.script))
    replies = file.replies or _Replies(good=())
    return Case(
        scenario=file.scenario(name),
        category=file.category,
        severity=file.severity,
        script=lines,
        checks=tuple(_check(check) for check in file.checks),
        title=file.title or name,
        max_turns=file.max_turns or (20 if lines is None else len(lines)),
        fails=file.fails,
        good=tuple(replies.good),
        bad=failure.replies if failure else tuple(replies.bad),
        half=_half(replies),
        failure=failure,
    )


def _line(line: _ScriptLine) -> ScriptLine:
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
