"""A manager that says recorded or scripted lines.

Line i answers the agent's i-th message; a line may hold alternatives that depend on what the agent's message does, so a
script can branch. After the last line the manager closes. What a line means is read by the same understanding as any
other text; no dynamics decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.game.acts import MAX_TICKETS, Act, DialogueAct, Tactic
from negotiation_env.game.moves import decision_of
from negotiation_env.game.scenario import Scenario
from negotiation_env.game.state import End, GameState, Move
from negotiation_env.language.reading import Reader, context_of
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import ManagerReply, Negotiation
from negotiation_env.play.records import read_episodes

GOODBYE = "Thank you for your time. Goodbye."
_GROUPS: dict[str, frozenset[Act]] = {
    "agree": frozenset({Act.ACCEPT, Act.CONFIRM}),
    "bid": frozenset({Act.PROPOSE, Act.COUNTER}),
}
_STATES = ("settled", *(f"agreed {k}" for k in range(1, MAX_TICKETS + 1)))
CONDITIONS = tuple(sorted([act.name.lower() for act in Act] + [*_GROUPS, "reason", "pressure", *_STATES]))
"""What ``when`` may name of the agent's message: an act, ``agree`` (accept or confirm), ``bid`` (propose or counter),
``reason``, ``pressure``; or of how things stand after it: ``agreed N`` (ticket N, from 1, is agreed), ``settled``
(no ticket is open). ``not X`` turns one round, ``X & Y`` wants both, ``A | B`` one of the two."""


class ScriptLine(NamedTuple):
    """One hotel line. ``text``: "" is silence.

    ``branches``: pairs of a condition (see ``CONDITIONS``) on the agent's message and the text to say instead; the
    first that holds is said, ``text`` if none does.
    """

    text: str
    branches: tuple[tuple[str, str], ...] = ()


Script: TypeAlias = Sequence[ScriptLine]


@dataclass(slots=True)
class ReplaySeat:
    """The lines of one negotiation, and whose they were."""

    script: Script
    persona_name: str = ""


class ReplayManager:
    """Says recorded or scripted lines; implements ``protocols.Manager``.

    Args:
        source: scripts by scenario id, or the path of an episode file (JSON Lines) whose hotel lines to say again.
        reader: understands the hotel's lines.
    """

    name = "replay"

    def __init__(self, source: str | Path | Mapping[str, Script], reader: Reader = RULES) -> None:
        self._reader = reader
        self._personas: dict[str, str] = {}
        if isinstance(source, Mapping):
            self.scripts: dict[str, Script] = {key: tuple(lines) for key, lines in source.items()}
        else:
            self.scripts = self._read(Path(source))
        for key, script in self.scripts.items():
            _check_script(key, script)

    def _read(self, path: Path) -> dict[str, Script]:
        """Read the hotel's lines of every recorded episode; of two of one scenario, the first counts."""
        if not path.is_file():
            raise UsageError(f"expected an episode file, got {str(path)!r}, which is no file: check the path")
        scripts: dict[str, Script] = {}
        for episode in read_episodes(path):
            if episode.scenario_id not in scripts:
                scripts[episode.scenario_id] = tuple(ScriptLine(turn.answer) for turn in episode.turns)
                self._personas[episode.scenario_id] = episode.persona
        if not scripts:
            raise DataFileError(f"{path}: expected at least one episode, got none: record some first")
        return scripts

    def start(self, scenario: Scenario, persona: object | None = None) -> ReplaySeat:
        """Take up the scenario's script.

        Raises:
            UsageError: there is no script of that scenario, or a persona was asked for.
        """
        if persona is not None:
            raise UsageError(f"expected no persona, got {persona!r}: a replayed manager has the recorded one")
        if scenario.id not in self.scripts:
            raise UsageError(
                f"expected a scenario with a script, got {scenario.id!r}.{did_you_mean(scenario.id, self.scripts)}"
            )
        return ReplaySeat(self.scripts[scenario.id], self._personas.get(scenario.id, ""))

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Say each negotiation's next line; what it means is understood in its situation."""
        return [self._say(negotiation) for negotiation in negotiations]

    def _say(self, negotiation: Negotiation) -> ManagerReply:
        seat: ReplaySeat = negotiation.seat
        game = negotiation.game
        place = int(game.turn)
        text = GOODBYE
        if place < len(seat.script):
            said = negotiation.agent_said[-1].acts if negotiation.agent_said else ()
            text = line_for(seat.script[place], said, game)
        if not text.strip():
            silence = (DialogueAct(Act.SILENCE),)
            return ManagerReply("", silence, decision_of(silence, game))
        heard = negotiation.agent_said[-1].text if negotiation.agent_said else ""
        (reading,) = self._reader.read([text], [context_of(negotiation.card, game, "manager", heard)])
        acts = reading.acts
        decision = decision_of(acts, game)
        if place >= len(seat.script):
            decision = decision._replace(bye=True)
        return ManagerReply(text, acts, decision)


def line_for(line: ScriptLine, said: Sequence[DialogueAct], game: GameState | None = None) -> str:
    """Return what a script line says after the agent's acts; without a ``game`` nothing is agreed."""
    for when, text in line.branches:
        if any(all(_meets(term, said, game) for term in option.split("&")) for option in when.split("|")):
            return text
    return line.text


def check_condition(when: str) -> None:
    """Raise a ``UsageError`` unless ``when`` is made of known conditions."""
    for term in when.replace("|", "&").split("&"):
        name = term.strip().removeprefix("not ").strip()
        if name not in CONDITIONS:
            raise UsageError(f"expected a condition, got {name!r}.{did_you_mean(name, CONDITIONS)}")


def _meets(term: str, said: Sequence[DialogueAct], game: GameState | None) -> bool:
    """Whether a condition holds, or, after ``not``, does not."""
    name = term.strip()
    wanted = not name.startswith("not ")
    return _holds(name.removeprefix("not ").strip(), said, game) is wanted


def _holds(condition: str, said: Sequence[DialogueAct], game: GameState | None) -> bool:
    """Whether the agent's acts, or the tickets, meet one condition."""
    if condition in _STATES:
        if game is None:
            return False
        if condition == "settled":
            return int(game.end) == End.SETTLED
        return bool(game.agreed[int(condition.removeprefix("agreed ")) - 1] > 0.0)
    if condition in ("reason", "pressure"):
        tactics = {act.tactic for act in said if act.kind is Act.INFORM} - {Tactic.NONE}
        return Tactic.PRESSURE in tactics if condition == "pressure" else bool(tactics - {Tactic.PRESSURE})
    kinds = _GROUPS.get(condition) or {Act[condition.upper()]}
    return any(act.kind in kinds for act in said)


def _check_script(key: str, script: Script) -> None:
    """Check the conditions of a script before anybody plays it."""
    for number, line in enumerate(script, 1):
        for when, _ in line.branches:
            try:
                check_condition(when)
            except UsageError as error:
                raise UsageError(f"script {key!r}, line {number}: {error}") from error
