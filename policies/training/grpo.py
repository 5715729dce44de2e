"""GRPO: group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300).

There is no value model. In every dialogue state G replies are sampled and scored; the first goes on with the dialogue.
A reply's advantage, the same at each of its tokens, is its reward against its group's:

    (1)  A_i = (R_i - mean(R_1 .. R_G)) / std(R_1 .. R_G)
    (2)  L   = -mean_t [ min(rho_t A, clip(rho_t, 1 - c, 1 + c) A) - beta D_t ]
    (3)  D_t = pi_start(a_t) / pi(a_t) - 1 - log(pi_start(a_t) / pi(a_t))

with R the reward model's reward, and D the estimator k3 of the divergence from the policy that training started from,
inside the loss.

The REPO paper names GRPO as a baseline and leaves open, and this is ours:

- G = 4; that the reward is the reward model's alone; beta (``kl_weight``);
- the mean over all of a minibatch's tokens, as for the other methods, where Shao et al. take each reply's mean first;
- the population's standard deviation, with a small number added; a reply whose group has no other scored reply gets
  advantage 0;
- dialogues per round are fewer by the factor G, so that every method samples as many replies;
- credit over the dialogue is refused (``turn_discount`` 0): replies that do not go on have no later turns;
- all that ``repo`` lists and that is not about the value model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import torch

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.training.presets import read_preset
from policies.training.on_policy.loop import Options, run
from policies.training.on_policy.losses import PolicyLoss, group_advantages, kl_k3, token_mean
from policies.training.on_policy.methods import LossTensors, RoundTensors, Targets, need
from policies.training.on_policy.work import plan_of
from policies.training.plan import Plan
from policies.training.ppo import clipped_loss
from policies.training.settings import PRESETS, OnPolicyPreset


class Grpo:
    """Reward of the reward model, compared within a group; divergence penalty in the loss."""

    name = "grpo"
    has_value = False

    def __init__(self, preset: OnPolicyPreset) -> None:
        if preset.group_size < 2:
            raise UsageError(f"group_size: expected at least 2 for grpo, got {preset.group_size}")
        if preset.turn_discount > 0.0:
            raise UsageError(
                f"turn_discount: expected 0 for grpo, got {preset.turn_discount}: "
                "replies that do not go on with the dialogue have no later turns"
            )
        self.preset = preset
        self.wants_start = preset.kl_weight > 0.0

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """R_model."""
        return breakdown.model

    def targets(self, played: RoundTensors) -> Targets:
        """Equation 1, at every token."""
        advantages = group_advantages(played.rewards, played.groups)
        return Targets(torch.where(played.mask, advantages[:, None], 0.0), None)

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Equations 2 and 3."""
        found = clipped_loss(part, self.preset)
        if self.preset.kl_weight == 0.0:
            return found
        divergence = token_mean(kl_k3(part.new, need(part.start_logprobs, "the start")), part.mask, part.tokens)
        return found._replace(loss=found.loss + self.preset.kl_weight * divergence)


def method(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Grpo:
    """Return the method with its settings. Raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return Grpo(read_preset(OnPolicyPreset, preset, PRESETS / "grpo", overrides))


def train(
    preset: dict[str, Any] | str | Path, out: Path, overrides: Sequence[str] = (), **options: Unpack[Options]
) -> Path:
    """Train GRPO into ``out`` and return it; ``options`` as ``on_policy.loop.run`` takes them."""
    return run(method(preset, overrides), out, **options)


def plan(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Plan:
    """Return what a run will take."""
    return plan_of(method(preset, overrides))
