"""Claims about the talk itself ("you said 320", "as agreed"), and counts that nothing bears out."""

from __future__ import annotations

import re
from typing import Final

from negotiation_env.language.claims.talk import Claim, Talk
from negotiation_env.language.numerals import Number

_SAID: Final = (
    r"(?:said|told|quoted|offered|named|wrote|gave|mentioned|agreed(?: on| to| at)?|settled(?: on| at)?|promised)"
)
_SAID_BEFORE: Final = re.compile(
    rf"\b(?:you|i|we|she|he|you've|we've|i've|you'd|we'd|i'd|you had|we had) (?:just |already |once |both |"
    rf"have |had )?{_SAID}"
    r"(?: (?:me|you|us|to|it|at|that|was|the|a|for|on|yes|,))* ?$|\b(?:as|like) (?:agreed|promised|"
    r"you said|we said)[:,]? (?:at |on )?$"
    r"|[您你]们?(?:刚才|刚刚|之前|上次|昨天)?(?:说|报|讲|答应|给)(?:好)?(?:了)?的?(?:是|价)?$|(?:说好|谈好|讲好|定好|谈妥)的?$"
)
_SAID_AFTER: Final = re.compile(
    rf",? (?:that |which |as |like )?(?:you|we|i|you've|we've|you'd|we'd)(?: had| have| just|"
    rf" already)? {_SAID}\b|,? as (?:agreed|promised|you said|said)\b"
    r"|(?:您|你)说的"
)
_DENIED: Final = re.compile(r"\b(?:not|never|n't|didn't|haven't|if|when|did|what)\b|没|不")
_COUNTED: Final = re.compile(
    r" ?(?:extra |more |additional |new |[a-z]+ )?(?:(?<=more )nights|(?<=extra )nights|"
    r"(?<=additional )nights|bookings?|reservations?|orders|room[ -]nights|guests|views|clicks|searches|"
    r"travellers|"
    r"stays|sales|rooms? a (?:night|day|week)|suites full|rooms full|years in a row|days in a row)\b"
    r"|(?:个|单|位)?(?:订单|预订|间夜|浏览|客人)"
)
_REPORTED: Final = re.compile(
    r"\b(?:last (?:week|month|year|spring|summer|autumn|winter|january|february|march|april|may|june|july|"
    r"august|september|"
    r"october|november|december|time|season)|yesterday|had|got|took|made|brought|brings|sold|booked|saw|"
    r"were|was|earned|received|"
    r"counted|won|lost|average|came|already|each|per month|a month|this year|guarantee\w*)\b|上周|上月|去年|昨天|已经"
)
_SUPPOSED: Final = re.compile(r"\b(?:if|instead of|would|could|what)\b|\?")
_EARNED: Final = re.compile(
    r"\b(?:houses?|hotels?|neighbou?rs?|resorts?|partners?|others|everyone|places?|colleagues?|they|he|"
    r"she|brings?)\b[^.;?!0-9]{0,60}"
    r"\b(?:made|earned|took|brought|brings?|lost|gained|saved|got|won|average)\b(?: [a-z]+){0,4} $"
)


def saying_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each figure that a side is said to have named, or that is said to be agreed."""
    claims: list[Claim] = []
    for number in talk.numbers:
        if number.value < 50:
            continue
        before = talk.before(number.start, 40)
        cue = _SAID_BEFORE.search(before)
        if cue is None and not _SAID_AFTER.match(talk.after(number.end, 40)):
            continue
        if _DENIED.search(before if cue is None else before[: cue.start()]):
            continue
        true = talk.was_said(number.value, 1.5) or _converted(talk, number)
        claims.append(talk.claim("earlier", number.start, number.end, number.value, None, true))
    return claims


def _converted(talk: Talk, number: Number) -> bool:
    """Return whether a figure is the net or the selling price of one that was said."""
    shares = {1.0 - ticket.commission for ticket in talk.card.tickets}
    known = [*talk.earlier_values, *(float(ticket.selling_price) for ticket in talk.card.tickets)]
    return any(
        abs(value * share - number.value) <= 1.5 or abs(value / share - number.value) <= 1.5
        for value in known
        for share in shares
    )


def count_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each number of bookings, guests or yuan that is reported and that nobody has said before."""
    claims: list[Claim] = []
    for number in talk.numbers:
        if number.value < 5 or talk.was_said(number.value):
            continue
        unit = _COUNTED.match(talk.low, number.end)
        sentence = talk.sentence(number.start)
        supposed = _SUPPOSED.search(talk.low, sentence.start, min(len(talk.low), sentence.end + 1)) is not None
        counted = (
            unit is not None and not supposed and _REPORTED.search(talk.low, sentence.start, sentence.end) is not None
        )
        earned = (
            not re.match(r" ?(?:%|per ?cent|个?点)", talk.low[number.end : number.end + 9])
            and number.value >= 20
            and _EARNED.search(talk.before(number.start, 100)) is not None
        )
        if counted or earned:
            end = unit.end() if unit is not None else number.end
            claims.append(talk.claim("performance", number.start, end, number.value, None, False))
    return claims
