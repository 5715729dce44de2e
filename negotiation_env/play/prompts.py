"""The compact prompt: a short card, where the talks stand, the last messages. Shipped adapters were trained with it.

Those adapters answer it (``agent_prompts`` has what other models see), training data is written in it, and reward
adapters read it with the reply behind it; so it stands here and not with any of them, and who changes it has to train
them all anew. What a good reply depends on is in it in so many words, because a small model hardly compares figures or
remembers turns: whether a quote meets the goal, the own last bid, which reasons are left, which promises are allowed,
whether the manager is upset or asked why. About 200 tokens of SmolLM2 (160 at the opening, 250 with three tickets and
long messages), because every token is paid for at every turn. Holds public things only. Target prices are in it, as on
the card, with the order to keep them secret.
"""

from __future__ import annotations

import math

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.acts import Tactic
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState, Stage, unsettled
from negotiation_env.language.wording import say_day
from negotiation_env.play.protocols import AgentView, ReplyView

HISTORY_MESSAGES = 4
"""Most messages of the dialogue that the prompt repeats, both sides counted."""
MESSAGE_CHARACTERS = 100
"""Longest part of each of the last two messages that the prompt repeats; longer ones keep their beginning."""
OLDER_CHARACTERS = 50
"""The same for the messages before them."""
CALL_OPENS = "Hello?"
"""What the manager is taken to say when picking up the phone; the template needs the user to speak first."""
NO_ANSWER = "(The manager has not replied yet.)"
"""What stands for silence. A sentence: small models parrot "(no answer)" and babble after "..."."""

STAGE_HINTS = {
    Stage.OPEN: "Greet the manager and say why you call.",
    Stage.REASON: "Give one reason for a lower rate.",
    Stage.ASK_PRICE: "Ask which rate they can offer.",
    Stage.OBJECTIONS: "Answer the manager and offer a rate.",
    Stage.CONFIRM: "Accept the manager's rate: repeat room and rate.",
    Stage.CLOSE: "Thank them and say goodbye.",
}


def system_text(view: AgentView | ReplyView) -> str:
    """Return the system message: who the agent is, the open tickets, the facts, where the talks stand, what is next."""
    card, game, facts = view.card, view.game, view.card.facts
    # What stays the same over a dialogue comes first, so that engines can keep what they computed for it.
    lines = [
        f"You are a travel platform's agent, on the phone with the manager of {card.hotel.name}. "
        "Ask for lower room rates in one short polite sentence. Keep your goal secret.",
        f"Facts: {facts.exposure}% more views; {facts.conversion}% more bookings; {facts.competitor_name} sells at "
        f"{facts.competitor_price}; demand {facts.demand:+d}% around {facts.event}.",
        *([f"Also true: {'; '.join(facts.more)}."] if facts.more else []),
    ]
    if card.promises:
        lines.append(f"You may promise: {', '.join(p.replace('-', ' ') for p in card.promises)}.")
    lines += [_ticket_line(card, game, k) for k in unsettled(game)]
    fresh = [name for tactic, name in REASONS.items() if not game.used[tactic]]
    lines.append(f"Not said yet: {', '.join(fresh) or 'nothing'}.")
    lines.append(f"Turn {int(game.turn) + 1}.{mood(game)} Now: {STAGE_HINTS[view.stage]}")
    return "\n".join(lines)


REASONS = {
    Tactic.EXPOSURE: "views",
    Tactic.CONVERSION: "bookings",
    Tactic.COMPETITOR: "competitor",
    Tactic.CALENDAR: "demand",
    Tactic.FIT: "fit",
    Tactic.PARTNERSHIP: "partnership",
}
"""How a reason is named."""


def _ticket_line(card: TaskCard, game: GameState, k: int) -> str:
    """Return an open ticket's stay and its prices, in the type that was named last: selling or net."""
    ticket = card.tickets[k]
    part = 1.0 - ticket.commission if game.net else 1.0
    line = f"{ticket.room}, {say_day(ticket.check_in)} to {say_day(ticket.check_out)}{' (net)' if game.net else ''}: "
    line += f"now {_yuan(ticket.selling_price * part)} yuan"
    line += f", goal {_yuan(ticket.target_price * part)}"
    if game.quoted[k]:
        met = " (goal met)" if game.quote[k] <= ticket.target_price else ""
        line += f", hotel offers {_yuan(game.quote[k] * part)}{met}"
    if game.bid[k] > 0.0:
        line += f", your bid {_yuan(game.bid[k] * part)}"
    return line + "."


def mood(game: GameState) -> str:
    """Return what the manager's last answer asks for beyond figures, or ""."""
    if game.silent_streak:
        return f" No answer for {int(game.silent_streak)} turn{'s' * (game.silent_streak > 1)}."
    wants = [text for said, text in ((game.upset, "is upset"), (game.wants_reason, "asks why")) if said]
    return f" The manager {' and '.join(wants)}." if wants else ""


def _yuan(price: float) -> str:
    """Return a price as both sides say it: whole, rounded up (see ``game.said_price``)."""
    return str(math.ceil(price - 1e-6))


def prompt(view: AgentView | ReplyView) -> tuple[ChatMessage, ...]:
    """Return the chat that the agent answers; the manager speaks as ``user``."""
    spoken: list[ChatMessage] = [{"role": "user", "content": CALL_OPENS}]
    for i, said in enumerate(view.agent_said):
        spoken.append({"role": "assistant", "content": said.text})
        if i < len(view.manager_said):
            spoken.append({"role": "user", "content": view.manager_said[i].text})
    last = spoken[-HISTORY_MESSAGES:]
    # Chat templates expect the user to speak first after the system message.
    if last[0]["role"] == "assistant":
        last = last[1:]
    shown: list[ChatMessage] = []
    for i, message in enumerate(last):
        text = _clip(message["content"], OLDER_CHARACTERS if i < len(last) - 2 else MESSAGE_CHARACTERS)
        shown.append({"role": message["role"], "content": text or NO_ANSWER if message["role"] == "user" else text})
    return ({"role": "system", "content": system_text(view)}, *shown)


def _clip(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0] + " ..."
