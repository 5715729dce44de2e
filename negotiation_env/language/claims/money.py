"""Claims about money (competitor, present, net, totals), about what was said before, and reported counts."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Final

from negotiation_env.language.claims.dates import DateMention, NightsMention
from negotiation_env.language.claims.houses import House, RoomMention, core_name
from negotiation_env.language.claims.talk import PATTERNS, Claim, Span, Talk, within
from negotiation_env.language.numerals import Number

_BESIDE_YOU: Final = re.compile(
    r" ?\b(?:near|next to|beside|round|around|opposite|over|below|above|across from|under) you(?:rs?)?\b|那[边家]"
)
_PLACE: Final = re.compile(r" ?\b(?:on|in|of|along|down|around|near|next to) (?:your|the|this|our) [a-z]+\b")
_AND_ASKS: Final = re.compile(
    r"\band (?=(?:still |now |only |just )?(?:asks?|takes?|sells?|is|goes|went|stands?|sits|charges?|"
    r"wants?|costs?|holds?|has gone|is at)\b)"
)
_OTHER_OWNER: Final = PATTERNS["other_owner"]
_NO_PRICE_AFTER: Final = re.compile(
    r" ?(?:%|per ?cent|nights?\b|[-/]|yuan (?:under|below|above|over|less|more)|(?:under|below|above|over|less|more|"
    r"cheaper|dearer) (?:than )?(?:you|yours?|your)\b|rooms?\b|beds?\b|guests?\b|stars?\b|am\b|pm\b|o'clock|minutes?\b|"
    r"hours?\b|days?\b|weeks?\b|bookings?\b|,000|metres?\b|steps\b|years?\b|[晚间个点号月天成])"
)
_UNNAMED: Final = re.compile(
    r"\b(?:neighbours?|neighbors?|next door|competitors?|competition|rivals?|other (?:houses?|hotels?|places?)|"
    r"others (?:in|on|(?<!(?:two|ree|our|ive|six|ven|ght|ine|ten) others )at)|(?:houses|hotels|places|everyone|"
    r"everybody|most|all|half) (?:on|in|next|across|nearby|down|around|round|near|along|by|of (?:the (?:houses|hotels|"
    r"street|town|city|others)|them))|across the (?:street|road))\b|隔壁|对面|老\w家|同行|竞对|别家|其他家|"
    r"(?:(?![您你我咱房床园景])[\u4e00-\u9fff]){2,6}(?:挂|跌到|降到|卖到)(?:着|了)?(?= ?[0-9一二两三四五六七八九])"
)
_TO_HOUSE: Final = re.compile(r",? (?:is what |that |which |like |of |at )(?:the )?")
_WHOSE: Final = re.compile(r",? (?:is what|that|which)")
_PRONOUN: Final = re.compile(
    r"\b(?:he|she|they)(?:'s|'re|'ve|'ll| is| are| was| were| has| have| will)?(?: be| been)? (?:already |now |only |"
    r"just )?(?:at|down to|gone to|gone down to|went to|went down to|sells? at|asks?|asking|dropped to|fell to|"
    r"stands? at|sits? at|shows?|lists?|charges?|cut to|cutting to)\b|\bsomewhere at\b|\bfrom (?:his|her|their)\b|"
    r"\b(?:under|above|below|over|near|like|undercuts?|beside) (?:his|her|their)\b"
)
_NET_AFTER: Final = re.compile(
    r" ?(?:yuan )?(?:to you\b(?! and)|of (?:it|that) (?:is )?yours|in (?:your|the|his|her) (?:hand|"
    r"pocket)|reach(?:es)? (?:you|her|him|the))"
)
_NET_BEFORE: Final = re.compile(
    r"(?:\bleav(?:es|ing) (?:(?:you|her|him|me|them|the house|m(?:iss|adam|rs?|s) [a-z]+) )?(?:with )?|\bleave (?:you|"
    r"her|him|me|them|the house) (?:with )?|\b(?:you|she|he) (?:would |'d )?keeps? |到手(?:就是|是|有)?)$"
)
_NET_PLAIN: Final = re.compile(r" net\b")
_APART: Final = re.compile(
    r" ?(?:yuan )?(?:(under|below|beneath|cheaper than|lower than|less than)|(over|above|dearer than|higher than|more "
    r"than)|behind|ahead of|in front of) (?:the )?"
)
_NEARLY: Final = re.compile(r"\b(?:about|around|nearly|almost|roughly|some|just under|just over) $")
_STATED: Final = re.compile(r" (?:is|lies|sits|stands|would be|puts you|leaves you) (?:just |only |still )?")
_TOTAL_BEFORE: Final = re.compile(
    r"[0-9](?: a night)?(?: (?:times|for|over) [a-z0-9 ]{2,14})?,? (?:is|are|makes|make|comes to|=) $|"
    r"[0-9]{3} leaves [0-9.]+: $|晚$"
)
_FOR_STAY: Final = re.compile(
    r"(?: yuan)?,? (?:for (?:the|your|all|both|each) (?:[a-z'-]+ ){0,2}?(?:stays?|lot|nights|whole|run|four|five|six|"
    r"seven|eight|nine|ten|eleven|twelve|thirteen)\b|the (?:stay|lot|whole|run)\b|altogether\b|together\b|in (?:all|"
    r"total|one go)\b|all told\b)"
)
"""What follows a sum over the nights of a stay."""
_IN_ALL: Final = re.compile(
    r"(?:\b(?:in total|in all|altogether|for the stays?|total(?:s|ling)?|the (?:whole )?stay(?: is| at)?),? "
    r"|一共|总共|共)$"
)
_TOTAL_AFTER: Final = re.compile(r",? (?:is|that's|over [a-z]+ (?:nights )?is|makes) [0-9]{3}|除")
_GAP: Final = re.compile(
    r" ?(?:yuan )?(?:(?:still )?(?:above|over|below|under|beneath|higher than|lower than|cheaper than|dearer than) "
    r"(?:you\b(?!r)|him\b|her\b|them\b|theirs?\b|yours\b|the (?:car|other|one|hotel|house|neighbour|page|list)"
    r"|your |his )|gap\b|apart\b)"
)
"""What follows by how much two prices differ."""
_NO_GAP: Final = re.compile(r"\b(?:nights?|rooms?|guests?|to|the|at|by the|for|day|week|yuan and) $|[0-9]$")
_NOW_BEFORE: Final = re.compile(
    r"\b(?:stands at|standing at|currently(?: at)?|list(?:ed|s)? (?:price )?(?:at|of|is)|rack rate(?: of| is)?|(?:now|"
    r"today) (?:at|on)|still reads|current(?:ly)? (?:selling )?(?:price|rate)?(?: of| is| at)?|selling (?:now )?at) $|"
    r"(?:现价|挂牌|现在(?:卖|挂))$"
)
MOST_KNOWN: Final = 40
"""Figures of a talk of which the differences are looked at."""


def money_claims(talk: Talk, houses: list[House]) -> list[Claim]:
    """Return the claims about a competitor's price, the present one and net prices; a bid is none."""
    # "grand" is a thousand, and not in the Grand Willow.
    names = [range(house.start, house.end) for house in houses]
    prices = [
        number
        for number in talk.numbers
        if _may_be_price(talk, number) and not any(number.start in name for name in names)
    ]
    claims = _competitor_claims(talk, houses, prices)
    taken = {claim.start for claim in claims}
    claims += [claim for claim in _figure_first_claims(talk, houses, prices) if claim.start not in taken]
    taken = {claim.start for claim in claims}
    claims += [claim for claim in _unnamed_claims(talk, houses, prices) if claim.start not in taken]
    claims += _net_claims(talk, prices) + _present_claims(talk, houses, prices)
    claims += _difference_claims(talk, houses, prices) + _beside_claims(talk, houses) + _total_claims(talk)
    return claims + _gap_claims(talk, prices, {claim.start for claim in claims})


def _may_be_price(talk: Talk, number: Number) -> bool:
    lowest = min(min(ticket.selling_price for ticket in talk.card.tickets), talk.card.facts.competitor_price) * 0.35
    highest = max(max(ticket.selling_price for ticket in talk.card.tickets), talk.card.facts.competitor_price) * 2.5
    return lowest <= number.value <= highest and _NO_PRICE_AFTER.match(talk.low, number.end) is None


def _competitor_claims(talk: Talk, houses: list[House], prices: list[Number]) -> list[Claim]:
    """Return the prices that are said of the competitor by name: "Swan House asks 562", "under City Star's 373"."""
    other = core_name(talk.card.facts.competitor_name)
    spans = [(house.start, house.end) for house in houses if house.core == other]
    words = [word for word in other.split() if len(word) > 3]
    if words:
        # "Willow's 599": one telling word of the name, as a name.
        short = re.compile(
            rf"\b(?:{'|'.join(map(re.escape, words))})(?='s\b| (?:is|asks|sells|has|at|does|stands|takes|"
            rf"sits|went|dropped)\b|[才都也现挂卖])"
        )
        spans += [match.span() for match in short.finditer(talk.low) if talk.text[match.start()].isupper()
                  and not any(start <= match.start() < end for start, end in spans)]  # fmt: skip
    claims: list[Claim] = []
    for start, end in sorted(spans):
        sentence = talk.sentence(start)
        number = next((price for price in prices if end <= price.start < min(sentence.end, end + 48)), None)
        if number is None:
            continue
        gap = _AND_ASKS.sub("", _BESIDE_YOU.sub("", talk.low[end : number.start]))
        if _OTHER_OWNER.search(gap) or re.search(r"[0-9]", gap) or (gap != ": " and re.search(r"[:;=]|--", gap)):
            continue
        claims.append(_competitor_price(talk, number))
    return claims


def _figure_first_claims(talk: Talk, houses: list[House], prices: list[Number]) -> list[Claim]:
    """Return the competitor's prices that stand before its name: "453 like Blue Gate", "538 is what they ask there"."""
    other = core_name(talk.card.facts.competitor_name)
    claims: list[Claim] = []
    for house in houses:
        if house.core != other:
            continue
        near = [price for price in prices if house.start - 40 <= price.start and price.end <= house.start]
        between = talk.low[near[-1].end : house.start] if near else ""
        if _TO_HOUSE.fullmatch(between) and (_asks(talk, house) or not _WHOSE.match(between)):
            claims.append(_competitor_price(talk, near[-1]))
    return claims


def _asks(talk: Talk, house: House) -> bool:
    """Return whether a house is said to ask something: "(the 355 that) Swan House charges"."""
    return (
        re.match(r" (?:asks|charges|shows|takes|sells at|lists|has)\b", talk.low[house.end : house.end + 10])
        is not None
    )


def _competitor_price(talk: Talk, number: Number) -> Claim:
    truth = float(talk.card.facts.competitor_price)
    other = core_name(talk.card.facts.competitor_name)
    told = talk.was_said(number.value) and any(
        other in message.lower() and re.search(rf"(?<![0-9]){number.value:g}(?![0-9])", message)
        for message in talk.earlier
    )
    room = 0.02 * truth if _NEARLY.search(talk.before(number.start, 16)) else 1.0
    return talk.claim("competitor-price", number, number.value, truth, abs(number.value - truth) <= room or told)


def _unnamed_claims(talk: Talk, houses: list[House], prices: list[Number]) -> list[Claim]:
    """Return the prices of "the neighbour", and of "he" where the message before named the competitor."""
    cues = [match.end() for match in _UNNAMED.finditer(talk.low)]
    if not houses:
        cues += [match.end() for match in _PRONOUN.finditer(talk.low)]
    claims: dict[int, Claim] = {}
    for end in cues:
        sentence = talk.sentence(end)
        number = next((price for price in prices if end <= price.start < min(sentence.end, end + 40)), None)
        if number is None:
            continue
        gap = _AND_ASKS.sub("", _PLACE.sub("", _BESIDE_YOU.sub("", talk.low[end : number.start])))
        if _OTHER_OWNER.search(gap) or re.search(r"[,:;]|\broom $", gap):
            continue
        claim = _competitor_price(talk, number)
        if claim.true or not talk.was_said(number.value):
            claims[number.start] = claim
    return list(claims.values())


def _net_claims(talk: Talk, prices: list[Number]) -> list[Claim]:
    """Return what a selling price is said to leave the hotel: "360 leaves 288", "360, 288 net".

    The selling price is any that the message or the talk has named; a net figure alone is a bid.
    """
    claims: list[Claim] = []
    keeps = [1.0 - ticket.commission for ticket in talk.card.tickets]
    for place, number in enumerate(prices):
        sentence = talk.sentence(number.start)
        asked = talk.low[sentence.end : sentence.end + 1] in ("?", "？")
        told = not asked and _NET_BEFORE.search(talk.before(number.start, 32))
        told = told or (not asked and _NET_AFTER.match(talk.low, number.end))
        paired = (
            place > 0
            and number.value < prices[place - 1].value
            and (talk.low[prices[place - 1].end : number.start] in (", ", " ", ", net ", " (", ", so net "))
            and ("net" in talk.low[prices[place - 1].end : number.start] or _NET_PLAIN.match(talk.low, number.end))
        )
        others = [other.value for other in prices if other is not number]
        if not (told or paired) or not others or (_NET_PLAIN.match(talk.low, prices[max(0, place - 1)].end) and place):
            continue
        known = {*others, *talk.earlier_values, *(float(ticket.selling_price) for ticket in talk.card.tickets)}
        truth = min((value * keep for value in known for keep in keeps), key=lambda value: abs(value - number.value))
        true = abs(truth - number.value) <= 1.5
        claims.append(talk.claim("net-price", number, number.value, round(truth, 2), true))
    return claims


def _present_claims(talk: Talk, houses: list[House], prices: list[Number]) -> list[Claim]:
    """Return the prices at which a room is said to stand now."""
    claims: list[Claim] = []
    for number in prices:
        if not _NOW_BEFORE.search(talk.before(number.start, 32)):
            continue
        sentence = talk.sentence(number.start)
        if any(sentence.start <= house.start < number.start for house in houses):
            continue
        holds = [value for ticket in talk.card.tickets for value in (float(ticket.selling_price), ticket.net_price)]
        nearest = min(holds, key=lambda value: abs(value - number.value))
        true = abs(nearest - number.value) <= 1.5 or talk.was_said(number.value)
        true = true or abs(number.value - talk.card.facts.competitor_price) <= 1
        claims.append(talk.claim("list-price", number, number.value, nearest, true))
    return claims


def _difference_claims(talk: Talk, houses: list[House], prices: list[Number]) -> list[Claim]:
    """Return by how much a price is said to lie under or over the competitor's: "310 is twenty under Grand Willow"."""
    other = core_name(talk.card.facts.competitor_name)
    truth = float(talk.card.facts.competitor_price)
    claims: list[Claim] = []
    for number in talk.numbers:
        apart = _APART.match(talk.low, number.end)
        if apart is None or not any(house.core == other and house.start == apart.end() for house in houses):
            continue
        stated = [price.value for price in prices if _STATED.fullmatch(talk.low[price.end : number.start])]
        known = [price.value for price in prices] + [float(ticket.selling_price) for ticket in talk.card.tickets]
        known += [value for value in talk.earlier_values if 0.4 * truth < value < 2.5 * truth]
        said = -number.value if apart[1] else number.value
        sides = (said,) if apart[1] or apart[2] else (said, -said)
        room = 2.5 if number.value >= 20 else 0.9
        gaps = [price.value - truth for price in prices if abs(abs(price.value - truth) - number.value) <= room]
        gaps = gaps or [value - truth for value in stated or known]
        off, nearest = min((abs(gap - side), gap) for gap in gaps for side in sides)
        true = off <= room
        claims.append(talk.claim("competitor-price", number, said, nearest, true))
    return claims


_UNDERCUTS: Final = re.compile(
    r"(?:,? (?:with (?:its|his|their)|at) [0-9]{3},?)?(?: is| sells| sits| stands| lists| asks| lies)?"
    r"(?: now| already| still)?(?: a (?:little|bit|touch|hair)| well| far| just)?(?: [0-9]{1,3}| [a-z-]+)?(?: yuan)? "
    r"(?:(undercuts?|undercutting|cheaper than|lower than|under|below|beneath)|"
    r"(?:dearer than|pricier than|higher than|over|above)) (?:you\b|your (?:own )?([0-9]{3})\b)"
)
_LISTED: Final = re.compile(r"\b(?:lists?|listed|search|results|page|screen)\b")
"""What a house may stand above another in."""


def _gap_claims(talk: Talk, prices: list[Number], taken: Collection[int]) -> list[Claim]:
    """Return by how much two prices are said to differ; the prices are any of the message, the card and the talk."""
    found: list[Claim] = []
    gaps: list[float] | None = None
    for number in talk.numbers:
        if not 2 <= number.value <= 400 or number.start in taken or not _GAP.match(talk.low, number.end):
            continue
        if _NO_GAP.search(talk.before(number.start, 12)):
            continue
        if gaps is None:
            known = [price.value for price in prices]
            known += [float(ticket.selling_price) for ticket in talk.card.tickets]
            known += [*talk.earlier_values, float(talk.card.facts.competitor_price)]
            least = min(100.0, talk.card.facts.competitor_price, *(t.selling_price for t in talk.card.tickets))
            known = [value for value in known if value >= least][:MOST_KNOWN]
            gaps = sorted({abs(a - b) for a in known for b in known} | {v for v in talk.earlier_values if v < 400})
        at = bisect_left(gaps, number.value)
        truth = min(gaps[max(0, at - 1) : at + 1], key=lambda gap: abs(gap - number.value))
        room = 0.1 * number.value if _NEARLY.search(talk.before(number.start, 16)) else 1.5
        room = max(room, 0.04 * number.value if number.value % 100 == 0 else 1.5)
        true = abs(truth - number.value) <= room or number.value == round(talk.card.hotel.occupancy * 100)
        found.append(talk.claim("total", number, number.value, truth, true))
    return found


def _beside_claims(talk: Talk, houses: list[House]) -> list[Claim]:
    """Return whether the competitor is said to be cheaper or dearer than this house, held against every price named."""
    other = core_name(talk.card.facts.competitor_name)
    price = talk.card.facts.competitor_price
    claims: list[Claim] = []
    for house in houses:
        side = _UNDERCUTS.match(talk.low, house.end) if house.core == other else None
        if side is None or (_LISTED.search(talk.low) and not side[0].endswith("than you")):
            continue
        game = talk.game
        own = {float(ticket.selling_price) for ticket in talk.card.tickets}
        own |= {n.value for n in talk.numbers if 0.5 * price < n.value < 2.0 * price and n.value != price}
        own |= {game.quote[k] for k in range(len(talk.card.tickets)) if game.quoted[k]} if game else set()
        own = {float(side[2])} if side[2] else own
        true = any(value > price if side[1] else value < price for value in own)
        words = Span(house.start, side.end())
        claims.append(talk.claim("competitor-price", words, side[0].strip(), float(price), true))
    return claims


def _total_claims(talk: Talk) -> list[Claim]:
    """Return what nights are said to come to: "375 for seven nights is 2,625", "1,140, that's 285 a night"."""
    lowest = min(ticket.net_price for ticket in talk.card.tickets) * 0.6
    highest = max(ticket.selling_price for ticket in talk.card.tickets) * 1.3
    rates = {number.value for number in talk.numbers if lowest <= number.value <= highest}
    rates -= {float(talk.card.facts.competitor_price)}
    told = rates | talk.standing
    counts = {number.value for number in talk.numbers if 2 <= number.value <= 31 and number.value == int(number.value)}
    counts |= {float(ticket.nights) for ticket in talk.card.tickets}
    claims: list[Claim] = []
    for number in talk.numbers:
        if not highest * 1.5 < number.value < highest * 32 or not rates:
            continue
        cue = _TOTAL_BEFORE.search(talk.before(number.start, 40)) or _TOTAL_AFTER.match(talk.low, number.end)
        if not cue and not _FOR_STAY.match(talk.low, number.end) and not _IN_ALL.search(talk.before(number.start, 30)):
            continue
        keeps = {1.0, *(1.0 - ticket.commission for ticket in talk.card.tickets)}
        sums = [rate * count * keep for rate in told for count in counts for keep in keeps]
        truth = min(sums, key=lambda value: abs(value - number.value))
        true = abs(truth - number.value) <= 3 or talk.was_said(number.value)
        claims.append(talk.claim("total", number, number.value, truth, true))
    return claims


_SAID: Final = (
    r"(?:said|told|quoted|offered|named|wrote|gave|mentioned|agreed(?: on| to| at)?|settled(?: on| at)?|promised)"
)
_SAID_BEFORE: Final = re.compile(
    rf"\b(?:you|i|we|she|he|you've|we've|i've|you'd|we'd|i'd|you had|we had) (?:just |already |once |both |"
    rf"have |had )?{_SAID}"
    r"(?: (?:me|you|us|to|it|at|that|was|the|a|for|on|yes|,))* ?$|\byou (?:told|promised|assured) (?:me|us)"
    r"(?: (?!if\b|about\b|not\b|why\b|how\b)[a-z']+){0,9} $|\b(?:as|like) (?:agreed|promised|"
    r"you said|we said)[:,]? (?:at |on )?$"
    r"|[您你]们?(?:刚才|刚刚|之前|上次|昨天)?(?:说|报|讲|答应|给)(?:好)?(?:了)?的?(?:是|价)?$|(?:说好|谈好|讲好|定好|谈妥)的?$"
)
_SETTLED: Final = re.compile(r"\b(?:already|now) (?:settled|agreed|fixed)(?: between us)? (?:at|on) $")
_HEARD_AFTER: Final = re.compile(r" from you\b")
_SAID_AFTER: Final = re.compile(
    rf",? (?:that |which |as |like )?(?:you|we|i|you've|we've|you'd|we'd)(?: had| have| just|"
    rf" already)? {_SAID}\b|,? as (?:agreed|promised|you said|said)\b"
    r"|(?:您|你)说的"
)
_DENIED: Final = re.compile(r"\b(?:not|never|n't|didn't|haven't|if|when|did|what)\b|没|不")
_PER_HUNDRED: Final = re.compile(r" (?:in|on|per|of|for) (?:every|each|a|one) hundred\b")
_COUNTED: Final = re.compile(
    r" ?(?:extra |more |additional |new |(?!and |or |at |for |of )[a-z]+ )?(?:(?<=more )nights|(?<=extra )nights|"
    r"(?<=additional )nights|bookings?|reservations?|orders|room[ -]nights|guests|views|clicks|searches|travellers|"
    r"stays|sales|rooms? a (?:night|day|week)|suites full|rooms full|years in a row|days in a row)\b|(?:个|单|"
    r"位)?(?:订单|预订|间夜|浏览|客人)"
)
_REVIEWS: Final = re.compile(r" (?:of your )?(?:(?:five-star|good|new) )?(?:reviews|reviewers)\b")
"""Of which no card tells."""
_SOLD: Final = re.compile(
    r" (?:suites|twins|doubles|kings|queens|rooms)(?: go)? (?:last (?:week|month|night)|yesterday)\b"
)
_REPORTED: Final = PATTERNS["reported"]
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
        before = talk.before(number.start, 64)
        cue = _SAID_BEFORE.search(before)
        settled = _SETTLED.search(before)
        heard = before.endswith("i heard ") and _HEARD_AFTER.match(talk.low, number.end) is not None
        if cue is None and settled is None and not heard and not _SAID_AFTER.match(talk.after(number.end, 40)):
            continue
        if _DENIED.search(before if cue is None else before[: cue.start()]):
            continue
        true = talk.was_said(number.value, 1.5) or _converted(talk, number)
        if settled is not None and talk.game is not None:
            true = any(_stands(talk, number.value, k) or abs(talk.game.agreed[k] - number.value) <= 1.5
                       for k in range(len(talk.card.tickets)))  # fmt: skip
        claims.append(talk.claim("earlier", number, number.value, None, true))
    for match in _AGREED_EXTRA.finditer(talk.low):
        said = re.search(rf"(?<!no )(?<!without )(?<!not )\b{match[1]}\b", talk.earlier_low) is not None
        claims.append(talk.claim("earlier", Span(*match.span(1)), match[1], None, said))
    return claims


_AGREED_EXTRA: Final = re.compile(
    r"\b(?:as|like) (?:(?:we|you) )?(?:agreed|settled|arranged|promised|discussed)\b[^.;?!]{0,40}?"
    r"\b(breakfast|dinner|lunch|parking|shuttle|laundry|transfer|upgrade|deposit|spa)\b"
)
"""Something beside the price that is said to be agreed."""
_BIDS: Final = re.compile(r"\b(?:would|could|i'd|ask for|ask a|make the|what about|how about)\b|行不行|可以吗")
_FOR_ROOM: Final = re.compile(r" (?:yuan |net )?(?:(?:for|on|in) )?(?:(?:the|your|one|a|each) )?")
_AFTER_ROOM: Final = re.compile(r"(?: room| suite)?(?: at| is| for| stays| stays at|:|：)? ?[¥$]?")


def standing_claims(talk: Talk, rooms: Sequence[RoomMention], dates: Sequence[DateMention],
                    nights: Sequence[NightsMention]) -> list[Claim]:  # fmt: skip
    """Return a claim for each figure that stands for one room and is said of another, or told in place of its own.

    A question may bid another room's figure for this one; where two rooms have changed places it is no bid.
    """
    game, tickets = talk.game, talk.card.tickets
    if game is None or len(tickets) < 2:
        return []
    found: list[Claim] = []
    asked: list[bool] = []
    places = [date.start for date in dates] + [count.start for count in nights]
    for room in rooms:
        if len(room.tickets) != 1:
            continue
        k, number = room.tickets[0], figure_beside(talk, room, rooms)
        if number is None:
            continue
        value, sentence = number.value, talk.sentence(room.start)
        asks = talk.low[sentence.end : sentence.end + 1] in ("?", "？")
        asks = asks or _BIDS.search(talk.low, sentence.start, sentence.end) is not None
        told = any(0 <= at - max(room.end, number.end) <= 12 for at in places)
        if game.agreed[k] > 0.0 and told and not asks and not _said_for(talk, value, k) and not talk.was_said(value):
            # what is agreed is told with its dates, and with another figure
            found.append(talk.claim("standing-price", room, value, game.agreed[k], False))
            asked.append(False)
            continue
        elsewhere = any(game.quoted[j] and _stands(talk, value, j) for j in range(len(tickets)) if j != k)
        if _said_for(talk, value, k) or not elsewhere:
            continue
        found.append(talk.claim("standing-price", room, value, _standing_of(talk, k), False))
        asked.append(asks)
    return [] if len(found) == 1 and asked[0] else found


def figure_beside(talk: Talk, room: RoomMention, rooms: Sequence[RoomMention]) -> Number | None:
    """Return the figure right before a room ("309 for the twin") or right behind it ("twin 309").

    In "queen 665 exec 790" each is its room's, and "king and twin at 362 and 445" gives none.
    """
    chinese = not talk.low[room.start : room.end].isascii()  # a space parts clauses there
    after = next(iter(within(talk.numbers, room.end, room.end + 20)), None)
    if after is not None and (after.value < 50.0 or not _AFTER_ROOM.fullmatch(talk.low[room.end : after.start])):
        after = None
    for number in reversed(within(talk.numbers, room.start - 40, room.start)):
        between = talk.low[number.end : room.start]
        if number.value >= 50.0 and (between == "的" if chinese else _FOR_ROOM.fullmatch(between)):
            others = any(talk.low[other.end : number.start] == " " for other in rooms)
            return after if others and after is not None else number
    listed = any(talk.low[other.end : room.start] in (" and ", "和") for other in rooms)
    return None if listed else after


def _standing_of(talk: Talk, k: int) -> float | None:
    game = talk.game
    return float(game.quote[k]) if game is not None and game.quoted[k] else None


def _said_for(talk: Talk, value: float, k: int) -> bool:
    """Return whether a figure was said of a ticket by either side, or is its list price, net or selling."""
    game, ticket = talk.game, talk.card.tickets[k]
    figures = [float(ticket.selling_price)] + ([] if game is None else [game.bid[k], game.agreed[k]])
    keep = 1.0 - ticket.commission
    return _stands(talk, value, k) or any(min(abs(f - value), abs(f * keep - value)) <= 1.01 for f in figures if f)


def _stands(talk: Talk, value: float, k: int) -> bool:
    """Return whether a figure is the hotel's for a ticket, net or selling."""
    standing, keep = _standing_of(talk, k), 1.0 - talk.card.tickets[k].commission
    return standing is not None and min(abs(standing - value), abs(standing * keep - value)) <= 0.6


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
        counted = unit is not None and not supposed and _REPORTED.search(talk.low, sentence.start, sentence.end)
        earned = (
            not re.match(r" ?(?:%|per ?cent|个?点)", talk.low[number.end : number.end + 9])
            and number.value >= 20
            and _EARNED.search(talk.before(number.start, 100)) is not None
        )
        if unit is not None and _PER_HUNDRED.match(talk.low, unit.end()):
            continue  # a share
        reported = _REVIEWS.match(talk.low, number.end) or _SOLD.match(talk.low, number.end)
        if counted or earned or reported:
            end = unit.end() if unit is not None else number.end
            claims.append(talk.claim("performance", Span(number.start, end), number.value, None, False))
    return claims
