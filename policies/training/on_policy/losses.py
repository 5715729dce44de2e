"""Advantages and losses of the on-policy methods, as formulas over tokens.

Tensors are (replies, tokens) with a mask, padding on the right; a token is an action. A minibatch may be computed in
parts: each part's loss is its sum over the whole minibatch's number of tokens, so that the parts add up to its mean.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from policies.turn_credit import GROUP_EPSILON

EPSILON = 1e-8


def on_last_token(rewards: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return token rewards (replies, tokens): a reply's reward (replies,) on its last token, 0 elsewhere."""
    places = mask.sum(dim=1, keepdim=True) - 1
    if bool((places < 0).any()):
        raise ValueError("expected at least one token in every reply")
    return torch.zeros(mask.shape, dtype=rewards.dtype, device=rewards.device).scatter_(1, places, rewards[:, None])


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, gamma: float, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16) over the tokens of each reply.

        delta_t = r_t + gamma V_{t+1} - V_t
        A_t     = delta_t + gamma lambda A_{t+1}

    A reply's end is the end of its episode: behind its last token value and advantage are 0.

    Args:
        rewards: (replies, tokens).
        values: (replies, tokens), V of the prompt and the tokens before this one.
        mask: (replies, tokens), True at tokens; padding on the right.
        gamma: discount per token, in [0, 1].
        lam: lambda, in [0, 1].

    Returns:
        Advantages, and the value targets A_t + V_t; both (replies, tokens), 0 at padding.
    """
    advantages = torch.zeros_like(rewards)
    later = torch.zeros_like(rewards[:, 0])
    value_after = torch.zeros_like(later)
    for t in range(rewards.shape[1] - 1, -1, -1):
        here = mask[:, t]
        delta = rewards[:, t] + gamma * value_after - values[:, t]
        # At padding both stay 0, so that a reply's last token finds nothing behind it.
        later = torch.where(here, delta + gamma * lam * later, 0.0)
        value_after = torch.where(here, values[:, t], 0.0)
        advantages[:, t] = later
    return advantages, torch.where(mask, advantages + values, 0.0)


def whiten(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return advantages with mean 0 and standard deviation 1 over all tokens, 0 at padding.

    Args:
        advantages: (replies, longest reply), or (replies,).
        mask: the same shape, False at padding.
    """
    known = advantages[mask]
    centred = (advantages - known.mean()) / (known.std(unbiased=False) + EPSILON)
    return torch.where(mask, centred, 0.0)


def group_advantages(rewards: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Return each reply's reward against its group's: (r - mean) / std (Shao et al. 2024, section 4.1.2).

    Args:
        rewards: (replies,).
        groups: (replies,), equal for replies to the same prompt; a group of one gets advantage 0.

    The standard deviation is the population's.
    """
    centred = rewards - group_means(rewards, groups)
    compared: torch.Tensor = centred / (group_means(centred.square(), groups).sqrt() + GROUP_EPSILON)
    return compared


def group_means(rewards: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Return for each reply the mean of its group, (replies,)."""
    _, place, counts = torch.unique(groups, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), dtype=rewards.dtype, device=rewards.device).index_add_(0, place, rewards)
    means: torch.Tensor = (sums / counts)[place]
    return means


def decoupled_advantages(sources: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Return each reply's advantages by source against its group's, summed and whitened over all replies.

    GDPO (arXiv 2601.05242): a source that varies little counts as much as one that varies a lot.

    Args:
        sources: (replies, sources); one that is the same for all of a group counts nothing there.
        groups: (replies,), equal for replies to the same prompt.
    """
    summed = torch.stack([group_advantages(source, groups) for source in sources.unbind(dim=1)]).sum(dim=0)
    return whiten(summed, torch.ones_like(summed, dtype=torch.bool))


def share_beyond(extra: torch.Tensor, rewards: torch.Tensor, before: torch.Tensor) -> float:
    """Return the share of the advantages' variance that a part of the reward brings: Cov(A, part) / Var(A).

    Shares of all parts of a reward add up to 1; a part that works against the others has a negative one.

    Args:
        extra: (replies,), the part of each reward.
        rewards: (replies,).
        before: (replies,), what was expected of each reply: A is the reward less this.
    """
    advantages = rewards - before
    centred = advantages - advantages.mean()
    return float((centred * (extra - extra.mean())).mean() / centred.square().mean().clamp(min=1e-12))


class PolicyLoss(NamedTuple):
    """The clipped loss and what it says of the step; the figures are means over the same tokens, without gradient."""

    loss: torch.Tensor
    clipped: torch.Tensor
    """Share of tokens at which either clip takes the gradient away."""
    log_ratio: torch.Tensor
    """Mean of log(new / old)."""
    divergence: torch.Tensor
    """Estimate k3 of KL(old || new), non-negative."""
    largest_ratio: torch.Tensor
    """Largest of new / old and old / new; of this part, not a mean."""


def token_mean(values: torch.Tensor, mask: torch.Tensor, tokens: int | None = None) -> torch.Tensor:
    """Return the sum over masked tokens by ``tokens`` (default: their number)."""
    return torch.where(mask, values, 0.0).sum() / (int(mask.sum()) if tokens is None else tokens)


def clipped_policy_loss(
    new: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip: float,
    dual_clip: float,
    tokens: int | None = None,
) -> PolicyLoss:
    """PPO's clipped surrogate (Schulman et al. 2017, eq. 7), with the dual clip (Ye et al. 2020, eq. 5), negated.

        rho_t = exp(log pi(a_t) - log pi_old(a_t))
        S_t   = min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t)
        L     = -mean_t (S_t if A_t >= 0 else max(S_t, d A_t))

    PPO's own clip leaves a token with A_t < 0 and a great rho_t unbounded: one such token can outweigh all others.

    Args:
        new: log-probabilities of the sampled tokens now.
        old: the same when they were sampled.
        advantages: of the same shape; no gradient flows into them.
        mask: True at tokens.
        clip: c, in (0, 1].
        dual_clip: d, above 1 + c; infinity for PPO as it was.
        tokens: of the whole minibatch, where this is a part of it.
    """
    log_ratio = torch.where(mask, new - old, 0.0)
    ratio = log_ratio.exp()
    low, high = torch.where(advantages < 0.0, 1.0 - clip, 0.0), torch.where(advantages < 0.0, dual_clip, 1.0 + clip)
    bounded = ratio.clamp(low, high)
    loss = token_mean(-bounded * advantages, mask, tokens)
    with torch.no_grad():
        return PolicyLoss(
            loss,
            token_mean((bounded != ratio).to(ratio.dtype), mask, tokens),
            token_mean(log_ratio, mask, tokens),
            token_mean(ratio - 1.0 - log_ratio, mask, tokens),
            log_ratio.abs().max().exp(),
        )


def value_loss(
    values: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, tokens: int | None = None
) -> torch.Tensor:
    """Half the mean squared error of the values against their targets (Schulman et al. 2017, eq. 9)."""
    return 0.5 * token_mean((values - targets).square(), mask, tokens)


def kl_k1(new: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Estimator k1 of KL(pi || start) at sampled tokens: log pi - log start. Unbiased; may be negative at a token."""
    return new - start


def kl_k3(new: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Estimator k3: start/pi - 1 - log(start/pi), unbiased and never negative (Shao et al. 2024, eq. 4)."""
    log_ratio = start - new
    return log_ratio.exp() - 1.0 - log_ratio
