"""The ``replay`` field of a preference line: the public state behind its prompt, so that replies can be read again.

A language model reads prompt and reply alone; act-level models need the state (``ReplyView``). The field holds the
task card, the public state and what was said, nothing of the manager's private side. A file made elsewhere may leave
it out, and is then refused where the state is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any, Final

from negotiation_env.acts import MAX_TICKETS, Tactic
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game import GameState, new_game, open_tickets
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import ReplyView, Utterance
from negotiation_env.scenario import Facts, Hotel, TaskCard, Ticket, card_numbers
from negotiation_env.training_files import PreferencePair
from rewards.examples import view_reply
from rewards.situations import Situation

_TUPLES: Final = {"quote": MAX_TICKETS, "quoted": MAX_TICKETS, "fresh": MAX_TICKETS, "bid": MAX_TICKETS,
                  "agreed": MAX_TICKETS, "refused": MAX_TICKETS, "used": len(Tactic)}  # fmt: skip
_FLAGS: Final = ("quoted", "fresh", "refused", "greeted", "asked", "upset", "wants_reason", "ever_answered", "net")
_FIELDS: Final = tuple(f.name for f in fields(GameState) if f.name not in ("card", "open", "end"))


def replay_of(situation: Situation) -> dict[str, Any]:
    """Return a situation as JSON-able data."""
    card = asdict(situation.card)
    for ticket in card["tickets"]:
        ticket["check_in"] = ticket["check_in"].isoformat()
    return {
        "card": card,
        "state": {name: _plain(getattr(situation.game, name)) for name in _FIELDS},
        "said": [[a.text, m.text] for a, m in zip(situation.said, situation.manager, strict=True)],
    }


def views_of(pair: PreferencePair, where: str) -> tuple[ReplyView, ReplyView]:
    """Return the views of a pair's chosen and rejected reply.

    Args:
        pair: a line of a preference file.
        where: file and line, for messages.

    Raises:
        DataFileError: if the line has no ``replay``, or a field of it is wrong.
    """
    if pair.replay is None:
        raise DataFileError(
            f"{where}: replay: expected the public state behind the prompt, got nothing: this model reads acts and "
            "not text alone; train a language-model reward model on this file, or write files with "
            "'negotiate data preferences'"
        )
    try:
        at = situation_of(pair.replay)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise DataFileError(
            f"{where}: replay: expected card, state and said as the command writes them: {error!r}"
        ) from error
    chosen, rejected = (view_reply(t, at.card, at.game, at.said, at.manager) for t in (pair.chosen, pair.rejected))
    return chosen, rejected


def situation_of(data: Mapping[str, Any]) -> Situation:
    """Rebuild a situation; its earlier messages carry no acts, and its seed is not known (0).

    Raises:
        KeyError, TypeError, ValueError, UsageError: if the data are not what ``replay_of`` writes.
    """
    table = data["card"]
    tickets = tuple(Ticket(**{**t, "check_in": date.fromisoformat(t["check_in"])}) for t in table["tickets"])
    card = TaskCard(Hotel(**table["hotel"]), tickets, Facts(**table["facts"]), tuple(table["promises"]))
    game = new_game(FLOATS, card_numbers(card))
    state = data["state"]
    for name in _FIELDS:
        setattr(game, name, _checked(name, state[name]))
    game.open = open_tickets(FLOATS, game)
    said = [(str(agent), str(manager)) for agent, manager in data["said"]]
    return Situation(0, card, game, tuple(Utterance(a, ()) for a, _ in said), tuple(Utterance(m, ()) for _, m in said))


def _checked(name: str, value: object) -> object:
    """Return a field of the public state; lists become tuples of the right length and type."""
    kind = bool if name in _FLAGS else float
    if name in _TUPLES:
        if not isinstance(value, Sequence) or len(value) != _TUPLES[name]:
            raise ValueError(f"{name}: expected {_TUPLES[name]} values, got {value!r}")
        return tuple(_one(name, kind, x) for x in value)
    return _one(name, kind, value)


def _one(name: str, kind: type[bool] | type[float], value: object) -> bool | float:
    if kind is bool and isinstance(value, bool):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{name}: expected a {kind.__name__}, got {value!r}")


def _plain(value: Any) -> Any:
    """Return numbers and flags as JSON has them; whole numbers without a point."""
    if isinstance(value, tuple):
        return [_plain(x) for x in value]
    if isinstance(value, bool):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
