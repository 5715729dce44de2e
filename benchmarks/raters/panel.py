"""The panel: three automated raters on one episode, and their consensus. No human rates anything here.

After the source paper's panel of a task expert, a linguist and a computer scientist, who agreed by consensus. Ours is
computed. The three look at different things, so a median would outvote the one who sees the fault: a reply's score is
the weighted mean of the three, little above the compliance rater's, and at most 2 where one of them found a severe
fault; a dialogue's is the mean of theirs, and at most 3 with such a reply. A skill is shown if most of those with an
opinion say so, and on a tie the rater of that field decides. The raters share the reading of the record and what an
insult is (``wordlists.insult``), no other rule and no weight; with the training rewards they share nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final, NamedTuple

from benchmarks.raters import compliance, language, task
from benchmarks.raters.rating import HIGHEST, LOWEST, DialogueRating, ReplyRating, Skill
from benchmarks.raters.situation import Hidden, RatedSituation, as_said, hidden_of, walk
from benchmarks.raters.wordlists import read
from negotiation_env.game.scenario import Scenario
from negotiation_env.play.records import Episode, TurnRecord

RATERS: Final = (task.NAME, language.NAME, compliance.NAME)
LEADS: Final = {
    Skill.FLUENCY: language.NAME,
    Skill.WORKFLOW: compliance.NAME,
    Skill.NEGOTIATION: task.NAME,
    Skill.SCOPE: task.NAME,
}
"""Whose field a skill is."""
WEIGHTS: Final = {task.NAME: 0.1, language.NAME: 0.6, compliance.NAME: 0.3}
"""What each rater's score counts in the consensus: a good reply may bring the talk on by one small step only."""
NOT_EXCELLENT: Final = -1.2
"""Points of a fault from which on no reply is excellent."""
MADE_UP: Final = 0.75
"""What the others can make up for, where the compliance rater finds faults."""
SEVERE_CAP: Final = 2.0
"""The consensus on a reply with a severe fault is no higher."""
SEVERE_DIALOGUE_CAP: Final = 3.0
"""Nor is that on a dialogue with such a reply."""


class RatedReply(NamedTuple):
    """One reply: the consensus, and each rater's own rating by name."""

    consensus: ReplyRating
    raters: dict[str, ReplyRating]


class RatedEpisode(NamedTuple):
    """One episode as the panel rates it."""

    consensus: DialogueRating
    raters: dict[str, DialogueRating]
    replies: tuple[RatedReply, ...]


def rate_episode(episode: Episode, scenario: Scenario | None = None) -> RatedEpisode | None:
    """Rate an episode; None if it has no reply.

    Args:
        episode: the record.
        scenario: what was played, for the hidden floors; without it they are drawn again from the record's seed, and
            where that cannot be, the task rater judges by the target alone.
    """
    if not episode.turns:
        return None
    return rate_record(episode, hidden_of(episode, scenario))


def rate_record(episode: Episode, hidden: Hidden | None) -> RatedEpisode:
    """Rate an episode of at least one turn whose hidden side is at hand."""
    replies = []
    for now, record in walk(episode, hidden):
        replies.append(rate_turn(now, record))
    own = {name: tuple(reply.raters[name] for reply in replies) for name in RATERS}
    dialogues = {
        task.NAME: task.rate_dialogue(hidden, episode, own[task.NAME]),
        language.NAME: language.rate_dialogue(own[language.NAME]),
        compliance.NAME: compliance.rate_dialogue(own[compliance.NAME]),
    }
    agreed = tuple(reply.consensus for reply in replies)
    score = fmean(dialogue.score for dialogue in dialogues.values())
    if any(f.severe for reply in agreed for f in reply.findings):
        score = min(score, SEVERE_DIALOGUE_CAP)
    consensus = DialogueRating(score, any(reply.excellent for reply in agreed), agreed)
    return RatedEpisode(consensus, dialogues, tuple(replies))


def persuasion(episodes: Sequence[Episode]) -> float:
    """Return the mean rating, 1 to 5, of dialogues by the three raters' consensus; 1 where none can be rated."""
    rated = [found.consensus.score for episode in episodes if (found := rate_episode(episode)) is not None]
    return fmean(rated) if rated else 1.0


def rate_turn(now: RatedSituation, record: TurnRecord) -> RatedReply:
    """Rate one reply in its situation; what came after it plays no part."""
    reading = read(record.text)
    record = as_said(now, record, reading)
    ratings = {
        task.NAME: task.rate(now, record, reading),
        language.NAME: language.rate(now, record, reading),
        compliance.NAME: compliance.rate(now, record, reading),
    }
    return RatedReply(agree(ratings), ratings)


def agree(ratings: dict[str, ReplyRating]) -> ReplyRating:
    """Return the consensus on one reply.

    The score is the weighted mean, at most ``MADE_UP`` above the compliance rater's; where a rater found a severe fault
    it is moved down to the part of the scale up to ``SEVERE_CAP``, its order kept. A reply is excellent if it reads so
    to the language rater and none finds a fault of ``NOT_EXCELLENT`` or worse.
    """
    findings = tuple(f for rating in ratings.values() for f in rating.findings)
    score = sum(WEIGHTS[name] * rating.score for name, rating in ratings.items())
    score = min(score, ratings[compliance.NAME].score + MADE_UP)
    if any(f.severe for f in findings):
        score = LOWEST + (score - LOWEST) * (SEVERE_CAP - LOWEST) / (HIGHEST - LOWEST)
    faults = [f for f in findings if f.points <= NOT_EXCELLENT]
    excellent = any(f.id == language.WELL for f in findings) and not faults
    return ReplyRating(score, {skill: _skill(skill, ratings) for skill in Skill}, excellent, findings)


def _skill(skill: Skill, ratings: dict[str, ReplyRating]) -> bool:
    """Whether a skill was shown: the majority of opinions, and on a tie the leading rater's."""
    opinions = [rating.skills[skill] for rating in ratings.values() if skill in rating.skills]
    shown = sum(opinions)
    if opinions and 2 * shown == len(opinions):
        return ratings[LEADS[skill]].skills[skill]
    return 2 * shown >= len(opinions)
