"""Sampled replies, as play brings them: a turn is one sample, and nothing is tokenised twice.

Knows episodes, rewards' breakdowns and token ids. Does not know models, advantages or losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.exchange import reply_view
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import AgentReply, AgentView, Manager, Reward, RewardBreakdown
from negotiation_env.records import Episode
from negotiation_env.rollout import POLICY_LABEL, rollout
from negotiation_env.scenario import Scenario
from policies.chat import ChatPolicy, agent_reply
from policies.training.on_policy.advantages import dialogue_returns

Read = Callable[[RewardBreakdown], float | None]
"""The part of a breakdown that a method learns from; None where it was not scored."""


class Sample(NamedTuple):
    """One sampled reply that was scored."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    """Token ids as sampled, the end token included; at least one."""
    logprobs: tuple[float, ...]
    """Log-probability of each token when it was sampled, at the temperature of sampling."""
    reward: float
    """Credit of the reply: its own reward, and later turns' by the turn discount."""
    group: int
    """Equal for replies to the same prompt."""
    dialogue: int = 0
    """Equal for replies of the same dialogue."""


class Played(NamedTuple):
    """One round of play: the samples to learn from, and the count of everything."""

    samples: list[Sample]
    episodes: list[Episode]
    sampled: int
    """Replies sampled, those left out included."""
    unscored: int
    faults: int
    """Replies that an engine's fault spoiled."""
    empty: int
    """Replies without a word."""
    breakdowns: list[RewardBreakdown]
    """Of the samples, in their order."""


@dataclass(slots=True)
class _State:
    """A dialogue state in which replies were sampled; ``others`` do not continue the dialogue."""

    prompt: tuple[int, ...]
    others: list[tuple[AgentReply, RewardBreakdown | None]] = field(default_factory=list)


class SamplingAgent:
    """The model in training as the agent: remembers each prompt's tokens, and a group's other replies.

    For training, replies are sampled without a nucleus, so that the policy gives every token a probability. Every reply
    has a seed of its own: a dialogue does not depend on its batch.

    Args:
        engine: the model; its adapter is the one that is trained.
        reward: scores the replies that do not continue a dialogue; the rollout scores those that do.
        reply_tokens: most tokens of a reply.
        group_size: replies sampled in each state, at least 1; the first continues the dialogue.
        temperature: of sampling.
        top_p: nucleus mass in (0, 1].
    """

    name = "training"

    def __init__(
        self,
        engine: TransformersEngine,
        reward: Reward,
        reply_tokens: int,
        group_size: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> None:
        self.engine = engine
        self.reward = reward
        self.group_size = group_size
        self.states: dict[int, _State] = {}
        self._chat = ChatPolicy(engine, max_tokens=reply_tokens, temperature=temperature, top_p=top_p)

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        requests = []
        for view in views:
            request = self._chat.request(view)
            forks = (FLOATS.fork(view.seed, member) for member in range(1, self.group_size))
            requests += [request, *(replace(request, seed=seed) for seed in forks)]
        made = self.engine.generate_from_prompts(requests)
        first: list[AgentReply] = []
        others: list[tuple[AgentView, AgentReply]] = []
        for place, view in enumerate(views):
            own = made[place * self.group_size : (place + 1) * self.group_size]
            replies = [agent_reply(reply) for reply, _ in own]
            self.states[view.seed] = _State(own[0][1])
            first.append(replies[0])
            others += [(view, reply) for reply in replies[1:]]
        self._score(others)
        return first

    def _score(self, others: Sequence[tuple[AgentView, AgentReply]]) -> None:
        sound = [(view, reply) for view, reply in others if reply.fault is None]
        scores = iter(self.reward.score([reply_view(view, reply.text) for view, reply in sound]) if sound else ())
        for view, reply in others:
            breakdown = next(scores) if reply.fault is None else None
            self.states[view.seed].others.append((reply, breakdown))


def play(
    agent: SamplingAgent,
    scenarios: Sequence[Scenario],
    read: Read,
    *,
    manager: Manager,
    max_turns: int,
    turn_discount: float,
    batch_size: int = 64,
) -> Played:
    """Play the scenarios once and return every scored reply as a sample.

    A reply without a score, and one that an engine's fault spoiled, is left out and counted; the others stay.
    """
    agent.states.clear()
    episodes = rollout(
        agent, scenarios, manager=manager, reward=agent.reward, max_turns=max_turns, batch_size=batch_size
    )
    samples: list[Sample] = []
    breakdowns: list[RewardBreakdown] = []
    sampled = faults = empty = 0
    for episode in episodes:
        credits = dialogue_returns([read(turn.reward) for turn in episode.turns], turn_discount)
        faults += episode.fault is not None
        sampled += episode.fault is not None
        for place, (turn, credit) in enumerate(zip(episode.turns, credits, strict=True)):
            group = FLOATS.fork(episode.seed, POLICY_LABEL + place)
            state = agent.states[group]
            found = [(turn.text, turn.token_ids, turn.logprobs, turn.reward, credit)]
            for reply, breakdown in state.others:
                if breakdown is None:
                    faults += 1
                    sampled += 1
                else:
                    found.append((reply.text, reply.token_ids, reply.logprobs, breakdown, read(breakdown)))
            for text, tokens, logprobs, breakdown, reward in found:
                sampled += 1
                empty += not text
                if reward is not None and tokens:
                    samples.append(Sample(state.prompt, tokens, logprobs, reward, group, episode.seed))
                    breakdowns.append(breakdown)
    unscored = sampled - faults - len(samples)
    return Played(samples, episodes, sampled, unscored, faults, empty, breakdowns)
