"""What a language model is told before it speaks as the hotel manager; the same in training and in play.

A chat: the system message says what to do, who the manager is, of which house, and how they talk; then come the last
turns of the dialogue, whole, the agent as ``user`` and the hotel as ``assistant``. Behind the agent's words stands a
note in brackets: the mood in a word, what weighs on the manager once it is shown, and the decision in plain words
("offer 435 for the Deluxe King; ask what is in it for you"). No limit, weight or mood number enters. A model that has
no adapter for this gets a few answers of written dialogues as examples.

What stays the same comes first, so that engines keep what they computed for it from turn to turn. Adapters are trained
with this prompt: who changes it has to train them anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import Hotel
from simulators.concerns import Concern

TASK: Final = (
    "You are a hotel manager. Answer the platform's agent as the person below would, in one to three short sentences: "
    "react to what the agent has just said, and say what the note in brackets tells you to. Name no figure but the "
    "note's, promise nothing else, and do not repeat yourself."
)
HISTORY_CHARACTERS: Final = 2400
"""Most of the earlier turns, of which the oldest are left out first."""
MESSAGE_CHARACTERS: Final = 900
"""Most of one message; of a longer one, beginning and end."""
NO_WORDS: Final = "(no words)"
MOODS: Final = ("furious", "annoyed", "calm", "friendly", "delighted")
"""How a manager may feel, from bad to good."""
_MOOD_EDGES: Final = (-0.6, -0.2, 0.3, 0.7)


class Speaker(NamedTuple):
    """Who speaks, as the prompt tells it."""

    who: str
    """"You are ..." goes on with it; one sentence or more, without "You are" and the last full stop."""
    talk: str
    """How they talk."""
    hotel: Hotel


class SpokenTurn(NamedTuple):
    """One turn that is over: the agent's words, the note of the hotel's answer ("" if none is known), the answer."""

    agent: str
    note: str
    hotel: str
    """"" for silence."""


def mood_word(mood: float) -> str:
    """Return a mood in [-1, 1] as a word; the number itself goes into no prompt."""
    return MOODS[sum(mood >= edge for edge in _MOOD_EDGES)]


_TOPICS: Final = {
    Tactic.EXPOSURE: "more views",
    Tactic.CONVERSION: "more bookings",
    Tactic.COMPETITOR: "the competitor",
    Tactic.CALENDAR: "demand",
    Tactic.FIT: "what fits your house",
    Tactic.PARTNERSHIP: "partnership",
    Tactic.PRESSURE: "this pressure",
}


_ASKED: Final = {
    "": "ask what is in it for you",
    "reason": "ask what is in it for you",
    "figure": "ask which figure they mean",
    "price": "ask which rate they have in mind",
}
_TOLD: Final = {
    "upset": "show that you are upset",
    "insult": "say what you think of them",
    "concern": "speak of what weighs on you",
    "warning": "warn them that you will soon end this",
    **{f"condition:{name}": f"tie it to this: {text}" for name, text in world.CONDITIONS.items()},
}
"""Details of acts in the note's words; another one is named as it stands."""
REMARKS: Final[dict[str, str]] = {
    "shows": _TOLD["concern"], "eased": "thank them for hearing what weighs on you", "inflamed": _TOLD["upset"],
}  # fmt: skip
"""What a remark on the concern does (``rule_manager.Remark.why``), in the note's words."""


def concern_told(weighs: Concern, seed: int) -> str:
    """Return a concern in a sentence to the manager; one seed, one sentence."""
    return weighs.brief[seed % len(weighs.brief)]


def _plain(detail: str) -> str:
    return detail.replace("-", " ").replace("_", " ")


def say(acts: Iterable[DialogueAct], rooms: Sequence[str], net_before: bool = False, more: Sequence[str] = ()) -> str:
    """Return a manager's acts in plain words, as the note tells them.

    Args:
        acts: the decision, with its figures as they are to be said.
        rooms: the card's room types; of several each is named.
        net_before: whether the price type last named is net.
        more: what else is to be said, in words, behind the acts.
    """
    told = [text for act in acts if (text := _act(act, rooms, net_before))]
    return "; ".join((*told, *(text for text in more if text not in told))) or "answer without a figure"


def _act(act: DialogueAct, rooms: Sequence[str], net_before: bool) -> str:
    room = f" for the {rooms[act.ticket]}" if act.ticket is not None and len(rooms) > 1 else ""
    price = _figure(act, net_before)
    at = f" {price}" if price else ""
    match act.kind:
        case Act.GREET:
            return "greet"
        case Act.SOOTHE:
            return "thank them"
        case Act.PROPOSE | Act.COUNTER:
            last = ", your last price" if act.detail == "last" else ""
            return f"offer{at}{room}{last}" if price else ""
        case Act.ACCEPT:
            return f"agree to{at}{room}" if price else f"agree{room}"
        case Act.CONFIRM:
            return f"confirm{at}{room}"
        case Act.REJECT if act.detail == "final":
            return f"refuse for good{room}"
        case Act.REJECT if act.detail == "retract":
            return f"take back your offer{room}"
        case Act.REJECT:
            return f"stay at {price}{room}" if price else f"give no lower rate{room}"
        case Act.ASK if act.detail == "confirm":
            return f"ask whether{at}{room} is agreed"
        case Act.ASK:
            return _ASKED.get(act.detail, f"ask about {_plain(act.detail)}")
        case Act.INFORM if act.detail == "objection":
            return f"doubt what they say of {_TOPICS.get(act.tactic, 'that')}"
        case Act.INFORM if act.detail:
            return _TOLD.get(act.detail, f"speak of {_plain(act.detail)}")
        case Act.CLOSE:
            return "end the talk, you have had enough" if act.detail == "walk" else "say goodbye"
        case Act.OFF_TOPIC:
            return "chat about something else"
    return ""


def _figure(act: DialogueAct, net_before: bool) -> str:
    """Return an act's figure with its price type, where that is not the one last named; "" without one."""
    if act.price is None:
        return ""
    if act.price_type is PriceType.NET:
        return f"{act.price:g} net"
    return f"{act.price:g} selling" if net_before else f"{act.price:g}"


def note(mood: str, concern: str, said: str, turns: Sequence[SpokenTurn] = ()) -> str:
    """Return the note behind the agent's words.

    Args:
        mood: in a word.
        concern: what weighs on the manager, "" as long as it was not shown; told where no note before tells it.
        said: see ``say``.
        turns: the turns so far.
    """
    told = not concern or any(concern in turn.note for turn in recent(turns))
    weighs = "" if told else f" What weighs on you: {concern}"
    return f"[You are {mood}.{weighs} Say: {said}.]"


def recent(turns: Sequence[SpokenTurn]) -> Sequence[SpokenTurn]:
    """Return the last turns, as many as the prompt repeats."""
    kept, left = len(turns), HISTORY_CHARACTERS
    while kept and (left := left - len(turns[kept - 1].agent) - len(turns[kept - 1].hotel)) >= 0:
        kept -= 1
    return turns[kept:]


def chat(
    speaker: Speaker, turns: Sequence[SpokenTurn], agent: str, newest: str, examples: str = ""
) -> tuple[ChatMessage, ...]:
    """Return the chat that the model answers.

    Args:
        speaker: who answers.
        turns: the turns so far, oldest first.
        agent: the agent's newest message.
        newest: the note of the answer that is due.
        examples: see ``voice_data.few_shot``; "" for a model that knows the task.
    """
    messages: list[ChatMessage] = [{"role": "system", "content": system_text(speaker, examples)}]
    waiting: list[str] = []
    for turn in recent(turns):
        waiting.append(spoken_to(turn.agent, turn.note))
        if turn.hotel:
            messages.append({"role": "user", "content": "\n".join(waiting)})
            messages.append({"role": "assistant", "content": clipped(turn.hotel)})
            waiting = []
    messages.append({"role": "user", "content": "\n".join([*waiting, spoken_to(agent, newest)])})
    return tuple(messages)


def system_text(speaker: Speaker, examples: str = "") -> str:
    """Return the system message: the task with what else is told of it, the manager, the house."""
    hotel = speaker.hotel
    house = f"Your house: {hotel.name}, {hotel.stars}-star {hotel.kind} hotel in {hotel.city}, {hotel.season} season."
    who = f"You are {speaker.who.rstrip('.')}. {house} You talk like this: {speaker.talk.rstrip('.')}."
    return f"{TASK}{examples}\n\n{who}"


def spoken_to(agent: str, newest: str) -> str:
    """Return what the agent said with the note behind it; only notes stand in brackets."""
    words = clipped(agent).replace("[", "(").replace("]", ")") or NO_WORDS
    return f"{words}\n{newest}" if newest else words


def clipped(text: str) -> str:
    """Return a message on one line, without the middle of one that is very long."""
    text = " ".join(text.split())
    if len(text) <= MESSAGE_CHARACTERS:
        return text
    return f"{text[: MESSAGE_CHARACTERS * 2 // 3]} ... {text[-MESSAGE_CHARACTERS // 3 :]}"
