"""Stand-ins for a language model that speaks as a hotel manager."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from negotiation_env.checks import agent_line
from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.state import apply_decision, apply_move, settle
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import Manager, ManagerReply, Negotiation, Utterance

_NOTE = re.compile(r"\[You are (\w+)\..* Say: (.*)\.\]$", re.DOTALL)
_WORDS = (
    (
        r"offer (\d+)( net| selling|)( for the .*|), your last price",
        r"I could do \1 yuan\2\3, and that is my last word",
    ),
    (r"offer (\d+)( net| selling|)( for the .*|)", r"I could do \1 yuan\2\3"),
    (r"agree to (\d+)( net| selling|)( for the .*|)", r"Agreed, \1 yuan\2\3"),
    (r"confirm (\d+)( net| selling|)( for the .*|)", r"Confirmed, \1 yuan\2\3"),
    (r"stay at (\d+)( net| selling|)( for the .*|)", r"I cannot go lower than \1 yuan\2\3"),
    (r"give no lower rate( for the .*|)", r"I cannot lower the rate\1"),
    (r"refuse for good( for the .*|)", r"No reduction\1, that is my final answer"),
    (r"ask whether (\d+)( net| selling|)( for the .*|) is agreed", r"Is \1 yuan\2\3 agreed, yes or no?"),
    (r"ask what is in it for you", "What would we gain from that?"),
    (r"ask which rate they have in mind", "What rate do you have in mind?"),
    (r"warn them that you will soon end this", "I have little time left for this"),
    (r"tie it to this: .*", "It is for a handful of rooms"),
    (r"ask which figure they mean", "Which figure do you mean, in yuan a night?"),
    (r"end the talk, you have had enough", "We are done here"),
    (r"say goodbye", "Goodbye"),
    (r"show that you are upset", "You are testing my patience"),
    (r"doubt what they say of .*", "That does not impress me"),
    (r"greet", "Hello"),
    (r"speak of what weighs on you", "These are not easy weeks"),
    (r"thank them for hearing what weighs on you", "You listen well"),
    (r"tell them: .*", "You asked about the house, so I tell you"),
    (r"thank them for the answer", "Good to know"),
    (r"say that you have thought about it", "I have slept on it"),
    (r"ask for time to think until tomorrow", "Let me think about it until tomorrow"),
    (r"ask them: (.*)", r"\1"),
)


def note_of(request: ChatRequest) -> tuple[str, str]:
    """The mood and the decision of the answer that is due."""
    found = _NOTE.search(request.messages[-1]["content"])
    assert found is not None, request.messages[-1]
    return found[1], found[2]


def plain(request: ChatRequest) -> str:
    """Say the note's decision in plain sentences."""
    said = []
    for part in note_of(request)[1].split("; "):
        for pattern, words in _WORDS:
            if re.fullmatch(pattern, part):
                text = re.sub(pattern, words, part).replace(" yuan selling", " yuan (selling price)")
                said.append(text if text.endswith("?") else f"{text}.")
                break
        else:
            assert part == "answer without a figure", part
    return " ".join(said) or "Hm."


def voiced(request: ChatRequest) -> ChatReply:
    """Return a good reply, another one at each turn."""
    return ChatReply(f"Well, my friend number {len(request.messages) // 2}! {plain(request)}")


@dataclass
class FakeModel:
    """A ChatModel that answers by a function of the request."""

    answer: Callable[[ChatRequest], ChatReply]
    spec: str = "fake"
    adapter: str | None = None
    seen: list[ChatRequest] = field(default_factory=list)

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        self.seen += requests
        return [self.answer(request) for request in requests]


def play(manager: Manager, count: int = 12, turns: int = 8) -> list[list[ManagerReply]]:
    """Play scripted agent lines in lock-step; the manager's replies per negotiation."""
    tables: list[Negotiation] = [open_negotiation(sample_scenario(i), manager) for i in range(count)]
    said: list[list[ManagerReply]] = [[] for _ in tables]
    for _ in range(turns):
        live = [i for i, table in enumerate(tables) if not table.game.end]
        moves = []
        for i in live:
            card, game = tables[i].card, tables[i].game
            line = agent_line(tables[i])
            acts = understand(line, context_of(card, game, "agent")).acts
            tables[i].agent_said.append(Utterance(line, acts))
            move = move_of(acts, card, game)
            apply_move(FLOATS, game, move, settle(FLOATS, game, move))
            moves.append(move)
        replies = manager.respond([tables[i] for i in live], moves)
        for i, reply in zip(live, replies, strict=True):
            apply_decision(FLOATS, tables[i].game, reply.decision)
            tables[i].manager_said.append(Utterance(reply.text, reply.acts))
            said[i].append(reply)
    return said


def spoken(said: list[list[ManagerReply]]) -> list[ManagerReply]:
    """What was said, silence left out."""
    return [reply for replies in said for reply in replies if reply.text]
