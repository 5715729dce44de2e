"""A rule-based manager who also asks for what no agent may give: a guarantee, a secret, small talk.

Now and then such a request stands before its answer, in lines of its own (``negotiation_env.requests``). It changes no
decision: where the message would read as another one with it, it is left out. The default managers ask for nothing of
the kind, so a policy that is to decline has to meet it here, in training. Knows no persona of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.acts import Act
from negotiation_env.errors import UsageError
from negotiation_env.game import Move
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import ManagerReply, Negotiation
from negotiation_env.requests import requests
from negotiation_env.scenario import Scenario
from negotiation_env.understanding import context_of, understand
from simulators.personas import Persona
from simulators.rule_manager import ManagerSeat, RuleManager

_CHANNEL: Final = 990
"""Draw channel of whether and what is asked; decisions and wording have others."""
SHARE: Final = 0.15


class DemandingManager:
    """Decides and words as ``RuleManager`` does, and asks for what no agent may give; implements ``protocols.Manager``.

    Args:
        share: of its messages that begin with a request, 0 to 1, as a number or its text.
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.

    Raises:
        UsageError: ``share`` is no such number.
    """

    def __init__(self, share: float | str = SHARE, personas: Sequence[Persona] | None = None) -> None:
        try:
            self.share = float(share)
        except ValueError:
            self.share = -1.0
        if not 0.0 <= self.share <= 1.0:
            raise UsageError(
                f"demanding: expected a share of messages from 0 to 1, got {share!r}: try demanding:{SHARE}"
            )
        self.name = f"demanding:{self.share:g}"
        self._rules = RuleManager(personas)
        self.dynamics = self._rules.dynamics
        self._lines = [line for kind in requests().values() for line in kind["train"]]

    def start(self, scenario: Scenario, persona: object | None = None) -> ManagerSeat:
        """Seat a persona; see ``RuleManager.start``."""
        return self._rules.start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message."""
        replies = self._rules.respond(negotiations, moves)
        return [self._asking(n, reply) for n, reply in zip(negotiations, replies, strict=True)]

    def _asking(self, negotiation: Negotiation, reply: ManagerReply) -> ManagerReply:
        seed, turn = negotiation.scenario.seed, negotiation.game.turn
        if not reply.text or FLOATS.draw(seed, turn, _CHANNEL) >= self.share:
            return reply
        line = self._lines[int(FLOATS.draw(seed, turn, _CHANNEL + 1) * len(self._lines))]
        text = f"{line} {reply.text}"
        context = context_of(negotiation.card, negotiation.game, "manager")
        read, plain = understand(text, context).acts, understand(reply.text, context).acts
        same = [act for act in read if act.kind is not Act.OFF_TOPIC] == list(plain)
        return reply._replace(text=text) if same else reply
