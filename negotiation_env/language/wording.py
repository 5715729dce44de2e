"""From dialogue acts to text: one phrase of a phrase book per act, drawn from the episode's seed.

What is worded reads back as the same acts (``reading``), whatever phrase is drawn. Hotel rooms are named wherever a
scenario has several; the price type is said wherever it is not the one last spoken of. A phrase book is a TOML file:
plain text with known names in braces and one level of optional text in brackets, as in ``"How about {price}[ for the
{room}]?"``, where the brackets' text is said when the room has to be named. Nothing in a phrase can reach code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field

from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.files import Text, known, parse, read_toml
from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, Ticket
from negotiation_env.language.reading import Context
from negotiation_env.seeds import CHANNELS

PLACEHOLDERS: Final = (
    "price", "room", "hotel", "figure", "competitor", "event", "dates", "check_in", "day", "nights", "promise",
)  # fmt: skip
"""The names that phrases may hold in braces: ``check_in`` is "4 May", ``day`` "4th", ``nights`` "6 nights"."""
_ALWAYS: Final = frozenset({"hotel", "room", "dates", "check_in", "day", "nights"})
_TYPED: Final = ("propose", "counter", "counter.last", "accept", "confirm", "hold", "ask.confirm", "yes")
_TACTICS: Final = tuple(t.name.lower() for t in Tactic if t is not Tactic.NONE)
_NEEDS: Final[dict[str, frozenset[str]]] = (
    dict.fromkeys(
        (
            "greet",
            "upset",
            "insult",
            "warning",
            "soothe",
            "ask.price",
            "ask.reason",
            "ask.figure",
            "off_topic",
            "close",
        ),
        frozenset(),
    )
    | dict.fromkeys(("close.walk", "close.bye", "promise.other", "accept.bare", "confirm.bare"), frozenset())
    | dict.fromkeys(("accept.room", "confirm.room", "hold.bare", "refuse", "retract", "reject"), frozenset({"room"}))
    | {f"{act}.{kind}": frozenset({"price", "room"}) for act in _TYPED for kind in ("selling", "net")}
    | {f"objection.{tactic}": frozenset() for tactic in _TACTICS}
    | {f"inform.{tactic}": frozenset() for tactic in ("fit", "partnership", "pressure")}
    | {f"inform.{name}": frozenset({"figure"}) for name in ("exposure", "conversion", "calendar.up", "calendar.down")}
    | {f"inform.{tactic}.plain": frozenset() for tactic in ("exposure", "conversion", "competitor", "calendar")}
    | {f"condition.{name}": frozenset() for name in world.CONDITIONS}
    | {"inform.competitor": frozenset({"price"}), "promise": frozenset({"promise"})}
)
"""What a phrase must hold, per key. A room that is missing is put in front where it has to be named."""
KEYS: Final = tuple(_NEEDS)
"""The keys that a phrase book may have."""
_Templates = dict[Annotated[str, known(KEYS, "a phrase-book key")], Annotated[list[Text], Field(min_length=1)]]
_PART: Final = re.compile(r"\{([^{}]*)\}|[{}]")
_FILLED_IN: Final = re.compile(r"%\(\w+\)s")
_ENDS: Final = " .,;:!?"
_SAYS_TYPE: Final = re.compile(r"\b(?:selling|net)\b")


class Phrase(NamedTuple):
    """One phrase of a book, ready to be filled in with ``short % values`` or ``long % values``."""

    template: str
    short: str
    """Without the text in brackets."""
    long: str
    """With it: names the room, where a phrase of its key has one."""
    typed: bool
    """Whether it says "selling" or "net" itself."""
    names: frozenset[str]
    """The placeholders it holds."""
    marks: tuple[str, ...]
    """Its words between what is filled in, by which it is known again; what is too short to tell is left out."""


class Phrases(NamedTuple):
    """The phrases of one key."""

    all: tuple[Phrase, ...]
    typed: tuple[Phrase, ...]
    """Those that say the price type; all of them if none does."""


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """Phrases per key, and per tone and key. Attributes are read only."""

    source: str
    """Where the book comes from, for messages."""
    phrases: Mapping[str, Phrases]
    tones: Mapping[str, Mapping[str, Phrases]]

    def lookup(self, key: str, tone: str | None) -> Phrases:
        """Return the phrases of a key: the tone's if it has some, else the book's.

        Raises:
            UsageError: the book has no such tone, or no phrases for the key.
        """
        if tone is not None:
            toned = self.tones.get(tone)
            if toned is None:
                raise UsageError(
                    f"expected a tone of {self.source}, got {tone!r}: correct it or leave it out."
                    f"{did_you_mean(tone, self.tones)}"
                )
            found = toned.get(key)
            if found is not None:
                return found
        found = self.phrases.get(key)
        if found is None:
            raise UsageError(f"expected phrases for {key!r} in {self.source}, found none: add some")
        return found

    def with_phrases(self, extra: Mapping[str, Sequence[str]]) -> PhraseBook:
        """Return a book in which the given phrases stand instead of this book's and its tones', key by key."""
        own = _read_keys(extra, f"{self.source}, own phrases")
        tones = {name: {k: p for k, p in keys.items() if k not in own} for name, keys in self.tones.items()}
        return replace(self, phrases={**self.phrases, **own}, tones=tones)


def load_phrase_book(path: str | Path) -> PhraseBook:
    """Read a phrase book from a TOML file.

    Raises:
        DataFileError: the file is missing or is no phrase book; names the file, the key, and what was expected.
    """
    path = Path(path)
    data = read_toml(path, dict[str, Any])
    tones = parse(dict[str, dict[str, Any]], data.pop("tone", {}), f"{path.name}, tone")
    return PhraseBook(
        path.name,
        _read_keys(_flatten(data), path.name),
        {name: _read_keys(_flatten(keys), f"{path.name}, tone.{name}") for name, keys in tones.items()},
    )


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a table's keys in dotted form, whether they were quoted or not."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _read_keys(table: Mapping[str, Any], source: str) -> dict[str, Phrases]:
    """Check and prepare the phrases of each key."""
    read: dict[str, Phrases] = {}
    for key, templates in parse(_Templates, dict(table), source).items():
        phrases = tuple(read_phrase(template, key, source) for template in templates)
        read[key] = Phrases(phrases, tuple(p for p in phrases if p.typed) or phrases)
    return read


def read_phrase(template: str, key: str, source: str) -> Phrase:
    """Check one phrase and prepare it.

    Raises:
        DataFileError: it is blank, holds an unknown name, misses one, or its brackets do not match.
    """
    where = f"{source}, {key}"
    if not template.strip():
        raise DataFileError(f"{where}: expected a phrase, got {template!r}")
    names: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PLACEHOLDERS:
            raise DataFileError(
                f"{where}: expected a name in braces out of {', '.join(PLACEHOLDERS)}, got {match[0]!r} in {template!r}"
            )
        names.add(name)
        return f"%({name})s"

    pieces = re.split(r"\[([^\[\]]*)\]", template)
    if any("[" in piece or "]" in piece for piece in pieces):
        raise DataFileError(f"{where}: expected brackets in pairs and not nested, got {template!r}")
    filled = [_PART.sub(fill, piece.replace("%", "%%")) for piece in pieces]
    needs = _NEEDS[key]
    missing = needs - names - {"room"}
    excess = names - needs - _ALWAYS - _about(key)
    if missing or excess:
        wrong = f"without {{{min(missing)}}}" if missing else f"with {{{min(excess)}}}"
        raise DataFileError(f"{where}: expected {_expected(key)} in the phrase, got one {wrong}: {template!r}")
    long = "".join(filled)
    if "room" in needs and "room" not in names:
        long = "For the %(room)s: " + long
        names.add("room")
    short = "".join(filled[::2])
    parts = [part.strip(_ENDS).replace("%%", "%") for piece in filled[::2] for part in _FILLED_IN.split(piece)]
    marks = tuple(part for part in parts if len(part) > 2)
    return Phrase(template, short, long, bool(_SAYS_TYPE.search(template)), frozenset(names), marks)


def _about(key: str) -> frozenset[str]:
    """Return the names that a key's phrases may hold beyond what they must."""
    if key.startswith("inform.competitor"):
        return frozenset({"competitor"})
    return frozenset({"event"}) if key.startswith("inform.calendar") else frozenset()


def _expected(key: str) -> str:
    names = sorted(_NEEDS[key] - {"room"})
    return " and ".join(f"{{{name}}}" for name in names) if names else "no figures or prices"


AGENT_BOOK_PATH: Final = Path(__file__).with_name("phrases") / "agent.toml"
_AGENT_CHANNEL, _MANAGER_CHANNEL = CHANNELS["agent's words"].start, CHANNELS["manager's words"].start
"""Draw channels of the wording, apart from those of decisions."""
_DRAW_SIZE: Final = 1 << 53
_DRAW_SPENT: Final = 1 << 12
"""Below this little chance is left in a draw, and the next one is made."""
_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December")  # fmt: skip
_LISTED: Final = frozenset({Act.COUNTER, Act.ACCEPT, Act.CONFIRM, Act.REJECT})
"""What the manager says of several tickets in one sentence."""
_TYPE_SAID: Final = (" (selling price)", " net")
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
    Act.ASK: "ask.confirm",
}
_SELLING: Final = [f"{_PRICED_NAMES.get(kind)}.{PriceType.SELLING.value}" for kind in Act]
_NET: Final = [f"{_PRICED_NAMES.get(kind)}.{PriceType.NET.value}" for kind in Act]
_LAST: Final = ("counter.last.selling", "counter.last.net")
_YES: Final = ("yes.selling", "yes.net")
"""The agent's answer to a read-back."""
_ASKS: Final = {"reason": "ask.reason", "figure": "ask.figure"}
_TURNS_DOWN: Final = {"final": "refuse", "retract": "retract"}


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
    earlier: Sequence[str] = (),
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
        earlier: the speaker's own messages so far: what stands in none of them is preferred, and next what does not
            stand in the last.

    Raises:
        UsageError: the book has no phrase for an act, or a figure that the act needs is missing.
    """
    manager = context.speaker == "manager"
    chances = _Chances(seed, turn, _MANAGER_CHANNEL if manager else _AGENT_CHANNEL)
    several, net = len(card.tickets) > 1, context.net
    said: list[str] = []
    form: int | None = None  # one way to write prices in a message
    for group in _groups(acts) if manager else [[act] for act in acts]:
        act = group[0]
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
            if act.detail == "last":
                key = _LAST[speaks_net]
            if kind is Act.CONFIRM and not manager and act.ticket is not None and any(context.pending):
                key = _YES[speaks_net] if context.pending[act.ticket] else key
            net = speaks_net
        elif kind is Act.INFORM:
            key = _inform_key(act, card, values, chances)
        else:
            key = _PLAIN[kind] or _other_key(act, manager, values)
        takes = None if len(group) == 1 else _takes_rooms if price is None else _takes_a_list
        phrases = _unsaid(_candidates(book, key, tone, typed, takes), earlier)
        phrase = phrases[chances.pick(len(phrases))]
        if price is not None:
            form = chances.pick(len(_PRICE_FORMATS)) if form is None or not manager else form
            kind_said = _TYPE_SAID[net] if typed and not phrase.typed else ""
            if len(group) > 1:
                said.append(_list(phrase, group, card, form, kind_said))
                continue
            values["price"] = _say_price(price, form) + kind_said
        names_room = act.ticket is not None and (several or chances.pick(3) == 0)
        if len(group) > 1:
            values["room"] = " the ".join(_listed([card.tickets[a.ticket or 0].room for a in group]))
        said.append(_fill(phrase, names_room, values, ticket, card))
    return " ".join(said)


def _candidates(
    book: PhraseBook, key: str, tone: str | None, typed: bool, takes: Callable[[Phrase], bool] | None
) -> Iterator[tuple[Phrase, ...]]:
    """Yield what may be said for a key, the best first: the tone's phrases, the book's plain ones where they are said.

    ``typed``: those that say the price type come before those to which it is added; ``takes``: only phrases that may be
    said of several tickets, if there are some.
    """
    found = book.lookup(key, tone)
    plain = book.phrases.get(key, found)
    for phrases in (found,) if plain is found else (found, plain):
        for some in (phrases.typed, phrases.all) if typed else (phrases.all,):
            fitting = some if takes is None else tuple(filter(takes, some))
            if fitting:
                yield fitting
    if takes is not None:
        yield found.typed if typed else found.all


def _unsaid(candidates: Iterable[tuple[Phrase, ...]], earlier: Sequence[str]) -> tuple[Phrase, ...]:
    """Return the first candidates that stand in nothing that was said, or else not in the last text; else the first."""
    known = list(candidates) if earlier else [next(iter(candidates))]
    for texts in (earlier, earlier[-1:]) if earlier else ():
        together = "\n".join(texts)
        for phrases in known:
            if new := tuple([p for p in phrases if not p.marks or p.marks[0] not in together or not _stands(p, texts)]):
                return new
    return known[0]


def _stands(phrase: Phrase, texts: Sequence[str]) -> bool:
    """Whether one of some texts holds a phrase, whatever was filled in."""
    marks = phrase.marks
    for text in texts:
        for mark in marks:
            if mark not in text:
                break
        else:
            return True
    return False


def _groups(acts: Sequence[DialogueAct]) -> list[list[DialogueAct]]:
    """Return acts with those together that say the same of several tickets in one sentence."""
    groups: list[list[DialogueAct]] = []
    for act in acts:
        before = groups[-1][0] if groups else None
        listed = act.ticket is not None and act.kind in _LISTED and (act.price is not None or act.detail == "hold")
        alike = before is not None and (before.price is None) == (act.price is None)
        if listed and alike and before is not None and act == before._replace(price=act.price, ticket=act.ticket):
            groups[-1].append(act)
        else:
            groups.append([act])
    return groups


_PRICE_PLACE: Final = re.compile(r"%\(price\)s( net| \(selling price\))?(?=[.;:!?]|, (?:and|that|then))")
"""Where a list of prices may stand, and the price type that is said of each of them."""


_ROOM_LAST: Final = re.compile(r"%\(room\)s[^%]{0,12}$")


def _takes_rooms(phrase: Phrase) -> bool:
    """Whether several rooms may stand where a phrase names its room: at its end."""
    return bool(_ROOM_LAST.search(phrase.long))


def _takes_a_list(phrase: Phrase) -> bool:
    """Whether a phrase holds one price, its type right after it if anywhere, no verb after, no room but in brackets."""
    place = _PRICE_PLACE.search(phrase.short)
    if place is None or phrase.short.count("%(price)s") != 1 or "%(room)s" in phrase.short:
        return False
    return place[1] is not None or not phrase.typed


def _list(phrase: Phrase, group: Sequence[DialogueAct], card: TaskCard, form: int, kind_said: str) -> str:
    """Return a phrase said of several tickets: "435 for the Deluxe King and 510 for the Family Suite"."""
    place = _PRICE_PLACE.search(phrase.short)
    kind_said = (place[1] if place is not None else None) or kind_said
    items = [
        f"{_say_price(act.price or 0.0, form)}{kind_said} for the {card.tickets[act.ticket or 0].room}" for act in group
    ]
    values = {"price": " ".join(_listed(items)), "room": "rooms"}
    plain = phrase._replace(short=_PRICE_PLACE.sub("%(price)s", phrase.short))
    return _fill(plain, False, values, card.tickets[0], card)


def _listed(items: Sequence[str]) -> list[str]:
    """Return items as they stand in a list: "a, b and c", to be joined by a blank or an article."""
    return [*(f"{item}," for item in items[:-2]), f"{items[-2]} and", items[-1]]


def _fill(phrase: Phrase, names_room: bool, values: dict[str, str], ticket: Ticket, card: TaskCard) -> str:
    """Return a phrase with its names filled in."""
    names = phrase.names
    if not names:
        return phrase.short % ()
    if "room" in names:
        values.setdefault("room", ticket.room)
    if "dates" in names:
        values["dates"] = f"{say_day(ticket.check_in)} to {say_day(ticket.check_out)}"
    if "check_in" in names:
        values["check_in"] = say_day(ticket.check_in)
    if "day" in names:
        values["day"] = _ordinal(ticket.check_in.day)
    if "nights" in names:
        values["nights"] = f"{ticket.nights} night{'s' if ticket.nights > 1 else ''}"
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
    if detail in ("upset", "insult", "warning"):
        return detail
    if detail.startswith("condition:"):
        return detail.replace(":", ".")
    key = _INFORM[tactic]
    if tactic in (Tactic.FIT, Tactic.PARTNERSHIP, Tactic.PRESSURE):
        return key
    if figure is None:
        return key + ".plain"
    if tactic is Tactic.COMPETITOR:
        values["price"] = _say_price(figure, chances.pick(len(_PRICE_FORMATS)))
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
        return _ASKS.get(detail, "ask.price")
    if kind is Act.CLOSE:
        return ("close.walk" if detail == "walk" else "close.bye") if manager else "close"
    if kind is Act.REJECT:
        return _TURNS_DOWN.get(detail, "hold.bare") if manager else "reject"
    if kind is Act.PROMISE:
        if detail not in _PROMISES and " " not in detail:  # a scenario's own promise is in words
            return "promise.other"
        values["promise"] = _PROMISES.get(detail, detail)
        return "promise"
    if kind in (Act.ACCEPT, Act.CONFIRM):
        name = "accept" if kind is Act.ACCEPT else "confirm"
        return f"{name}.bare" if act.ticket is None else f"{name}.room"
    raise UsageError(f"expected a price for {kind.name}, got none: give the act a price")


def _say_number(value: float) -> str:
    """Return a figure as people write it: no decimals unless there are some."""
    whole = int(value)
    return str(whole) if whole == value else f"{value:.2f}".rstrip("0")


def _say_price(value: float, form: int) -> str:
    """Return a price in one of the usual formats, a position in them."""
    text = _say_number(value) if value < 1000.0 or form == 5 else f"{value:,.2f}".removesuffix(".00")
    return _PRICE_FORMATS[form] % text


def say_day(day: date) -> str:
    """Return a date as "4 May"."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _ordinal(number: int) -> str:
    """Return a day of the month as "4th"."""
    ending = "th" if 11 <= number <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
