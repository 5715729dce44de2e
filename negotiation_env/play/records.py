"""The record of an episode: what was said, meant and earned, turn by turn, as one JSON line.

A record holds public things, and the seed and names from which the rest can be drawn again; no floor, mood or other
private value is written. Files are JSON Lines in UTF-8; one line is one episode. ``recorded_views`` plays the public
state forward from the recorded acts, so that a reward can score old episodes anew without manager, policy or engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from negotiation_env.files import append_lines, named, parse, read_lines, write_lines
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of
from negotiation_env.game.scenario import TaskCard, card_numbers
from negotiation_env.game.state import Stage, apply_decision, apply_move, new_game
from negotiation_env.language.describe import act_to_json
from negotiation_env.language.reading import Reading, checks_claims, context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import claims_in, take_in
from negotiation_env.play.protocols import ReplyView, RewardBreakdown, Utterance


def _read_act(data: object) -> object:
    """Return an act's fields from its line's: names in place of numbers, and what is not said left out."""
    if not isinstance(data, dict):
        return data
    act = dict(data)
    try:
        act["kind"] = Act[act.pop("act", "")]
        act["tactic"] = Tactic[act.get("tactic", "NONE")]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the names of an act and of its tactic ({error})") from error
    return act


_Acts: TypeAlias = tuple[Annotated[DialogueAct, BeforeValidator(_read_act)], ...]


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """The agent's reply, its reward, and the manager's answer."""

    text: str
    acts: _Acts
    stage: Annotated[Stage, named({stage.name.lower(): stage for stage in Stage}, "a stage")]
    reward: RewardBreakdown
    answer: str
    answer_acts: _Acts
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    faults: tuple[str, ...] = ()
    confidence: float = 1.0
    """How sure the reader was of ``acts``, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TicketOutcome:
    """What became of a ticket. Prices are selling prices; ``agreed`` is None where nothing was agreed."""

    room: str
    selling_price: int
    target_price: int
    agreed: float | None
    refused: bool
    condition: str | None = None
    """What the agreed price is tied to, one of ``world.CONDITIONS``."""


_DO = "record the episode again"


@dataclass(frozen=True, slots=True)
class Episode:
    """One negotiation from the first message to its end."""

    scenario_id: str
    seed: int
    policy: str
    manager: str
    card: TaskCard
    turns: tuple[TurnRecord, ...]
    end: str
    """"settled" (something agreed), "no_deal" (everything refused), "walked_away", "closed", "no_answer", "truncated"
    or "fault"."""
    tickets: tuple[TicketOutcome, ...]
    persona: str = ""
    fault: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    """By part, what the record depends on; ``"reader"`` is who read the agent's messages, such as ``"rules 2"``."""
    policy_seed: int | None = None
    """Seed of the policy's draws where it is not ``seed``."""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-able data."""
        # Field by field: asdict would copy every turn before it is put aside.
        data = {part.name: getattr(self, part.name) for part in fields(self)}
        data["card"] = self.card.to_json()
        data["turns"] = [_turn_to_json(turn) for turn in self.turns]
        data["tickets"] = [asdict(ticket) for ticket in self.tickets]
        if self.policy_seed is None:
            del data["policy_seed"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Episode:
        """Rebuild a record. Raises ``DataFileError`` if a field is missing or malformed."""
        return parse(cls, data, "episode record", _DO)


def _turn_to_json(turn: TurnRecord) -> dict[str, Any]:
    reward = turn.reward._asdict()
    reward["terms"] = [term._asdict() for term in turn.reward.terms]
    data: dict[str, Any] = {
        "text": turn.text,
        "acts": [act_to_json(act) for act in turn.acts],
        "stage": turn.stage.name.lower(),
        "reward": reward,
        "answer": turn.answer,
        "answer_acts": [act_to_json(act) for act in turn.answer_acts],
        "token_ids": list(turn.token_ids),
        "logprobs": list(turn.logprobs),
        "faults": list(turn.faults),
    }
    if turn.confidence < 1.0:
        data["confidence"] = turn.confidence
    return data


def write_episodes(path: Path, episodes: Iterable[Episode], append: bool = False) -> None:
    """Write episodes as JSON Lines: the file whole, or with ``append`` each at once behind those that are there."""
    rows = (episode.to_json() for episode in episodes)
    if append:
        append_lines(path, rows)
    else:
        write_lines(path, rows, escaped=True)


def read_episodes(path: Path) -> Iterator[Episode]:
    """Yield the episodes of a file; a last line cut off by a kill is skipped, any other bad line is an error."""
    return read_lines(path, Episode, torn=True, do=_DO)


def recorded_views(episode: Episode) -> list[ReplyView]:
    """Return the view of every reply, in order; each has its own copy of the public state before the reply."""
    card = episode.card
    game = new_game(FLOATS, card_numbers(card))
    said: list[Utterance] = []
    answers: list[Utterance] = []
    checked = checks_claims(episode.versions.get("reader", ""))
    views = []
    for turn in episode.turns:
        # The words alone: what was meant stands in the record, whoever read it.
        words = understand(turn.text, context_of(card, game, "agent")).words
        claims = claims_in(turn.text, card, game, said, answers) if checked else ()
        meant = Reading(turn.acts, words, turn.confidence, claims=claims)
        taken = take_in(turn.text, meant, card, copy(game), tuple(said), tuple(answers), checked)
        views.append(taken.view)
        apply_move(FLOATS, game, taken.move, taken.claims)
        said.append(Utterance(turn.text, turn.acts))
        apply_decision(FLOATS, game, decision_of(turn.answer_acts, game))
        answers.append(Utterance(turn.answer, turn.answer_acts))
    return views
