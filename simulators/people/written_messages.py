"""The messages of written dialogues, each in the state of the game in which it was said, with its acts as the game's.

A dialogue is played forward by its annotations: a message's state holds what the annotated messages before it did.
The agent's alternatives stand in the same state as the message in whose place they could have been said. What readers
are trained on and measured by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from copy import copy
from typing import Final, Literal, NamedTuple

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import TaskCard, card_numbers
from negotiation_env.game.state import GameState, apply_decision, apply_move, new_game, settle
from negotiation_env.language.reading import Context, context_of
from negotiation_env.language.wording import agent_phrase_book, word
from simulators.people.written_dialogues import WrittenDialogue, WrittenReply, WrittenTurn, task_card

_ACT: Final = re.compile(
    r"(?P<kind>[a-z_]+)(?::(?P<topic>[a-z-]+))?(?:@(?P<ticket>\d))?(?:=(?P<value>-?\d+(?:\.\d+)?))?"
    r"(?: (?P<type>selling|net))?$"
)
_KINDS: Final = {
    "greet": Act.GREET, "identify": Act.GREET, "soothe": Act.SOOTHE, "propose": Act.COUNTER, "quote": Act.COUNTER,
    "accept": Act.ACCEPT, "confirm": Act.CONFIRM, "reject": Act.REJECT, "hold": Act.REJECT, "refuse": Act.REJECT,
    "retract": Act.REJECT, "promise": Act.PROMISE, "close": Act.CLOSE, "off_topic": Act.OFF_TOPIC,
    "silence": Act.SILENCE, "inform": Act.INFORM, "objection": Act.INFORM, "upset": Act.INFORM, "ask": Act.ASK,
}  # fmt: skip
_TACTICS: Final = {tactic.name.lower(): tactic for tactic in Tactic} | {"demand": Tactic.CALENDAR}
_DETAILS: Final = {"hold": "hold", "refuse": "final", "retract": "retract", "upset": "upset", "objection": "objection"}


class WrittenMessage(NamedTuple):
    """One message in its place."""

    where: str
    """Dialogue, turn, and which message: "a0" the agent's, "a1" and on its alternatives, "h" the hotel's."""
    side: Literal["agent", "manager"]
    text: str
    acts: tuple[str, ...]
    """As annotated."""
    said: tuple[DialogueAct, ...]
    """What of it the game knows."""
    flaws: tuple[str, ...]
    card: TaskCard
    game: GameState
    """The public state before it; read only."""
    context: Context
    earlier: tuple[str, ...]
    """What both sides have said before, oldest first."""


def game_acts(acts: Iterable[str], side: Literal["agent", "manager"]) -> tuple[DialogueAct, ...]:
    """Return annotated acts as the game's; those that the game does not know ("maybe", "defer", ...) are left out."""
    return tuple(act for text in acts if (act := _game_act(text, side)) is not None)


def template_text(acts: Iterable[str], card: TaskCard, context: Context, turn: int, seed: int) -> str | None:
    """Return annotated acts of the agent's in the phrase book's words; None where one is none of the game's.

    To speak to what troubles the hotel (``address``) is worded as ``soothe``, the nearest that the book has; "greet"
    and "identify" are one phrase.

    Args:
        acts: as annotated.
        card: what the agent may know.
        context: of the state that the message is said in.
        turn: its number.
        seed: which phrases.
    """
    found = [game_acts(["soothe" if act.startswith("address:") else act], "agent") for act in acts]
    if not found or not all(found):
        return None
    once = tuple(dict.fromkeys(act for some in found for act in some))
    try:
        return word(once, card, context, agent_phrase_book(), seed, turn)
    except UsageError:
        return None  # the book has no phrase for it


def _game_act(text: str, side: str) -> DialogueAct | None:
    found = _ACT.match(text)
    kind = _KINDS.get(found["kind"]) if found is not None else None
    if found is None or kind is None:
        return None
    name, topic = found["kind"], found["topic"] or ""
    ticket = None if found["ticket"] is None else int(found["ticket"])
    value = None if found["value"] is None else float(found["value"])
    if kind is Act.ASK:
        asked = {"price": "price", "reason": "reason"}.get(topic)
        return None if asked is None else DialogueAct(kind, ticket=ticket, detail=asked)
    if kind is Act.INFORM:
        return DialogueAct(kind, _TACTICS.get(topic, Tactic.NONE), figure=value, detail=_DETAILS.get(name, ""))
    if kind is Act.PROMISE:
        return DialogueAct(kind, detail=topic)
    if kind is Act.CLOSE:
        return DialogueAct(kind, detail="bye")
    price_type = None if value is None else PriceType.NET if found["type"] == "net" else PriceType.SELLING
    return DialogueAct(kind, price=value, price_type=price_type, ticket=ticket, detail=_DETAILS.get(name, ""))


def written_messages(dialogue: WrittenDialogue) -> Iterator[WrittenMessage]:
    """Yield what is said in a dialogue, and what could have been, in order; silence is left out."""
    card = task_card(dialogue)
    game = new_game(FLOATS, card_numbers(card))
    earlier: tuple[str, ...] = ()
    for number, turn in enumerate(dialogue.turns):
        where = f"{dialogue.id}:{number}"
        heard = earlier[-1] if earlier else ""
        for place, reply in enumerate(turn.replies):
            yield _message(f"{where}:a{place}", "agent", reply, card, game, heard, earlier)
        move = move_of(game_acts(turn.agent_acts, "agent"), card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        game.end = 0.0  # a dialogue goes on after a goodbye that the annotation gives too early
        earlier = (*earlier, turn.agent)
        if turn.manager.strip():
            yield _message(f"{where}:h", "manager", _hotel(turn), card, game, turn.agent, earlier)
        apply_decision(FLOATS, game, decision_of(game_acts(turn.manager_acts, "manager"), game))
        game.end = 0.0
        earlier = (*earlier, turn.manager)


def _hotel(turn: WrittenTurn) -> WrittenReply:
    return WrittenReply(text=turn.manager, acts=turn.manager_acts, quality=3)


def _message(
    where: str,
    side: Literal["agent", "manager"],
    reply: WrittenReply,
    card: TaskCard,
    game: GameState,
    heard: str,
    earlier: tuple[str, ...],
) -> WrittenMessage:
    here = copy(game)
    context = context_of(card, here, side, heard)
    said = game_acts(reply.acts, side)
    return WrittenMessage(where, side, reply.text, reply.acts, said, reply.flaws, card, here, context, earlier)
