"""PPO: proximal policy optimisation (Schulman et al. 2017) as it is used for language models (Ouyang et al. 2022).

Policy and value model are as in ``repo``; so are advantage and losses. What differs is the reward, which is the reward
model's alone, and a penalty on the divergence from the policy that training started from:

    (1)  r_t = [t is the last token] R_model - beta (log pi_old(a_t) - log pi_start(a_t))
    (2)  A_t = sum_l (gamma lambda)^l delta_{t+l},   delta_t = r_t + gamma V_{t+1} - V_t
    (3)  L_pi = -mean_t min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t)
    (4)  L_V  = 1/2 mean_t (V_t - (A_t + V_old,t))^2

The REPO paper names PPO as a baseline and leaves open, and this is ours:

- that its reward is the reward model's alone (the likely reading: the enhancement is what REPO adds);
- the penalty: estimator k1 at each token inside the reward, as Ouyang et al. have it, beta constant (``kl_weight``);
- all that ``repo`` lists, which is the same here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.training.presets import read_preset
from policies.training.on_policy.loop import Options, run
from policies.training.on_policy.losses import PolicyLoss, clipped_policy_loss, gae, kl_k1, on_last_token, whiten
from policies.training.on_policy.methods import LossTensors, RoundTensors, Targets, need
from policies.training.on_policy.work import plan_of
from policies.training.plan import Plan
from policies.training.settings import PRESETS, OnPolicyPreset


def refuse_groups(preset: OnPolicyPreset) -> None:
    """Raise ``UsageError`` where a preset asks a method that compares no replies for groups."""
    if preset.group_size != 1:
        raise UsageError(f"group_size: expected 1, got {preset.group_size}: only grpo samples groups")


def actor_critic_targets(played: RoundTensors, preset: OnPolicyPreset) -> Targets:
    """Token rewards, the penalty if any among them, and GAE on them (equations 1 and 2)."""
    rewards = on_last_token(played.rewards, played.mask)
    if preset.kl_weight > 0.0:
        rewards = rewards - preset.kl_weight * kl_k1(played.logprobs, need(played.start_logprobs, "the start"))
    values = need(played.values, "values")
    advantages, targets = gae(rewards, values, played.mask, preset.gamma, preset.gae_lambda)
    return Targets(whiten(advantages, played.mask), targets)


def clipped_loss(part: LossTensors, preset: OnPolicyPreset) -> PolicyLoss:
    """Equation 3, with the dual clip."""
    return clipped_policy_loss(
        part.new, part.old, part.advantages, part.mask, preset.clip_range, preset.dual_clip, part.tokens
    )


class Ppo:
    """Reward of the reward model, value model, divergence penalty in the reward."""

    name = "ppo"
    has_value = True

    def __init__(self, preset: OnPolicyPreset) -> None:
        refuse_groups(preset)
        self.preset = preset
        self.wants_start = preset.kl_weight > 0.0

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """R_model."""
        return breakdown.model

    def targets(self, played: RoundTensors) -> Targets:
        """Equations 1 and 2."""
        return actor_critic_targets(played, self.preset)

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Equation 3."""
        return clipped_loss(part, self.preset)


def method(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Ppo:
    """Return the method with its settings. Raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return Ppo(read_preset(OnPolicyPreset, preset, PRESETS / "ppo", overrides))


def train(
    preset: dict[str, Any] | str | Path, out: Path, overrides: Sequence[str] = (), **options: Unpack[Options]
) -> Path:
    """Train PPO into ``out`` and return it; ``options`` as ``on_policy.loop.run`` takes them."""
    return run(method(preset, overrides), out, **options)


def plan(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Plan:
    """Return what a run will take."""
    return plan_of(method(preset, overrides))
