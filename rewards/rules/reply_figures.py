"""Which figures a reply may say: those of the card, of the manager, and arithmetic on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game.acts import PriceType
from negotiation_env.game.scenario import further_figures
from negotiation_env.game.state import GameState
from negotiation_env.play.protocols import ReplyView, Utterance
from rewards.rules.plain_text import Prepared

_FIGURE: Final = re.compile(r"[0-9][0-9.,]*")
_NO_DIGITS: Final = bytes(c for c in range(128) if not 48 <= c < 58)
_PERCENT: Final = re.compile(r" ?(?:%|percent|per cent|pct)")
_THOUSAND: Final = re.compile(r" ?k\b")
_PHONE: Final = re.compile(r"(?<![0-9])(?:\+? ?86[ -]?)?1[ .\-()_]{0,3}[3-9](?:[ .\-()_]{0,3}[0-9]){9}(?![0-9])")
_THOUSANDS: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_COUNTED: Final = re.compile(
    r" (?:\w+ ){0,2}?(?:bookings?|orders?|reservations?|guests?|travell?ers?|people|persons|users?|members?|customers?"
    r"|visitors?|views?|clicks?|searches|room nights|families|tourists|hotels?|partners)\b"
)
_CUT_WORDS: Final = re.compile(
    r"\b(?:off|less|lower\w*|cut\w*|reduc\w+|discount\w*|below|step\w*|down|cheaper|knock\w*|take|shave|rebate|under)\b"
)
_OF_OTHERS: Final = re.compile(
    r"\b(?:others|rivals?|competitors?|nearby|neighbou?rs?|hotels|houses|demand|commission|exposure|conversion|bookings|"
    r"views|occupancy|visibility|traffic|revenue)\b"
)
_PAST_SALE: Final = re.compile(
    r"\b(?:sold|paid|went|rented|booked|cost|averaged?|charged|listed)\b(?: \w+){0,3} $|\b(?:average|median)\b"
)
_MODAL: Final = re.compile(
    r"\b(?:could|would|should|might|may|if|can|will|shall|be|propose|suggest|offer|like|want)\b|'d|'ll"
)
_CLAUSE_END: Final = re.compile(r"[.!?;:\n。！？；](?![0-9])")
_PRICE_FIGURE: Final = re.compile("[0-9]{3,6}")
_SHORT_FIGURE: Final = re.compile(r"([0-9][0-9.,]*)(?=( ?%| percent| per cent| pct)?)")
_COUNTS: Final = frozenset(
    (
        *("booking", "bookings", "order", "orders", "reservation", "reservations", "guest", "guests", "people", "view"),
        *("traveller", "travellers", "traveler", "travelers", "persons", "user", "users", "member", "members", "views"),
        *("customer", "customers", "visitor", "visitors", "click", "clicks", "searches", "families", "tourists"),
        *("hotel", "hotels", "partner", "partners", "nights"),
    )
)
"""Things whose number may be made up."""
_CAREFUL: Final = _COUNTS | frozenset(
    (
        "sold",
        "paid",
        "went",
        "rented",
        "booked",
        "cost",
        "average",
        "averaged",
        "charged",
        "listed",
        "median",
        "k",
        "86",
    )
)
"""Words beside which a figure in the range of bids may be none."""
_LABEL: Final = re.compile(r"\b(?:room|no\.?|number|flight|train|bus|line|street|floor|apartment|unit|nr\.?) ?#?$")
_TOTAL: Final = re.compile(r"\b(?:nights|total|in all|together|altogether|sum|stay|whole)\b|晚|一共")
_GAP: Final = re.compile(
    r"\b(?:by|differ\w*|gap|between|less|more|below|above|lower|higher|step|sav(?:e|es|ing)|apart|away|from|cut|off|down|cheaper"
    r"|dearer)\b"
)
_MANY: Final = 10.0
"""Counts of guests, bookings and the like below this are small talk ("a room for 2 guests")."""
_LOWEST: Final = 100.0
"""Figures below this are not taken for prices."""
_HIGHEST: Final = 1e7
"""Figures from this on are numbers of something else, as of phones."""
_SAME: Final = 1.5
"""Yuan, or percent, within which two figures are the same."""
_MOST: Final = 24
"""Figures of a reply that are looked at: keeps arithmetic on them short."""
_REMEMBERED: Final = 2048
"""Texts whose figures are remembered."""


class SaidFigure(NamedTuple):
    """A figure in a reply. ``before`` is its clause up to it, ``after`` what follows in the clause."""

    value: float
    percent: bool
    before: str
    after: str


@lru_cache(maxsize=_REMEMBERED)
def figures_of(text: str) -> tuple[SaidFigure, ...]:
    """Return the figures of a lower-cased text without phone numbers; a date or version ("1.2.3") is none.

    Remembered: several rules ask for a reply's, and every later turn for those of the manager's messages.
    """
    return tuple(_read_figures(text))


def _read_figures(text: str) -> Iterator[SaidFigure]:
    """Yield the figures of a lower-cased text."""
    text = _THOUSANDS.sub("", _PHONE.sub(" ", text))
    for number, match in enumerate(_FIGURE.finditer(text)):
        if number == _MOST:
            return
        plain = match[0].rstrip(".,")
        if plain.count(".") > 1 or "," in plain:
            continue
        start, end = match.start(), match.start() + len(plain)
        if _LABEL.search(text[max(0, start - 12) : start]):
            continue
        before = text[max(0, start - 80) : start]
        for stop in _CLAUSE_END.finditer(before):
            last = stop.end()
        before = before[last:] if _CLAUSE_END.search(before) else before
        after = text[end : end + 40]
        stop_after = _CLAUSE_END.search(after)
        after = after[: stop_after.start()] if stop_after else after
        percent = _PERCENT.match(text, end) is not None or before.endswith("百分之")
        thousand = 1000.0 if _THOUSAND.match(text, end) else 1.0
        yield SaidFigure(float(plain) * thousand, percent, before, after)


class Known(NamedTuple):
    """Figures that may be said: prices in yuan (selling or net), and percentages."""

    prices: frozenset[float]
    percents: frozenset[float]
    low: float
    high: float


def known_figures(view: ReplyView) -> Known:
    """Return what the card and the dialogue allow a reply to say."""
    card, game = view.card, view.game
    prices = {float(card.facts.competitor_price)}
    percents = {float(card.facts.exposure), float(card.facts.conversion), abs(float(card.facts.demand)), 100.0}
    percents.add(round(100.0 * card.hotel.occupancy, 1))
    for value, percent in further_figures(card.facts):
        (percents if percent else prices).add(value)
    for k, ticket in enumerate(card.tickets):
        part = 1.0 - ticket.commission
        percents |= {100.0 * ticket.commission, 100.0 * part}
        for selling in (float(ticket.selling_price), float(game.quote[k]), float(game.bid[k]), float(game.agreed[k])):
            if selling > 0.0:
                prices |= {selling, selling * part}
    for said in view.manager_said:
        for value, percent in said_figures(said):
            (percents if percent else prices).add(value)
    selling_prices, commissions = game.card.selling, game.card.commission
    low = 0.5 * min(selling_prices) * (1.0 - max(commissions))
    return Known(frozenset(prices), frozenset(percents), low, max(selling_prices) + 1.0)


def said_figures(said: Utterance) -> list[tuple[float, bool]]:
    """Return the figures of a message, in digits or as prices in words, and which are percentages."""
    figures = [(f.value, f.percent) for f in figures_of(said.text.lower())]
    return figures + [(act.price, False) for act in said.acts if act.price is not None]


def _near(value: float, others: Iterable[float]) -> bool:
    return any(abs(value - other) <= _SAME for other in others)


def strange_figures(view: ReplyView, prepared: Prepared) -> int:
    """Return how many figures of a reply nothing allows."""
    if not prepared.digits:
        worded = [act.price for act in view.acts if act.price is not None and act.price >= _LOWEST]
        if not worded:
            return 0
        known = known_figures(view)
        return sum(not known.low <= price <= known.high and not _near(price, known.prices) for price in worded)
    if prepared.ascii and _is_plainly_allowed(view, prepared):
        return 0
    figures = figures_of(prepared.text)
    known = known_figures(view)
    here = [f.value for f in figures if not f.percent and known.low <= f.value <= known.high]
    strange = sum(_is_strange_percent(f, known, here) for f in figures if f.percent)
    for figure in figures:
        if not figure.percent and figure.value >= _MANY:
            strange += _is_strange(view, figure, known, here)
    return strange


def _is_plainly_allowed(view: ReplyView, prepared: Prepared) -> bool:
    """Whether every figure is a fact of the card or in the range of bids, and no word calls for a closer look.

    This is the common case; the words are looked at only if some figure is no percentage.
    """
    facts = view.card.facts
    text = prepared.text
    low = high = 0.0
    careful: frozenset[str] = frozenset()
    for match in _SHORT_FIGURE.finditer(text):
        number, percent = match.groups()
        if percent:
            if number.isdigit() and int(number) in (facts.exposure, facts.conversion, abs(facts.demand)):
                continue
            return False
        number = number.rstrip(".,")
        if len(number) == 1:
            continue
        if not number.isdigit():
            return False
        if not high:
            careful = _CAREFUL.intersection(prepared.tokens)
            if not careful <= _COUNTS:
                return False
            card = view.game.card
            high = max(card.selling) + 1.0
            low = 0.5 * min(card.selling) * (1.0 - max(card.commission))
        if (len(number) > 2 and not low <= int(number) <= high) or (careful and _COUNTED.match(text, match.end(1))):
            return False
    return True


def _is_strange(view: ReplyView, figure: SaidFigure, known: Known, here: list[float]) -> bool:
    """Whether a figure that is no percentage is neither known, nor a plausible bid, nor arithmetic on those."""
    value = figure.value
    if _COUNTED.match(figure.after):
        return not _near(value, known.prices) and value not in {float(t.nights) for t in view.card.tickets}
    if not _LOWEST <= value < _HIGHEST or _near(value, known.prices):
        return False
    if known.low <= value <= known.high:
        return bool(_PAST_SALE.search(figure.before)) and not _MODAL.search(figure.before)
    if value in {float(y) for t in view.card.tickets for y in (t.check_in.year, t.check_out.year)}:
        return False
    clause = figure.before + figure.after
    if value > known.high and _TOTAL.search(clause):
        stays = {float(t.nights) for t in view.card.tickets}
        units = [value / n for n in stays]
        if any(_near(unit, here) or (len(here) == 0 and known.low <= unit <= known.high) for unit in units):
            return False
    step = value <= 0.3 * known.high or _is_difference(value, [*here, *known.prices])
    return not (_GAP.search(clause) and step)


def _is_difference(value: float, prices: Sequence[float]) -> bool:
    return any(abs(abs(a - b) - value) <= _SAME for a in prices for b in prices)


def _is_strange_percent(figure: SaidFigure, known: Known, here: list[float]) -> bool:
    """Whether a percentage is neither known, nor a cut of the rate, nor the gap between two prices."""
    value = figure.value
    if any(abs(value - p) <= 0.6 for p in known.percents):
        return False
    clause = figure.before + figure.after
    if value <= 40.0 and _CUT_WORDS.search(clause) and not _OF_OTHERS.search(clause):
        return False
    prices = [*here, *known.prices]
    return not any(abs(abs(a - b) / max(a, b) * 100.0 - value) <= 1.0 for a in here for b in prices)


def phone_count(text: str) -> int:
    """Return the number of mobile phone numbers in a text, their digits set apart or not."""
    if text.isascii() and len(text.encode("ascii").translate(None, _NO_DIGITS)) < 11:
        return 0
    return len(_PHONE.findall(text))


# Price types: what the traveller pays (selling), and what the hotel takes home (net).

_NET_WORDS: Final = frozenset(
    ("net", "home", "keep", "keeps", "pocket", "receive", "receives", "earn", "earns", "commission", "take", "takes")
)
_SELLING_WORDS: Final = frozenset(
    (
        *("selling", "pay", "pays", "listed", "retail", "public", "list", "display", "displayed", "sell", "page"),
        *("guest", "guests", "traveller", "travellers", "traveler", "travelers"),
    )
)
TYPE_WORDS: Final = _NET_WORDS | _SELLING_WORDS
_NET: Final = re.compile(
    r"\bnet\b(?! (?:effect|result|gain|of it all))|\btakes?[- ]?home\b|"
    r"(?<!could )(?<!would )(?<!can )(?<!will )\b(?:you|hotel|house) "
    r"(?:would |will |'ll )?(?:still )?(?:take|keep|earn|receive|pocket)s?\b"
    r"(?! home)|\bafter (?:the |our )?commission\b|到手|净价|净收入"
)
_SELLING: Final = re.compile(
    r"\bselling\b|\b(?:guests?|travell?ers?|customers?|people) (?:(?:will|would|now|actually) )?pays?\b"
    r"|\b(?:retail|public|listed|list|display(?:ed)?) (?:price|rate)|\b(?:price|rate) (?:on|of) the page"
    r"|\bfor (?:the )?(?:guests?|travell?ers?)\b|\byou (?:now )?(?:sell|list) (?:it )?at\b|卖价|售价"
)
_ADJECTIVES: Final = frozenset({"net", "selling", "到手", "净价", "卖价", "售价"})
_DIGIT: Final = re.compile("[0-9]")
_BIDDING: Final = re.compile(
    r"\b(?:could|would|can|how about|what about|propos\w*|suggest\w*|let'?s|let us|offer\w*|say|want|like|need|hope"
    r"|come|set|go|move|down|counter|looking|if)\b|能|可以|吗"
)


def mixed_types(view: ReplyView, prepared: Prepared) -> int | None:
    """Return how many figures are said as the wrong type of price, None if the words name no type of any figure.

    A net figure must not exceed the hotel's net price now (that is a selling price called net), nor be the very
    selling price that the manager quoted. A figure said as a selling price that is no bid must not be a known net one.
    """
    if prepared.ascii:
        words = TYPE_WORDS.intersection(prepared.tokens)
        if not words:
            return None
        if not _may_mix(view, prepared, words):
            return 0
    card, game = view.card, view.game
    tickets = range(len(card.tickets))
    net_now = max(s * (1.0 - c) for s, c in zip(game.card.selling, game.card.commission, strict=True))
    nets = {part * p for k in tickets for part in (1.0 - game.card.commission[k],) for p in _selling_prices(game, k)}
    sellings = {p for k in tickets for p in _selling_prices(game, k)}
    figures = [f for f in figures_of(prepared.text) if not f.percent and _LOWEST <= f.value < _HIGHEST]
    for act in (act for said in view.manager_said for act in said.acts if act.price is not None):
        (nets if act.price_type is PriceType.NET else sellings).add(act.price or 0.0)
    wrong, typed = 0, False
    for figure in figures:
        is_net = _type_of(figure)
        typed = typed or is_net is not None
        if is_net is True:
            taken = _near(figure.value, sellings) and not _near(figure.value, nets)
            wrong += figure.value > net_now + 2.0 or taken
        elif is_net is False and not _BIDDING.search(figure.before):
            wrong += _near(figure.value, nets) and not _near(figure.value, sellings)
    return wrong if typed or prepared.digits else None


def _may_mix(view: ReplyView, prepared: Prepared, words: frozenset[str]) -> bool:
    """Whether some figure could be of the wrong type, given the words for types: a quick first look."""
    numbers = _PRICE_FIGURE.findall(prepared.text)
    if not numbers:
        return False
    card, game = view.game.card, view.game
    net, selling = not _NET_WORDS.isdisjoint(words), not _SELLING_WORDS.isdisjoint(words)
    tickets = range(len(view.card.tickets))
    limit = max([card.selling[k] * (1.0 - card.commission[k]) for k in tickets]) + 2.0
    for number in numbers:
        value = float(number)
        if net and value > limit:
            return True
        for k in tickets:
            quote, part = game.quote[k], 1.0 - card.commission[k]
            if net and -_SAME <= value - quote <= _SAME:
                return True
            if selling and (abs(value - card.selling[k] * part) <= _SAME or abs(value - quote * part) <= _SAME):
                return True
    return False


def _selling_prices(game: GameState, k: int) -> tuple[float, float]:
    """Return a ticket's price now and the manager's quote, as selling prices."""
    return float(game.card.selling[k]), float(game.quote[k])


def _type_of(figure: SaidFigure) -> bool | None:
    """Return whether a figure is said to be net (True) or selling (False): by the nearest word for either."""
    nearest: tuple[int, bool] | None = None
    *others, head = _DIGIT.split(figure.before)
    tail = figure.after
    for net, pattern in ((True, _NET), (False, _SELLING)):
        for match in pattern.finditer(head):
            if others and match.start() <= 1 and match[0] in _ADJECTIVES:
                continue  # "250 net is 300": said of the figure before
            gap = len(head) - match.end()
            nearest = min(nearest or (gap, net), (gap, net))
        found = pattern.search(tail)
        if found and not _says_of_next(tail, found):
            gap = found.start() + (20 if "," in tail[: found.start()] else 4)
            nearest = min(nearest or (gap, net), (gap, net))
    return None if nearest is None or nearest[0] > 44 else nearest[1]


def _says_of_next(tail: str, word: re.Match[str]) -> bool:
    """Whether a word for a price type behind a figure says it of the next figure: "at 380 you keep 323"."""
    following = _DIGIT.search(tail, word.end())
    before = _DIGIT.search(tail, 0, word.start())
    return bool(before) or (
        following is not None and (word[0] not in _ADJECTIVES or following.start() - word.end() < 5)
    )
