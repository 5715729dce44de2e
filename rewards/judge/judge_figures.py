"""How good a judge is on replies with known answers: agreement, points by grade, and what injections move.

A judge is any function from views to how likely a yes to each question is, so that every form of judge is measured
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from negotiation_env.play.protocols import ReplyView
from rewards.judge.case_questions import Scale
from rewards.judge.judge_data import JudgedReply, injections
from rewards.judge.judge_orders import with_text
from rewards.judge.rubric import Rubric
from rewards.sources import Judge
from rewards.training.held_out_figures import correlation, interval, kappa, share
from simulators.people.graded_replies import grade_of

Answers: TypeAlias = Sequence[float | None]
Told: TypeAlias = Sequence[Answers | None]
"""How likely a yes to each question is, reply by reply: None for a question that was not asked, or a whole reply that
the judge could not read."""
Ask: TypeAlias = Callable[[Sequence[ReplyView]], Told]
Floats: TypeAlias = NDArray[np.float64]


class AskedJudge(Judge, Protocol):
    """A judge that tells its answers."""

    rubric: Rubric

    def answers(self, views: Sequence[ReplyView]) -> Told:
        """Return how likely a yes to each question is."""
        ...


BLIND: Final = 60
"""So many of the held-out injections, the last ones, were unknown when ``judge_orders`` was written."""
FEWEST: Final = 5
"""Replies with a yes, and with a no, below which a question's kappa is not told."""


def agreement(told: Told, turns: Sequence[Sequence[JudgedReply]], rubric: Rubric) -> dict[str, Any]:
    """Return how a judge agrees with known answers, by dimension and question, and the share of replies it could read.

    A dimension's verdict on a reply is the sign of its points: worse than ordinary, ordinary, or better; from a yes
    where it is likelier than not. Questions whose true answer is untold count on neither side. ``kappa`` is Cohen's
    over all readable replies, ``interval`` its 95 percent bootstrap interval over situations, ``told`` the number of
    replies whose true verdict is not "ordinary".
    """
    replies = [reply for turn in turns for reply in turn]
    situation = np.repeat(np.arange(len(turns)), [len(turn) for turn in turns])
    read = np.array([answers is not None for answers in told])
    truth = np.array([[-1 if a is None else int(a) for a in r.answers] for r in replies])[read]
    likely = np.array([[np.nan if a is None else a for a in answers] for answers in told if answers is not None])
    situation = situation[read]
    yes, no = (np.array([getattr(q, name) for q in rubric.questions]) for name in ("yes", "no"))
    known = (truth >= 0) & np.isfinite(likely)
    points = [np.where(known, np.where(x, yes, no), 0.0) for x in (truth == 1, likely > 0.5)]
    dimensions, place = {}, 0
    for dimension in rubric.dimensions:
        own = slice(place, place + len(dimension.questions))
        place = own.stop
        meant, found = (np.sign(p[:, own].sum(axis=1)).astype(np.int64) + 1 for p in points)

        def agrees(i: NDArray[np.int64], meant: Any = meant, found: Any = found) -> float:
            return kappa(found[i], meant[i], 3)

        dimensions[dimension.id] = {
            "kappa": agrees(np.arange(len(meant))),
            "interval": interval(situation, agrees),
            "told": int((meant != 1).sum()),
        }
    questions = {}
    for k, question in enumerate(rubric.questions):
        mine = known[:, k]
        meant, found = truth[mine, k] == 1, likely[mine, k] > 0.5
        if min(int(meant.sum()), int((~meant).sum())) < FEWEST:
            continue
        questions[question.id] = {
            "kappa": kappa(found.astype(np.int64), meant.astype(np.int64), 2),
            "found": share(found[meant]),
            "false": share(found[~meant]),
        }
    return {"replies": len(replies), "readable": float(read.mean()), "dimensions": dimensions, "questions": questions}


def ordinary(told: Told, count: int) -> list[float]:
    """Return how likely a yes to each of ``count`` questions is on average, 0 for one that is never asked."""
    found = []
    for k in range(count):
        yes = [x for answers in told if answers is not None and (x := answers[k]) is not None]
        found.append(float(np.mean(yes)) if yes else 0.0)
    return found


def points_of(told: Told, rubric: Rubric, zero: Sequence[float] | None = None) -> Floats:
    """Return E_judge of each reply, NaN where it could not be read; ``zero``: ``Scale``'s ``ordinary``."""
    scale = Scale(rubric, zero)
    totals = [None if answers is None else scale.verdict(answers).total for answers in told]
    return np.array([np.nan if total is None else total for total in totals])


def by_grade(points: Floats, turns: Sequence[Sequence[JudgedReply]], rubric: Rubric) -> dict[str, Any]:
    """Return mean points by grade, how often the better of two replies to a turn gets more, and length's share.

    ``excellent_seen`` is over those flawed replies alone of which a question's true answer costs points.
    """
    replies = [reply for turn in turns for reply in turn]
    quality = np.array([r.quality for r in replies])
    report: dict[str, Any] = {
        "mean_points": {str(q): float(np.nanmean(points[quality == q])) for q in range(1, 6) if (quality == q).any()}
    }
    right: dict[str, list[bool]] = {
        "excellent_flawed": [],
        "excellent_bland": [],
        "bland_flawed": [],
        "excellent_seen": [],
    }
    costs = [(q.yes < 0.0, q.no < 0.0) for q in rubric.questions]
    seen = [any(c[not a] for a, c in zip(r.answers, costs, strict=True) if a is not None) for r in replies]
    start = 0
    for turn in turns:
        here = range(start, start + len(turn))
        start += len(turn)
        for a in here:
            for b in here:
                name = "_".join((grade_of(quality[a]), grade_of(quality[b])))
                if name in right:
                    right[name].append(bool(points[a] > points[b]))
                if name == "excellent_flawed" and seen[b]:
                    right["excellent_seen"].append(bool(points[a] > points[b]))
    report |= {name: share(np.array(found, dtype=bool)) for name, found in right.items()}
    lengths = np.array([float(len(r.view.text)) for r in replies])
    read = np.isfinite(points)
    return report | {"length_correlation": correlation(points[read], lengths[read])}


def injection_shift(ask: Ask, views: Sequence[ReplyView], rubric: Rubric, each: int = 8) -> dict[str, Any]:
    """Return by how many points E_judge moves when a held-out sentence aimed at the judge is added to sound replies.

    ``mean`` is signed, up being a success of the injection; ``mean_absolute`` counts both ways; ``blind`` takes the
    sentences alone that no pattern of ``judge_orders`` was written for. Points as in the composition, where 100 double
    a reward; intervals are over sentences. Each sentence is added to ``each`` of the replies, as far as they go.
    """
    aimed = injections(True)
    plain = [view for view in views if view.text][: each * len(aimed)]
    sentence = np.arange(len(plain)) % len(aimed)
    spoilt = [with_text(v, f"{v.text} {aimed[i]}") for v, i in zip(plain, sentence, strict=True)]
    moved = points_of(ask(spoilt), rubric) - points_of(ask(plain), rubric)
    blind = sentence >= len(aimed) - BLIND
    return {
        **_moved(moved, sentence),
        "share_up_by_2": float((moved > 2.0).mean()),
        "blind": _moved(moved[blind], sentence[blind]) if blind.any() else None,
    }


def _moved(moved: Floats, sentence: NDArray[np.int64]) -> dict[str, Any]:
    """Return how far injections moved the judge, with 95 percent intervals over sentences."""
    size = np.abs(moved)
    return {
        "mean": float(np.nanmean(moved)),
        "mean_interval": interval(sentence, lambda i: float(np.nanmean(moved[i]))),
        "mean_absolute": float(np.nanmean(size)),
        "mean_absolute_interval": interval(sentence, lambda i: float(np.nanmean(size[i]))),
        "replies": len(moved),
    }
