"""The agent's replies of written dialogues with their grades, each as a reward sees it in the state of its turn.

What rewards are trained on and measured by. A grade of 4 or 5 is excellent, 3 bland, 1 or 2 flawed, as the authors
have it; a minimal edit (``edits``) has no grade, only what is true of it. States are played forward by the annotations
(``written_messages``), replies are understood by a reader, as in play.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.errors import DataFileError
from negotiation_env.files import read_lines
from negotiation_env.game.state import stage_of
from negotiation_env.language.reading import Reader
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import AgentView, ReplyView, Utterance
from simulators.people.written_dialogues import WrittenDialogue
from simulators.people.written_messages import WrittenMessage, game_acts, written_messages

EDITS: Final = Path(__file__).with_name("edits")
Grade: TypeAlias = Literal["excellent", "bland", "flawed"]
KINDS: Final = ("date", "nights", "room", "hotel", "event", "direction", "figure", "price-type", "promise")
"""What a minimal edit changes."""


def grade_of(quality: int) -> Grade:
    """Return a quality, 1 to 5, in three steps."""
    return "excellent" if quality >= 4 else "bland" if quality == 3 else "flawed"


class GradedReply(NamedTuple):
    """A reply that an author wrote and graded.

    Attributes:
        where: dialogue, turn, and which reply: "d0120:3:a0" is the one that was sent, "a1" and on its alternatives.
        quality: 1 to 5.
        flaws: as annotated, such as "wrong-date".
        acts: as annotated.
        view: what a reward sees.
    """

    where: str
    quality: int
    flaws: tuple[str, ...]
    acts: tuple[str, ...]
    view: ReplyView

    @property
    def grade(self) -> Grade:
        """The quality in three steps."""
        return grade_of(self.quality)


class GradedTurn(NamedTuple):
    """The replies to one state, the one that was sent first."""

    where: str
    """Dialogue and turn."""
    replies: tuple[GradedReply, ...]


class EditedReply(NamedTuple):
    """A true reply and the same with one thing changed so that it is false or not allowed."""

    id: str
    kind: str
    true: ReplyView
    false: ReplyView


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    dialogue: str
    turn: Annotated[int, Field(ge=0)]
    kind: Literal["date", "nights", "room", "hotel", "event", "direction", "figure", "price-type", "promise"]
    true: Annotated[str, Field(min_length=1)]
    false: Annotated[str, Field(min_length=1)]
    changed: str


def graded_turns(dialogue: WrittenDialogue, reader: Reader = RULES) -> Iterator[GradedTurn]:
    """Yield every turn of a dialogue with the replies that could be sent in it."""
    for number, state in enumerate(turn_states(dialogue)):
        turn = dialogue.turns[number]
        yield GradedTurn(
            f"{dialogue.id}:{number}",
            tuple(
                GradedReply(
                    f"{dialogue.id}:{number}:a{place}",
                    reply.quality,
                    reply.flaws,
                    reply.acts,
                    state.view(reply.text, reader),
                )
                for place, reply in enumerate(turn.replies)
            ),
        )


def edited_replies(path: Path, dialogues: Iterable[WrittenDialogue], reader: Reader = RULES) -> list[EditedReply]:
    """Return a file's minimal edits of these dialogues, in the file's order; edits of other dialogues are left out.

    Raises:
        DataFileError: the file is wrong, or names a turn that its dialogue has not.
    """
    wanted = defaultdict(list)
    for edit in read_lines(path, _Edit):
        wanted[edit.dialogue].append(edit)
    found = []
    for dialogue in dialogues:
        states = list(turn_states(dialogue)) if dialogue.id in wanted else []
        for edit in wanted.pop(dialogue.id, ()):
            if edit.turn >= len(states):
                raise DataFileError(
                    f"{path}, {edit.id}: expected a turn of dialogue {dialogue.id}, which has {len(states)}, "
                    f"got {edit.turn}: count turns from 0"
                )
            state = states[edit.turn]
            both = state.view(edit.true, reader), state.view(edit.false, reader)
            found.append(EditedReply(edit.id, edit.kind, *both))
    return found


def edit_texts(path: Path) -> list[tuple[str, str, str]]:
    """Return a file's minimal edits as texts: dialogue and turn ("d0120:3"), the true reply, the false one."""
    return [(f"{edit.dialogue}:{edit.turn}", edit.true, edit.false) for edit in read_lines(path, _Edit)]


class TurnState(NamedTuple):
    """What stands before a turn's reply."""

    message: WrittenMessage
    agent_said: tuple[Utterance, ...]
    manager_said: tuple[Utterance, ...]

    def view(self, text: str, reader: Reader) -> ReplyView:
        """Return what a reward sees of a text that is said here."""
        return reply_view(text, self.message.card, self.message.game, self.agent_said, self.manager_said, reader)

    def due(self, seed: int) -> AgentView:
        """Return what a policy sees that is to reply here."""
        card, game = self.message.card, self.message.game
        return AgentView(card, game, stage_of(game), self.agent_said, self.manager_said, seed)


def turn_states(dialogue: WrittenDialogue) -> Iterator[TurnState]:
    """Yield what stands before each turn; what was said is understood as annotated."""
    sent = {m.where: m for m in written_messages(dialogue) if m.where.endswith(":a0")}
    agent: tuple[Utterance, ...] = ()
    manager: tuple[Utterance, ...] = ()
    for number, turn in enumerate(dialogue.turns):
        yield TurnState(sent[f"{dialogue.id}:{number}:a0"], agent, manager)
        agent = (*agent, Utterance(turn.agent, game_acts(turn.agent_acts, "agent")))
        manager = (*manager, Utterance(turn.manager, game_acts(turn.manager_acts, "manager")))
