"""The figures of a message in the state of the talks: what price each one means, for which ticket, and whose it is.

A figure belongs to the room named with it; a list of figures without rooms goes over the open tickets in order, as far
as that makes sense; one alone means the ticket whose figure it is near. Figures of others, of the past, of comparisons
and the second half of a translation ("722 on the page, 650 for you") are cited, not offered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, pairwise
from typing import Final, NamedTuple

from negotiation_env.language.clauses import STATUS, TURNS, Part
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import Price, PriceKind
from negotiation_env.language.reading import Context

SAME: Final = 2.0
"""Yuan of selling price by which two figures may differ and still be the same: both may be rounded, in either type."""
_COMPARED: Final = word_set(
    "than versus vs against from beyond since instead over under above below near past beats beat until "
    "minus towards toward"
)
"""Words before a figure that only measure something by it."""
_AWAY: Final = word_set("down up away far off came come comes apart")
_SAYING: Final = word_set(
    "said say says told named quoted wrote write asked ask want wanted wants were was at started began opened came "
    "offered gave give mentioned meant had spoke read you're your"
)
_MODALS: Final = word_set("can could would will may might shall should can't couldn't you'd you'll")
_PAST_TENSE: Final = word_set("was were had did paid sold got stood used ran cost")
_IN_ADVANCE: Final = frozenset((("up", "front"), ("in", "advance"), ("in", "cash"), ("as", "a")))
"""Words after a sum that is handed over and is no price."""
_LOOKS: Final = (("looks",), ("seems",), ("sounds",), ("feels",))
_WAS: Final = (("was",), ("were",))
_TAKEN_AT: Final = (("at", "your"), ("with", "your"), ("take", "your"), ("on", "your"))
"""Words before the other side's figure that is not only spoken of: "the Double at your 993"."""
_WISHING: Final = word_set("thinking thought hoping looking aiming wondering asking expecting counting mind")
"""What a past tense asks for now: "I was hoping for 375"."""
_PLAUSIBLE: Final = (0.35, 1.3)
"""Of the price a ticket stands at, what a figure without a room may be."""
_LIKELY: Final = (0.72, 1.04)
_LARGEST_LIST: Final = 8
"""Figures of a sentence that are given to tickets as a list: more are no list of prices."""
_HALF_YUAN, _TOGETHER, _MOST_PAIRED = 0.51, 30, 24
"""Yuan to which a price leaves another, characters between them, and figures among which such pairs are looked for."""
_BESIDE: Final = 8
"""Figures between which one may say another over again."""
_LISTED: Final = 6
"""Characters between the figures of a plain list."""


class Offer(NamedTuple):
    """A figure as a price of a ticket: as said, and as a selling price."""

    value: float
    net: bool
    selling: float
    ticket: int
    price: Price
    part: Part
    cited: bool
    """Whether it is mentioned and not offered."""


class _SaidFigure(NamedTuple):
    at: int
    price: Price
    part: Part
    net: bool | None
    """As said; None where it is not."""
    last: bool
    """The price type spoken of last."""
    cited: bool


def names(offer: Offer, figure: float | None) -> bool:
    """Return whether an offer says a figure; a net price is rounded up when it is said."""
    return figure is not None and abs(offer.selling - figure) <= (1.3 if offer.net else 0.6)


def is_foreign(offer: Offer) -> bool:
    """Return whether a figure is in another currency than the talks'."""
    return offer.price.currency not in ("", "CNY")


def same(a: float, b: float | None) -> bool:
    """Return whether two selling prices are the same but for rounding."""
    return b is not None and abs(a - b) <= SAME


def offers_of(parts: Sequence[Part], context: Context) -> list[Offer]:
    """Return every figure of a message with its ticket, in order; one that is for several tickets comes several times.

    Refused figures are left out, see ``refused_tickets``.
    """
    if not any(part.prices for part in parts):
        return []
    figures = _figures(parts, context)
    if len(context.rooms) == 1:
        offers = [offer for f in figures for offer in _offers(f, (0,), context)]
    else:
        offers = _spread(parts, figures, context)
    return _without_translations(offers, context)


def _figures(parts: Sequence[Part], context: Context) -> list[_SaidFigure]:
    """Return the figures with their price type: as said, else as said last."""
    found: list[_SaidFigure] = []
    net = context.net
    # Where net prices were spoken of last, the guest's price is said as such, be it once for all figures.
    said = [kind for part in parts for kind in _types(part)] if context.net else []
    message = False if said and not any(said) else None
    apart = {
        kind
        for part in parts
        if not (part.prices or part.question or part.senses.isdisjoint(_TYPES)) and _says_type(part)
        for kind in _types(part)
    }
    if len(apart) == 1:  # "376 for the suite, four nights from the 17th, net to you"
        message = apart.pop()
    for i, part in enumerate(parts):
        if not part.prices:
            continue
        types = _types(part)
        echoed = i + 1 < len(parts) and parts[i + 1].number == part.number and _echoes(parts[i + 1])
        clause = types[0] if len(set(types)) == 1 and not _is_typed_room(part) else None
        for at, price in part.prices:
            own = price.net if price.net is not None else clause if clause is not None else message
            cited = price.negated or (echoed and not part.question) or _is_cited(part, at, price, context)
            cited = cited or _is_handed_over(part, at) or _is_remarked_on(part, at, price, context)
            found.append(_SaidFigure(at, price, part, own, net, cited))
            net = net if cited or own is None else own
    for i in range(len(found) - 2, -1, -1):  # "280, 296 and 405 net"
        one, after = found[i], found[i + 1]
        listed = one.part.number == after.part.number and 0 < after.price.start - one.price.end <= _LISTED
        if one.net is None and after.net is not None and listed:
            found[i] = one._replace(net=after.net)
    return _typed_by_sums(found, context)


def _typed_by_sums(figures: list[_SaidFigure], context: Context) -> list[_SaidFigure]:
    """Return figures with their types where one is what another leaves after commission: "600 leaves you 510"."""
    # Of several tickets' figures only two that stand together in a sentence: others may be so far apart by chance.
    plain = [f for f in figures if f.price.kind is PriceKind.AMOUNT and not f.price.total][:_MOST_PAIRED]
    apart = _TOGETHER if len(context.rooms) > 1 else math.inf
    types: dict[float, bool] = {}
    for selling in plain:
        for net in plain:
            between = max(net.price.start - selling.price.end, selling.price.start - net.price.end)
            listed = between <= _LISTED and net.price.net is not True
            told = selling.price.net is True or net.price.net is False or selling.cited
            beside = between <= apart and (apart == math.inf or selling.part.number == net.part.number)
            if beside and not (listed or told) and _leaves(selling.price, net.price, context):
                types[net.price.value], types[selling.price.value] = True, False
    return [f._replace(net=types.get(f.price.value, f.net)) for f in figures] if types else figures


def _leaves(selling: Price, net: Price, context: Context) -> bool:
    """Whether a price leaves another after a ticket's commission, to half a yuan."""
    left = (selling.value * (1.0 - commission) for commission in context.commissions)
    return net.value < selling.value and any(abs(value - net.value) <= _HALF_YUAN for value in left)


def _says_type(part: Part) -> bool:
    """Whether a clause without a figure can tell the price type of the message's: "that's what I need in the till"."""
    words = part.tokens[part.clause.start : part.clause.end]
    received = words[:1] in _OF_ALL and (len(words) <= _BRIEF or not _RECEIVING.isdisjoint(words))
    ours = words[:1] in _OURS  # "123 a night, ours comes on top"
    return not part.clause.verbal or received or ours or words[:2] in (("net", "to"), ("net", "for"))


_BRIEF: Final = 5
_OURS: Final = (("ours",), ("our",), ("commission",))
_RECEIVING: Final = word_set("need want get keep receive arrive arrives land lands stay stays must")
_OF_ALL: Final = (("that's",), ("that",), ("all",), ("what",))


def _is_typed_room(part: Part) -> bool:
    """Whether a clause names a room, and the price type with a figure: "309 net for the King"."""
    return bool(part.rooms) and any(price.net is not None for _, price in part.prices)


def _echoes(part: Part) -> bool:
    """Whether a clause says of the one before it that it only repeats what was heard: "338 and 610, you said"."""
    return part.tokens[part.clause.start : part.clause.end] in _ECHOES


_ECHOES: Final = frozenset(
    (person, verb)
    for person, verbs in (("you", "say said wrote ask asked"), ("i", "see hear heard know"), ("they", "say said"))
    for verb in verbs.split()
)


def _types(part: Part) -> list[bool]:
    """Return the price types that a clause speaks of: True for net."""
    said = [price.net for _, price in part.prices if price.net is not None]
    if part.senses.isdisjoint(_TYPES):
        return said
    return said + [True] * ("net" in part.senses) + [False] * ("selling" in part.senses)


_TYPES: Final = frozenset(("net", "selling"))


def _is_handed_over(part: Part, at: int) -> bool:
    """Whether a figure is money given as a favour: "I'll wire you 2000 yuan up front"."""
    return "favour" in part.senses and not _IN_ADVANCE.isdisjoint(pairwise(part.tokens[at : at + 6]))


def _is_remarked_on(part: Part, at: int, price: Price, context: Context) -> bool:
    """Whether the agent only supposes something of its own last bid: "if 450 looks so poor to you"."""
    looks = context.speaker == "agent" and part.tokens[at + 1 : at + 2] in _LOOKS
    return looks and "cond" in part.senses and price.value in context.bids


def _is_cited(part: Part, at: int, price: Price, context: Context) -> bool:
    """Whether a figure is somebody else's, a past one, or one that others are compared with."""
    senses = part.senses
    clause = part.clause
    agrees = "accept" in senses or "confirm" in senses
    if price.kind is not PriceKind.AMOUNT:
        past = clause.person == "they" and not _PAST_TENSE.isdisjoint(part.tokens[clause.start : clause.end])
        return (price.reported or past) and not part.question
    if "competitor" in senses and "offer" not in senses:
        return True
    if (agrees and not part.question) or ("competitor" in senses and part.question):  # "can you match their 365?"
        return False
    before = part.tokens[max(clause.start, at - 2) : at]
    if price.reported:
        with_us = "us" in part.tokens[clause.start : at]  # "with us the suite sells at 560"
        return not (with_us if context.speaker == "manager" else before in _TAKEN_AT)
    if context.speaker == "agent" and before[-1:] in (("您",), ("你",)) and price.value in context.quotes:
        return True  # "您620有点高"
    if before[-1:] == ("from",) and context.speaker == "manager" and _AWAY.isdisjoint(before):
        return False  # "suites go from 690"
    if before and (before[-1] in _COMPARED or (before[-1] in ("the", "your", "that", "¥") and before[0] in _COMPARED)):
        # "no less than 380", "I can't go below 380": a bound is the speaker's own figure.
        return "hold_bound" not in senses and not any(
            not m.senses.isdisjoint(("neg", "reject", "reject_weak", "hold")) and m.start < at for m in clause.marks
        )
    own = part.tokens[clause.start : clause.end]
    if not part.question and (before[-1:] in _WAS or part.tokens[at + 1 : at + 2] in _WAS):
        return True  # "436 was old"
    if before in (("never", "mind"), ("forget", "the")) or before[-1:] == ("forget",):
        return True
    if "reported" in senses and any("reported" in m.senses and part.tokens[m.start] in _YOU for m in clause.marks):
        return True  # "您刚才问463行不行"
    step = part.tokens[max(clause.start, at - 3) : at - 2] == ("from",) and before[-1:] == ("to",)
    if step and clause.person != "i":
        return True  # "from 480 to 466, that's appreciated"
    if "past" in senses or (
        clause.person in ("i", "they")
        and not part.question
        and not _PAST_TENSE.isdisjoint(own)
        and _WISHING.isdisjoint(own)
    ):
        return True
    agent = context.speaker == "agent"
    if clause.person == "they" and agent and not part.question:
        stands = any(same(price.value, figure) for figure in (*context.quotes, *context.selling))
        return "offer" not in senses and ("selling" not in senses or stands)  # "the customer pays 400"
    if clause.person == "you" and not part.question and "offer" not in senses and "cond" not in part.around:
        return not _SAYING.isdisjoint(own) and _MODALS.isdisjoint(own)
    return False


_YOU: Final = frozenset(("您", "你"))


def _offers(figure: _SaidFigure, tickets: Sequence[int], context: Context) -> Iterator[Offer]:
    """Yield a figure as the price of each of some tickets."""
    price = figure.price
    for k in tickets:
        net = _is_net(figure, k, context)
        cut = 1.0 - context.commissions[k]
        value = _resolve(price, figure.part.senses, cut if net else 1.0, k, context)
        selling = value / cut if net else value
        yield Offer(value, net, selling, k, price, figure.part, figure.cited)


def _is_net(figure: _SaidFigure, k: int, context: Context) -> bool:
    """Return a figure's price type: as said, else that in which it is a figure that stands, else the last one."""
    if figure.net is not None:
        return figure.net
    value, cut = figure.price.value, 1.0 - context.commissions[k]
    plain = figure.price.kind is PriceKind.AMOUNT and not figure.price.total
    standing = (context.quotes[k], context.bids[k])
    if plain and figure.last and not any(same(value / cut, other) for other in standing):
        return not any(same(value, other) for other in standing)
    return figure.last


def _resolve(price: Price, senses: frozenset[str], cut: float, ticket: int, context: Context) -> float:
    """Return a figure as a price; relative ones in whole yuan. ``cut`` turns selling prices into the type spoken in."""
    nights = context.nights[ticket] if ticket < len(context.nights) else 1
    if price.kind is PriceKind.AMOUNT:
        spread = price.total and not _is_night(price.value, nights, ticket, cut, context)
        return price.value / nights if spread or _is_stay(price.value, nights, ticket, cut, context) else price.value
    selling, quote = context.selling[ticket], context.quotes[ticket]
    standing = selling if quote is None else quote
    if price.kind is PriceKind.PERCENT_OFF:
        base = standing if price.base == "that" or "off_that" in senses else selling
        return float(round(base * cut * (1.0 - price.value / 100.0)))
    if price.kind is PriceKind.AMOUNT_OFF:
        base = selling if price.base == "list" else standing
        return float(max(1, round(base * cut - price.value / (nights if price.total else 1))))
    bid = context.bids[ticket]
    return float(round((standing + (selling if bid is None else bid)) / 2.0 * cut))


def _is_night(value: float, nights: int, ticket: int, cut: float, context: Context) -> bool:
    """Whether a figure "all together" can only be a night's: a night's share of it would be a trifle."""
    standing = context.selling[ticket] * cut
    return value / nights <= 0.55 * standing <= 0.7 * standing <= value <= 1.1 * standing


def _is_stay(value: float, nights: int, ticket: int, cut: float, context: Context) -> bool:
    """Whether a figure can only be a price for the whole stay: far above a night's, and a night's share is likely."""
    standing = context.selling[ticket] * cut
    return nights > 1 and value > 1.6 * standing and 0.55 <= value / nights / standing <= 1.1


def _without_translations(offers: list[Offer], context: Context) -> list[Offer]:
    """Mark as cited what only says another figure over again in the other price type."""
    if len(offers) < 2:
        return offers
    out = list(offers)
    for i, one in enumerate(offers):
        for j in range(max(0, i - _BESIDE), min(len(offers), i + _BESIDE + 1)):
            other = offers[j]
            if one.value >= other.value or one.ticket != other.ticket or other.cited or out[j].cited:
                continue
            if one.price.kind is not PriceKind.AMOUNT or other.price.kind is not PriceKind.AMOUNT:
                continue
            cut = 1.0 - context.commissions[one.ticket]
            smaller = one.price is not other.price and abs(other.value * cut - one.value) <= 1.0
            if smaller and not (one.net and not other.net and i < j):
                out[i] = one._replace(cited=True)
            elif smaller:
                out[j] = other._replace(cited=True)
    return out


def _spread(parts: Sequence[Part], figures: Sequence[_SaidFigure], context: Context) -> list[Offer]:
    """Give the figures to tickets, where there are several."""
    tickets: dict[int, tuple[int, ...]] = {}
    named: dict[int, list[int]] = {}
    last: dict[int, frozenset[int]] = {}
    others: dict[int, frozenset[int]] = {}
    topic: frozenset[int] = frozenset()
    group = -1
    place = {id(figure.price): n for n, figure in enumerate(figures)}
    ordered = _in_order(parts) if len(figures) > 1 else {}
    for i, part in enumerate(parts):
        if part.prices and part.number in ordered:
            for _, price in part.prices:
                tickets[place[id(price)]] = ordered[part.number][id(price)]
        elif part.prices:
            own = [place[id(price)] for _, price in part.prices]
            rooms_of = _rooms_of_figures(parts, i, context)
            if not (i and _is_bare(part) and _is_bare(parts[i - 1])):
                group = part.number
            for n, rooms in zip(own, rooms_of, strict=True):
                if rooms:
                    tickets[n] = tuple(sorted(rooms))
                else:
                    last[n] = topic
                    others[n] = _rooms_joined(parts, i).union(*rooms_of)
                    named.setdefault(group, []).append(n)
        if part.rooms:
            topic = frozenset().union(*[room for _, room in part.rooms])
    taken: dict[int, set[int]] = {}
    for n, places in tickets.items():
        taken.setdefault(figures[n].part.number, set()).update(places)
    for number, places_of in named.items():
        listed = [n for n in places_of if not figures[n].cited]
        if len(_free(context)) < len(listed) <= 2 * _LARGEST_LIST:  # "at 466 and 444 you keep 410 and 391"
            listed = [n for n in listed if not _is_net_of_another(figures[n], [figures[m] for m in listed], context)]
        _give_list(listed, figures, tickets, taken.get(number, set()), context)
        for n in places_of:
            if n not in tickets:
                tickets[n] = (_nearest_ticket(figures[n], last[n], others[n], context),)
    count = len(context.rooms)
    return [o for n, f in enumerate(figures) for o in _offers(f, [k for k in tickets[n] if k < count], context)]


def _in_order(parts: Sequence[Part]) -> dict[int, dict[int, tuple[int, ...]]]:
    """Return, by sentence, each figure's room where as many rooms are named first, in the figures' order, or last."""
    found: dict[int, dict[int, tuple[int, ...]]] = {}
    for number, sentence in groupby(parts, key=lambda part: part.number):
        own = list(sentence)
        rooms = [(at, room) for part in own for at, room in part.rooms]
        prices = [(at, price) for part in own for at, price in part.prices]
        apart = rooms and prices and (rooms[-1][0] < prices[0][0] or prices[-1][0] < rooms[0][0])
        plain = len(rooms) == len(prices) > 1 and all(len(room) == 1 for _, room in rooms)
        if apart and plain and len({room for _, room in rooms}) == len(rooms):
            found[number] = {id(price): tuple(room) for (_, room), (_, price) in zip(rooms, prices, strict=True)}
    return found


def _is_net_of_another(figure: _SaidFigure, others: Sequence[_SaidFigure], context: Context) -> bool:
    """Whether a figure is what another one leaves after commission."""
    cuts = {1.0 - commission for commission in context.commissions}
    return any(abs(other.price.value * cut - figure.price.value) <= 1.0 for other in others for cut in cuts)


def _rooms_of_figures(parts: Sequence[Part], i: int, context: Context) -> list[frozenset[int]]:
    """Return the rooms that each figure of a clause is said of, nothing for those named without any."""
    part = parts[i]
    count = len(part.prices)
    if (
        "all" in part.senses
        and not part.rooms
        and (count == 1 or count not in (len(_free(context)), len(context.rooms)))
    ):
        return [_free(context)] * count
    if not part.rooms:
        return [_rooms_around(parts, i)] * count
    events = [(at, room, -1) for at, room in part.rooms] + [(at, _NONE, n) for n, (at, _) in enumerate(part.prices)]
    events.sort(key=lambda event: event[0])
    rooms = [room for _, room in part.rooms]
    if len(set(rooms)) == 1 and _joins_another(part, context):
        nearest = min(part.prices, key=lambda said: abs(said[0] - part.rooms[0][0]))
        if "other" in part.tokens[part.prices[-1][0] : part.clause.end] and part.rooms[0][0] < part.prices[-1][0]:
            nearest = part.prices[-2]  # "380 for the King, 535 for the other one"
        return [rooms[0] if said is nearest else _NONE for said in part.prices]
    if len(set(rooms)) == 1:
        return [rooms[0] | (_rooms_before(parts, i) if count == 1 else _NONE)] * count
    kinds = "".join("F" if n >= 0 else "R" for _, _, n in events)
    if len(rooms) == count and (kinds == "F" * count + "R" * count or kinds == "R" * count + "F" * count):
        return rooms
    if len(rooms) == count and {kinds[n : n + 2] for n in range(0, 2 * count, 2)} <= {"FR", "RF"}:
        return rooms  # "262 for the double, and the queen at 320"
    out: list[frozenset[int]] = [_NONE] * count
    if kinds[0] == "R":
        held: frozenset[int] = _NONE
        before = ""
        last = part.clause.start
        for (at, room, n), kind in zip(events, kinds, strict=True):
            if kind == "R":
                held = held | room if before == "R" and not _JOINTS.isdisjoint(part.tokens[last:at]) else room
                last = at
            else:
                out[n] = held
            before = kind
        return out
    waiting: list[int] = []
    for _, room, n in events:
        if n >= 0:
            waiting.append(n)
        else:
            for m in waiting:
                out[m] = room
            if not waiting and n < 0 and events:
                out = [seen | room if seen and k == max(j for j in range(count) if out[j]) else seen
                       for k, seen in enumerate(out)]  # fmt: skip
            waiting = []
    return out


_NONE: Final[frozenset[int]] = frozenset()
_JOINTS: Final = word_set("and or plus with , 、 ， 和 与 跟")


def _joins_another(part: Part, context: Context) -> bool:
    """Whether a clause joins another room's figure to that of the one it names: "640, and 780 for the King"."""
    if len(part.rooms) != 1 or not 1 < len(part.prices) <= len(_free(context)):
        return False
    if any(price.kind is not PriceKind.AMOUNT or price.reported or price.negated for _, price in part.prices):
        return False
    (first, _), (second, _) = part.prices[-2:]
    other = "other" in part.tokens[second : part.clause.end]
    return (other or not _ANOTHER.isdisjoint(part.tokens[first + 1 : second])) and "between" not in part.tokens[
        part.clause.start : first
    ]


_ANOTHER: Final = frozenset(("and", "second", "third", "other"))


def _is_bare(part: Part) -> bool:
    """Whether a clause is one figure and nothing else."""
    start, size = part.clause.start, part.clause.end - part.clause.start
    if len(part.prices) != 1 or part.prices[0][0] != start or part.clause.verbal or part.senses:
        return False
    return size == 1 if part.tokens[start][0].isdigit() else size <= _IN_WORDS


_IN_WORDS: Final = 5
"""Words of a figure: "four hundred and forty five"."""


def _rooms_joined(parts: Sequence[Part], i: int) -> frozenset[int]:
    """Return the rooms whose figures a clause without rooms joins another one to: "440 for the King and 485 for it"."""
    part = parts[i]
    if part.clause.join != "and" or i == 0 or part.rooms or len(part.prices) > 1 or not parts[i - 1].prices:
        return _NONE
    return frozenset().union(*[room for _, room in parts[i - 1].rooms])


def _free(context: Context) -> frozenset[int]:
    return frozenset(k for k, is_open in enumerate(context.open) if is_open) or frozenset(range(len(context.rooms)))


def _bare_rooms(part: Part) -> frozenset[int]:
    """Return the rooms of a clause that only names them."""
    if part.prices or not part.rooms or not part.senses.isdisjoint(STATUS):
        return _NONE
    return frozenset().union(*[room for _, room in part.rooms])


def _rooms_before(parts: Sequence[Part], i: int) -> frozenset[int]:
    """Return the rooms that stand before a clause and are joined to its own: "the King and the Twin at 390"."""
    part = parts[i]
    if part.clause.join != "and" or i == 0 or parts[i - 1].number != part.number or parts[i - 1].clause.verbal:
        return _NONE
    return _bare_rooms(parts[i - 1])


def _rooms_around(parts: Sequence[Part], i: int) -> frozenset[int]:
    """Return the rooms that the clause before, else after, in the same sentence says a figure is for."""
    number = parts[i].number
    if i and parts[i - 1].number == number:
        rooms = _bare_rooms(parts[i - 1])
        if rooms:
            return rooms | _rooms_before(parts, i - 1)
    after = parts[i + 1] if i + 1 < len(parts) else parts[i]
    turns = after.tokens[after.clause.start : after.clause.start + 2] in TURNS  # "288 is locked, now about the suite"
    if after is not parts[i] and after.number == number and not (after.clause.verbal or turns):
        return _bare_rooms(after)
    return _NONE


def _give_list(
    group: Sequence[int],
    figures: Sequence[_SaidFigure],
    tickets: dict[int, tuple[int, ...]],
    taken: set[int],
    context: Context,
) -> None:
    """Give a sentence's figures without rooms to tickets in order: the order that suits the tickets' prices best.

    ``taken``: tickets that the sentence names a figure for by their room.
    """
    count = len(context.rooms)
    free = [k for k in range(count) if k not in taken]
    if not 2 <= len(group) <= min(len(free), _LARGEST_LIST):
        return
    best, chosen = 0.0, None
    for places in combinations(free, len(group)):
        scores = [_fit(figures[n], k, context) for n, k in zip(group, places, strict=True)]
        if min(scores) > 0.0 and sum(scores) > best:
            best, chosen = sum(scores), places
    if chosen is not None:
        for n, k in zip(group, chosen, strict=True):
            tickets[n] = (k,)


def _fit(figure: _SaidFigure, k: int, context: Context) -> float:
    """Return how well a figure suits a ticket, 0 for not at all."""
    (offer,) = _offers(figure, (k,), context)
    value, selling = offer.value, offer.selling
    cut = 1.0 - context.commissions[k]
    standing = context.quotes[k] or context.selling[k]
    ratio = selling / standing
    if not _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
        return 0.0
    score = 1.0 if context.open[k] else 0.6
    if same(selling, context.quotes[k]) or same(value / cut, context.quotes[k]):
        return score + 3.0
    if same(selling, context.bids[k]) or same(value / cut, context.bids[k]):
        score += 1.5
    if _LIKELY[0] <= ratio <= _LIKELY[1]:
        score += 1.0 - abs(0.95 - ratio)
    return score


def _nearest_ticket(figure: _SaidFigure, topic: frozenset[int], others: frozenset[int], context: Context) -> int:
    """Return the ticket that a figure without a room means.

    The ticket whose figure it is, else the one that was named last, else the open ticket that it is most likely for.
    ``others``: the tickets whose figures stand beside it.
    """
    free = sorted(_free(context))
    if figure.price.kind is not PriceKind.AMOUNT:
        answered = [k for k in free if context.quotes[k] is not None]
        return min(topic) if topic else (answered or free)[0]
    scores = {}
    for k in range(len(context.rooms)):
        score = _fit(figure, k, context)
        score += 0.7 * (k in topic) + 0.4 * (k < len(context.fresh) and context.fresh[k] and context.open[k])
        score += 0.3 * (context.quotes[k] is not None and context.open[k])
        scores[k] = score - 0.01 * k - 2.0 * (k in others)
    return max(scores, key=lambda k: scores[k])
