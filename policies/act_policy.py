"""What act-level policies share: they choose dialogue acts, the agent's phrase book words them.

Knows the views and the wording. Does not know how acts are chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from negotiation_env.acts import MAX_TICKETS, Act, DialogueAct
from negotiation_env.protocols import AgentReply, AgentView
from negotiation_env.understanding import context_of
from negotiation_env.wording import agent_phrase_book, word

_ORDER = {
    Act.GREET: 0,
    Act.SOOTHE: 1,
    Act.REJECT: 2,
    Act.INFORM: 3,
    Act.PROMISE: 4,
    Act.ASK: 6,
    Act.OFF_TOPIC: 7,
    Act.CLOSE: 8,
}
_TICKETS = 5


def in_speaking_order(acts: tuple[DialogueAct, ...]) -> tuple[DialogueAct, ...]:
    """Return acts as people order them: feelings and refusals first, then reasons, tickets in turn, questions last."""

    def place(act: DialogueAct) -> tuple[int, int]:
        within = act.tactic if act.kind is Act.INFORM else MAX_TICKETS if act.ticket is None else act.ticket
        return _ORDER.get(act.kind, _TICKETS), int(within)

    return tuple(sorted(acts, key=place))


def say(view: AgentView, acts: tuple[DialogueAct, ...]) -> AgentReply:
    """Word acts with the agent's phrase book; ``view.seed`` decides which phrases are drawn."""
    context = context_of(view.card, view.game, "agent")
    turn = int(view.game.turn)
    return AgentReply(word(in_speaking_order(acts), view.card, context, agent_phrase_book(), view.seed, turn))


class ActPolicy(ABC):
    """A policy that thinks in dialogue acts. Stateless: a reply depends on its own view alone."""

    name: str
    parallel = True
    """It needs no torch and no engine: a benchmark may play it in several processes."""

    @abstractmethod
    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the acts of the next message, at least one."""

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        return [say(view, self.choose(view)) for view in views]
