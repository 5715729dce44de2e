"""Finds batch sizes at which this machine's matrix products do not depend on the batch size.

Matrix libraries choose how to order a sum by the number of rows, the number of threads and the processor, and document
none of it, so it is measured: a layer's product for some rows is compared, bit by bit, alone and among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

ROUND = 16
"""Passes over prompts have a multiple of this many tokens, so that fewer sizes need measuring."""
_MOST_TOKENS = 512
_MOST_OUTPUTS = 65_536
"""About how many results are compared for each number of rows."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Numbers of rows (tokens of a pass) between which a row's result is the same.

    floor: least rows of any pass; decode_cap: most rows of a one-token pass; cap: most tokens of
    a pass over prompts, where it has more than one part.
    """

    floor: int = 1
    decode_cap: int = 64
    cap: int = 1


def probe_shapes(model: PreTrainedModel, max_rows: int) -> Shapes:
    """Measure the shapes for a model on its device with the present number of threads.

    max_rows: most replies at once. About a second for a model of 135 M parameters.
    """
    vocabulary = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        floor, cap = 1, _MOST_TOKENS
        for layer in _distinct_layers(model):
            # Passes over prompts make no logits.
            low, high = _span(layer, max_rows, max_rows if layer is vocabulary else _MOST_TOKENS)
            floor = max(floor, low)
            cap = cap if layer is vocabulary else min(cap, high)
    return Shapes(floor, max_rows, cap)


def _distinct_layers(model: torch.nn.Module) -> Iterator[torch.nn.Linear]:
    seen: set[tuple[int, int, torch.dtype]] = set()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            key = (module.in_features, module.out_features, module.weight.dtype)
            if key not in seen:
                seen.add(key)
                yield module


def _input(layer: torch.nn.Linear, rows: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rows)
    values = torch.randn(rows, layer.in_features, generator=generator)
    return values.to(device=layer.weight.device, dtype=layer.weight.dtype)


def _span(layer: torch.nn.Linear, rows: int, most: int) -> tuple[int, int]:
    """The least and the most rows, around the given number, that give the same results.

    A few replies then cost what the least number costs, which is little more: a pass is bound by reading the weights.
    """
    counts = [m for m in range(1, rows + 1) if m <= 16 or m % 4 in (0, 1, 3) or m == rows]
    counts += range((rows // ROUND + 1) * ROUND, most + 1, ROUND)
    batch = _input(layer, counts[-1])
    low, high = counts[0], counts[0]
    before = _products(layer, batch[:rows], low)
    for count in counts[1:]:
        now = _products(layer, batch[: max(rows, count)], count)
        shared = min(len(before), len(now))
        if not torch.equal(before[:shared], now[:shared]):
            if count > rows:
                break
            low = count
        high, before = count, now
    return low, high


def _products(layer: torch.nn.Linear, batch: torch.Tensor, count: int) -> torch.Tensor:
    """The layer's products for a batch, so many rows at a time.

    The first rows alone would not do: another order of the sums changes few results once they are rounded to bfloat16,
    none in most rows of a layer of 576 outputs. Wide layers have enough of them in one product.
    """
    most = max(1, _MOST_OUTPUTS // layer.out_features)
    starts = range(0, len(batch) - count + 1, count)[:most]
    return torch.cat([torch.nn.functional.linear(batch[start : start + count], layer.weight) for start in starts])
