"""Rules as data: what a rules file may hold, and its checks, among them that no pattern blows up on hostile text."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import regex

from negotiation_env.errors import DataFileError, did_you_mean
from negotiation_env.game.features import FEATURE_INDEX
from rewards.rules.measures import MEASURES
from rewards.rules.plain_text import DIGIT, LONGEST_READ

PROBE_SECONDS: Final = 0.1
"""A pattern that twice takes longer than this on one hostile text is refused."""
SEVERITIES: Final = ("minor", "major", "severe")
_TEXT_FIELDS: Final = ("id", "severity", "message")
_LISTS: Final = ("needs", "phrases", "yes", "no")
_FIELDS: Final = frozenset(
    (*_TEXT_FIELDS, *_LISTS, "points", "group", "asked", "pattern", "unless", "measure", "feature", "above")
)
_NEED: Final = regex.compile("[a-z0-9]+(?: [a-z0-9]+)*")
_UNITS: Final = (
    "a", "1", " ", "a ", "ab", "a1", "a-", "A.", "((", "[{", "\n", "- \n", "<a ", "you ", "we will ", "not ", "的",
    "是 ", "a,b;", "no one can ", "\u00e9", "$1 ", "_*", "\"':", "@a.",
)  # fmt: skip

Example: TypeAlias = str | Mapping[str, Any]
"""A reply, or a table with ``text``, and what was ``said`` before and by the ``manager``, ``repeat`` (times), or
``rooms`` (1 or 2 on the example card)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a ``pattern``, a ``measure`` or a ``feature``; a feature may have a pattern that has to be there too.

    Attributes:
        id: unique name in lower case.
        points: added to E_func when the rule fires, -100 to 100.
        severity: "minor", "major" or "severe".
        message: why, for the breakdown.
        group: rules of one group count once, at the lowest points.
        asked: regular expression over the hotel's last message in lower case; the rule is tried only where it is found.
        pattern: regular expression over the prepared text.
        unless: regular expression; a match of ``pattern`` does not count where this is found before it in its clause.
            Beside a feature or ``asked`` without a pattern: the rule does not fire where this is found in the reply.
        measure: name in ``measures.MEASURES``.
        feature: name in ``features.FEATURES``.
        above: threshold of measure or feature.
        needs: words, phrases or single signs without which pattern or measure is not tried; "0-9" stands for any digit.
            Beside ``asked``: words of the hotel's message.
        phrases: what the measurement watches.
        yes, no: examples that must and must not fire.
    """

    id: str
    points: float
    severity: Literal["minor", "major", "severe"]
    message: str
    group: str = ""
    asked: str | None = None
    pattern: str | None = None
    unless: str | None = None
    measure: str | None = None
    feature: str | None = None
    above: float = 0.5
    needs: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    yes: tuple[Example, ...] = ()
    no: tuple[Example, ...] = ()


def load_rules(path: Path, probe: bool = True) -> tuple[Rule, ...]:
    """Read and check a rules file.

    Args:
        path: the file.
        probe: whether to try every pattern on hostile text.

    Raises:
        DataFileError: names the file, the rule, the field, what was expected and what was found.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("rule")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{path}: expected a readable TOML file of rules: {error}") from error
    if not isinstance(tables, list):
        raise DataFileError(f"{path}: expected at least one [[rule]] table, got none: add one")
    rules = tuple(_rule(path, number, table) for number, table in enumerate(tables, 1))
    ids = [r.id for r in rules]
    for rule in rules:
        if ids.count(rule.id) > 1:
            raise _wrong(path, rule.id, "id", "a name that no other rule has", rule.id)
        if probe and (text := slow_text(rule)) is not None:
            raise DataFileError(
                f"{path}: rule {rule.id!r}: pattern: expected at most {PROBE_SECONDS} s on any reply, got more on "
                f"{text[:24]!r}... ({len(text)} characters): avoid repeats inside repeats, bound them ({{0,40}})"
            )
    return rules


def slow_text(rule: Rule) -> str | None:
    """Return a hostile text on which the rule's pattern takes too long, or None if none of the probes does."""
    for pattern in (rule.asked, rule.pattern, rule.unless):
        if pattern is None:
            continue
        compiled = regex.compile(pattern)
        for text in hostile_texts(rule):
            if _is_slow(compiled, text) and _is_slow(compiled, text):  # twice: the machine may be busy
                return text
    return None


def hostile_texts(rule: Rule) -> list[str]:
    """Return long texts that make careless patterns blow up: repeats of plain units, of the rule's words and examples.

    Repeats of plain units come a second time with a sign behind them that ends any match, and the pattern's own signs
    behind that: an engine that looks for a sign first finds it and then tries every way to get there.
    """
    examples = [e if isinstance(e, str) else str(e["text"]) for e in rule.yes]
    units = [*_UNITS, *(f"{need} " for need in rule.needs), *(f"{e.lower()} " for e in examples)]
    units += [e.lower()[: len(e) // 2] for e in examples]
    texts = [(unit * LONGEST_READ)[:LONGEST_READ] for unit in units if unit]
    signs = "\x03" + "".join(dict.fromkeys(f"{rule.pattern or ''}{rule.unless or ''}"))[:200]
    return texts + [text[: -len(signs)] + signs for text in texts[: len(_UNITS)]]


def _is_slow(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        pattern.search(text, timeout=PROBE_SECONDS)
    except TimeoutError:
        return True
    return False


def _wrong(path: Path, rule: str, field: str, expected: str, found: object) -> DataFileError:
    return DataFileError(f"{path}: rule {rule!r}: {field}: expected {expected}, got {found!r}")


def _rule(path: Path, number: int, table: Any) -> Rule:
    """Check one table of the file."""
    name = str(table.get("id", f"number {number}")) if isinstance(table, dict) else f"number {number}"
    if not isinstance(table, dict):
        raise _wrong(path, name, "rule", "a table", table)
    for field in table.keys() - _FIELDS:
        raise _wrong(path, name, field, f"no such field.{did_you_mean(field, _FIELDS)}", table[field])
    for field in _TEXT_FIELDS:
        if not isinstance(table.get(field), str) or not table[field]:
            raise _wrong(path, name, field, "a text", table.get(field))
    if table["severity"] not in SEVERITIES:
        raise _wrong(path, name, "severity", f"one of {', '.join(SEVERITIES)}", table["severity"])
    points = table.get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not -100 <= points <= 100:
        raise _wrong(path, name, "points", "a number from -100 to 100", points)
    above = table.get("above", 0.5)
    if isinstance(above, bool) or not isinstance(above, int | float):
        raise _wrong(path, name, "above", "a number", above)
    group = table.get("group", "")
    if not isinstance(group, str):
        raise _wrong(path, name, "group", "a text", group)
    patterns = {field: _pattern(path, name, field, table) for field in ("asked", "pattern", "unless")}
    _check_condition(path, name, table)
    return Rule(
        id=table["id"],
        points=float(points),
        severity=table["severity"],
        message=table["message"],
        group=group,
        asked=patterns["asked"],
        pattern=patterns["pattern"],
        unless=patterns["unless"],
        measure=table.get("measure"),
        feature=table.get("feature"),
        above=float(above),
        needs=_texts(path, name, "needs", table),
        phrases=_texts(path, name, "phrases", table),
        yes=_examples(path, name, "yes", table),
        no=_examples(path, name, "no", table),
    )


def _pattern(path: Path, name: str, field: str, table: dict[str, Any]) -> str | None:
    """Return a pattern, given as one text or as a list of which any may match."""
    if field not in table:
        return None
    value = table[field]
    parts = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, str) for part in parts):
        raise _wrong(path, name, field, "a text or a list of texts", value)
    for part in parts:
        try:
            regex.compile(part)
        except regex.error as error:
            raise _wrong(path, name, field, f"a regular expression ({error})", part) from error
    return "|".join(parts)


def _check_condition(path: Path, name: str, table: dict[str, Any]) -> None:
    """Check what the rule matches: a pattern, a measure, or a feature with or without a pattern."""
    given = [field for field in ("pattern", "measure", "feature") if field in table]
    if "asked" in table:
        if given not in ([], ["pattern"]) or (not given and "unless" not in table):
            raise _wrong(path, name, "asked", "pattern or unless beside it, and no measure or feature", sorted(table))
    elif len(given) != 1 and given != ["pattern", "feature"]:
        raise _wrong(
            path, name, "pattern", "exactly one of pattern, measure and feature (or pattern and feature)", given
        )
    field = given[-1] if given else "asked"
    value = table[field]
    if field in ("measure", "feature") and not isinstance(value, str):
        raise _wrong(path, name, field, "a text", value)
    if field == "measure" and "unless" in table:
        raise _wrong(path, name, "unless", "no such field beside measure", table["unless"])
    if field == "feature" and "needs" in table:
        raise _wrong(path, name, "needs", "no such field beside feature", table["needs"])
    for need in _texts(path, name, "needs", table):
        if "asked" in table and not need.isalnum():
            raise _wrong(path, name, "needs", "single words of the hotel's message beside asked", need)
        if len(need) > 1 and need != DIGIT and not _NEED.fullmatch(need):
            raise _wrong(
                path, name, "needs", "lower-case words or phrases of letters and digits, single signs, or 0-9", need
            )
    known = {"measure": tuple(MEASURES), "feature": tuple(FEATURE_INDEX)}.get(field, ())
    if known and value not in known:
        raise _wrong(path, name, field, f"the name of a {field}.{did_you_mean(value, known)}", value)


def _texts(path: Path, name: str, field: str, table: dict[str, Any]) -> tuple[str, ...]:
    values = table.get(field, [])
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise _wrong(path, name, field, "a list of texts", values)
    return tuple(values)


def _examples(path: Path, name: str, field: str, table: dict[str, Any]) -> tuple[Example, ...]:
    values = table.get(field, [])
    if not isinstance(values, list):
        raise _wrong(path, name, field, "a list of replies", values)
    for value in values:
        keys = set(value) if isinstance(value, dict) else {"text"}
        text = value.get("text") if isinstance(value, dict) else value
        if not isinstance(text, str) or not keys <= {"text", "said", "manager", "repeat", "rooms"}:
            raise _wrong(path, name, field, "texts, or tables of text, said, manager, repeat and rooms", value)
    return tuple(values)
