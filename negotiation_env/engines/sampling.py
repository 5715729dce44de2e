"""Draws next tokens for a batch, each row by its own seed.

Knows logits and seeds. Does not know models, prompts, or when a reply ends. Every operation
works within one row, so a row's token does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

_NUCLEUS_CANDIDATES = 512


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
    Returns tokens and their log-probabilities under the softmax of the plain logits
    (temperature 1, no nucleus). A row with logits that are not numbers gets nan.
    """
    # On the CPU whatever the model's device: CUDA's cumulative sum is not reproducible.
    plain = torch.log_softmax(logits.float(), dim=-1).cpu()
    tokens = torch.zeros(plain.shape[0], dtype=torch.long)
    scale = torch.tensor([t if t > 0 else 1.0 for t in temperatures])[:, None]
    shaped = plain if bool((scale == 1.0).all()) else torch.log_softmax(plain / scale, dim=-1)
    whole = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] >= 1.0]
    nucleus = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] < 1.0]
    greedy = [i for i, t in enumerate(temperatures) if t <= 0]
    if greedy:
        tokens[greedy] = plain[greedy].argmax(dim=-1)
    if whole:
        chosen = shaped if len(whole) == len(temperatures) else shaped[whole]
        tokens[whole] = _invert(chosen.exp(), [noise[i] for i in whole])
    for i in nucleus:
        values, order = _nucleus(shaped[i], top_ps[i])
        tokens[i] = order[_invert(values[None], [noise[i]])[0]]
    logprobs = plain.gather(1, tokens[:, None])[:, 0]
    return tokens.tolist(), logprobs.tolist()


def _invert(probabilities: torch.Tensor, noise: Sequence[float]) -> torch.Tensor:
    """The index at which each row's running sum passes noise times the row's total."""
    sums = probabilities.cumsum(dim=-1, dtype=torch.float64)
    targets = torch.tensor(noise, dtype=torch.float64)[:, None] * sums[:, -1:]
    found = torch.searchsorted(sums, targets, right=True)[:, 0]
    return found.clamp(max=probabilities.shape[-1] - 1)


def _nucleus(log_probabilities: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The fewest likeliest tokens that hold top_p: their probabilities and token ids."""
    size = log_probabilities.shape[-1]
    for count in (min(_NUCLEUS_CANDIDATES, size), size):
        values, order = log_probabilities.topk(count)
        probabilities = values.exp()
        before = probabilities.cumsum(dim=-1) - probabilities
        kept = max(1, int((before < top_p).sum()))
        if kept < count:
            break
    return probabilities[:kept], order[:kept]
