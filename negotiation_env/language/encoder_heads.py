"""The heads of the encoder reader: what they can say of figures, tickets and messages, and how it is worked out.

NumPy alone; ``policies.training.reader`` trains the same heads in torch, ``encoder_reader`` makes acts of what they
say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from negotiation_env.game import world
from negotiation_env.game.acts import Force
from negotiation_env.language.encoder_input import SCALES, EncoderInput, Floats

ROLES: Final = ("none", "offers", "takes")
STANDS: Final = ("none", "holds", "refuses", "retracts", "asks")
FORCES: Final = (
    Force.FIRM, Force.CONDITIONAL, Force.TENTATIVE, Force.ASKED, Force.PUT_OFF, Force.NEGATED, Force.REPORTED,
    Force.PAST,
)  # fmt: skip
TACTICS: Final = ("exposure", "conversion", "competitor", "calendar", "fit", "partnership")
TOPICS: Final[tuple[tuple[str, str], ...]] = (
    ("greet", "both"), ("close", "both"), ("off_topic", "both"), ("ask:other", "both"),
    *((f"inform:{name}", "agent") for name in TACTICS), ("soothe", "agent"), ("ask:concern", "agent"),
    *((f"promise:{name}", "agent") for name in world.PROMISES), ("overpromise", "agent"), ("decline", "agent"),
    ("defer", "agent"), ("insult", "agent"), ("pressure", "agent"),
    ("ask:reason", "manager"), ("ask:forbidden", "manager"), ("upset", "manager"), ("concern", "manager"),
    ("maybe", "manager"), ("walk", "manager"), *((f"objection:{name}", "manager") for name in TACTICS),
)  # fmt: skip
"""What a message may be about, and whose messages are."""
HIDDEN: Final = 384
"""Width of the encoder."""
SHARED: Final = 0.6
"""A figure belongs to every ticket that is at least so likely as the likeliest."""


class Found(NamedTuple):
    """What the heads say about one message: probabilities."""

    roles: Floats
    """[mentions, tickets, roles]."""
    scales: Floats
    """[mentions, scales]."""
    nets: Floats
    """[mentions]."""
    takes: Floats
    """[tickets, 1 + forces]."""
    stands: Floats
    """[tickets, stands]."""
    topics: Floats
    """[topics]."""


def softmax(x: Floats) -> Floats:
    """Return probabilities over the last axis."""
    e: Floats = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def sigmoid(x: Floats) -> Floats:
    """Return probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float32)


def mlp(x: Floats, weights: Mapping[str, Floats], name: str) -> Floats:
    """Return what the head of this name makes of vectors [..., inputs]: one hidden layer with a GELU."""
    h = x @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"]
    h = 0.5 * h * (1.0 + np.tanh(0.7978845608 * (h + 0.044715 * h**3)))  # GELU, Hendrycks and Gimpel's approximation
    return np.asarray(h @ weights[f"{name}.3.weight"].T + weights[f"{name}.3.bias"], dtype=np.float32)


def run_heads(hidden: Floats, spans: TokenSpans, seen: EncoderInput, weights: Mapping[str, Floats]) -> Found:
    """Return what the heads say about one message.

    Args:
        hidden: the encoder's last layer, [tokens, HIDDEN].
        spans: where message, tickets and mentions lie in it.
        seen: the message as the encoder was given it.
        weights: of the heads "figure", "pair", "ticket" and "message".
    """

    def pool(span: tuple[int, int]) -> Floats:
        mean: Floats = hidden[span[0] : max(span[1], span[0] + 1)].mean(axis=0)
        return mean

    said, first = pool(spans.said), hidden[0]
    tickets = np.stack([pool(span) for span in spans.tickets])
    count, mentions = len(tickets), len(spans.mentions)
    roles = np.zeros((mentions, count, len(ROLES)), np.float32)
    scales, nets = np.zeros((mentions, len(SCALES)), np.float32), np.zeros(mentions, np.float32)
    best = np.zeros((count, 2), np.float32)
    if mentions:
        figures = np.stack([pool(span) for span in spans.mentions])
        here = np.broadcast_to(said, figures.shape)
        about = seen.pairs.max(axis=1)
        figure = mlp(np.concatenate([figures, here, figures * here, about], axis=1), weights, "figure")
        scales, nets = softmax(figure[:, len(ROLES) : -1]), sigmoid(figure[:, -1])
        m, t = np.repeat(figures, count, axis=0), np.tile(tickets, (mentions, 1))
        flat = seen.pairs.reshape(mentions * count, -1)
        scores = mlp(np.concatenate([m, t, m * t, flat], axis=1), weights, "pair").reshape(mentions, count)
        belongs = softmax(scores)
        role = softmax(figure[:, : len(ROLES)])
        best = (role[:, None, 1:] * belongs[..., None]).max(axis=0)
        shared = np.where(belongs >= SHARED * belongs.max(axis=1, keepdims=True), 1.0, belongs)
        roles[..., 1:] = role[:, None, 1:] * shared[..., None]
        roles[..., 0] = 1.0 - roles[..., 1:].sum(axis=-1)
    here = np.broadcast_to(said, tickets.shape)
    start = np.broadcast_to(first, tickets.shape)
    gist = np.broadcast_to(seen.gist, (count, len(seen.gist)))
    ticket = mlp(
        np.concatenate([tickets, here, tickets * here, start, seen.about, best, gist], axis=1), weights, "ticket"
    )
    topics = mlp(np.concatenate([first, said, seen.gist])[None], weights, "message")[0]
    return Found(
        roles,
        scales,
        nets,
        softmax(ticket[:, : 1 + len(FORCES)]),
        softmax(ticket[:, 1 + len(FORCES) :]),
        sigmoid(topics),
    )


class TokenSpans(NamedTuple):
    """Where things lie in the tokens: (first, after the last)."""

    said: tuple[int, int]
    tickets: tuple[tuple[int, int], ...]
    mentions: tuple[tuple[int, int], ...]


def token_spans(seen: EncoderInput, offsets: Sequence[tuple[int, int]]) -> TokenSpans:
    """Return the spans of an input in its tokens. ``offsets``: each token's characters."""

    def span(chars: tuple[int, int]) -> tuple[int, int]:
        inside = [i for i, (a, b) in enumerate(offsets) if b > a and a < chars[1] and b > chars[0]]
        return (inside[0], inside[-1] + 1) if inside else (0, 1)

    return TokenSpans(span(seen.said), tuple(map(span, seen.tickets)), tuple(map(span, seen.spans)))
