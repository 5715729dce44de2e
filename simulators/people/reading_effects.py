"""What a message does to the game as it was meant, and as a reader read it.

Each written message is read in the state in which it was said; two readings are the same where they leave the same
agreements, bids, commitments of the hotel, refusals and end behind. A ticket about which the other side asks back is
not misread: the answer decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final, NamedTuple

from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.state import End, GameState, Move, apply_decision, apply_move, settle
from negotiation_env.language.reading import Reader, Reading
from simulators.people.written_messages import WrittenMessage

YUAN: Final = 2.0
"""Yuan of selling price within which a figure was read right: both price types are rounded when they are said."""


class Effect(NamedTuple):
    """What a message does to the public state. Prices are selling prices, 0 for none."""

    agreed: tuple[float, ...]
    bid: tuple[float, ...]
    quote: tuple[float, ...]
    """The hotel's standing commitments."""
    refused: tuple[bool, ...]
    ended: bool
    """By a goodbye or by walking away."""
    unsure: tuple[bool, ...]
    """Tickets about which the other side asks back."""
    move: Move | None

    def differs(self, other: Effect) -> list[str]:
        """Return what the other effect does otherwise, tickets that are asked about aside."""
        found = ["end"] if self.ended != other.ended else []
        for k, unsure in enumerate(self.unsure):
            if not unsure:
                for name in ("agreed", "bid", "quote", "refused"):
                    if abs(getattr(self, name)[k] - getattr(other, name)[k]) > YUAN * (name != "refused"):
                        found.append(f"{name}@{k}")
        return found


class ReadMessage(NamedTuple):
    """One message as read and as meant."""

    message: WrittenMessage
    reading: Reading
    meant: Effect
    read: Effect
    wrong: tuple[str, ...]
    """What the reading changes in the game that the message does not."""


def effect_of(acts: Sequence[DialogueAct], message: WrittenMessage) -> Effect:
    """Return what acts do in a message's place; nothing of the message changes."""
    game, count = copy(message.game), len(message.card.tickets)
    move, unsure = None, (False,) * count
    if message.side == "agent":
        move = move_of(acts, message.card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        unsure = tuple(bool(flag or move.unclear) for flag in move.unsure[:count])
    else:
        apply_decision(FLOATS, game, decision_of(acts, game))
    return Effect(
        game.agreed[:count],
        game.bid[:count],
        _committed(game, count),
        game.refused[:count],
        int(game.end) in (End.CLOSED, End.WALKED_AWAY),
        unsure,
        move,
    )


def _committed(game: GameState, count: int) -> tuple[float, ...]:
    return tuple(game.quote[k] if game.quoted[k] else 0.0 for k in range(count))


def judge(messages: Sequence[WrittenMessage], reader: Reader, batch: int = 64) -> list[ReadMessage]:
    """Read messages in batches and compare what was read with what was meant."""
    judged: list[ReadMessage] = []
    for start in range(0, len(messages), batch):
        part = messages[start : start + batch]
        readings = reader.read([m.text for m in part], [m.context for m in part])
        judged += map(compare, part, readings)
    return judged


def compare(message: WrittenMessage, reading: Reading) -> ReadMessage:
    """Return a message as read and as meant."""
    meant, read = effect_of(message.said, message), effect_of(reading.acts, message)
    if message.side == "manager":  # a hotel's goodbye is annotated like its breaking off
        meant = meant._replace(ended=any(act.kind is Act.CLOSE for act in message.said) and read.ended)
    return ReadMessage(message, reading, meant, read, tuple(read.differs(meant)))


def same_figure(a: float, b: float) -> bool:
    """Return whether two selling prices are the same but for rounding."""
    return abs(a - b) <= YUAN


def commits_falsely(item: ReadMessage) -> bool:
    """Whether a ticket was read as agreed, or the agent's bid as taken, that was not."""
    message, read, meant = item.message, item.read, item.meant
    for k in range(len(message.card.tickets)):
        if read.agreed[k] > 0.0 and not same_figure(read.agreed[k], meant.agreed[k]):
            return True
        bid = message.game.bid[k]
        taken = bid > 0.0 and same_figure(read.quote[k], bid) and not same_figure(meant.quote[k], bid)
        if message.side == "manager" and taken:
            return True
    return False
