"""Hidden states of a base's frozen layers: kept on disk, and read by linear readers before an adapter is trained.

States are computed once and read in every epoch. Readers have no constant term, as the vocabulary's layer and a score
layer have none: what stands for it is a direction in which all states are about equally long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from negotiation_env.engines.exact.trees import TextTree, packs
from negotiation_env.files import read_json, write_json
from rewards.training.adapter_training import TrainedAdapter

_BITS = {torch.bfloat16: np.int16, torch.float32: np.int32}


class TrunkStates:
    """States of many trees: ``read(i)`` gives tree i's, (tokens, width).

    Args:
        adapter: whose frozen layers are run.
        trees: the texts.
        path: the array file; a whole one of the same trees and base is used again.
        pass_tokens: most tokens of a pass.
        progress: told how many more trees are done.
    """

    def __init__(
        self,
        adapter: TrainedAdapter,
        trees: Sequence[TextTree],
        path: Path,
        pass_tokens: int = 2048,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.number = adapter.number
        self.starts = np.concatenate([[0], np.cumsum([t.size for t in trees])])
        self.path = path
        mark = path.with_suffix(".json")
        told = {"texts": _digest(trees), "base": adapter.base, "depth": adapter.depth, "number": str(self.number)}
        shape = (int(self.starts[-1]), adapter.width)
        if mark.is_file() and path.is_file() and read_json(mark, dict[str, Any]) == told:
            self._states = np.load(path, mmap_mode="r", allow_pickle=False)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        states = np.lib.format.open_memmap(path, mode="w+", dtype=_BITS[self.number], shape=shape)
        for pack in packs([t.size for t in trees], pass_tokens):
            for i, part in zip(pack, adapter.trunk([trees[i] for i in pack]), strict=True):
                bits = part.cpu().contiguous().view(torch.int16 if self.number is torch.bfloat16 else torch.int32)
                states[self.starts[i] : self.starts[i + 1]] = bits.numpy()
            if progress is not None:
                progress(len(pack))
        states.flush()
        write_json(mark, told, indent=None)
        self._states = states

    def read(self, i: int) -> torch.Tensor:
        """Return tree i's states (tokens, width)."""
        part = np.array(self._states[self.starts[i] : self.starts[i + 1]])
        return torch.from_numpy(part).view(self.number)

    def drop(self) -> None:
        """Remove the file."""
        del self._states
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".json").unlink(missing_ok=True)


def _digest(trees: Sequence[TextTree]) -> str:
    found = hashlib.sha256()
    for tree in trees:
        for ids in (tree.prefix, *tree.branches):
            found.update(np.asarray(ids, dtype=np.int32).tobytes() + b"|")
        found.update(b"/")
    return found.hexdigest()


STEPS = 80


def linear_readers(
    hidden: torch.Tensor, labels: torch.Tensor, count: int, level: float, penalty: float = 0.05
) -> torch.Tensor:
    """Return rows (count, width) whose products with a state are the logits of its label, ``level`` added on average.

    Args:
        hidden: states (examples, width).
        labels: class of each, 0 to ``count`` - 1.
        count: number of classes.
        level: mean logarithm of the summed exponentials of a state's logits.
        penalty: L2 penalty on the weights of standardised states.
    """
    mean, spread = hidden.mean(dim=0), hidden.std(dim=0) + 1e-3

    def loss(weights: torch.Tensor) -> torch.Tensor:
        logits = ((hidden - mean) / spread) @ weights[1:] + weights[0]
        return torch.nn.functional.cross_entropy(logits, labels)

    weights = _fit(loss, hidden.shape[1] + 1, count, penalty)
    slopes = (weights[1:] / spread[:, None]).T
    constants = weights[0] - slopes @ mean
    now = (hidden @ slopes.T + constants).logsumexp(dim=1).mean()
    return slopes + torch.outer(constants + level - now, constant_direction(hidden))


def preference_reader(gaps: torch.Tensor, margins: torch.Tensor, smooth: float) -> torch.Tensor:
    """Return a row (width,) whose products with states differ as Bradley and Terry's model has it.

    Args:
        gaps: chosen minus rejected state of each pair, (pairs, width).
        margins: wanted differences, (pairs,).
        smooth: probability of a wrong tick.
    """
    spread = gaps.std(dim=0) + 1e-3

    def loss(weights: torch.Tensor) -> torch.Tensor:
        wanted = (gaps / spread) @ weights[:, 0] - margins
        likely = (1.0 - smooth) * torch.sigmoid(wanted) + smooth * torch.sigmoid(-wanted)
        return -likely.clamp_min(1e-6).log().mean()

    return _fit(loss, gaps.shape[1], 1, 0.02)[:, 0] / spread


def constant_direction(hidden: torch.Tensor) -> torch.Tensor:
    """Return a vector (width,) whose product with every state (examples, width) is about 1."""
    square = hidden.T @ hidden
    ridge = 1e-3 * square.diagonal().mean() * torch.eye(len(square))
    found: torch.Tensor = torch.linalg.solve(square + ridge, hidden.sum(dim=0))
    return found


def _fit(loss: Callable[[torch.Tensor], torch.Tensor], rows: int, columns: int, penalty: float) -> torch.Tensor:
    """Return weights (rows, columns) that minimise a loss plus an L2 penalty, from zero."""
    weights = torch.zeros(rows, columns, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(weights) + penalty * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach()
