"""What the encoder reader sees of a message: one text with marked spans, and numbers about figures and tickets.

Code finds figures and hotel rooms, the encoder says what is meant by them. The text holds the tickets' rooms, the other
side's last message and the message itself; a ``Mention`` is a figure of the message; ``pairs`` describes each mention
against each ticket (is it the hotel's figure, the agent's, the list price, its net, a plausible total, ...), so that
nothing needs to be learned about particular numbers. What the rules read is told too: the encoder mends it. Chinese,
which MiniLM hardly knows, is put into English word by word (``gloss``).
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negotiation_env.game import world
from negotiation_env.game.acts import ASKED_BACK, Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.language.gloss import gloss
from negotiation_env.language.numerals import find_numbers, lower
from negotiation_env.language.reading import Context, Reading

Floats = NDArray[np.float32]

MOST_HEARD: Final = 220
"""Characters of the other side's last message that are shown: its end."""
MOST_SAID: Final = 700
"""Characters of the message that are shown."""
MOST_MENTIONS: Final = 16
LETTERS: Final = "ABC"
PAIR_FEATURES: Final = 60
TICKET_FEATURES: Final = 30
MESSAGE_FEATURES: Final = 32
_YUAN: Final = 1.6
_TAKES: Final = (Act.ACCEPT, Act.CONFIRM)
_OFFERS: Final = (Act.PROPOSE, Act.COUNTER)
_PERCENT: Final = re.compile(r" ?(?:%|percent|per cent|pct)")
_ORDINAL: Final = re.compile(r"(?:st|nd|rd|th)\b")
_CURRENCY_BEFORE: Final = re.compile(r"[¥$€]\s?$|\b(?:rmb|cny)\s?$")
_CURRENCY_AFTER: Final = re.compile(r" ?(?:yuan|rmb|cny|元|块)")
_UNIT_AFTER: Final = re.compile(r"[ -]?(?:nights?|rooms?|guests?|days?|weeks?|stars?|晚|间|天)\b")
_MIDPOINT: Final = re.compile(r"\b(?:middle|half ?way|mid ?way|midpoint|split the difference)\b|折中|各让一步")
_COMMON: Final = frozenset(("room", "suite", "view", "standard", "the", "and", "with"))
SCALES: Final = ("literal", "off", "percent", "total", "middle", "up")
"""How a figure of the text says a price; "up" counts from the agent's own bid."""
_ROUNDED: Final = 1.01
"""Yuan by which a derived figure of the rules may differ from what the scale makes of it."""
_PENNIES: Final = 0.6
"""Yuan to which a net price follows from a selling price."""


_BETWEEN: Final = re.compile(r"\b(?:between|(?:middle|midpoint) of)\b|折中|中间")
_JOINED: Final = re.compile(r",? ?(?:and|&|和|与|跟) ?(?:your |my |the |our )?[¥$]?")
_REACH: Final = 14
"""Characters between "the middle of" and the first of its two figures."""


class Mention(NamedTuple):
    """A figure in the message, or "the middle" (value 0, or that of the two figures named with it)."""

    value: float
    start: int
    end: int


class EncoderInput(NamedTuple):
    """A message as the encoder gets it; spans count in ``text``."""

    text: str
    said: tuple[int, int]
    """Span of the message."""
    tickets: tuple[tuple[int, int], ...]
    """Span of each ticket's room."""
    mentions: tuple[Mention, ...]
    spans: tuple[tuple[int, int], ...]
    """Span of each mention."""
    pairs: Floats
    """[mentions, tickets, PAIR_FEATURES]."""
    about: Floats
    """[tickets, TICKET_FEATURES]."""
    gist: Floats
    """[MESSAGE_FEATURES]."""


def encoder_input(text: str, context: Context, rules: Reading) -> EncoderInput:
    """Return what the encoder sees of a message in its context, ``rules`` being the rules' reading of it."""
    said, other_said = gloss(text)[:MOST_SAID], gloss(context.heard)
    context = context._replace(heard=other_said)
    head, tickets = "", []
    for letter, room in zip(LETTERS, context.rooms, strict=False):
        start = len(head)
        head += f"{letter}: {room[:40]}"
        tickets.append((start, len(head)))
        head += ". "
    other, self_ = ("hotel", "agent") if context.speaker == "agent" else ("agent", "hotel")
    head += f"{other}: {context.heard[-MOST_HEARD:]} | {self_}: "
    mentions = find_mentions(said)
    return EncoderInput(
        head + said,
        (len(head), len(head) + len(said)),
        tuple(tickets),
        mentions,
        tuple((len(head) + m.start, len(head) + m.end) for m in mentions),
        _pairs(said, mentions, context, rules),
        _about(said, mentions, context, rules),
        _gist(said, context, rules),
    )


def find_mentions(text: str) -> tuple[Mention, ...]:
    """Return the figures of a message that may be prices, reductions, or totals, in order."""
    low = lower(text)
    numbers = find_numbers(low, True, True, True)
    found = [Mention(n.value, n.start, n.end) for n in numbers if 2.0 <= n.value <= 100_000.0]
    middles = _middles(low, [m for m in found if m.value >= _LEAST_PRICE])
    found += middles
    found += [
        Mention(0.0, match.start(), match.end())
        for match in _MIDPOINT.finditer(low)
        if not any(m.start <= match.start() < m.end for m in middles)
    ]
    return tuple(sorted(found, key=lambda m: m.start)[:MOST_MENTIONS])


_LEAST_PRICE: Final = 30.0


def _middles(low: str, figures: list[Mention]) -> list[Mention]:
    """Return what lies between two figures: "the middle of 380 and 400", "meet me between 380 and 400"."""
    found = []
    for match in _BETWEEN.finditer(low):
        after = [m for m in figures if m.start >= match.end()][:2]
        if len(after) < 2 or after[0].start - match.end() > _REACH:
            continue
        if _JOINED.fullmatch(low[after[0].end : after[1].start]):
            middle = float(round((after[0].value + after[1].value) / 2.0))
            found.append(Mention(middle, match.start(), after[1].end))
    return found


def rooms_named(text: str, rooms: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where a message names which room, as (position, ticket), by the words that set the rooms apart."""
    words = [set(re.findall(r"[a-z]+", room.lower())) - _COMMON for room in rooms]
    found: list[tuple[int, int]] = []
    low = text.lower()
    for k, own in enumerate(words):
        others = set().union(*(w for j, w in enumerate(words) if j != k))
        alone = own - others or own
        if not alone:
            continue
        pattern = r"\b(?:" + "|".join(sorted(map(re.escape, alone))) + r")s?\b"
        found += [(match.start(), k) for match in re.finditer(pattern, low)]
    if len(rooms) > 1 and sum("suite" in room.lower() for room in rooms) == 1:
        suite = next(k for k, room in enumerate(rooms) if "suite" in room.lower())
        found += [(match.start(), suite) for match in re.finditer(r"\bsuites?\b", low)]
    return sorted(set(found))


def figure_of(value: float, scale: str, net: bool, k: int, context: Context) -> float | None:
    """Return a figure of the text as a price in the type said, yuan per night; None where it can be none."""
    keep = 1.0 - context.commissions[k] if net else 1.0
    quote, bid, selling = context.quotes[k], context.bids[k], context.selling[k]
    standing = selling if quote is None else quote
    if scale == "off":
        value = standing * keep - value
    elif scale == "percent":
        value = round(standing * keep * (1.0 - value / 100.0))
    elif scale == "up":
        value = (standing if bid is None else bid) * keep + value
    elif scale == "total":
        value = value / (context.nights[k] if k < len(context.nights) else 1)
    elif scale == "middle" or value == 0.0:
        value = round((standing + (selling if bid is None else bid)) / 2.0 * keep)
    return float(value) if value > 0.0 else None


def derived_acts(mentions: tuple[Mention, ...], rules: Reading) -> list[DialogueAct]:
    """Return the rules' acts whose price no figure of the message says as it stands: reductions, totals, the middle."""
    return [
        act
        for act in rules.acts
        if act.price is not None
        and act.ticket is not None
        and act.kind in (*_OFFERS, *_TAKES)
        and all(abs(m.value - act.price) >= _LITERAL for m in mentions)
    ]


_LITERAL: Final = 0.51


def _near(a: float, b: float | None) -> bool:
    return b is not None and abs(a - b) <= _YUAN


def _pairs(text: str, mentions: tuple[Mention, ...], context: Context, rules: Reading) -> Floats:
    """Describe each mention against each ticket."""
    count = len(context.rooms)
    out = np.zeros((len(mentions), count, PAIR_FEATURES), dtype=np.float32)
    low, named = lower(text), rooms_named(text, context.rooms)
    heard = {m.value for m in find_mentions(context.heard[-MOST_HEARD:])}
    free = [k for k in range(count) if k >= len(context.open) or context.open[k]]
    plausible = [m for m, x in enumerate(mentions) if any(0.4 <= x.value / s <= 1.1 for s in context.selling)]
    derived = derived_acts(mentions, rules)
    orders = [_order(named), _order(rooms_named(context.heard[-MOST_HEARD:], context.rooms))]
    for m, mention in enumerate(mentions):
        before = [k for at, k in named if at < mention.start]
        after = [k for at, k in named if at >= mention.end]
        common = _mention_features(low, m, mention, mentions, context, heard)
        for k in range(count):
            value = mention.value
            selling, quote, bid = context.selling[k], context.quotes[k], context.bids[k]
            keep = 1.0 - context.commissions[k]
            nights = float(context.nights[k]) if k < len(context.nights) else 1.0
            standing = quote if quote is not None else selling
            share = value / selling
            row = [
                _near(value, quote), quote is not None and _near(value, quote * keep),
                _near(value, bid), bid is not None and _near(value, bid * keep),
                _near(value, selling), _near(value, selling * keep),
                quote is not None, bid is not None,
                0.45 <= share <= 1.05, 0.35 <= share / nights <= 1.1 and nights > 1,
                share < 0.3, value == nights,
                quote is not None and value < quote - _YUAN, bid is not None and value > bid + _YUAN,
                0.5 * standing < value < standing - _YUAN,
                min(2.0, abs(math.log(max(share, 0.01)))) if value else 0.0,
                bool(before) and before[-1] == k, bool(after) and after[0] == k,
                k in {j for _, j in named}, bool(named),
                k < len(context.open) and context.open[k], k < len(context.fresh) and context.fresh[k],
                k < len(context.pending) and context.pending[k], count > 1,
                m in plausible and len(plausible) == count and plausible.index(m) == k,
                m in plausible and len(plausible) == len(free) and k in free and plausible.index(m) == free.index(k),
                m in plausible and len(plausible) in (count, len(free)) and count > 1,
                any(_names(act, k, value) for act in rules.acts if act.kind in _OFFERS),
                any(_names(act, k, value) for act in rules.acts if act.kind in _TAKES and act.force is Force.FIRM),
                any(act.price is not None and act.ticket == k for act in rules.acts),
                *common,
                *_derivations(value, k, derived, context),
                *_typed(mention, k, mentions, context, rules),
                *_elsewhere(value, k, context),
                *(m in plausible and len(order) == len(plausible) and k in order
                  and order.index(k) == plausible.index(m) for order in orders),
            ]  # fmt: skip
            out[m, k, : len(row)] = row
    return out


def _order(named: list[tuple[int, int]]) -> list[int]:
    """Return the tickets in the order in which their rooms are first named."""
    return list(dict.fromkeys(k for _, k in named))


def _derivations(value: float, k: int, derived: list[DialogueAct], context: Context) -> list[bool]:
    """Say by which scale a figure comes to a price that the rules read for ticket ``k``, and whether one is taken."""
    mine = [act for act in derived if act.ticket == k and act.price is not None]
    if not mine:
        return [False] * len(SCALES)
    found = []
    taken = False
    for scale in SCALES[1:]:
        hits = []
        for act in mine:
            price = figure_of(value, scale, act.price_type is PriceType.NET, k, context)
            hits.append(price is not None and abs(price - (act.price or 0.0)) <= _ROUNDED)
        found.append(any(hit and act.kind in _OFFERS for hit, act in zip(hits, mine, strict=True)))
        taken = taken or any(hit and act.kind in _TAKES for hit, act in zip(hits, mine, strict=True))
    return [*found, taken]


def _typed(mention: Mention, k: int, mentions: tuple[Mention, ...], context: Context, rules: Reading) -> list[bool]:
    """Say of which price type the rules read a figure, and whether others are its gross, its net or the same."""
    types = {act.price_type for act in rules.acts if _names(act, k, mention.value)}
    value, keep = mention.value, 1.0 - context.commissions[k]
    others = [m.value for m in mentions if m is not mention and m.value > 0.0]
    return [
        PriceType.NET in types,
        PriceType.SELLING in types,
        any(abs(other * keep - value) <= _PENNIES for other in others),
        any(abs(value * keep - other) <= _PENNIES for other in others),
        any(abs(other * (1.0 - keep) - value) <= _PENNIES for other in others),
        value in others,
    ]


def _elsewhere(value: float, k: int, context: Context) -> list[bool]:
    """Say whether a figure stands for another ticket, and whether ``k`` is the open one whose price it is nearest."""
    rest = [j for j in range(len(context.rooms)) if j != k]
    free = [j for j in range(len(context.rooms)) if j >= len(context.open) or context.open[j]]

    def apart(j: int) -> float:
        quote = context.quotes[j]
        return abs(math.log(max(value, 1.0) / (context.selling[j] if quote is None else quote)))

    return [
        any(_near(value, context.quotes[j]) for j in rest),
        any(_near(value, context.bids[j]) for j in rest),
        any(_near(value, context.selling[j]) for j in rest),
        bool(free) and min(free, key=apart) == k,
    ]


def _gist(text: str, context: Context, rules: Reading) -> Floats:
    """Describe the message: what the rules hear in it, and the state of the talk."""
    details = {(act.kind, act.detail) for act in rules.acts}
    kinds = {act.kind for act in rules.acts}
    tactics = {act.tactic for act in rules.acts if act.kind is Act.INFORM}
    promises = {act.detail for act in rules.acts if act.kind is Act.PROMISE}
    free = [k for k in range(len(context.rooms)) if k >= len(context.open) or context.open[k]]
    asked = ("?", "？")
    row = [
        Act.CLOSE in kinds, (Act.CLOSE, "walk") in details, Act.SOOTHE in kinds, (Act.ASK, "price") in details,
        (Act.ASK, "reason") in details, (Act.ASK, "confirm") in details, Act.GREET in kinds,
        bool(promises - world.PROMISES.keys()), bool(promises & world.PROMISES.keys()),
        (Act.INFORM, "insult") in details, (Act.INFORM, "upset") in details, (Act.INFORM, "objection") in details,
        Tactic.PRESSURE in tactics, bool(tactics - {Tactic.PRESSURE, Tactic.NONE}),
        any(act.kind in _OFFERS for act in rules.acts),
        any(act.kind in _TAKES and act.force is Force.FIRM for act in rules.acts),
        (Act.REJECT, "hold") in details, (Act.REJECT, "final") in details, (Act.REJECT, "retract") in details,
        Act.OFF_TOPIC in kinds, any(mark in text for mark in asked), text.rstrip().endswith(asked),
        any(mark in context.heard for mark in asked), not context.heard, min(1.0, len(rules.words) / 60.0),
        context.speaker == "agent", not free, len(free) == 1, any(context.fresh), any(context.pending),
        any(quote is not None for quote in context.quotes), any(bid is not None for bid in context.bids),
    ]  # fmt: skip
    return np.asarray(row, dtype=np.float32)


def _names(act: DialogueAct, k: int, value: float) -> bool:
    """Whether an act names this very figure for ticket ``k``."""
    return act.ticket == k and act.price is not None and abs(act.price - value) < _LITERAL


def _read_by_rules(k: int, context: Context, rules: Reading) -> list[bool]:
    """Say what the rules read about ticket ``k``; what names no ticket is about those whose figure is fresh."""
    fresh = (k < len(context.fresh) and context.fresh[k]) or context.speaker == "manager"
    acts = [
        a
        for a in rules.acts
        if a.ticket == k or (a.ticket is None and fresh and (k >= len(context.open) or context.open[k]))
    ]
    takes = [a.force for a in acts if a.kind in _TAKES]
    return [
        Force.FIRM in takes,
        any(force in ASKED_BACK for force in takes),
        any(force is not Force.FIRM and force not in ASKED_BACK for force in takes),
        any(a.kind in _OFFERS for a in acts),
        any(a.kind is Act.REJECT and a.detail in ("", "hold") for a in acts),
        any(a.kind is Act.REJECT and a.detail == "final" for a in acts),
        any(a.kind is Act.REJECT and a.detail == "retract" for a in acts),
        any(a.kind is Act.ASK for a in acts),
        any(a.kind is Act.CLOSE for a in rules.acts),
    ]


def _mention_features(
    low: str, m: int, mention: Mention, mentions: tuple[Mention, ...], context: Context, heard: set[float]
) -> list[float]:
    """Describe a mention by itself."""
    start, end = mention.start, mention.end
    return [
        float(_PERCENT.match(low, end) is not None), float(_ORDINAL.match(low, end) is not None),
        float(_CURRENCY_BEFORE.search(low[max(0, start - 5) : start]) is not None
              or _CURRENCY_AFTER.match(low, end) is not None),
        float(_UNIT_AFTER.match(low, end) is not None), float(mention.value in heard),
        float(m == 0), float(m == len(mentions) - 1), float(low.find("?", end) >= 0), float(context.net),
        float(mention.value == 0.0), float(mention.value < 100.0), float(context.speaker == "agent"),
    ]  # fmt: skip


def _about(text: str, mentions: tuple[Mention, ...], context: Context, rules: Reading) -> Floats:
    """Describe each ticket."""
    count = len(context.rooms)
    out = np.zeros((count, TICKET_FEATURES), dtype=np.float32)
    named = {k for _, k in rooms_named(text, context.rooms)}
    values = [m.value for m in mentions]
    for k in range(count):
        quote, bid, keep = context.quotes[k], context.bids[k], 1.0 - context.commissions[k]
        row = [
            quote is not None, bid is not None, k < len(context.open) and context.open[k],
            k < len(context.fresh) and context.fresh[k], k < len(context.pending) and context.pending[k],
            count > 1, k in named, bool(named), k in named and len(named) == 1,
            quote is not None and any(_near(v, quote) or _near(v, quote * keep) for v in values),
            bid is not None and any(_near(v, bid) or _near(v, bid * keep) for v in values),
            bool(values), "?" in text or "？" in text, context.speaker == "agent", context.net,
            quote is not None and _near(quote, bid), *_read_by_rules(k, context, rules),
            quote is not None and _near(quote, context.selling[k]), not any(k2 != k and q is not None
                                                                            for k2, q in enumerate(context.quotes)),
        ]  # fmt: skip
        out[k, : len(row)] = row
    return out
