"""How a policy in training does on held-out dialogues, played as the finished agent is played.

Knows episodes and the models in training; trains nothing. Success is a lower price agreed; persuasion is what an
outside rater says of the dialogues, or the training judge's points where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from negotiation_env.protocols import Manager, Reward
from negotiation_env.records import Episode
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.losses import token_mean
from policies.training.on_policy.preset import OnPolicyPreset
from policies.training.on_policy.samples import Sample, SamplingAgent, play
from policies.training.on_policy.scenarios import held_out_scenarios

Rater = Callable[[Sequence[Episode]], float]
"""Says how persuasive dialogues are: the higher the better."""


def evaluate(
    actor: ActorCritic, preset: OnPolicyPreset, manager: Manager, reward: Reward, rate: Rater | None = None
) -> dict[str, float]:
    """Play the held-out dialogues and return figures: rewards by source per reply, success per ticket, divergence."""
    actor.engine.forget_prompts()
    agent = SamplingAgent(actor.engine, reward, preset.max_reply_tokens, temperature=preset.temperature)
    played = play(
        agent,
        held_out_scenarios(preset.held_out),
        lambda breakdown: breakdown.total,
        manager=manager,
        max_turns=preset.max_turns,
        turn_discount=0.0,
        batch_size=preset.rollout_batch,
    )
    figures = reward_means(played.episodes) | outcome_means(played.episodes)
    figures |= _divergence(actor, played.samples, preset.part_tokens)
    figures["persuasion"] = figures.get("judge", 0.0) if rate is None else rate(played.episodes)
    return figures


def reward_means(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the mean of each reward source over the replies that it scored; a source that scored none is left out."""
    found = {}
    for source in ("total", "model", "judge", "rules"):
        scores = [getattr(turn.reward, source) for episode in episodes for turn in episode.turns]
        known = [score for score in scores if score is not None]
        if known:
            found[source] = sum(known) / len(known)
    return found


def outcome_means(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the share of tickets with a lower price agreed, and turns and tokens used, of episodes without fault."""
    sound = [episode for episode in episodes if episode.fault is None]
    tickets = [ticket for episode in sound for ticket in episode.tickets]
    turns = [turn for episode in sound for turn in episode.turns]
    won = sum(t.agreed is not None and t.agreed < t.selling_price for t in tickets)
    return {
        "success": won / max(len(tickets), 1),
        "turns": len(turns) / max(len(sound), 1),
        "reply_tokens": sum(len(turn.token_ids) for turn in turns) / max(len(turns), 1),
    }


@torch.no_grad()
def _divergence(actor: ActorCritic, samples: Sequence[Sample], part_tokens: int) -> dict[str, float]:
    """Return the policy's entropy and its exact divergence from the start, in nats per token."""
    tokens = sum(len(s.reply) for s in samples)
    kl = entropy = 0.0
    for batch in actor.batches(samples, part_tokens) if samples else ():
        divergence, own_entropy = actor.divergence(batch)
        kl += float(token_mean(divergence, batch.mask, tokens))
        entropy += float(token_mean(own_entropy, batch.mask, tokens))
    return {"kl_to_start": kl, "entropy": entropy} if samples else {}
