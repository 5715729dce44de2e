"""What the voice of a simulated manager learns: to say a plain wording as a person would.

A situation is an answer that is due in a written dialogue: who speaks, what was said, the state of the game, and the
plain wording in which the rules would say the annotated decision, put together as in play
(``rule_manager.in_order``). What play never decides is left out (small talk, requests that no agent may grant, words
that only sound like yes), and so are Chinese messages, which the models that are trained here hardly write.

What is learnt from stands in ``voice/reworded.jsonl``: plain wordings of simulated play and of training authors'
situations, with an answer written for each (see its data card). The authors' own answers are no such examples: they
invent, and leave out, as novelists do.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import Many, Table, Text, known, read_lines
from negotiation_env.game.acts import DialogueAct
from negotiation_env.game.moves import decision_of
from negotiation_env.game.scenario import Hotel
from negotiation_env.game.state import decision_acts
from negotiation_env.language.wording import word
from simulators.concerns import concern as concern_named
from simulators.concerns import in_words
from simulators.managers.rule_manager import in_order, manager_book
from simulators.managers.voice_check import AnswerScene
from simulators.managers.voice_prompt import MOODS, Speaker, SpokenTurn, chat, clipped, concern_told, note
from simulators.people.written_dialogues import WrittenDialogue, WrittenTurn
from simulators.people.written_messages import WrittenMessage, written_messages
from simulators.subjects import OtherSubjects, replies, subjects

REWORDED: Final = Path(__file__).with_name("voice") / "reworded.jsonl"
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
NEVER_DECIDED: Final = frozenset({"off_topic", "ask:forbidden", "maybe"})
"""Annotated acts of hotels for which the rules have no decision."""
_WHO_ASKS: Final = ("Who is speaking, please?", "And who are you?", "Whom do I have the pleasure with?", "Who is this?")
"""Plain wordings of ``ask:identity``."""
SHIFTS: Final = tuple(range(-60, 190, 7))
"""What is added to all prices of an example, so that figures are copied and not learnt."""
_PRICE: Final = re.compile(r"(?<![\d.,/:])[1-9]\d{2,3}(?![\d%]|[.,:]\d|-\w| ?per ?cent| percent)")
HELD_OUT: Final = 16
"""Of this many lines of ``REWORDED``, the first is kept for choosing the best adapter."""
EXAMPLES: Final = (71, 238, 210, 749, 399, 756, 735, 22)
"""Lines of ``REWORDED``, none of them held out, that a model without an adapter is shown."""
VoiceExample = tuple[ChatMessage, ...]
"""A chat in the voice's prompt, the answer to learn last."""


class VoiceSituation(NamedTuple):
    """An answer that is due; ``written`` is how its author answered, on one line."""

    where: str
    """Dialogue and turn."""
    speaker: Speaker
    turns: tuple[SpokenTurn, ...]
    agent: str
    mood: str
    concern: str
    """What weighs on the manager, "" as long as it was not shown."""
    plain: str
    scene: AnswerScene
    written: str

    @property
    def note(self) -> str:
        """The note that the model gets."""
        return note(self.mood, self.concern, self.plain)

    @property
    def prompt(self) -> tuple[ChatMessage, ...]:
        """The chat that a model answers."""
        return chat(self.speaker, self.turns, self.agent, self.note)


class Rewording(Table):
    """One line of ``REWORDED``: where a plain wording was due, and how a person says it."""

    who: Text
    talk: Text
    hotel: Annotated[Many[str | int | float], Field(min_length=6, max_length=6)]
    """The fields of ``Hotel``, in order."""
    agent: str
    mood: Annotated[str, known(MOODS, "a mood")]
    concern: str = ""
    plain: Text
    answer: Text

    def messages(self, shift: int = 0) -> tuple[ChatMessage, ...]:
        """Return it as a chat in the voice's prompt, its answer last, with ``shift`` added to each price in it."""
        agent, plain, answer = (shifted(text, shift) for text in (self.agent, self.plain, self.answer))
        name, city, kind, stars, season, occupancy = self.hotel
        house = Hotel(str(name), str(city), str(kind), int(stars), str(season), float(occupancy))
        prompt = chat(Speaker(self.who, self.talk, house), (), agent, note(self.mood, self.concern, plain))
        return (*prompt, ChatMessage(role="assistant", content=answer))


def shifted(text: str, by: int) -> str:
    """Return a text with ``by`` added to every whole number from 100 to 9999 that is no percentage or part of one."""
    return _PRICE.sub(lambda found: str(int(found.group()) + by), text) if by else text


@cache
def rewordings() -> tuple[Rewording, ...]:
    """Return the shipped rewordings, in their order."""
    return tuple(read_lines(REWORDED, Rewording))


def situations(dialogue: WrittenDialogue) -> Iterator[VoiceSituation]:
    """Yield the answers of a dialogue's hotel as situations, those left out that the module names."""
    speaker, seed = speaker_of(dialogue), zlib.crc32(dialogue.id.encode())
    messages = {m.where.split(":")[1]: m for m in written_messages(dialogue) if m.side == "manager"}
    turns: list[SpokenTurn] = []
    words = _PlainWords(dialogue, seed)
    for number, turn in enumerate(dialogue.turns):
        message = messages.get(str(number))
        if message is not None:
            plain, scene = words.of(number, turn, message)
            usual = plain and not NEVER_DECIDED & set(turn.manager_acts)
            if usual and not _CHINESE.search(turn.agent + turn.manager):
                yield VoiceSituation(
                    f"{dialogue.id}:{number}", speaker, tuple(turns), turn.agent, MOODS[turn.mood + 2],
                    words.concern, plain, scene, clipped(turn.manager),
                )  # fmt: skip
        turns.append(SpokenTurn(turn.agent, turn.manager))


def speaker_of(dialogue: WrittenDialogue) -> Speaker:
    """Return who answers in a written dialogue."""
    messages = next(written_messages(dialogue))
    return Speaker(dialogue.manager.who, dialogue.manager.talk, messages.card.hotel)


class _PlainWords:
    """Words a dialogue's annotated answers as the rules would, one after the other."""

    def __init__(self, dialogue: WrittenDialogue, seed: int) -> None:
        self._weighs = concern_named(dialogue.manager.concern)
        self._seed = seed
        self._subjects = OtherSubjects(None)
        self._remarked: list[str] = []
        self.concern = ""
        """What weighs on the manager, as its prompt tells it, once it was shown."""

    def of(self, number: int, turn: WrittenTurn, message: WrittenMessage) -> tuple[str, AnswerScene]:
        """Return the plain wording of an answer, and what it is checked against."""
        decision = decision_of(message.said, message.game)
        acts = decision_acts(message.game, decision) if message.said else ()
        aside = self._subjects.aside(turn.agent, message.card, self._seed, number, (), bool(decision.bye))
        if not aside.before:
            aside = aside._replace(after=self._asks(turn.manager_acts, number))

        def worded(part: Sequence[DialogueAct]) -> str:
            return word(part, message.card, message.context, manager_book(), self._seed, number) if part else ""

        plain = in_order(acts, worded, self._remark(turn.manager_acts, message.card.hotel), aside)
        scene = AnswerScene(
            decision, acts, message.card, message.game, message.context, turn.agent, message.earlier, aside.text
        )
        return plain, scene

    def _remark(self, acts: Sequence[str], hotel: Hotel) -> str:
        """Return what is said of the concern, a line that was not said before where there is one."""
        if not any(act.startswith("concern:") for act in acts):
            return ""
        self.concern = concern_told(self._weighs, self._seed)
        lines = self._weighs.showing()
        fresh = [line for line in lines if line not in self._remarked] or lines
        self._remarked.append(fresh[self._seed % len(fresh)])
        return in_words(self._remarked[-1], hotel)

    def _asks(self, acts: Sequence[str], number: int) -> str:
        """Return what is asked beside the decision."""
        lines: Sequence[str] = ()
        if "ask:identity" in acts:
            lines = _WHO_ASKS
        elif "ask:time" in acts:
            lines = replies().thinks
        elif "ask:other" in acts:
            lines = [line for one in subjects().values() for line in one.asks]
        return lines[(self._seed + number) % len(lines)] if lines else ""


def training_examples(copies: int, most: int) -> list[VoiceExample]:
    """Return what is trained on: at most ``most`` rewordings, each ``copies`` times, every time with other prices."""
    learnt = [(place, one) for place, one in enumerate(rewordings()) if place % HELD_OUT][:most]
    return [
        one.messages(SHIFTS[zlib.crc32(f"{place} {copy}".encode()) % len(SHIFTS)] if copy else 0)
        for copy in range(copies)
        for place, one in learnt
    ]


def held_out_examples(most: int) -> list[VoiceExample]:
    """Return what the best adapter is chosen on: at most ``most`` rewordings that are not trained on."""
    return [one.messages() for one in rewordings()[::HELD_OUT]][:most]


@cache
def few_shot() -> str:
    """Return the examples for a model that has no adapter, to stand behind the task."""
    parts = []
    for place in EXAMPLES:
        asked, answered = rewordings()[place].messages()[-2:]
        parts.append(f"Agent: {asked['content']}\nManager: {answered['content']}")
    return "\nOther managers answered like this:\n" + "\n\n".join(parts)
