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


def grid_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    segments: Sequence[Segment] = (),
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention that shares keys and values among a group's query heads.

    A pass over prompts: query (1, heads, tokens, size), key and value (grid rows, groups,
    columns, size), segments given, attention_mask unread. A pass of one token a row: query
    (rows, heads, 1, size), key and value of the first of these rows (live, groups, columns,
    size), attention_mask (live, 1, 1, columns). Returns (1, tokens, heads, size) or (rows, 1,
    heads, size), zero for padding. transformers passes further keywords to every attention
    function.
    """
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


AttentionInterface.register(ATTENTION, grid_sdpa)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
