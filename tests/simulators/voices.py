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

_NOTE = re.compile(r"\[You are (\w+)\..*? Say: (.*)\]$", re.DOTALL)


def note_of(request: ChatRequest) -> tuple[str, str]:
    """The mood and the plain wording of the answer that is due."""
    found = _NOTE.search(request.messages[-1]["content"])
    assert found is not None, request.messages[-1]
    return found[1], found[2]


def plain(request: ChatRequest) -> str:
    """Say the plain wording as it stands."""
    return note_of(request)[1]


def voiced(request: ChatRequest) -> ChatReply:
    """Return a good reply, another one for each request."""
    name = "".join("bdfgklmnrs"[int(digit)] for digit in str(request.seed))
    return ChatReply(f"Well, my friend {name}! {plain(request)}")


def reworded(request: ChatRequest) -> ChatReply:
    """Say the plain wording with other small words, another one for each request."""
    text = voiced(request).text
    for word, other in _OTHER_WORDS:
        text = re.sub(word, other, text)
    return ChatReply(text)


_OTHER_WORDS = (
    (r"\bcan't\b", "am not able to"), (r"\bdon't\b", "do not"), (r"\bI'm\b", "I am"), (r"\bit's\b", "it is"),
    (r"\bThat's\b", "That is"), (r"\bI'd\b", "I would"), (r"\bGood day\b", "Good afternoon"), (r"\byet\b", "so far"),
    (r"\bfor now\b", "at the moment"), (r"\bWhat would\b", "And what would"), (r"\bI could\b", "I might"),
    (r"\bHow about\b", "What about"), (r"\b[Tt]hank you\b", "many thanks"), (r"\bHello\b", "Good morning"),
)  # fmt: skip


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
