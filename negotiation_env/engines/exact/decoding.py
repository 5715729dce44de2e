"""Batched decoding in which a row's arithmetic does not depend on the rows beside it.

A prompt is computed in blocks at places that depend on that prompt alone; each block has attention products of its
own; equal blocks are computed once and remembered; a row's keys and values lie at the same columns whoever is beside
it; each next token is drawn within its row, by the row's own seed. What is left is the matrix library, whose sums
depend on the number of rows on most hardware; ``Shapes`` (found by measuring) says between which numbers they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from negotiation_env.engines.exact.attention import BlockKey, BlockStore, Grid, GridCache, Segment
from negotiation_env.engines.exact.shapes import ROUND, Shapes

_CANDIDATES = (64, 1024)  # a nucleus is looked for among so many likeliest tokens, then among all
_ROWS = 8
"""Rows looked at together: of more, the tensors are so large that the allocator gives their memory back to the system,
and every step waits for it to be mapped anew, which made a draw take four times as long."""


def uniforms(seed: int, count: int) -> list[float]:
    """Draw count numbers in [0, 1) from seed (any integer), by the counter-based Philox generator."""
    generator = np.random.Generator(np.random.Philox(key=seed & (2**64 - 1)))
    return [float(number) for number in generator.random(count)]


def draw(
    logits: torch.Tensor,
    noise: Sequence[float],
    temperatures: Sequence[float],
    top_ps: Sequence[float],
) -> tuple[list[int], list[float]]:
    """One token a row by inverse transform sampling.

    logits: (rows, vocabulary) on any device; noise: one number in [0, 1) a row; a temperature
    of 0 takes the likeliest token; top_ps: nucleus mass in (0, 1] (Holtzman et al. 2020).
    Returns tokens and their log-probabilities at the row's temperature (1 where that is 0), without the nucleus.
    A row with logits that are not numbers gets nan.
    """
    # On the CPU whatever the model's device: CUDA's cumulative sum is not reproducible.
    held = logits.cpu()
    tokens: list[int] = []
    logprobs: list[float] = []
    for start in range(0, len(held), _ROWS):
        few = slice(start, start + _ROWS)
        drawn, found = _draw(held[few], noise[few], temperatures[few], top_ps[few])
        tokens += drawn
        logprobs += found
    return tokens, logprobs


def _draw(
    logits: torch.Tensor, noise: Sequence[float], temperatures: Sequence[float], top_ps: Sequence[float]
) -> tuple[list[int], list[float]]:
    """``draw`` for few rows on the CPU."""
    scale = torch.tensor([t if t > 0 else 1.0 for t in temperatures])[:, None]
    shaped = torch.log_softmax(logits.float() / scale, dim=-1)
    tokens = torch.zeros(len(logits), dtype=torch.long)
    whole = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] >= 1.0]
    nucleus = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] < 1.0]
    greedy = [i for i, t in enumerate(temperatures) if t <= 0]
    if greedy:
        tokens[greedy] = shaped[greedy].argmax(dim=-1)
    if whole:
        tokens[whole] = _invert(shaped[whole].exp(), [noise[i] for i in whole])
    for count in (*_CANDIDATES, logits.shape[-1]):
        if nucleus:
            probabilities, order, found = _nucleus(shaped[nucleus], [top_ps[i] for i in nucleus], count)
            places = _invert(probabilities, [noise[i] for i in nucleus])
            tokens[nucleus] = order.gather(1, places[:, None])[:, 0]
            nucleus = [i for i, done in zip(nucleus, found, strict=True) if not done]
    logprobs = shaped.gather(1, tokens[:, None])[:, 0]
    return tokens.tolist(), logprobs.tolist()


def _invert(probabilities: torch.Tensor, noise: Sequence[float]) -> torch.Tensor:
    """The index at which each row's running sum passes noise times the row's total."""
    sums = probabilities.cumsum(dim=-1, dtype=torch.float64)
    # Below the total whatever the rounding, so that no entry of probability 0 at the end is found.
    targets = torch.tensor(noise, dtype=torch.float64)[:, None] * sums[:, -1:]
    targets = torch.minimum(targets, torch.nextafter(sums[:, -1:], torch.zeros(1, dtype=torch.float64)))
    found = torch.searchsorted(sums, targets, right=True)[:, 0]
    return found.clamp(max=probabilities.shape[-1] - 1)


def _nucleus(
    log_probabilities: torch.Tensor, top_ps: Sequence[float], count: int
) -> tuple[torch.Tensor, torch.Tensor, list[bool]]:
    """Each row's fewest likeliest tokens that hold its top_p, looked for among the count likeliest.

    Returns (rows, count) probabilities, 0 outside the nucleus; token ids; and whether a row's
    nucleus is known to end among them.
    """
    count = min(count, log_probabilities.shape[-1])
    values, order = log_probabilities.topk(count)
    probabilities = values.exp()
    before = probabilities.cumsum(dim=-1) - probabilities
    outside = before >= torch.tensor(top_ps)[:, None]
    outside[:, 0] = False
    ends = outside[:, -1] if count < log_probabilities.shape[-1] else torch.ones(len(outside), dtype=torch.bool)
    return probabilities.masked_fill_(outside, 0.0), order, ends.tolist()


BLOCK = 64


@dataclass(slots=True)
class DecodedRow:
    """One reply in the making.

    prompt: token ids, at least one; prefix: how many of them, the last one excepted, other
    prompts are likely to begin with too; limit: most tokens to sample; halt: told the tokens so
    far, says whether a stop string has come; first: the tokens that the reply may begin with, empty for any;
    again: whether the same prompt is likely to come again, the last token excepted.
    """

    prompt: tuple[int, ...]
    prefix: int
    limit: int
    seed: int
    temperature: float
    top_p: float
    halt: Callable[[list[int]], bool] | None = None
    first: tuple[int, ...] = ()
    again: bool = False
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Literal["stop", "length", "fault"] | None = None

    @property
    def length(self) -> int:
        """Tokens known so far, prompt included."""
        return len(self.prompt) + len(self.tokens)


def columns_needed(prompt: int, limit: int) -> int:
    """Grid columns for a prompt and a reply of these lengths."""
    return _rounded(prompt + limit)


def _rounded(count: int) -> int:
    return -(-count // ROUND) * ROUND


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    rows: Sequence[DecodedRow],
    ends: frozenset[int],
    store: BlockStore,
    shapes: Shapes,
) -> None:
    """Fill tokens, logprobs and finish of every row.

    rows: at most shapes.decode_cap; ends: token ids that end a reply.
    """
    layers = int(model.config.get_text_config().num_hidden_layers)
    grid = Grid(layers, len(rows), max(columns_needed(len(row.prompt), row.limit) for row in rows))
    prefill(model, grid, rows, store, shapes)
    noise = {id(row): uniforms(row.seed, row.limit) for row in rows}
    live = list(rows)
    while live:
        drawn, logprobs = draw(
            _allowed(_next_logits(model, grid, live, shapes.floor), live),
            [noise[id(row)][len(row.tokens)] for row in live],
            [row.temperature for row in live],
            [row.top_p for row in live],
        )
        for row, token, logprob in zip(live, drawn, logprobs, strict=True):
            _append(row, token, logprob, ends)
        _close_ranks(grid, live)


def _allowed(logits: torch.Tensor, live: Sequence[DecodedRow]) -> torch.Tensor:
    """Logits with every token ruled out that a row may not begin with."""
    for i, row in enumerate(live):
        if row.first and not row.tokens:
            kept = logits[i, list(row.first)].clone()
            logits[i] = float("-inf")
            logits[i, list(row.first)] = kept
    return logits


def _append(row: DecodedRow, token: int, logprob: float, ends: frozenset[int]) -> None:
    if logprob != logprob:  # nan: the model's output for this row is not a number
        row.finish = "fault"
        return
    row.tokens.append(token)
    row.logprobs.append(logprob)
    if token in ends or (row.halt is not None and row.halt(row.tokens)):
        row.finish = "stop"
    elif len(row.tokens) >= row.limit:
        row.finish = "length"


def _close_ranks(grid: Grid, live: list[DecodedRow]) -> None:
    """Take finished rows out, and move the last rows of the grid into their places."""
    for place in range(len(live) - 1, -1, -1):
        if live[place].finish is not None:
            last = live.pop()
            if place < len(live):
                live[place] = last
                grid.move(len(live), place, last.length)


def _next_logits(model: PreTrainedModel, grid: Grid, live: Sequence[DecodedRow], floor: int) -> torch.Tensor:
    """Logits (live rows, vocabulary) after each row's last token."""
    device = model.device
    spare = [0] * (floor - len(live))
    last = [row.tokens[-1] if row.tokens else row.prompt[-1] for row in live]
    positions = torch.tensor([row.length - 1 for row in live] + spare, device=device)
    where = positions[: len(live)]
    width = min(_rounded(max(row.length for row in live)), grid.columns)
    hidden = torch.arange(width, device=device)[None, :] > where[:, None]
    mask = torch.zeros(hidden.shape, dtype=model.dtype, device=device)
    mask.masked_fill_(hidden, float("-inf"))
    output = model(
        input_ids=torch.tensor(last + spare, device=device)[:, None],
        attention_mask=mask[:, None, None, :],
        position_ids=positions[:, None],
        past_key_values=GridCache(grid, where, width),
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = output.logits[: len(live), -1]
    return logits


class _Block(NamedTuple):
    """A part of a prompt that is computed in one go."""

    start: int
    stop: int
    key: BlockKey
    """Equal where keys and values are equal: where the tail's blocks begin, and the tokens up to stop."""
    kept: bool
    """Whether it is worth remembering."""


def blocks(prompt: tuple[int, ...], prefix: int, again: bool = False) -> list[_Block]:
    """The blocks of a prompt without its last token: those of the prefix, then those of the tail.

    again: whether the tail's are worth remembering too.
    """
    found = []
    for begin, end in ((0, prefix), (prefix, len(prompt) - 1)):
        for start in range(begin, end, BLOCK):
            stop = min(start + BLOCK, end)
            aligned = start % BLOCK == 0
            kept = again or (aligned and (stop <= prefix or stop - start == BLOCK))
            found.append(_Block(start, stop, (0 if aligned else prefix, prompt[:stop]), kept))
    return found


def prefill(model: PreTrainedModel, grid: Grid, rows: Sequence[DecodedRow], store: BlockStore, shapes: Shapes) -> None:
    """Put keys and values of every prompt token but the last into the grid."""
    waiting = [(place, blocks(row.prompt, row.prefix, row.again)[::-1]) for place, row in enumerate(rows)]
    while waiting:
        missing: dict[_Block, list[int]] = {}
        for place, rest in waiting:
            _claim(grid, store, missing, place, rest)
        waiting = [(place, rest) for place, rest in waiting if rest]
        for pack in _packs(missing, shapes.cap):
            _fill(model, grid, [(block, missing[block][0]) for block in pack], shapes.floor)
        for block, places in missing.items():
            if block.kept or len(places) > 1:
                known = grid.read(places[0], block.start, block.stop)
                grid.write(places[1:], block.start, known)
                if block.kept:
                    store.put(block.key, known)


def _claim(grid: Grid, store: BlockStore, missing: dict[_Block, list[int]], place: int, rest: list[_Block]) -> None:
    """Take from a row's remaining blocks (next one last) those that are known or can be computed in this round.

    missing: rows by block to compute; the first of them computes it, the others are handed a copy after the round. So
    a row that waits for another's block can compute none behind it yet.
    """
    follows = False
    while rest:
        block = rest[-1]
        known = store.get(block.key) if block.kept and block not in missing else None
        if known is not None:
            grid.write([place], block.start, known)
        elif block in missing:
            missing[block].append(place)
            follows = True
        elif follows:
            return
        else:
            missing[block] = [place]
        rest.pop()


def _packs(found: Iterable[_Block], cap: int) -> list[list[_Block]]:
    """Blocks in packs of at most cap tokens; a block beyond that is a pack of its own."""
    packs: list[list[_Block]] = []
    tokens = cap
    for block in found:
        tokens += block.stop - block.start
        if tokens > cap:
            packs.append([])
            tokens = block.stop - block.start
        packs[-1].append(block)
    return packs


def _fill(model: PreTrainedModel, grid: Grid, pack: Sequence[tuple[_Block, int]], floor: int) -> None:
    """Run the model over blocks side by side, each for one row of the grid."""
    device = model.device
    tokens: list[int] = []
    positions: list[int] = []
    segments = []
    for (start, stop, (_, prompt), _), row in pack:
        columns = torch.arange(stop, device=device)
        mask = torch.zeros(stop - start, stop, dtype=model.dtype, device=device)
        mask.masked_fill_(columns[None, :] > columns[start:, None], float("-inf"))
        segments.append(Segment(len(tokens), row, start, stop, mask))
        tokens += prompt[start:]
        positions += range(start, stop)
    spare = [0] * (max(floor, _rounded(len(tokens))) - len(tokens))
    # The decoder alone: nobody reads logits here, and the vocabulary's layer is costly.
    decoder: Any = model.get_decoder()  # type: ignore[no-untyped-call]
    decoder(
        input_ids=torch.tensor([tokens + spare], device=device),
        attention_mask=torch.zeros(1, 1, 1, 1, dtype=model.dtype, device=device),  # unread: segments have their own
        position_ids=torch.tensor([positions + spare], device=device),
        past_key_values=GridCache(grid, segments, grid.columns),
        use_cache=True,
        segments=segments,
    )
