"""How written managers answer, as the voice of a simulated one learns it: situations, dialogues to train on, examples.

A situation is an answer that is due in a written dialogue: who speaks, what was said, the annotated decision in plain
words, and the state of the game. A training dialogue is a whole chat in the voice's prompt (``managers.voice_prompt``),
in which those answers are learnt that could go out in play: they read back as their decision and name no other figure
(``managers.voice_check``). Chinese messages are left out: the models that are trained here hardly write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.files import read_lines
from negotiation_env.game.acts import Act, DialogueAct, PriceType
from negotiation_env.game.moves import decision_of
from negotiation_env.language.numerals import find_numbers, lower
from negotiation_env.language.reading import Reader
from negotiation_env.language.rule_reader import RULES
from simulators.concerns import concern as concern_named
from simulators.managers.voice_check import AnswerScene, verdicts
from simulators.managers.voice_prompt import MOODS, REMARKS, Speaker, SpokenTurn, chat, clipped, concern_told, note, say
from simulators.people.written_dialogues import WrittenDialogue, WrittenTurn, path_of, written_dialogues
from simulators.people.written_messages import WrittenMessage, written_messages

DIALOGUES_OF_AN_AUTHOR: Final = 40
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
_MORE: Final = {
    "ask:identity": "ask who they are",
    "ask:forbidden": "ask for something that they may not give",
    "ask:time": "ask for time to think",
    "ask:other": "ask a question of your own",
    "maybe": "sound open, agree to nothing",
}
"""Annotated acts that the game does not know, in the note's words."""
EXAMPLES: Final = (
    ("d0057", 3), ("d0413", 2), ("d0194", 4), ("d0026", 3), ("d0126", 1), ("d0014", 5), ("d0100", 5), ("d0143", 5),
)  # fmt: skip
"""Dialogue and turn of the answers that a model without an adapter is shown; all of training authors."""


class VoiceSituation(NamedTuple):
    """An answer that is due; ``written`` is how its author answered, on one line."""

    where: str
    """Dialogue and turn."""
    speaker: Speaker
    turns: tuple[SpokenTurn, ...]
    agent: str
    note: str
    scene: AnswerScene
    written: str

    @property
    def prompt(self) -> tuple[ChatMessage, ...]:
        """The chat that a model answers."""
        return chat(self.speaker, self.turns, self.agent, self.note)


class VoiceDialogue(NamedTuple):
    """A dialogue to train on."""

    id: str
    messages: tuple[ChatMessage, ...]
    learnt: tuple[bool, ...]
    """Which messages are learnt; only the hotel's are."""


def situations(dialogue: WrittenDialogue) -> Iterator[VoiceSituation]:
    """Yield every answer of a dialogue's hotel, silence and Chinese left out."""
    speaker = speaker_of(dialogue)
    answers = {m.where.split(":")[1]: m for m in written_messages(dialogue) if m.side == "manager"}
    turns: list[SpokenTurn] = []
    concern = ""
    for number, turn in enumerate(dialogue.turns):
        message = answers.get(str(number))
        if message is None:
            turns.append(SpokenTurn(turn.agent, "", ""))
            continue
        if any(act.startswith("concern:") for act in turn.manager_acts):
            concern = concern_told(concern_named(dialogue.manager.concern), sum(map(ord, dialogue.id)))
        newest = note(MOODS[turn.mood + 2], concern, said_of(turn, message), turns)
        if not _CHINESE.search(turn.agent + turn.manager):
            scene, written = scene_of(message), clipped(turn.manager)
            yield VoiceSituation(f"{dialogue.id}:{number}", speaker, tuple(turns), turn.agent, newest, scene, written)
        turns.append(SpokenTurn(turn.agent, newest, turn.manager))


def speaker_of(dialogue: WrittenDialogue) -> Speaker:
    """Return who answers in a written dialogue."""
    messages = next(written_messages(dialogue))
    return Speaker(dialogue.manager.who, dialogue.manager.talk, messages.card.hotel)


def said_of(turn: WrittenTurn, message: WrittenMessage) -> str:
    """Return a written answer's decision in plain words; a figure that is held is told where the answer says it."""
    more = [_MORE[act] for act in turn.manager_acts if act in _MORE]
    if any(act.startswith("concern:") for act in turn.manager_acts):
        more.insert(0, REMARKS["shows"])
    acts = tuple(_with_held_figure(act, message) for act in message.said)
    return say(acts, message.context.rooms, message.context.net, more)


def _with_held_figure(act: DialogueAct, message: WrittenMessage) -> DialogueAct:
    if act.kind is not Act.REJECT or act.detail != "hold" or act.ticket is None or not message.game.quoted[act.ticket]:
        return act
    named = {float(n.value) for n in find_numbers(lower(message.text), digits=True, words=True, chinese=False)}
    selling = message.game.quote[act.ticket]
    for kind, price in (
        (PriceType.SELLING, selling),
        (PriceType.NET, selling * (1.0 - message.card.tickets[act.ticket].commission)),
    ):
        if any(abs(price - figure) < 1.0 for figure in named):
            return act._replace(price=float(round(price)), price_type=kind)
    return act


def scene_of(message: WrittenMessage) -> AnswerScene:
    """Return what a written hotel's answer is checked against."""
    decision = decision_of(message.said, message.game)
    return AnswerScene(
        decision, message.said, message.card, message.game, message.context, message.context.heard, message.earlier
    )


def voice_dialogues(split: str, reader: Reader = RULES, most: int | None = None) -> list[VoiceDialogue]:
    """Return a split's dialogues to train on, in their order; those without an answer to learn are left out.

    Args:
        split: "train" or "validation".
        reader: tells which answers read back as their decision.
        most: dialogues, spread over the authors; None for all.
    """
    known = written_dialogues(split)
    chosen = known if most is None or most >= len(known) else [known[i * len(known) // most] for i in range(most)]
    found = [list(situations(dialogue)) for dialogue in chosen]
    flat = [one for some in found for one in some]
    passed = iter(verdicts([one.scene for one in flat], [[one.written] for one in flat], reader))
    made = [
        _dialogue(dialogue, some, [bool(next(passed).text) for _ in some])
        for dialogue, some in zip(chosen, found, strict=True)
    ]
    return [one for one in made if any(one.learnt)]


def _dialogue(dialogue: WrittenDialogue, some: Sequence[VoiceSituation], good: Sequence[bool]) -> VoiceDialogue:
    """Return a dialogue up to the last answer that is learnt."""
    last = max((place for place, passes in enumerate(good) if passes), default=-1)
    if last < 0:
        return VoiceDialogue(dialogue.id, (), ())
    end = some[last]
    messages = (*end.prompt, ChatMessage(role="assistant", content=end.written))
    texts = {one.written for one, passes in zip(some, good, strict=True) if passes}
    learnt = tuple(m["role"] == "assistant" and m["content"] in texts for m in messages)
    return VoiceDialogue(dialogue.id, messages, learnt)


@cache
def few_shot() -> str:
    """Return the examples for a model that has no adapter, to stand behind the task."""
    authors = sorted({int(name[1:]) // DIALOGUES_OF_AN_AUTHOR for name, _ in EXAMPLES})
    known = {one.id: one for author in authors for one in read_lines(path_of(author), WrittenDialogue)}
    parts = []
    for name, number in EXAMPLES:
        one = next(s for s in situations(known[name]) if s.where == f"{name}:{number}")
        parts.append(f"Agent: {one.agent}\n{one.note}\nManager: {one.written}")
    return "\nOther managers answered like this:\n" + "\n\n".join(parts)
