"""Batched decoding in which a row's arithmetic does not depend on the rows beside it.

Knows token ids, a causal model, and sampling. Does not know chats or text. How the
independence is reached: a prompt is computed in blocks of 64 tokens at fixed places, each in
a shape that depends on that prompt alone; equal blocks are computed once and remembered;
a row's keys and values lie at the same columns whoever is beside it; noise comes from the
row's own seed. What is left is the matrix library, whose sums depend on the number of rows on
most hardware; `Shapes` (found by measuring) says between which numbers they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from negotiation_env.engines.key_values import BlockStore, Grid, GridCache
from negotiation_env.engines.sampling import draw, uniforms
from negotiation_env.engines.shapes import Shapes

BLOCK = 64
_DROP_BELOW = 0.7  # finished rows leave the grid when this share or less is still running


@dataclass(slots=True)
class Row:
    """One reply in the making.

    prompt: token ids, at least one; limit: most tokens to sample; halt: told the tokens so
    far, says whether a stop string has come.
    """

    prompt: tuple[int, ...]
    limit: int
    seed: int
    temperature: float
    top_p: float
    halt: Callable[[list[int]], bool] | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Literal["stop", "length", "fault"] | None = None

    @property
    def length(self) -> int:
        """Tokens known so far, prompt included."""
        return len(self.prompt) + len(self.tokens)


def columns_needed(prompt: int, limit: int) -> int:
    """Grid columns for a prompt and a reply of these lengths."""
    return -(-(prompt + limit) // BLOCK) * BLOCK


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    rows: Sequence[Row],
    ends: frozenset[int],
    store: BlockStore,
    shapes: Shapes,
) -> None:
    """Fill tokens, logprobs and finish of every row.

    rows: at most shapes.decode_cap; ends: token ids that end a reply.
    """
    layers = int(model.config.get_text_config().num_hidden_layers)
    columns = max(columns_needed(len(row.prompt), row.limit) for row in rows)
    grid = Grid(layers, max(len(rows), shapes.decode_floor), columns)
    prefill(model, grid, rows, store)
    noise = {id(row): uniforms(row.seed, row.limit) for row in rows}
    active = list(rows)
    places = list(rows)
    while active:
        logits = _next_logits(model, grid, places)
        index = [i for i, row in enumerate(places) if row.finish is None]
        drawn, logprobs = draw(
            logits[: len(places)] if len(index) == len(places) else logits[index],
            [noise[id(row)][len(row.tokens)] for row in active],
            [row.temperature for row in active],
            [row.top_p for row in active],
        )
        for row, token, logprob in zip(active, drawn, logprobs, strict=True):
            _append(row, token, logprob, ends)
        active = [row for row in active if row.finish is None]
        smallest = max(len(active), shapes.decode_floor)
        if active and smallest <= _DROP_BELOW * grid.rows:
            kept = [i for i, row in enumerate(places) if row.finish is None]
            spare = [i for i in range(grid.rows) if i not in set(kept)]
            grid.keep(kept + spare[: smallest - len(kept)])
            places = active


def _append(row: Row, token: int, logprob: float, ends: frozenset[int]) -> None:
    if logprob != logprob:  # nan: the model's output for this row is not a number
        row.finish = "fault"
        return
    row.tokens.append(token)
    row.logprobs.append(logprob)
    if token in ends or (row.halt is not None and row.halt(row.tokens)):
        row.finish = "stop"
    elif len(row.tokens) >= row.limit:
        row.finish = "length"


def _next_logits(model: PreTrainedModel, grid: Grid, places: Sequence[Row]) -> torch.Tensor:
    """Logits (grid rows, vocabulary) after each place's last token; spare rows hold padding."""
    device = model.device
    spare = grid.rows - len(places)
    last = [row.tokens[-1] if row.tokens else row.prompt[-1] for row in places] + [0] * spare
    # A finished row that is still in the grid computes its last step again and is not read.
    where = [min(row.length, grid.columns) - 1 for row in places] + [0] * spare
    positions = torch.tensor(where, device=device)
    width = min(-(-(max(where) + 1) // BLOCK) * BLOCK, grid.columns)
    hidden = torch.arange(width, device=device)[None, :] > positions[:, None]
    mask = torch.zeros(hidden.shape, dtype=model.dtype, device=device)
    mask.masked_fill_(hidden, float("-inf"))
    output = model(
        input_ids=torch.tensor(last, device=device)[:, None],
        attention_mask=mask[:, None, None, :],
        position_ids=positions[:, None],
        past_key_values=GridCache(grid, range(grid.rows), positions, width, fresh=1),
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def prefill(
    model: PreTrainedModel,
    grid: Grid,
    rows: Sequence[Row],
    store: BlockStore,
) -> None:
    """Put keys and values of every prompt token but the last into the grid."""
    deepest = max((len(row.prompt) - 1) // BLOCK for row in rows)
    for level in range(deepest + 1):
        start = level * BLOCK
        groups: dict[bool, dict[tuple[int, ...], list[int]]] = {}
        for place, row in enumerate(rows):
            fresh = min(len(row.prompt) - 1 - start, BLOCK)
            if fresh <= 0:
                continue
            same = groups.setdefault(fresh == BLOCK, {})
            same.setdefault(row.prompt[: start + fresh], []).append(place)
        for full, same in groups.items():
            missing: dict[tuple[int, ...], list[int]] = {}
            for key, places in same.items():
                block = store.get(key) if full else None
                if block is None:
                    missing[key] = places
                else:
                    grid.write(places, start, block)
            for key, places in missing.items():
                _fill(model, grid, key[start:], places[0], start)
            for key, places in missing.items():
                if full or len(places) > 1:
                    block = grid.read(places[0], start, start + BLOCK)
                    grid.write(places[1:], start, block)
                    if full:
                        store.put(key, block)


def _fill(model: PreTrainedModel, grid: Grid, tokens: tuple[int, ...], place: int, start: int) -> None:
    """Run the model over one block of a prompt, from column ``start`` on, for one row of the grid.

    An unfilled block is padded, so that a pass always has the same number of rows.
    """
    device = model.device
    width = start + BLOCK
    ahead = torch.arange(width, device=device)[None, :] > torch.arange(start, width, device=device)[:, None]
    mask = torch.zeros(ahead.shape, dtype=model.dtype, device=device)
    mask.masked_fill_(ahead, float("-inf"))
    # The decoder alone: nobody reads logits here, and the vocabulary's layer is costly.
    decoder: Any = model.get_decoder()  # type: ignore[no-untyped-call]
    decoder(
        input_ids=torch.tensor([[*tokens, *[0] * (BLOCK - len(tokens))]], device=device),
        attention_mask=mask[None, None],
        position_ids=torch.arange(start, width, device=device)[None],
        past_key_values=GridCache(grid, [place], start, width, fresh=BLOCK),
        use_cache=True,
    )
