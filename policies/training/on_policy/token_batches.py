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
    """Return the samples as trees of texts with a beginning in common, with each branch's place in ``samples``.

    A sample joins those before it, in the order of their prompts, where this saves tokens: where all of them then share
    more tokens, counted with repetition, than they did without it.
    """
    trees: list[tuple[TextTree, list[int]]] = []
    members: list[int] = []
    shared: tuple[int, ...] = ()

    def close() -> None:
        texts = [samples[i].prompt + samples[i].reply for i in members]
        prefix = shared if len(members) > 1 else ()
        trees.append((TextTree(prefix, tuple(text[len(prefix) :] for text in texts)), list(members)))

    for i in sorted(range(len(samples)), key=lambda i: (samples[i].prompt, i)):
        prompt = samples[i].prompt
        both = _in_common(shared, prompt)
        branches = sum(len(samples[k].prompt) + len(samples[k].reply) - both for k in (*members, i))
        saves = len(members) * both > (len(members) - 1) * len(shared) and both >= LEAST_SHARE * len(prompt)
        if members and saves and both + branches <= most_tokens:
            members.append(i)
            shared = prompt[:both]
            continue
        if members:
            close()
        members, shared = [i], prompt
    close()
    return trees


def _in_common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Return how many tokens two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


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
            texts = range(last, last + len(samples[i].reply))
            before[i] = [start + p if p < prefix else branch_start + p - prefix for p in texts]
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
