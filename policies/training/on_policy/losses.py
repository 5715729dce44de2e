"""Losses of the on-policy methods, as means over tokens.

Tensors are (replies, tokens) with a mask. A minibatch may be computed in parts: each part's loss is its sum over the
whole minibatch's number of tokens, so that the parts add up to the minibatch's mean. Knows no model.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


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
