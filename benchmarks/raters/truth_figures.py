"""Are the figures in a reply true? Percentages, the competitor's price, which way demand goes, net and selling prices.

A figure is held against the card and the talk only where the sentence says what it is of. A figure that is asked for
is a bid and states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from benchmarks.checks.scene import BIDS
from benchmarks.raters.rating import Finding, Skill
from benchmarks.raters.said_numbers import SaidNumber, numerals, said_days
from benchmarks.raters.situation import RatedSituation
from benchmarks.raters.truth_dates import LIKELY, SURE, sentences
from negotiation_env.game.scenario import further_figures
from negotiation_env.play.records import TurnRecord

_UP: Final = (
    r"up|higher|more|ris\w+|rose|risen|above|climb\w*|grow\w*|grew|extra|plus|gains?|lifts?|stronger|busier|increas\w*|"
    r"over last|warmer|ahead"
)
_DOWN: Final = (
    r"down|lower|fewer|less|falls?|fell|fallen|falling|below|drop\w*|under|off|minus|softer|weaker|quieter|thinner|"
    r"declin\w*|decreas\w*|slower|slip\w*|short of|missing|behind|cooler|sink\w*|sank"
)
_TREND: Final = re.compile(
    rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b|(?P<more>[多涨升增高旺])|(?P<fewer>[少跌降减低落冷淡])(?!了?解)"
)
_DEMAND: Final = re.compile(
    r"\b(?:demand|search\w*|people look\w*|looking for|look for|interest|queries|enquir\w+|travell?ers|visitors)\b"
    r"|搜|需求|客流|人气"
)
_FAMILIES: Final = {
    "exposure": re.compile(r"\b(?:exposure|visib\w+|views?|impressions|eyes|seen|shown|noticed|traffic|clicks?)\b"),
    "conversion": re.compile(
        r"\b(?:conver\w+|booking rate|order rate|who look|that look|of those|lookers|more bookings|book more)\b"
    ),
    "demand": _DEMAND,
}
_OFFER: Final = re.compile(r"^\s*(?:off|less on|discount|cut|reduction|cheaper|commission|of (?:it|that|the rate))\b")
_OF_OWN: Final = re.compile(r"\b(?:full|sold|occup\w+|empty|booked|taken|filled|house|rooms? (?:sold|taken))\b")
# Each text has one way to match: with two ways for a comma, a row of words that does not match takes for ever.
_RIVAL_ASKS: Final = re.compile(
    r"\s*(?:'s)?\s*(?:[:,]\b)?"
    r"(?:(?:is|stands|sits|sells|asks|shows|has|offers|goes|lists|charges|starts|runs|hangs|wants|takes|"
    r"lets|still|now|today|just|currently|already|for|a|an|its|similar|room|rooms|king|twin|suite|double|queen|executive|"
    r"next|door|here|up|comparable|the|this|that|week|one|theirs|in|out|there|same|at|@|=|rate|price|of|on|"
    r"with|it|and|hotel|inn|court|house)\b[ ,:]*)*(?:at |for |@ ?|: ?|= ?|¥ ?)?$"
)
_NET: Final = re.compile(
    r"\bnets?\b|\bin (?:the|your) (?:hand|pocket|purse|till|ledger|account)\b|\binto your (?:hand|pocket|account)|"
    r"\b(?:you|you'd|would) keep \d|\byou get \d|\bafter (?:our|the) (?:share|commission|cut)\b|\btake-?home\b"
)
_SELLING: Final = re.compile(
    r"\bselling\b|\bon (?:the|your) (?:page|screen|site)\b|\bguest(?:'s)? price\b|\bfor the guests?\b|\bto the guest\b|"
    r"\bguests? (?:pays?|sees?|would pay|will see|would see)\b|\bas the guest\b|\boutside\b|\bgross\b|\bshown?\b"
)


def wrong_figures(now: RatedSituation, plain: str) -> Iterator[Finding]:
    """Yield what a reply, given in small letters, states wrongly in figures."""
    found = numerals(plain)
    if not found:
        return
    clauses = _clauses(plain)
    for number in found:
        start, end = next(((s, e) for s, e in clauses if s <= number.span[0] < e), (0, len(plain)))
        if number.percent:
            yield from _wrong_share(
                now, plain, number, start, end, sum(n.percent and start <= n.span[0] < end for n in found)
            )
        elif number.value >= 60:
            yield from _wrong_rival(now, plain, number, start)
    yield from _wrong_types(now, plain, found)
    yield from _wrong_kept(now, plain, found)
    yield from _wrong_retold(now, plain, found)
    yield from _wrong_trend(now, plain, found)


def _clauses(plain: str) -> list[tuple[int, int]]:
    edges = [
        0,
        *(m.end() for m in re.finditer(r"[.!?;\n](?!\d)|,? but |, and (?=[a-z]+ (?:is|are|sells|stands|has))", plain)),
        len(plain),
    ]
    return list(pairwise(edges))


def _wrong_share(
    now: RatedSituation, plain: str, number: SaidNumber, start: int, end: int, count: int
) -> Iterator[Finding]:
    """A percentage of what the sentence names, or of nothing."""
    facts, value = now.card.facts, number.value
    true = {"exposure": facts.exposure, "conversion": facts.conversion, "demand": abs(facts.demand)}
    told = {v for v, percent in further_figures(facts) if percent} | now.figures
    if value in told or _OFFER.match(plain[number.span[1] :]):
        return
    known = {*map(float, true.values()), *(round(100 * t.commission, 1) for t in now.card.tickets)}
    occupied = 100 * now.card.hotel.occupancy
    text = plain[start:end]
    if _OF_OWN.search(text) and min(abs(value - occupied), abs(100 - value - occupied)) <= 1.01:
        return
    families = [name for name, pattern in _FAMILIES.items() if pattern.search(text)]
    if count == 1 and len(families) == 1 and abs(value - true[families[0]]) > 0.51:
        yield Finding(
            "wrong_fact",
            SURE,
            f"gives {value:g}% of {families[0]}, the card says {true[families[0]]}%",
            Skill.WORKFLOW,
            number.span,
        )
        return
    near = {occupied, 100.0 - occupied, *_computed_shares(now, plain)}
    if 0.0 < value < 100.0 and value not in known and not any(abs(value - part) <= 1.01 for part in near):
        reason = f"says {value:g}%, which comes from nowhere"
        yield Finding("unfounded_figure", SURE, reason, Skill.WORKFLOW, number.span)


def _computed_shares(now: RatedSituation, plain: str) -> list[float]:
    """Percentages that one figure of the talk is of another."""
    prices = [n.value for n in numerals(plain) if not n.percent]
    prices += [t.selling_price for t in now.card.tickets] + list(now.standing.quotes.values())
    prices += [now.card.facts.competitor_price]
    return [100.0 * part / b for a in prices for b in prices if b > 0 and a != b for part in (a, abs(a - b))] + [
        100.0 - 100 * t.commission for t in now.card.tickets
    ]


def _wrong_trend(now: RatedSituation, plain: str, found: tuple[SaidNumber, ...]) -> Iterator[Finding]:
    """The card's change of demand, told the wrong way round."""
    facts = now.card.facts
    change = abs(facts.demand)
    if not change:
        return
    for number in found:
        if number.value != change or not (number.percent or _DEMAND.search(plain)):
            continue
        start = max(plain.rfind(mark, 0, number.span[0]) for mark in ".!?;\n。！？；，") + 1
        end = min(
            (p for mark in ".!?;\n。！？；，" if (p := plain.find(mark, number.span[1])) >= 0), default=len(plain)
        )
        text = plain[start:end]
        asked = _DEMAND.search(text) is not None
        if not (asked or number.percent) or (change in (facts.exposure, facts.conversion) and not asked):
            continue
        sign = re.search(r"(?:^|[ (:])([+-]|plus |minus )$", plain[: number.span[0]])
        if sign and (sign[1] in ("+", "plus ")) != (facts.demand > 0):
            yield Finding(
                "wrong_fact", SURE, f"turns demand round, which changes by {facts.demand}%", Skill.WORKFLOW, number.span
            )
            return
        near = [
            (
                min(abs(m.start() + start - number.span[1]), abs(number.span[0] - m.end() - start)),
                bool(m["up"] or m["more"]),
            )
            for m in _TREND.finditer(text)
            if not (m.start() + start < number.span[1] and m.end() + start > number.span[0])
        ]
        near = [(distance, up) for distance, up in near if distance <= 32]
        if (
            near
            and min(near)[1] != (facts.demand > 0)
            and not re.search(r"\b(?:not|if|instead of|isn't|no)\b", text[:40])
        ):
            yield Finding(
                "wrong_fact", SURE, f"turns demand round, which changes by {facts.demand}%", Skill.WORKFLOW, number.span
            )
            return


def _wrong_rival(now: RatedSituation, plain: str, number: SaidNumber, start: int) -> Iterator[Finding]:
    """The competitor's price: its name, a verb of asking, a figure."""
    facts = now.card.facts
    words = facts.competitor_name.lower().split()
    place = plain.rfind(words[0], max(0, start), number.span[0])
    if place < 0 or abs(number.value - facts.competitor_price) <= 1.01:
        return
    rest = plain[place + len(words[0]) : number.span[0]]
    for word in words[1:]:
        rest = rest.replace(word, "", 1)
    if len(rest) <= 60 and _RIVAL_ASKS.fullmatch(rest) and number.value not in now.hotel_figures:
        reason = f"gives {number.value:g} for the competitor, the card says {facts.competitor_price}"
        yield Finding("wrong_fact", SURE, reason, Skill.WORKFLOW, number.span)


def _wrong_types(now: RatedSituation, plain: str, found: tuple[SaidNumber, ...]) -> Iterator[Finding]:
    """Prices that are known as net called selling, or the other way round, in a sentence that names one type."""
    sold, kept = set[int](), set[int]()
    for k, ticket in enumerate(now.card.tickets):
        for price in (now.standing.quotes.get(k), now.standing.bids.get(k), float(ticket.selling_price)):
            if price is not None:
                sold.add(round(price))
                kept.add(round(price * (1.0 - ticket.commission)))
    for start, end in sentences(plain):
        net, selling = _NET.search(plain, start, end), _SELLING.search(plain, start, end)
        if (net is None) == (selling is None) or re.search(r"\b(?:or|not|which|whether|nobody)\b", plain[start:end]):
            continue
        prices = [n for n in found if start <= n.span[0] < end and n.value >= 100 and not n.percent]
        own, other = (kept, sold) if net else (sold, kept)
        wrong = [n for n in prices if _near(n, other) and not _near(n, own)]
        if wrong and not any(_near(n, own) for n in prices):
            kind = "net" if net else "a selling price"
            yield Finding(
                "type_mixed_up",
                LIKELY,
                f"calls {wrong[0].value:g} {kind}, which it is not",
                Skill.WORKFLOW,
                wrong[0].span,
            )


def _wrong_kept(now: RatedSituation, plain: str, found: tuple[SaidNumber, ...]) -> Iterator[Finding]:
    """What is said to be kept of a price: it has to be the price less the commission."""
    for match in _KEPT.finditer(plain):
        kept = next((n for n in found if n.span[0] == match.end()), None)
        start = max(plain.rfind(mark, 0, match.start()) for mark in ".!?;\n") + 1
        before = [n for n in found if start <= n.span[0] < match.start() and n.value >= 100 and not n.percent]
        if kept is None or kept.value < 100 or not before:
            continue
        right = {before[-1].value * (1.0 - t.commission) for t in now.card.tickets}
        if abs(kept.value - before[-1].value) <= 1.01 and not any(abs(kept.value - x) <= 1.6 for x in right):
            reason = f"says that {kept.value:g} is kept of {before[-1].value:g}"
            yield Finding("type_mixed_up", SURE, reason, Skill.WORKFLOW, kept.span)


_KEPT: Final = re.compile(r"\b(?:you|you'd|would) (?:would )?(?:keep|leave you|get|have|hold)(?: about| some)? ")


def _near(number: SaidNumber, prices: set[int]) -> bool:
    return any(abs(number.value - price) <= 1.01 for price in prices)


def _wrong_retold(now: RatedSituation, plain: str, found: tuple[SaidNumber, ...]) -> Iterator[Finding]:
    """A number of things that the hotel has just given another number of: "four no-shows" for its two."""
    heard = {w: n.value for n in numerals(now.heard.plain) if (w := _thing(now.heard.plain, n))}
    nights = {float(t.nights) for t in now.card.tickets}
    for number in found:
        thing = _thing(plain, number)
        if (
            thing in heard
            and number.value not in now.figures | nights
            and 1 < number.value < 100
            and not number.ordinal
        ):
            yield Finding(
                "wrong_fact",
                LIKELY,
                f"says {number.value:g} {thing}, the hotel said {heard[thing]:g}",
                Skill.WORKFLOW,
                number.span,
            )


def turned(now: RatedSituation, record: TurnRecord, plain: str) -> Iterator[Finding]:
    """Figures that nobody said and that are one of the card's or of the hotel's with its digits in another order."""
    facts, found = now.card.facts, numerals(plain)
    said = {n.value for n in found}
    known = {float(x) for x in (facts.exposure, facts.conversion, abs(facts.demand), facts.competitor_price)}
    known |= {
        float(round(100 * now.card.hotel.occupancy)),
        *(float(round(100 * t.commission)) for t in now.card.tickets),
    } | {n.value for n in numerals(now.heard.plain)}
    prices = {act.price for act in record.acts} | _known(now, record)
    for number in found:
        value = number.value
        if (
            (value < 32 and not number.percent)
            or value != int(value)
            or value in now.figures | known
            or number.ordinal
            or value in prices
        ):
            continue
        if any(
            sorted(str(int(x))) == sorted(str(int(value))) and x not in said for x in known if x == int(x) and x >= 12
        ):
            yield Finding(
                "wrong_fact", LIKELY, f"says {value:g}, which turns a figure round", Skill.WORKFLOW, number.span
            )


_NO_THINGS: Final = ("nights", "weeks", "hours", "minutes", "percents", "yuans")
"""Plurals that are no things of the hotel's: a stay has its own check, and a delay may differ from the hotel's."""


def _thing(plain: str, number: SaidNumber) -> str:
    match = re.match(r"[ -]([a-z]{4,}s)\b", plain[number.span[1] :])
    return match[1] if match and not number.percent and match[1] not in _NO_THINGS else ""


def untraced(now: RatedSituation, record: TurnRecord, plain: str) -> Iterator[Finding]:
    """Large figures that are no price of the talk, follow from none, and could be no bid."""
    if _ASKS_BACK.search(plain):
        return
    found = [n for n in numerals(plain) if n.value >= 60 and n.value != 100 and not n.percent]
    tops = [float(t.selling_price) for t in now.card.tickets]
    days = {d.span for d in said_days(plain)}
    known = _known(now, record)
    for number in found:
        value = number.value
        if number.span in days or value in now.figures or 2020 <= value <= 2035 or _OFF.match(plain[number.span[1] :]):
            continue
        if _IN_NAME.search(plain[: number.span[0]]) or any(abs(value - x) <= 1.01 for x in known):
            continue
        if 0.45 * min(tops) <= value <= max(tops):
            continue  # it may be a bid
        others = {n.value for n in found if n is not number} | known
        if not any(_follows(value, x, others, now) for x in others):
            yield Finding(
                "unfounded_figure", SURE, f"says {value:g}, which comes from nowhere", Skill.WORKFLOW, number.span
            )


def _known(now: RatedSituation, record: TurnRecord) -> set[float]:
    """Return the prices of the card, of the talk, and of the reply's own bids."""
    prices = {float(now.card.facts.competitor_price)} | {value for value, _ in further_figures(now.card.facts)}
    for k, ticket in enumerate(now.card.tickets):
        for price in (float(ticket.selling_price), now.standing.quotes.get(k), now.standing.bids.get(k)):
            if price is not None:
                prices |= {price, price * (1.0 - ticket.commission)}
    tops = [t.selling_price for t in now.card.tickets]
    for act in record.acts:
        if act.kind in BIDS and act.price is not None and 0.4 * min(tops) <= act.price <= 1.05 * max(tops):
            prices |= {
                act.price,
                *(
                    f
                    for t in now.card.tickets
                    for f in (act.price * (1.0 - t.commission), act.price / (1.0 - t.commission))
                ),
            }
    return prices


def _follows(value: float, one: float, others: set[float], now: RatedSituation) -> bool:
    """Whether a figure follows from others: a share, a stay's total, a sum or a difference."""
    for ticket in now.card.tickets:
        for part in (1.0 - ticket.commission, ticket.commission, 1.0 / (1.0 - ticket.commission)):
            if abs(value - one * part) <= 1.01:
                return True
        if any(abs(value - one * n) <= max(2.0, 0.004 * value) for n in range(2, 2 * ticket.nights + 1)):
            return True
    return any(abs(value - abs(one - other)) <= 1.01 or abs(value - one - other) <= 1.01 for other in others)


_ASKS_BACK: Final = re.compile(r"\b(?:do|did) you mean\b")
_OFF: Final = re.compile(
    r"^\W*(?:off|discount|cut|reduction|lower|less|cheaper|more|below|down|higher|difference|stars?|-star)\b"
)
_IN_NAME: Final = re.compile(
    r"\b(?:room|rooms|paragraph|number|no\.|extension|code|line|flight|bus|case|ticket|section|clause)\s*$|[a-z#-]$"
)
