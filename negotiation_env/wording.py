"""From dialogue acts to text: one phrase of a phrase book per act, drawn from the episode's seed.

What is worded reads back as the same acts (``understanding``), whatever phrase is drawn. The rooms are named wherever
a scenario has several; the price type is said wherever it is not the one last spoken of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from negotiation_env import world
from negotiation_env.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.errors import UsageError
from negotiation_env.lanes import FLOATS
from negotiation_env.phrase_book import Phrase, PhraseBook, load_phrase_book
from negotiation_env.scenario import TaskCard, Ticket
from negotiation_env.understanding import Context

__all__ = ["PhraseBook", "agent_phrase_book", "load_phrase_book", "word"]

AGENT_BOOK_PATH: Final = Path(__file__).with_name("phrases") / "agent.toml"
_AGENT_CHANNEL, _MANAGER_CHANNEL = 900, 950
"""Draw channels of the wording, apart from those of decisions."""
_DRAW_SIZE: Final = 1 << 53
_DRAW_SPENT: Final = 1 << 12
"""Below this little chance is left in a draw, and the next one is made."""
_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December")  # fmt: skip
_PRICE_FORMATS: Final = ("¥%s", "%s yuan", "RMB %s", "¥%s", "CNY %s", "%s RMB")
_INFORM: Final = tuple(f"inform.{t.name.lower()}" for t in Tactic)
_OBJECTION: Final = tuple(f"objection.{t.name.lower()}" for t in Tactic)
_PROMISES: Final = {**world.PROMISES, **world.FORBIDDEN_PROMISES}
# Lists by position in ``Act``: members of an Enum are hashed in Python, which is slow.
_PLAIN: Final = [{Act.GREET: "greet", Act.SOOTHE: "soothe", Act.OFF_TOPIC: "off_topic"}.get(kind) for kind in Act]
_PRICED_NAMES: Final = {
    Act.PROPOSE: "propose",
    Act.COUNTER: "counter",
    Act.ACCEPT: "accept",
    Act.CONFIRM: "confirm",
    Act.REJECT: "hold",
}
_SELLING: Final = [f"{_PRICED_NAMES.get(kind)}.{PriceType.SELLING.value}" for kind in Act]
_NET: Final = [f"{_PRICED_NAMES.get(kind)}.{PriceType.NET.value}" for kind in Act]


@cache
def agent_phrase_book() -> PhraseBook:
    """Return the agent's phrase book, read once."""
    return load_phrase_book(AGENT_BOOK_PATH)


class _Chances:
    """Choices drawn from (seed, turn): a draw is used up digit by digit, then the next channel is drawn."""

    __slots__ = ("channel", "left", "seed", "turn")

    def __init__(self, seed: int, turn: int, channel: int) -> None:
        self.seed, self.turn, self.channel = seed, turn, channel
        self.left = 0

    def pick(self, size: int) -> int:
        """Return a position below ``size``."""
        if self.left < _DRAW_SPENT:
            self.left = int(FLOATS.draw(self.seed, self.turn, self.channel) * _DRAW_SIZE)
            self.channel += 1
        self.left, position = divmod(self.left, size)
        return position


def word(
    acts: Sequence[DialogueAct],
    card: TaskCard,
    context: Context,
    book: PhraseBook,
    seed: int,
    turn: int,
    tone: str | None = None,
) -> str:
    """Return acts as text; ``""`` for silence.

    Args:
        acts: what to say, in order.
        card: the scenario's public side; names and facts come from it.
        context: whose message it is and where the talks stand.
        book: the phrases to choose from.
        seed: the episode's seed; with ``turn`` it decides every choice.
        turn: number of the exchange.
        tone: a tone of the book whose phrases come first, None for none.

    Raises:
        UsageError: the book has no phrase for an act, or a figure that the act needs is missing.
    """
    manager = context.speaker == "manager"
    chances = _Chances(seed, turn, _MANAGER_CHANNEL if manager else _AGENT_CHANNEL)
    several, net = len(card.tickets) > 1, context.net
    said: list[str] = []
    for act in acts:
        kind = act.kind
        if kind is Act.SILENCE:
            continue
        values: dict[str, str] = {}
        ticket = card.tickets[act.ticket or 0]
        price = act.price
        typed = False
        if price is not None:
            speaks_net = net if act.price_type is None else act.price_type is PriceType.NET
            typed = speaks_net or net
            key = (_NET if speaks_net else _SELLING)[Act.COUNTER if manager and kind is Act.PROPOSE else kind]
            net = speaks_net
        elif kind is Act.INFORM:
            key = _inform_key(act, card, values, chances)
        else:
            key = _PLAIN[kind] or _other_key(act, manager, values)
        found = book.lookup(key, tone)
        phrases = found.typed if typed else found.all
        phrase = phrases[chances.pick(len(phrases))]
        if price is not None:
            values["price"] = _say_price(price, chances)
            if typed and not phrase.typed:
                values["price"] += " net" if net else " (selling price)"
        names_room = act.ticket is not None and (several or chances.pick(3) == 0)
        said.append(_fill(phrase, names_room, values, ticket, card))
    return " ".join(said)


def _fill(phrase: Phrase, names_room: bool, values: dict[str, str], ticket: Ticket, card: TaskCard) -> str:
    """Return a phrase with its names filled in."""
    names = phrase.names
    if not names:
        return phrase.short % ()
    if "room" in names:
        values["room"] = ticket.room
    if "dates" in names:
        values["dates"] = _say_dates(ticket)
    if "hotel" in names:
        values["hotel"] = card.hotel.name
    if "competitor" in names:
        values["competitor"] = card.facts.competitor_name
    if "event" in names:
        values["event"] = card.facts.event
    text = (phrase.long if names_room else phrase.short) % values
    return text if text[0].isupper() else text[0].upper() + text[1:]


def _inform_key(act: DialogueAct, card: TaskCard, values: dict[str, str], chances: _Chances) -> str:
    """Return the key of an INFORM and put the figure it cites into ``values``."""
    detail, tactic, figure = act.detail, act.tactic, act.figure
    if detail == "objection":
        return _OBJECTION[tactic]
    if detail in ("upset", "insult"):
        return detail
    key = _INFORM[tactic]
    if tactic in (Tactic.FIT, Tactic.PARTNERSHIP, Tactic.PRESSURE):
        return key
    if figure is None:
        return key + ".plain"
    if tactic is Tactic.COMPETITOR:
        values["price"] = _say_price(figure, chances)
        return key
    values["figure"] = _say_number(abs(figure))
    if tactic is Tactic.CALENDAR:
        demand = card.facts.demand
        falls = demand < 0 if abs(figure) == abs(demand) else figure < 0
        return "inform.calendar.down" if falls else "inform.calendar.up"
    return key


def _other_key(act: DialogueAct, manager: bool, values: dict[str, str]) -> str:
    """Return the key of an act without a price."""
    kind, detail = act.kind, act.detail
    if kind is Act.ASK:
        return "ask.reason" if detail == "reason" else "ask.price"
    if kind is Act.CLOSE:
        return ("close.walk" if detail == "walk" else "close.bye") if manager else "close"
    if kind is Act.REJECT:
        return ("refuse" if detail == "final" else "hold.bare") if manager else "reject"
    if kind is Act.PROMISE:
        if detail not in _PROMISES:
            return "promise.other"
        values["promise"] = _PROMISES[detail]
        return "promise"
    if kind in (Act.ACCEPT, Act.CONFIRM):
        name = "accept" if kind is Act.ACCEPT else "confirm"
        return f"{name}.bare" if act.ticket is None else f"{name}.room"
    raise UsageError(f"expected a price for {kind.name}, got none: give the act a price")


def _say_number(value: float) -> str:
    """Return a figure as people write it: no decimals unless there are some."""
    whole = int(value)
    return str(whole) if whole == value else f"{value:.2f}".rstrip("0")


def _say_price(value: float, chances: _Chances) -> str:
    """Return a price in one of the usual formats."""
    form = chances.pick(6)
    text = _say_number(value) if value < 1000.0 or form == 5 else f"{value:,.2f}".removesuffix(".00")
    return _PRICE_FORMATS[form] % text


def _say_dates(ticket: Ticket) -> str:
    """Return a ticket's dates, as "4 May to 10 May"."""
    first, last = ticket.check_in, ticket.check_out
    return f"{first.day} {_MONTHS[first.month - 1]} to {last.day} {_MONTHS[last.month - 1]}"
