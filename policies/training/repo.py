"""REPO: reward-enhanced policy optimisation (Zhuang et al. 2025, arXiv 2510.04214).

The policy pi, a LoRA adapter on a frozen base, writes the agent's reply; a reply is one sample. A second LoRA adapter
on the same base, with a scalar head, is the value model V. There is no reference model, no KL penalty, and no group of
replies to one prompt.

**Reward.** Every reply is scored by a reward model, a judge and rules:

    (1)  E_enh   = clip(E_judge + E_func, -n, n)
    (2)  R_total = R_model + |R_model| E_enh / n

R_total lies on the reply's last token, and every other token has 0:

    (3)  r_t = R_total if t is the last token, else 0

**Advantage.** Token-level GAE with the value model:

    (4)  A_t = sum_l (gamma lambda)^l delta_{t+l},   delta_t = r_t + gamma V_{t+1} - V_t

**Loss.** The clipped surrogate for the policy, half the squared error for the value model, each for its own adapter:

    (5)  L_pi = -mean_t min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t),   rho_t = pi(a_t) / pi_old(a_t)
    (6)  L_V  = 1/2 mean_t (V_t - (A_t + V_old,t))^2

The paper leaves open, and this is ours:

- gamma 1; lambda 1, because a value model that has seen a few thousand replies is biased, and with lambda below 1 that
  bias falls on a reply's end and lengthens replies (Yuan et al. 2025, arXiv 2503.01491); clip range 0.2, and a
  token of a bad reply counts with a ratio of 3 at most (``dual_clip``, Ye et al. 2020, arXiv 1912.09729); no entropy
  bonus; value and policy have learning rates of their own instead of a weight on the value loss, as they share no
  parameter;
- advantages are whitened over the tokens of a round; losses are means over a minibatch's tokens, so that a long reply
  weighs more than a short one; no clipping of the value loss; AdamW without weight decay; gradients are clipped by
  their norm, policy's and value's apart; the learning rates are constant after warm-up;
- a reply answers for itself alone (``turn_discount`` 0); above 0, later turns' rewards count at discount^k;
- sampling at ``temperature`` without a nucleus, pi being the policy at that temperature; the presets take 0.7, because
  a small model's bids are wrong so often at 1 that it learns not to bid; a round of whole dialogues is played, then
  learned from ``epochs`` times in minibatches, of replies or of dialogues (``whole_dialogues``);
- training starts from the SFT adapter (``start``); the value adapter starts afresh, on all layers or the uppermost
  (``value_layers``), its head's weights at 0 and its bias at the first round's mean reward;
- which checkpoint is best: mean R_total on held-out dialogues, sampled as in training.

``kl_weight`` above 0 adds PPO's penalty (see ``ppo``), for the ablation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.training.presets import read_preset
from policies.training.on_policy.loop import Options, run
from policies.training.on_policy.losses import PolicyLoss
from policies.training.on_policy.methods import LossTensors, RoundTensors, Targets
from policies.training.on_policy.work import plan_of
from policies.training.plan import Plan
from policies.training.ppo import actor_critic_targets, clipped_loss, refuse_groups
from policies.training.settings import PRESETS, OnPolicyPreset


class Repo:
    """Composed reward, value model, no regulariser."""

    name = "repo"
    has_value = True

    def __init__(self, preset: OnPolicyPreset) -> None:
        refuse_groups(preset)
        self.preset = preset
        self.wants_start = preset.kl_weight > 0.0

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """Equations 1 and 2, which the reward itself computes."""
        return breakdown.total

    def targets(self, played: RoundTensors) -> Targets:
        """Equations 3 and 4."""
        return actor_critic_targets(played, self.preset)

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Equation 5."""
        return clipped_loss(part, self.preset)


def method(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Repo:
    """Return the method with its settings. Raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return Repo(read_preset(OnPolicyPreset, preset, PRESETS / "repo", overrides))


def train(
    preset: dict[str, Any] | str | Path, out: Path, overrides: Sequence[str] = (), **options: Unpack[Options]
) -> Path:
    """Train REPO into ``out`` and return it; ``options`` as ``on_policy.loop.run`` takes them."""
    return run(method(preset, overrides), out, **options)


def plan(preset: dict[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Plan:
    """Return what a run will take."""
    return plan_of(method(preset, overrides))
