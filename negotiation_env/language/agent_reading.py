"""What the agent's message does with the tickets: which figures it bids or takes of the hotel's, what it refuses.

Per ticket the agent either bids (a figure of its own), or takes the hotel's standing figure: by a phrase of agreement,
or by naming that very figure as settled ("309 it is", "345 for the suite, five nights from the 15th"). What falls short
of a firm yes keeps its force.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType
from negotiation_env.language.clauses import Part
from negotiation_env.language.grammar import opens_question
from negotiation_env.language.offers import Offer, is_foreign, names, same
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import PriceKind
from negotiation_env.language.reading import Context
from negotiation_env.language.stances import Stance, force_of, is_light, negated, stance_of, stances_of

_SETTLING_VERBS: Final = word_set(
    "do take pay stop go put enter write book load note have set make call keep say sign give settle close list "
    "type print stay file record fix land shake putting writing booking loading taking entering draw repeat read add "
    "hold pencil key send got"
)
"""Verbs with which a speaker settles on a figure: "let's do 309", "I'll put it in at 309"."""
_FORCE_ORDER: Final = (
    Force.FIRM, Force.ASKED, Force.CONDITIONAL, Force.TENTATIVE, Force.UNSURE, Force.PUT_OFF, Force.REPORTED,
    Force.PAST, Force.NEGATED,
)  # fmt: skip
_SILENT: Final = frozenset((Force.NEGATED, Force.PAST, Force.REPORTED))
"""Forces with which an agreement is none, and needs no answer."""
_COPULAS: Final = word_set("is was isn't leaves hides means wouldn't costs sounds looks feels")
"""Verbs that say something of a figure, which settles nothing."""
_RANGE_LINKS: Final = frozenset(["-", "–", "—", "~", "to", "or", "and", "至", "到", "或"])


class _Taking(NamedTuple):
    """One way in which a message takes a ticket's figure."""

    kind: Act
    force: Force
    offer: Offer


def ticket_acts(parts: Sequence[Part], offers: Sequence[Offer], low: str, context: Context) -> list[DialogueAct]:
    """Return the agent's acts on tickets, in ticket order, then what names no ticket."""
    senses = frozenset[str]().union(*[part.senses for part in parts])
    put_off = "put_off" in senses and puts_off(parts)
    mocked = "sarcasm" in senses
    stances = stances_of(parts, put_off)
    asks = not senses.isdisjoint(_ASKING) and _asks_for_less(parts)
    sealed = _sealed(parts, stances)
    spoken = {id(part): _spoken_of(parts, i) for i, part in enumerate(parts) if part.prices}
    acts: dict[int, DialogueAct] = {}
    several = len(context.rooms) > 1
    foreign: set[int] = set()
    if any(map(is_foreign, offers)):
        foreign = {o.ticket for o in offers if is_foreign(o) and not o.cited and not o.price.negated}
        offers = [o for o in offers if not is_foreign(o)]
    for k in range(len(context.rooms)):
        mine = [o for o in offers if o.ticket == k and not o.price.negated]
        act = _bid(mine, stances, low, context, k) if mine else None
        if act is not None and act.kind is Act.ACCEPT and _refuses(offers, context, k):
            act = act._replace(kind=Act.COUNTER)  # "we don't accept 505, we accept 480"
        if act is None and mine and not mocked:
            open_end = _is_open(parts, offers, k) or (context.bids[k] is None and _goes_on(parts))
            act = _taken(mine, spoken, stances, asks, open_end, sealed, put_off, context, k)
        if act is None and k in foreign:  # "could you do 60 dollars?"
            act = DialogueAct(Act.COUNTER, ticket=k, force=Force.UNSURE)
        if act is not None:
            acts[k] = act
    loose = _loose(parts, offers, stances, acts, asks or mocked, several, context, put_off)
    if not several and acts and _asked_and_taken(acts[0], parts, stances):
        acts[0] = acts[0]._replace(force=Force.FIRM)
    if loose and _goes_on(parts):  # "I take it as it is. Shall I send the letter?"
        loose = [a._replace(force=Force.TENTATIVE) if a.kind in _TAKES and a.force is Force.FIRM else a for a in loose]
    return in_order([acts[k] for k in sorted(acts)] + loose)


def _refuses(offers: Sequence[Offer], context: Context, k: int) -> bool:
    """Whether the message turns down a ticket's standing figure."""
    return any(o.ticket == k and o.price.negated and same(o.selling, context.quotes[k]) for o in offers)


def _asked_and_taken(act: DialogueAct, parts: Sequence[Part], stances: dict[int, Stance]) -> bool:
    """Whether the standing figure is only asked about, and then taken: "who could turn down 219? We're having it"."""
    if act.kind is not Act.ACCEPT or act.force is not Force.ASKED:
        return False
    last = parts[-1]
    stance = stances[id(last)]
    return stance.kind in _SEALING and stance.kind != "yes" and stance.force is Force.FIRM and not last.prices


def in_order(acts: Sequence[DialogueAct]) -> list[DialogueAct]:
    """Return acts in the order of their tickets, those on no ticket last."""
    return sorted(acts, key=lambda act: 9 if act.ticket is None else act.ticket)


_TAKES: Final = (Act.ACCEPT, Act.CONFIRM)


def haggles(part: Part) -> bool:
    """Whether a clause asks on about prices or terms: "what would the king be?", "is there a little more room?"."""
    words = part.tokens[part.clause.start : part.clause.end]
    return part.question and not part.prices and (bool(part.rooms) or not _HAGGLING.isdisjoint(words))


_HAGGLING: Final = word_set(
    "price prices rate rates figure figures number numbers more less better lower room step cheaper further down"
)


def _sealed(parts: Sequence[Part], stances: dict[int, Stance]) -> frozenset[int]:
    """Return the sentences in which a figure is followed by a firm yes, or thanks: "465 for the twin, taken"."""
    found = set()
    for part in parts:
        stance = stances[id(part)]
        yes = not part.prices and stance.force is Force.FIRM and stance.kind in _SEALING
        words = part.tokens[part.clause.start : part.clause.end]
        if yes or not (part.question or _THANKS.isdisjoint(words)):
            found.add(part.number)
        if yes and stance.kind != "yes" and not part.rooms and _is_short(part):  # "Then it's six-ten. Agreed."
            found |= {part.number - 1, part.number + 1}
    return frozenset(found)


def _is_short(part: Part) -> bool:
    return part.clause.end - part.clause.start <= 4


_SEALING: Final = frozenset(("accept", "confirm", "yes"))
_THANKS: Final = frozenset(("thank", "thanks", "thx", "谢"))


def puts_off(parts: Sequence[Part]) -> bool:
    """Whether the speaker puts things off: "I'll ask my boss", not "when you have asked yours", nor one room."""
    roomy = {p.number for p in parts if p.rooms or "greet" in p.senses}
    return any(
        "put_off" in p.senses and p.clause.person in ("i", "") and not p.question and p.number not in roomy
        for p in parts
    )


def _is_open(parts: Sequence[Part], offers: Sequence[Offer], k: int) -> bool:
    """Whether the message asks on about ticket ``k``, or about nothing in particular."""
    asked = any(haggles(p) and (not p.rooms or any(k in room for _, room in p.rooms)) for p in parts)
    return asked or _strays(offers, k)


def _goes_on(parts: Sequence[Part]) -> bool:
    """Whether the message asks anything: a first figure that is only repeated before a question is not yet taken."""
    return any(part.question for part in parts)


def _strays(offers: Sequence[Offer], k: int) -> bool:
    """Whether another figure is asked for that no room was named for, so that it may be for ticket ``k``."""
    return any(
        o.ticket != k and not o.cited and not o.price.negated and not o.part.rooms and o.part.question for o in offers
    )


_ASKING: Final = frozenset(("ask_price", "ask_weak"))


def _asks_for_less(parts: Sequence[Part]) -> bool:
    """Whether the message asks for a price, so that it does not take the one that stands."""
    return any("ask_price" in p.senses or ("ask_weak" in p.senses and p.question) for p in parts)


def _bid(mine: Sequence[Offer], stances: dict[int, Stance], low: str, context: Context, k: int) -> DialogueAct | None:
    """Return the agent's own figure for a ticket, None if it names none."""
    quote = context.quotes[k]
    bids = [o for o in mine if not o.cited and not _is_standing(o, quote) and _is_bid(o, context)]
    bids = [o for o in bids if not _is_listed(o, context) or stances[id(o.part)].kind in ("accept", "confirm")]
    if not bids:
        return None
    offer = _chosen(bids, low, context, k)
    stance = stances[id(offer.part)]
    kind = Act.PROPOSE if quote is None else Act.COUNTER
    bidding = offer.part.question or "offer" in offer.part.senses or "cond" in offer.part.around
    if stance.kind in ("accept", "confirm") and stance.force is Force.FIRM:
        if stance.kind == "confirm":
            kind = Act.CONFIRM
        elif not bidding and "accept" in offer.part.senses:
            kind = Act.ACCEPT
    return priced(kind, offer, k)


def _is_standing(offer: Offer, quote: float | None) -> bool:
    """Whether a figure is the hotel's standing one, said as an amount."""
    return offer.price.kind is PriceKind.AMOUNT and names(offer, quote)


def _is_listed(offer: Offer, context: Context) -> bool:
    """Whether a figure is only what the page shows now, which nobody bids but by asking for it."""
    part = offer.part
    asks = "offer" in part.senses or opens_question(part.tokens, part.clause.start, part.clause.end)
    if part.question and asks:
        return False
    return offer.price.kind is PriceKind.AMOUNT and same(offer.selling, context.selling[offer.ticket])


def _is_bid(offer: Offer, context: Context) -> bool:
    """Whether a figure may be a bid: not far above what the ticket costs, nor a small part of it."""
    reference = max(context.selling[offer.ticket], context.quotes[offer.ticket] or 0.0)
    return 0.2 * reference <= offer.selling <= 1.6 * reference


def _chosen(bids: Sequence[Offer], low: str, context: Context, k: int) -> Offer:
    """Return the figure that is bid, of several: one that is proposed, not the list price, the last said."""
    if len(bids) == 1:
        return bids[0]
    left, right = bids[-2], bids[-1]
    if left.net != right.net and same(left.selling, right.selling):
        return left
    if low[left.price.end : right.price.start].strip(" ¥$\u00a0") in _RANGE_LINKS:
        return left if left.selling <= right.selling else right
    own = context.bids[k]

    def weight(place: int) -> tuple[int, int]:
        offer = bids[place]
        score = 2 * (offer.part.question or "offer" in offer.part.senses) + ("cond" in offer.part.senses)
        score -= 2 * same(offer.selling, context.selling[k]) + same(offer.selling, own)
        return score, place

    return bids[max(range(len(bids)), key=weight)]


def _spoken_of(parts: Sequence[Part], i: int) -> Part:
    """Return the clause that says something of a clause's figure: "480 and 495 I hear with pleasure" is one list."""
    while i + 1 < len(parts) and parts[i + 1].clause.join == "and" and parts[i + 1].number == parts[i].number:
        part, after = parts[i], parts[i + 1]
        if (
            part.clause.verbal
            or part.rooms
            or part.senses
            or not after.prices
            or after.prices[0][0] != after.clause.start
        ):
            break
        i += 1
    return parts[i]


def _taken(
    mine: Sequence[Offer],
    spoken: dict[int, Part],
    stances: dict[int, Stance],
    asks: bool,
    open_end: bool,
    sealed: frozenset[int],
    put_off: bool,
    context: Context,
    k: int,
) -> DialogueAct | None:
    """Return the acceptance of a ticket's standing figure that the message names, None if there is none."""
    found: list[_Taking] = []
    for offer in mine:
        carrier = spoken[id(offer.part)]
        stance = stances[id(carrier)]
        taking = None
        if stance.kind in ("accept", "confirm", "yes"):
            kind = Act.CONFIRM if stance.kind == "confirm" else Act.ACCEPT
            weak = carrier.senses.isdisjoint(("accept", "confirm")) and offer.part.number not in sealed
            softened = weak and open_end and stance.force is Force.FIRM
            taking = _Taking(kind, Force.TENTATIVE if softened else stance.force, offer)
        elif not asks and not offer.cited and stance.kind == "":
            force = _naming_force(offer, put_off)
            if force is Force.FIRM and carrier is not offer.part:
                last = carrier.prices[-1][1]
                force = _naming_force(offer._replace(part=carrier, price=last), put_off)
            if force in (Force.ASKED, Force.TENTATIVE) and "offer" in offer.part.senses:
                return priced(Act.COUNTER, offer, k)  # "how about 309?" bids the figure that stands
            settled = offer.part.number in sealed
            if force is Force.FIRM and open_end and not settled:
                force = Force.TENTATIVE
            elif force is Force.TENTATIVE and settled and not negated(offer.part, offer.part.clause.end):
                force = Force.FIRM
            taking = None if force is None else _Taking(Act.ACCEPT, force, offer)
        if taking is not None and (_is_standing(offer, context.quotes[k]) or stance.kind in ("accept", "confirm")):
            found.append(taking)
    found = [t for t in found if t.force not in _SILENT]
    if not found:
        return None
    best = min(found, key=lambda t: _FORCE_ORDER.index(t.force))
    return priced(best.kind, best.offer, k)._replace(force=best.force)


def _naming_force(offer: Offer, put_off: bool) -> Force | None:
    """Return how firmly a clause without any word of agreement settles on the standing figure; None for not at all."""
    part = offer.part
    clause = part.clause
    at = next(place for place, price in part.prices if price is offer.price)
    force = force_of(part, at, put_off)
    if force is not Force.FIRM:
        return force
    person = clause.person
    if person in ("you", "they"):
        return None
    own = part.tokens[clause.start : clause.end]
    if not _COPULAS.isdisjoint(part.tokens[at + 1 : at + 3]):  # "465 is more than I can take"
        return Force.TENTATIVE
    if person == "i":
        return Force.FIRM if not _SETTLING_VERBS.isdisjoint(own) else Force.TENTATIVE
    if person == "it" or clause.verbal:
        return Force.TENTATIVE
    return Force.FIRM


def _loose(
    parts: Sequence[Part],
    offers: Sequence[Offer],
    stances: dict[int, Stance],
    acts: dict[int, DialogueAct],
    asks: bool,
    several: bool,
    context: Context,
    put_off: bool,
) -> list[DialogueAct]:
    """Return agreements and refusals that name no figure: of the tickets that they name, else of what is open."""
    taken: dict[int | None, DialogueAct] = {}
    refused: dict[int | None, DialogueAct] = {
        o.ticket: DialogueAct(Act.REJECT, ticket=o.ticket) for o in offers if o.price.negated and not o.part.question
    }
    for part in parts:
        stance = stances[id(part)]
        if not stance.kind or (part.prices and not all(p.negated for _, p in part.prices)):
            continue
        tickets = scope_of(part, parts, context) if several else (None,)
        if stance.kind in ("reject", "no") or (stance.kind and stance.force is Force.NEGATED):
            if stance.kind == "no" and not part.rooms:
                tickets = _headed(part, parts, context)
            for k in tickets if not part.prices else [o.ticket for o in offers if o.part is part]:
                refused.setdefault(k, DialogueAct(Act.REJECT, ticket=k))
        elif stance.kind in ("accept", "confirm") or (
            stance.kind == "yes" and (part.rooms or _headed(part, parts, context))
        ):
            if stance.force in _SILENT or asks:
                continue
            tickets = _headed(part, parts, context) or tickets
            kind = Act.CONFIRM if stance.kind == "confirm" else Act.ACCEPT
            for k in tickets:
                earlier = taken.get(k)
                if earlier is None or (earlier.kind is Act.ACCEPT and kind is Act.CONFIRM):
                    taken[k] = DialogueAct(kind, ticket=k, force=stance.force)
    return _without_figures(taken, refused, acts) or ([] if acts else _mere_answer(parts, stances, asks, put_off))


def _without_figures(
    taken: dict[int | None, DialogueAct], refused: dict[int | None, DialogueAct], acts: dict[int, DialogueAct]
) -> list[DialogueAct]:
    """Return what is taken and refused of the tickets that no figure was named for; a refusal goes before."""
    if not (taken or refused):
        return []
    named = sorted(k for k in {*taken, *refused} if k is not None)
    if not acts and not named:
        loose = refused.get(None) or taken.get(None)
        return [] if loose is None else [loose]
    return [refused.get(k) or taken[k] for k in named if k not in acts]


def scope_of(part: Part, parts: Sequence[Part], context: Context) -> Sequence[int | None]:
    """Return the tickets that a clause without a figure is about: those it names, all of them, or (None,)."""
    excepted = next((m.start for m in part.clause.marks if "except" in m.senses), None)
    free = [k for k, is_open in enumerate(context.open) if is_open] or list(range(len(context.rooms)))
    if excepted is not None:
        out = {k for at, room in part.rooms if at > excepted for k in room}
        inside = {k for at, room in part.rooms if at < excepted for k in room}
        return [k for k in (sorted(inside) or free) if k not in out]
    turned = next((m.start for m in part.clause.marks if "neg" in m.senses and m.start > part.clause.start + 1), None)
    named = {k for at, room in part.rooms for k in room if turned is None or at < turned}
    named = named or {k for _, room in part.rooms for k in room}
    if named:
        return sorted(named | _rooms_joined(part, parts))
    if "all" in part.senses:
        return free
    ranked = _by_price(part, context)
    if ranked:
        return ranked
    place = parts.index(part)
    for other in (parts[place - 1] if place else None, parts[place + 1] if place + 1 < len(parts) else None):
        beside = other is not None and other.number == part.number and other.rooms and not other.prices
        beside = beside and other is not None and "neg" not in other.senses  # "not even the suite: it's all agreed"
        if beside and other is not None and stance_of(other).kind == "":
            return sorted({k for _, room in other.rooms for k in room})
    return (None,)


def _by_price(part: Part, context: Context) -> Sequence[int]:
    """Return the ticket that is named by its price among two: "the cheaper room", "the expensive one"."""
    if len(context.rooms) != 2 or None in context.quotes or context.quotes[0] == context.quotes[1]:
        return ()
    cheap, dear = sorted(range(2), key=lambda k: context.quotes[k] or 0.0)
    named = part.tokens[part.clause.start : part.clause.end]
    for first, noun in pairwise(named):
        if noun in _RANKED and (first in _CHEAP or first in _DEAR):
            return (cheap,) if first in _CHEAP else (dear,)
    return ()


_RANKED: Final = word_set("room one ticket")
_CHEAP: Final = word_set("cheaper cheapest cheap lower")
_DEAR: Final = word_set("dearer expensive pricier costlier dear higher")


def _headed(part: Part, parts: Sequence[Part], context: Context) -> Sequence[int]:
    """Return the tickets that stand before a clause with a colon: "Family Suite: no. Everything else: yes."."""
    start = part.clause.start
    if len(context.rooms) == 1 or part.rooms or start == 0 or part.tokens[start - 1] not in _HEADS:
        return ()
    if not _WHOLE.isdisjoint(part.tokens[start : part.clause.end]):  # "not even the suite: it's all agreed"
        return ()
    head = next((p for p in parts if p.number == part.number and p.clause.end == start - 1), part)
    if head.rooms:
        return sorted({k for _, room in head.rooms for k in room})
    if head.tokens[head.clause.start : head.clause.end] not in _ELSE:
        return ()
    named = {k for p in parts for _, room in p.rooms for k in room}
    return [k for k, is_open in enumerate(context.open[: len(context.rooms)]) if is_open and k not in named]


_WHOLE: Final = frozenset(("all", "everything", "both"))
_HEADS: Final = frozenset(":：–—")
_ELSE: Final = (("everything", "else"), ("the", "rest"), ("the", "others"), ("all", "else"), ("the", "other", "two"))


def _rooms_joined(part: Part, parts: Sequence[Part]) -> set[int]:
    """Return the rooms that a clause's own are joined to: "the King and the Twin are confirmed"."""
    place = parts.index(part)
    before = parts[place - 1] if place else part
    joined = part.clause.join == "and" and before.number == part.number and not (before.prices or before.clause.verbal)
    if not joined or not before.senses <= {"except", "all"}:
        return set()
    return {k for _, room in before.rooms for k in room}


def _mere_answer(parts: Sequence[Part], stances: dict[int, Stance], asks: bool, put_off: bool) -> list[DialogueAct]:
    """Return what a mere "yes" or "no" comes to, if the message says nothing else."""
    kinds = [stances[id(part)].kind for part in parts]
    if _BARE.isdisjoint(kinds):
        return []
    rest = [part for part, kind in zip(parts, kinds, strict=True) if kind not in _BARE]
    if any(part.question for part in parts) or not is_light(rest) or any(negated(p, p.clause.end) for p in rest):
        return []
    if any("greet" in part.senses for part in parts):
        return []
    if "no" in kinds:
        return [DialogueAct(Act.REJECT)]
    if "yes" in kinds and not asks:
        force = next(stances[id(part)].force for part in parts if stances[id(part)].kind == "yes")
        return [] if force in _SILENT else [DialogueAct(Act.ACCEPT, force=force)]
    return []


_BARE: Final = frozenset(("yes", "no"))


def priced(kind: Act, offer: Offer, ticket: int | None, detail: str = "") -> DialogueAct:
    """Return an act with an offer's figure, as said."""
    price_type = PriceType.NET if offer.net else PriceType.SELLING
    return DialogueAct(kind, price=offer.value, price_type=price_type, ticket=ticket, detail=detail)
