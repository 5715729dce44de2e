"""Where in a reply's text a rule hit, for highlighting. Knows the shipped rules' patterns; scores nothing."""

from __future__ import annotations

from functools import cache

import regex

from negotiation_env.records import TurnRecord
from rewards.plain_text import prepare
from rewards.rules import PATTERN_SECONDS, RuleReward

Mark = tuple[int, int, str]
"""First character, the one after the last, and the rule's id."""


@cache
def _patterns() -> dict[str, regex.Pattern[str]]:
    return {rule.id: regex.compile(rule.pattern) for rule in RuleReward.shipped().rules if rule.pattern is not None}


def marks(turn: TurnRecord) -> list[Mark]:
    """Return where the rules that fired hit the text, in order and without overlaps.

    A rule that measures or reads acts has no place in the text. Rules read a prepared text; where preparing changed
    its length (full-width letters, zero-width signs) places cannot be told, and nothing is marked.
    """
    fired = [term.id for term in turn.reward.terms if term.source == "rules" and term.id in _patterns()]
    if not fired:
        return []
    prepared = prepare(turn.text).text
    if len(prepared) != len(turn.text):
        return []
    found: list[Mark] = []
    for name in fired:
        try:
            hit = _patterns()[name].search(prepared, timeout=PATTERN_SECONDS)
        except TimeoutError:
            continue
        if hit is not None and hit.end() > hit.start():
            found.append((hit.start(), hit.end(), name))
    return _apart(sorted(found))


def _apart(found: list[Mark]) -> list[Mark]:
    """Drop what begins inside an earlier mark."""
    kept: list[Mark] = []
    for mark in found:
        if not kept or mark[0] >= kept[-1][1]:
            kept.append(mark)
    return kept
