"""What the clauses that speak of one ticket mean together: one act with at most one price.

Relative figures ("20% off", "knock 15 off", "meet in the middle") are resolved here to whole yuan. It knows senses and
figures of one ticket, no text beyond the gap between two figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from negotiation_env.acts import Act, DialogueAct, PriceType
from negotiation_env.prices import Price, PriceKind
from negotiation_env.reading.clauses import Clause
from negotiation_env.reading.lexicon import SENSE
from negotiation_env.reading.speaking_context import Context

SAME: Final = 2.0
"""Yuan of selling price by which two figures may differ and still be the same: both may be rounded, in either type."""
_IS_ASK_PRICE: Final = SENSE["ask_price"]
_IS_ACCEPT: Final = SENSE["accept"]
_IS_ACCEPT_WEAK: Final = SENSE["accept_weak"]
_IS_CONFIRM: Final = SENSE["confirm"]
_IS_FINAL: Final = SENSE["final"]
_IS_HOLD: Final = SENSE["hold"]
_IS_HOLD_BOUND: Final = SENSE["hold_bound"]
_IS_NET: Final = SENSE["net"]
_IS_OFF_THAT: Final = SENSE["off_that"]
_IS_OFFER: Final = SENSE["offer"]
_IS_REJECT: Final = SENSE["reject"]
_IS_SELLING: Final = SENSE["selling"]
_AGREES = _IS_ACCEPT | _IS_CONFIRM
_MERE_YES: Final = SENSE["accept_weak"] | SENSE["neutral"]
_RANGE_LINKS: Final = frozenset(["-", "–", "—", "~", "to", "or", "and", "至", "到", "或"])


class Offer(NamedTuple):
    """A figure that is offered, as said, with its selling price and the clause that it stands in."""

    value: float
    net: bool
    selling: float
    price: Price
    senses: int
    question: bool


@dataclass(slots=True)
class Reading:
    """What has been read about one ticket so far (-1: about none in particular)."""

    ticket: int
    offers: list[Offer]
    senses: int
    elsewhere: int = 0
    """Senses of clauses that name no ticket."""

    def add(self, clause: Clause, prices: list[Price], net: bool, context: Context) -> bool:
        """Take in a clause; ``net`` is the price type last named. Returns the price type named last after it."""
        senses = clause.senses
        if clause.question:
            senses &= ~_AGREES & ~_IS_ACCEPT_WEAK
        elif not prices and senses & ~_MERE_YES:
            senses &= ~_IS_ACCEPT_WEAK  # "it has been good so far" is no yes
        self.senses |= senses
        for price in prices:
            if price.net is not None:
                net = price.net
            elif senses & _IS_NET and not senses & _IS_SELLING:
                net = True
            elif senses & _IS_SELLING and not senses & _IS_NET:
                net = False
            if price.negated:
                self.senses |= _IS_REJECT
                continue
            cut = 1.0 - context.commissions[self.ticket]
            value = _resolve(price, senses, cut if net else 1.0, self.ticket, context)
            selling = value / cut if net else value
            self.offers.append(Offer(value, net, selling, price, senses, clause.question))
        return net


def _resolve(price: Price, senses: int, cut: float, ticket: int, context: Context) -> float:
    """Return a figure as a price; relative ones in whole yuan. ``cut`` turns selling prices into the type spoken in."""
    if price.kind is PriceKind.AMOUNT:
        return price.value
    selling, quote = context.selling[ticket], context.quotes[ticket]
    standing = selling if quote is None else quote
    if price.kind is PriceKind.PERCENT_OFF:
        base = standing if senses & _IS_OFF_THAT else selling
        return float(round(base * cut * (1.0 - price.value / 100.0)))
    if price.kind is PriceKind.AMOUNT_OFF:
        return float(max(1, round(standing * cut - price.value)))
    bid = context.bids[ticket]
    return float(round((standing + (selling if bid is None else bid)) / 2.0 * cut))


def _same(a: float, b: float | None) -> bool:
    return b is not None and abs(a - b) <= SAME


def _chosen(reading: Reading, low: str, context: Context, manager: bool) -> Offer | None:
    """Return the figure that stands, of all that were said about a ticket."""
    offers = reading.offers
    if len(offers) < 2:
        return offers[0] if offers else None
    k = reading.ticket
    theirs = context.bids[k] if manager else context.quotes[k]
    taken = _IS_ACCEPT | _IS_CONFIRM | _IS_HOLD
    fresh = [
        o for o in offers if o.senses & taken or not (_same(o.selling, theirs) or _same(o.selling, context.selling[k]))
    ]
    offers = fresh or offers
    if len(offers) < 2:
        return offers[0]
    left, right = offers[-2], offers[-1]
    if left.net != right.net and _same(left.selling, right.selling):
        return left
    if low[left.price.end : right.price.start].strip(" ¥$\u00a0") in _RANGE_LINKS:
        low_end, high_end = (left, right) if left.selling <= right.selling else (right, left)
        return high_end if manager else low_end
    return right


def ticket_act(reading: Reading, low: str, context: Context) -> DialogueAct | None:
    """Return what a reading comes to, or None if it says nothing about its ticket."""
    if context.speaker == "manager":
        return _manager_act(reading, low, context)
    return _agent_act(reading, low, context)


def _agent_act(reading: Reading, low: str, context: Context) -> DialogueAct | None:
    ticket = reading.ticket if reading.ticket >= 0 else None
    senses = reading.senses | reading.elsewhere
    offer = _chosen(reading, low, context, manager=False)
    if offer is None:
        if senses & _IS_REJECT:
            return DialogueAct(Act.REJECT, ticket=ticket)
        if senses & _AGREES:
            return DialogueAct(Act.CONFIRM if senses & _IS_CONFIRM else Act.ACCEPT, ticket=ticket)
        return None
    quote = context.quotes[reading.ticket]
    if offer.senses & _IS_ASK_PRICE and _same(offer.selling, quote):
        return None  # "Can you do better than 400?" offers nothing
    kind = Act.PROPOSE if quote is None else Act.COUNTER
    own, bidding = offer.senses, offer.question or offer.senses & _IS_OFFER
    if own & _AGREES and not (offer.question or (bidding and not own & _IS_CONFIRM)):
        kind = Act.CONFIRM if own & _IS_CONFIRM else Act.ACCEPT
    elif not bidding and senses & _AGREES and (quote is None or _same(offer.selling, quote)):
        kind = Act.CONFIRM if senses & _IS_CONFIRM else Act.ACCEPT
    elif not bidding and senses & _IS_ACCEPT_WEAK and _same(offer.selling, quote):
        kind = Act.ACCEPT
    return _priced(kind, offer, ticket)


def _manager_act(reading: Reading, low: str, context: Context) -> DialogueAct | None:
    ticket = reading.ticket if reading.ticket >= 0 else None
    senses = reading.senses | reading.elsewhere
    offer = _chosen(reading, low, context, manager=True)
    holds = _IS_HOLD | _IS_HOLD_BOUND | _IS_REJECT
    if offer is None:
        if senses & _IS_FINAL:
            return DialogueAct(Act.REJECT, ticket=ticket, detail="final")
        if senses & holds:
            return DialogueAct(Act.REJECT, ticket=ticket, detail="hold")
        if senses & _AGREES:
            return DialogueAct(Act.CONFIRM if senses & _IS_CONFIRM else Act.ACCEPT, ticket=ticket)
        return None
    k = reading.ticket
    quote, bid = context.quotes[k], context.bids[k]
    if senses & _IS_CONFIRM and not offer.question:
        return _priced(Act.CONFIRM, offer, ticket)
    if senses & (_IS_HOLD | _IS_HOLD_BOUND):
        standing = quote if quote is not None or senses & _IS_HOLD_BOUND else context.selling[k]
        if _same(offer.selling, standing):
            return _priced(Act.REJECT, offer, ticket, "hold")
        return _priced(Act.COUNTER, offer, ticket)
    agrees = senses & (_IS_ACCEPT | _IS_ACCEPT_WEAK) and not offer.question
    if agrees and (_same(offer.selling, bid) or (bid is None and offer.senses & _IS_ACCEPT)):
        return _priced(Act.ACCEPT, offer, ticket)
    return _priced(Act.COUNTER, offer, ticket)


def _priced(kind: Act, offer: Offer, ticket: int | None, detail: str = "") -> DialogueAct:
    price_type = PriceType.NET if offer.net else PriceType.SELLING
    return DialogueAct(kind, price=offer.value, price_type=price_type, ticket=ticket, detail=detail)
