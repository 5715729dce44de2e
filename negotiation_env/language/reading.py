"""What a reader is given and what it returns: a message in its context, and the acts that it says.

A reader turns text into dialogue acts, each with its force and its ticket. Two are shipped: ``rules``
(``rule_reader``) and ``encoder``; another is any object with a name and a ``read`` method (entry point
``negotiation_env.readers``). Reading is total: any string gives a reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from negotiation_env.game.acts import DialogueAct
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState
from negotiation_env.language import READER_VERSION
from negotiation_env.language.claims.talk import Claim

MAX_CHARS: Final = 4000
"""Characters of a message that are read; the rest is cut off."""


_REASONING: Final = re.compile(
    r"<(/?)(?:think|thinking|thought|reasoning|scratchpad|analysis|reflection)>", re.IGNORECASE
)


def spoken(text: str) -> str:
    """Return what of a model's reply is speech: reasoning between tags is cut out, an unclosed block to its end."""
    if "<" not in text:
        return text
    kept, at, depth = [], 0, 0
    for tag in _REASONING.finditer(text):
        if depth == 0:
            kept.append(text[at : tag.start()])
        if tag[1]:
            if depth == 0:
                kept.clear()  # a block whose opening tag is not part of the reply
            depth = max(0, depth - 1)
        else:
            depth += 1
        at = tag.end()
    return "".join(kept) + (text[at:] if depth == 0 else "")


class Context(NamedTuple):
    """What a message is read against, or worded for. Prices are selling prices, yuan per night."""

    speaker: Literal["agent", "manager"]
    rooms: tuple[str, ...]
    """Room type per ticket."""
    selling: tuple[float, ...]
    """Current selling price per ticket."""
    commissions: tuple[float, ...]
    quotes: tuple[float | None, ...]
    """The manager's standing committed figure per ticket, None if none."""
    bids: tuple[float | None, ...]
    """The agent's last figure per ticket, None if none."""
    open: tuple[bool, ...]
    """Tickets neither agreed nor refused."""
    net: bool
    """Whether the price type last named is net."""
    nights: tuple[int, ...] = ()
    """Length of each ticket's stay."""
    fresh: tuple[bool, ...] = ()
    """Whether the manager's last message named its figure."""
    pending: tuple[bool, ...] = ()
    """Whether the manager's last message asked the agent to confirm its figure."""
    promises: tuple[str, ...] = ()
    """Ids of the promises that the agent may make."""
    heard: str = ""
    """The other side's last message, "" if there is none."""


def context_of(card: TaskCard, game: GameState, speaker: Literal["agent", "manager"], heard: str = "") -> Context:
    """Return the context in which ``speaker`` speaks next, from one negotiation's public state (floats).

    ``heard``: the other side's last message.
    """
    tickets = card.tickets
    places = range(len(tickets))
    quoted, quote, bid = game.quoted, game.quote, game.bid
    return Context(
        speaker,
        tuple([t.room for t in tickets]),
        tuple([t.selling_price for t in tickets]),
        tuple([t.commission for t in tickets]),
        tuple([quote[k] if quoted[k] else None for k in places]),
        tuple([bid[k] if bid[k] > 0.0 else None for k in places]),
        game.open[: len(tickets)],
        bool(game.net),
        tuple([t.nights for t in tickets]),
        game.fresh[: len(tickets)],
        game.pending[: len(tickets)],
        card.promises,
        heard,
    )


class Reading(NamedTuple):
    """How a message was understood."""

    acts: tuple[DialogueAct, ...]
    words: tuple[str, ...]
    """Lower-cased words and numbers, without punctuation; one letter each for scripts without spaces."""
    confidence: float = 1.0
    """How sure the reader is of what changes the game, 0 to 1."""
    reader: str = "rules"
    claims: tuple[Claim, ...] = ()
    """What it states about the card and the talk, checked; empty where the reader checks none."""


@runtime_checkable
class Reader(Protocol):
    """Understands messages, in batches.

    Where it also has ``checks_claims`` and that is true, what a message states about the card and the talk is checked
    with it: see ``claims``.
    """

    name: str

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        """Return one reading a message, in order. Never raises on any string."""
        ...


SHIPPED: Final = frozenset({"rules", "encoder"})


def reader_label(reader: Reader) -> str:
    """Return a reader's name and version for records, such as ``"rules 2"`` or ``"rules:claims 2"``.

    A shipped reader's version is ``READER_VERSION`` unless it has a ``version`` of its own; another's is its
    ``version``, or nothing.
    """
    version = getattr(reader, "version", READER_VERSION if reader.name in SHIPPED else "")
    also = _CLAIMS if reader.name != "encoder" and getattr(reader, "checks_claims", False) else ""
    return f"{reader.name}{also} {version}".rstrip()


_CLAIMS: Final = ":claims"


def checks_claims(label: str) -> bool:
    """Return whether the reader of a ``reader_label`` checks what a message states."""
    name = label.split(" ")[0]
    return name == "encoder" or name.endswith(_CLAIMS)
