"""Rules as data: what a rules file may hold, and its checks, among them that no pattern blows up on hostile text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import regex
from pydantic import ConfigDict, Field, PlainValidator

from negotiation_env.errors import DataFileError
from negotiation_env.files import Number, Table, Text, known, parse, read_toml
from negotiation_env.game.features import FEATURE_INDEX
from rewards.rules.measures import MEASURES
from rewards.rules.plain_text import DIGIT, LONGEST_READ

PROBE_SECONDS: Final = 0.1
"""A pattern that twice takes longer than this on one hostile text is refused."""
POINTS: Final = {"minor": -15, "major": -50, "severe": -100}
"""What a rule that fires costs, by its severity: one severe breach takes all of a good R_model at n = 100."""
_NEED: Final = regex.compile("[a-z0-9]+(?: [a-z0-9]+)*")
_UNITS: Final = (
    "a", "1", " ", "a ", "ab", "a1", "a-", "A.", "((", "[{", "\n", "- \n", "<a ", "you ", "we will ", "not ", "的",
    "是 ", "a,b;", "no one can ", "\u00e9", "$1 ", "_*", "\"':", "@a.",
)  # fmt: skip

Example: TypeAlias = str | Mapping[str, Any]
"""A reply, or a table with ``text``, and what was ``said`` before and by the ``manager``, ``repeat`` (times), or
``rooms`` (1 or 2 on the example card)."""


def _read_pattern(value: object) -> str:
    """Return a pattern, given as one text or as a list of which any may match."""
    parts: list[Any] = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError("a text or a list of texts")
    for part in parts:
        try:
            regex.compile(part)
        except regex.error as error:
            raise ValueError(f"expected a regular expression ({error}), got {part!r}") from error
    return "|".join(parts)


def _read_example(value: object) -> Example:
    keys = set(value) if isinstance(value, dict) else {"text"}
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str) or not keys <= {"text", "said", "manager", "repeat", "rooms"}:
        raise ValueError("a text, or a table of text, said, manager, repeat and rooms")
    return value if isinstance(value, dict) else text


_Pattern: TypeAlias = Annotated[str | None, PlainValidator(_read_pattern)]
_Examples: TypeAlias = tuple[Annotated[Example, PlainValidator(_read_example)], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a ``pattern``, a ``measure`` or a ``feature``; a feature may have the others, to hold as well.

    Attributes:
        id: unique name in lower case.
        points: added to E_func when the rule fires, -100 to 100; a file that gives none means those of the severity.
        severity: "minor", "major" or "severe".
        message: why, for the breakdown.
        group: rules of one group count once, at the lowest points.
        asked: regular expression over the hotel's last message in lower case; the rule is tried only where it is found.
        pattern: regular expression over the prepared text.
        unless: regular expression; a match of ``pattern`` does not count where this is found before it in its clause.
            Beside a feature or ``asked`` without a pattern: the rule does not fire where this is found in the reply.
        taken_back: regular expression, beside ``pattern``; a match does not count where this is found right behind it,
            in its sentence.
        unless_heard: beside ``pattern``; a match does not count whose longer words all stand in the hotel's message.
        measure: name in ``measures.MEASURES``.
        feature: name in ``features.FEATURES``.
        above: threshold of measure or feature; a measure beside a feature has to be above 0.
        needs: words, phrases or single signs without which pattern or measure is not tried; "0-9" stands for any digit.
            Beside ``asked``: words of the hotel's message.
        phrases: what the measurement watches.
        yes, no: examples that must and must not fire.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: Text
    points: Annotated[Number, Field(ge=-100, le=100)]
    severity: Literal["minor", "major", "severe"]
    message: Text
    group: str = ""
    asked: _Pattern = None
    pattern: _Pattern = None
    unless: _Pattern = None
    taken_back: _Pattern = None
    unless_heard: bool = False
    measure: Annotated[str | None, known(tuple(MEASURES), "the name of a measure")] = None
    feature: Annotated[str | None, known(tuple(FEATURE_INDEX), "the name of a feature")] = None
    above: Number = 0.5
    needs: tuple[Text, ...] = ()
    phrases: tuple[Text, ...] = ()
    yes: _Examples = ()
    no: _Examples = ()


class _RuleFile(Table):
    rule: list[dict[str, Any]]


def load_rules(path: Path, probe: bool = True) -> tuple[Rule, ...]:
    """Read and check a rules file.

    Args:
        path: the file.
        probe: whether to try every pattern on hostile text.

    Raises:
        DataFileError: names the file, the rule, the field, what was expected and what was found.
    """
    rules: list[Rule] = []
    for number, table in enumerate(read_toml(path, _RuleFile).rule, 1):
        where = f"{path}: rule {table.get('id', number)!r}"
        points = POINTS.get(str(table.get("severity")), 0)
        rule = parse(Rule, {"points": points, **table}, where)
        _check_condition(rule, where)
        if rule.id in [other.id for other in rules]:
            raise DataFileError(f"{where}: id: expected a name that no other rule has, got {rule.id!r}")
        rules.append(rule)
    for rule in rules:
        if probe and (text := slow_text(rule)) is not None:
            raise DataFileError(
                f"{path}: rule {rule.id!r}: pattern: expected at most {PROBE_SECONDS} s on any reply, got more on "
                f"{text[:24]!r}... ({len(text)} characters): avoid repeats inside repeats, bound them ({{0,40}})"
            )
    return tuple(rules)


def slow_text(rule: Rule) -> str | None:
    """Return a hostile text on which the rule's pattern takes too long, or None if none of the probes does."""
    for pattern in (rule.asked, rule.pattern, rule.unless, rule.taken_back):
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
    signs = "\x03" + "".join(dict.fromkeys(f"{rule.pattern or ''}{rule.unless or ''}{rule.taken_back or ''}"))[:200]
    return texts + [text[: -len(signs)] + signs for text in texts[: len(_UNITS)]]


def _is_slow(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        pattern.search(text, timeout=PROBE_SECONDS)
    except TimeoutError:
        return True
    return False


def _check_condition(rule: Rule, where: str) -> None:
    """Check what the rule matches: a pattern, a measure, or a feature with or without a pattern."""
    given = [field for field in ("pattern", "measure", "feature") if getattr(rule, field) is not None]
    if rule.asked is not None:
        if given not in ([], ["pattern"]) or (not given and rule.unless is None):
            raise DataFileError(
                f"{where}: asked: expected pattern or unless beside it, and no measure or feature, got {given}"
            )
    elif len(given) != 1 and "feature" not in given:
        raise DataFileError(
            f"{where}: pattern: expected exactly one of pattern, measure and feature (or a feature with the others), "
            f"got {given}"
        )
    if rule.measure is not None and rule.feature is None and rule.unless is not None:
        raise DataFileError(f"{where}: unless: expected no such field beside measure, got {rule.unless!r}")
    if rule.pattern is None and (rule.taken_back is not None or rule.unless_heard):
        field = "taken_back" if rule.taken_back is not None else "unless_heard"
        raise DataFileError(f"{where}: {field}: expected a pattern beside it, got {field} alone")
    if rule.feature is not None and rule.needs:
        raise DataFileError(f"{where}: needs: expected no such field beside feature, got {list(rule.needs)}")
    for need in rule.needs:
        if rule.asked is not None and not need.isalnum():
            raise DataFileError(
                f"{where}: needs: expected single words of the hotel's message beside asked, got {need!r}"
            )
        if len(need) > 1 and need != DIGIT and not _NEED.fullmatch(need):
            raise DataFileError(
                f"{where}: needs: expected lower-case words or phrases of letters and digits, single signs, or 0-9, "
                f"got {need!r}"
            )
