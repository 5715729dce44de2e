"""What the hotel manager's message does with the tickets: quotes, takes the agent's bid, holds, refuses, takes back.

A figure that is neither the agent's nor turned down is a quote. The agent's figure is taken by a firm phrase of
agreement or by naming it as settled; a condition, a doubt or a question takes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType
from negotiation_env.language.agent_reading import haggles, in_order, priced, puts_off, scope_of
from negotiation_env.language.clauses import Part
from negotiation_env.language.numerals import lower
from negotiation_env.language.offers import Offer, is_foreign, names, same
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import read_prices
from negotiation_env.language.reading import Context
from negotiation_env.language.stances import Stance, force_of, is_light, negated, stances_of

_FOR_A_YES: Final = frozenset(("ask_confirm", "accept", "confirm", "accept_weak"))
_MODALS: Final = frozenset(("could", "would", "can", "i'd", "we'd", "might"))
_GIVING: Final = word_set(
    "do give offer make write put go take sell let quote say agree accept sign enter load set have get come meet"
)
"""Verbs with which a hotel names a price of its own."""
_PRICES: Final = frozenset(("price", "rate", "rates", "figure", "offer"))
_HOLDS: Final = frozenset(("hold", "hold_bound"))
_RANGE_LINKS: Final = frozenset(["-", "–", "—", "~", "to", "or", "and", "至", "到", "或"])


def ticket_acts(parts: Sequence[Part], offers: Sequence[Offer], low: str, context: Context) -> list[DialogueAct]:
    """Return the manager's acts on tickets, in ticket order, then what names no ticket."""
    put_off = puts_off(parts)
    mocked = any("sarcasm" in part.senses for part in parts)
    stances = stances_of(parts, put_off)
    acts: dict[int, DialogueAct] = {}
    offers = [o for o in offers if not is_foreign(o)]
    for k in range(len(context.rooms)):
        mine = [o for o in offers if o.ticket == k]
        act = _figured(mine, parts, stances, put_off, mocked, low, context, k)
        if act is not None:
            acts[k] = act
    loose = _loose(parts, offers, stances, acts, mocked, context)
    said = [part for part in parts if stances[id(part)].kind not in ("accept", "confirm", "yes")]
    unheard = not is_light(said, 2) or _asked_else(context.heard)
    if unheard or any(haggles(part) for part in parts):  # "I can do that much. What do we get, though?"
        loose = [
            a._replace(force=Force.TENTATIVE) if a.kind in (Act.ACCEPT, Act.CONFIRM) and a.force is Force.FIRM else a
            for a in loose
        ]
    found = [acts[k] for k in sorted(acts)] + loose
    return _read_back(in_order(found), parts, context)


def _asked_else(heard: str) -> bool:
    """Whether the agent's message asked something that is no price, so that a mere yes answers that."""
    if not heard:
        return False
    if not read_prices(heard)[0]:
        return True
    asked = [part for part in _SENTENCES.findall(heard) if part.rstrip().endswith(("?", "？"))]
    return bool(asked) and not read_prices(asked[-1])[0] and _DEALS.isdisjoint(lower(asked[-1]).rstrip(" ?").split())


_SENTENCES: Final = re.compile(r"[^.!?。！？]+[.!?。！？]*")
_DEALS: Final = word_set("deal agreed agree price rate figure works work possible settle settled yes okay ok")


def _read_back(acts: list[DialogueAct], parts: Sequence[Part], context: Context) -> list[DialogueAct]:
    """Return acts on tickets, the standing figure with a "yes?" after it as a question for a yes."""
    asking = {
        part.number
        for part in parts
        if part.question
        and not _proposes(part)
        and "ask_reason" not in part.around
        and not part.around.isdisjoint(_FOR_A_YES)
    }
    if not asking:
        return acts
    figures = {price.value for part in parts if part.number in asking for _, price in part.prices}
    if not figures:  # "309 for the twin. Is that right?"
        figures = {price.value for part in parts if part.number + 1 in asking for _, price in part.prices}
    return [
        act._replace(kind=Act.ASK, detail="confirm") if act.price in figures and _stands(act, context) else act
        for act in acts
    ]


def _proposes(part: Part) -> bool:
    """Whether a clause brings up a figure: "how about 430?"."""
    return "about" in part.tokens[part.clause.start : part.clause.end] and "offer" in part.senses


def _stands(act: DialogueAct, context: Context) -> bool:
    """Whether an act names the manager's standing figure."""
    k = act.ticket or 0
    cut = 1.0 - context.commissions[k] if act.price_type is PriceType.NET else 1.0
    return act.price is not None and same(act.price / cut, context.quotes[k])


def _figured(
    mine: Sequence[Offer],
    parts: Sequence[Part],
    stances: dict[int, Stance],
    put_off: bool,
    mocked: bool,
    low: str,
    context: Context,
    k: int,
) -> DialogueAct | None:
    """Return what the figures for a ticket come to, None without one that counts."""
    quote, bid = context.quotes[k], context.bids[k]
    if quote is not None and same(quote, bid) and _takes_back(mine, parts, stances, quote):
        fresh = [
            o for o in mine if not (o.cited or o.price.negated or same(o.selling, quote)) and _is_quote(o, context)
        ]
        return priced(Act.COUNTER, fresh[-1], k) if fresh else DialogueAct(Act.REJECT, ticket=k, detail="retract")
    taking = [o for o in mine if _takes(o, stances, bid) and not _holds_it(o, quote)]
    own = [o for o in mine if not o.cited and not o.price.negated and o not in taking and _is_quote(o, context)]
    own = [o for o in own if not names(o, bid) and not _supposed(o.part, parts)]
    if own:
        return _quoted(_chosen(own, low, context, k), stances, context, k)
    if taking and not mocked:
        offer = taking[-1]
        stance = stances[id(offer.part)]
        if stance.kind in ("accept", "confirm", "yes"):
            force = stance.force
            kind = Act.CONFIRM if stance.kind == "confirm" else Act.ACCEPT
        elif stance.kind == "" and _offers_it(offer.part):
            return priced(Act.COUNTER, offer, k)
        elif stance.kind == "" and not offer.cited:
            force, kind = _naming_force(offer, parts, stances, put_off), Act.ACCEPT
            if force is Force.FIRM and not _agreed_to(offer.part, parts, stances):  # no word of agreement
                kind, force = (Act.ACCEPT, Force.TENTATIVE) if _says_more(offer.part, parts) else (Act.COUNTER, force)
        else:
            force, kind = Force.NEGATED, Act.ACCEPT
        if force is Force.FIRM and _objects(parts, offer, k):
            kind, force = Act.ACCEPT, Force.TENTATIVE
        if force is Force.FIRM:
            return priced(kind, offer, k)
        if force is not Force.NEGATED:
            return priced(kind, offer, k)._replace(force=force)
    standing = [o for o in mine if same(o.selling, quote)]
    if standing:
        offer = standing[-1]
        stance = stances[id(offer.part)]
        if offer.price.negated or stance.kind == "reject" or "retract" in offer.part.senses:
            return DialogueAct(Act.REJECT, ticket=k, detail="retract")
        if not offer.cited:
            return _quoted(offer, stances, context, k)
    if any(o.price.negated for o in mine):
        return DialogueAct(Act.REJECT, ticket=k, detail="hold")
    return None


def _supposed(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a figure is only supposed, in a question: "so if I agreed to 474, when would the money come?"."""
    sentence = [p for p in parts if p.number == part.number]
    return any(p.question for p in sentence) and sentence[0].senses >= {"cond"} and sentence[0].clause.person == "i"


def _says_more(part: Part, parts: Sequence[Part]) -> bool:
    """Whether more is said than a figure with its circumstances, in its clause or in Chinese in its sentence."""
    near = [t for p in parts if p.number == part.number for t in p.tokens[p.clause.start : p.clause.end]]
    return part.clause.verbal or sum(word > "\u2e80" for word in near) > _SHORT


def _objects(parts: Sequence[Part], offer: Offer, k: int) -> bool:
    """Whether what comes after a figure denies it: "338 suits you, not me", "taking 436 ... I won't"."""
    at = next(i for i, part in enumerate(parts) if part is offer.part)
    roomy = {part.number for part in parts if part.rooms or part.prices} - {offer.part.number}
    for part in parts[at + 1 :]:
        near = part.number == offer.part.number or (
            part.number == offer.part.number + 1
            and part.number not in roomy
            and part.clause.end - part.clause.start <= _SHORT
        )
        about = not part.prices and not part.question and (not part.rooms or k in _rooms(part))
        if near and about and not part.senses.isdisjoint(_DENYING):
            return True
    return False


_SHORT: Final = 8
"""Words of a sentence that speaks of the one before it."""
_DENYING: Final = frozenset(("neg", "reject", "reject_weak", "past"))


def _takes_back(mine: Sequence[Offer], parts: Sequence[Part], stances: dict[int, Stance], quote: float) -> bool:
    """Whether the hotel goes back on the agent's figure, which it had taken."""
    final = any("final" in p.senses for p in parts)
    if not final and any(_retracts(p) and not p.question for p in parts if not p.rooms or mine):
        return True
    return any(
        same(o.selling, quote) and (o.price.negated or stances[id(o.part)].kind == "reject" or "neg" in o.part.senses)
        for o in mine
        if not o.part.question
    )


def _retracts(part: Part) -> bool:
    """Whether a clause takes something back: not where it denies that, or somebody else only wanted it."""
    if "retract" not in part.senses or ("reported" in part.senses and part.clause.person == "they"):
        return False
    return not all(negated(part, m.start) for m in part.clause.marks if "retract" in m.senses)


def _shuts(part: Part) -> bool:
    """Whether a clause says of a room that it is not to be had: "the King is closed", "the Double never"."""
    words = part.tokens[part.clause.start : part.clause.end]
    offered = not (_PRICES | {"quote", "word", "yes"}).isdisjoint(words)  # "my offer for the King is withdrawn"
    shut = not _SHUT.isdisjoint(words) or ("withdrawn" in words and not offered)
    return bool(part.rooms) and not part.question and shut


_SHUT: Final = word_set("closed gone never")


def _takes(offer: Offer, stances: dict[int, Stance], bid: float | None) -> bool:
    """Whether a figure is the agent's: the very one, or the same but for rounding where a word of agreement is said."""
    agrees = stances[id(offer.part)].kind in ("accept", "confirm")
    return not offer.price.negated and (names(offer, bid) or (agrees and same(offer.selling, bid)))


def _agreed_to(part: Part, parts: Sequence[Part], stances: dict[int, Stance]) -> bool:
    """Whether a word of agreement stands in a clause's sentence, or a mere yes anywhere."""
    kinds = {stances[id(p)].kind for p in parts if p.number == part.number}
    near = {stances[id(p)].kind for p in parts if abs(p.number - part.number) <= 1}
    return not kinds.isdisjoint(("yes", "accept", "confirm")) or "yes" in near


def _holds_it(offer: Offer, quote: float | None) -> bool:
    """Whether a figure is the standing one that the hotel says it stays at, near as the agent's may be."""
    return same(offer.selling, quote) and not offer.part.around.isdisjoint(_HOLDS)


def _offers_it(part: Part) -> bool:
    """Whether a clause offers its figure outright: "I could do 316"."""
    hedges = {part.tokens[m.start] for m in part.clause.marks if "hedge" in m.senses}
    if part.question:  # "what about 316?"
        return "offer" in part.senses and "ask_confirm" not in part.senses
    clause = part.clause
    words = part.tokens[clause.start : clause.end]
    gives = not _PRICES.isdisjoint(words) or (clause.person == "i" and not _GIVING.isdisjoint(words))
    plain = (gives or "offer" in part.senses) and clause.person not in ("you", "they") and hedges <= _MODALS
    return plain and part.around.isdisjoint(
        ("cond", "put_off", "neg", "later", "reject", "reject_weak", "sarcasm", "past")
    )


def _is_quote(offer: Offer, context: Context) -> bool:
    """Whether a figure may be a price of the ticket at all."""
    return 0.3 * context.selling[offer.ticket] <= offer.selling <= 3.0 * context.selling[offer.ticket] or (
        len(context.rooms) == 1 and offer.selling > context.selling[0]
    )


def _quoted(offer: Offer, stances: dict[int, Stance], context: Context, k: int) -> DialogueAct:
    """Return the hotel's own figure as an act: a confirmation, a price that stays, or a quote."""
    part, quote = offer.part, context.quotes[k]
    stance = stances[id(part)]
    if stance.kind == "confirm" and stance.force is Force.FIRM:
        return priced(Act.CONFIRM, offer, k)
    said = part.around if len(context.rooms) == 1 or _alone(part, k) else part.senses
    if not said.isdisjoint(_HOLDS) or (stance.kind == "reject" and "reject" not in part.senses):
        standing = quote if quote is not None or "hold_bound" in said else context.selling[k]
        if same(offer.selling, standing):
            return priced(Act.REJECT, offer, k, "hold")
        return priced(Act.COUNTER, offer, k)
    offered = part.tokens[part.clause.start] == "take"  # "take 523 for the suite, then"
    if stance.kind == "accept" and stance.force is Force.FIRM and context.bids[k] is None and not offered:
        return priced(Act.ACCEPT, offer, k)
    return priced(Act.COUNTER, offer, k)


def _alone(part: Part, k: int) -> bool:
    """Whether a clause names ticket ``k`` and nothing but it, and is the only one of its sentence with a figure."""
    return bool(part.rooms) and all(room == {k} for _, room in part.rooms) and len(part.prices) == 1


def _chosen(own: Sequence[Offer], low: str, context: Context, k: int) -> Offer:
    """Return the figure that stands, of several: not the list price or the old quote if there is a new one."""
    fresh = [o for o in own if not same(o.selling, context.quotes[k]) and not same(o.selling, context.selling[k])]
    own = fresh or own
    if len(own) < 2:
        return own[0]
    left, right = own[-2], own[-1]
    if left.net != right.net and same(left.selling, right.selling):
        return left
    if low[left.price.end : right.price.start].strip(" ¥$\u00a0") in _RANGE_LINKS:
        return left if left.selling >= right.selling else right
    return right


def _naming_force(offer: Offer, parts: Sequence[Part], stances: dict[int, Stance], put_off: bool) -> Force:
    """Return how firmly a clause without a word of agreement takes the agent's figure."""
    part = offer.part
    at = next(place for place, price in part.prices if price is offer.price)
    force = force_of(part, at, put_off)
    if force is not Force.FIRM:
        return force
    person = part.clause.person
    against = any(stances[id(p)].kind in ("no", "reject") for p in parts if not p.rooms or offer.ticket in _rooms(p))
    if against or person in ("you", "they"):
        return Force.NEGATED
    if any("hedge" in p.senses or haggles(p) for p in parts):
        return Force.TENTATIVE
    if any(stances[id(p)].kind in ("yes", "accept", "confirm") and stances[id(p)].force is Force.FIRM for p in parts):
        return Force.FIRM
    return Force.TENTATIVE if part.clause.verbal else Force.FIRM


def _has_figure(k: int | None, context: Context) -> bool:
    """Whether anything has been named that could be agreed to."""
    figures = (*context.bids, *context.quotes) if k is None else (context.bids[k], context.quotes[k])
    return any(figure is not None for figure in figures)


def _rooms(part: Part) -> frozenset[int]:
    return frozenset().union(*[room for _, room in part.rooms])


def _loose(
    parts: Sequence[Part],
    offers: Sequence[Offer],
    stances: dict[int, Stance],
    acts: dict[int, DialogueAct],
    mocked: bool,
    context: Context,
) -> list[DialogueAct]:
    """Return what is said of tickets without a figure."""
    several = len(context.rooms) > 1
    found: dict[int | None, DialogueAct] = {}
    for part in parts:
        if part.prices and not part.senses.intersection(("final",)):
            continue
        stance = stances[id(part)]
        senses = part.senses
        detail = ""
        if (
            "final" in senses
            or _shuts(part)
            or ("retract" in senses and any(a.detail == "final" for a in found.values()))
        ):
            detail = "final"
        elif _retracts(part) and any(q is not None for q in context.quotes):
            detail = "retract"
        elif (
            not senses.isdisjoint(_HOLDS)
            or (stance.kind == "reject" and stance.force is not Force.ASKED)
            or (stance.kind in ("accept", "confirm") and stance.force is Force.NEGATED)
        ):
            detail = "hold"
        tickets = scope_of(part, parts, context) if several else (0,)
        if detail:
            for k in tickets:
                earlier = found.get(k)
                if earlier is None or earlier.detail == "hold":
                    found[k] = DialogueAct(Act.REJECT, ticket=k, detail=detail)
        elif stance.kind in ("accept", "confirm") or (stance.kind == "yes" and part.rooms):
            if mocked or stance.force in (Force.NEGATED, Force.ASKED, Force.REPORTED, Force.PAST):
                continue
            kind = Act.CONFIRM if stance.kind == "confirm" else Act.ACCEPT
            for k in tickets:
                if k not in found and _has_figure(k, context):
                    found[k] = DialogueAct(kind, ticket=k, force=stance.force)
    out = [found[k] for k in sorted(k for k in found if k is not None) if k not in acts]
    if None in found and not acts and not out:
        out = [found[None]]
    if not out and not acts:
        out = _mere_answer(parts, stances, mocked, several, context)
    return out


def _mere_answer(
    parts: Sequence[Part], stances: dict[int, Stance], mocked: bool, several: bool, context: Context
) -> list[DialogueAct]:
    """Return what a mere "yes" or "no" comes to, if the message says nothing else; a yes needs a figure before it."""
    kinds = [stances[id(part)].kind for part in parts]
    rest = [part for part, kind in zip(parts, kinds, strict=True) if kind not in ("yes", "no")]
    if any(part.question for part in parts) or not is_light(rest) or any(negated(p, p.clause.end) for p in rest):
        return []
    if any("greet" in part.senses for part in parts) or ("no" not in kinds and not _has_figure(None, context)):
        return []
    place = None if several else 0
    if "no" in kinds:
        return [DialogueAct(Act.REJECT, ticket=place, detail="hold")]
    if "yes" in kinds and not mocked and (not context.heard or read_prices(context.heard)[0]):
        force = next(stances[id(part)].force for part in parts if stances[id(part)].kind == "yes")
        if force not in (Force.NEGATED, Force.ASKED):
            return [DialogueAct(Act.ACCEPT, ticket=place, force=force)]
    return []
