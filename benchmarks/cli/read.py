"""``negotiate read``: how one message is understood in a small situation, by which reader, how surely."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import typer
from rich.console import Console

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import MAX_TICKETS
from negotiation_env.game.lanes import FLOATS, Num, Trio
from negotiation_env.game.scenario import TaskCard, card_numbers, sample_scenario
from negotiation_env.game.state import GameState, new_game

DEFAULT_ROOM = "Deluxe King=363"
TARGET_SHARE = 0.85
"""Of the selling price; no reader is told of targets."""


def read(
    text: Annotated[str, typer.Argument(help="The message.")],
    manager: Annotated[bool, typer.Option("--manager", help="The hotel says it, not the agent.")] = False,
    reader: Annotated[str, typer.Option(help="rules, encoder, or auto, the encoder where it is installed.")] = "auto",
    room: Annotated[
        list[str] | None,
        typer.Option(help=f"NAME=PRICE: a ticket's room and selling price; up to {MAX_TICKETS}, as one is by default."),
    ] = None,
    quote: Annotated[
        list[float] | None, typer.Option(help="The hotel's standing figure, one a room in their order; 0 for none.")
    ] = None,
    bid: Annotated[
        list[float] | None, typer.Option(help="The agent's last figure, one a room in their order; 0 for none.")
    ] = None,
    heard: Annotated[str, typer.Option(help="The other side's last message.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how one message is understood. Prices are selling prices, yuan per night."""
    from negotiation_env.language.describe import describe
    from negotiation_env.language.reading import context_of, reader_label
    from negotiation_env.play.registry import reader_for

    card = card_of(room or [DEFAULT_ROOM])
    game = game_of(card, quote or [], bid or [])
    speaker: Literal["agent", "manager"] = "manager" if manager else "agent"
    ears = reader_for(None, reader)
    (reading,) = ears.read([text], [context_of(card, game, speaker, heard)])
    found = describe(reading, card)
    if as_json:
        typer.echo(json.dumps({"message": text, "speaker": speaker, **found, "reader": reader_label(ears)}))
        return
    console = Console()
    console.print(f"{speaker}: {text or '(nothing)'}", markup=False, highlight=False, soft_wrap=True)
    console.print(found["text"], style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"read by {reader_label(ears)}, confidence {found['confidence']:.2f}",
        style="dim", markup=False, highlight=False,
    )  # fmt: skip


def card_of(rooms: Sequence[str]) -> TaskCard:
    """Return an invented card with the rooms of texts ``NAME=PRICE``.

    Raises:
        UsageError: a text is no ``NAME=PRICE``, a name comes twice, or there are too many.
    """
    card = sample_scenario(0).card
    tickets = []
    for text in rooms:
        name, _, figure = (part.strip() for part in text.rpartition("="))
        if not name or not figure.isdecimal() or int(figure) < 1:
            raise UsageError(
                f"--room: expected NAME=PRICE with a price in whole yuan, got {text!r}: try {DEFAULT_ROOM!r}"
            )
        price = int(figure)
        tickets.append(
            replace(card.tickets[0], room=name, selling_price=price, target_price=max(1, round(TARGET_SHARE * price)))
        )
    return replace(card, tickets=tuple(tickets))


def game_of(card: TaskCard, quotes: Sequence[float], bids: Sequence[float]) -> GameState:
    """Return the state in which the figures stand, the hotel's as just named. Raises ``UsageError`` on too many."""
    game = new_game(FLOATS, card_numbers(card))
    for option, figures in (("--quote", quotes), ("--bid", bids)):
        if len(figures) > len(card.tickets) or any(not 0.0 <= figure < float("inf") for figure in figures):
            raise UsageError(f"{option}: expected at most one figure a room ({len(card.tickets)}), got {list(figures)}")
    places = range(MAX_TICKETS)
    standing = [*quotes, *[0.0] * (MAX_TICKETS - len(quotes))]
    said = [*bids, *[0.0] * (MAX_TICKETS - len(bids))]
    game.quote = _trio([standing[k] or game.quote[k] for k in places])
    game.quoted = game.fresh = _trio([standing[k] > 0.0 for k in places])
    game.bid = _trio(said)
    return game


def _trio(values: Sequence[Num]) -> Trio:
    first, second, third = values
    return first, second, third
