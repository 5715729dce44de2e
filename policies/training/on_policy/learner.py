"""Learns from a round's samples: minibatches in passes that fit into memory, each model's gradients to its own adapter.

Knows tensors and optimisers. Does not know play, files, or which method it serves.
"""
# MERGED-DOC """Stops a run that has gone wrong, with a message, before it spoils the last good checkpoint.
# MERGED-DOC
# MERGED-DOC Knows figures only.
# MERGED-DOC """

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from negotiation_env.errors import NegotiationError
from negotiation_env.seeds import Stream
from negotiation_env.training.run_folder import restore, state_tensors
from policies.training.on_policy.actor_critic import POLICY, VALUE, ActorCritic
from policies.training.on_policy.losses import token_mean, value_loss
from policies.training.on_policy.methods import LossTensors, Method, RoundTensors, Targets
from policies.training.on_policy.samples import Sample, TokenBatch
from policies.training.settings import OnPolicyPreset


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


_PREFIX = "optimizer"


class Matrices(NamedTuple):
    """A round's targets and what the losses read beside them, one row a sample."""

    played: RoundTensors
    targets: Targets


class Learner:
    """Optimiser and losses of one run.

    Args:
        method: reward, advantage and regulariser.
        actor: the models.
    """

    def __init__(self, method: Method, actor: ActorCritic) -> None:
        self.method = method
        self.preset = method.preset
        self.actor = actor
        self.steps = 0
        groups = [{"params": list(actor.policy_parameters().values()), "lr": self.preset.learning_rate}]
        if method.has_value:
            groups.append({"params": list(actor.value_parameters().values()), "lr": self.preset.value_learning_rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def learn(self, samples: Sequence[Sample], round_number: int) -> dict[str, float]:
        """Take ``epochs`` passes over the samples; returns the round's figures, means over its steps.

        Raises:
            TrainingStoppedError: before the step that it would spoil.
        """
        matrices = self._matrices(samples)
        minibatches = max(1, round(len(samples) / self.preset.batch_size))
        steps: list[dict[str, float]] = []
        for epoch in range(self.preset.epochs):
            draws = np.random.default_rng((Stream.EPOCH_ORDER, self.preset.seed, round_number, epoch))
            order = epoch_order(samples, draws, self.preset.whole_dialogues)
            for chosen in np.array_split(order, minibatches):
                steps.append(self._step(samples, [int(i) for i in chosen], matrices))
        figures = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
        figures["largest_ratio"] = max(step["largest_ratio"] for step in steps)
        # Measured before the first step, on the policy that sampled.
        figures["sampling_gap"] = abs(steps[0]["log_ratio"])
        known = matrices.played.mask
        if matrices.played.values is not None and matrices.targets.values is not None:
            errors = (matrices.targets.values - matrices.played.values)[known]
            spread = float(matrices.targets.values[known].var(unbiased=False))
            figures["explained_variance"] = 1.0 - float(errors.var(unbiased=False)) / max(spread, 1e-12)
        return figures

    def _matrices(self, samples: Sequence[Sample]) -> Matrices:
        """Values, start's log-probabilities, advantages and targets of a round, before any step."""
        device = self.actor.base.device
        width = max(len(s.reply) for s in samples)
        logprobs = torch.zeros(len(samples), width, device=device)
        mask = torch.zeros(len(samples), width, dtype=torch.bool, device=device)
        rewards = torch.tensor([s.reward for s in samples], device=device)
        if self.steps == 0:
            # From 0, lambda below 1 would blame the last tokens of a reply for the mean reward, and so its ending.
            self.actor.expect(float(rewards.mean()))
        values = torch.zeros_like(logprobs) if self.method.has_value else None
        start = torch.zeros_like(logprobs) if self.method.wants_start else None
        for batch in self.actor.batches(samples, 2 * self.preset.part_tokens):
            rows, own = batch.rows, batch.mask.shape[1]
            logprobs[rows, :own], mask[rows, :own] = batch.logprobs, batch.mask
            if values is not None:
                with torch.no_grad():
                    values[rows, :own] = self.actor.values(batch)
            if start is not None:
                start[rows, :own] = self.actor.start_logprobs(batch)
        groups = torch.tensor(_numbered(s.group for s in samples), device=device)
        played = RoundTensors(rewards, groups, mask, logprobs, values, start)
        return Matrices(played, self.method.targets(played))

    def _step(self, samples: Sequence[Sample], chosen: list[int], matrices: Matrices) -> dict[str, float]:
        """One optimiser step on a minibatch."""
        some = [samples[i] for i in chosen]
        tokens = sum(len(s.reply) for s in some)
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, torch.Tensor] = {}
        for batch in self.actor.batches(some, self.preset.part_tokens):
            rows = [chosen[i] for i in batch.rows]
            for name, value in self._backward(batch, rows, matrices, tokens).items():
                before = sums.get(name, torch.zeros_like(value))
                sums[name] = torch.maximum(before, value) if name == "largest_ratio" else before + value
        figures = {name: float(value) for name, value in sums.items()}
        for name, parameters in (("policy", self.actor.policy_parameters()), ("value", self.actor.value_parameters())):
            if parameters:
                norm = torch.nn.utils.clip_grad_norm_(parameters.values(), self.preset.max_grad_norm)
                figures[f"{name}_grad_norm"] = float(norm)
        check_step(self.preset, figures)
        warm = min(1.0, (self.steps + 1) / (self.preset.warmup_steps + 1))
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * warm
        self.optimizer.step()
        self.steps += 1
        return figures

    def _backward(self, batch: TokenBatch, rows: list[int], matrices: Matrices, tokens: int) -> dict[str, torch.Tensor]:
        """Add a part's gradients; returns its share of the minibatch's figures."""
        played, targets = matrices
        width = batch.mask.shape[1]
        scores = self.actor.policy(batch)
        start = None if played.start_logprobs is None else played.start_logprobs[rows, :width]
        loss = self.method.loss(
            LossTensors(
                scores.logprobs,
                played.logprobs[rows, :width],
                targets.advantages[rows, :width],
                batch.mask,
                start,
                tokens,
            )
        )
        self.actor.backward(loss.loss, POLICY)
        figures = {
            "policy_loss": loss.loss.detach(),
            "clipped": loss.clipped,
            "log_ratio": loss.log_ratio,
            "divergence": loss.divergence,
            "largest_ratio": loss.largest_ratio,
            "entropy": token_mean(scores.entropy, batch.mask, tokens),
        }
        if targets.values is not None:
            error = value_loss(self.actor.values(batch), targets.values[rows, :width], batch.mask, tokens)
            self.actor.backward(error, VALUE)
            figures["value_loss"] = error.detach()
        return figures

    def state(self) -> dict[str, torch.Tensor]:
        """Return the optimiser's moments and step counts as named tensors."""
        return state_tensors(self.optimizer, _PREFIX)

    def restore(self, state: Mapping[str, torch.Tensor], steps: int) -> None:
        """Put back what ``state`` returned, after so many steps."""
        self.steps = steps
        restore(self.optimizer, state, _PREFIX)


def epoch_order(samples: Sequence[Sample], draws: np.random.Generator, whole_dialogues: bool) -> np.ndarray:
    """Return the samples' indices, each once, in the order in which an epoch divides them into minibatches.

    Args:
        samples: at least one.
        draws: of the order, by reply or, with ``whole_dialogues``, by dialogue.
        whole_dialogues: whether the replies of a dialogue stay together, in their order.
    """
    if not whole_dialogues:
        return draws.permutation(len(samples))
    places = draws.permutation(len(samples))[_numbered(s.dialogue for s in samples)]
    return np.argsort(places, kind="stable")


def _numbered(seeds: Iterable[int]) -> list[int]:
    """Return seeds as numbers from 0, equal where they are equal: a 64-bit seed may lie beyond int64."""
    places: dict[int, int] = {}
    return [places.setdefault(seed, len(places)) for seed in seeds]
