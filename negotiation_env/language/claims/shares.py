"""Claims in shares: demand, exposure, conversion, occupancy, commission, and shares that nothing bears out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from negotiation_env.language.claims.talk import PATTERNS, Claim, Span, Talk, within
from negotiation_env.language.numerals import Number

_PERCENT: Final = re.compile(r" ?(?:%|per ?cent\b|pct\b|percentage points?\b)")
_POINTS: Final = re.compile(r" ?(?:points?\b|个点)")
_STEP: Final = re.compile(
    r" (?:up|down|more (?:people|searches|travellers)|fewer|above|below|over|under) ?(?:\b(?!yours?\b|"
    r"the\b|my\b|our\b))"
)
_STEP_BEFORE: Final = re.compile(r"\b(?:up|down|plus|minus)(?: (?:about|around|some|a good|nearly))? $")
_MOVING: Final = re.compile(r"\b(?:demand|search(?:es)?|interest|season|pace)\b[^.;,0-9]{0,24}[+-]?$")
_FRACTIONS: Final = {
    "half": 50.0, "a third": 33.3, "one third": 33.3, "two thirds": 66.7, "a quarter": 25.0,
    "one quarter": 25.0, "three quarters": 75.0, "a fifth": 20.0, "a tenth": 10.0,
    "一半": 50.0, "三分之一": 33.3, "三分之二": 66.7, "四分之一": 25.0, "四分之三": 75.0, "五分之一": 20.0,
    "五分之二": 40.0, "五分之三": 60.0, "五分之四": 80.0,
}  # fmt: skip
_FRACTION: Final = re.compile(
    r"\b(half(?! past)|a third|one third|two[ -]thirds|a quarter|one quarter|three[ -]quarters|a fifth|a tenth)\b"
    r"|(一半|三分之[一二]|四分之[一三]|五分之[一二三四])"
)
_RATIO: Final = re.compile(r"(?: [a-z]+)? ?(?:in|out of|of(?: (?:your|the))?) ?$")
_HUNDRED: Final = re.compile(r"(?: [a-z]+){0,2} (?:in|out of|per|of) (?:a |one |every )?hundred\b")
_EVERY_HUNDRED: Final = re.compile(r" (?:of|in) every hundred\b")
_OF_HUNDRED: Final = re.compile(r"\bof (?:every|each|a) hundred(?: yuan)?,? $")
_CHANGES_TO: Final = re.compile(r"\b(?:drops?|falls?|goes|cuts?|lower(?:ed)?|reduced?|down) to $")
_RETOLD: Final = re.compile(r"\bi (?:told|promised|gave|wrote to) you\b")
"""The agent tells what it said at another time, which need not be so."""
_OF_OTHERS: Final = re.compile(
    r" (?:of (?:the|your|all) |of )?(?:houses|hotels|partners|places|managers|owners|neighbou?rs|guest ?houses|inns|"
    r"resorts|homestays|colleagues|competitors)\b"
)
_OF_ROOMS: Final = re.compile(r" (?:rooms?|doors?|beds?|keys?) (?:in|out of) ")
_TENTHS: Final = re.compile(r"成(?![交功本为])")
_HOUSE_FULL: Final = re.compile(r"\b(?:full|empty|sold|unsold|taken|vacant|occupied|free)\b")
_FRACTION_BEFORE: Final = re.compile(
    r"\b(?:by|up|down|increase of|rise of|drop of|fall of)(?: (?:about|almost|nearly|over|roughly))? $"
)
_FRACTION_AFTER: Final = re.compile(
    r" (?:more|fewer|less|as many|again|full|empty|sold|unsold|up|down|above|below|over last|under last|higher|lower|"
    r"bigger|larger|smaller|busier|quieter|stronger|weaker)\b| of what\b| (?:stays|goes|go|stay) (?:with|to) us\b|"
    r"(?: of)? (?:the|your|our) (?:rooms|house|beds|searches|people|views)"
)
_MULTIPLE: Final = re.compile(
    r"\b(twice (?:the|as (?:many|much|often))|doubl(?:e|es|ed|ing) (?:the|your|their|its)|double (?=views|bookings|"
    r"clicks|searches)|(?:views|bookings|searches|demand|interest|traffic|clicks|orders|"
    r"sales)(?: [a-z]+){0,4}? (?:have |has |had )?(?:nearly |almost |more than )?(?:doubled|tripled)|tripl(?:e|es|ed|"
    r"ing) (?:the|your|their|its))\b|翻(?:了)?(?:一)?[倍番]|多一倍"
)
_TIMES: Final = re.compile(r" times (?:as many|the|more)\b|倍(?=的|浏览|曝光|订单)")

_SUBJECTS: Final = tuple(
    (kind, PATTERNS[kind]) for kind in ("conversion", "exposure", "demand", "occupancy", "commission")
)
_PRICE_SHARE: Final = PATTERNS["price_share"]
_UP: Final = PATTERNS["up"]
_DOWN: Final = PATTERNS["down"]
_NOT: Final = re.compile(r"(?:(?:\b(?:not|never|no|instead of|rather than)|n't) (?:[a-z]+ )?|不是|没|不)$")
_WE_KEEP: Final = re.compile(
    r"\b(?:we|the platform)(?: only| just| will)? (?:keep|take|hold|retain)s?\b|\bstays? with us\b"
)
_PRICED: Final = re.compile(
    r"(?: (?:under|below|less|lower|off|and|cheaper|both|each)(?: [a-z]{1,12})?){0,2}: ?[0-9]{3}\b"
)
"""Prices behind a share that tell what it was taken of."""
_OFF: Final = re.compile(r" off\b| discount\b| less (?:on\b|than (?:that|it|this|your|the|my)|is)\b|折")
_YOUR_HOUSE: Final = re.compile(
    r"\b(?:(?:at|your|you run|running at|you're at|be at) |[您你](?:这房|家|们|这)?(?:现在|才|只|就)?)$"
)
_OUR_SHARE: Final = re.compile(
    r"\b(?:our|we keep|we take|minus|paying|pay|after|(?:after|minus|before|less) (?:the|your)) $"
)
_OF_HOUSE: Final = re.compile(r" of (?:the |your |its )?(?:guests|rooms|house|beds)\b|有人|满|多人")
_UP_DOWN: Final = re.compile(r" (?:up|down)\b")
_UP_DOWN_BEFORE: Final = re.compile(r"\b(?:up|down) $")
_FEWER: Final = re.compile(r" (?:fewer|less|down|below|under)\b")
_MOVED: Final = re.compile(
    r" (?:more|fewer|less|up|down|above|below|over|under|softer|quieter|weaker|stronger|busier)\b"
)
_MOVED_ALONE: Final = re.compile(r" (?:up|down)[.;!]")
_THIRD: Final = PATTERNS["third_parties"]
_MUCH: Final = PATTERNS["how_much"]
# Demand that is said to move now, without a figure; "if demand is up" and what the hotel may think are no claims.
_TREND: Final = re.compile(
    r"(?<!if )\b(?:demand|searches)(?: [a-z]+){0,4}?(?:'s| is| are| will be| keeps?| has been| stands?| runs?|"
    r" lies?)(?: (?:well|far|clearly|already|really|also))? ((?:up|down|(?:above|below) (?:any|normal|usual|average)|"
    r"rising|climbing|growing|falling|dropping|shrinking|sinking|higher|lower|stronger|weaker|weak|through the roof|"
    r"collapsing|soaring|booming))\b|(?:搜|需求)[\u4e00-\u9fff]{0,8}(往下掉|下滑|在跌|在降|少了|变少|上涨|在涨|往上涨|"
    r"多了|变多)"
)
_CROWD: Final = re.compile(
    r"\b(?:demand|searches|search traffic|interest|traffic|enquiries|the (?:calendar|season|market)|people (?:looking|"
    r"searching)|travell?ers|january|february|march|april|june|july|august|september|october|november|"
    r"december)\b(?: (?!not\b|if\b|when\b|would\b|could\b|might\b)[a-z'-]+){0,6}? (?:(climbing|growing|rising|surging|"
    r"picking up|warming up|heating up|booming|soaring|swelling|going up|stronger|busier|above (?:normal|usual|"
    r"last year|average)|ahead of last year|on the rise|pushing up)|(cooling(?: off| down)?|slowing|fading|softening|"
    r"thinning|drying up|slipping|falling|dropping|sinking|shrinking|going down|weaker|quieter|slower|(?:below|"
    r"under) (?:normal|usual|last year|average)|behind last year|on the wane))\b"
)
"""That more or fewer people look, without a figure."""
_LOST: Final = re.compile(
    r"\b(?:partners|houses|hotels|members)(?: who [a-z]+)? (?:have )?lost (?:[a-z]+ ){0,3}"
    r"(?:visibility|views|exposure|bookings|clicks)\b"
)
_UNCERTAIN: Final = re.compile(
    r"\b(?:if|would|could|might|may|unless|until|when|not|never|n't|no|after|before|then)\b|n't\b"
)
_BETTER: Final = re.compile(
    r" (?:more|better|higher|extra|stronger) (?:(conversions?|bookings|reservations|of (?:those|them|the people|"
    r"people) who (?:look|see|view|open))|exposure|visibility|views|clicks)\b"
)
_LESS: Final = re.compile(r"(?:[0-9]|\b(?:rates?|prices?)) (?:less|minus) $|\bnot $")
"""Before a share that is taken off a price, or that is denied."""
_LOOKERS: Final = re.compile(
    r" (?:more|extra|additional) (?:people|guests|travellers|ppl)(?: who)?"
    r"(?: (?:look\w*|see\w*|on|in|at|open\w*)\b)|的人(?:会|能|来)?[看翻]"
)
"""People who look at a page."""
_CLOSE: Final = re.compile(r"\b(?:sells?|closes?|sold) $")
_PER_VIEW: Final = re.compile(r"\b(?:bookings?|orders?|reservations?) per (?:view|visit|look|click|visitor|viewer)s?\b")
_THEY: Final = re.compile(r"\b(?:they|them|he|she|theirs?)\b[^,;.]*$")
_SIGNED: Final = re.compile(r"(?:\b(?:(plus|up)|(minus|down)) |(?:^|(?<=[ (:]))(?:(\+)|([-−]))) ?$", re.ASCII)
"""A sign before a figure: "it's minus 22", "searches at +5"."""
_SIGN_AFTER: Final = re.compile(r" (?:(up)|(down))\b(?! to| on the| from)", re.I)
_OFF_DEMAND: Final = re.compile(r"(?: ?%| ?per ?cent) off (?:the )?(?:demand|searches|search)\b")
_DEMAND_OFF: Final = re.compile(r"\b(?:demand|searches|search traffic)\b[^,.;]{0,40}$")
_FLAT: Final = re.compile(
    r"\b(?:demand|searches|search traffic|as many people (?:search|look)\w*|"
    r"the same number of people)\b(?: [a-z']+){0,4}? (?:is |are |stays? |stands? |keeps? )?(flat|level|unchanged|"
    r"steady|stable|the same as last year|no different|as last year)\b|(?:搜|需求)[\u4e00-\u9fff]{0,8}(持平|没变)"
)
"""That as many look as last year."""
_SLIGHT: Final = re.compile(
    r"\b(?:a (?:hair|touch|shade|whisker|notch|tad|fraction)|slightly|barely|marginally) (?:(under|below|beneath|"
    r"down on)|over|above|up on) (?:the )?(?:normal|usual|average|last year)\b(?! (?:rate|price|figure|rates|prices)\b)"
)
"""That hardly more or fewer people look than else."""
SLIGHT_WITHIN: Final = 10.0
"""Percent of demand up or down that may still be called slight."""
FLAT_WITHIN: Final = 4.0
"""Percent of demand up or down that may still be called flat."""


class Share(NamedTuple):
    """A share that a message names, in percent, at ``low[start:end]``; ``loose`` where words say it ("a quarter")."""

    start: int
    end: int
    percent: float
    loose: bool


def find_shares(low: str, numbers: list[Number]) -> list[Share]:
    """Return percentages, fractions, ratios ("one in three") and multiples ("twice the views": 100 more), in order."""
    found = [share for place in range(len(numbers)) if (share := _counted_share(low, numbers, place)) is not None]
    for match in _FRACTION.finditer(low):
        before, after = low[max(0, match.start() - 24) : match.start()], low[match.end() : match.end() + 40]
        if match[2] or _FRACTION_BEFORE.search(before) or _FRACTION_AFTER.match(after):
            found.append(Share(match.start(), match.end(), _FRACTIONS[match[0].replace("-", " ")], True))
    for match in _MULTIPLE.finditer(low):
        found.append(Share(match.start(), match.end(), 200.0 if match[0].startswith("tripl") else 100.0, True))
    return sorted(found)


def _counted_share(low: str, numbers: list[Number], place: int) -> Share | None:
    """Return the share that a number makes with the words around it; None if it makes none."""
    number = numbers[place]
    before = low[max(0, number.start - 50) : number.start]
    unit = _PERCENT.match(low, number.end) or _POINTS.match(low, number.end)
    if unit is not None:
        return Share(number.start, unit.end(), number.value, False) if number.value <= 1000 else None
    if before.endswith("百分之"):
        return Share(number.start - 3, number.end, number.value, False)
    if number.value < 100 and (_OF_HUNDRED.search(before) or _HUNDRED.match(low, number.end)):
        return Share(number.start, number.end, number.value, False)
    if number.value < 10 and _TENTHS.match(low, number.end):
        return Share(number.start, number.end + 1, number.value * 10.0, True)
    if 1 < number.value <= 20 and _TIMES.match(low, number.end):
        return Share(number.start, number.end, number.value * 100.0 - 100.0, True)
    if 2 <= number.value <= 60 and _MOVING.search(before):
        # "searches are up 40", "demand is seventeen down"
        step = _STEP.match(low, number.end) or _STEP_BEFORE.search(before) or before.endswith(("+", " -"))
        return Share(number.start, number.end, number.value, False) if step else None
    return _ratio(low, numbers[place - 1], number) if place else None


def _ratio(low: str, part: Number, whole: Number) -> Share | None:
    """Return the share that "three of four" makes; said of other houses it is a figure, of this one's rooms loose."""
    between = low[part.end : whole.start]
    if not 0 < part.value < whole.value <= 100 or len(between) > 24 or not _RATIO.fullmatch(between):
        return None
    others = _OF_OTHERS.match(low, whole.end) is not None
    if not others and not _OF_ROOMS.match(low, part.end) and not _HOUSE_FULL.search(low, part.end, whole.end + 40):
        return None
    return Share(part.start, whole.end, part.value / whole.value * 100.0, not others)


def share_claims(talk: Talk, shares: list[Share]) -> list[Claim]:
    """Return a claim for each share that is said of a fact, and for each precise one that nothing bears out."""
    earlier = {round(share.percent) for share in find_shares(talk.earlier_low, talk.earlier_numbers)}
    return [claim for share in shares if (claim := _share_claim(talk, share, earlier)) is not None]


def _share_claim(talk: Talk, share: Share, earlier: AbstractSet[int]) -> Claim | None:
    facts, hotel = talk.card.facts, talk.card.hotel
    sentence = talk.sentence(share.start)
    words = talk.low[sentence.start : sentence.end]
    subjects = _subjects(talk, share, sentence)
    near = subjects[0] if subjects else ""
    direction = _direction(talk, share, sentence)
    if _RETOLD.search(words):
        return None
    theirs = near == "occupancy" and share.loose and _THEY.search(talk.before(share.start))
    if theirs or (share.loose and not _says_a_share(near, words)) or _is_taken_off(talk, share):
        return None
    holds = _holds(talk)
    before = talk.before(share.start, 16)
    if near == "commission" and _CHANGES_TO.search(before):
        return None  # a promise
    of_house = _YOUR_HOUSE.search(before) or _OF_HOUSE.match(talk.low, share.end)
    if of_house and any(abs(share.percent - value) <= (12 if share.loose else 1) for value in holds["occupancy"]):
        subjects.insert(0, "occupancy")
    if _HUNDRED.match(talk.low, share.end) or _EVERY_HUNDRED.match(talk.low, share.end) or before.endswith("at "):
        subjects += [kind for kind in ("commission",) if any(abs(share.percent - value) < 0.6 for value in holds[kind])]
    if (
        _MOVED.match(talk.low, share.end)
        and (near in ("", "occupancy", "commission") or _MOVED_ALONE.match(talk.low, share.end))
        and share.percent == abs(facts.demand)
        and share.percent not in holds.get(near, ())
    ):
        subjects.insert(0, "demand")
    if not subjects and (_UP_DOWN.match(talk.low, share.end) or _UP_DOWN_BEFORE.search(before)):
        subjects.append("demand")
    ours = _OUR_SHARE.search(before) is not None
    if ours or ("点" in talk.low[share.start : share.end] and share.percent in holds["commission"]):
        subjects.insert(0, "commission")
    room = _room_of(talk, share, near)
    subjects = [direct] if (direct := _direct(talk, share)) else subjects
    subjects = _of_lookers(talk, share, near, room) or subjects
    fitting = [kind for kind, values in holds.items() if any(abs(share.percent - value) <= room for value in values)]
    if _MOVED.match(talk.low, share.end) and {"conversion", "exposure", "demand"} & set(subjects):
        fitting = [kind for kind in fitting if kind not in ("occupancy", "commission")]  # they do not move
    if fitting and (not subjects or set(subjects) & set(fitting)):
        kind = next((subject for subject in subjects if subject in fitting), fitting[0])
        if kind == "demand":
            true = not direction or (direction > 0) == (facts.demand > 0) or facts.demand == 0
            signed = direction * share.percent if direction else share.percent
            return talk.claim(kind, share, signed, float(facts.demand), true)
        lost = kind in ("exposure", "conversion") and _FEWER.match(talk.low, share.end) is not None
        return talk.claim(kind, share, -share.percent if lost else share.percent, holds[kind][0], not lost)
    if (share.percent >= 99.5 and not share.loose) or _said_share(talk, share, near, earlier):
        return None
    near = subjects[0] if subjects else ""
    if near in ("", "commission", "occupancy") and not _THIRD.search(words):
        # A share of a price is an offer.
        less = re.match(r" (?:less|lower|under|below|cheaper)\b", talk.low[share.end : share.end + 10])
        if not _OF_HUNDRED.search(talk.before(share.start, 30)) and (less or _PRICE_SHARE.search(words)):
            return None
    truth = {"demand": float(facts.demand), "occupancy": hotel.occupancy * 100.0}.get(near, holds.get(near, (None,))[0])
    return talk.claim(near or "performance", share, share.percent, truth, False)


def _is_taken_off(talk: Talk, share: Share) -> bool:
    """Return whether a share is taken off a price: "15% off", "4 percent under: 549"."""
    behind = _OFF.match(talk.low, share.end) or _PRICED.match(talk.low, share.end)
    return (behind or _LESS.search(talk.before(share.start, 16))) is not None


def _room_of(talk: Talk, share: Share, near: str) -> float:
    """Return by how much a share may miss; "one room in ten" by less than "a quarter of your rooms"."""
    if _OF_ROOMS.search(talk.low, share.start, share.end):
        return min(12.0, 0.4 * share.percent)
    return 0.6 if not share.loose else 12.0 if near == "occupancy" else 6.0


def _of_lookers(talk: Talk, share: Share, near: str, room: float) -> list[str]:
    """Return what people who look are a share of, where the figure is the other one's; nothing where it is not."""
    facts = talk.card.facts
    lost = near == "exposure" and share.percent == -facts.demand and facts.exposure != share.percent
    if lost and _FEWER.match(talk.low, share.end):
        return ["demand"]  # "15% fewer lookers": partners never lose any
    if near == "demand" and abs(share.percent - facts.exposure) <= room and _LOOKERS.match(talk.low, share.end):
        return ["exposure"]  # "31% more people looking", and no search spoken of
    return []


def _direct(talk: Talk, share: Share) -> str:
    """Return "conversion" or "exposure" where a word for it follows at once: "29% better conversion"."""
    closing = _CLOSE.search(talk.before(share.start, 12)) and _UP.match(talk.low, share.end + 1)
    if closing or _PER_VIEW.search(talk.before(share.start)):
        return "conversion"
    word = _BETTER.match(talk.low, share.end)
    return "" if word is None else "conversion" if word[1] else "exposure"


def _said_share(talk: Talk, share: Share, near: str, earlier: AbstractSet[int]) -> bool:
    """Return whether a share was said before; of demand, views and bookings it must have been a share there too."""
    moves = near in ("demand", "exposure", "conversion")
    return talk.was_said(share.percent) and (not moves or round(share.percent) in earlier)


def _holds(talk: Talk) -> dict[str, tuple[float, ...]]:
    """Return the shares that the card holds, in percent, by what they are about."""
    facts, sold = talk.card.facts, talk.card.hotel.occupancy * 100.0
    commissions = sorted({round(ticket.commission * 100.0, 1) for ticket in talk.card.tickets})
    return {
        "demand": (float(abs(facts.demand)),),
        "exposure": (float(facts.exposure),),
        "conversion": (float(facts.conversion),),
        "occupancy": (sold, 100.0 - sold),
        "commission": (*commissions, *(100.0 - share for share in commissions)),
    }


def _says_a_share(near: str, words: str) -> bool:
    """Return whether a fraction or a multiple is said of a fact: "half full", "a quarter more searches"."""
    if near == "occupancy":
        full = re.search(r"\b(?:full|empty|occup\w+|sold|unsold|vacant)\b|满|空", words)
        return (_OF_ROOMS.search(words) or full) is not None
    if near == "commission":
        return _WE_KEEP.search(words) is not None
    return near in ("demand", "exposure", "conversion") and (_MUCH.search(words) is not None)


def _subjects(talk: Talk, share: Share, sentence: Span) -> list[str]:
    """Return what a share may be about, by how near the words for it stand in the sentence; a comma parts them."""
    first, last = max(sentence.start, share.start - 90), min(sentence.end, share.end + 90)
    distances: list[tuple[int, str]] = []
    for kind, pattern in _SUBJECTS:
        for match in pattern.finditer(talk.low, first, last):
            between = talk.low[match.end() : share.start] or talk.low[share.end : match.start()]
            distances.append((len(between) + 30 * len(re.findall(r"[,，、:]", between)), kind))
    return list(dict.fromkeys(kind for _, kind in sorted(distances)))


def _direction(talk: Talk, share: Share, sentence: Span) -> int:
    """Return 1 for up, -1 for down, 0 where nothing near the figure says which."""
    before = talk.low[max(0, share.start - 2) : share.start]
    if before[-1:] in ("+", "-") and not before[0].isdigit():  # "12-15%" is a range, "-15%" a fall
        return 1 if before[-1] == "+" else -1
    first, last = max(sentence.start, share.start - 40), min(sentence.end, share.end + 40)
    best, direction = 41, 0
    for sign, pattern in ((1, _UP), (-1, _DOWN)):
        for match in pattern.finditer(talk.low, first, last):
            after = match.start() >= share.end
            distance = match.start() - share.end if after else share.start - match.end()
            if distance < 0 or "," in talk.low[share.end : match.start()] + talk.low[match.end() : share.start]:
                distance += 25
            if distance < best:
                flipped = _NOT.search(talk.low[max(sentence.start, match.start() - 16) : match.start()])
                best, direction = distance, -sign if flipped else sign
    return direction


def trend_claims(talk: Talk, shares: list[Share]) -> list[Claim]:
    """Return the claims without a figure that demand goes up or down, in sentences that give none."""
    truth = float(talk.card.facts.demand)
    claims: list[Claim] = []
    for match in _TREND.finditer(talk.low):
        sentence = talk.sentence(match.start())
        if within(shares, sentence.start, sentence.end):
            continue
        if _NOT.search(talk.low[max(sentence.start, match.end() - 24) : match.end()]):
            continue
        up = (_UP.search(match[0]) is not None and _DOWN.search(match[0]) is None) or "roof" in match[0]
        if up or _DOWN.search(match[0]) is not None:
            claims.append(talk.claim("demand", match, "up" if up else "down", truth, up == (truth > 0)))
    if not claims:
        claims += _crowd_claims(talk, shares)
    claims += _signed_claims(talk, claims) + _flat_claims(talk) + _slight_claims(talk, shares)
    for match in _LOST.finditer(talk.low):
        if not within(shares, match.start() - 40, match.end() + 20):
            claims.append(talk.claim("exposure", match, "down", float(talk.card.facts.exposure), False))
    return claims


def _signed_claims(talk: Talk, found: Sequence[Claim]) -> list[Claim]:
    """Return the claims that demand's figure, said without a unit, goes up or down: "it's minus 22, I misread"."""
    facts = talk.card.facts
    truth, taken = abs(facts.demand), {claim.start for claim in found}
    claims: list[Claim] = []
    for number in talk.numbers:
        if number.value != truth or truth in (0, facts.exposure, facts.conversion) or number.start in taken:
            continue
        before, low = talk.before(number.start, 44), talk.low
        off = _OFF_DEMAND.match(low, number.end) or (
            _DEMAND_OFF.search(before) and re.match(r"(?: ?%| per ?cent) off\b", low[number.end : number.end + 14])
        )
        sign = _SIGNED.search(before) or _SIGN_AFTER.match(low, number.end)
        if _NOT.search(talk.before(number.start, 24)) or not (off or sign):
            continue
        up = not off and sign is not None and bool(sign[1] or (len(sign.groups()) > 2 and sign[3]))
        value = number.value if up else -number.value
        claims.append(talk.claim("demand", number, value, float(facts.demand), up == (facts.demand > 0)))
    return claims


def _flat_claims(talk: Talk) -> list[Claim]:
    """Return the claims that as many people look as last year."""
    truth = float(talk.card.facts.demand)
    return [
        talk.claim("demand", match, 0.0, truth, abs(truth) <= FLAT_WITHIN)
        for match in _FLAT.finditer(talk.low)
        if not _UNCERTAIN.search(talk.before(match.start(), 40))
    ]


def _slight_claims(talk: Talk, shares: list[Share]) -> list[Claim]:
    """Return the claims that hardly more or fewer people look than else: "a hair under normal"."""
    truth = float(talk.card.facts.demand)
    claims: list[Claim] = []
    for match in _SLIGHT.finditer(talk.low):
        sentence = talk.sentence(match.start())
        if within(shares, sentence.start, sentence.end) or _UNCERTAIN.search(talk.before(match.start(), 40)):
            continue
        up = match[1] is None
        true = abs(truth) <= SLIGHT_WITHIN and (up == (truth > 0) or abs(truth) <= FLAT_WITHIN)
        claims.append(talk.claim("demand", match, "up" if up else "down", truth, true))
    return claims


def _crowd_claims(talk: Talk, shares: list[Share]) -> list[Claim]:
    """Return the claims in other words that more or fewer people look: "searches are cooling off"."""
    truth = float(talk.card.facts.demand)
    claims: list[Claim] = []
    for match in _CROWD.finditer(talk.low):
        sentence = talk.sentence(match.start())
        if within(shares, sentence.start, sentence.end) or talk.low[sentence.end : sentence.end + 1] == "?":
            continue
        if _UNCERTAIN.search(talk.low, sentence.start, sentence.end):
            continue
        up = match[1] is not None
        claims.append(talk.claim("demand", match, "up" if up else "down", truth, up == (truth > 0)))
    return claims
