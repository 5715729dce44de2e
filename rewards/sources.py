"""What the three reward sources hand to the composition: their protocols and result types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardTerm


class Verdict(NamedTuple):
    """A judge's opinion of one reply.

    Attributes:
        total: points summed over dimensions; None if the judge's answer could not be read.
        terms: points per dimension (the term's id) in the rubric's order, with nothing quoted from the task card.
        evidence: what the judge pointed at, one string per dimension; may be empty.
        fault: why there are no points, else None.
    """

    total: float | None
    terms: tuple[RewardTerm, ...] = ()
    evidence: tuple[str, ...] = ()
    fault: str | None = None


class RuleScore(NamedTuple):
    """What the rules say of one reply: points, one term per rule that fired, and a fault if a rule timed out."""

    points: float | None
    terms: tuple[RewardTerm, ...] = ()
    fault: str | None = None


ORDINARY: Final = 0.4
"""R_model of a bland reply, on average: what anybody would say."""


@runtime_checkable
class RewardModel(Protocol):
    """R_model: an opinion of a reply, learnt from preferences.

    0 for a reply that says nothing, ``ORDINARY`` for a bland one. The shipped ones are bounded, in [-1, 1]. Scores of
    moves without text have a unit of their own, not that of texts' scores.
    """

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Score replies in order; None where a reply could not be scored."""
        ...

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num | None:
        """Score moves without text; None if this model needs the text."""
        ...


@runtime_checkable
class Judge(Protocol):
    """E_judge: points from a rubric."""

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        """Judge replies in order. An unreadable answer is a fault, never 0 points."""
        ...

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num | None:
        """Total points of moves without text; None if this judge needs the text."""
        ...


@runtime_checkable
class Rules(Protocol):
    """E_func: points from rules."""

    def score(self, view: ReplyView) -> RuleScore:
        """Check one reply against every rule."""
        ...

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num | None:
        """Points of the rules that need no text."""
        ...
