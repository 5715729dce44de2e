"""Figures that are only said as a step from one's own last bid, or from the other side's figure.

"I'll add 8 to my last offer", "my bid goes up twenty", "you'd have to add 25 to your bid", "trim both rates by a
dozen". Looked for where a message names no figure else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.language.clauses import Part
from negotiation_env.language.lexicon import STOPS
from negotiation_env.language.numerals import find_english_numbers
from negotiation_env.language.offers import Offer
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import Price, PriceKind
from negotiation_env.language.reading import Context
from negotiation_env.language.stances import negated

_STEPS: Final = word_set("add adding up more higher trim minus plus raise raising lift top")
_BIDS: Final = word_set("bid bids offer offers figure figures number numbers price last")
_MINE: Final = (("my",), ("our",), ("mine",))
_YOURS: Final = (("your",), ("yours",), ("the",), ("both",))
_RAISING: Final = frozenset(("raise", "raising", "lift"))
_FROM_US: Final = (("from", "us"), ("from", "me"))
_MOVING: Final = word_set("come go goes move moves moving coming going step")
_GIVING: Final = word_set("do give go manage offer stretch put find")
_ENDS: Final = STOPS | word_set("on for to from a per each please and if then but would could")
_UNITS: Final = word_set("yuan rmb")
_LARGEST: Final = 0.35
"""Of the figure that a step starts from."""


def steps_of(parts: Sequence[Part], context: Context) -> list[Offer]:
    """Return the figures that a message reaches by a step, for the tickets that have one to start from."""
    found: list[Offer] = []
    for part in parts:
        words = part.tokens[part.clause.start : part.clause.end]
        if _STEPS.isdisjoint(words) or part.prices:
            continue
        for at in range(part.clause.start, part.clause.end):
            number = _number(part, at)
            if number is None:
                continue
            value, end = number
            sign = _sign(part, at, end, context.speaker)
            if sign and not negated(part, at):
                found += _offers(part, at, sign * value, context)
                break
    return found


def _number(part: Part, at: int) -> tuple[float, int] | None:
    """Return the number that begins at a token, and the token after it and its unit."""
    tokens = part.tokens[at : min(at + 3, part.clause.end)]
    if tokens[:2] == ("a", "dozen"):
        return 12.0, at + 2
    if tokens[0].isdecimal() and len(tokens[0]) <= 3:
        value, size = float(tokens[0]), 1
    else:
        said = find_english_numbers(" ".join(tokens))
        if not said or said[0].start != 0:
            return None
        value, size = said[0].value, len(" ".join(tokens)[: said[0].end].split())
    end = at + size
    return value, end + (end < part.clause.end and part.tokens[end] in _UNITS)


def _sign(part: Part, at: int, end: int, speaker: str) -> int:
    """Return 1 for a step up from the agent's bid, -1 for one down from the hotel's figure, 0 for neither."""
    tokens, clause = part.tokens, part.clause
    before, after = tokens[clause.start : at], tokens[end : clause.end]
    whose = _YOURS if speaker == "manager" else _MINE
    if before[-1:] in (("add",), ("adding",)) and after[:1] == ("to",):
        return int(after[1:2] in whose and not _BIDS.isdisjoint(after))
    if after[:3] == ("on", "top", "of"):  # "ten on top of my bid"
        return int(after[3:4] in whose and not _BIDS.isdisjoint(after))
    if after[:1] in _BEYOND:
        return int(speaker == "agent" and _is_more(part, before, after))
    if after and after[0] not in _ENDS:
        return 0
    if speaker == "manager":
        return 0
    up = before[:-1] if before[-1:] == ("another",) else before
    if clause.person == "i" and up[-1:] == ("by",) and not _RAISING.isdisjoint(up):
        return 1
    up = up[:-1] if up[-1:] == ("by",) else up
    mine = clause.person == "i" or (up[:1] in _MINE and not _BIDS.isdisjoint(up))
    if up[-1:] == ("up",):
        return int(mine and not _MOVING.isdisjoint(up[-3:]))
    if up[-1:] == ("plus",):
        return int(up[:1] in _MINE and not _BIDS.isdisjoint(up))
    if up[-1:] == ("add",) and not after:
        return int(clause.person == "i")
    if before == ("minus",):
        return -int(after[:1] == ("from",) and after[1:2] in _YOURS)
    trimmed = before[:1] == ("trim",) and before[1:2] in _YOURS and before[-1] == "by"
    return -int(trimmed)


_BEYOND: Final = (("more",), ("higher",))


def _is_more(part: Part, before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether "ten more", "20 higher" is what the agent gives: "I could do ten more", "ten more on each"."""
    ends = len(after) == 1 or after[1] in _ENDS
    if part.clause.person == "i":
        return ends and not _GIVING.isdisjoint(before[-2:])
    each = not before and after[1:3] in (("on", "each"), ("on", "both"))
    return each or (after[1:3] in _FROM_US and len(before) <= 2)


def _offers(part: Part, at: int, step: float, context: Context) -> list[Offer]:
    """Return the figures of the tickets that a step is for; the price stands in the clause as if it had been said."""
    found: list[Offer] = []
    for k in _tickets(part, at, context):
        base = context.bids[k] if step > 0 else context.quotes[k]
        if base is None or abs(step) > _LARGEST * base:
            continue
        cut = 1.0 - context.commissions[k] if context.net else 1.0
        value = float(round(base * cut + step))
        price = Price(PriceKind.AMOUNT, value, context.net, False, False, 0, 0)
        part.prices.append((at, price))
        found.append(Offer(value, context.net, value / cut, k, price, part, False))
    return found


def _tickets(part: Part, at: int, context: Context) -> Sequence[int]:
    """Return the tickets that a step is for: the room named with it, all where all are, else the only open one."""
    rooms = [room for place, room in part.rooms if place > at] or [room for _, room in part.rooms]
    if rooms:
        return sorted(rooms[0])
    free = [k for k, is_open in enumerate(context.open[: len(context.rooms)]) if is_open]
    every = "all" in part.senses or "each" in part.tokens[at : part.clause.end]
    return free if len(free) == 1 or every else ()
