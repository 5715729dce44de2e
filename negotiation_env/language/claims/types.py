"""Claims about the type of a price, net or selling, and about the gifts beside it.

"286 on the page", "to you 407", "both net": a figure that stands as the one must not be said to be the other, and what
a price is said to leave must be what it leaves. A figure that nobody knows is a bid, of the type that it is said to be.

A gift that is named is offered, with a verb or without one ("385, badge included"), in a question too ("with a banner,
could you do 385?"), and true where the card allows it. What is refused, wished away or told of others is no offer.
Gifts that no list knows are heard by ``promises``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game import world
from negotiation_env.game.scenario import TaskCard
from negotiation_env.language.claims.houses import RoomMention, core_name
from negotiation_env.language.claims.money import figure_beside
from negotiation_env.language.claims.talk import MAX_LENGTH, PATTERNS, Claim, Span, Talk, within
from negotiation_env.language.numerals import Number

_PURSE: Final = r"(?:hands?|pocket|till|purse|account|palm|drawer)"
_WHOSE: Final = r"(?:your|the|his|her|their|my)"
_SHARE: Final = (
    r"(?:us\b|(?:our|the|your) (?:\w+ ){0,2}?(?:share|cut|part|commission|percent|tenth|fee|eight"
    r"|ten|twelve|fifteen|eighteen|twenty)\b)"
)
_NET: Final = re.compile(
    rf"(?<![a-z])net\b(?! (?:effect|result|gain|of (?!commission)))|\bin {_WHOSE} (?:{_PURSE}|own {_PURSE}(?<!hand))\b|"
    rf"(?<!cash )\bin hand\b|(?<!up )\bto (?:you\b(?! to\b| alone\b)|me\b)|\byou(?:'re| are) paid\b|\b(?:it |they |"
    rf"that |which )?reach(?:es)? (?:you|the house|the hotel|her|him)\b|\b(?:left|stays?|remains?) (?:for|with) (?:you|"
    rf"the house)\b|\b(?:truly )?arrives\b|\bheld by you\b|\b(?:you|the house|the hotel)(?:'d| would|'ll|"
    rf" will)? (?:still )?(?:keeps?|gets?|receives?|takes? home|pockets?|get to keep)\b|\bi (?:get|keep)\b|"
    rf"(?:\bleav(?:es|ing)|(?:'d|\bwould|\bwill) leave)(?: (?:you|the house|the hotel|her|him|"
    rf"me))?(?: with)?(?= (?:about |some |only |roughly |around )?[0-9])|\bof (?:it|that) (?:is |are )?yours\b|"
    rf"\bafter {_SHARE}|(?<=[0-9]) you(?=[.,;!?)]|$)|(?<=[0-9],) me(?=[.,;!?)]|$)"
    r"|到手|净价|净收|落袋|[您你]所得"
)
_SELLING: Final = re.compile(
    rf"\bselling\b|\bgross\b|\bon (?:the|your) (?:page|site|screen|listing)\b|\bat the front\b|\bin the window\b"
    rf"|\b(?:to )?(?:the )?guests? (?:would |will )?(?:pays?|sees?|reads?)\b|\bthey (?:read|see|pay)\b|\b(?:to"
    rf"|by|for) (?:(?:the )?guests?|them)\b|\bfrom the guest\b|\bon the guest's bill\b|\bbefore {_SHARE}"
    rf"|\bshown on\b|\bguest price\b|(?<=[0-9])(?: the|, the) guest(?=[.,;!?)]|$)|卖价|售价|客人[付看给俾]"
)
_MARK: Final = re.compile(rf"(?P<net>{_NET.pattern})|(?P<selling>{_SELLING.pattern})")
_NEGATED: Final = re.compile(r"(?:\bnot|\bno|n't|\binstead of|\bor|\bworth [0-9a-z -]{1,24}|不是|别) ?$")
"""Before words for a type that are denied, one of two, or no type: "worth 575 to you"."""
_BEHIND: Final = re.compile(
    r"(?: ?yuan|块[0-9]?|元)?(?: a night| per night| each| the night)?[,:，]? ?\(?(?:(?:is|are|was|it's|that's|as"
    r"|so) )?(?:(?:all )?(?:what|that|the price) )?"
    r"(?:it |they |shows? |stands? |lands? |ends? up |comes? |goes? )?(?:都?[是系])?[您你]?"
)
"""What may stand between a figure and the words for its type behind it."""
# Each text has one way to match: with two ways for a word, a row of words that does not match after all takes for ever.
_AHEAD: Final = re.compile(
    r"(?:: (?:(?:the|your) (?:[a-z]+ ){2}|(?:[a-z]+ ){1,2})|[:,：，]| (?:then|it's|it is|that's|that is|is|are|at|about"
    r"|some|only|now|just|around|as|price|prices|rate|of)|[我就]?[挂是按约])* ?[¥$]?"
)
"""What may stand between words for a type and the figure behind them."""
_VERB: Final = re.compile(
    r"(?:keep|get|receive|take|pocket|pay|see|read|arrive|leave|付|给|看|到手|落袋)s?$|\bleav(?:es?|ing)\b"
)
"""Words that the figure follows."""
_VERB_ALONE: Final = re.compile(r"you(?:'d| would|'ll| will)? (?:still )?[a-z ]+s?$")
_END: Final = re.compile(r" ?(?:[.,;:!?)]|$|(?:a|per|each) night)")
_CONVERTS: Final = re.compile(
    r"(?: yuan)?,? (?:(?:is|are|makes?|means|would be|comes? to) |(?:above|below|under|over|cheaper|dearer|short)\b)"
)
"""After a figure that is turned into another one, or that tells how far two are apart."""
_LIST: Final = re.compile(
    r"(?: (?:for|on|in) (?:the |your )?[a-z]+(?: [a-z]+)?)?(?:, | and |,? and |/| & |、|和)(?:the |your )?(?:(?!and |"
    r"at |of |to |from |page |guests? |against |then |over |under |so |that |which |leav)[a-z]+ ){0,2}"
)
_ALL: Final = re.compile(
    r"(?:\b(?:both|all|each|every one)\b[^.,;:0-9]{0,18}|[都均两三]个?(?:都|是|系|按|您|你)*)[ ,]*$|^[ ,]*$|[:,;，] ?$"
)
"""What stands before words for a type that are said of every figure of the sentence."""
_EACH: Final = re.compile(r"\b(?:both|all)(?: of them)?[ ,]*$")
_ALL_AFTER: Final = re.compile(
    r"(?: prices?| rates?| them|的?价?)?(?:,? (?:both|all)(?: times)?)?[ ,]*(?:[,;:.!?。，]|$)"
)
_LAST: Final = 12
"""Characters of a sentence before words for a type that may be said of the sentence before."""
_BID: Final = PATTERNS["bid"]
_PLEASE: Final = re.compile(r"[^.!?]{0,16}\bplease\b")
_SAME: Final = 1.5
"""Yuan within which two figures are the same."""
_EXACT: Final = 0.6
"""Yuan within which a figure is another one that is rounded."""
_BESIDE: Final = 90
"""Characters within which a figure may be what another one leaves."""
_BEGINS: Final = 2
"""Characters before words that begin a sentence."""
_CLOSE: Final = 8
"""Characters within which a figure before a net one is what leaves it, in a question too."""
_KEEPS: Final = (0.74, 0.96)
"""Shares of a selling price that a net one may be."""
_MOST: Final = 24
"""Figures of a message that are looked at."""
_LATELY: Final = 6
"""Earlier messages in which figures are looked for that were said to be net or selling."""


class _Mark(NamedTuple):
    """Words for a type at ``low[start:end]``."""

    start: int
    end: int
    net: bool


class _Typed(NamedTuple):
    """A figure that words for a type are said of.

    Attributes:
        number: the figure.
        net: whether it is said to be net.
        words: where the words for its type begin.
        ticket: the ticket that it is said of; None if that is not known.
    """

    number: Number
    net: bool
    words: int
    ticket: int | None


def type_claims(talk: Talk, rooms: Sequence[RoomMention]) -> list[Claim]:
    """Return a claim for each figure that is said to be net or selling and is known as one of them."""
    figures = _figures(talk)
    typed = _typed(talk, figures, False) if figures else []
    if not typed:
        return []
    tickets, claims = range(len(talk.card.tickets)), list[Claim]()
    placed = {number.start: room.tickets[0] for room in rooms if len(room.tickets) == 1
              and (number := figure_beside(talk, room, rooms)) is not None}  # fmt: skip
    heard, told = _heard(talk, 0), _heard(talk, 1)
    nets = {figure.number.start for figure in typed if figure.net}
    for number, net, words, place in typed:
        value, asks = number.value, _asks(talk, number, min(words, number.start))
        near = {figure.value for figure in within(figures, number.start - _BESIDE, number.start + _BESIDE)} - {value}
        ticket = placed.get(number.start, place)
        keeps = {1.0 - talk.card.tickets[k].commission for k in tickets}
        left = any(_is(value, {figure * keep for figure in near}) for keep in keeps)
        leaves = any(_is(value * keep, near) for keep in keeps)
        stands = _known(talk, tickets, net, False) | told[net]
        own = stands | heard[net] | _known(talk, tickets, net, True)
        other = _known(talk, tickets if ticket is None else (ticket,), not net, False) | told[not net]
        far = _apart(value, other)
        owned = _known(talk, tickets if ticket is None else (ticket,), not net, None) | told[not net]
        if (left if net else leaves) and _apart(value, owned) > _EXACT:
            true: bool | None = True  # its own bid, turned into the other type
        elif far <= _EXACT and _apart(value, stands) > _SAME and not asks and not leaves:
            true = False  # the hotel's own figure, whatever was bid
        elif _apart(value, own) <= min(_SAME, far) or (left if net else leaves):
            true = True
        elif far <= _SAME and (net or not asks):
            true = False
        else:
            highest = max(t.net_price for t in talk.card.tickets) + 2.0
            turned = (leaves or value > highest) if net else left
            true = False if turned and not asks else None
        if true is not None:
            claims.append(talk.claim("price-type", number, value, "selling" if net else "net", true))
        elif net:
            whole = [figure for figure in figures if figure.start not in nets]
            claims += _left(talk, number, words, [f for f in whole if not asks or f.end > number.start - _CLOSE], keeps)
    return claims


def _figures(talk: Talk) -> Sequence[Number]:
    """Return the figures of a message that may be prices of its rooms."""
    prices = [ticket.selling_price for ticket in talk.card.tickets]
    low, high = 0.4 * min(prices), 1.3 * max(prices)
    return [number for number in talk.numbers if low <= number.value <= high][:_MOST]


def _heard(talk: Talk, side: int) -> dict[bool, AbstractSet[float]]:
    """Return the figures that were lately said to be net (True) and selling, by this side (0) or the hotel (1)."""
    found: dict[bool, set[float]] = {True: set(), False: set()}
    for message in talk.earlier[-1 - (1 - side) : -_LATELY - 1 : -2]:
        for value, net in _typed_in(message[:MAX_LENGTH], talk.card, side == 1):
            found[net].add(value)
    return {net: frozenset(values) for net, values in found.items()}


@lru_cache(maxsize=1024)
def _typed_in(message: str, card: TaskCard, of_hotel: bool) -> tuple[tuple[float, bool], ...]:
    talk = Talk(message, card, None, ())
    return tuple((typed.number.value, typed.net) for typed in _typed(talk, _figures(talk), of_hotel))


def _left(talk: Talk, number: Number, words: int, figures: Sequence[Number], keeps: AbstractSet[float]) -> list[Claim]:
    """Return the claim that a figure is what one before it leaves: "from 285 you'd keep 262", "300? In hand 246.50".

    One of the sentence before is looked for too where the words for the type begin this one, or the figure has fen.
    """
    value, start = number.value, talk.sentence(number.start).start
    if words - start <= _BEGINS or value != int(value):
        start = max(0, number.start - _BESIDE)
    said = {figure.value for figure in within(figures, start, number.start)}
    whole = {figure for figure in said if _KEEPS[0] <= value / figure <= _KEEPS[1]}
    if not whole:
        return []
    truth = min((figure * keep for figure in whole for keep in keeps), key=lambda left: abs(left - value))
    true = abs(truth - value) <= _SAME or talk.was_said(value, _SAME)
    return [talk.claim("net-price", number, value, round(truth, 2), true)]


def _apart(value: float, others: AbstractSet[float]) -> float:
    return min((abs(value - other) for other in others), default=math.inf)


def _is(value: float, others: AbstractSet[float]) -> bool:
    return any(abs(value - other) <= _SAME for other in others)


def _known(talk: Talk, tickets: Sequence[int], net: bool, bids: bool | None) -> AbstractSet[float]:
    """Return the selling prices of tickets that stand or have stood, or what they leave the hotel (``net``).

    A bid stands where the hotel has named no figure, and counts beside it where ``bids`` says so; with None none does.
    """
    found: set[float] = set()
    for k in tickets:
        ticket, game = talk.card.tickets[k], talk.game
        prices = {float(ticket.selling_price)}
        if game is not None:
            standing = (game.quote[k], game.agreed[k]) if game.quoted[k] else (0.0 if bids is None else game.bid[k],)
            prices |= {value for value in (*standing, game.bid[k] if bids else 0.0) if value > 0.0}
        found |= {price * (1.0 - ticket.commission) for price in prices} if net else prices
    return found


def _asks(talk: Talk, number: Number, start: int) -> bool:
    """Return whether a figure is asked for and not told; ``start`` is where it or the words for its type begin."""
    sentence = talk.sentence(number.start)
    asked = talk.low[sentence.end : sentence.end + 1] in ("?", "？") or _PLEASE.match(talk.low, number.end) is not None
    return asked or _BID.search(talk.low, talk.clause(start).start, start) is not None


def _typed(talk: Talk, figures: Sequence[Number], of_hotel: bool) -> list[_Typed]:
    """Return the figures that words for a type are said of, by the hotel or by the agent."""
    low = talk.low
    marks = _marks(talk, of_hotel) if figures else []
    found: dict[int, _Typed] = {}
    for mark in marks:
        sentence = talk.sentence(mark.start)
        before = within(figures, sentence.start, mark.start)
        after = within(figures, mark.end, sentence.end)
        ahead = bool(after) and _AHEAD.fullmatch(low, mark.end, after[0].start) is not None
        behind = bool(before) and _BEHIND.fullmatch(low, before[-1].end, mark.start) is not None
        if ahead and behind:
            ahead = _is_ahead(low, mark, before[-1].end)
            behind = not ahead
        if ahead and _CONVERTS.match(low, after[0].end) and not _VERB.search(low, mark.start, mark.end):
            continue  # "net, 475 would be 390"
        if behind:
            listed, overrides = _listed_before(talk, before), True
        elif ahead and not low.endswith("yours", mark.start, mark.end):
            listed, overrides = _listed(talk, after, marks), False
        elif _of_all(talk, mark, sentence):
            listed, overrides = before or _of_last(talk, mark, sentence, figures), False
        else:
            continue
        in_order = len(listed) == len(talk.card.tickets)
        for place, number in enumerate(listed):
            typed = _Typed(number, mark.net, mark.start, place if in_order else None)
            if number.start not in found or (overrides and number is listed[-1]):
                found[number.start] = typed
    return [found[start] for start in sorted(found)]


def _marks(talk: Talk, of_hotel: bool) -> list[_Mark]:
    """Return the words for a type; none that are denied, and none of two in a breath: "net or selling"."""
    low = talk.low
    marks = [_Mark(m.start(), m.end(), m["net"] is not None) for m in _MARK.finditer(low)]
    told = []
    for place, mark in enumerate(marks):
        near = (*marks[max(0, place - 1) : place], *marks[place + 1 : place + 2])
        spans = [(min(mark.end, other.end), max(mark.start, other.start)) for other in near if other.net != mark.net]
        twice = any(_IN_A_BREATH.fullmatch(low, *span) for span in spans)
        mine = low.startswith(("i ", "to me", " me"), mark.start) and not of_hotel
        if not twice and not mine and not _NEGATED.search(talk.before(mark.start, 36)):
            told.append(mark)
    return told


_IN_A_BREATH: Final = re.compile(r" (?:and|or|or what|beside|next to|with) (?:the )?")


def _is_ahead(low: str, mark: _Mark, end: int) -> bool:
    """Return whether words for a type between two figures are said of the second: "410, you keep 330"."""
    apart = any(sign in low[end : mark.start] for sign in ",:，(")
    if _VERB.search(low, mark.start, mark.end) or (
        _VERB_ALONE.search(low, mark.start, mark.end) and not _END.match(low, mark.end)
    ):
        return True
    return apart and not low.startswith((",", "，", " is ", " are "), mark.end)


def _listed(talk: Talk, figures: Sequence[Number], marks: Sequence[_Mark]) -> Sequence[Number]:
    """Return the figures that are listed one after the other, without words for a type between or behind them."""
    last = 1
    while last < len(figures) and _LIST.fullmatch(talk.low, figures[last - 1].end, figures[last].start):
        if any(figures[last - 1].end <= mark.start < figures[last].start for mark in marks):
            break
        last += 1
    if last > 1:
        clause = talk.clause(figures[last - 1].start)
        if any(figures[last - 1].end <= mark.start < clause.end for mark in marks):
            last -= 1  # the last one has a type of its own
    return figures[:last]


def _listed_before(talk: Talk, figures: Sequence[Number]) -> Sequence[Number]:
    """Return the last figures, those that are listed one right after the other: "462, 610 and 538, selling".

    In "320, 272 net" the last one alone is net.
    """
    first = len(figures) - 1
    while first and talk.low[figures[first - 1].end : figures[first].start] in _JOINTS:
        first -= 1
    plain = talk.low[figures[-2].end : figures[-1].start] == ", " if first < len(figures) - 1 else True
    return figures[-1:] if plain and not talk.low.startswith((",", "，"), figures[-1].end) else figures[first:]


_JOINTS: Final = (", ", " and ", ", and ", "/", "、", "和", " ")


def _of_all(talk: Talk, mark: _Mark, sentence: Span) -> bool:
    """Return whether words for a type are said of every figure: "both net", or by themselves between commas."""
    all_of = _ALL.search(talk.low[sentence.start : mark.start])
    if all_of is None or (talk.low.startswith("to ", mark.start) and not _EACH.search(all_of[0])):
        return False
    return _ALL_AFTER.match(talk.low, mark.end) is not None


_EVERY: Final = re.compile(r"\ball\b|都|均")


def _of_last(talk: Talk, mark: _Mark, sentence: Span, figures: Sequence[Number]) -> Sequence[Number]:
    """Return the figures of the sentence before, if the words for a type begin this one; "all" are those of all."""
    ahead = within(figures, 0, sentence.start)
    apart = mark.start - sentence.start > _LAST and not talk.low.startswith(", ", mark.start - 2)
    if not ahead or apart or talk.low[sentence.end : sentence.end + 1] in ("?", "？"):
        return ()
    if _EVERY.search(talk.low, sentence.start, sentence.end):
        return ahead
    last = talk.sentence(ahead[-1].start)
    return within(figures, last.start, last.end) if last.end + 3 >= sentence.start else ()


_EACH_WEEK: Final = (
    r"(?:(?:each|every|per|a) (?:week|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    r"|(?:on |of a )?(?:mon|tues|wednes|thurs|fri|satur|sun)days)"
)
_GIFTS: Final[dict[str, re.Pattern[str]]] = {
    **{gift: PATTERNS[gift] for gift in ("banner", "badge", "search-boost", "photo-refresh")},
    "weekly-report": re.compile(
        r"\b(?:weekly|week by week) (?:\w+ )?(?:reports?|sheets?|figures|numbers)\b|\bweekly (?:line|page|letter)\b"
        rf"|\b(?:reports?|sheet|page|letter|paper|figures|numbers)(?: (?!for\b)\w+){{0,2}} {_EACH_WEEK}"
        rf"|\b{_EACH_WEEK},? (?:\w+ ){{0,4}}(?:reports?|sheet|a page|figures|numbers)\b"
        r"|\b(?:the|your|a|first|one|and) reports?\b(?! (?:from|said|says|of the|about|i read|to\b|on [0-9]))|周报|"
        r"每(?:周|个?礼拜|个?星期).{0,8}(?:表|报|一张|一页|纸)|(?<=[\u4e00-\u9fff]) ?(?:weekly )?report"
    ),
}  # fmt: skip
_REFUSED: Final = PATTERNS["refused_gift"]
_REFUSED_AFTER: Final = re.compile(
    r",? (?:no\b|(?:\w+ ){0,2}(?:isn't|aren't|is not|i can't|i cannot|i may not|i can not|i won't|won't|can't|ended|"
    r"was|were|had)\b|\w+ n't)|,?(?: and \w+(?: \w+)?)? (?:notwithstanding|or not|aside|apart)\b"
)
_DECLINED: Final = re.compile(r"\b(?:no|without an?) $")
_OF_OTHERS: Final = re.compile(
    r"\b(?:they|he|she|his|her|their|neighbours?|others|partners|houses|last (?:year|time))\b[^,;.]{0,30}$"
)


@lru_cache(maxsize=256)
def _of_competitor(name: str) -> re.Pattern[str]:
    """Return what tells of the competitor by name before a gift: the name, or one of its words written as a name."""
    core = core_name(name)
    words = [f"{word[:1].upper()}{word[1:]}" for word in core.split() if len(word) > 3]
    named = "|".join(map(re.escape, [core, *words]))
    return re.compile(rf"\b(?:{named})\b[^,;.]{{0,30}}$")


def gift_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each gift that is offered by name, true where the card allows it; one of each kind."""
    allowed = talk.card.promises
    own = " ".join(promise for promise in allowed if promise not in world.PROMISES).lower()
    found: list[Claim] = []
    for gift, pattern in _GIFTS.items():
        for match in pattern.finditer(talk.low):
            declined = _DECLINED.search(talk.low, max(0, match.start() - 12), match.start())
            if declined or f" no {match[0]}" in talk.low[match.end() :]:
                break  # it is refused, whatever is said of it elsewhere
            told = "photographer" in match[0] and "photographer" in talk.earlier_low
            if not told and _is_offered(talk, match):
                true = gift in allowed or (bool(own) and pattern.search(own) is not None)
                truth = ", ".join(allowed)
                found.append(talk.claim("promise", match, gift, truth, true))
                break
    return found


def _is_offered(talk: Talk, match: re.Match[str]) -> bool:
    """Return whether a gift that is named is offered."""
    clause = talk.clause(match.start())
    start = max(clause.start, match.start() - 40)
    before = talk.low[start : match.start()]
    if _REFUSED.search(before) or _OF_OTHERS.search(before):
        return False
    theirs = _of_competitor(talk.card.facts.competitor_name)
    if theirs.search(before) or theirs.search(talk.text[start : match.start()]):
        return False
    return _REFUSED_AFTER.match(talk.low, match.end()) is None
