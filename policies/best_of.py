"""Best of n: a policy draws several replies, and the one that a reward prefers is said (``best-of:4:repo``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from negotiation_env.engines.specs import checked
from negotiation_env.errors import UsageError
from negotiation_env.files import Table, Text
from negotiation_env.game.lanes import FLOATS
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.protocols import AgentReply, AgentView, Policy, RewardBreakdown
from negotiation_env.play.registry import load_policy, load_reward, reader_for

MOST_DRAWN: Final = 64


class BestOfOptions(Table):
    """What a ``best-of`` spec may say behind ``?``."""

    reward: Text = "repo"
    """What grades the replies, as ``load_reward`` takes it."""
    n: Annotated[int, Field(ge=2, le=MOST_DRAWN)] = 4
    """Replies drawn in each state."""


class BestOfPolicy:
    """Draws n replies of a policy in each state and says the one with the highest R_total.

    The first of equals is said. A reply that an engine's fault spoiled, and one without a score, is said only where
    there is no other. The reward sees what it sees of a reply that is played: the public state, the talk and the card.

    Args:
        policy: whose replies; it must draw them by ``AgentView.seed``, else all are the same.
        n: replies drawn in each state, 2 to 64.
        reward: what grades them, see ``load_reward``.
    """

    def __init__(self, policy: Policy, n: int = 4, reward: str = "repo") -> None:
        self.policy = policy
        self.n = n
        self.reward = load_reward(reward)
        self.reader = reader_for(policy)
        self.name = f"best-of:{n}:{policy.name}"
        self.parallel = bool(getattr(policy, "parallel", False))

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        # The first draw is what the policy says alone.
        seeds = ([view.seed, *(FLOATS.fork(view.seed, place) for place in range(1, self.n))] for view in views)
        drawn = [view._replace(seed=seed) for view, own in zip(views, seeds, strict=True) for seed in own]
        replies = self.policy.reply(drawn) if drawn else []
        scored = self.reward.score([reply_in(v, r.text, self.reader) for v, r in zip(drawn, replies, strict=True)])
        worth = [_worth(reply, score) for reply, score in zip(replies, scored, strict=True)]
        starts = range(0, len(drawn), self.n)
        return [replies[max(range(start, start + self.n), key=worth.__getitem__)] for start in starts]


def _worth(reply: AgentReply, score: RewardBreakdown) -> float:
    return float("-inf") if reply.fault is not None or score.total is None else score.total


def best_of_policy(which: str = "", options: Mapping[str, Any] | None = None) -> BestOfPolicy:
    """Return the policy of a spec: ``best-of:POLICY`` or ``best-of:N:POLICY``, ``?reward=SPEC`` behind it.

    Raises:
        UsageError: it names no policy, or an option is wrong.
    """
    first, _, rest = which.partition(":")
    given = dict(options or {})
    if first.isdecimal():
        given["n"], which = int(first), rest
    if not which:
        raise UsageError("best-of: expected best-of:N:POLICY, got no policy: name one, such as best-of:4:sft")
    chosen = checked(BestOfOptions, given, f"options of best-of:{which}")
    return BestOfPolicy(load_policy(which), chosen.n, chosen.reward)
