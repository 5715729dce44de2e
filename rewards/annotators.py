"""Simulated annotators: what they value in a reply, and how often they err. No human labelled anything here.

Three annotators compare two replies to one situation; they read the act-level features and the text, each with its
own weights around common values. One rubric annotator gives each dimension of ``rubric.toml`` a choice. Their errors
are documented constants, so the best accuracy that any model can reach is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from negotiation_env.features import FEATURE_INDEX
from rewards.rubric import Rubric

SLIP = 0.04
"""Share of comparisons in which an annotator ticks the wrong box, whatever the difference."""
TEMPERATURE = 0.8
"""Difference of values at which the better reply is preferred 73 times out of 100 (before slips)."""
GRADES = ((1.5, 0.0), (4.0, 2.0), (8.0, 5.0), (12.0, 9.0), (math.inf, 14.0))
"""How much better, as annotators say it: gap of values below which the grade holds, and the grade's margin."""
RUBRIC_SLIP = 0.08
"""Share of rubric verdicts that are one choice off."""
ANNOTATORS = 3
SPREAD = 0.2
"""Standard deviation of an annotator's own factor on each value."""

VALUES: dict[str, float] = {
    "greet_first": 1.0, "greet_again": -1.0, "no_greeting": -1.0,
    "fresh_reason": 1.1, "stale_reason": -0.7, "answer_reason": 0.9, "ignore_reason": -0.8,
    "soothe_upset": 1.8, "ignore_upset": -1.4, "soothe_idle": -0.6,
    "ask_first": 0.9, "ask_again": -0.9, "nudge": 0.8,
    "bid_with_reason": 0.6, "bid_without_reason": -0.5, "bid_small_step": 0.8, "bid_large_step": -0.7,
    "bid_unmoved": -0.8, "bid_retreat": -1.6, "bid_above_quote": -3.5, "bid_absurd": -1.4,
    "take_at_target": 7.5, "take_cut": 4.0, "take_no_cut": -3.5, "press_at_target": -2.5,
    "mistaken_claim": -3.0, "ticket_dropped": -1.5, "close_open": -12.0, "close_silent_hotel": 1.5,
    "allowed_promise": 0.4, "overpromise": -3.5, "false_fact": -3.0, "rude": -4.0, "pressure": -3.0,
    "silent": -4.5, "off_topic": -2.5, "nothing_new": -1.6,
}  # fmt: skip
"""Common values of act-level features. A good quote taken at once stands far above everything else."""
PRODUCTS: dict[tuple[str, str], float] = {("take_cut", "late"): 4.0, ("nothing_new", "late"): -2.0}
"""Values of products of features: a cut is worth taking late, idling late is worse."""
COURTESY: dict[str, float] = {
    "please": 0.2, "thank": 0.2, "thanks": 0.2, "appreciate": 0.3, "understand": 0.2, "glad": 0.2, "sorry": 0.1,
    "must": -0.3, "unacceptable": -0.5, "demand": -0.1, "immediately": -0.4,
}  # fmt: skip
"""Values of single words."""
DAMAGE: dict[str, float] = {
    "internal term": -3.5, "target leak": -4.0, "over-promise": -3.5, "wrong figure": -2.5, "role label": -3.0,
    "chain of thought": -3.5, "over-long": -2.0, "repeated": -1.5, "mixed language": -2.5, "rude": -4.0,
    "silence as agreement": -3.0, "personal data": -3.0,
}  # fmt: skip
"""Values of damage done to a reply's text, by kind (see ``data.damage``)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply as an annotator sees it: features, words, and what was done to its text ("" for nothing)."""

    features: tuple[float, ...]
    words: tuple[str, ...]
    damage: str = ""


class Annotator:
    """One simulated annotator.

    Args:
        number: which one, 0 to ``ANNOTATORS`` - 1; decides its own weights.
    """

    def __init__(self, number: int) -> None:
        rng = np.random.default_rng((0xA11, number))

        def own(values: dict[str, float]) -> dict[str, float]:
            return {name: v * float(1.0 + SPREAD * rng.standard_normal()) for name, v in values.items()}

        self._features = [(FEATURE_INDEX[name], v) for name, v in own(VALUES).items()]
        self._courtesy, self._damage = own(COURTESY), own(DAMAGE)

    def value(self, reply: Judged) -> float:
        """Return what the reply is worth to this annotator."""
        features = reply.features
        total = sum(features[i] * v for i, v in self._features)
        for (a, b), v in PRODUCTS.items():
            total += features[FEATURE_INDEX[a]] * features[FEATURE_INDEX[b]] * v
        total += max(-0.6, min(0.6, sum(self._courtesy.get(w, 0.0) for w in dict.fromkeys(reply.words))))
        return total + (self._damage[reply.damage] if reply.damage else 0.0)

    def gap(self, a: Judged, b: Judged) -> float:
        """Return by how much ``a`` is worth more than ``b``, in units of ``TEMPERATURE``."""
        return (self.value(a) - self.value(b)) / TEMPERATURE

    def margin(self, a: Judged, b: Judged) -> float:
        """Return the margin of the grade that this annotator gives with its choice: 0 for "slightly better"."""
        size = abs(self.gap(a, b))
        return next(margin for limit, margin in GRADES if size < limit)

    def preference(self, a: Judged, b: Judged) -> float:
        """Return the probability with which this annotator prefers ``a`` to ``b``."""
        gap = self.gap(a, b)
        clear = 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, gap))))
        return SLIP + (1.0 - 2.0 * SLIP) * clear


def rubric_points(reply: Judged, rubric: Rubric, rng: np.random.Generator) -> tuple[float, ...]:
    """Return the simulated rubric annotator's points per dimension, slips included."""
    points = []
    for dimension in rubric.dimensions:
        choice = _CHOICES[dimension.id](reply)
        if rng.random() < RUBRIC_SLIP:
            choice += 1 if rng.random() < 0.5 else -1
        points.append(dimension.choices[max(0, min(len(dimension.choices) - 1, choice))].points)
    return tuple(points)


def _has(reply: Judged, *names: str) -> bool:
    """Whether one of the features is set."""
    return any(reply.features[FEATURE_INDEX[n]] > 0.0 for n in names)


def _emotional_value(reply: Judged) -> int:
    if reply.damage == "rude" or _has(reply, "rude", "pressure"):
        return 4
    if _has(reply, "soothe_upset") or (_has(reply, "greet_first") and not reply.damage):
        return 0
    if _has(reply, "ignore_upset", "no_greeting", "silent"):
        return 3
    kind = sum(COURTESY.get(w, 0.0) for w in dict.fromkeys(reply.words)) > 0.15
    return 1 if kind and not _has(reply, "soothe_idle") else 2


def _dialogue_style(reply: Judged) -> int:
    if reply.damage in ("role label", "chain of thought"):
        return 3
    if reply.damage in ("over-long", "mixed language") or _has(reply, "silent"):
        return 2
    return 1 if reply.damage == "repeated" or _has(reply, "stale_reason", "greet_again", "ask_again") else 0


def _sop_compliance(reply: Judged) -> int:
    if reply.damage == "silence as agreement" or _has(reply, "close_open", "mistaken_claim", "silent"):
        return 3
    if _has(reply, "no_greeting", "ticket_dropped", "ask_again", "bid_without_reason", "off_topic", "press_at_target"):
        return 2
    return 0 if _has(reply, "greet_first", "fresh_reason", "ask_first", "take_at_target", "nudge") else 1


def _negotiation_progress(reply: Judged) -> int:
    if _has(reply, "take_at_target"):
        return 0
    if _has(reply, "press_at_target", "bid_above_quote", "take_no_cut", "bid_retreat", "close_open", "silent"):
        return 3
    if reply.damage == "wrong figure" or _has(reply, "nothing_new"):
        return 2
    return 1


def _out_of_bounds(reply: Judged) -> int:
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
