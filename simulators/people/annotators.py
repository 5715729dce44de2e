"""Simulated annotators: what they see and value in a reply, and how often they err. No human labelled anything here.

Preference pairs come from four sources, as in the source paper (arXiv 2510.04214); each has one simulated annotator of
its own. All share the same values (``VALUES``, ``DAMAGE``, ``COURTESY``); a source sees some aspects of a reply fully
and has only a faint view of the others (``SOURCES``), errs at its own rate, and passes over pairs that it can hardly
tell apart. The errors are documented constants,
so the best accuracy that any model can reach is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.seeds import Stream

TEMPERATURE = 0.5
"""Difference of values at which the better reply is preferred 73 times out of 100 (before slips)."""
TIE = 0.8
"""Pairs whose values differ by less than this are passed over by their annotator."""
GRADES = (1.5, 2.5, 4.5, 7.5)
"""Differences of values from which on an annotator says "better", "clearly better", "much better", "not comparable":
margins 1 to 4; below the first it says "slightly better", margin 0."""
SPREAD = 0.1
"""Standard deviation of an annotator's own factor on each value."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where pairs come from, and how their annotator looks at a reply.

    Attributes:
        share: number of pairs among the 6,632 of the source paper.
        sees: share of each aspect's value that the annotator takes in, 0 to 1.
        slip: share of comparisons in which it ticks the wrong box, whatever the difference.
    """

    share: int
    sees: Mapping[str, float]
    slip: float


SOURCES: dict[str, Source] = {
    "production": Source(
        252, {"outcome": 1.0, "moves": 0.6, "sop": 0.4, "tone": 0.4, "text": 0.4, "conduct": 0.6}, 0.06
    ),
    "specialist": Source(
        3178, {"outcome": 0.4, "moves": 0.3, "sop": 0.4, "tone": 1.0, "text": 1.0, "conduct": 0.8}, 0.02
    ),
    "bd-agent": Source(
        1211, {"outcome": 1.0, "moves": 1.0, "sop": 0.6, "tone": 0.5, "text": 0.4, "conduct": 0.8}, 0.03
    ),
    "sop-path": Source(
        1991, {"outcome": 0.9, "moves": 0.6, "sop": 1.0, "tone": 0.6, "text": 0.6, "conduct": 1.0}, 0.02
    ),
}
"""Production knows what came of a reply and little else; language specialists see wording and tone; human BD agents
see negotiation moves; the reviewers of full SOP paths see whether the procedure was kept."""

ASPECTS: dict[str, dict[str, float]] = {
    "outcome": {
        "take_at_target": 7.5, "take_cut": 3.0, "take_above_target": -4.5, "take_no_cut": -1.5, "mistaken_claim": -3.0,
        "close_open": -12.0, "close_silent_hotel": 1.5, "silent": -4.5, "press_at_target": -2.5,
    },
    "moves": {
        "bid_with_reason": 1.4, "bid_without_reason": -0.5, "bid_small_step": 0.8, "bid_large_step": -0.7,
        "bid_unmoved": -0.8, "bid_retreat": -1.6, "bid_above_quote": -3.5, "bid_absurd": -1.4,
        "ticket_dropped": -1.5, "allowed_promise": 0.4, "nothing_new": -1.6,
    },
    "sop": {
        "greet_first": 1.0, "greet_again": -1.0, "no_greeting": -1.0, "fresh_reason": 1.1, "stale_reason": -0.7,
        "answer_reason": 0.9, "ignore_reason": -0.8, "ask_first": 0.9, "ask_again": -0.9, "nudge": 0.8,
        "off_topic": -2.5,
    },
    "tone": {"soothe_upset": 1.8, "ignore_upset": -1.4, "soothe_idle": -0.6, "rude": -4.0, "pressure": -3.0},
    "conduct": {"overpromise": -3.5, "false_fact": -3.0},
}  # fmt: skip
"""Common values of act-level features, by aspect. A good quote taken at once stands far above everything else. A first
small cut taken early is worth less than a fair bid, or credit for single replies would teach to take it. The aspect
"text" is the damage, and "tone" holds the courtesy of words as well."""
ASPECT_OF = {name: aspect for aspect, values in ASPECTS.items() for name in values}
VALUES: dict[str, float] = {name: value for values in ASPECTS.values() for name, value in values.items()}
PRODUCTS: dict[tuple[str, str], float] = {
    ("take_cut", "late"): 5.0, ("take_above_target", "late"): 5.0, ("nothing_new", "late"): -2.0,
    ("bid_small_step", "late"): -1.6,
}  # fmt: skip
"""Values of products of features (seen as the first one is): less and less of a cut is worth taking as the talks last
(after Faratin et al. 1998, whose agents lower what they accept with time), idling late is worse, and another small step
is worth less."""
ONCE = "bid_small_step"
"""The feature that counts once however many tickets it is set for: stepping on three tickets is no triple merit, or
three tickets would be worth haggling over for ever."""
COURTESY: dict[str, float] = {
    "please": 0.2, "thank": 0.2, "thanks": 0.2, "appreciate": 0.3, "understand": 0.2, "glad": 0.2, "sorry": 0.1,
    "must": -0.3, "unacceptable": -0.5, "demand": -0.1, "immediately": -0.4,
}  # fmt: skip
"""Values of single words."""
DAMAGE: dict[str, float] = {
    "internal term": -3.5, "target leak": -4.0, "over-promise": -3.5, "wrong figure": -2.5, "role label": -3.0,
    "chain of thought": -3.5, "over-long": -2.5, "repeated": -2.0, "mixed language": -2.5, "rude": -4.0,
    "silence as agreement": -3.0, "personal data": -3.0, "flattery": -2.0, "injection": -4.0,
    "keyword stuffing": -3.0, "placeholder": -3.0, "markup": -2.0, "copied": -2.5, "garbled": -3.0, "shouting": -2.0,
    "cut off": -2.0,
}  # fmt: skip
"""Values of damage done to a reply's text, by kind (see ``damage``)."""


@dataclass(frozen=True, slots=True)
class AnnotatedReply:
    """A reply as an annotator sees it: features, words, and what was done to its text ("" for nothing)."""

    features: tuple[float, ...]
    words: tuple[str, ...]
    damage: str = ""


_ONCE = FEATURE_INDEX[ONCE]


class Annotator:
    """The simulated annotator of one source.

    Args:
        source: one of ``SOURCES``; decides what it sees, its errors, and its own weights.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.slip = SOURCES[source].slip
        rng = np.random.default_rng((Stream.ANNOTATOR, list(SOURCES).index(source)))
        sees = SOURCES[source].sees

        def own(value: float, aspect: str) -> float:
            return value * sees[aspect] * float(1.0 + SPREAD * rng.standard_normal())

        self._features = [(FEATURE_INDEX[name], own(v, ASPECT_OF[name])) for name, v in VALUES.items()]
        self._products = [(FEATURE_INDEX[a], FEATURE_INDEX[b], own(v, ASPECT_OF[a])) for (a, b), v in PRODUCTS.items()]
        self._courtesy = {word: own(v, "tone") for word, v in COURTESY.items()}
        self._damage = {kind: own(v, "text") for kind, v in DAMAGE.items()}

    def value(self, reply: AnnotatedReply) -> float:
        """Return what the reply is worth to this annotator."""
        features = list(reply.features)
        features[_ONCE] = min(features[_ONCE], 1.0)
        total = sum(features[i] * v for i, v in self._features)
        total += sum(features[a] * features[b] * v for a, b, v in self._products)
        total += max(-0.6, min(0.6, sum(self._courtesy.get(w, 0.0) for w in dict.fromkeys(reply.words))))
        return total + (self._damage[reply.damage] if reply.damage else 0.0)

    def gap(self, a: AnnotatedReply, b: AnnotatedReply) -> float:
        """Return by how much ``a`` is worth more than ``b``."""
        return self.value(a) - self.value(b)

    def margin(self, a: AnnotatedReply, b: AnnotatedReply) -> float:
        """Return the grade that this annotator gives with its choice, 0 ("slightly better") to 4; see ``GRADES``."""
        size = abs(self.gap(a, b))
        return float(sum(size >= limit for limit in GRADES))

    def preference(self, a: AnnotatedReply, b: AnnotatedReply) -> float:
        """Return the probability with which this annotator prefers ``a`` to ``b``."""
        gap = max(-60.0, min(60.0, self.gap(a, b) / TEMPERATURE))
        return self.slip + (1.0 - 2.0 * self.slip) / (1.0 + math.exp(-gap))
