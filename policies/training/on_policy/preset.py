"""Settings of an on-policy run, one type for PPO, GRPO and REPO. Needs no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from policies.training.adapter_preset import PRESETS, AdapterPreset, Count, Rate

__all__ = ["PRESETS", "OnPolicyPreset"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class OnPolicyPreset(AdapterPreset):
    """One run of PPO, GRPO or REPO; which of them is the command's to say.

    Of the settings that all methods share: ``batch_size`` is replies per optimiser step (a round is divided evenly
    into about as many), ``epochs`` how often a round's replies are learned from, ``learning_rate`` the policy's
    (AdamW, constant after warm-up). Passes hold as many tokens as ``micro_batch_size`` replies of the greatest length.
    """

    reward: str
    """Name of the reward, as the environment takes it."""
    manager: str
    """Name of the hotel's side."""

    replies: Count
    """Budget: training ends with the round in which as many replies have been sampled."""
    dialogues: Count
    """Played per round, with one reply sampled at each turn; a method that samples groups plays fewer by its group
    size, so that a round has about as many replies whatever the method."""
    max_turns: Annotated[int, Field(ge=1, le=200)]
    temperature: Annotated[float, Field(gt=0.0, le=2.0)]
    """Of sampling, without a nucleus; the policy that is trained is the one at this temperature."""
    whole_dialogues: bool = False
    """Divide a round into minibatches by dialogue rather than by reply. What a dialogue's prompts begin with is then
    computed once, which saves a third of the tokens; but replies of one dialogue are alike, so steps differ more."""
    rollout_batch: Count
    """Dialogues in play at a time."""

    value_learning_rate: Rate
    """Of the value model's adapter and head."""
    value_layers: Annotated[int, Field(ge=0)] = 0
    """How many of the uppermost layers the value model adapts; 0 for all. Nothing is learned through the others."""
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    clip_range: Annotated[float, Field(gt=0.0, le=1.0)]
    dual_clip: Annotated[float, Field(gt=2.0)]
    """Greatest ratio with which a token of a bad reply counts; inf for PPO as it was."""
    gamma: Share
    """Discount per token within a reply."""
    gae_lambda: Share
    turn_discount: Share
    """Discount per turn of later replies' rewards; 0: a reply answers for itself alone."""
    group_size: Count
    """Replies sampled in each state; 1 where the method compares none."""
    kl_weight: Annotated[float, Field(ge=0.0)]
    """Weight of the divergence from the start; 0 for none."""

    evaluate_every: Count
    """Rounds between evaluations on held-out scenarios."""
    held_out: Count
    """Dialogues per evaluation."""
    least_entropy: Annotated[float, Field(ge=0.0)]
    """Nats per token of a round's replies below which the run stops."""
    most_divergence: Annotated[float, Field(gt=0.0)]
    """Nats per token between the sampling policy and the trained one (estimator k3) above which the run stops."""
    most_empty: Share
    """Share of a round's replies without a word above which the run stops."""

    @property
    def part_tokens(self) -> int:
        """Tokens, padding included, that a pass holds; no result depends on it but for rounding."""
        return self.micro_batch_size * (self.max_prompt_tokens + self.max_reply_tokens)
