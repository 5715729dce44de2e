"""What a method has to say; all else of a run is the same for every method."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import RewardBreakdown
from policies.training.on_policy.losses import PolicyLoss
from policies.training.settings import OnPolicyPreset


class RoundTensors(NamedTuple):
    """A round's samples as a method sees them; matrices are (replies, longest reply), 0 at padding."""

    rewards: torch.Tensor
    """(replies,): each reply's credit."""
    groups: torch.Tensor
    """(replies,): equal for replies to the same prompt."""
    mask: torch.Tensor
    logprobs: torch.Tensor
    """As sampled."""
    values: torch.Tensor | None
    """V before each token, where the method has a value model."""
    start_logprobs: torch.Tensor | None
    """Under the policy that training started from, where the method wants them."""


class Targets(NamedTuple):
    """What the losses aim at; (replies, longest reply)."""

    advantages: torch.Tensor
    values: torch.Tensor | None


class LossTensors(NamedTuple):
    """Part of a minibatch at a loss; (replies, longest reply)."""

    new: torch.Tensor
    """Log-probabilities now, with gradient."""
    old: torch.Tensor
    advantages: torch.Tensor
    mask: torch.Tensor
    start_logprobs: torch.Tensor | None
    tokens: int
    """Reply tokens in the whole minibatch."""


class Method(Protocol):
    """PPO, GRPO or REPO: reward, advantage and regulariser."""

    name: str
    preset: OnPolicyPreset
    has_value: bool
    wants_start: bool

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """Return the part of a reward that the method learns from; None if it was not scored."""
        ...

    def targets(self, played: RoundTensors) -> Targets:
        """Return advantages and, where there is a value model, its targets."""
        ...

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Return the policy's loss, regulariser included."""
        ...


def need(tensor: torch.Tensor | None, what: str) -> torch.Tensor:
    """Return a tensor that a method asked for."""
    if tensor is None:
        raise UsageError(f"expected {what} for this method, got none: a method must say that it wants them")
    return tensor
