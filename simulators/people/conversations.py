"""Whole dialogues with graded replies: what SFT and DPO learn from, one sequence a dialogue.

The written dialogues in the transcript prompt (``negotiation_env.play.transcript_prompt``): every message that the
agent sent, and the replies that were written beside it, with their grades. Messages with a poor grade stay in the
dialogue, since what follows answers them. Authors are split as everywhere. AI authors wrote all of it: no real
negotiation is among it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_lines, write_lines
from negotiation_env.play.protocols import Utterance
from negotiation_env.play.transcript_prompt import transcript
from simulators.people.training_files import TEST, TRAIN
from simulators.people.written_dialogues import WrittenDialogue, task_card, written_dialogues
from simulators.people.written_messages import game_acts
from simulators.people.written_pairs import UNSEEN

LEAST_QUALITY: Final = 4
"""Grade from which a written reply is worth imitating (1 to 5; 3 is bland)."""
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


class OtherReply(NamedTuple):
    """A reply that was not sent: ``at`` is the place of the message in whose stead it could be."""

    at: int
    text: str
    grade: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue to learn from.

    Attributes:
        messages: the chat; the system message first.
        grades: of each message, 1 to 5; None for those that are not the assistant's or that nobody compares.
        others: graded replies that were not sent.
        source: where it comes from.
        scenario: names the dialogue.
        split: "train" or "test".
    """

    messages: tuple[ChatMessage, ...]
    grades: tuple[int | None, ...]
    others: tuple[OtherReply, ...]
    source: str
    scenario: str
    split: str


Grade = Annotated[int, Field(ge=1, le=5)]


class _SaidLine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str
    grade: Grade | None = None


class _OtherLine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: int
    content: str
    grade: Grade


class _ConversationLine(BaseModel):
    messages: list[_SaidLine]
    others: list[_OtherLine] = []
    source: str = ""
    scenario: str = ""
    split: str = ""


def written_conversations(split: str) -> Iterator[Conversation]:
    """Yield the English written dialogues of a split of authors, "train" or "validation".

    Those of validation authors have split "test": figures on them are reported, nothing is learned or chosen by them.
    """
    for dialogue in written_dialogues(split):
        if is_english(dialogue):
            yield conversation_of(dialogue, TRAIN if split == "train" else TEST)


def is_english(dialogue: WrittenDialogue) -> bool:
    """Whether nothing Chinese is said in a dialogue."""
    return not _CHINESE.search(" ".join(dialogue.texts))


def conversation_of(dialogue: WrittenDialogue, split: str) -> Conversation:
    """Return a dialogue as it is learned from.

    Replies whose flaws the chat does not show have no grade: who compares them sees nothing wrong.
    """
    manager = [Utterance(turn.manager, game_acts(turn.manager_acts, "manager")) for turn in dialogue.turns]
    # The manager's last words are answered by nothing.
    chat = transcript(task_card(dialogue), [turn.agent for turn in dialogue.turns], manager[:-1])
    places = [place for place, message in enumerate(chat) if message["role"] == "assistant"]
    grades: list[int | None] = [None] * len(chat)
    others = []
    for place, turn in zip(places, dialogue.turns, strict=True):
        sent, *rest = [
            reply.quality if reply.text.strip() and (not reply.flaws or set(reply.flaws) - UNSEEN) else None
            for reply in turn.replies
        ]
        grades[place] = sent
        others += [
            OtherReply(place, reply.text, grade)
            for reply, grade in zip(turn.alternatives, rest, strict=True)
            if grade is not None
        ]
    return Conversation(chat, tuple(grades), tuple(others), "written", dialogue.id, split)


def write_conversations(path: Path, lines: Iterable[Conversation]) -> None:
    """Write conversations as JSON Lines, whole or not at all."""
    rows: list[dict[str, Any]] = [
        {
            "messages": [
                {**message, "grade": grade} if grade is not None else {**message}
                for message, grade in zip(line.messages, line.grades, strict=True)
            ],
            "others": [{"at": other.at, "content": other.text, "grade": other.grade} for other in line.others],
            "source": line.source,
            "scenario": line.scenario,
            "split": line.split,
        }
        for line in lines
    ]
    write_lines(path, rows)


def read_conversations(path: Path) -> list[Conversation]:
    """Read and check a file of conversations. Raises ``DataFileError`` naming the line that is wrong."""
    found = []
    for number, line in enumerate(read_lines(path, _ConversationLine), 1):
        graded = {place for place, m in enumerate(line.messages) if m.grade is not None} | {o.at for o in line.others}
        own = {place for place, message in enumerate(line.messages) if message.role == "assistant"}
        if graded - own:
            raise DataFileError(
                f"{path}, line {number}: expected grades of the assistant's messages alone, got some at "
                f"{sorted(graded - own)}: count messages from 0"
            )
        found.append(
            Conversation(
                tuple({"role": message.role, "content": message.content} for message in line.messages),
                tuple(message.grade for message in line.messages),
                tuple(OtherReply(other.at, other.content, other.grade) for other in line.others),
                line.source,
                line.scenario,
                line.split,
            )
        )
    return found
