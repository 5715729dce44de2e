"""Finds batch sizes at which this machine's matrix products do not depend on the batch size.

Knows linear layers. Does not know prompts or sampling. Matrix libraries choose how to order a
sum by the number of rows, the number of threads and the processor, and document none of it, so
it is measured: a layer's product for some rows is compared, bit by bit, alone and among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

_PREFILL_GROUPS = (16, 8, 4, 2)
_GOOD_ENOUGH = 16  # replies at once from which a larger span is not worth a higher floor


@dataclass(frozen=True, slots=True)
class Shapes:
    """Batch sizes within which a row's result is the same.

    decode_floor, decode_cap: least and most rows of a one-token pass; prefill: most prompts in
    a pass over one block.
    """

    decode_floor: int = 1
    decode_cap: int = 64
    prefill: int = 1


def probe_shapes(model: torch.nn.Module, max_rows: int, lengths: tuple[int, ...]) -> Shapes:
    """Measure the shapes for a model on its device with the present number of threads.

    max_rows: most replies at once; lengths: token counts of a prompt block. Under a second
    for a model of 135 M parameters.
    """
    layers = list(_distinct_layers(model))
    with torch.inference_mode():
        floor, cap = _decode_span(layers, max_rows)
        prefill = next((g for g in _PREFILL_GROUPS if _prefill_same(layers, g, lengths)), 1)
    return Shapes(decode_floor=floor, decode_cap=cap, prefill=prefill)


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
    """The span of row counts to decode with: one that holds many rows and starts low."""
    counts = [m for m in range(1, max_rows + 1) if m <= 16 or m % 4 in (0, 1, 3)]
    same = [True] * len(counts)  # same[i]: counts[i] agrees with counts[i - 1]
    for layer in layers:
        batch = _input(layer, max_rows)
        before = torch.nn.functional.linear(batch[: counts[0]], layer.weight)
        for i in range(1, len(counts)):
            if same[i]:
                now = torch.nn.functional.linear(batch[: counts[i]], layer.weight)
                same[i] = torch.equal(before, now[: counts[i - 1]])
                before = now
            else:
                before = torch.nn.functional.linear(batch[: counts[i]], layer.weight)
    spans: list[tuple[int, int]] = []
    for i, count in enumerate(counts):
        if i and same[i]:
            spans[-1] = (spans[-1][0], count)
        else:
            spans.append((count, count))
    enough = min(_GOOD_ENOUGH, max_rows)
    # Spans rise, so the first with room enough has the lowest floor.
    return next((s for s in spans if s[1] >= enough and s[1] >= 2 * s[0]), spans[-1])


def _prefill_same(layers: list[torch.nn.Linear], group: int, lengths: tuple[int, ...]) -> bool:
    """Whether every group size up to group gives each prompt the result it has alone."""
    for layer in layers:
        # The vocabulary's layer sees one position a prompt, and prefill does not read it.
        if layer.out_features > 16 * layer.in_features:
            continue
        for length in lengths:
            one = _input(layer, length)
            alone = torch.nn.functional.linear(one, layer.weight)
            for size in range(2, group + 1):
                many = torch.nn.functional.linear(one.repeat(size, 1), layer.weight)
                if not torch.equal(many, alone.repeat(size, 1)):
                    return False
    return True
