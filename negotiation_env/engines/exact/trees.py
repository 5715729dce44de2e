"""Passes of whole texts through some of a model's decoder layers: the road of scoring and of adapter training.

What several texts begin with (replies behind one prompt) is computed once. Texts lie one behind another without
padding, and each attends to itself alone, so a pass costs what its tokens cost. Works with the decoders of transformers
that are a list of layers with rotary positions (Llama, Qwen, Mistral).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from negotiation_env.engines.exact.attention import TreeMemory, TreePart

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TextTree:
    """Texts that share beginnings: each is ``prefix``, or the first of it, and then one of ``branches``; none is empty.

    ``begins``: how many tokens of the prefix come before each branch; () for all of it before each.
    """

    prefix: Ids
    branches: tuple[Ids, ...]
    begins: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Tokens of the tree, the prefix counted once."""
        return len(self.prefix) + sum(map(len, self.branches))

    def ends(self) -> tuple[int, ...]:
        """Places of the branches' last tokens in the tree."""
        ends, place = [], len(self.prefix)
        for branch in self.branches:
            place += len(branch)
            ends.append(place - 1)
        return tuple(ends)


@dataclass(frozen=True, slots=True)
class TreePass:
    """Trees laid out for one pass.

    ids, positions: (1, tokens), spare tokens at the end; starts: each tree's first place; parts: for the attention.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    starts: tuple[int, ...]
    parts: tuple[TreePart, ...]


def uppermost(layers: int, count: int) -> range:
    """Return the numbers of so many uppermost layers out of ``count``; 0, or more than there are, means all."""
    return range(count - layers if 0 < layers < count else 0, count)


def lay_out(trees: Sequence[TextTree], device: torch.device, number: torch.dtype, least: int = 1) -> TreePass:
    """Lay trees out behind one another; ``least`` tokens at least, spare ones (id 0) at the end."""
    ids: list[int] = []
    positions: list[int] = []
    starts, parts = [], []
    for given in trees:
        # A single text is one causal part, whatever of it is called its prefix.
        single = len(given.branches) == 1 and not given.begins
        tree = TextTree((), (given.prefix + given.branches[0],)) if single else given
        starts.append(len(ids))
        ids += tree.prefix
        positions += range(len(tree.prefix))
        if tree.prefix:
            parts.append(TreePart(starts[-1], len(ids)))
        for branch, before in zip(tree.branches, tree.begins or [len(tree.prefix)] * len(tree.branches), strict=True):
            mask = _mask(before, len(branch), device, number)
            earlier = slice(starts[-1], starts[-1] + before) if before else None
            parts.append(TreePart(len(ids), len(ids) + len(branch), earlier, mask))
            ids += branch
            positions += range(before, before + len(branch))
    spare = [0] * (least - len(ids))
    return TreePass(
        torch.tensor([ids + spare], device=device),
        torch.tensor([positions + spare], device=device),
        tuple(starts),
        tuple(parts),
    )


def lay_out_prefixes(trees: Sequence[TextTree], device: torch.device, number: torch.dtype) -> TreePass:
    """Lay out the trees' common beginnings alone, for a pass that fills a memory."""
    return lay_out([TextTree((), (tree.prefix,)) for tree in trees], device, number)


def lay_out_branches(trees: Sequence[TextTree], device: torch.device, number: torch.dtype) -> TreePass:
    """Lay out the trees' branches alone, for a pass with the memory that ``lay_out_prefixes``' pass filled.

    Every branch has the whole prefix before it.
    """
    ids: list[int] = []
    positions: list[int] = []
    starts, parts, held = [], [], 0
    for tree in trees:
        starts.append(len(ids))
        before = len(tree.prefix)
        for branch in tree.branches:
            mask = _mask(before, len(branch), device, number)
            parts.append(TreePart(len(ids), len(ids) + len(branch), slice(held, held + before), mask))
            ids += branch
            positions += range(before, before + len(branch))
        held += before
    places = torch.tensor([positions], device=device)
    return TreePass(torch.tensor([ids], device=device), places, tuple(starts), tuple(parts))


def _mask(before: int, own: int, device: torch.device, number: torch.dtype) -> torch.Tensor | None:
    """Return what hides later tokens from a text's own behind earlier ones, (own, before + own); None without these."""
    if not before:
        return None
    return torch.full((own, before + own), float("-inf"), dtype=number, device=device).triu_(before + 1)


def decoder_of(model: Any) -> Any:
    """Return the decoder (embedding, layers, norm) inside a transformers model, whatever its head."""
    return getattr(model, model.base_model_prefix, model)


def run_layers(
    decoder: Any, layers: Iterable[Any], hidden: torch.Tensor, laid: TreePass, memory: TreeMemory | None = None
) -> torch.Tensor:
    """Run decoder layers over hidden states (1, tokens, width); returns the same shape. ``decoder`` turns positions."""
    turned = decoder.rotary_emb(hidden, laid.positions)
    for layer in layers:
        out = layer(
            hidden,
            attention_mask=None,
            position_ids=laid.positions,
            position_embeddings=turned,
            use_cache=False,
            trees=laid.parts,
            memory=memory,
        )
        hidden = out[0] if isinstance(out, tuple) else out
    return hidden


def packs(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Group indices, in order, into passes of at most ``most`` tokens; a longer text is a pass of its own."""
    found: list[list[int]] = []
    held = most
    for i, size in enumerate(sizes):
        if held + size > most:
            found.append([])
            held = 0
        found[-1].append(i)
        held += size
    return [pack for pack in found if pack]
