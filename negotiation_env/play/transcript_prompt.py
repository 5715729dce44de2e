"""The transcript prompt: the card once, then the whole dialogue, each of the manager's messages with a note behind it.

For adapters of small models. What was written stays as it was when the dialogue goes on, so that a whole dialogue is
one sequence: it is trained on at once, and an engine keeps what it computed for it from turn to turn. A small model
hardly compares figures, so the note says in brackets what the message does, as the environment heard it: which figure
it names for which room and whether that meets the goal, what it asks, what is still open. Holds public things only.
Target prices are in it, as on the card, with the order to keep them secret.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, Ticket, promise_text
from negotiation_env.play.prompts import CALL_OPENS, NO_ANSWER, REASONS
from negotiation_env.play.protocols import AgentView, ReplyView, Utterance

_OFFERS = {Act.COUNTER: "offers", Act.ACCEPT: "says yes to", Act.CONFIRM: "agreed at", Act.PROPOSE: "offers"}
_ASKS = {"reason": "asks why", "price": "asks your rate", "figure": "asks which figure you mean"}
_REFUSALS = {"hold": "holds", "final": "refuses for good", "retract": "takes its figure back"}


def transcript_prompt(view: AgentView | ReplyView) -> tuple[ChatMessage, ...]:
    """Return the chat that the agent answers; the manager speaks as ``user``."""
    return transcript(view.card, [u.text for u in view.agent_said], view.manager_said)


def transcript(card: TaskCard, agent: Sequence[str], manager: Sequence[Utterance]) -> tuple[ChatMessage, ...]:
    """Return a dialogue that the agent opens as a chat: the card, then messages in turn.

    Args:
        card: the agent's.
        agent: its messages, oldest first.
        manager: the answers; as many, or one fewer where the last is still to come.
    """
    chat: list[ChatMessage] = [
        {"role": "system", "content": card_text(card)},
        {"role": "user", "content": CALL_OPENS},
    ]
    closed: set[int] = set()
    for place, text in enumerate(agent):
        chat.append({"role": "assistant", "content": text})
        if place < len(manager):
            chat.append({"role": "user", "content": noted(card, manager[place], closed)})
    return tuple(chat)


def card_text(card: TaskCard) -> str:
    """Return the system message: who the agent is, the facts, the promises, the rooms with dates and goals."""
    hotel, facts = card.hotel, card.facts
    lines = [
        f"You are a travel platform's agent in a chat with the manager of {hotel.name}, a {hotel.stars}-star "
        f"{hotel.kind} hotel in {hotel.city} ({hotel.season} season, {hotel.occupancy:.0%} occupied). Get lower room "
        "rates. Be warm, honest and brief; keep your goals secret.",
        f"Facts: partners get {facts.exposure}% more views, {facts.conversion}% more bookings; {facts.competitor_name} "
        f"sells at {facts.competitor_price}; demand {facts.demand:+d}% around {facts.event}.",
        *([f"Also true: {'; '.join(facts.more)}."] if facts.more else []),
        f"You may promise: {'; '.join(map(promise_text, card.promises)) or 'nothing'}. Nothing else.",
        *(_room_line(ticket) for ticket in card.tickets),
    ]
    return "\n".join(lines)


def _room_line(ticket: Ticket) -> str:
    net = 1.0 - ticket.commission
    day = f"{ticket.check_in:%d %B}".lstrip("0")
    return (
        f"{ticket.room}: {ticket.nights} night{'s' * (ticket.nights != 1)} from {day}; now "
        f"{_yuan(ticket.selling_price)} selling, {_yuan(ticket.selling_price * net)} net at {ticket.commission:.0%} "
        f"commission; goal "
        f"{_yuan(ticket.target_price)} selling, {_yuan(ticket.target_price * net)} net."
    )


def noted(card: TaskCard, said: Utterance, closed: set[int]) -> str:
    """Return a manager's message with its note; rooms that it settles or refuses for good join ``closed``."""
    parts = list(_parts(card, said.acts))
    done = {ticket for act in said.acts if _closes(act) for ticket in _tickets(card, act)}
    if done - closed:
        closed |= done
        left = [ticket.room for k, ticket in enumerate(card.tickets) if k not in closed]
        parts.append(f"still open: {', '.join(left)}" if left else "nothing open: thank them and say goodbye")
    text = said.text.strip() or NO_ANSWER
    return f"{text}\n[{'; '.join(parts)}]" if parts else text


def _parts(card: TaskCard, acts: Iterable[DialogueAct]) -> list[str]:
    """Return what a message does, part by part, each once."""
    parts: dict[str, None] = {}
    for act in acts:
        if act.kind in _OFFERS and act.price is not None:
            parts |= dict.fromkeys(_figure(card.tickets[k], act, _OFFERS[act.kind]) for k in _tickets(card, act))
        elif act.kind is Act.ASK and act.detail == "confirm" and act.price is not None:
            parts |= dict.fromkeys(_figure(card.tickets[k], act, "asks you to confirm") for k in _tickets(card, act))
        elif act.kind is Act.ASK and act.detail in _ASKS:
            parts[_ASKS[act.detail]] = None
        elif act.kind is Act.REJECT:
            rooms = ", ".join(card.tickets[k].room for k in _tickets(card, act))
            parts[f"{rooms}: {_REFUSALS.get(act.detail, 'says no')}"] = None
        elif act.kind is Act.INFORM and act.detail == "upset":
            parts["is upset"] = None
        elif act.kind is Act.INFORM and act.detail == "objection" and act.tactic is not Tactic.NONE:
            parts[f"doubts {REASONS.get(act.tactic, 'that')}"] = None
        elif act.kind is Act.CLOSE:
            parts["leaves"] = None
    return list(parts)


def _figure(ticket: Ticket, act: DialogueAct, does: str) -> str:
    """Return a figure with its type, and whether it meets the goal."""
    net = act.price_type is PriceType.NET
    price, goal = act.price or 0.0, ticket.target_price * (1.0 - ticket.commission if net else 1.0)
    line = f"{ticket.room}: {does} {_yuan(price)} {'net' if net else 'selling'}"
    if act.kind is Act.CONFIRM:
        return line
    return f"{line}, {'goal met' if price <= goal + 1.0 else f'goal {_yuan(goal)}'}"


def _closes(act: DialogueAct) -> bool:
    return act.kind is Act.CONFIRM or (act.kind is Act.REJECT and act.detail == "final")


def _tickets(card: TaskCard, act: DialogueAct) -> list[int]:
    """Return the tickets that an act is about: the one that it names, or all."""
    if act.ticket is not None:
        return [act.ticket] if act.ticket < len(card.tickets) else []
    return list(range(len(card.tickets)))


def _yuan(price: float) -> str:
    """Return a price as both sides say it: whole, rounded up (see ``game.said_price``)."""
    return str(math.ceil(price - 1e-6))
