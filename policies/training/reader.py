"""Trains the encoder reader: MiniLM with a LoRA and heads on written dialogues and drills (``negotiate train reader``).

One optimiser step is a batch of messages of like length; the loss is the sum of cross-entropies of roles, scales, price
types, takings, stands and topics, MASKED labels aside. Base and embeddings are frozen.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import peft
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from negotiation_env.language.encoder_input import PAIR_FEATURES, TICKET_FEATURES
from negotiation_env.language.encoder_reader import (
    FORCES,
    HIDDEN,
    MOST_TOKENS,
    ROLES,
    SCALES,
    STANDS,
    TOPICS,
    TokenSpans,
    token_spans,
)
from simulators.people.reading_labels import MASKED, LabelledMessage

WIDTH = 256


class Heads(nn.Module):
    """The heads on pooled vectors; ``encoder_reader.run_heads`` is the same in NumPy."""

    def __init__(self) -> None:
        super().__init__()

        def head(wide: int, out: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(wide, WIDTH), nn.GELU(approximate="tanh"), nn.Dropout(0.1), nn.Linear(WIDTH, out)
            )

        self.pair = head(4 * HIDDEN + PAIR_FEATURES, len(ROLES) + len(SCALES) + 1)
        self.ticket = head(4 * HIDDEN + TICKET_FEATURES + len(ROLES), 1 + len(FORCES) + len(STANDS))
        self.message = head(2 * HIDDEN, len(TOPICS))


class Encoded(NamedTuple):
    item: LabelledMessage
    ids: list[int]
    spans: TokenSpans


class Batch(NamedTuple):
    """Messages padded to one length; what is pooled lies flat, with the row it belongs to."""

    ids: Tensor
    mask: Tensor
    said: Tensor
    ticket_spans: Tensor
    ticket_rows: Tensor
    mention_spans: Tensor
    mention_rows: Tensor
    pairs: Tensor
    """[pairs, 2]: mention, ticket, as places in the flat lists."""
    pair_features: Tensor
    about: Tensor
    roles: Tensor
    scales: Tensor
    nets: Tensor
    takes: Tensor
    stands: Tensor
    topics: Tensor


def encode(items: Iterable[LabelledMessage], tokenizer: Tokenizer) -> list[Encoded]:
    out = []
    for item in items:
        tokens = tokenizer.encode(item.seen.text)
        out.append(Encoded(item, tokens.ids[:MOST_TOKENS], token_spans(item.seen, tokens.offsets[:MOST_TOKENS])))
    return out


def collate(part: Sequence[Encoded]) -> Batch:
    length = max(len(e.ids) for e in part)
    ids, mask = torch.zeros(len(part), length, dtype=torch.long), torch.zeros(len(part), length)
    said, tickets, ticket_rows, mentions, mention_rows, pairs = [], [], [], [], [], []
    features, about = [], []
    for row, e in enumerate(part):
        ids[row, : len(e.ids)] = torch.tensor(e.ids)
        mask[row, : len(e.ids)] = 1
        said.append(e.spans.said)
        t0, m0 = len(tickets), len(mentions)
        tickets += e.spans.tickets
        ticket_rows += [row] * len(e.spans.tickets)
        mentions += e.spans.mentions
        mention_rows += [row] * len(e.spans.mentions)
        pairs += [(m0 + m, t0 + k) for m in range(len(e.spans.mentions)) for k in range(len(e.spans.tickets))]
        features.append(e.item.seen.pairs.reshape(-1, PAIR_FEATURES))
        about.append(e.item.seen.about)
    labels = [e.item.labels for e in part]
    flat = lambda name: torch.from_numpy(
        np.concatenate([getattr(l, name).reshape(-1) for l in labels]).astype(np.int64)
    )  # noqa: E731, E741
    long = lambda x, wide=None: (
        torch.tensor(x, dtype=torch.long).reshape(-1, wide) if wide else torch.tensor(x, dtype=torch.long)
    )  # noqa: E731
    return Batch(
        ids,
        mask,
        long(said, 2),
        long(tickets, 2),
        long(ticket_rows),
        long(mentions, 2),
        long(mention_rows),
        long(pairs, 2),
        torch.from_numpy(np.concatenate(features)),
        torch.from_numpy(np.concatenate(about)),
        flat("roles"),
        flat("scales"),
        flat("nets"),
        flat("takes"),
        flat("stands"),
        torch.from_numpy(np.stack([l.topics for l in labels])),
    )


def pool(hidden: Tensor, rows: Tensor, spans: Tensor) -> Tensor:
    """Mean of each span's vectors."""
    places = torch.arange(hidden.shape[1])[None]
    weight = ((places >= spans[:, :1]) & (places < spans[:, 1:])).float()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    return torch.bmm(weight[:, None], hidden.index_select(0, rows))[:, 0]


def forward(hidden: Tensor, heads: Heads, b: Batch) -> tuple[Tensor, Tensor, Tensor]:
    said = pool(hidden, torch.arange(len(hidden)), b.said)
    first = hidden[:, 0]
    tickets = pool(hidden, b.ticket_rows, b.ticket_spans)
    p = said.index_select(0, b.ticket_rows)
    best = torch.zeros(len(tickets), len(ROLES))
    if len(b.pairs):
        figures = pool(hidden, b.mention_rows, b.mention_spans)
        m, t = figures.index_select(0, b.pairs[:, 0]), tickets.index_select(0, b.pairs[:, 1])
        x = torch.cat([m, t, m * t, p.index_select(0, b.pairs[:, 1]), b.pair_features], 1)
        pair = heads.pair(x)
        roles = pair[:, : len(ROLES)]
        best = torch.full((len(tickets), len(ROLES)), -1e9).scatter_reduce(
            0, b.pairs[:, 1:].expand(-1, len(ROLES)), roles, "amax", include_self=True
        )
        best = torch.where(best < -1e8, torch.zeros(()), best)
    else:
        pair = torch.zeros(0, len(ROLES) + len(SCALES) + 1)
    c = first.index_select(0, b.ticket_rows)
    ticket = heads.ticket(torch.cat([tickets, p, tickets * p, c, b.about, best], 1))
    return pair, ticket, heads.message(torch.cat([first, said], 1))


def loss_of(out: tuple[Tensor, Tensor, Tensor], b: Batch) -> Tensor:
    pair, ticket, message = out
    n = len(FORCES) + 1
    known = b.topics != MASKED
    loss = 2.0 * F.binary_cross_entropy_with_logits(message[known], b.topics[known])
    loss = loss + 1.5 * F.cross_entropy(ticket[:, :n], b.takes, ignore_index=MASKED)
    loss = loss + F.cross_entropy(ticket[:, n:], b.stands, ignore_index=MASKED)
    if len(pair) and (b.roles != MASKED).any():
        loss = loss + 1.5 * F.cross_entropy(pair[:, : len(ROLES)], b.roles, ignore_index=MASKED)
        if (b.scales != MASKED).any():
            loss = loss + 0.5 * F.cross_entropy(pair[:, len(ROLES) : -1], b.scales, ignore_index=MASKED)
            on = b.nets != MASKED
            loss = loss + 0.5 * F.binary_cross_entropy_with_logits(pair[:, -1][on], b.nets[on].float())
    return loss


def batches(data: Sequence[Encoded], size: int, rng: random.Random) -> list[list[Encoded]]:
    order = list(range(len(data)))
    rng.shuffle(order)
    out = []
    for i in range(0, len(order), size * 20):
        chunk = sorted(order[i : i + size * 20], key=lambda j: len(data[j].ids))
        out += [[data[j] for j in chunk[s : s + size]] for s in range(0, len(chunk), size)]
    rng.shuffle(out)
    return out


def train(
    base: Path,
    data: Sequence[LabelledMessage],
    out: Path,
    *,
    epochs: int = 4,
    rank: int = 32,
    rate: float = 8e-4,
    size: int = 32,
    seed: int = 0,
    threads: int = 1,
    full: bool = False,
    resume: bool = False,
) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = random.Random(seed)
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoded = encode(data, tokenizer)
    model: Any = BertModel.from_pretrained(
        base,
        add_pooling_layer=False,
        attn_implementation="eager",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    if full:
        model.embeddings.requires_grad_(False)
    else:
        model = peft.get_peft_model(
            model.to(torch.bfloat16),
            peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["query", "key", "value", "dense"]),
        )
    heads = Heads()
    body = [p for p in model.parameters() if p.requires_grad]
    rates = [1.5e-4 if full else rate, 1e-3]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rates[0]}, {"params": heads.parameters(), "lr": rates[1]}], weight_decay=0.01
    )
    steps = epochs * math.ceil(len(encoded) / size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * s / steps)))
    )
    began, step = time.monotonic(), 0
    out.mkdir(parents=True, exist_ok=True)
    for epoch in range(epochs):
        model.train()
        heads.train()
        for part in batches(encoded, size, rng):
            b = collate(part)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = model(input_ids=b.ids, attention_mask=b.mask).last_hidden_state
            loss = loss_of(forward(hidden.float(), heads, b), b)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*body, *heads.parameters()], 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            if step % 50 == 0:
                print(epoch, step, steps, round(loss.item(), 3), round(time.monotonic() - began), flush=True)
        torch.save(
            {
                "model": {k: v for k, v in model.state_dict().items() if full or "lora" in k},
                "heads": heads.state_dict(),
            },
            out / f"epoch{epoch}.pt",
        )
