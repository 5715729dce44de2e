"""Transcripts for the page's browser: what was said, what each reply earned and why, where a rule's pattern hit.

A read-only view of judged episodes; holds public things only (no floor, mood or persona weight).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import regex

from benchmarks.metrics.judging import AssessedEpisode
from benchmarks.raters.panel import RatedReply
from negotiation_env.game.scenario import TaskCard
from negotiation_env.language.describe import in_words
from negotiation_env.play.records import TicketOutcome, TurnRecord
from rewards.rules.plain_text import prepare
from rewards.rules.rule_reward import PATTERN_SECONDS, RuleReward

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


MOST_LIVE: Final = 40
"""Live negotiations shown for each policy and suite; scripted cases are all shown."""


def transcripts(played: Sequence[tuple[str, str, AssessedEpisode]]) -> list[dict[str, Any]]:
    """Return the transcripts as JSON-able data, in the order of the run; of live suites the first so many each."""
    shown: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for policy, suite, p in played:
        if p.case.script is None:
            shown[policy, suite] += 1
            if shown[policy, suite] > MOST_LIVE:
                continue
        found.append(_transcript(policy, suite, p))
    return found


def _transcript(policy: str, suite: str, played: AssessedEpisode) -> dict[str, Any]:
    case, episode = played.case, played.episode
    return {
        "policy": policy,
        "suite": suite,
        "case": episode.scenario_id,
        "title": case.title,
        "category": case.category,
        "severity": case.severity,
        "status": _status(played),
        "end": episode.end.replace("_", " "),
        "fault": episode.fault or "",
        "reader": episode.versions.get("reader", ""),
        "hotel": f"{episode.card.hotel.name}, {episode.card.hotel.city}",
        "tickets": [_ticket(ticket) for ticket in episode.tickets],
        "failed": [f"{check.kind}: {check.finding}" for check in played.checks if not check.passed],
        "problems": [
            {"turn": p.turn, "text": f"{p.id.replace('_', ' ')}: {p.message}", "severe": p.severe}
            for p in played.problems
        ],
        "rating": None if played.rated is None else round(played.rated.consensus.score, 1),
        "turns": [
            _turn(turn, episode.card, None if played.rated is None else played.rated.replies[i])
            for i, turn in enumerate(episode.turns)
        ],
    }


def _status(played: AssessedEpisode) -> str:
    """Return one word for the filter: how a scripted case came out, or whether a live one won a cut."""
    if played.episode.fault is not None:
        return "fault"
    if played.case.script is not None:
        return "clean fix" if played.clean else "fixed" if played.fixed else "not fixed"
    cut = any(t.agreed is not None and t.agreed < t.selling_price for t in played.episode.tickets)
    return "cut agreed" if cut else "no cut"


def _ticket(ticket: TicketOutcome) -> str:
    if ticket.agreed is not None:
        return f"{ticket.room}: {ticket.selling_price} → {ticket.agreed:.0f} (goal {ticket.target_price})"
    state = "refused" if ticket.refused else "open"
    return f"{ticket.room}: {ticket.selling_price}, {state} (goal {ticket.target_price})"


def _turn(turn: TurnRecord, card: TaskCard, rated: RatedReply | None) -> dict[str, Any]:
    reward = turn.reward
    numbers = {"total": reward.total, "model": reward.model, "judge": reward.judge, "rules": reward.rules}
    return {
        "text": turn.text,
        "answer": turn.answer,
        "reading": in_words(turn.acts, card),
        "confidence": turn.confidence,
        "answer_reading": in_words(turn.answer_acts, card),
        "stage": turn.stage.name.lower().replace("_", " "),
        "reward": {name: None if value is None else round(value, 3) for name, value in numbers.items()},
        "terms": [
            {"source": t.source, "id": t.id, "points": round(t.points, 2), "text": t.message} for t in reward.terms
        ],
        "marks": marks(turn),
        "rating": None if rated is None else _rating(rated),
        "faults": list(turn.faults),
    }


def _rating(rated: RatedReply) -> dict[str, Any]:
    """Return the panel's score of a reply and each rater's findings."""
    return {
        "score": round(rated.consensus.score, 1),
        "excellent": rated.consensus.excellent,
        "findings": [
            {"rater": name, "points": round(finding.points, 2), "text": finding.reason}
            for name, own in rated.raters.items()
            for finding in own.findings
        ],
    }
