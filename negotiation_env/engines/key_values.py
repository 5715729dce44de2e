"""Key-value memory of a batch: a grid with one row a reply, and a store of shared prompt blocks.

Knows tensors and token ids. Does not know prompts, sampling, or tokenizers. Row i's token at
position p lies at grid[i, :, p], whatever the other rows hold: that is what keeps a row's
arithmetic the same alone and in a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class Grid:
    """Keys and values of all layers for a batch; filled layer by layer as the model runs."""

    def __init__(self, layers: int, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self.keys: list[torch.Tensor | None] = [None] * layers
        self.values: list[torch.Tensor | None] = [None] * layers

    def tensors(self, layer: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Layer's keys and values, each (rows, heads, columns, head size), zero at first."""
        keys, values = self.keys[layer], self.values[layer]
        if keys is None or values is None:
            # Zeros, not empty: a masked column has weight 0, and 0 times nan would be nan.
            shape = (self.rows, like.shape[1], self.columns, like.shape[3])
            keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
            values = torch.zeros(shape, dtype=like.dtype, device=like.device)
            self.keys[layer], self.values[layer] = keys, values
        return keys, values

    def read(self, row: int, start: int, stop: int) -> torch.Tensor:
        """A copy of one row's columns: (2, layers, heads, stop - start, head size)."""
        sides = [
            torch.stack([t[row, :, start:stop] for t in side if t is not None]) for side in (self.keys, self.values)
        ]
        return torch.stack(sides)

    def write(self, rows: Sequence[int], start: int, block: torch.Tensor) -> None:
        """Put a block made by read into the given rows, from column start."""
        for layer in range(block.shape[1]):
            like = block[0, layer][None]
            for side, tensor in enumerate(self.tensors(layer, like)):
                tensor[list(rows), :, start : start + block.shape[3]] = block[side, layer]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, in this order."""
        index = list(rows)
        self.keys = [None if t is None else t[index] for t in self.keys]
        self.values = [None if t is None else t[index] for t in self.values]
        self.rows = len(index)


class _GridLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer of a GridCache."""

    def __init__(self, owner: GridCache, layer: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owner = owner
        self.layer = layer
        self.is_initialized = True

    def lazy_initialization(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: the grid makes its tensors on first use."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values; return each row's columns up to the owner's width."""
        keys, values = self.owner.grid.tensors(self.layer, key_states)
        rows, start, width = self.owner.rows, self.owner.start, self.owner.width
        if isinstance(start, torch.Tensor):
            every = torch.arange(keys.shape[0], device=keys.device)
            keys[every, :, start] = key_states[:, :, 0]
            values[every, :, start] = value_states[:, :, 0]
            return keys[:, :, :width], values[:, :, :width]
        stop = start + key_states.shape[2]
        keys[rows, :, start:stop] = key_states
        values[rows, :, start:stop] = value_states
        return keys[rows, :, :width], values[rows, :, :width]

    def get_seq_length(self, *args: Any) -> int:
        return self.owner.width - self.owner.fresh

    def get_mask_sizes(self, *args: Any) -> tuple[int, int]:
        return self.owner.width, 0

    def get_max_length(self) -> int:
        return self.owner.grid.columns

    def get_max_cache_shape(self) -> int:
        return self.owner.grid.columns


class GridCache(Cache):
    """What a transformers model sees of a Grid during one forward pass.

    rows: the grid rows that the pass's rows stand for (all rows where start is a tensor).
    start: the first column to write: one number, or one a row for single-token passes.
    width: columns that the pass attends to; fresh: new tokens in the pass.
    """

    def __init__(
        self,
        grid: Grid,
        rows: Sequence[int],
        start: int | torch.Tensor,
        width: int,
        fresh: int,
    ) -> None:
        self.grid = grid
        self.rows = list(rows)
        self.start = start
        self.width = width
        self.fresh = fresh
        super().__init__(layers=[_GridLayer(self, i) for i in range(len(grid.keys))])


class BlockStore:
    """The most recently used prompt blocks, by the token ids up to their end.

    limit: bytes held at most. A block is a pure function of its key, so whether it is found
    or computed anew changes no reply.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._blocks: OrderedDict[tuple[int, ...], torch.Tensor] = OrderedDict()

    def get(self, key: tuple[int, ...]) -> torch.Tensor | None:
        """The block of these token ids, or None."""
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, key: tuple[int, ...], block: torch.Tensor) -> None:
        """Hold a block, dropping the least recently used ones beyond the limit."""
        size = block.numel() * block.element_size()
        if key in self._blocks or size > self.limit:
            return
        self._blocks[key] = block
        self.held += size
        while self.held > self.limit:
            _, dropped = self._blocks.popitem(last=False)
            self.held -= dropped.numel() * dropped.element_size()

    def clear(self) -> None:
        """Forget all blocks."""
        self._blocks.clear()
        self.held = 0
