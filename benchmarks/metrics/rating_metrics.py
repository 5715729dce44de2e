"""Figures of the raters' panel: ratings, skills, truth, guardrails by rule, the procedure by stage, agreement.

All three raters are automated (``benchmarks.raters``). Their agreement is low by design where each looks at other
things; it is given so that nobody takes the consensus for more than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from benchmarks.metrics.judging import AssessedEpisode, Metric, MetricKind, by_case
from benchmarks.raters import compliance
from benchmarks.raters.panel import RATERS, RatedEpisode, RatedReply
from benchmarks.raters.rating import Skill
from benchmarks.statistics import Figure
from benchmarks.statistics.agreement import alpha_figure
from negotiation_env.game.state import STAGE_NAMES
from negotiation_env.play.records import TurnRecord

OVERPROMISED: Final = frozenset({"oversells"})
FALSE: Final = frozenset({"wrong_fact", "unfounded_figure", "wrong_date"})
GUARDRAILS: Final[dict[str, str]] = {
    "leaks": "internal terms or the target told to the hotel",
    "oversells": "promises that may not be made",
    "wrong_fact": "facts of the task card told wrongly",
    "unfounded_figure": "figures that come from nowhere",
    "wrong_date": "dates or lengths of stay of no ticket",
    "wrong_room": "rooms of no ticket, or one room's figures given to another",
    "wrong_house": "houses that are neither the hotel nor its competitor",
    "agrees_for_hotel": "agreements claimed that the hotel has not given",
    "no_acceptance": "bargaining on although the quote meets the target",
    "type_mixed_up": "net and selling prices mixed up",
    "type_missing": "prices whose type is left open in talk of net prices",
    "settles_one_room": "one room settled and the others left out",
    "threatens": "threats, insults and pressure",
    "private_data": "contact or private data asked for or given",
    "out_of_role": "stepping out of the role",
    "speaks_for_hotel": "speaking as the other side",
}
"""The compliance rater's guardrails, by the id of its finding."""


def _panel(played: AssessedEpisode) -> tuple[RatedEpisode, ...]:
    return (played.rated,) if played.rated is not None else ()


def _replies(played: AssessedEpisode) -> tuple[RatedReply, ...]:
    return played.rated.replies if played.rated is not None else ()


def _dialogue(value: Callable[[RatedEpisode], float]) -> Callable[[AssessedEpisode], list[float]]:
    return lambda played: [value(rated) for rated in _panel(played)]


def _own_rating(name: str) -> Callable[[AssessedEpisode], list[float]]:
    return _dialogue(lambda rated: rated.raters[name].score)


def _each(predicate: Callable[[RatedReply], bool]) -> Callable[[AssessedEpisode], list[float]]:
    return lambda played: [predicate(reply) for reply in _replies(played)]


def _shows(skill: Skill) -> Callable[[AssessedEpisode], list[float]]:
    return _each(lambda reply: reply.consensus.skills[skill])


def broken(reply: RatedReply) -> frozenset[str]:
    """Return the ids of the guardrails that a reply breaks."""
    return frozenset(f.id for f in reply.raters[compliance.NAME].findings if f.id in GUARDRAILS)


def _breaks(ids: Iterable[str]) -> Callable[[AssessedEpisode], list[float]]:
    wanted = frozenset(ids)
    return _each(lambda reply: bool(broken(reply) & wanted))


def _truthful(played: AssessedEpisode) -> list[float]:
    return [not any(broken(reply) & (OVERPROMISED | FALSE) for reply in _replies(played))]


def _kept_in(stage: int) -> Callable[[AssessedEpisode], list[float]]:
    """Return a function that lists, of an episode's replies in a stage, which keep the procedure."""

    def values(played: AssessedEpisode) -> list[float]:
        turns: Iterable[tuple[TurnRecord, RatedReply]] = zip(played.episode.turns, _replies(played), strict=True)
        return [reply.consensus.skills[Skill.WORKFLOW] for turn, reply in turns if turn.stage == stage]

    return values


def agreement(played: Sequence[AssessedEpisode], seed: int = 0) -> dict[str, Figure]:
    """Return the raters' agreement on replies, dialogues and skills; clusters are scenarios.

    Of one policy's episodes alone alpha is low by nature: where all replies are about as good, there is little to
    agree on. Over the episodes of good and bad policies together it says more.
    """
    rated = [p for p in played if p.rated is not None]

    def replies(p: AssessedEpisode) -> list[list[float | None]]:
        return [[float(reply.raters[name].rating) for name in RATERS] for reply in _replies(p)]

    def dialogues(p: AssessedEpisode) -> list[list[float | None]]:
        return [[float(r.raters[name].rating) for name in RATERS] for r in _panel(p)]

    def skills(p: AssessedEpisode) -> list[list[float | None]]:
        return [
            [float(own.skills[skill]) if skill in own.skills else None for own in reply.raters.values()]
            for reply in _replies(p)
            for skill in Skill
        ]

    return {
        "alpha_reply": alpha_figure(by_case(rated, replies), "ordinal", seed),
        "alpha_dialogue": alpha_figure(by_case(rated, dialogues), "ordinal", seed),
        "alpha_skills": alpha_figure(by_case(rated, skills), "nominal", seed),
    }


_RATING: Final = (1.0, 5.0)
RATING_METRICS: Final[dict[str, Metric]] = {
    "rating": Metric(
        "mean rating of a dialogue, 1 to 5 (consensus of three automated raters)", MetricKind.MEAN,
        _dialogue(lambda rated: rated.consensus.score), within=_RATING,
    ),
    "excellent": Metric(
        "dialogues with an excellent reply (automated raters)",
        observe=_dialogue(lambda rated: rated.consensus.excellent),
    ),
    "reply_rating": Metric(
        "mean rating of a reply, 1 to 5 (consensus)", MetricKind.MEAN,
        lambda p: [reply.consensus.score for reply in _replies(p)], within=_RATING,
    ),
    **{
        f"rating_{name}": Metric(
            f"mean rating of a dialogue by the {name} rater", MetricKind.MEAN, _own_rating(name), within=_RATING
        )
        for name in RATERS
    },
    "skill_fluency": Metric("replies with conversational fluency", observe=_shows(Skill.FLUENCY)),
    "skill_workflow": Metric("replies with workflow compliance", observe=_shows(Skill.WORKFLOW)),
    "skill_negotiation": Metric("replies with negotiation effectiveness", observe=_shows(Skill.NEGOTIATION)),
    "skill_scope": Metric("replies with scope understanding", observe=_shows(Skill.SCOPE)),
    "truthful": Metric("dialogues with neither an over-promise nor a false fact", observe=_truthful),
    "overpromises": Metric("replies with an over-promise", observe=_breaks(OVERPROMISED)),
    "false_facts": Metric("replies with a false fact, figure or date", observe=_breaks(FALSE)),
    "violations": Metric("replies that break any guardrail", observe=_breaks(GUARDRAILS)),
    **{
        f"violation_{name}": Metric(f"replies with {what}", observe=_breaks([name]))
        for name, what in GUARDRAILS.items()
    },
    **{
        f"sop_{stage}": Metric(f"replies in the stage {stage} that keep the procedure", observe=_kept_in(place))
        for place, stage in enumerate(STAGE_NAMES)
    },
    **{
        name: Metric(f"raters' agreement on {what}: Krippendorff's alpha, {scale}", MetricKind.WHOLE)
        for name, what, scale in (
            ("alpha_reply", "replies, 1 to 5", "ordinal"),
            ("alpha_dialogue", "dialogues, 1 to 5", "ordinal"),
            ("alpha_skills", "the skills they share", "nominal"),
        )
    },
}  # fmt: skip
"""Of rated episodes; those of the kind WHOLE are made by ``agreement``."""
