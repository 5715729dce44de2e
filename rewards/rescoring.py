"""Scores recorded episodes anew, without playing them again, and says what moved.

An incident becomes a rule, the rule is tried on what was recorded, and training goes on: no policy, manager or
generated token is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import NamedTuple

from negotiation_env.play.protocols import Reward, RewardBreakdown
from negotiation_env.play.records import Episode, recorded_views

EPISODES_AT_A_TIME = 64
SOURCES = ("total", "model", "judge", "rules")


class RescoredPart(NamedTuple):
    """One reply whose total changed."""

    episode: str
    """The episode's scenario id."""
    turn: int
    """From 1."""
    text: str
    before: RewardBreakdown
    after: RewardBreakdown

    @property
    def change(self) -> float:
        """By how much the total moved; 0 where it was or is unscored."""
        if self.before.total is None or self.after.total is None:
            return 0.0
        return self.after.total - self.before.total


@dataclass(frozen=True, slots=True)
class RescoredRun:
    """What a re-scoring moved.

    Attributes:
        replies: replies scored anew.
        moves: replies whose breakdown's numbers changed, in order.
        means: by source, the mean before and after over replies scored both times; None where there are none.
        unscored: replies without a total before and after.
        terms: by id of a rule or a judge's dimension, how many replies had it before and after; only where these
            differ.
    """

    replies: int
    moves: tuple[RescoredPart, ...]
    means: dict[str, tuple[float, float] | None]
    unscored: tuple[int, int]
    terms: dict[str, tuple[int, int]]


def rescore(episodes: Iterable[Episode], reward: Reward) -> Iterator[Episode]:
    """Yield the episodes with the breakdowns that ``reward`` gives; everything else stays as recorded."""
    waiting = iter(episodes)
    while batch := list(islice(waiting, EPISODES_AT_A_TIME)):
        views = [recorded_views(episode) for episode in batch]
        scores = iter(reward.score([view for own in views for view in own]))
        for episode in batch:
            turns = tuple(replace(turn, reward=next(scores)) for turn in episode.turns)
            yield replace(episode, turns=turns)


def compare(before: Sequence[Episode], after: Sequence[Episode]) -> RescoredRun:
    """Say what moved between two scorings of the same episodes, given in the same order."""
    pairs = [
        (episode.scenario_id, number, old.text, old.reward, new.reward)
        for episode, scored in zip(before, after, strict=True)
        for number, (old, new) in enumerate(zip(episode.turns, scored.turns, strict=True), 1)
    ]
    moved = tuple(
        RescoredPart(name, number, text, old, new)
        for name, number, text, old, new in pairs
        if any(getattr(old, source) != getattr(new, source) for source in SOURCES)
    )
    old_terms = Counter(term.id for *_, old, _ in pairs for term in old.terms)
    new_terms = Counter(term.id for *_, new in pairs for term in new.terms)
    return RescoredRun(
        replies=len(pairs),
        moves=moved,
        means={source: _means([(old, new) for *_, old, new in pairs], source) for source in SOURCES},
        unscored=(sum(old.total is None for *_, old, _ in pairs), sum(new.total is None for *_, new in pairs)),
        terms={
            name: (old_terms[name], new_terms[name])
            for name in sorted(old_terms.keys() | new_terms.keys())
            if old_terms[name] != new_terms[name]
        },
    )


def _means(pairs: Sequence[tuple[RewardBreakdown, RewardBreakdown]], source: str) -> tuple[float, float] | None:
    """Return a source's means before and after, over replies that it scored both times."""
    values = [(getattr(old, source), getattr(new, source)) for old, new in pairs]
    scored = [(old, new) for old, new in values if old is not None and new is not None]
    return (fmean(old for old, _ in scored), fmean(new for _, new in scored)) if scored else None
