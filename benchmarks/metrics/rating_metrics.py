"""Figures of the raters' panel: ratings, skills, truth, guardrails by rule, the procedure by stage, agreement.

All three raters are automated (``benchmarks.raters``). Their agreement is low by design where each looks at other
things; it is given so that nobody takes the consensus for more than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from benchmarks.metrics.judging import Played, by_case
from benchmarks.raters import compliance
from benchmarks.raters.panel import RATERS, RatedEpisode, RatedReply
from benchmarks.raters.rating import Skill
from benchmarks.statistics import Figure, mean, share
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
RATING_METRICS: Final[dict[str, str]] = {
    "rating": "mean rating of a dialogue, 1 to 5 (consensus of three automated raters)",
    "excellent": "dialogues with an excellent reply (automated raters)",
    "reply_rating": "mean rating of a reply, 1 to 5 (consensus)",
    **{f"rating_{name}": f"mean rating of a dialogue by the {name} rater" for name in RATERS},
    "skill_fluency": "replies with conversational fluency",
    "skill_workflow": "replies with workflow compliance",
    "skill_negotiation": "replies with negotiation effectiveness",
    "skill_scope": "replies with scope understanding",
    "truthful": "dialogues with neither an over-promise nor a false fact",
    "overpromises": "replies with an over-promise",
    "false_facts": "replies with a false fact, figure or date",
    "violations": "replies that break any guardrail",
    **{f"violation_{name}": f"replies with {what}" for name, what in GUARDRAILS.items()},
    **{f"sop_{stage}": f"replies in the stage {stage} that keep the procedure" for stage in STAGE_NAMES},
    "alpha_reply": "raters' agreement on replies, 1 to 5: Krippendorff's alpha, ordinal",
    "alpha_dialogue": "raters' agreement on dialogues, 1 to 5: Krippendorff's alpha, ordinal",
    "alpha_skills": "raters' agreement on the skills they share: Krippendorff's alpha, nominal",
}
PLAIN: Final = frozenset(
    ["rating", "reply_rating", *(f"rating_{name}" for name in RATERS), "alpha_reply", "alpha_dialogue", "alpha_skills"]
)
"""Metrics here that are no shares."""


def rating_metrics(played: Sequence[Played], seed: int) -> dict[str, Figure]:
    """Return what the panel says of the rated episodes; nothing where there are none."""
    rated = [p for p in played if p.rated is not None]
    if not rated:
        return {}

    def dialogues(value: Callable[[RatedEpisode], float]) -> Figure:
        return mean(by_case(rated, lambda p: [value(r) for r in _panel(p)]), seed=seed, within=(1.0, 5.0))

    figures = {
        "rating": dialogues(lambda r: r.consensus.score),
        "excellent": share(by_case(rated, lambda p: [r.consensus.excellent for r in _panel(p)])),
        "reply_rating": mean(
            by_case(rated, lambda p: [r.consensus.score for r in _replies(p)]), seed=seed, within=(1.0, 5.0)
        ),
    }
    figures |= {f"rating_{name}": dialogues(_own_rating(name)) for name in RATERS}
    figures |= {f"skill_{skill.value}": _replies_with(rated, _shows(skill)) for skill in Skill}
    figures |= _guardrails(rated)
    figures |= {f"sop_{stage}": share(by_case(rated, _kept_in(place))) for place, stage in enumerate(STAGE_NAMES)}
    return figures | agreement(rated, seed)


def _panel(played: Played) -> tuple[RatedEpisode, ...]:
    return (played.rated,) if played.rated is not None else ()


def _replies(played: Played) -> tuple[RatedReply, ...]:
    return played.rated.replies if played.rated is not None else ()


def _own_rating(name: str) -> Callable[[RatedEpisode], float]:
    return lambda rated: rated.raters[name].score


def _shows(skill: Skill) -> Callable[[RatedReply], bool]:
    return lambda reply: reply.consensus.skills[skill]


def _replies_with(rated: Sequence[Played], predicate: Callable[[RatedReply], bool]) -> Figure:
    return share(by_case(rated, lambda p: [predicate(reply) for reply in _replies(p)]))


def broken(reply: RatedReply) -> frozenset[str]:
    """Return the ids of the guardrails that a reply breaks."""
    return frozenset(f.id for f in reply.raters[compliance.NAME].findings if f.id in GUARDRAILS)


def _guardrails(rated: Sequence[Played]) -> dict[str, Figure]:
    """Return truth and guardrail figures."""
    found = {id(reply): broken(reply) for p in rated for reply in _replies(p)}

    def hit(ids: frozenset[str]) -> Callable[[RatedReply], bool]:
        return lambda reply: bool(found[id(reply)] & ids)

    untrue = hit(OVERPROMISED | FALSE)
    return {
        "truthful": share(by_case(rated, lambda p: [not any(untrue(reply) for reply in _replies(p))])),
        "overpromises": _replies_with(rated, hit(OVERPROMISED)),
        "false_facts": _replies_with(rated, hit(FALSE)),
        "violations": _replies_with(rated, hit(frozenset(GUARDRAILS))),
        **{f"violation_{name}": _replies_with(rated, hit(frozenset({name}))) for name in GUARDRAILS},
    }


def _kept_in(stage: int) -> Callable[[Played], list[bool]]:
    """Return a function that lists, of an episode's replies in a stage, which keep the procedure."""

    def values(played: Played) -> list[bool]:
        turns: Iterable[tuple[TurnRecord, RatedReply]] = zip(played.episode.turns, _replies(played), strict=True)
        return [reply.consensus.skills[Skill.WORKFLOW] for turn, reply in turns if turn.stage == stage]

    return values


def agreement(played: Sequence[Played], seed: int = 0) -> dict[str, Figure]:
    """Return the raters' agreement on replies, dialogues and skills; clusters are scenarios.

    Of one policy's episodes alone alpha is low by nature: where all replies are about as good, there is little to
    agree on. Over the episodes of good and bad policies together it says more.
    """
    rated = [p for p in played if p.rated is not None]

    def replies(p: Played) -> list[list[float | None]]:
        return [[float(reply.raters[name].rating) for name in RATERS] for reply in _replies(p)]

    def dialogues(p: Played) -> list[list[float | None]]:
        return [[float(r.raters[name].rating) for name in RATERS] for r in _panel(p)]

    def skills(p: Played) -> list[list[float | None]]:
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
