"""Finds batch sizes at which this machine's matrix products do not depend on the batch size.

Knows linear layers. Does not know prompts or sampling. Matrix libraries choose how to order a
sum by the number of rows, the number of threads and the processor, and document none of it, so
it is measured: a layer's product for some rows is compared, bit by bit, alone and among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Shapes:
    """Batch sizes within which a row's result is the same.

    decode_floor, decode_cap: least and most rows of a one-token pass. (A prompt's block has a pass of its own: no
    group of blocks was found that leaves each of them unchanged.)
    """

    decode_floor: int = 1
    decode_cap: int = 64


def probe_shapes(model: torch.nn.Module, max_rows: int) -> Shapes:
    """Measure the shapes for a model on its device with the present number of threads.

    max_rows: most replies at once. Under a second for a model of 135 M parameters.
    """
    with torch.inference_mode():
        floor, cap = _decode_span(list(_distinct_layers(model)), max_rows)
    return Shapes(decode_floor=floor, decode_cap=cap)


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


def _decode_span(layers: list[torch.nn.Linear], max_rows: int) -> tuple[int, int]:
    """The span of row counts to decode with: the one that reaches highest, as low as it goes.

    A few replies then cost what its least count costs, which is little more: a pass is bound by reading the weights.
    """
    counts = [m for m in range(1, max_rows + 1) if m <= 16 or m % 4 in (0, 1, 3)]
    same = [True] * len(counts)  # same[i]: counts[i] agrees with counts[i - 1]
    for layer in layers:
        batch = _input(layer, max_rows)
        before = torch.nn.functional.linear(batch[: counts[0]], layer.weight)
        for i in range(1, len(counts)):
            now = torch.nn.functional.linear(batch[: counts[i]], layer.weight)
            same[i] = same[i] and torch.equal(before, now[: counts[i - 1]])
            before = now
    low = len(counts) - 1
    while low and same[low]:
        low -= 1
    return counts[low], counts[-1]
