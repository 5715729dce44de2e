"""Claims that a figure is a net or a selling price, held against the figures that stand and what they leave.

"286 on the page", "to you 407", "both net": a figure that stands as the one must not be said to be the other, and what
a price is said to leave must be what it leaves. A figure that nobody knows is a bid, of the type that it is said to be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from negotiation_env.language.claims.talk import Claim, Span, Talk, within
from negotiation_env.language.numerals import Number

_PURSE: Final = r"(?:hands?|pocket|till|purse|account|palm|drawer)"
_WHOSE: Final = r"(?:your|the|his|her|their|my)(?: own)?"
_SHARE: Final = (
    r"(?:us\b|(?:our|the|your) (?:\w+ ){0,2}?(?:share|cut|part|commission|percent|tenth|fee|eight"
    r"|ten|twelve|fifteen|eighteen|twenty)\b)"
)
_NET: Final = re.compile(
    rf"\bnet\b(?! (?:effect|result|gain|of (?!commission)))|\bin {_WHOSE} {_PURSE}\b|\bin hand\b|\b(?:to"
    rf"|for) you\b(?! to\b)"
    rf"|\b(?:it |they |that |which )?reach(?:es)? (?:you|the house|the hotel|her|him)\b|\b(?:left|stays?"
    rf"|remains?) (?:for|with) (?:you|the house)\b|\b(?:truly )?arrives\b|\bheld by you\b"
    rf"|\b(?:you|the house|the hotel)(?:'d| would|'ll| will)? (?:still )?(?:keeps?|holds?|gets?|receives?"
    rf"|takes? home|pockets?|get to keep)\b"
    rf"|\bleav(?:es?|ing)(?: (?:you|the house|the hotel|her|him|me))?(?: with)?(?= (?:about |some |only "
    rf"|roughly |around )?[0-9])"
    rf"|\b(?:of it|is|are) yours\b|\bafter {_SHARE}|(?<=[0-9]) you(?=[.,;!?)]|$)|到手|净价|净收|落袋"
)
_SELLING: Final = re.compile(
    rf"\bselling\b|\bgross\b|\bon (?:the|your) (?:page|site|screen|listing)\b|\bat the front\b|\bin the window\b"
    rf"|\b(?:to )?(?:the )?guests? (?:would |will )?(?:pays?|sees?|reads?)\b|\bthey (?:read|see|pay)\b|\b(?:to"
    rf"|by|for) (?:the )?guests?\b|\bbefore {_SHARE}"
    rf"|\bshown on\b|\bguest price\b|(?<=[0-9]) the guest(?=[.,;!?)]|$)|卖价|售价|客人付|客人看|客人给"
)
_MARK: Final = re.compile(rf"(?P<net>{_NET.pattern})|(?P<selling>{_SELLING.pattern})")
_BEHIND: Final = re.compile(
    r"(?: yuan)?(?: a night| per night| each| the night)?[,:]? ?\(?(?:(?:is|are|was|it's|that's|as"
    r"|so) )?(?:(?:all )?(?:what|that|the price) )?(?:it |they )?"
)
"""What may stand between a figure and the words for its type behind it."""
_AHEAD: Final = re.compile(
    r"(?:: (?:the |your )?(?:[a-z]+ ){1,2}|[:,]|,? then:?|,? (?:it's|it is|that's|that is|is|are|at|about|some"
    r"|only|now|just|around|as|price|prices|rate|of))* ?[¥$]?"
)
_VERB: Final = re.compile(
    r"(?:keep|hold|get|receive|take|pocket|pay|see|read|arrive|leave|leaving|you|付|给|看|到手|落袋)s?$"
)
"""Words that the figure follows."""
_VERB_ALONE: Final = re.compile(r"you(?:'d| would|'ll| will)? (?:still )?[a-z ]+s?$")
_END: Final = re.compile(r" ?(?:[.,;:!?)]|$|(?:a|per|each) night)")
_LIST: Final = re.compile(
    r"(?: (?:for|on|in) (?:the |your )?[a-z]+(?: [a-z]+)?)?(?:, | and |,? and |/| & |、|和)(?:the "
    r"|your )?(?:(?!and |at |of |to |from |page |guests? |against |then |over |under )[a-z]+ ){0,2}"
)
_ALL: Final = re.compile(
    r"(?:\b(?:both|all|each|every|three|two)\b|[都两三]个?(?:都|是)?)[^.;:0-9]{0,14}$|^[ ,]*$|[:,;] ?$"
)
"""What stands before words for a type that are said of every figure of the sentence."""
_ALL_AFTER: Final = re.compile(r"(?: prices?| rates?)?(?: (?:both|all)(?: times)?)?[ ,]*(?:[,;:.!?。，]|$)")
_BID: Final = re.compile(
    r"\b(?:could|would|can i|may i|how about|what about|propos\w*|suggest\w*|let'?s|let us|offer\w*|ask|say"
    r"|want|like|need|"
    r"hope|if|shall|should|might)\b|能|可以|吗"
)
_SAME: Final = 1.5
"""Yuan within which two figures are the same."""
_KEEPS: Final = (0.74, 0.96)
"""Shares of a selling price that a net one may be."""
_MOST: Final = 24
"""Figures of a message that are looked at."""


class _Mark(NamedTuple):
    """Words for a type at ``low[start:end]``."""

    start: int
    end: int
    net: bool


def type_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each figure that is said to be net or selling and is known as one of them."""
    marks = [_Mark(m.start(), m.end(), m["net"] is not None) for m in _MARK.finditer(talk.low)]
    if not marks:
        return []
    low, high = (
        0.4 * min(t.selling_price for t in talk.card.tickets),
        1.3 * max(t.selling_price for t in talk.card.tickets),
    )
    figures = [number for number in talk.numbers if low <= number.value <= high][:_MOST]
    typed = _typed(talk, marks, figures)
    if not typed:
        return []
    selling, nets = _known(talk)
    keeps = {1.0 - ticket.commission for ticket in talk.card.tickets}
    said = {number.value for number in figures}
    highest_net = max(ticket.net_price for ticket in talk.card.tickets)
    claims: list[Claim] = []
    for number, net in typed:
        value, own, other = number.value, nets if net else selling, selling if net else nets
        asks = _asks(talk, number)
        left = any(_is(value, {figure * keep for figure in said - {value}}) for keep in keeps)
        leaves = any(_is(value * keep, said - {value}) for keep in keeps)
        turned = (leaves or value > highest_net + 2.0) if net else left and not asks
        near, far = _apart(value, own), _apart(value, other)
        if (near <= _SAME and near <= far) or (left if net else leaves):
            true: bool | None = True
        elif far <= _SAME and (net or not asks):
            true = False
        else:
            true = False if turned else None
        if true is not None:
            claims.append(talk.claim("price-type", number.start, number.end, value, "selling" if net else "net", true))
        elif net and not asks:
            claims += _left(talk, number, said, nets, keeps)
    return claims


def _left(
    talk: Talk, number: Number, said: AbstractSet[float], nets: AbstractSet[float], keeps: AbstractSet[float]
) -> list[Claim]:
    """Return the claim that a figure is what another one of the message leaves: "from 285 you'd keep 262"."""
    value = number.value
    whole = {figure for figure in said if _KEEPS[0] <= value / figure <= _KEEPS[1]}
    if not whole:
        return []
    truth = min((figure * keep for figure in whole for keep in keeps), key=lambda left: abs(left - value))
    true = abs(truth - value) <= _SAME or talk.was_said(value, _SAME)
    return [talk.claim("net-price", number.start, number.end, value, round(truth, 2), true)]


def _apart(value: float, others: AbstractSet[float]) -> float:
    return min(abs(value - other) for other in others)


def _is(value: float, others: AbstractSet[float]) -> bool:
    return any(abs(value - other) <= _SAME for other in others)


def _known(talk: Talk) -> tuple[AbstractSet[float], AbstractSet[float]]:
    """Return the selling prices that stand or have stood, and what they leave the hotel."""
    selling: set[float] = set()
    nets: set[float] = set()
    for k, ticket in enumerate(talk.card.tickets):
        prices = {float(ticket.selling_price)}
        if talk.game is not None:
            standing = (talk.game.quote[k], talk.game.agreed[k]) if talk.game.quoted[k] else (talk.game.bid[k],)
            prices |= {value for value in standing if value > 0.0}
        selling |= prices
        nets |= {price * (1.0 - ticket.commission) for price in prices}
    return selling, nets


def _asks(talk: Talk, number: Number) -> bool:
    """Return whether a figure is asked for and not told."""
    sentence = talk.sentence(number.start)
    asked = talk.low[sentence.end : sentence.end + 1] in ("?", "？")
    return asked or _BID.search(talk.low, talk.clause(number.start).start, number.start) is not None


def _typed(talk: Talk, marks: Sequence[_Mark], figures: Sequence[Number]) -> list[tuple[Number, bool]]:
    """Return the figures that words for a type are said of, and whether they are net."""
    found: dict[int, tuple[Number, bool]] = {}
    for mark in marks:
        sentence = talk.sentence(mark.start)
        before = within(figures, sentence.start, mark.start)
        after = within(figures, mark.end, sentence.end)
        ahead = after and _AHEAD.fullmatch(talk.low, mark.end, after[0].start)
        verb = ahead and (
            _VERB.search(talk.low, mark.start, mark.end) or talk.low[mark.start - 2 : mark.start] in (": ", ", ")
        )
        verb = verb or (_VERB_ALONE.search(talk.low, mark.start, mark.end) and not _END.match(talk.low, mark.end))
        if before and not verb and _BEHIND.fullmatch(talk.low, before[-1].end, mark.start):
            for number in _listed_before(talk, before, mark):
                found.setdefault(number.start, (number, mark.net))
            found[before[-1].start] = (before[-1], mark.net)
        elif ahead and not talk.low.endswith("yours", mark.start, mark.end):
            for number in _listed(talk, after, marks):
                found.setdefault(number.start, (number, mark.net))
        elif _of_all(talk, mark, sentence):
            for number in before or _of_last(talk, sentence, figures):
                found.setdefault(number.start, (number, mark.net))
    return [found[start] for start in sorted(found)]


def _listed(talk: Talk, figures: Sequence[Number], marks: Sequence[_Mark]) -> Sequence[Number]:
    """Return the figures that are listed one after the other, without words for a type between them."""
    last = 1
    while last < len(figures) and _LIST.fullmatch(talk.low, figures[last - 1].end, figures[last].start):
        if any(figures[last - 1].end <= mark.start < figures[last].start for mark in marks):
            break
        last += 1
    if last > 1 and any(
        _BEHIND.fullmatch(talk.low, figures[last - 1].end, mark.start)
        for mark in marks
        if mark.start >= figures[last - 1].end
    ):
        last -= 1  # the last one has a type of its own
    return figures[:last]


def _listed_before(talk: Talk, figures: Sequence[Number], mark: _Mark) -> Sequence[Number]:
    """Return the last figures, those that are listed one right after the other: "462, 610 and 538, selling".

    In "320, 272 net" the last one alone is net.
    """
    first = len(figures) - 1
    while first and talk.low[figures[first - 1].end : figures[first].start] in _JOINTS:
        first -= 1
    plain = talk.low[figures[-2].end : figures[-1].start] == ", " if first < len(figures) - 1 else True
    return figures[-1:] if plain and talk.low[figures[-1].end] != "," else figures[first:]


_JOINTS: Final = (", ", " and ", ", and ", "/", "、", "和", " ")


def _of_all(talk: Talk, mark: _Mark, sentence: Span) -> bool:
    """Return whether words for a type are said of every figure: "both net", or by themselves between commas."""
    return (
        _ALL.search(talk.low[sentence.start : mark.start]) is not None
        and _ALL_AFTER.match(talk.low, mark.end) is not None
    )


def _of_last(talk: Talk, sentence: Span, figures: Sequence[Number]) -> Sequence[Number]:
    """Return the figures of the sentence before."""
    ahead = within(figures, 0, sentence.start)
    if not ahead:
        return ()
    last = talk.sentence(ahead[-1].start)
    return within(figures, last.start, last.end) if last.end + 3 >= sentence.start else ()
