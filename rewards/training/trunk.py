"""Hidden states of the frozen layers, kept on disk: computed once, read in every epoch.

Knows trees of token ids and one array file. Does not know what the states are for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from negotiation_env.engines.trees import TextTree, packs
from rewards.training.adapter import TrainedAdapter

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
        if mark.is_file() and path.is_file() and json.loads(mark.read_text(encoding="utf-8")) == told:
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
        mark.write_text(json.dumps(told), encoding="utf-8")
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
