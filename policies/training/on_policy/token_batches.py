"""Samples as batches of tokens: texts one behind another, and what several of them begin with computed once.

A dialogue's prompts begin alike, and a group's replies have one prompt. Attention keeps the texts apart, so each token
is computed as it would be alone (see ``trees``), and its gradients are the same. Knows token ids and their places.
Does not know models, advantages or losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from negotiation_env.engines.trees import TextTree, TreePass, lay_out, packs
from policies.training.on_policy.samples import Sample

LEAST_SHARE = 0.25
"""Part of a prompt from which a beginning in common is worth it: the first words of all prompts are the same."""


class TokenBatch(NamedTuple):
    """Prompts with their replies behind them, for one pass: without padding, beginnings in common once."""

    rows: list[int]
    """Which samples these are, ascending."""
    laid: TreePass
    """The tokens of the pass."""
    before: torch.Tensor
    """(reply tokens,): places in the pass just before each reply token, which predict it; in the mask's order."""
    tokens: torch.Tensor
    """(reply tokens,): ids, in the mask's order."""
    mask: torch.Tensor
    """(replies, longest reply): True at a reply's tokens."""
    logprobs: torch.Tensor
    """(replies, longest reply), float32: as sampled; 0 at padding."""


def token_batches(
    samples: Sequence[Sample], most_tokens: int, device: torch.device, number: torch.dtype
) -> Iterator[TokenBatch]:
    """Yield samples in batches of at most ``most_tokens`` tokens, each sample once; a longer one is a batch of its own.

    Args:
        samples: at least one.
        most_tokens: of a batch; what is in common counts once.
        device: of the tensors.
        number: the model's number format.
    """
    trees = _trees(samples, most_tokens)
    for pack in packs([tree.size for tree, _ in trees], most_tokens):
        yield _token_batch(samples, [trees[i] for i in pack], device, number)


def _trees(samples: Sequence[Sample], most_tokens: int) -> list[tuple[TextTree, list[int]]]:
    """Return the samples as trees of texts that begin alike, with each branch's place in ``samples``.

    Samples are taken in the order of their prompts; one joins those before it where that saves tokens.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(samples)), key=lambda i: (samples[i].prompt, i)):
        if groups and _saves([samples[k] for k in groups[-1]], samples[i], most_tokens):
            groups[-1].append(i)
        else:
            groups.append([i])
    return [(_tree([samples[i] for i in group]), group) for group in groups]


def _tree(group: Sequence[Sample]) -> TextTree:
    """Return samples, in the order of their prompts, as one tree."""
    # In this order all have in common what the first and the last have.
    common = _in_common(group[0], group[-1]) if len(group) > 1 else 0
    return TextTree(group[0].prompt[:common], tuple((s.prompt + s.reply)[common:] for s in group))


def _saves(group: Sequence[Sample], sample: Sample, most_tokens: int) -> bool:
    """Return whether a sample is to join a group: more is then in common, counted by member, than was without it."""
    common = _in_common(group[0], sample)
    before = (len(group) - 1) * _in_common(group[0], group[-1])
    fits = _tree([*group, sample]).size <= most_tokens
    return len(group) * common > before and common >= LEAST_SHARE * len(sample.prompt) and fits


def _in_common(one: Sample, other: Sample) -> int:
    """Return how many tokens two prompts begin with in common."""
    pairs = enumerate(zip(one.prompt, other.prompt, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one.prompt), len(other.prompt)))


def _token_batch(
    samples: Sequence[Sample],
    trees: Sequence[tuple[TextTree, list[int]]],
    device: torch.device,
    number: torch.dtype,
) -> TokenBatch:
    laid = lay_out([tree for tree, _ in trees], device, number)
    before: dict[int, list[int]] = {}
    for start, (tree, members) in zip(laid.starts, trees, strict=True):
        prefix = len(tree.prefix)
        branch_start = start + prefix
        for i, branch in zip(members, tree.branches, strict=True):
            last = len(samples[i].prompt) - 1
            predicting = range(last, last + len(samples[i].reply))
            before[i] = [start + p if p < prefix else branch_start + p - prefix for p in predicting]
            branch_start += len(branch)
    rows = sorted(before)
    width = max(len(samples[i].reply) for i in rows)
    lengths = torch.tensor([len(samples[i].reply) for i in rows])
    logprobs = torch.tensor([[*samples[i].logprobs] + [0.0] * (width - len(samples[i].reply)) for i in rows])
    return TokenBatch(
        rows,
        laid,
        torch.tensor([place for i in rows for place in before[i]], device=device),
        torch.tensor([token for i in rows for token in samples[i].reply], device=device),
        (torch.arange(width)[None, :] < lengths[:, None]).to(device),
        logprobs.to(device),
    )
