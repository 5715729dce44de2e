"""States to sample single replies in: those that other, scripted policies come to (roll-in).

A weak policy hardly ever sees a quote below its goal, a rate to confirm, or the last open one of three tickets, since
it has to negotiate well to get there; so it does not learn what to say then. Scripted policies play against the same
hotel, and the policy in training replies once in some of the states that they came to. Training in states of another
policy is usual in imitation learning (Chang et al. 2015, arXiv 1502.02206); the rewards are the environment's own.
Knows no tokens and no models.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np

from negotiation_env.protocols import AgentReply, AgentView, Manager, Policy
from negotiation_env.rollout import rollout
from negotiation_env.scenario import Scenario
from negotiation_env.unscored import Unscored

STATES_PER_DIALOGUE = 2
"""States taken of each scripted dialogue on average: neighbours are much alike."""


class _Watched:
    """A policy whose every state is kept."""

    name = "roll-in"

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.states: list[AgentView] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return the policy's replies, in order."""
        # What a view shows changes as the negotiation goes on.
        self.states += [
            view._replace(
                game=copy(view.game), agent_said=tuple(view.agent_said), manager_said=tuple(view.manager_said)
            )
            for view in views
        ]
        return self._policy.reply(views)


def roll_in(
    policies: Sequence[Policy], scenarios: Sequence[Scenario], count: int, *, manager: Manager, max_turns: int
) -> list[AgentView]:
    """Return states in which a reply is due.

    Args:
        policies: take turns over the scenarios.
        scenarios: what they play; the states follow from these.
        count: states to return, drawn without regard to the turn; fewer if there are not as many.
        manager: the hotel's side.
        max_turns: agent turns after which a dialogue ends.
    """
    found: list[AgentView] = []
    for place, policy in enumerate(policies):
        watched = _Watched(policy)
        own = scenarios[place :: len(policies)]
        rollout(watched, own, manager=manager, reward=Unscored(), max_turns=max_turns)
        found += watched.states
    if not found:
        return []
    chosen = np.random.default_rng((0x2011, scenarios[0].seed)).permutation(len(found))[:count]
    return [found[int(i)] for i in chosen]
