"""Hidden states of a base's frozen layers: kept on disk, and read by a linear reader before an adapter is trained.

States are computed once and read in every epoch. The reader has no constant term, as a score layer has none.
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
PENALTY = 0.02
"""L2 penalty on the weights of standardised states."""


def preference_reader(gaps: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
    """Return a row (width,) whose products with states differ as Bradley and Terry's model has it.

    Args:
        gaps: chosen minus rejected state of each pair, (pairs, width).
        sure: the annotator's certainty of each pair, (pairs,).
    """
    spread = gaps.std(dim=0) + 1e-3
    weights = torch.zeros(gaps.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits((gaps / spread) @ weights, sure)
        value = value + PENALTY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach() / spread
