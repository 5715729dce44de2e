"""Attention over a grid of keys and values, each prompt by itself.

Knows tensors and where a pass's tokens lie in the grid. Does not know prompts or sampling. A
product over several prompts would order its sums by their number and widths; here each part of
a prompt has a product of its own, of a shape that depends on that prompt alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import AttentionInterface, AttentionMaskInterface
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
    """Texts with a common beginning among the tokens of a pass, which attend to each other alone.

    start, stop: places in the pass; mask: additive mask (tokens, tokens), or None where the tokens are one causal text;
    earlier: places in a memory of tokens that come before these, and that the mask has columns for, first.
    """

    start: int
    stop: int
    mask: torch.Tensor | None
    earlier: slice | None = None


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

    def joined(
        self, layer: int, part: TreePart, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values of a part with those of its earlier tokens in front."""
        if part.earlier is None:
            return key, value
        held_key, held_value = self._held[layer]
        return (
            torch.cat([held_key[:, :, part.earlier], key], dim=2),
            torch.cat([held_value[:, :, part.earlier], value], dim=2),
        )


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
        if memory is not None and memory.writing:
            memory.put(int(module.layer_idx), key, value)  # type: ignore[arg-type]
        return tree_sdpa(module, query, key, value, trees, scaling, memory), None
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
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    trees: Sequence[TreePart],
    scaling: float | None,
    memory: TreeMemory | None,
) -> torch.Tensor:
    """Attention within each tree by itself; differentiable. Returns (1, tokens, heads, size), zero behind the last."""
    repeats = query.shape[1] // key.shape[1]
    mixed = []
    for part in trees:
        own = slice(part.start, part.stop)
        keys, values = key[:, :, own], value[:, :, own]
        if memory is not None:
            keys, values = memory.joined(int(module.layer_idx), part, keys, values)  # type: ignore[arg-type]
        out = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, own],
            keys.repeat_interleave(repeats, dim=1),
            values.repeat_interleave(repeats, dim=1),
            attn_mask=part.mask,
            is_causal=part.mask is None,
            scale=scaling,
        )
        mixed.append(out.transpose(1, 2))
    spare = query.shape[2] - trees[-1].stop
    if spare:
        mixed.append(query.new_zeros(1, spare, query.shape[1], query.shape[3]))
    return torch.cat(mixed, dim=1)


AttentionInterface.register(ATTENTION, grid_sdpa)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
