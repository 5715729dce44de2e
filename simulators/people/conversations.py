"""Whole dialogues to learn from: one sequence a dialogue, the loss on the agent's good messages alone.

The written dialogues in the transcript prompt (``negotiation_env.play.transcript_prompt``). Messages of the agent that
are graded below ``LEAST_QUALITY`` stay in the dialogue, since what follows answers them, and are not learned from; good
replies that were written beside the one that was sent are. Authors are split as everywhere. AI authors wrote all of it:
no real negotiation is among it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_lines, write_lines
from negotiation_env.play.protocols import Utterance
from negotiation_env.play.transcript_prompt import transcript
from simulators.people.training_files import TEST, TRAIN
from simulators.people.written_dialogues import WrittenDialogue, task_card, written_dialogues
from simulators.people.written_messages import game_acts

LEAST_QUALITY: Final = 4
"""Grade from which a written reply is imitated (1 to 5; 3 is bland)."""
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue to imitate.

    Attributes:
        messages: the chat; the system message first.
        learn: for each message whether it is learned from; only the assistant's may be.
        others: replies to learn that were not sent, each with the place of the message in whose stead it could be.
        source: where it comes from.
        scenario: names the dialogue; sequences of one dialogue belong to one split.
        split: "train" or "test".
    """

    messages: tuple[ChatMessage, ...]
    learn: tuple[bool, ...]
    others: tuple[tuple[int, str], ...]
    source: str
    scenario: str
    split: str


class _SaidLine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str


class _ConversationLine(BaseModel):
    messages: list[_SaidLine]
    learn: list[bool]
    others: list[tuple[int, str]] = []
    source: str = ""
    scenario: str = ""
    split: str = ""


def written_conversations(split: str) -> Iterator[Conversation]:
    """Yield the English written dialogues of a split of authors, "train" or "validation".

    Validation authors' have split "test": losses on them are reported, nothing is learned or chosen by them.
    """
    for dialogue in written_dialogues(split):
        if not _CHINESE.search(" ".join(dialogue.texts)):
            found = conversation_of(dialogue, TRAIN if split == "train" else TEST)
            if any(found.learn) or found.others:
                yield found


def conversation_of(dialogue: WrittenDialogue, split: str) -> Conversation:
    """Return a dialogue as it is learned from."""
    manager = [Utterance(turn.manager, game_acts(turn.manager_acts, "manager")) for turn in dialogue.turns]
    # The manager's last words are answered by nothing.
    chat = transcript(task_card(dialogue), [turn.agent for turn in dialogue.turns], manager[:-1])
    places = [place for place, message in enumerate(chat) if message["role"] == "assistant"]
    learn = [False] * len(chat)
    others = []
    for place, turn in zip(places, dialogue.turns, strict=True):
        learn[place] = turn.quality >= LEAST_QUALITY and bool(turn.agent.strip())
        others += [
            (place, reply.text) for reply in turn.alternatives if reply.quality >= LEAST_QUALITY and reply.text.strip()
        ]
    return Conversation(chat, tuple(learn), tuple(others), "written", dialogue.id, split)


def write_conversations(path: Path, lines: Iterable[Conversation]) -> None:
    """Write conversations as JSON Lines, whole or not at all."""
    rows: list[dict[str, Any]] = [
        {
            "messages": list(line.messages),
            "learn": list(line.learn),
            "others": [list(other) for other in line.others],
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
        chat: tuple[ChatMessage, ...] = tuple({"role": m.role, "content": m.content} for m in line.messages)
        own = {place for place, message in enumerate(chat) if message["role"] == "assistant"}
        learnt = {place for place, learn in enumerate(line.learn) if learn} | {place for place, _ in line.others}
        if len(line.learn) != len(chat) or learnt - own:
            raise DataFileError(
                f"{path}, line {number}: expected one flag a message in learn, and nothing to learn but the "
                f"assistant's, got {len(line.learn)} flags for {len(chat)} messages and wrong places "
                f"{sorted(learnt - own)}"
            )
        others = tuple((place, text) for place, text in line.others)
        found.append(Conversation(chat, tuple(line.learn), others, line.source, line.scenario, line.split))
    return found
