"""The prompt of a language-model agent: a compact card, a hint for the stage, the last messages.

Policies answer it, training data is written in it, and reward adapters read it with the reply behind it, so it stands
here and not with any of them. Kept under about 220 tokens, because a small model reads little and every token is paid
for at every turn. Holds public things only. Target prices are in it, as on the card, with
the order to keep them secret.
"""

from __future__ import annotations

from negotiation_env.acts import Tactic
from negotiation_env.engines.protocol import ChatMessage
from negotiation_env.game import open_tickets
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import AgentView, ReplyView
from negotiation_env.sop import Stage

HISTORY_MESSAGES = 4
"""Most messages of the dialogue that the prompt repeats, both sides counted."""
MESSAGE_CHARACTERS = 110
"""Longest part of one message that the prompt repeats; longer ones keep their beginning."""
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
    """Return the system message: who the agent is, the open tickets, one fact, what to do next."""
    card, game = view.card, view.game
    lines = [
        f"You are a sales agent of a travel platform, on the phone with the manager of {card.hotel.name}. "
        "Ask for lower room rates in one short polite sentence. Keep your goal secret."
    ]
    for k, still_open in enumerate(open_tickets(FLOATS, game)):
        if still_open:
            ticket = card.tickets[k]
            offer = f", hotel offers {game.quote[k]:.0f}" if game.quoted[k] else ""
            lines.append(f"{ticket.room}: now {ticket.selling_price} yuan, goal {ticket.target_price}{offer}.")
    facts = {
        Tactic.EXPOSURE: f"partners get {card.facts.exposure}% more views",
        Tactic.CONVERSION: f"partners get {card.facts.conversion}% more bookings",
        Tactic.COMPETITOR: f"{card.facts.competitor_name} sells at {card.facts.competitor_price}",
    }
    freshest = min(facts, key=lambda tactic: game.used[tactic])
    lines.append(f"Fact: {facts[freshest]}.")
    lines.append(f"Now: {STAGE_HINTS[view.stage]}")
    return "\n".join(lines)


def prompt(view: AgentView | ReplyView) -> tuple[ChatMessage, ...]:
    """Return the chat that the agent answers; the manager speaks as ``user``."""
    spoken: list[ChatMessage] = [{"role": "user", "content": CALL_OPENS}]
    for i, said in enumerate(view.agent_said):
        spoken.append({"role": "assistant", "content": _clip(said.text)})
        if i < len(view.manager_said):
            answer = _clip(view.manager_said[i].text)
            spoken.append({"role": "user", "content": answer or NO_ANSWER})
    last = spoken[-HISTORY_MESSAGES:]
    # Chat templates expect the user to speak first after the system message.
    if last[0]["role"] == "assistant":
        last = last[1:]
    return ({"role": "system", "content": system_text(view)}, *last)


def _clip(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= MESSAGE_CHARACTERS:
        return text
    return text[:MESSAGE_CHARACTERS].rsplit(" ", 1)[0] + " ..."
