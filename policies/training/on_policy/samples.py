"""Sampled replies, as play brings them (a turn is one sample), and samples as batches of tokens.

Nothing is tokenised twice. In a batch texts stand one behind another, and what several begin with is computed once: a
dialogue's prompts begin alike, and a group's replies have one prompt. Attention keeps the texts apart, so each token is
computed as it would be alone (``engines.exact.trees``), and its gradients are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import torch

from negotiation_env.engines.chat_model import RolloutEngine
from negotiation_env.engines.exact.trees import TextTree, TreePass, lay_out, packs
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario
from negotiation_env.language.reading import Reader
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import reply_in
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
        prompt: what the model sees, by name.
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
        prompt: str = "compact",
    ) -> None:
        self.engine = engine
        self.reward = reward
        self.reader = reader
        self.group_size = group_size
        self.states: dict[int, _State] = {}
        self._chat = ChatPolicy(engine, prompt=prompt, max_tokens=reply_tokens, temperature=temperature, top_p=top_p)

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
        views = [reply_in(v, reply.text, self.reader) for v, reply in sound]
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
Ids: TypeAlias = tuple[int, ...]


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
    parts = packs([tree.size() for tree in trees], most_tokens)
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


class _Place(NamedTuple):
    """Where a sample stands in a tree: its first ``common`` tokens in the prefix, the others in a branch, if any."""

    sample: int
    common: int
    branch: int | None


@dataclass(slots=True)
class _Tree:
    """Texts that begin as ``prefix`` does, the first sample's text."""

    prefix: Ids
    places: list[_Place]
    branches: list[Ids] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)

    def cost(self, texts: Iterable[Ids]) -> int:
        """Return how many tokens it takes to add texts."""
        return sum(len(text) - _in_common(self.prefix, text) for text in texts)

    def size(self) -> int:
        return len(self.prefix) + sum(map(len, self.branches))

    def add(self, sample: int, text: Ids) -> None:
        common = _in_common(self.prefix, text)
        new = common < len(text)
        self.places.append(_Place(sample, common, len(self.branches) if new else None))
        if new:
            self.branches.append(text[common:])
            self.begins.append(common)

    def laid(self) -> TextTree:
        return TextTree(self.prefix, tuple(self.branches), tuple(self.begins))


def _trees(samples: Sequence[Sample], most_tokens: int) -> list[_Tree]:
    """Return the samples as trees of texts that begin alike.

    Prompts are taken in order, the last first: of a dialogue's prompts that one begins with the others where nothing of
    a prompt changes from turn to turn, and then a dialogue is little more than one text. A prompt's samples join those
    before them where that saves tokens.
    """
    by_prompt: dict[Ids, list[int]] = {}
    for i, sample in enumerate(samples):
        by_prompt.setdefault(sample.prompt, []).append(i)
    found: list[_Tree] = []
    for prompt in sorted(by_prompt, reverse=True):
        texts = [(i, prompt + samples[i].reply) for i in by_prompt[prompt]]
        if not (found and _joins(found[-1], prompt, [text for _, text in texts])):
            found.append(_Tree(texts[0][1], []))
        for i, text in texts:
            if found[-1].size() + found[-1].cost([text]) > most_tokens:
                found.append(_Tree(text, []))
            found[-1].add(i, text)
    return [tree for tree in found if tree.places]


def _joins(tree: _Tree, prompt: Ids, texts: Sequence[Ids]) -> bool:
    """Return whether a prompt's texts are to join a tree rather than have their own."""
    if _in_common(tree.prefix, prompt) < LEAST_SHARE * len(prompt):
        return False
    alone = _Tree(texts[0], [])
    return tree.cost(texts) < len(alone.prefix) + alone.cost(texts[1:])


def _in_common(one: Ids, other: Ids) -> int:
    """Return how many tokens two texts begin with in common."""
    least = min(len(one), len(other))
    if one[:least] == other[:least]:  # often so, and quickly told
        return least
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def _token_batch(
    samples: Sequence[Sample],
    trees: Sequence[_Tree],
    device: torch.device,
    number: torch.dtype,
) -> TokenBatch:
    texts = [tree.laid() for tree in trees]
    laid = lay_out(texts, device, number)
    before: dict[int, list[int]] = {}
    for start, tree, text in zip(laid.starts, trees, texts, strict=True):
        ends = [start + end + 1 for end in text.ends()]
        for i, common, branch in tree.places:
            # Where the tokens behind the common ones stand, as if those stood right before them.
            shift = 0 if branch is None else ends[branch] - len(tree.branches[branch]) - common
            last = len(samples[i].prompt) - 1
            predicting = range(last, last + len(samples[i].reply))
            before[i] = [start + p if p < common else shift + p for p in predicting]
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
