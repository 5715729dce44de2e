"""What a language model is told before it speaks as the hotel manager; the same in training and in play.

A chat: the system message says what to do, who the manager is, of which house, and how they talk; then come the last
turns of the dialogue, the agent as ``user`` and the hotel as ``assistant``, for a model that has no adapter for this.
Behind the agent's newest words stands a note in brackets: the mood in a word, what weighs on the manager once it is
shown, and the whole answer in plain wording, which the model is to say as that person would. No limit, weight or mood
number enters. An adapter hears the agent's newest message alone: it has learned from short examples, and the plain
wording holds what is to be said. A model without one gets a few examples too.

What stays the same comes first, so that engines keep what they computed for it from turn to turn. Adapters are trained
with this prompt: who changes it has to train them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.scenario import Hotel
from simulators.concerns import Concern

TASK: Final = (
    "You are a hotel manager. Say the plain answer behind Say: in your own words, as the person below would. Take up "
    "what the agent said, keep all figures and rooms, add nothing."
)
HISTORY_CHARACTERS: Final = 2400
"""Most of the earlier turns, of which the oldest are left out first."""
MESSAGE_CHARACTERS: Final = 900
"""Most of one message; of a longer one, beginning and end."""
NO_WORDS: Final = "(no words)"
MOODS: Final = ("furious", "annoyed", "calm", "friendly", "delighted")
"""How a manager may feel, from bad to good."""
_MOOD_EDGES: Final = (-0.6, -0.2, 0.3, 0.7)
SAY: Final = " Say: "
"""Before the plain wording in a note."""


class Speaker(NamedTuple):
    """Who speaks, as the prompt tells it."""

    who: str
    """"You are ..." goes on with it; one sentence or more, without "You are" and the last full stop."""
    talk: str
    """How they talk."""
    hotel: Hotel


class SpokenTurn(NamedTuple):
    """One turn that is over: the agent's words and the hotel's answer, "" for silence."""

    agent: str
    hotel: str


def mood_word(mood: float) -> str:
    """Return a mood in [-1, 1] as a word; the number itself goes into no prompt."""
    return MOODS[sum(mood >= edge for edge in _MOOD_EDGES)]


def concern_told(weighs: Concern, seed: int) -> str:
    """Return a concern in a sentence to the manager; one seed, one sentence."""
    return weighs.brief[seed % len(weighs.brief)]


def note(mood: str, concern: str, plain: str) -> str:
    """Return the note behind the agent's words.

    Args:
        mood: in a word.
        concern: what weighs on the manager, "" as long as it was not shown.
        plain: the answer in plain wording.
    """
    weighs = f" What weighs on you: {concern}" if concern else ""
    return f"[You are {mood}.{weighs}{SAY}{plain}]"


def recent(turns: Sequence[SpokenTurn]) -> Sequence[SpokenTurn]:
    """Return the last turns, as many as fit whole into ``HISTORY_CHARACTERS``."""
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
        examples: see ``voice_data.few_shot``; "" for an adapter of this task.
    """
    messages: list[ChatMessage] = [{"role": "system", "content": system_text(speaker, examples)}]
    waiting: list[str] = []
    for turn in recent(turns) if examples else ():
        waiting.append(spoken_to(turn.agent))
        if turn.hotel:
            messages.append({"role": "user", "content": "\n".join(waiting)})
            messages.append({"role": "assistant", "content": clipped(turn.hotel)})
            waiting = []
    messages.append({"role": "user", "content": "\n".join([*waiting, spoken_to(agent), newest])})
    return tuple(messages)


def system_text(speaker: Speaker, examples: str = "") -> str:
    """Return the system message: the task with what else is told of it, the manager, the house."""
    hotel = speaker.hotel
    house = f"Your house: {hotel.name}, {hotel.stars}-star {hotel.kind} hotel in {hotel.city}, {hotel.season} season."
    who = f"You are {speaker.who.rstrip('.')}. {house} You talk like this: {speaker.talk.rstrip('.')}."
    return f"{TASK}{examples}\n\n{who}"


def spoken_to(agent: str) -> str:
    """Return what the agent said; only notes stand in brackets."""
    return clipped(agent).replace("[", "(").replace("]", ")") or NO_WORDS


def clipped(text: str) -> str:
    """Return a message on one line, without the middle of one that is very long."""
    text = " ".join(text.split())
    if len(text) <= MESSAGE_CHARACTERS:
        return text
    return f"{text[: MESSAGE_CHARACTERS * 2 // 3]} ... {text[-MESSAGE_CHARACTERS // 3 :]}"
