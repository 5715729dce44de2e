"""The labelled pairs (``pairs/``): a good and a worse reply to one situation, and who has to see the difference.

Written by hand for measuring the raters; nothing is tuned on them by machine. Each is played into its situation through
the game, so that both replies are understood as in a dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.raters.panel import RATERS, RatedReply, rate_turn
from benchmarks.raters.rating import Skill
from benchmarks.raters.situation import Hidden, contexts, said_instead, walk
from benchmarks.suites.case_file import read_case
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_toml
from negotiation_env.game.scenario import Scenario
from negotiation_env.play.protocols import AgentReply, AgentView, Unscored
from negotiation_env.play.records import Episode
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import ReplayManager, ScriptLine

PAIRS_FOLDER: Final = Path(__file__).with_name("pairs")
_LAST: Final = "?"
"""Stands in for the reply under test while its situation is played."""


class LabelledPair(NamedTuple):
    """One labelled pair. ``skill``: what the worse reply lacks in the rater's eyes; None if that is left open."""

    id: str
    scenario: Scenario
    history: tuple[tuple[str, str], ...]
    good: str
    worse: str
    rater: str
    skill: Skill | None


class LabelledLine:
    """A policy that says fixed lines in order, then nothing."""

    name = "fixed-lines"

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Say the next line of each negotiation."""
        places = [len(view.agent_said) for view in views]
        return [AgentReply(self.lines[k] if k < len(self.lines) else "") for k in places]


def played(scenario: Scenario, lines: Sequence[str], script: Sequence[ScriptLine]) -> Episode:
    """Return the episode in which the agent says ``lines`` and the hotel its script."""
    (episode,) = rollout(
        LabelledLine(lines),
        [scenario],
        manager=ReplayManager({scenario.id: tuple(script)}),
        reward=Unscored(),
        max_turns=len(lines),
    )
    return episode


@cache
def _situation(name: str) -> Scenario:
    return read_case(PAIRS_FOLDER / f"{name}.toml").scenario


def read_pairs(path: Path = PAIRS_FOLDER / "pairs.toml") -> list[LabelledPair]:
    """Read the labelled pairs.

    Raises:
        DataFileError: the file is unreadable, or a pair lacks a field or names an unknown rater or skill.
    """
    return [_pair(record, path) for record in read_toml(path, dict[str, list[dict[str, Any]]]).get("pair", [])]


def _pair(record: dict[str, Any], path: Path) -> LabelledPair:
    where = f"{path}, pair {record.get('id', '?')!r}"
    try:
        pair = LabelledPair(
            id=record["id"],
            scenario=_situation(record["situation"]),
            history=tuple((agent, hotel) for agent, hotel in record["history"]),
            good=record["good"],
            worse=record["worse"],
            rater=record["rater"],
            skill=Skill(record["skill"]) if record["skill"] else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DataFileError(f"{where}: expected a labelled pair, got {error!r}: see the file's head") from error
    if pair.rater not in RATERS:
        raise DataFileError(f"{where}: expected a rater out of {', '.join(RATERS)}, got {pair.rater!r}")
    return pair


def rate_pair(pair: LabelledPair) -> tuple[RatedReply, RatedReply]:
    """Return what the panel says of the good reply and of the worse one."""
    lines = [agent for agent, _ in pair.history] + [_LAST]
    script = [ScriptLine(hotel) for _, hotel in pair.history] + [ScriptLine("Hm.")]
    episode = played(pair.scenario, lines, script)
    if len(episode.turns) != len(lines):
        raise DataFileError(
            f"pair {pair.id!r}: expected a talk of {len(lines)} turns, it ended after {len(episode.turns)}"
        )
    context = list(contexts(episode))[-1]
    hidden = Hidden(pair.scenario.brief.floors)
    for now, record in walk(episode, hidden):
        if now.number == len(lines):
            return (
                rate_turn(now, said_instead(record, pair.good, context)),
                rate_turn(now, said_instead(record, pair.worse, context)),
            )
    raise DataFileError(f"pair {pair.id!r}: expected at least one turn, got none")
