"""PPO, GRPO and REPO: what each learns from a reply, and how. All else of a run is the same for every method.

A method says three things: which part of a reward it reads, the advantage of each token, and the policy's loss. A new
one is a class here and a name in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.training.presets import read_preset
from policies.training.on_policy.losses import (
    PolicyLoss,
    clipped_policy_loss,
    decoupled_advantages,
    gae,
    group_advantages,
    group_means,
    kl_k1,
    kl_k3,
    on_last_token,
    token_mean,
    whiten,
)
from policies.training.settings import PRESETS, OnPolicyPreset


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
    sources: torch.Tensor | None = None
    """(replies, 3): R_model, E_judge and E_func of each reply."""

    @property
    def before(self) -> torch.Tensor:
        """(replies,): what was expected of each reply before it: V, or the mean of its group."""
        return group_means(self.rewards, self.groups) if self.values is None else self.values[:, 0]


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
    """Reward, advantage and regulariser."""

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


class _ActorCriticMethod:
    """What PPO and REPO share: a value model, GAE on token rewards, the clipped loss."""

    has_value = True

    def __init__(self, preset: OnPolicyPreset) -> None:
        if preset.group_size != 1:
            raise UsageError(f"group_size: expected 1, got {preset.group_size}: only grpo samples groups")
        if preset.decoupled:
            raise UsageError("decoupled: expected false, got true: only grpo compares sources within a group")
        self.preset = preset
        self.wants_start = preset.kl_weight > 0.0

    def targets(self, played: RoundTensors) -> Targets:
        """Return GAE's advantages, whitened, and targets, on token rewards with the penalty if any among them."""
        rewards = on_last_token(played.rewards, played.mask)
        if self.wants_start:
            penalty = kl_k1(played.logprobs, _wanted(played.start_logprobs, "the start"))
            rewards = rewards - self.preset.kl_weight * penalty
        values = _wanted(played.values, "values")
        advantages, targets = gae(rewards, values, played.mask, self.preset.gamma, self.preset.gae_lambda)
        return Targets(whiten(advantages, played.mask), targets)

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Return the clipped surrogate, with the dual clip."""
        return _clipped(part, self.preset)


class Repo(_ActorCriticMethod):
    """REPO: reward-enhanced policy optimisation (Zhuang et al. 2025, arXiv 2510.04214).

    The policy pi, a LoRA adapter on a frozen base, writes the agent's reply; a reply is one sample. A second LoRA
    adapter on the same base, with a scalar head, is the value model V. There is no reference model, no KL penalty, and
    no group of replies to one prompt.

    **Reward** (``read``). Every reply is scored by a reward model, a judge and rules:

        (1)  E_enh   = clip(E_judge + E_func, -n, n)
        (2)  R_total = R_model + |R_model| E_enh / n

    R_total lies on the reply's last token, and every other token has 0:

        (3)  r_t = R_total if t is the last token, else 0

    **Advantage** (``targets``). Token-level GAE with the value model:

        (4)  A_t = sum_l (gamma lambda)^l delta_{t+l},   delta_t = r_t + gamma V_{t+1} - V_t

    **Loss** (``loss``). The clipped surrogate for the policy, half the squared error for the value model, each for its
    own adapter:

        (5)  L_pi = -mean_t min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t),   rho_t = pi(a_t) / pi_old(a_t)
        (6)  L_V  = 1/2 mean_t (V_t - (A_t + V_old,t))^2

    The paper leaves open, and this is ours:

    - gamma 1; lambda 1, because a value model that has seen a few thousand replies is biased, and with lambda below 1
      that bias falls on a reply's end and lengthens replies (Yuan et al. 2025, arXiv 2503.01491); clip range 0.2, and a
      token of a bad reply counts with a ratio of 3 at most (``dual_clip``, Ye et al. 2020, arXiv 1912.09729); no
      entropy bonus; value and policy have learning rates of their own instead of a weight on the value loss, as they
      share no parameter;
    - advantages are whitened over the tokens of a round; losses are means over a minibatch's tokens, so that a long
      reply weighs more than a short one; no clipping of the value loss; AdamW without weight decay; gradients are
      clipped by their norm, policy's and value's apart; the learning rates are constant after warm-up;
    - a reply answers for itself alone (``turn_discount`` 0); above 0, later turns' rewards count at discount^k;
    - sampling at ``temperature`` without a nucleus, pi being the policy at that temperature; the presets take 0.7,
      because a small model's bids are wrong so often at 1 that it learns not to bid; a round of whole dialogues is
      played, then learned from ``epochs`` times in minibatches, of replies or of dialogues (``whole_dialogues``);
    - training starts from the SFT adapter (``start``); the value adapter starts afresh, on all layers or the uppermost
      (``value_layers``), its head's weights at 0 and its bias at the first round's mean reward;
    - which checkpoint is best: the mean of the reward that the method learns from (R_model for PPO and GRPO) on
      held-out dialogues, sampled as in training.

    ``kl_weight`` above 0 adds PPO's penalty (see ``Ppo``), for the ablation.
    """

    name = "repo"

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """Equations 1 and 2, which the reward itself computes."""
        return breakdown.total


class Ppo(_ActorCriticMethod):
    """PPO: proximal policy optimisation (Schulman et al. 2017) as it is used for language models (Ouyang et al. 2022).

    Policy and value model are as in ``Repo``; so are advantage and losses. What differs is the reward, which is the
    reward model's alone, and a penalty on the divergence from the policy that training started from:

        (1)  r_t = [t is the last token] R_model - beta (log pi_old(a_t) - log pi_start(a_t))
        (2)  A_t = sum_l (gamma lambda)^l delta_{t+l},   delta_t = r_t + gamma V_{t+1} - V_t
        (3)  L_pi = -mean_t min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t)
        (4)  L_V  = 1/2 mean_t (V_t - (A_t + V_old,t))^2

    The REPO paper names PPO as a baseline and leaves open, and this is ours:

    - that its reward is the reward model's alone (the likely reading: the enhancement is what REPO adds);
    - the penalty: estimator k1 at each token inside the reward, as Ouyang et al. have it, beta constant
      (``kl_weight``);
    - all that ``Repo`` lists, which is the same here.
    """

    name = "ppo"

    def read(self, breakdown: RewardBreakdown) -> float | None:
        """R_model."""
        return breakdown.model


class Grpo:
    """GRPO: group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300).

    There is no value model. In every dialogue state G replies are sampled and scored; the first goes on with the
    dialogue. A reply's advantage, the same at each of its tokens, is its reward against its group's:

        (1)  A_i = (R_i - mean(R_1 .. R_G)) / std(R_1 .. R_G)
        (2)  L   = -mean_t [ min(rho_t A, clip(rho_t, 1 - c, 1 + c) A) - beta D_t ]
        (3)  D_t = pi_start(a_t) / pi(a_t) - 1 - log(pi_start(a_t) / pi(a_t))

    with R the reward model's reward, and D the estimator k3 of the divergence from the policy that training started
    from, inside the loss.

    With ``decoupled`` the advantage is GDPO's (arXiv 2601.05242) instead: every source of the composed reward is
    normalised within the group for itself, so that none is drowned by another's scale; the sum is whitened over the
    round's replies. R is then R_model, E_judge and E_func, in equal weights:

        (4)  A_i = whiten(sum_k (R_k,i - mean(R_k,1 .. R_k,G)) / std(R_k,1 .. R_k,G))

    The REPO paper names GRPO as a baseline and leaves open, and this is ours:

    - G = 4; that the reward is the reward model's alone; beta (``kl_weight``);
    - the mean over all of a minibatch's tokens, as for the other methods, where Shao et al. take each reply's mean
      first;
    - the population's standard deviation, with a small number added; a reply whose group has no other scored reply gets
      advantage 0;
    - dialogues per round are fewer by the factor G, so that every method samples as many replies;
    - credit over the dialogue is refused (``turn_discount`` 0): replies that do not go on have no later turns;
    - all that ``Repo`` lists and that is not about the value model.
    """

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
        """R_model; R_total where sources are decoupled, so that a reply which one could not score is left out."""
        return breakdown.total if self.preset.decoupled else breakdown.model

    def targets(self, played: RoundTensors) -> Targets:
        """Return the advantage of equation 1, or 4, at every token; no targets, for there is no value model."""
        if self.preset.decoupled:
            advantages = decoupled_advantages(_wanted(played.sources, "sources"), played.groups)
        else:
            advantages = group_advantages(played.rewards, played.groups)
        return Targets(torch.where(played.mask, advantages[:, None], 0.0), None)

    def loss(self, part: LossTensors) -> PolicyLoss:
        """Return the loss of equation 2, with the divergence of equation 3 where it has a weight."""
        found = _clipped(part, self.preset)
        if not self.wants_start:
            return found
        divergence = token_mean(kl_k3(part.new, _wanted(part.start_logprobs, "the start")), part.mask, part.tokens)
        return found._replace(loss=found.loss + self.preset.kl_weight * divergence)


METHODS: dict[str, type[Ppo | Grpo | Repo]] = {"ppo": Ppo, "grpo": Grpo, "repo": Repo}


def load_method(name: str, preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Method:
    """Return a method of ``METHODS`` with its settings.

    Raises:
        DataFileError, UsageError: where the preset or an override is wrong, or not for this method.
    """
    return METHODS[name](read_preset(OnPolicyPreset, preset, PRESETS / name, overrides))


def _clipped(part: LossTensors, preset: OnPolicyPreset) -> PolicyLoss:
    """The clipped surrogate, with the dual clip."""
    return clipped_policy_loss(
        part.new, part.old, part.advantages, part.mask, preset.clip_range, preset.dual_clip, part.tokens
    )


def _wanted(tensor: torch.Tensor | None, what: str) -> torch.Tensor:
    """Return a tensor that a method asked for."""
    if tensor is None:
        raise UsageError(f"expected {what} for this method, got none: a method must say that it wants them")
    return tensor
