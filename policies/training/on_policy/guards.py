"""Stops a run that has gone wrong, with a message, before it spoils the last good checkpoint.

Knows figures only.
"""

from __future__ import annotations

import math

from negotiation_env.errors import NegotiationError
from policies.training.on_policy.preset import OnPolicyPreset


class TrainingStoppedError(NegotiationError, RuntimeError):
    """A run was stopped because what it measures says that it has gone wrong; earlier checkpoints are whole."""


def check_play(preset: OnPolicyPreset, sampled: int, scored: int, empty: int, faults: int, unscored: int) -> None:
    """Check a round of play, in replies. Raises ``TrainingStoppedError``."""
    if scored == 0:
        raise TrainingStoppedError(
            f"no reply of {sampled} was scored ({faults} faults, {unscored} unscored): check engine and reward"
        )
    if empty > preset.most_empty * sampled:
        raise TrainingStoppedError(
            f"empty replies: expected at most {preset.most_empty:.0%} of a round, got {empty} of {sampled}: "
            "the policy has collapsed; lower learning_rate"
        )


def check_entropy(preset: OnPolicyPreset, entropy: float) -> None:
    """Check the mean entropy of a round's tokens, in nats. Raises ``TrainingStoppedError``."""
    if entropy < preset.least_entropy:
        raise TrainingStoppedError(
            f"collapsed entropy: expected at least {preset.least_entropy} nats per token, got {entropy:.4f}: "
            "the policy says one thing only; lower learning_rate, or raise kl_weight"
        )


def check_step(preset: OnPolicyPreset, figures: dict[str, float]) -> None:
    """Check a minibatch's losses, gradients and divergence before its step is taken.

    Raises:
        TrainingStoppedError: naming the figure.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise TrainingStoppedError(f"{name}: expected a finite number, got {value}: lower learning_rate")
    if figures["divergence"] > preset.most_divergence:
        raise TrainingStoppedError(
            f"exploding ratio: expected at most {preset.most_divergence} nats per token between the sampling policy "
            f"and the trained one, got {figures['divergence']:.3f}: lower learning_rate, or epochs"
        )
