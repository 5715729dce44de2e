"""What the clause around a figure says about it: refused, cited, and net or selling price.

Clauses are cut at punctuation and at "but", "however", "though". The reading is by pattern, not by
grammar: irony, reported speech over sentences and double negation are not understood.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from negotiation_env.language.price_vocabulary import word_set

# Longest text read before and after a figure, in characters.
_BEFORE: Final = 80
_AFTER: Final = 60


# A clause without any of these, before and after its figure, needs no search for the patterns.
_REFUSAL_HINTS: Final = word_set("not never cannot cant wont dont unable refuse refused nor neither no impossible")
_CITED_HINTS: Final = word_set(
    "list listed listing advertised posted published rack retail retails msrp original originally "
    "blue bluebook market usual usually current currently your yours you're you've want wanted ask "
    "asked asking are were have had next competitor competitors competition elsewhere other others "
    "across they hotel hotels another similar comparable neighbouring neighboring nearby hilton "
    "marriott sheraton hyatt ibis novotel holiday booking expedia agoda ctrip was been paid bought "
    "used go goes going sells cost costs costed instead rather down up compared cheaper new worth "
    "last from booking.com"
)
_AFTER_HINTS: Final = word_set(
    "too low high steep expensive off wont not cant cannot never impossible unacceptable no out "
    "list listed rack originally next elsewhere currently price rate charge charging asking ask "
    "sell selling offer offering booking booking.com expedia agoda ctrip trip.com other another "
    "competitor nearby similar hilton marriott sheraton hyatt hotel place neighbor neighbour"
)
_BEFORE_HINTS: Final = _REFUSAL_HINTS | _CITED_HINTS
_HINT_WORD: Final = re.compile(r"[a-z']+(?:\.[a-z]+)*")
_OTHER_SCRIPT: Final = re.compile(r"[^\x00-\x7f¥€£]")
# Read from the figure backwards: the text before it is searched reversed, and a sign before a digit
# (1,200) is no stop. The set comes first so that the search skips quickly to it.
_STOP_BEFORE: Final = re.compile(r"[.,;:!?\n，。：；！？、](?<![0-9][.,;:!?\n，。：；！？、])")
_STOP_AFTER: Final = re.compile(r"[.,;!?\n，。；！？、0-9$¥€£]")
_CONTRAST: Final = re.compile(r".*\b(?:but|however|though|although)\b", re.DOTALL)
_NEXT_CLAUSE: Final = re.compile(r"\b(?:but|however|though|and|if|because|since|so|unless|when|which|or)\b")
_UNIT: Final = (
    r" ?(?:\$|¥|€|£|yuan|rmb|cny|usd|dollars?|bucks?|euros?|元|块钱|块)?"
    r"(?:(?: ?/ ?| per | an? )?(?:night|month|room))?"
)


def _any(*alternatives: str) -> str:
    return "(?:" + "|".join(alternatives) + ")"


_END: Final = r" ?[$¥€£]? ?$"  # the figure follows
_SPEAKER: Final = re.compile(r"\b(?:i|i'm|i'll|i'd|we|we'll|we're|my|our)\b")

_REFUSAL: Final = re.compile(
    _any(
        r"\b(?:not|never|cannot|can ?not|cant|wont|dont|unable|refused?|nor|neither)\b",
        r"\b(?:no way|no deal|no chance|impossible)\b",
        r"n't\b",
        r"不能|没法|没办法|做不到|不可能|不是|不接受|不同意|不会|不要|别",
    )
    + r"(?P<between>[^0-9]{0,36})$"
)
# "no less than 380", "can't go below 380": the speaker's own price. "As low as 380" is refused.
_BOUND: Final = re.compile(
    r"\b(?:less|lower|low|below|under|beneath|fewer|cheaper|down|more|over|above|higher|beyond|past|"
    r"exceed|exceeding|better)\b(?! as\b)(?<!as low)|低于|少于|高于|超过|多于"
)
_NEW_CLAUSE: Final = re.compile(r"\b(?:how about|what about|so i|so i'm|and i|and we|let's)\b")
_NO_REFUSAL: Final = re.compile(
    _any(
        r"\bmind\b",
        r"\bwhy (?:not|don'?t|can'?t|won'?t)\b",
        r"\bnot (?:only|just|(?:a )?(?:bad|problem|unreasonable))\b",
        r"\bhow come\b",
        r"\b(?:could|would|can|will) (?:you|we|u) not\b",
        r"\b(?:can't|couldn't|won't|wouldn't|don't|didn't|isn't|aren't|doesn't) "
        r"(?:you|we|u|it|that)\b",
    )
)
_REFUSED_AFTER: Final = re.compile(
    rf"{_UNIT}[^0-9]{{0,28}}?"
    + _any(
        r"\btoo (?:low|high|much|little|steep|expensive|rich|far|small|big|cheap|tight)\b",
        r"\b(?:a (?:bit|little|tad|touch|lot)|pretty|rather|quite|kind of|kinda|way|still|far|very|"
        r"somewhat|really|so|is|seems|sounds|feels) (?:low|high|steep|expensive|off)\b",
        r"\b(?:won't|wont|will not|wouldn't|would not|isn't|is not|can't|cant|cannot|can not)\b",
        r"\b(?:doesn't|does not|not|never|impossible|unacceptable|no good)\b",
        r"\bout of (?:the question|my|our)\b",
        r"不行|不可以|不可能|不能|不够|太低|太高|太贵|太少|做不了|做不到|接受不了|没法|低了|高了|贵了",
    )
)
_ACCEPTED_AFTER: Final = re.compile(
    _any(
        r"(?:\bnot|n't) (?:be )?(?:a |too |that |so |at all )?"
        r"(?:bad|problem|issue|unreasonable|unfair|hurt)\b",
        r"\bwont hurt\b",
        r"\bnot (?:a (?:penny|cent|dollar|yuan|dime) )?(?:less|more|lower|higher|negotiable)\b",
        r"\b(?:i|we) (?:can't|cannot|won't|can not|will not) (?:go|do|take|accept)\b",
    )
)

_CITED_LIST: Final = (
    r"\b(?:list(?:ed|ing)?(?: price| rate| it)?|advertised|posted|published|rack rate|retail|msrp|"
    r"original(?:ly)?|blue ?book(?: value)?|market (?:price|rate|value)|usual(?:ly)?|"
    r"current(?:ly)?(?: price| rate| rates| selling)?)"
    r"(?: (?:is|was|are|were|at|for|as|of|it|in|price|rate|value|its|sells|sold|selling|going|"
    r"priced|around|about|only|showing|list|on [a-z.]+))*"
)
_CITED_YOURS: Final = (
    r"\b(?:your|yours|you(?:'re|'ve| are| were| have| had| want(?:ed)?| ask(?:ed)?| list(?:ed)?))\b"
    r"(?: (?:price|rate|rates|room|rooms|selling|sell|ask|asking|list|listed|listing|listings|"
    r"current|public|original|is|was|are|of|at|for|it|the|them|this|says|want|wanted|as|currently|"
    r"deluxe|standard|king|twin|net|still|starting|online|website|shows|on|in|now|today))*"
)
_CITED_OTHERS: Final = (
    r"\b(?:next door|competit(?:ors?|ion)|elsewhere|others?|across the (?:street|road)|they|hotels?|"
    r"(?:other|another|similar|comparable|neighbou?ring|nearby) [a-z]+(?: [a-z]+)?|"
    r"hilton|marriott|sheraton|hyatt|ibis|novotel|holiday inn|booking(?:\.com)?|expedia|agoda|ctrip)\b"
    r"[^0-9]{0,30}\b(?:sells?|sold|selling|charg(?:es?|ed|ing)|offers?|asks?|asking|is|are|has|had|"
    r"have|at|for|was|were|gets?|goes|going|priced|lists?|listed|does|do|quoted?|around|only)"
    r"(?: (?:it|them|theirs|at|for|only|just|around|about|now))*"
)
_CITED_PAST: Final = (
    r"\b(?:it|price|rate|rates|that|which|rooms?|ask|asking) (?:was|were|had been)"
    r"(?: (?:selling|asking|listed|going|priced|originally|at|for))*",
    r"\b(?:paid|bought (?:it|this|them) (?:new )?for|was asking(?: for)?|used to be|goes? for|"
    r"going for|retails? (?:at|for)|sells? new for|cost(?:s|ed)?(?: me| us)?|instead of|rather than|"
    r"down from|up from|compared (?:to|with)|cheaper than|(?:new|brand new) for|worth|"
    r"last (?:year|month|week|season|time)(?: was| at)?)"
    r"(?: (?:around|about|over|nearly|almost|only|like))*",
)
_CITED_CHINESE: Final = (
    r"(?:现在|目前|挂牌价?|隔壁|别家|竞争|同行|对手|[您你]们?的?(?:价格|房价|报价)|原价|标价|门市价|"
    r"携程|飞猪|美团)[^0-9，。；！？、]{0,10}"
)
_CITED_BEFORE: Final = re.compile(_any(_CITED_LIST, _CITED_YOURS, *_CITED_PAST, _CITED_CHINESE) + _END)
_CITED_OTHERS_BEFORE: Final = re.compile(_CITED_OTHERS + _END)
_FROM: Final = re.compile(rf"\bfrom(?: about| around)?{_END}")
_TO: Final = re.compile(r"\bto\b")
_CITED_AFTER: Final = re.compile(
    rf"{_UNIT}(?: (?:is|was|as|for|at|seems|the|a|it)){{0,4}}? ?"
    + _any(
        r"\b(?:your|the|its|their) (?:current|list|listed|asking|original|rack|usual|public|"
        r"advertised|published|normal)(?: selling)? (?:price|rate)\b",
        r"\b(?:list price|rack rate|originally|next door|elsewhere|currently)\b",
        r"\b(?:what )?(?:you|they|others|competitors?)(?: are| have|'re)? (?:it )?"
        r"(?:listed|list|charge|charging|asking|ask|sell|selling|offer|offering)\b",
        r"\b(?:on|at) (?:booking|expedia|agoda|ctrip|trip\.com|other|another|a (?:competitor|nearby|"
        r"similar)|the (?:hilton|marriott|sheraton|hyatt|other|hotel|place|competitor|neighbou?r))",
    )
)
_OWN_OFFER: Final = re.compile(
    r"\b(?:can|could|would|will|let's|accept|offer you|how about|what about|going to|lower|drop|"
    r"make (?:it|that)|bring|reduce|set|put|change|move|cut|"
    r"your (?:best|lowest|final|budget|bottom|minimum|max))\b|改到|调到|降到|改成|能做|能给|能不能|可以|做到|能到"
)

_NET: Final = re.compile(
    r"\b(?:net|take[- ]?home|after (?:the |our |your )?commission|in your pocket|to the hotel)\b"
    r"|到手|底价|净价?"
)
_NET_BEFORE: Final = re.compile(
    _any(
        r"(?:\b(?:net|take[- ]?home|after (?:the |our )?commission)\b|到手价?|底价|净价?)[^0-9]{0,30}",
        r"\byou(?:'d|'ll)? (?:would |will |still |can |could )?(?:keep|get|receive|pocket)"
        r"(?: about| around| a)?" + _END[:-1],
    )
    + "$"
)
_SELLING_NAMES: Final = (
    r"(?:\b(?:selling(?: price| rate)?|sell (?:price|rate)|all[- ]in|gross|retail price|"
    r"guests? (?:pays?|paying|price|rate)|"
    r"(?:incl(?:uding|usive of|uded|\.)?|before|with) (?:the |our |your )?commission)\b|"
    r"卖价|售价|含佣金?|佣前|客人付|前台价)"
)
_SELLING: Final = re.compile(_SELLING_NAMES + r"(?! (?:it|them|this|my|the|for)\b)")
_SELLING_BEFORE: Final = re.compile(
    _SELLING_NAMES + r"(?:[ :]+(?:is|of|at|to|be|would|price|rate|about|around))*[ :]*[$¥€£]? ?$"
)
_JOINED: Final = re.compile(r"[^.;!?\n，。；！？、0-9]*")


class Stance(NamedTuple):
    """What the clause says of its figure, and the text of the clause before the figure."""

    refused: bool
    cited: bool
    before: str


class Hints(NamedTuple):
    """Which of the stance patterns a message can match at all: before and after its figures."""

    split: bool
    """Whether words are set apart by spaces, as they are unless other scripts are used."""
    before: bool
    after: bool


def find_hints(low: str) -> Hints:
    """Look once through a message for the words without which no stance pattern matches."""
    if not low.isascii() and _OTHER_SCRIPT.search(low):
        return Hints(False, True, True)
    words = _HINT_WORD.findall(low)
    negated = "n't" in low
    return Hints(True, negated or not _BEFORE_HINTS.isdisjoint(words), negated or not _AFTER_HINTS.isdisjoint(words))


def read_stance(low: str, start: int, end: int, hints: Hints) -> Stance:
    """Whether the figure `low[start:end]` is refused, and whether it is cited.

    A bound ("no less than 380") is not refused. Cited are list prices, rates of competitors and
    past prices.
    """
    head = low[start - _BEFORE if start > _BEFORE else 0 : start]
    stop = _STOP_BEFORE.search(head[::-1])
    before = head[len(head) - stop.start() :] if stop else head
    if "but" in before or "though" in before or "however" in before:
        contrast = _CONTRAST.match(before)
        before = before[contrast.end() :] if contrast else before
    if not (hints.before or hints.after):
        return Stance(False, False, before)
    stop = _STOP_AFTER.search(low, end, end + _AFTER)
    after = low[end : stop.start() if stop else end + _AFTER]
    # Most clauses have none of the words that the patterns need; other scripts are not split.
    split = hints.split
    words = before.split()
    refused = (not split or not _REFUSAL_HINTS.isdisjoint(words) or "n't" in before) and _refused_before(before)
    cited = (not split or not _CITED_HINTS.isdisjoint(words)) and _cited_before(before, after)
    if not split or not _AFTER_HINTS.isdisjoint(after.split()) or "n't" in after:
        refused = refused or _refused_after(after)
        cited = cited or _CITED_AFTER.match(after) is not None
    return Stance(refused, cited, before)


def _refused_before(before: str) -> bool:
    match = _REFUSAL.search(before)
    return (
        match is not None
        and not _BOUND.search(match["between"])
        and not _NEW_CLAUSE.search(match["between"])
        and not _NO_REFUSAL.search(before)
    )


def _refused_after(after: str) -> bool:
    after = _NEXT_CLAUSE.split(after, maxsplit=1)[0]
    return _REFUSED_AFTER.match(after) is not None and not _ACCEPTED_AFTER.search(after)


def _cited_before(before: str, after: str) -> bool:
    if "from" in before and _FROM.search(before) and _TO.search(after):
        return True
    if not _CITED_BEFORE.search(before):
        match = _CITED_OTHERS_BEFORE.search(before)
        if match is None or _SPEAKER.search(match.group()):
            return False
    return _OWN_OFFER.search(before) is None


def may_say_net(low: str) -> bool:
    """Cheap test whether a message can say of a figure that it is a net or a selling price."""
    return (
        "net" in low or "commission" in low or "selling" in low or "gross" in low
        or "home" in low or "ll-in" in low or "ll in" in low or "guest p" in low
        or "guests p" in low or "sell p" in low or "sell r" in low or "pocket" in low
        or "retail" in low or " keep" in low or "you get" in low or "d get" in low
        or "ll get" in low or "receive" in low or "to the hotel" in low
        or (not low.isascii() and _OTHER_SCRIPT.search(low) is not None)
    )  # fmt: skip


def is_net(low: str, end: int, before: str) -> bool | None:
    """True for a net price, False for a selling (all-in) price, None where nothing is said.

    `low[:end]` ends with the figure and `before` is the text of its clause before it.
    """
    joined = _JOINED.match(low, end, end + _AFTER)
    after = joined.group() if joined else ""
    follows = low[end + len(after) : end + len(after) + 1]
    if follows.isdigit() or (follows and follows in "$¥€£"):
        # "net 380, selling 400": a word right before the next figure belongs to that one.
        cut = max(after.rfind(","), after.rfind(" and "), after.rfind(" or "))
        after = after[:cut] if cut >= 0 else after
    net, selling = _NET.search(after), _SELLING.search(after)
    if net and not (selling and selling.start() < net.start()):
        return True
    if selling or _SELLING_BEFORE.search(before):
        return False
    return True if _NET_BEFORE.search(before) else None
