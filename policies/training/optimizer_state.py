"""An optimiser's state as plain tensors and JSON, so that a run can be resumed without unpickling anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def state_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """Return the moments and step counts of all parameters, named ``PREFIX.INDEX.NAME``."""
    return {
        f"{prefix}.{index}.{name}": torch.as_tensor(value).detach().contiguous()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def settings_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return the learning rate and other settings of each parameter group, ready for JSON."""
    return [dict(group) for group in optimizer.state_dict()["param_groups"]]


def restore(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    prefix: str,
    settings: list[dict[str, Any]] | None = None,
) -> None:
    """Put back what ``state_tensors`` (and ``settings_of``) told of an optimiser over the same parameters."""
    held = optimizer.state_dict()
    held["state"] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            index, name = key.removeprefix(f"{prefix}.").split(".", 1)
            held["state"].setdefault(int(index), {})[name] = value
    for group, known in zip(held["param_groups"], settings or [], strict=bool(settings)):
        # JSON has no tuples; the optimisers compare and unpack theirs either way.
        group.update({name: tuple(v) if name == "betas" else v for name, v in known.items() if name != "params"})
    optimizer.load_state_dict(held)
