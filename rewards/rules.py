"""RF: the rule-based reward source. Rules are data (``rules.toml``); this module loads, checks and applies them.

A rule is a pattern over the reply's text, a named measurement (``measures``), or an act-level feature; its points are
added to E_func when it fires. Text is compared in lower case, NFKC-normalised, without zero-width signs and with
look-alike letters as Latin ones. The module knows the public view of a reply and nothing else.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import regex

from negotiation_env.errors import DataFileError, did_you_mean
from negotiation_env.features import FEATURE_INDEX
from negotiation_env.lanes import Lanes, Num
from negotiation_env.protocols import ReplyView, RewardTerm
from rewards.measures import LONGEST_READ, MEASURES, Prepared, tokens_of
from rewards.sources import RuleScore

SHIPPED = Path(__file__).with_name("rules.toml")
PATTERN_SECONDS = 0.25
"""Time limit of one pattern on one reply; a pattern that reaches it leaves the reply unscored, with a fault."""
SEVERITIES = ("minor", "major", "severe")
_TEXT_FIELDS = ("id", "severity", "message")
_FIELDS = frozenset(
    (*_TEXT_FIELDS, "points", "group", "pattern", "measure", "feature", "above", "needs", "phrases", "yes", "no")
)
_ZERO_WIDTH = dict.fromkeys(
    (
        0xAD,
        0x34F,
        0x61C,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        *range(0x180B, 0x180F),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        0xFEFF,
    )
)
# Cyrillic and Greek letters that look like Latin ones, and typographic quotes and dashes.
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕԁһӏգɡοανρτικυϲ‘’“”‐‑–—",  # noqa: RUF001 - the look-alikes are the point
    "aeopcyxijsdhlggoavptikuc''\"\"----",
)

Example: TypeAlias = str | Mapping[str, Any]
"""A reply, or a table with ``text``, and what was ``said`` before and by the ``manager``, or ``repeat`` (times)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Exactly one of ``pattern``, ``measure`` and ``feature`` is set.

    Attributes:
        id: unique name in lower case.
        points: added to E_func when the rule fires, -100 to 100.
        severity: "minor", "major" or "severe".
        message: why, for the breakdown.
        group: rules of one group count once, at the lowest points.
        pattern: regular expression over the prepared text.
        measure: name in ``measures.MEASURES``.
        feature: name in ``features.FEATURES``.
        above: threshold of measure or feature.
        needs: words or single signs without which the pattern is not tried.
        phrases: what the measurement watches.
        yes, no: examples that must and must not fire.
    """

    id: str
    points: float
    severity: Literal["minor", "major", "severe"]
    message: str
    group: str = ""
    pattern: str | None = None
    measure: str | None = None
    feature: str | None = None
    above: float = 0.5
    needs: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    yes: tuple[Example, ...] = ()
    no: tuple[Example, ...] = ()


def prepare(text: str) -> Prepared:
    """Return a reply ready for rules. Plain ASCII (a yuan sign apart), the common case, takes the short way."""
    raw = text[:LONGEST_READ].replace("¥", "$")
    if raw.isascii():
        lower = raw.lower()
        return Prepared(lower, raw, tokens_of(lower), True)
    raw = unicodedata.normalize("NFKC", raw).translate(_ZERO_WIDTH)
    lower = raw.lower().translate(_LOOK_ALIKES)
    return Prepared(lower, raw, tokens_of(lower), False)


class RuleReward:
    """Applies a list of rules to replies.

    Args:
        rules: the rules, in the order in which their terms are listed.

    Every rule is prepared at construction: patterns compiled, and words and signs that patterns need gathered into
    one set, so that a harmless reply costs one set intersection.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._terms = tuple(RewardTerm("rules", r.id, r.points, r.message) for r in rules)
        self._features = tuple(
            (FEATURE_INDEX[r.feature], r.above, i) for i, r in enumerate(rules) if r.feature is not None
        )
        self._measures = tuple(
            (MEASURES[r.measure], r.phrases, r.above, i) for i, r in enumerate(rules) if r.measure is not None
        )
        self._patterns = {i: regex.compile(r.pattern) for i, r in enumerate(rules) if r.pattern is not None}
        self._always = tuple(i for i in self._patterns if not rules[i].needs)
        cues: dict[str, tuple[int, ...]] = {}
        for i in self._patterns:
            for need in rules[i].needs:
                cues[need] = (*cues.get(need, ()), i)
        self._cues = cues
        self._words = frozenset(c for c in cues if c.isalnum())
        signs = "".join(c for c in cues if not c.isalnum())
        # The standard library's engine looks for single characters ten times as fast.
        self._sign = re.compile(f"[{re.escape(signs)}]") if signs else None

    @classmethod
    def from_toml(cls, path: str | Path | None = None) -> RuleReward:
        """Load rules from a file; None loads the shipped ones. Raises ``DataFileError`` where the file is wrong."""
        return cls(load_rules(SHIPPED if path is None else Path(path)))

    @classmethod
    def shipped(cls) -> RuleReward:
        """Return the shipped rules, loaded once per process."""
        return _shipped()

    def score(self, view: ReplyView) -> RuleScore:
        """Check one reply against every rule."""
        features, prepared = view.features, prepare(view.text)
        fired = [i for place, above, i in self._features if features[place] > above]
        for measure, phrases, above, i in self._measures:
            if measure(view, prepared, phrases) > above:
                fired.append(i)
        text, slow = prepared.text, ""
        for i in self._candidates(prepared):
            try:
                if self._patterns[i].search(text, timeout=PATTERN_SECONDS):
                    fired.append(i)
            except TimeoutError:
                slow = f"rule {self.rules[i].id!r} took more than {PATTERN_SECONDS} s"
        if slow:
            return RuleScore(None, (), slow)
        if not fired:
            return _NOTHING
        fired.sort()
        return self._sum(fired)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num:
        """Return the points of the feature rules, a float or an array [N]."""
        total = lanes.full(features[0], 0.0)
        groups: dict[str, Num] = {}
        for place, above, i in self._features:
            rule, fired = self.rules[i], features[place] > above
            if rule.group:
                points = rule.points * fired
                groups[rule.group] = lanes.minimum(groups.get(rule.group, points), points)
            elif lanes.some(fired):
                total = total + rule.points * fired
        for points in groups.values():
            total = total + points
        return total

    def _candidates(self, prepared: Prepared) -> Sequence[int]:
        """Return which patterns may match: those without needs, and those of which a need is there."""
        cues = self._words.intersection(prepared.tokens)
        signs = self._sign is not None and self._sign.search(prepared.text) is not None
        if not cues and not signs:
            return self._always
        found = set(self._always)
        for cue in cues:
            found.update(self._cues[cue])
        if signs and self._sign is not None:
            for sign in set(self._sign.findall(prepared.text)):
                found.update(self._cues[sign])
        return sorted(found)

    def _sum(self, fired: list[int]) -> RuleScore:
        """Add up rules that fired, one per group (the one of the lowest points)."""
        if len(fired) == 1:
            term = self._terms[fired[0]]
            return RuleScore(term.points, (term,))
        kept: dict[str, int] = {}
        for i in fired:
            rule = self.rules[i]
            key = rule.group or f"rule {i}"
            if key not in kept or rule.points < self.rules[kept[key]].points:
                kept[key] = i
        terms = tuple(self._terms[i] for i in sorted(kept.values()))
        return RuleScore(sum(t.points for t in terms), terms)


_NOTHING = RuleScore(0.0)


@cache
def _shipped() -> RuleReward:
    return RuleReward.from_toml()


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read and check a rules file.

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
    return rules


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
    _check_condition(path, name, table)
    return Rule(
        id=table["id"],
        points=float(points),
        severity=table["severity"],
        message=table["message"],
        group=group,
        pattern=table.get("pattern"),
        measure=table.get("measure"),
        feature=table.get("feature"),
        above=float(above),
        needs=_texts(path, name, "needs", table),
        phrases=_texts(path, name, "phrases", table),
        yes=_examples(path, name, "yes", table),
        no=_examples(path, name, "no", table),
    )


def _check_condition(path: Path, name: str, table: dict[str, Any]) -> None:
    """Check what the rule matches: one of pattern, measure and feature."""
    given = [field for field in ("pattern", "measure", "feature") if field in table]
    if len(given) != 1:
        raise _wrong(path, name, "pattern", "exactly one of pattern, measure and feature", given)
    field, value = given[0], table[given[0]]
    if not isinstance(value, str):
        raise _wrong(path, name, field, "a text", value)
    if field == "pattern":
        try:
            regex.compile(value)
        except regex.error as error:
            raise _wrong(path, name, field, f"a regular expression ({error})", value) from error
        for need in _texts(path, name, "needs", table):
            if len(need) > 1 and (not need.isalnum() or need != need.lower()):
                raise _wrong(path, name, "needs", "lower-case words of letters and digits, or single signs", need)
    elif "needs" in table:
        raise _wrong(path, name, "needs", f"no such field beside {field}", table["needs"])
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
        if not isinstance(text, str) or not keys <= {"text", "said", "manager", "repeat"}:
            raise _wrong(path, name, field, "texts, or tables of text, said, manager and repeat", value)
    return tuple(values)
