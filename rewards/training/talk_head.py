"""The network of ``talk_encoder`` in torch, as the encoder reward model trains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from negotiation_env.language.encoder_heads import HIDDEN
from negotiation_env.training.encoder import AdaptedEncoder, head
from rewards.talk_encoder import TalkTokens

WIDTH: Final = 256
"""Of the head's hidden layer."""


class TalkHead(nn.Module):
    """The head on pooled vectors, of so many outputs; ``talk_encoder`` computes the same in NumPy."""

    def __init__(self, dropout: float = 0.0, outputs: int = 1) -> None:
        super().__init__()
        self.score = head(3 * HIDDEN, WIDTH, outputs, dropout)


def talk_outputs(model: AdaptedEncoder, replies: Sequence[TalkTokens]) -> Tensor:
    """Return what a model with a ``TalkHead`` says of replies, [replies, outputs]."""
    longest = max(len(reply.ids) for reply in replies)
    ids, mask = torch.zeros(len(replies), longest, dtype=torch.long), torch.zeros(len(replies), longest)
    said = torch.zeros(len(replies), longest)
    for row, reply in enumerate(replies):
        ids[row, : len(reply.ids)] = torch.tensor(reply.ids)
        mask[row, : len(reply.ids)] = 1.0
        said[row, reply.said : len(reply.ids)] = 1.0
    hidden, talk = model.hidden(ids, mask.long()), mask - said
    mean_said, mean_talk = ((hidden * w[..., None]).sum(1) / w.sum(1, keepdim=True) for w in (said, talk))
    heads: Any = model.heads
    found: Tensor = heads.score(torch.cat([hidden[:, 0], mean_said, mean_said * mean_talk], 1))
    return found
