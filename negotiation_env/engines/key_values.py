"""Key-value memory of a batch: a grid with one row a reply, and a store of shared prompt blocks.

Knows tensors and token ids. Does not know prompts, sampling, or tokenizers. Row i's token at
position p lies at grid[i, :, p], whatever the other rows hold: that is what keeps a row's
arithmetic the same alone and in a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from negotiation_env.engines.attention import Segment

BlockKey = tuple[int, tuple[int, ...]]


class Grid:
    """Keys and values of all layers for a batch; filled layer by layer as the model runs."""

    def __init__(self, layers: int, rows: int, columns: int) -> None:
        self.layers = layers
        self.rows = rows
        self.columns = columns
        self._cells: torch.Tensor | None = None

    def cells(self, like: torch.Tensor) -> torch.Tensor:
        """All of it: (2, layers, rows, heads, columns, head size), zero at first.

        like: a tensor (..., heads, tokens, head size) that tells the sizes not yet known.
        """
        if self._cells is None:
            # Zeros, not empty: a masked column has weight 0, and 0 times nan would be nan.
            shape = (2, self.layers, self.rows, like.shape[-3], self.columns, like.shape[-1])
            self._cells = torch.zeros(shape, dtype=like.dtype, device=like.device)
        return self._cells

    def read(self, row: int, start: int, stop: int) -> torch.Tensor:
        """A copy of one row's columns: (2, layers, heads, stop - start, head size)."""
        if self._cells is None:
            raise ValueError("expected a grid that holds something, got an empty one; write to it first")
        return self._cells[:, :, row, :, start:stop].clone()

    def write(self, rows: Iterable[int], start: int, block: torch.Tensor) -> None:
        """Put a block made by read into the given rows, from column start."""
        cells = self.cells(block)
        for row in rows:
            cells[:, :, row, :, start : start + block.shape[3]] = block

    def move(self, source: int, target: int, stop: int) -> None:
        """Copy a row's columns up to stop over another row's."""
        if self._cells is not None:
            self._cells[:, :, target, :, :stop] = self._cells[:, :, source, :, :stop]


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
        """Write new keys and values; return what the attention function reads."""
        keys, values = self.owner.grid.cells(key_states)[:, self.layer]
        where, width = self.owner.where, self.owner.width
        if isinstance(where, torch.Tensor):
            live = self.owner.live
            keys[live, :, where] = key_states[: len(live), :, 0]
            values[live, :, where] = value_states[: len(live), :, 0]
            return keys[: len(live), :, :width], values[: len(live), :, :width]
        for part in where:
            keys[part.row, :, part.start : part.stop] = key_states[0, :, part.places]
            values[part.row, :, part.start : part.stop] = value_states[0, :, part.places]
        return keys, values

    def get_seq_length(self, *args: Any) -> int:
        return 0

    def get_mask_sizes(self, *args: Any) -> tuple[int, int]:
        return self.owner.width, 0

    def get_max_length(self) -> int:
        return self.owner.grid.columns

    def get_max_cache_shape(self) -> int:
        return self.owner.grid.columns


class GridCache(Cache):
    """What a transformers model sees of a Grid during one forward pass.

    where: the segments of a pass over prompts; or, in a pass of one token a row, the columns of
    the first rows' tokens, one a grid row (further rows of the pass are padding).
    width: columns that a pass of one token a row attends to.
    """

    def __init__(self, grid: Grid, where: Sequence[Segment] | torch.Tensor, width: int) -> None:
        self.grid = grid
        self.where = where
        self.live = torch.arange(len(where), device=where.device if isinstance(where, torch.Tensor) else None)
        self.width = width
        super().__init__(layers=[_GridLayer(self, i) for i in range(grid.layers)])


class BlockStore:
    """The most recently used prompt blocks, by where their prompt is divided and the token ids up to their end.

    limit: bytes held at most. A block is a pure function of its key, so whether it is found
    or computed anew changes no reply.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._blocks: OrderedDict[BlockKey, torch.Tensor] = OrderedDict()

    def get(self, key: BlockKey) -> torch.Tensor | None:
        """The block of these token ids, or None."""
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, key: BlockKey, block: torch.Tensor) -> None:
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
