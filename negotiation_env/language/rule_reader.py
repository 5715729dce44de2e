"""From text to dialogue acts: what a message says, read against the state of the negotiation.

``understand`` is total and linear in the message: any string gives acts in a canonical order (greeting, mood, tactics,
soothing, promises, tickets, questions, off-topic, close), so that a worded decision reads back as itself. It reads
phrases (``lexicon.toml``) and figures (``prices``), English and basic Chinese; relative figures ("20% off", "knock 15
off", "meet in the middle") become whole yuan. It does not parse grammar, and irony or a figure spread over sentences is
beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.language.clauses import (
    FIGURED,
    Clause,
    Sentence,
    cut_clauses,
    read_sentences,
    set_cited_apart,
    spread_tickets,
)
from negotiation_env.language.lexicon import PROMISE_SENSES, SENSE, TACTIC_SENSES, find_phrases, room_tree
from negotiation_env.language.numerals import lower
from negotiation_env.language.prices import Price, PriceKind
from negotiation_env.language.reading import MAX_CHARS, Context, Reading

SAME: Final = 2.0
"""Yuan of selling price by which two figures may differ and still be the same: both may be rounded, in either type."""
(
    _IS_ACCEPT, _IS_ACCEPT_WEAK, _IS_ASK_CONFIRM, _IS_ASK_FIGURE, _IS_ASK_PRICE, _IS_ASK_REASON, _IS_ASK_WEAK, _IS_BYE, _IS_CLOSE, _IS_COMMIT,
    _IS_COMPETITOR, _IS_CONFIRM, _IS_FINAL, _IS_GREET, _IS_HOLD, _IS_HOLD_BOUND, _IS_INSULT, _IS_NET, _IS_NEUTRAL,
    _IS_OFFER, _IS_OFF_THAT, _IS_OFF_TOPIC, _IS_PROMISE_WORD, _IS_REJECT, _IS_REJECT_WEAK, _IS_RETRACT, _IS_SELLING,
    _IS_SOOTHE,
    _IS_UPSET, _IS_WALK,
) = (SENSE[name] for name in (
    "accept", "accept_weak", "ask_confirm", "ask_figure", "ask_price", "ask_reason", "ask_weak", "bye", "close", "commit", "competitor",
    "confirm", "final", "greet", "hold", "hold_bound", "insult", "net", "neutral", "offer", "off_that",
    "off_topic", "promise_word", "reject", "reject_weak", "retract", "selling", "soothe", "upset", "walk",
))  # fmt: skip
"""Senses as bits; see ``lexicon``."""
_AGREES = _IS_ACCEPT | _IS_CONFIRM
_ONLY_YES: Final = SENSE["accept_weak"] | SENSE["neutral"]
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
class TicketReading:
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
        elif not prices and senses & ~_ONLY_YES:
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


def _chosen(reading: TicketReading, low: str, context: Context, manager: bool) -> Offer | None:
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


def ticket_act(reading: TicketReading, low: str, context: Context) -> DialogueAct | None:
    """Return what a reading comes to, or None if it says nothing about its ticket."""
    if context.speaker == "manager":
        return _manager_act(reading, low, context)
    return _agent_act(reading, low, context)


def _agent_act(reading: TicketReading, low: str, context: Context) -> DialogueAct | None:
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


def _manager_act(reading: TicketReading, low: str, context: Context) -> DialogueAct | None:
    ticket = reading.ticket if reading.ticket >= 0 else None
    senses = reading.senses | reading.elsewhere
    offer = _chosen(reading, low, context, manager=True)
    if senses & _IS_RETRACT and (offer is None or _same(offer.selling, context.quotes[reading.ticket])):
        return DialogueAct(Act.REJECT, ticket=ticket, detail="retract")
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


_TACTICS: Final = sum(bit for _, bit in TACTIC_SENSES)
_PROMISES: Final = sum(bit for _, bit in PROMISE_SENSES)
_ODD: Final = re.compile("[^\x00-\x7f¥\u4e00-\u9fff，。！？；：、]")
"""What has to be cleaned before it is read."""
_FORBIDDEN_CHARS: Final = dict.fromkeys(
    [0xAD, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
)
_CLEAN: Final = _FORBIDDEN_CHARS | {code: code - 0xFEE0 for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_GREET, _SOOTHE = DialogueAct(Act.GREET), DialogueAct(Act.SOOTHE)
_SILENCE, _OFF_TOPIC = DialogueAct(Act.SILENCE), DialogueAct(Act.OFF_TOPIC)
_ASK_PRICE, _ASK_REASON = DialogueAct(Act.ASK, detail="price"), DialogueAct(Act.ASK, detail="reason")
_ASK_FIGURE = DialogueAct(Act.ASK, detail="figure")
_UPSET = DialogueAct(Act.INFORM, detail="upset")
_INSULT = DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult")
_BYE, _WALK = DialogueAct(Act.CLOSE, detail="bye"), DialogueAct(Act.CLOSE, detail="walk")


def understand(text: str, context: Context) -> Reading:
    """Return what ``text`` says in ``context``. Never raises on any string; reads ``MAX_CHARS`` characters."""
    text = text[:MAX_CHARS]
    low = text.lower()
    if len(low) != len(text) or (not text.isascii() and _ODD.search(text)):
        text = text.translate(_CLEAN)
        low = lower(text)
    sentences = read_sentences(text, context.speaker)
    words = sentences[0].words
    said = sentences[0].senses
    prices = sentences[0].prices
    for sentence in sentences[1:]:
        words += sentence.words
        said |= sentence.senses
        prices += sentence.prices
    if not words:
        return Reading((_OFF_TOPIC if low.strip() else _SILENCE,), ())
    tree = room_tree(context.rooms) if len(context.rooms) > 1 else None
    rooms = [find_phrases(sentence.tokens, tree) for sentence in sentences] if tree else []
    clauses = cut_clauses(sentences, rooms)
    if prices and (said & _IS_COMPETITOR or any(price.reported for price in prices)):
        set_cited_apart(clauses)
    if context.speaker == "agent":
        acts = _agent_acts(said, sentences, clauses, prices, low, context)
    else:
        acts = _manager_acts(said, clauses, low, context)
    return Reading(tuple(acts) if acts else (_OFF_TOPIC,), words)


def _agent_acts(
    said: int,
    sentences: list[Sentence],
    clauses: list[Clause],
    prices: tuple[Price, ...],
    low: str,
    context: Context,
) -> list[DialogueAct]:
    acts: list[DialogueAct] = []
    if said & _IS_GREET:
        acts.append(_GREET)
    if said & _IS_INSULT:
        acts.append(_INSULT)
    if said & _TACTICS or (prices and any(c.cited for c in clauses)):
        acts += _reasons(said, sentences, clauses, prices)
    if said & _IS_SOOTHE:
        acts.append(_SOOTHE)
    if said & (_PROMISES | _IS_PROMISE_WORD):
        acts += _promises(clauses)
    acts += _ticket_acts(said, clauses, low, context, only=not acts)
    if said & (_IS_ASK_PRICE | _IS_ASK_WEAK) and _asks(said, clauses):
        acts.append(_ASK_PRICE)
    if said & _IS_ASK_REASON:
        acts.append(_ASK_REASON)
    if said & _IS_OFF_TOPIC:
        acts.append(_OFF_TOPIC)
    if said & _IS_CLOSE:
        acts.append(_BYE)
    return acts


def _manager_acts(said: int, clauses: list[Clause], low: str, context: Context) -> list[DialogueAct]:
    acts: list[DialogueAct] = []
    if said & _IS_GREET:
        acts.append(_GREET)
    if said & _IS_UPSET:
        acts.append(_UPSET)
    if said & _TACTICS:
        acts += [_OBJECTIONS[tactic] for tactic, bit in TACTIC_SENSES if said & bit]
    acts += _read_back(_ticket_acts(said, clauses, low, context, only=not acts), clauses, context)
    if said & _IS_ASK_FIGURE:
        acts.append(_ASK_FIGURE)
    elif said & _IS_ASK_PRICE:
        acts.append(_ASK_PRICE)
    if said & _IS_ASK_REASON:
        acts.append(_ASK_REASON)
    if said & _IS_OFF_TOPIC:
        acts.append(_OFF_TOPIC)
    if said & _IS_WALK:
        acts.append(_WALK)
    elif said & _IS_BYE:
        acts.append(_BYE)
    return acts


def _read_back(acts: list[DialogueAct], clauses: list[Clause], context: Context) -> list[DialogueAct]:
    """Return a manager's acts on tickets, its standing figure with a "yes?" after it as a question for a yes."""
    asking = {c.sentence for c in clauses if c.question}
    asking = {c.sentence for c in clauses if c.sentence in asking and c.senses & _FOR_A_YES}
    figures = {p.value for c in clauses if c.sentence in asking for _, p in c.prices}
    if not figures:  # "309 for the twin. Is that right?"
        figures = {p.value for c in clauses if c.sentence + 1 in asking for _, p in c.prices}
    return [
        act._replace(kind=Act.ASK, detail="confirm") if act.price in figures and _stands(act, context) else act
        for act in acts
    ]


def _stands(act: DialogueAct, context: Context) -> bool:
    """Whether a manager's act names its standing figure."""
    cut = 1.0 - context.commissions[act.ticket or 0] if act.price_type is PriceType.NET else 1.0
    return act.price is not None and _same(act.price / cut, context.quotes[act.ticket or 0])


_FOR_A_YES: Final = _IS_ASK_CONFIRM | _AGREES | _IS_ACCEPT_WEAK
_OBJECTIONS = {tactic: DialogueAct(Act.INFORM, tactic, detail="objection") for tactic, _ in TACTIC_SENSES}


def _reasons(
    said: int, sentences: list[Sentence], clauses: list[Clause], prices: tuple[Price, ...]
) -> list[DialogueAct]:
    """Return the agent's tactics, each with the figure it cites: a percentage, or a competitor's rate in yuan."""
    figures: dict[int, float] = {}
    if said & FIGURED:
        off = [p.value for p in prices if p.kind is PriceKind.PERCENT_OFF]
        for value, bit in [figure for sentence in sentences for figure in sentence.percentages]:
            if value in off:
                off.remove(value)
            elif bit:
                figures.setdefault(bit, value)
    cited = next((c.cited.value for c in clauses if c.cited), None)
    if cited is not None:
        said |= _IS_COMPETITOR
        figures[_IS_COMPETITOR] = cited
    return [
        DialogueAct(Act.INFORM, tactic, None, None, None, figures.get(bit))
        for tactic, bit in TACTIC_SENSES
        if said & bit
    ]


def _promises(clauses: list[Clause]) -> list[DialogueAct]:
    """Return what the agent commits to: a promise's topic and a commitment in one sentence."""
    sentences: dict[int, int] = {}
    for clause in clauses:
        sentences[clause.sentence] = sentences.get(clause.sentence, 0) | clause.senses
    made, other = 0, False
    for senses in sentences.values():
        if senses & (_IS_COMMIT | _IS_PROMISE_WORD):
            made |= senses & _PROMISES
            other = other or bool(senses & _IS_PROMISE_WORD and not senses & _PROMISES)
    acts = [DialogueAct(Act.PROMISE, detail=name) for name, bit in PROMISE_SENSES if made & bit]
    return [*acts, DialogueAct(Act.PROMISE, detail="other")] if other else acts


def _asks(said: int, clauses: list[Clause]) -> bool:
    """Whether the agent asks for a price: outright, or for a better one in a sentence that offers none."""
    if said & _IS_ASK_PRICE:
        return True
    for clause in clauses:
        if clause.senses & _IS_ASK_WEAK:
            sentence = [c for c in clauses if c.sentence == clause.sentence]
            asking = any(c.question or c.senses & _IS_OFFER for c in sentence)
            if asking and not any(c.prices for c in sentence):
                return True
    return False


def _ticket_acts(said: int, clauses: list[Clause], low: str, context: Context, only: bool) -> list[DialogueAct]:
    """Return the acts on tickets, in ticket order, then an agreement or refusal that names no ticket.

    ``only``: whether the message has said nothing else so far; then a mere "ok" or "yes" is an agreement.
    """
    if not said & (_STATUS_OR_WEAK | _IS_REJECT_WEAK) and not any(c.prices for c in clauses):
        return []
    manager = context.speaker == "manager"
    if len(context.rooms) > 1:
        free = [k for k, is_open in enumerate(context.open) if is_open] or list(range(len(context.rooms)))
        spread = spread_tickets(clauses, free, lambda price: _default_ticket(context, price, manager))
    else:
        spread = [
            (c, 0 if c.prices or manager else -1, [p for _, p in c.prices])
            for c in clauses
            if c.prices or c.senses & _STATUS_OR_WEAK
        ]
    readings: dict[int, TicketReading] = {}
    net = context.net
    for clause, ticket, prices in spread:
        reading = readings.get(ticket)
        if reading is None:
            reading = readings[ticket] = TicketReading(ticket, [], 0)
        net = reading.add(clause, prices, net, context)
    loose = readings.pop(-1, None)
    if loose is not None and readings:
        for reading in readings.values():
            reading.elsewhere |= loose.senses
        loose = None
    acts = [act for k in sorted(readings) if (act := ticket_act(readings[k], low, context)) is not None]
    if not acts and loose is not None:
        act = ticket_act(loose, low, context)
        acts = [] if act is None else [act]
    if not acts and only:
        place = 0 if manager and len(context.rooms) == 1 else None
        if said & _IS_ACCEPT_WEAK and not said & ~_MERE_YES:
            acts = [DialogueAct(Act.ACCEPT, ticket=place)]
        elif said & _IS_REJECT_WEAK and not said & ~_MERE_NO:
            acts = [DialogueAct(Act.REJECT, ticket=place, detail="hold" if manager else "")]
    return acts


_STATUS_OR_WEAK: Final = (
    _IS_ACCEPT | _IS_ACCEPT_WEAK | _IS_CONFIRM | _IS_HOLD | _IS_HOLD_BOUND | _IS_FINAL | _IS_REJECT | _IS_RETRACT
)
_MERE: Final = _IS_NEUTRAL | _IS_CLOSE | _IS_BYE
_MERE_YES: Final = _MERE | _IS_ACCEPT_WEAK
_MERE_NO: Final = _MERE | _IS_REJECT_WEAK


def _default_ticket(context: Context, price: Price, manager: bool) -> int:
    """Return the ticket that a figure without a room means, where there are several.

    The open ticket for which the other side has named that very figure; else the first open one that it has named any
    figure for; else the first open one; ticket 0 if none is open.
    """
    figures = context.bids if manager else context.quotes
    free = [k for k, is_open in enumerate(context.open) if is_open]
    answered = [k for k in free if figures[k] is not None]
    for k in answered:
        selling = figures[k] or 0.0
        if price.value in (round(selling), round(selling * (1.0 - context.commissions[k]))):
            return k
    return (answered or free or [0])[0]


class RuleReader:
    """Reads by phrases, figures and the grammar of clauses; implements ``reading.Reader``."""

    name = "rules"

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        """Return one reading a message, in order."""
        return [understand(text, context) for text, context in zip(texts, contexts, strict=True)]


RULES: Final = RuleReader()
