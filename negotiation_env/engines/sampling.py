"""Draws next tokens for a batch, each row by its own seed.

Knows logits and seeds. Does not know models, prompts, or when a reply ends. Every operation
works within one row, so a row's token does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

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
