"""Claims that are sums: "275 seven times is 1,925", "7,000 over twelve is 583.33", "250 to you is 284 on the page"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Final

from negotiation_env.language.claims.houses import House
from negotiation_env.language.claims.talk import Claim, Talk
from negotiation_env.language.numerals import Number

# In these patterns every number of a message is one #; the last # is the result that is held against the others.
_IS: Final = r"(?: (?:is|are|makes?|comes? to|gives|equals|would be)|,? that's|,? which is| ?=|就是|是)"
_NIGHT: Final = r"(?:(?: a| per| the| each)? nights?|晚|夜)"
_PRODUCT: Final = re.compile(
    rf"#(?: nights?| yuan| rooms?)?(?: ?(?:times|x|×|乘以?)(?: a)? ?#(?: nights?| yuan)?){{1,3}}{_IS} ?#"
    rf"|# # times{_IS} ?#"
)
_COUNT_AT: Final = re.compile(rf"#(?: [a-z]+){{0,3}} at #(?: each| apiece)?{_IS} ?#")
_QUOTIENT: Final = re.compile(
    rf"#(?: yuan)? (?:over|for|divided by|across|spread over) (?:the )?#{_NIGHT}?{_IS}(?: about| roughly)? ?#"
    rf"|#除以?#{_IS} ?#"
)
_RATE: Final = re.compile(
    rf"#(?: yuan)?(?: for the (?:stay|lot|whole))?(?: [a-z]+)?{_IS} ?#"
    r"(?= (?:a|per|the|each) night| each\b| apiece|一晚)"
)
_PERCENT_OFF: Final = re.compile(
    rf"(?<!plus )(?<!minus )(?<!less )# ?(?:%|per ?cent)(?: off)?{_IS} ?#(?! ?(?:%|per ?cent|nights?|people))"
)
_PERCENT_OF: Final = re.compile(
    rf"# ?(?:%|per ?cent) (?:of|on) (?:the )?#{_IS}(?: about| roughly| around| some)? #(?! ?(?:%|per ?cent|nights?))"
)
_OFF: Final = re.compile(rf"# (?:yuan )?off #{_IS} ?#(?! ?(?:%|per ?cent))")
_OFF_ROOM: Final = re.compile(
    r"(?<![%#] )# (?:yuan )?off(?: the [a-z]+| it| that)?,? (?:so )?(?:that's|that is|makes|is|=) ?#(?! ?%)"
)
_PLUS: Final = re.compile(rf"# ?(?:plus|\+|加) ?#(?: ?%| per ?cent)?{_IS} ?#")
_MINUS: Final = re.compile(rf"# ?(?:minus|less|减) ?#(?: ?%| per ?cent)?{_IS} ?#")
_TO_PAGE: Final = re.compile(
    rf"#(?: net| to you| in (?:the|your|his|her) (?:hand|pocket|purse|till))(?: for the [a-z]+)?"
    rf"(?:{_IS}|,? that'd be|,? that would be| means| needs| takes) ?#"
    r"(?=(?: yuan)? (?:on the (?:page|site|screen)|selling|gross|for the guest|to the guest))"
)
_FROM_PAGE: Final = re.compile(r"# selling(?: price)?,? (?:and |or |so )?#(?= net| to you)")
"""A selling price and what it is said to leave the hotel."""
_LEAVES: Final = re.compile(r"# leaves(?: [a-z]+){0,2}? #(?! ?(?:%|per ?cent|nights?|rooms?))")
_OF_THAT: Final = re.compile(
    r"#(?: [a-z]+){0,3},? (?:and |so )?# of (?:that|it) (?:is|are|stays?) (?:yours|with you)\b"
)
"""A selling price and what is said to be left of it."""
_STAY: Final = re.compile(
    r"(?<!over )(?<!for )(?<!across )(?<!the )# (?:nights|mornings)(?: of (?:it|that|them))?"
    r"(?: comes? to| costs?| is| are| makes?) #"
    r"|\b(?:full run|whole (?:run|stay|stretch|block))(?: (?:of|for|in) the [a-z]+)?(?: is| comes to| makes|,) #"
)
"""What all nights of a stay are said to come to."""
_BELOW: Final = re.compile(
    r"#(?: (?:on|for) [a-z ]{1,20})?(?: is|'s|,? which is|,? that's|,) # (?:yuan )?(?:off|below|under|less than|"
    r"short of) (?:the |your |today's |its )(?:(?:usual|old|present|own|current) )?(?:price|rate|#)"
)
_BETWEEN: Final = re.compile(r"#[^#.;?!]{0,40}#[^#.;?!]{0,16}\bthe # (?:yuan )?(?:in )?between\b")
"""How far two prices are said to be apart."""
_TYPE: Final = (
    r"(?:(?: (?:on|in|to|for|at))?(?: (?:the|your|my|his|her))?"
    r" (?:entered|shown|clean|net|selling|gross|staying|hand|guest|page|window|till|you))"
)
_AS_OTHER: Final = re.compile(
    rf"#{_TYPE}{{1,2}}(?: is| makes| means| =|, that's|就是) #(?! ?(?:%|per ?cent|under|over|below|above))"
    rf"|(?<=, )# is #(?=[.;?!]|$)"
)
"""A price of one type and the same of the other: "280 in hand is 350 for the guest, 284 is 355"."""
_IS_OTHER: Final = (0.7, 1.42)
"""What a price of one type may be of that of the other."""
_REST: Final = re.compile(r"# (?:[a-z]+ )?(?:out )?of (?:your |the )?#(?: [a-z]+){0,4},? so #(?! ?(?:%|per ?cent))")
"""How many of some, and how many that leaves."""


def sum_claims(talk: Talk, houses: Sequence[House]) -> list[Claim]:
    """Return a claim for each result of a sum; true within a yuan or what rounding to a yuan can move."""
    # "grand" is a thousand, and not in the Grand Willow.
    numbers = [n for n in talk.numbers if not any(house.start <= n.start < house.end for house in houses)]
    if len(numbers) < 2:
        return []
    skeleton, places = _skeleton(talk.low, numbers)
    keeps = sorted({1.0, *(1.0 - ticket.commission for ticket in talk.card.tickets)})
    nights = {float(ticket.nights) for ticket in talk.card.tickets}
    nights |= {value for value in (*talk.earlier_values, *(n.value for n in numbers)) if 2 <= value <= 31}
    known = {*talk.earlier_values, *(float(ticket.selling_price) for ticket in talk.card.tickets)}
    known |= {number.value for number in numbers if number.value >= 100}
    rates = {n.value for n in numbers if n.value >= LOWEST_RATE}
    rates |= talk.standing
    stays = [float(ticket.nights) for ticket in talk.card.tickets]
    claims: list[Claim] = []
    for pattern, kind, results in (
        (_PRODUCT, "total", lambda v: [prod(v) * keep for keep in keeps]),
        (_COUNT_AT, "total", lambda v: [v[0] * v[1] * keep for keep in keeps] if v[0] >= 2 else []),
        (_QUOTIENT, "total", lambda v: _shares(v[0], v[1], keeps)),
        (_RATE, "total", lambda v: [v[0] / count for count in nights] if v[0] >= 200 else []),
        (_PLUS, "total", lambda v: [v[0] + v[1], v[0] * (1.0 + v[1] / 100.0)]),
        (_MINUS, "total", lambda v: [v[0] - v[1], v[0] * (1.0 - v[1] / 100.0)]),
        (_OFF, "total", lambda v: [v[1] - v[0], v[1] * (1.0 - v[0] / 100.0)]),
        (_PERCENT_OFF, "total", lambda v: [value * part / 100.0 for value in known for part in (v[0], 100.0 - v[0])]),
        (_OFF_ROOM, "total", lambda v: _less(known, v[0])),
        (_PERCENT_OF, "total", lambda v: [v[0] * v[1] / 100.0]),
        (_TO_PAGE, "net-price", lambda v: [v[0] / keep for keep in keeps if keep < 1.0]),
        (_LEAVES, "net-price", lambda v: [v[0] * keep for keep in keeps if keep < 1.0]),
        (_OF_THAT, "net-price", lambda v: [v[0] * keep for keep in keeps if keep < 1.0]),
        (_STAY, "total", lambda v: [r * n * keep for r in rates for n in v[:1] or stays for keep in keeps]),
        (_FROM_PAGE, "net-price", lambda v: [v[0] * keep for keep in keeps if keep < 1.0]),
        (_AS_OTHER, "net-price", lambda v: [p for keep in keeps if keep < 1.0 for p in (v[0] * keep, v[0] / keep)]),
        (_REST, "total", lambda v: [v[1] - v[0], v[0]] if 0 < v[0] < v[1] < 400 else []),
    ):  # fmt: skip
        claims += _checked(talk, numbers, (skeleton, places), pattern, kind, results)
    return claims + _gap_claims(talk, numbers, (skeleton, places)) + _fen_claims(talk, numbers)


def _fen_claims(talk: Talk, numbers: Sequence[Number]) -> list[Claim]:
    """Return the claims that a figure with fen is what a price before it leaves: "435 gives 382.80"."""
    claims: list[Claim] = []
    keeps = {1.0 - ticket.commission for ticket in talk.card.tickets}
    for place, number in enumerate(numbers):
        if number.value == int(number.value) or number.value < LOWEST_RATE or talk.was_said(number.value, 0.06):
            continue
        prices = [other.value for other in (*numbers[:place], *numbers[place + 1 :]) if other.value >= LOWEST_RATE]
        left = [price * keep for price in prices for keep in keeps]
        known = {*prices, *talk.standing, *(float(ticket.selling_price) for ticket in talk.card.tickets)}
        other = {value for p in known for keep in keeps for value in (p * keep, p - p * keep, p / keep)}
        left += [value for value in other if abs(value - number.value) <= 0.06]
        truth = min(left, key=lambda value: abs(value - number.value), default=0.0)
        if abs(truth - number.value) <= NEARLY * number.value:
            true = abs(truth - number.value) <= 0.06
            claims.append(talk.claim("net-price", number, number.value, round(truth, 2), true))
    return claims


NEARLY: Final = 0.05
"""Share of a figure within which it is meant to be another one."""


def _gap_claims(talk: Talk, numbers: Sequence[Number], text: tuple[str, dict[int, int]]) -> list[Claim]:
    """Return a claim for each number that is said to lie between two prices: "396 is 32 off the usual 428"."""
    skeleton, places = text
    listed = {float(ticket.selling_price) for ticket in talk.card.tickets}
    claims: list[Claim] = []
    for pattern, gap in ((_BELOW, 1), (_BETWEEN, 2)):
        for match in pattern.finditer(skeleton):
            first = places[match.start()]
            values = [number.value for number in numbers[first : first + match[0].count("#")]]
            said, ends = values.pop(gap), values
            others = ends[1:] or [value for value in (*listed, *talk.earlier_values) if value > ends[0]]
            if ends[0] >= LOWEST_RATE and others:
                truth = min((abs(other - ends[0]) for other in others), key=lambda value: abs(value - said))
                at = numbers[first + gap]
                claims.append(talk.claim("total", at, said, truth, abs(truth - said) <= 1.01))
    return claims


LOWEST_RATE: Final = 60.0
"""Yuan of the lowest figure that is a rate."""


def _less(known: Iterable[float], off: float) -> list[float]:
    """Return what "40 off the twin" may come to: of each known figure so much less, in yuan or in percent."""
    return [less for value in known if value > 2.0 * off for less in (value - off, value * (1.0 - off / 100.0))]


def _shares(total: float, count: float, keeps: Sequence[float]) -> list[float]:
    """Return what "7,000 for twelve is" may go on with: each one's share, or the product if the first is the rate."""
    return [value * keep for value in (total / count, total * count) for keep in keeps] if count >= 2 else []


def _checked(talk: Talk, numbers: Sequence[Number], text: tuple[str, dict[int, int]], pattern: re.Pattern[str],
             kind: str, results: Callable[[list[float]], list[float]]) -> list[Claim]:  # fmt: skip
    """Return a claim for each place where a pattern's last number should be one of the results of those before it."""
    skeleton, places = text
    claims: list[Claim] = []
    for match in pattern.finditer(skeleton):
        first = places[skeleton.index("#", match.start())]
        *parts, said = numbers[first : first + match[0].count("#")]
        found = results([part.value for part in parts])
        if found:
            truth = min(found, key=lambda value: abs(value - said.value))
            price = parts[0].value if parts else 0.0
            if pattern is _STAY and said.value < 1.5 * max(t.selling_price for t in talk.card.tickets):
                continue  # no sum over nights
            if kind == "net-price" and not (price > 0.0 and _IS_OTHER[0] < said.value / price < _IS_OTHER[1]):
                continue  # no price of the other type
            true = abs(truth - said.value) <= max(1.01, abs(truth) * 0.002)
            claims.append(talk.claim(kind, said, said.value, round(truth, 2), true))
    return claims


def _skeleton(low: str, numbers: Iterable[Number]) -> tuple[str, dict[int, int]]:
    """Return a text with each number as one #, and which number stands at each #."""
    parts: list[str] = []
    places: dict[int, int] = {}
    at = length = 0
    for index, number in enumerate(numbers):
        if number.start < at:
            continue
        between = low[at : number.start].replace("#", " ")
        parts += [between, "#"]
        length += len(between) + 1
        places[length - 1] = index
        at = number.end
    return "".join([*parts, low[at:].replace("#", " ")]), places
