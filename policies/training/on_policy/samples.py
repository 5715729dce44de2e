"""Sampled replies, as play brings them (a turn is one sample), and samples as batches of tokens.

Nothing is tokenised twice. In a batch texts stand one behind another, and what several begin with is computed once: a
dialogue's prompts begin alike, and a group's replies have one prompt. Attention keeps the texts apart, so each token is
computed as it would be alone (``engines.exact.trees``), and its gradients are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch

from negotiation_env.engines.chat_model import RolloutEngine
from negotiation_env.engines.exact.trees import TextTree, TreePass, lay_out, packs
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario
from negotiation_env.language.reading import Reader
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import AgentReply, AgentView, Manager, Reward, RewardBreakdown
from negotiation_env.play.records import Episode
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import POLICY_LABEL
from policies.chat import ChatPolicy, agent_reply
from policies.turn_credit import dialogue_returns
from rewards.repo import SOURCES, Composition, RepoReward

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
    sources: tuple[float, ...] = ()
    """R_model, E_judge and E_func; one that could not score, or that the composition leaves out, counts as 0."""


class SampledRound(NamedTuple):
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
        reader: understands the replies.
    """

    name = "training"

    def __init__(
        self,
        engine: RolloutEngine,
        reward: Reward,
        reply_tokens: int,
        group_size: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
        reader: Reader = RULES,
    ) -> None:
        self.engine = engine
        self.reward = reward
        self.reader = reader
        self.group_size = group_size
        self.states: dict[int, _State] = {}
        self._chat = ChatPolicy(engine, prompt="compact", max_tokens=reply_tokens, temperature=temperature, top_p=top_p)

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
        views = [
            reply_view(reply.text, v.card, v.game, v.agent_said, v.manager_said, self.reader) for v, reply in sound
        ]
        scores = iter(self.reward.score(views) if views else ())
        for view, reply in others:
            breakdown = next(scores) if reply.fault is None else None
            self.states[view.seed].others.append((reply, breakdown))


def composition_of(reward: Reward) -> Composition | None:
    """Return how a reward puts its sources together; None where it is not composed of them."""
    return reward.composition if isinstance(reward, RepoReward) else None


def play(
    agent: SamplingAgent,
    scenarios: Sequence[Scenario],
    read: Read,
    *,
    manager: Manager,
    max_turns: int,
    turn_discount: float,
    batch_size: int = 64,
) -> SampledRound:
    """Play the scenarios once and return every scored reply as a sample.

    A reply without a score, and one that an engine's fault spoiled, is left out and counted; the others stay.
    """
    agent.states.clear()
    episodes = rollout(
        agent,
        scenarios,
        manager=manager,
        reward=agent.reward,
        reader=agent.reader,
        max_turns=max_turns,
        batch_size=batch_size,
    )
    composition = composition_of(agent.reward)
    without = frozenset[str]() if composition is None else composition.without
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
                    own = tuple(0.0 if name in without else getattr(breakdown, name) or 0.0 for name in SOURCES)
                    samples.append(Sample(state.prompt, tokens, logprobs, reward, group, episode.seed, own))
                    breakdowns.append(breakdown)
    unscored = sampled - faults - len(samples)
    return SampledRound(samples, episodes, sampled, unscored, faults, empty, breakdowns)


LEAST_SHARE = 0.25
"""Part of a prompt from which a beginning in common is worth it: the first words of all prompts are the same."""


class TokenBatch(NamedTuple):
    """Prompts with their replies behind them, for one pass: without padding, beginnings in common once."""

    rows: list[int]
    """Which samples these are, ascending; of a blank batch, some sample."""
    laid: TreePass
    """The tokens of the pass."""
    before: torch.Tensor
    """(reply tokens,): places in the pass just before each reply token, which predict it; in the mask's order."""
    tokens: torch.Tensor
    """(reply tokens,): ids, in the mask's order."""
    mask: torch.Tensor
    """(replies, longest reply): True at a reply's tokens."""
    logprobs: torch.Tensor
    """(replies, longest reply), float32: as sampled; 0 at padding."""


def token_batches(
    samples: Sequence[Sample],
    most_tokens: int,
    device: torch.device,
    number: torch.dtype,
    rank: int = 0,
    count: int = 1,
) -> Iterator[TokenBatch]:
    """Yield samples in batches of at most ``most_tokens`` tokens, each sample once; a longer one is a batch of its own.

    Args:
        samples: at least one.
        most_tokens: of a batch; what is in common counts once.
        device: of the tensors.
        number: the model's number format.
        rank: number of this process, from 0; yields its batches alone.
        count: of processes. Each gets as many batches, so that all go through the model as often; some may be blank.
    """
    if count > 1:
        tokens = sum(len(sample.prompt) + len(sample.reply) for sample in samples)
        most_tokens = min(most_tokens, -(-tokens // count))
    trees = _trees(samples, most_tokens)
    parts = packs([tree.size for tree, _ in trees], most_tokens)
    for part in range(rank, len(parts) + -len(parts) % count, count):
        if part < len(parts):
            yield _token_batch(samples, [trees[i] for i in parts[part]], device, number)
        else:
            yield _blank(device, number)


def _blank(device: torch.device, number: torch.dtype) -> TokenBatch:
    """Return a batch without a reply token: its losses are 0, and so are their gradients."""
    laid, none = lay_out([TextTree((), ((0,),))], device, number), torch.zeros(0, dtype=torch.long, device=device)
    nothing = torch.zeros(1, 1, device=device)
    return TokenBatch([0], laid, none, none, nothing.bool(), nothing)


def _trees(samples: Sequence[Sample], most_tokens: int) -> list[tuple[TextTree, list[int]]]:
    """Return the samples as trees of texts that begin alike, with each branch's place in ``samples``.

    Samples are taken in the order of their prompts; one joins those before it where that saves tokens.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(samples)), key=lambda i: (samples[i].prompt, i)):
        if groups and _saves([samples[k] for k in groups[-1]], samples[i], most_tokens):
            groups[-1].append(i)
        else:
            groups.append([i])
    return [(_tree([samples[i] for i in group]), group) for group in groups]


def _tree(group: Sequence[Sample]) -> TextTree:
    """Return samples, in the order of their prompts, as one tree."""
    # In this order all have in common what the first and the last have.
    common = _in_common(group[0], group[-1]) if len(group) > 1 else 0
    return TextTree(group[0].prompt[:common], tuple((s.prompt + s.reply)[common:] for s in group))


def _saves(group: Sequence[Sample], sample: Sample, most_tokens: int) -> bool:
    """Return whether a sample is to join a group: more is then in common, counted by member, than was without it."""
    common = _in_common(group[0], sample)
    before = (len(group) - 1) * _in_common(group[0], group[-1])
    fits = _tree([*group, sample]).size <= most_tokens
    return len(group) * common > before and common >= LEAST_SHARE * len(sample.prompt) and fits


def _in_common(one: Sample, other: Sample) -> int:
    """Return how many tokens two prompts begin with in common."""
    pairs = enumerate(zip(one.prompt, other.prompt, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one.prompt), len(other.prompt)))


def _token_batch(
    samples: Sequence[Sample],
    trees: Sequence[tuple[TextTree, list[int]]],
    device: torch.device,
    number: torch.dtype,
) -> TokenBatch:
    laid = lay_out([tree for tree, _ in trees], device, number)
    before: dict[int, list[int]] = {}
    for start, (tree, members) in zip(laid.starts, trees, strict=True):
        prefix = len(tree.prefix)
        branch_start = start + prefix
        for i, branch in zip(members, tree.branches, strict=True):
            last = len(samples[i].prompt) - 1
            predicting = range(last, last + len(samples[i].reply))
            before[i] = [start + p if p < prefix else branch_start + p - prefix for p in predicting]
            branch_start += len(branch)
    rows = sorted(before)
    width = max(len(samples[i].reply) for i in rows)
    lengths = torch.tensor([len(samples[i].reply) for i in rows])
    logprobs = torch.tensor([[*samples[i].logprobs] + [0.0] * (width - len(samples[i].reply)) for i in rows])
    return TokenBatch(
        rows,
        laid,
        torch.tensor([place for i in rows for place in before[i]], device=device),
        torch.tensor([token for i in rows for token in samples[i].reply], device=device),
        (torch.arange(width)[None, :] < lengths[:, None]).to(device),
        logprobs.to(device),
    )
