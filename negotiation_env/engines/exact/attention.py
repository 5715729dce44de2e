"""Attention over a grid of keys and values, each prompt by itself, and the store of shared prompt blocks.

Row i's token at position p lies at ``grid[i, :, p]``, whatever the other rows hold. A product over several prompts
would order its sums by their number and widths; here each part of a prompt has a product of its own, of a shape that
depends on that prompt alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.masking_utils import sdpa_mask

ATTENTION = "grid_sdpa"


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one prompt among the tokens of a pass.

    offset: place of the first token in the pass; row: grid row; start, stop: grid columns;
    mask: additive causal mask (tokens, stop).
    """

    offset: int
    row: int
    start: int
    stop: int
    mask: torch.Tensor

    @property
    def places(self) -> slice:
        """The tokens' places in the pass."""
        return slice(self.offset, self.offset + self.stop - self.start)


@dataclass(frozen=True, slots=True)
class TreePart:
    """Consecutive tokens of one text among the tokens of a pass, which attend to themselves and to earlier ones.

    start, stop: places in the pass; earlier: places of the tokens before these, in a memory where there is one, else in
    the pass itself, where a part begins with them; mask: additive causal mask (own tokens, earlier and own tokens),
    None where there are none earlier.
    """

    start: int
    stop: int
    earlier: slice | None = None
    mask: torch.Tensor | None = None


class TreeMemory:
    """Keys and values of the beginnings of texts, by layer, from a pass that is not differentiated.

    With ``writing`` a pass leaves its own here; without, tokens attend to what ``TreePart.earlier`` names.
    """

    def __init__(self) -> None:
        self.writing = True
        self._held: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def put(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Keep a layer's keys and values (1, groups, tokens, size)."""
        self._held[layer] = (key, value)

    def get(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what ``put`` was given."""
        return self._held[layer]


def grid_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    segments: Sequence[Segment] = (),
    trees: Sequence[TreePart] = (),
    memory: TreeMemory | None = None,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention that shares keys and values among a group's query heads.

    A pass over whole texts, without a grid: trees given, query (1, heads, tokens, size), key and value (1, groups,
    tokens, size), see tree_sdpa. A pass over prompts: query (1, heads, tokens, size), key and value (grid rows, groups,
    columns, size), segments given, attention_mask unread. A pass of one token a row: query
    (rows, heads, 1, size), key and value of the first of these rows (live, groups, columns,
    size), attention_mask (live, 1, 1, columns). Returns (1, tokens, heads, size) or (rows, 1,
    heads, size), zero for padding. transformers passes further keywords to every attention
    function.
    """
    if trees:
        held = None
        if memory is not None:
            layer = int(module.layer_idx)  # type: ignore[arg-type]
            if memory.writing:
                memory.put(layer, key, value)
            else:
                held = memory.get(layer)
        return tree_sdpa(query, key, value, trees, held, scaling), None
    attend = torch.nn.functional.scaled_dot_product_attention
    rows, heads, new, size = query.shape
    groups = key.shape[1]
    mixed = query.new_zeros(rows, new, heads, size)
    # A group's heads stand in as query positions, so that no key or value is copied.
    repeats = heads // groups
    for part in segments:
        count = part.stop - part.start
        row = slice(part.row, part.row + 1)
        own = attend(
            query[:, :, part.places].reshape(1, groups, repeats * count, size),
            key[row, :, : part.stop],
            value[row, :, : part.stop],
            attn_mask=part.mask.repeat(repeats, 1),
            scale=scaling,
        )
        mixed[:, part.places] = own.reshape(1, heads, count, size).transpose(1, 2)
    if segments:
        return mixed, None
    live = key.shape[0]
    grouped = query[:live].reshape(live, groups, repeats, size)
    mixed[:live] = attend(grouped, key, value, attn_mask=attention_mask, scale=scaling).reshape(live, 1, heads, size)
    return mixed, None


def tree_sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    trees: Sequence[TreePart],
    held: tuple[torch.Tensor, torch.Tensor] | None,
    scaling: float | None,
) -> torch.Tensor:
    """Attention of each part to itself and its earlier tokens; differentiable.

    query: (1, heads, tokens, size); key, value: (1, groups, tokens, size).
    held: keys and values that ``TreePart.earlier`` points into; None where it names another part of the pass.
    Returns (1, tokens, heads, size), zero behind the last part.
    """
    repeats = query.shape[1] // key.shape[1]
    spare = query.shape[2] - trees[-1].stop
    sizes = [part.stop - part.start for part in trees] + [spare]
    # Split and not sliced: the gradient of a slice is as large as the whole.
    queries, keys, values = (torch.split(x, sizes, dim=2) for x in (query, key, value))
    places = {part.start: i for i, part in enumerate(trees)}
    mixed = []
    for i, part in enumerate(trees):
        own = keys[i], values[i]
        if part.earlier is not None:
            if held is None:
                other, count = places[part.earlier.start], part.earlier.stop - part.earlier.start
                before = keys[other][:, :, :count], values[other][:, :, :count]
            else:
                before = held[0][:, :, part.earlier], held[1][:, :, part.earlier]
            own = torch.cat([before[0], own[0]], dim=2), torch.cat([before[1], own[1]], dim=2)
        out = torch.nn.functional.scaled_dot_product_attention(
            queries[i],
            own[0].repeat_interleave(repeats, dim=1),
            own[1].repeat_interleave(repeats, dim=1),
            attn_mask=part.mask,
            is_causal=part.mask is None,
            scale=scaling,
        )
        mixed.append(out.transpose(1, 2))
    if spare:
        mixed.append(query.new_zeros(1, spare, query.shape[1], query.shape[3]))
    return torch.cat(mixed, dim=1)


AttentionInterface.register(ATTENTION, grid_sdpa)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


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
