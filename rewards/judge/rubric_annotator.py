"""The simulated rubric annotator: gives each dimension of ``rubric.toml`` a choice. No human labelled anything here.

It sees what the annotators of preference pairs see (``simulators.people.annotators``) and errs at ``RUBRIC_SLIP``.
"""

from __future__ import annotations

import numpy as np

from negotiation_env.game.features import FEATURE_INDEX
from rewards.judge.rubric import Rubric
from simulators.people.annotators import COURTESY, AnnotatedReply

RUBRIC_SLIP = 0.08
"""Share of rubric verdicts that are one choice off."""


def rubric_choices(reply: AnnotatedReply, rubric: Rubric, rng: np.random.Generator | None = None) -> tuple[int, ...]:
    """Return the simulated rubric annotator's choice (0 is the best) per dimension; slips only with ``rng``."""
    choices = []
    for dimension in rubric.dimensions:
        choice = _CHOICES[dimension.id](reply)
        if rng is not None and rng.random() < RUBRIC_SLIP:
            choice += 1 if rng.random() < 0.5 else -1
        choices.append(max(0, min(len(dimension.choices) - 1, choice)))
    return tuple(choices)


def rubric_points(reply: AnnotatedReply, rubric: Rubric, rng: np.random.Generator) -> tuple[float, ...]:
    """Return the simulated rubric annotator's points per dimension, slips included."""
    choices = rubric_choices(reply, rubric, rng)
    return tuple(d.choices[c].points for d, c in zip(rubric.dimensions, choices, strict=True))


def _has(reply: AnnotatedReply, *names: str) -> bool:
    """Whether one of the features is set."""
    return any(reply.features[FEATURE_INDEX[n]] > 0.0 for n in names)


def _emotional_value(reply: AnnotatedReply) -> int:
    if reply.damage == "rude" or _has(reply, "rude", "pressure"):
        return 4
    if _has(reply, "soothe_upset") or (_has(reply, "greet_first") and not reply.damage):
        return 0
    if _has(reply, "ignore_upset", "no_greeting", "silent"):
        return 3
    kind = sum(COURTESY.get(w, 0.0) for w in dict.fromkeys(reply.words)) > 0.15
    return 1 if kind and not _has(reply, "soothe_idle") else 2


def _dialogue_style(reply: AnnotatedReply) -> int:
    if reply.damage in ("role label", "chain of thought", "placeholder", "markup", "injection", "keyword stuffing"):
        return 3
    if reply.damage in ("over-long", "mixed language", "garbled", "shouting", "cut off") or _has(reply, "silent"):
        return 2
    return (
        1
        if reply.damage in ("repeated", "copied", "flattery") or _has(reply, "stale_reason", "greet_again", "ask_again")
        else 0
    )


def _sop_compliance(reply: AnnotatedReply) -> int:
    if reply.damage == "silence as agreement" or _has(reply, "close_open", "mistaken_claim", "silent"):
        return 3
    if _has(reply, "no_greeting", "ticket_dropped", "ask_again", "bid_without_reason", "off_topic", "press_at_target"):
        return 2
    return 0 if _has(reply, "greet_first", "fresh_reason", "ask_first", "take_at_target", "nudge") else 1


def _negotiation_progress(reply: AnnotatedReply) -> int:
    if _has(reply, "take_at_target"):
        return 0
    if _has(reply, "press_at_target", "bid_above_quote", "take_no_cut", "bid_retreat", "close_open", "silent"):
        return 3
    if reply.damage == "wrong figure" or _has(reply, "nothing_new"):
        return 2
    return 1


def _out_of_bounds(reply: AnnotatedReply) -> int:
    if reply.damage in ("internal term", "target leak", "over-promise", "wrong figure", "personal data"):
        return 2
    if _has(reply, "overpromise", "false_fact"):
        return 2
    return 1 if _has(reply, "off_topic") else 0


_CHOICES = {
    "emotional-value": _emotional_value,
    "dialogue-style": _dialogue_style,
    "sop-compliance": _sop_compliance,
    "negotiation-progress": _negotiation_progress,
    "out-of-bounds": _out_of_bounds,
}
