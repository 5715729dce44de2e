"""What an on-policy run takes, for ``--dry-run``. Plays and trains nothing."""

from __future__ import annotations

import math

from negotiation_env.engines.exact.trees import uppermost
from policies.training.on_policy.methods import Method
from policies.training.plan import Plan, Work, make_plan, shape_of
from policies.training.settings import OnPolicyPreset


def plan_of(method: Method) -> Plan:
    """Return the plan of a run. Raises ``UsageError`` where the base's configuration is not at hand."""
    preset = method.preset
    models = 2 if method.has_value else 1
    sequences = preset.replies * preset.epochs * models
    # Once a round: values before learning, and the start's log-probabilities.
    read = (1 if method.has_value else 0) + (1 if method.wants_start else 0)
    work = Work(
        method=method.name,
        sequences=sequences,
        steps=math.ceil(preset.replies / preset.batch_size) * preset.epochs,
        at_once=preset.micro_batch_size,
        trained_adapters=1.0 + _value_part(preset) if method.has_value else 1.0,
        frozen_adapters=1,
        forward_passes=read * preset.replies / sequences,
        sampled=preset.replies,
        rollout_batch=min(preset.rollout_batch * preset.group_size, preset.dialogues),
    )
    return make_plan(preset, work)


def _value_part(preset: OnPolicyPreset) -> float:
    """Return the value model's adapter as a part of one on all layers."""
    count = shape_of(preset).layers
    return len(uppermost(preset.value_layers, count)) / count
