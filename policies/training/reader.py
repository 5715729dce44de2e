"""Trains the encoder reader, MiniLM with a LoRA and heads, on written dialogues and drills: ``negotiate train reader``.

A step is a batch of messages of like length; the loss is the sum of the cross-entropies of figures' roles, scales and
price types, of takings, stands and topics, masked labels aside (``negotiation_env.training.encoder`` has the steps).
``encoder.safetensors`` and ``encoder.json`` are what ``encoder_build`` reads. In the end the thresholds are chosen on
the validation authors (``reader_thresholds``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from negotiation_env.files import read_json, write_json, write_text
from negotiation_env.game.acts import MAX_TICKETS
from negotiation_env.language.encoder_build import SETTINGS
from negotiation_env.language.encoder_heads import FORCES, HIDDEN, ROLES, STANDS, TOPICS, TokenSpans, token_spans
from negotiation_env.language.encoder_input import MESSAGE_FEATURES, PAIR_FEATURES, SCALES, TICKET_FEATURES
from negotiation_env.language.encoder_reader import MOST_TOKENS, Thresholds, load_encoder
from negotiation_env.training.encoder import AdaptedEncoder, EncoderPreset, encoder_tokenizer, head, publish, run
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import CARD, RunFolder, model_card, provenance
from policies.training.reader_thresholds import choose_thresholds
from policies.training.settings import PRESETS
from simulators.people.reading_labels import MASKED, Ints, LabelledMessage, labelled_drills, labelled_messages
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_messages import written_messages

WIDTH: Final = 256
"""Of the heads' hidden layer."""
RARE: Final = [
    i for i, (name, _) in enumerate(TOPICS) if name in ("overpromise", "walk", "insult", "upset", "maybe", "pressure")
]
"""Topics whose few examples count four times."""
DECISIVE: Final = [i for i, (name, _) in enumerate(TOPICS) if name in ("close", "walk", "overpromise")]
"""Topics that change the game: they count three times."""


class ReaderPreset(EncoderPreset):
    """Settings of a run; ``batch_size`` counts messages."""

    drill_repeats: Annotated[int, Field(ge=0)]
    """How often the drills stand in the data."""
    most_messages: int | None = None
    """Cuts the data short, for tests."""


class Heads(nn.Module):
    """The heads on pooled vectors; ``encoder_heads.run_heads`` is the same in NumPy."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        on_ticket = 4 * HIDDEN + TICKET_FEATURES + 2 + MESSAGE_FEATURES
        self.figure = head(3 * HIDDEN + PAIR_FEATURES, WIDTH, len(ROLES) + len(SCALES) + 1, dropout)
        self.pair = head(3 * HIDDEN + PAIR_FEATURES, WIDTH, 1, dropout)
        self.ticket = head(on_ticket, WIDTH, 1 + len(FORCES) + len(STANDS), dropout)
        self.message = head(2 * HIDDEN + MESSAGE_FEATURES, WIDTH, len(TOPICS), dropout)


class Encoded(NamedTuple):
    """A message in tokens."""

    item: LabelledMessage
    ids: list[int]
    spans: TokenSpans


class Batch(NamedTuple):
    """Messages padded to one length; what is pooled lies flat, with the row that it belongs to.

    Attributes:
        ids, mask: [messages, tokens]; the mask is 1 at tokens and 0 at padding.
        said: [messages, 2]: the first token of the message itself, and the one behind its last.
        ticket_spans, mention_spans: [tickets, 2] and [figures, 2], the same of each ticket's and figure's words.
        ticket_rows, mention_rows: [tickets] and [figures]: the message that they stand in.
        pair_features: [pairs, PAIR_FEATURES].
        about: [tickets, TICKET_FEATURES].
        scales, nets: [figures], labels; MASKED where there is none.
        takes, stands: [tickets], the same.
        topics: [messages, TOPICS], 0 or 1; MASKED where nobody has said.
    """

    ids: Tensor
    mask: Tensor
    said: Tensor
    ticket_spans: Tensor
    ticket_rows: Tensor
    mention_spans: Tensor
    mention_rows: Tensor
    pairs: Tensor
    """[pairs, 2]: mention and ticket, as places in the flat lists."""
    place: Tensor
    """[pairs]: the ticket's place in its message."""
    pair_features: Tensor
    about: Tensor
    gist: Tensor
    """[messages, MESSAGE_FEATURES]."""
    roles: Tensor
    """[figures], like scales and nets."""
    scales: Tensor
    nets: Tensor
    owners: Tensor
    """[figures, tickets]: 1 where a figure with a role belongs."""
    takes: Tensor
    stands: Tensor
    topics: Tensor


def encode(items: Iterable[LabelledMessage], tokenizer: Any) -> list[Encoded]:
    """Return messages in tokens, cut to ``MOST_TOKENS``."""
    encoded = []
    for item in items:
        tokens = tokenizer.encode(item.seen.text)
        spans = token_spans(item.seen, tokens.offsets[:MOST_TOKENS])
        encoded.append(Encoded(item, tokens.ids[:MOST_TOKENS], spans))
    return encoded


def collate(part: Sequence[Encoded]) -> Batch:
    """Return messages as one batch."""
    length = max(len(e.ids) for e in part)
    ids, mask = torch.zeros(len(part), length, dtype=torch.long), torch.zeros(len(part), length)
    tickets: list[tuple[int, int]] = []
    mentions: list[tuple[int, int]] = []
    ticket_rows: list[int] = []
    mention_rows: list[int] = []
    pairs: list[tuple[int, int]] = []
    places: list[int] = []
    for row, e in enumerate(part):
        ids[row, : len(e.ids)] = torch.tensor(e.ids)
        mask[row, : len(e.ids)] = 1
        first_ticket, first_mention = len(tickets), len(mentions)
        tickets += e.spans.tickets
        mentions += e.spans.mentions
        ticket_rows += [row] * len(e.spans.tickets)
        mention_rows += [row] * len(e.spans.mentions)
        pairs += [
            (first_mention + m, first_ticket + k)
            for m in range(len(e.spans.mentions))
            for k in range(len(e.spans.tickets))
        ]
        places += list(range(len(e.spans.tickets))) * len(e.spans.mentions)
    seen, labels = [e.item.seen for e in part], [e.item.labels for e in part]
    roles = torch.from_numpy(np.concatenate([_roles_of_figures(label.roles) for label in labels]))
    scales, nets = (
        torch.from_numpy(np.concatenate([_greatest(getattr(label, name)) for label in labels]))
        for name in ("scales", "nets")
    )
    takes, stands = (
        torch.from_numpy(np.concatenate([getattr(label, name) for label in labels])) for name in ("takes", "stands")
    )
    owners = torch.zeros(len(mentions), MAX_TICKETS)
    flat = np.concatenate([label.roles.reshape(-1) for label in labels])
    for (mention, _), place, role in zip(pairs, places, flat, strict=True):
        owners[mention, place] = float(role > 0)
    return Batch(
        ids,
        mask,
        _long([e.spans.said for e in part]).reshape(-1, 2),
        _long(tickets).reshape(-1, 2),
        _long(ticket_rows),
        _long(mentions).reshape(-1, 2),
        _long(mention_rows),
        _long(pairs).reshape(-1, 2),
        _long(places),
        torch.from_numpy(np.concatenate([s.pairs.reshape(-1, PAIR_FEATURES) for s in seen])),
        torch.from_numpy(np.concatenate([s.about for s in seen])),
        torch.from_numpy(np.stack([s.gist for s in seen])),
        roles,
        scales,
        nets,
        owners,
        takes,
        stands,
        torch.from_numpy(np.stack([label.topics for label in labels])),
    )


def _roles_of_figures(labels: Ints) -> Ints:
    """Return one role a figure out of [figures, tickets]: MASKED where it has none but might have."""
    best = _greatest(labels)
    return np.where((best == 0) & (labels == MASKED).any(axis=1), MASKED, best)


def _greatest(labels: Ints) -> Ints:
    """Return one label a figure out of [figures, tickets]; MASKED where all are."""
    if labels.size == 0:
        return np.zeros(0, np.int64)
    best: Ints = labels.max(axis=1)
    return best


def _long(values: Sequence[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.long)


def pool(hidden: Tensor, rows: Tensor, spans: Tensor) -> Tensor:
    """Return the mean of each span's vectors, [spans, width]."""
    places = torch.arange(hidden.shape[1])[None]
    weight = ((places >= spans[:, :1]) & (places < spans[:, 1:])).float()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    return torch.bmm(weight[:, None], hidden.index_select(0, rows))[:, 0]


class Logits(NamedTuple):
    """What the heads say: of figures, of (figure, ticket) pairs, of tickets, of messages."""

    figure: Tensor
    """[figures, ROLES + SCALES + 1]."""
    belongs: Tensor
    """[figures, tickets], -1e9 at places of tickets that the message does not have."""
    ticket: Tensor
    """[tickets, 1 + FORCES + STANDS]."""
    message: Tensor
    """[messages, TOPICS]."""


def forward(hidden: Tensor, heads: Heads, batch: Batch) -> Logits:
    """Return the heads' logits; ``hidden``: the encoder's last layer, [messages, tokens, HIDDEN]."""
    said = pool(hidden, torch.arange(len(hidden)), batch.said)
    first = hidden[:, 0]
    tickets = pool(hidden, batch.ticket_rows, batch.ticket_spans)
    best = torch.zeros(len(tickets), 2)
    figure, belongs = torch.zeros(0, len(ROLES) + len(SCALES) + 1), torch.zeros(0, MAX_TICKETS)
    if len(batch.pairs):
        mention, ticket = batch.pairs[:, 0], batch.pairs[:, 1]
        figures = pool(hidden, batch.mention_rows, batch.mention_spans)
        here = said.index_select(0, batch.mention_rows)
        places = mention[:, None].expand(-1, PAIR_FEATURES)
        about = torch.full((len(figures), PAIR_FEATURES), -1e9).scatter_reduce(0, places, batch.pair_features, "amax")
        figure = heads.figure(torch.cat([figures, here, figures * here, about], 1))
        m, t = figures.index_select(0, mention), tickets.index_select(0, ticket)
        scores = heads.pair(torch.cat([m, t, m * t, batch.pair_features], 1))[:, 0]
        belongs = torch.full((len(figures), MAX_TICKETS), -1e9).index_put((mention, batch.place), scores)
        role = figure[:, : len(ROLES)].softmax(1)[:, 1:].index_select(0, mention)
        likely = role * belongs.softmax(1)[mention, batch.place][:, None]
        best = best.scatter_reduce(0, ticket[:, None].expand(-1, 2), likely, "amax")
    here = said.index_select(0, batch.ticket_rows)
    start = first.index_select(0, batch.ticket_rows)
    gist = batch.gist.index_select(0, batch.ticket_rows)
    about_ticket = heads.ticket(torch.cat([tickets, here, tickets * here, start, batch.about, best, gist], 1))
    return Logits(figure, belongs, about_ticket, heads.message(torch.cat([first, said, batch.gist], 1)))


def loss_of(out: Logits, batch: Batch) -> Tensor:
    """Return the weighted sum of all heads' cross-entropies in nats, each a mean over its labels; a scalar."""
    known, takes = batch.topics != MASKED, 1 + len(FORCES)
    weight = torch.ones_like(out.message)
    weight[:, RARE] += 3.0 * batch.topics[:, RARE].clamp(min=0)
    weight[:, DECISIVE] *= 3.0
    loss = 2.0 * fn.binary_cross_entropy_with_logits(out.message[known], batch.topics[known], weight[known])
    if (batch.takes != MASKED).any():
        loss = loss + 1.5 * fn.cross_entropy(out.ticket[:, :takes], batch.takes, ignore_index=MASKED)
    loss = loss + fn.cross_entropy(out.ticket[:, takes:], batch.stands, ignore_index=MASKED)
    if (batch.roles != MASKED).any():
        loss = loss + 1.5 * fn.cross_entropy(out.figure[:, : len(ROLES)], batch.roles, ignore_index=MASKED)
    if (batch.scales != MASKED).any():
        loss = loss + 0.5 * fn.cross_entropy(out.figure[:, len(ROLES) : -1], batch.scales, ignore_index=MASKED)
        on = batch.nets != MASKED
        loss = loss + fn.binary_cross_entropy_with_logits(out.figure[:, -1][on], batch.nets[on].float())
    owned = batch.owners.sum(1) > 0
    if owned.any():
        wanted = batch.owners[owned] / batch.owners[owned].sum(1, keepdim=True)
        loss = loss + 1.5 * fn.cross_entropy(out.belongs[owned], wanted)
    return loss


def training_data(settings: ReaderPreset) -> list[LabelledMessage]:
    """Return the training authors' messages and the drills."""
    if settings.most_messages is None:
        drills = list(labelled_drills())
        return [*labelled_messages(written_dialogues("train")), *drills * settings.drill_repeats]
    few = list(islice(labelled_messages(written_dialogues("train")), settings.most_messages))
    return [*few, *list(islice(labelled_drills(), settings.most_messages)) * settings.drill_repeats]


def read_settings(preset: Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> ReaderPreset:
    """Return the settings of a run; raises ``DataFileError`` or ``UsageError`` where they are wrong."""
    return read_preset(ReaderPreset, preset, PRESETS / "reader", overrides)


def _loss(model: AdaptedEncoder, part: Sequence[Encoded]) -> Tensor:
    """Return the loss of a batch."""
    batch = collate(part)
    heads: Any = model.heads
    return loss_of(forward(model.hidden(batch.ids, batch.mask), heads, batch), batch)


def train(
    settings: ReaderPreset,
    out: Path,
    resume: bool = False,
    command: str = "",
    on_step: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train and return the run's folder, which holds ``encoder.safetensors`` and ``encoder.json``.

    Args:
        settings: see ``read_settings``.
        out: the run's folder.
        resume: go on after the last whole epoch in ``out``, if there is one.
        command: what the user typed, for the model card.
        on_step: told step, steps and loss.

    Raises:
        UsageError: the folder does not fit, or the base is not installed.
        TrainingStoppedError: the loss is no number.
    """
    torch.set_num_threads(settings.torch_threads)
    folder = RunFolder(out, unit="epoch")
    checkpoint = folder.claim({"method": "reader", **settings.model_dump(mode="json")}, resume)
    data = encode(training_data(settings), encoder_tokenizer())
    model, reached = run(Heads, settings, data, lambda e: len(e.ids), _loss, folder, checkpoint, on_step)
    publish(model, settings, out, Thresholds()._asdict())
    cost = _settle(settings, out)
    figures = {
        "training messages": len(data),
        **reached,
        "trained parameters": sum(t.numel() for t in model.tensors().values()),
        "cost of the thresholds on the validation authors": round(cost, 4),
    }
    write_text(out / CARD, _card(settings, command, figures))
    return out


def _settle(settings: ReaderPreset, out: Path) -> float:
    """Choose the thresholds on the validation authors' messages and write them beside the weights."""
    messages = chain.from_iterable(map(written_messages, written_dialogues("validation")))
    chosen, cost = choose_thresholds(load_encoder(str(out)), list(islice(messages, settings.most_messages)))
    told = read_json(out / SETTINGS, dict[str, Any])
    write_json(out / SETTINGS, {**told, "thresholds": chosen._asdict()}, indent=1)
    return cost


def _card(settings: ReaderPreset, command: str, figures: Mapping[str, Any]) -> str:
    return model_card(
        "Encoder reader",
        [
            "A LoRA on MiniLM-L6 (all-MiniLM-L6-v2) with heads that tell what a message in a hotel-rate negotiation "
            "does: which figures are offered or taken for which ticket, how firmly, and what else is said.",
            "Trained on dialogues and drills that AI authors wrote for this project, in English and Chinese.",
        ],
        use='`gym.make("HotelNegotiation-v0", reader="encoder")`',
        made=[command],
        settings=settings.model_dump(mode="json"),
        figures=figures,
        versions=provenance(("torch", "transformers", "peft")),
    )


__all__ = ["ReaderPreset", "read_settings", "train"]
