"""Are the figures in a reply true? Every number is traced to the task card, to what was said, or to a bid.

Reads the text itself, so that a figure which understanding does not turn into an act is checked as well. Spelled-out
numbers are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from benchmarks.checks.scene import BIDS
from benchmarks.raters.situation import RatedSituation
from benchmarks.raters.wordlists import RaterReading, pattern_of
from negotiation_env.game.scenario import TaskCard, further_figures
from negotiation_env.play.records import TurnRecord

NUMBER: Final = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(\s?(?:%|percent\b|per cent\b))?")
_DIGIT: Final = re.compile(r"\d")
SMALL: Final = 31
"""Numbers up to this are days, nights and counts; alone they claim nothing."""
_MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
                  "november", "december")  # fmt: skip
_DATE: Final = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({'|'.join(_MONTHS)})\b|\b({'|'.join(_MONTHS)}) (\d{{1,2}})\b"
)
_NIGHTS: Final = re.compile(r"\b(\d{1,2}) nights?\b")
_OFF: Final = re.compile(
    r"^\W*(?:off|discount|cut|reduction|lower|less|cheaper|more|below|down|higher|difference|stars?|-star)\b"
)
_ASKS_BACK: Final = re.compile(r"\b(?:do|did) you mean\b")
_MONEY: Final = re.compile(r"(?:¥|rmb|cny|yuan)\s*$")
_MONEY_AFTER: Final = re.compile(r"^\s*(?:yuan|rmb|cny)\b")
_EXPOSURE: Final = pattern_of(["exposure", "visib*", "views", "impressions", "traffic"])
_CONVERSION: Final = pattern_of(["conversion*", "convert*", "booking rate*", "order rate*"])
_DEMAND: Final = pattern_of(["demand"])
_COMPETITOR: Final = pattern_of(
    ["competitor*", "competition", "next door", "similar room*", "comparable room*", "neighbour*"]
)
_CHEAPER: Final = pattern_of(["cheaper", "for less", "less", "undercut*", "sharper"])
_UP: Final = re.compile(r"\b(?:ris\w+|rose|grow\w*|up|more|climb\w*|pick\w*|increas\w*|higher)\b")
_DOWN: Final = re.compile(r"\b(?:fall\w*|fell|drop\w*|down|less|slip\w*|soften\w*|declin\w*|decreas\w*|shrink\w*)\b")
_SENTENCE: Final = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]+)*")


class Untrue(NamedTuple):
    """A figure or a fact that nothing bears out."""

    kind: str
    """"wrong_fact", "unfounded_figure" or "wrong_date"."""
    reason: str
    span: tuple[int, int]


@lru_cache(maxsize=4096)
def _card_figures(
    card: TaskCard,
) -> tuple[tuple[float, ...], tuple[float, ...], frozenset[tuple[int, int]], frozenset[int]]:
    """Return a card's percentages, prices, dates (day, month) and lengths of stay."""
    facts = card.facts
    shares = [facts.exposure, facts.conversion, abs(facts.demand), 100.0 * card.hotel.occupancy]
    shares += [100.0 * t.commission for t in card.tickets]
    prices: list[float] = [facts.competitor_price]
    for value, percent in further_figures(facts):
        (shares if percent else prices).append(value)
    days: set[tuple[int, int]] = set()
    for t in card.tickets:
        prices += [t.selling_price, t.net_price]
        days |= {(t.check_in.day, t.check_in.month), (t.check_out.day, t.check_out.month)}
    return tuple(map(float, shares)), tuple(prices), frozenset(days), frozenset(t.nights for t in card.tickets)


def untrue(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Untrue]:
    """Yield what a reply says that is not so, in order of the text."""
    shares, prices, days, nights = _card_figures(now.card)
    for piece in _SENTENCE.finditer(reading.plain):
        if _DIGIT.search(piece[0]) or _COMPETITOR.search(piece[0]):
            yield from _wrong_facts(now, piece)
    if not _DIGIT.search(reading.plain):
        return
    dated = []
    for match in _DATE.finditer(reading.plain):
        day, month = int(match[1] or match[4]), _MONTHS.index(match[2] or match[3]) + 1
        dated.append(match.span())
        if (day, month) not in days:
            yield Untrue("wrong_date", f"names {match[0]}, which is on no ticket", match.span())
    for match in _NIGHTS.finditer(reading.plain):
        if int(match[1]) not in nights:
            yield Untrue("wrong_date", f"names {match[0]}, which is on no ticket", match.span())
    known = _known_prices(now, record, prices)
    if _ASKS_BACK.search(reading.plain):
        return
    for match in NUMBER.finditer(reading.plain):
        if any(start <= match.start() < end for start, end in dated):
            continue
        value = float(match[1].replace(",", "") + (match[2] or ""))
        if value not in now.figures and not _founded(value, match, reading.plain, shares, known):
            yield Untrue("unfounded_figure", f"says {match[0].strip()}, which comes from nowhere", match.span())


def _known_prices(now: RatedSituation, record: TurnRecord, prices: tuple[float, ...]) -> list[float]:
    """Return every price that may be said: the card's, the talk's, and this reply's own reasonable bids."""
    known = list(prices)
    for k, ticket in enumerate(now.card.tickets):
        rate = 1.0 - ticket.commission
        for selling in (now.standing.quotes.get(k), now.standing.bids.get(k)):
            if selling is not None:
                known += [selling, selling * rate]
    for act in record.acts:
        if act.kind in BIDS and act.price is not None:
            tops = [t.selling_price for t in now.card.tickets]
            if 0.4 * min(tops) <= act.price <= 1.05 * max(tops):
                known += [act.price]
                known += [f(act.price, t.commission) for t in now.card.tickets for f in (_net, _selling)]
    return known


def _net(price: float, commission: float) -> float:
    return price * (1.0 - commission)


def _selling(price: float, commission: float) -> float:
    return price / (1.0 - commission)


def _founded(value: float, match: re.Match[str], plain: str, shares: tuple[float, ...], known: list[float]) -> bool:
    """Whether a number has a source, or claims nothing."""
    after = plain[match.end() : match.end() + 16]
    if _OFF.match(after) and not (match[3] and after.lstrip().startswith(("more", "higher"))):
        return True
    if match[3]:
        return any(abs(value - share) <= 0.51 for share in shares)
    money = _MONEY.search(plain, max(0, match.start() - 6), match.start()) or _MONEY_AFTER.match(after)
    if money is None and (value <= SMALL or 2020 <= value <= 2035):
        return True
    return any(abs(value - price) <= 1.01 for price in known)


def _wrong_facts(now: RatedSituation, piece: re.Match[str]) -> Iterator[Untrue]:
    """Facts of the card told wrongly within one sentence."""
    facts, text = now.card.facts, piece[0]
    told = {value for value, percent in further_figures(facts) if percent}
    shares = [share for m in NUMBER.finditer(text) if m[3] and (share := float(m[1] + (m[2] or ""))) not in told]
    families = [
        (name, true)
        for name, expression, true in (
            ("exposure", _EXPOSURE, facts.exposure),
            ("conversion", _CONVERSION, facts.conversion),
            ("demand", _DEMAND, abs(facts.demand)),
        )
        if expression.search(text)
    ]
    if shares and len(families) == 1:
        name, true = families[0]
        if not any(abs(share - true) <= 0.51 for share in shares):
            yield Untrue("wrong_fact", f"gives {shares[0]:g}% for {name}, the card says {true}%", piece.span())
    if shares and _DEMAND.search(text) and facts.demand:
        up, down = _UP.search(text), _DOWN.search(text)
        if (facts.demand > 0 and down and not up) or (facts.demand < 0 and up and not down):
            yield Untrue("wrong_fact", "turns the trend of demand round", piece.span())
    if _COMPETITOR.search(text) or facts.competitor_name.lower() in text:
        yield from _wrong_rival(now, piece)


def _wrong_rival(now: RatedSituation, piece: re.Match[str]) -> Iterator[Untrue]:
    """A competitor's rate told wrongly: any price of the sentence may be it; or "cheaper", which it is not."""
    facts, text = now.card.facts, piece[0]
    prices = [
        float(m[1].replace(",", "")) for m in NUMBER.finditer(text) if not m[3] and float(m[1].replace(",", "")) > SMALL
    ]
    top = max(t.selling_price for t in now.card.tickets)
    if prices and not any(abs(price - facts.competitor_price) <= 1.01 for price in prices):
        yield Untrue(
            "wrong_fact",
            f"gives {prices[0]:g} for the competitor, the card says {facts.competitor_price}",
            piece.span(),
        )
    elif not prices and _CHEAPER.search(text) and facts.competitor_price > top:
        yield Untrue("wrong_fact", "calls the competitor cheaper, which it is not", piece.span())
