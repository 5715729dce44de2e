"""What a rater says of a reply and of a dialogue: a score from 1 to 5, four binary skills, findings as evidence.

The scale and the four skills are the source paper's (REPO, arXiv 2510.04214); what moves them is this project's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

LOWEST, HIGHEST = 1.0, 5.0
SEVERE: Final = -2.0
"""Points from which a finding is severe: harm that good parts of the reply do not make up for."""
DENIES: Final = -0.3
"""Points from which a finding denies its skill; smaller faults are blemishes."""


class Skill(StrEnum):
    """The paper's four binary skills of a reply."""

    FLUENCY = "fluency"
    """Conversational fluency."""
    WORKFLOW = "workflow"
    """Workflow compliance."""
    NEGOTIATION = "negotiation"
    """Negotiation effectiveness."""
    SCOPE = "scope"
    """Scope understanding: what the talk is about, who is who, what was said."""


class Finding(NamedTuple):
    """One piece of evidence.

    Attributes:
        id: what was found.
        points: what it adds to the score (a merit) or takes from it (a fault).
        reason: one line for people.
        skill: the skill that a fault denies, or that a merit shows; None for neither.
        span: where it stands in the reply's text (start, end); None if it is about the whole reply.
    """

    id: str
    points: float
    reason: str
    skill: Skill | None = None
    span: tuple[int, int] | None = None

    @property
    def severe(self) -> bool:
        """Whether it is a severe fault."""
        return self.points <= SEVERE


class ReplyRating(NamedTuple):
    """What one rater, or the panel, says of one reply.

    Attributes:
        score: from 1 to 5.
        skills: the skills that the rater has an opinion on.
        excellent: whether the reply stands out.
        findings: the evidence.
    """

    score: float
    skills: Mapping[Skill, bool]
    excellent: bool
    findings: tuple[Finding, ...] = ()

    @property
    def rating(self) -> int:
        """The score as a whole rating, 1 to 5; a half counts as the next one up."""
        return math.floor(self.score + 0.5)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that speak against the reply."""
        return tuple(f for f in self.findings if f.points < 0.0)


class DialogueRating(NamedTuple):
    """What one rater, or the panel, says of one dialogue."""

    score: float
    excellent: bool
    """Whether it has an excellent reply."""
    replies: tuple[ReplyRating, ...]
    findings: tuple[Finding, ...] = ()
    """Evidence about the dialogue as a whole."""

    @property
    def rating(self) -> int:
        """The score as a whole rating, 1 to 5."""
        return math.floor(self.score + 0.5)


def rate_reply(start: float, findings: Sequence[Finding], opinions: Sequence[Skill], merits: int) -> ReplyRating:
    """Return a rater's rating of a reply.

    Merits raise the score from ``start`` to at most 5; faults are taken off after that, so a fault always shows,
    however good the rest. A skill is denied by a fault of at least ``DENIES``. The reply is excellent with at least
    ``merits`` merits and no fault at all.

    Args:
        start: score of a reply with neither merits nor faults.
        findings: the evidence.
        opinions: the skills that the rater judges.
        merits: how many merits make a reply excellent.
    """
    good = [f for f in findings if f.points > 0.0]
    bad = [f for f in findings if f.points < 0.0]
    score = min(HIGHEST, start + sum(f.points for f in good)) + sum(f.points for f in bad)
    denied = {f.skill for f in bad if f.points <= DENIES}
    return ReplyRating(
        score=max(LOWEST, score),
        skills={skill: skill not in denied for skill in opinions},
        excellent=not bad and len(good) >= merits,
        findings=tuple(findings),
    )


def of_replies(replies: Sequence[ReplyRating]) -> float:
    """Return a dialogue's score from its replies' alone: mostly their mean, and the worst one weighs on it."""
    scores = [reply.score for reply in replies]
    return 0.75 * sum(scores) / len(scores) + 0.25 * min(scores)
