"""What the clause around a figure says about it: refused, cited, net or selling price, for a night or for the stay.

Clauses are cut at punctuation and at "but", "however", "though". The reading is by pattern, not by
grammar: irony, reported speech over sentences and double negation are not understood.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from negotiation_env.language.price_vocabulary import PATTERNS, WORDS, word_set

# Longest text read before and after a figure, in characters.
_BEFORE: Final = 80
_AFTER: Final = 60
_REFUSAL_HINTS: Final = WORDS["refusal_hints"]
_CITED_HINTS: Final = WORDS["cited_hints"]
_AFTER_HINTS: Final = WORDS["after_hints"]
_BEFORE_HINTS: Final = _REFUSAL_HINTS | _CITED_HINTS
_HINT_WORD: Final = re.compile(r"[a-z']+(?:\.[a-z]+)*")
_OTHER_SCRIPT: Final = re.compile(r"[^\x00-\x7f¥€£]")
_LETTER: Final = re.compile(r"[^\W\d_]")
"""Every pattern of what stands beside a figure needs one: a list of nine hundred figures has none."""
# Read from the figure backwards: the text before it is searched reversed, and a sign before a digit
# (1,200) is no stop. The set comes first so that the search skips quickly to it.
_STOP_BEFORE: Final = re.compile(r"[.,;:!?\n，。：；！？、](?<![0-9][.,;:!?\n，。：；！？、])")
_STOP_AFTER: Final = re.compile(r"[.,;!?\n，。；！？、0-9$¥€£]")
_CONTRAST: Final = re.compile(r".*\b(?:but|however|though|although)\b", re.DOTALL)
_NEXT_CLAUSE: Final = re.compile(r"\b(?:but|however|though|and|if|because|since|so|unless|when|which|or)\b")
_UNIT: Final = (
    r" ?(?:\$|¥|€|£|yuan|rmb|cny|usd|dollars?|bucks?|euros?|元|块钱|块)?(?:(?: ?/ ?| per | an? )?(?:night|month|room))?"
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
        r"不能|没法|没办法|做不到|不可能|不是|不接受|不同意|不会|不要|别(?!家|的|人|处)",
    )
    + r"(?P<between>[^0-9]{0,36})$"
)
# A question that is put as A-not-A (行不行, 可不可以, 能不能), or ends in 不: no refusal.
_A_NOT_A: Final = re.compile(r"(.)不\1|[行成好可能]不(?=[?？吧啊呀]|$)")
# What stands between a negator and a figure that is not what is refused: a new subject, "maybe 380".
_NEW_CLAUSE: Final = re.compile(
    r"\b(?:how about|what about|so i|and i|and we|let's|maybe|perhaps|(?:i|we|you|he|she|it|they|that)'(?:ll"
    r"|ve|d|m|re|s))\b"
)
_BELIEVES: Final = re.compile(
    r" ?(?:really |quite |honestly )?(?:think|believe|see|know|reckon|suppose|imagine|expect)\b"
)
# "if I don't have 380 by tonight", "as you didn't name a price": no refusal of the figure.
_CONDITION: Final = re.compile(
    r"\b(?:if|unless|until|since|whether|in case)\b|(?:^|[ ,])as (?:i|we|you|he|she|it|they|there)\b"
)
# "would 380 not be possible", "couldn't it be 380?": a question.
_ASKS: Final = re.compile(
    r"^[ \"']*(?:(?:so|and|but|or|then|now|well|ok|okay|please|maybe|perhaps|still|also|even|just|the [a-z]+) ){0,3}"
    r"(?:would|could|can|will|shall|should|might|may|must|is|are|was|do|does|did|have|has)(?:n't)?\b(?! no\b)"
    r"|^ ?not even ?[¥$€£]? ?$"
)
_QUESTION: Final = re.compile(r"[^.!?\n。！？]*[?？]")
_TAG: Final = re.compile(r"[^.!?\n,]*, (?:could|can|would|will|do|did|are|is) (?:you|we|it|that)\?")
"""A question put as a denial: "you couldn't do 215, could you?"."""
# "no less than 380", "can't go below 380": the speaker's own price. "As low as 380" is refused.
_BOUND: Final = re.compile(
    r"\b(?:less|lower|low|below|under|beneath|fewer|cheaper|down|more|over|above|higher|beyond|past|"
    r"exceed|exceeding|better)\b(?! as\b)(?<!as low)|低于|少于|高于|超过|多于"
)
_NO_REFUSAL: Final = PATTERNS["no_refusal"]
_REFUSED_AFTER: Final = re.compile(rf"{_UNIT}[^0-9]{{0,28}}?(?:{PATTERNS['refused_after'].pattern})")
_ACCEPTED_AFTER: Final = PATTERNS["accepted_after"]

_CITED_LIST: Final = (
    r"\b(?:list(?:ed|ing)?(?: price| rate| it)?|advertised|posted|published|rack rate|retail|msrp|original(?:ly)?|"
    r"blue ?book(?: value)?|market (?:price|rate|value)|usual(?:ly)?|current(?:ly)?(?: price| rate| rates|"
    r" selling)?)(?: (?:is|was|are|were|at|for|as|of|it|in|price|rate|value|its|sells|sold|selling|going|priced|around|"
    r"about|only|showing|list|on [a-z.]+))*"
)
_CITED_YOURS: Final = (
    r"\b(?:your|yours|you(?:'re|'ve| are| were| have| had| want(?:ed)?| ask(?:ed)?| list(?:ed)?| show| sell| charge|"
    r" stand))\b(?: (?:price|rate|rates|room|rooms|selling|sell|ask|asking|list|listed|listing|listings|current|public|"
    r"original|is|was|are|of|at|for|it|the|them|this|says|want|wanted|as|currently|deluxe|standard|king|twin|net|still|"
    r"starting|online|website|shows|on|in|now|today))*"
)
_CITED_OTHERS: Final = (
    r"\b(?:next door|competit(?:ors?|ion)|neighbou?rs?(?:'s [a-z]+)?|elsewhere|others?|across the (?:street|road)|they|"
    r"hotels?|(?:other|another|similar|comparable|neighbou?ring|nearby) [a-z]+(?: [a-z]+)?|hilton|marriott|sheraton|"
    r"hyatt|ibis|novotel|holiday inn|booking(?:\.com)?|expedia|agoda|ctrip)\b[^0-9]{0,30}\b(?:sells?|sold|selling|"
    r"charg(?:es?|ed|ing)|offers?|asks?|asking|is|are|has|had|have|at|for|was|were|gets?|goes|going|priced|lists?|"
    r"listed|does|do|quoted?|around|only|stands?|sits?|shows?|takes?)(?: (?:it|them|theirs|at|for|only|just|around|"
    r"about|now))*"
)
_CITED_PAST: Final = (
    r"\b(?:it|price|rate|rates|that|which|rooms?|ask|asking) (?:was|were|had been)"
    r"(?: (?:selling|asking|listed|going|priced|originally|at|for))*",
    r"\b(?:paid|bought (?:it|this|them) (?:new )?for|was asking(?: for)?|used to be|goes? for|going for|"
    r"retails? (?:at|for)|sells? new for|cost(?:s|ed)?(?: me| us)?|instead of|rather than|down from|up from|"
    r"compared (?:to|with)|cheaper than|(?:new|brand new) for|worth|last (?:year|month|week|season|time)(?: was|"
    r" at)?)(?: (?:around|about|over|nearly|almost|only|like))*",
)
_CITED_CHINESE: Final = (
    r"(?:现在|目前|挂牌价?|(?<![我您给你])挂[着了]?|隔壁|别家|竞争|同行|对手|[您你]们?的?(?:价格|房价|报价)|原价|标价|门市价|"
    r"携程|飞猪|美团)[^0-9，。；！？、]{0,10}"
)
_CITED_SAID: Final = (
    r"\byou(?:'d|'ve| have| had| just| only| once| also)? (?:said|named|wrote|meant|mentioned|quoted|told me|"
    r"told us)(?: (?:it|that|was|us|me|at|of|about|around))*|\b(?:i|we) (?:just )?(?:heard|read)|\b(?:he|she|they|"
    r"everyone|everybody|people|others|the others)(?:'d|'ve|'ll| would| had| have)* (?:said|wrote|paid|pay|takes?|"
    r"asks?|lists?|charges?|sells?|stands?|sits?|shows?|be|at|is|are)(?: (?:at|for|it|me|us|on))*|\b(?:he|she|"
    r"they)'(?:s|re) (?:already |still |now )?(?:at|on|asking|charging|selling at)|"
    r"(?<!\bit)(?<!\bthat)(?<!\bthis)(?<!\bwhich)(?<!\bhe)(?<!\bshe) (?:sells|asks|charges|lists|displays|"
    r"advertises)(?: (?:it|its|rooms?|theirs|the same|similar|standard|king|queen|twin|double|suite|now|"
    r"still))*(?: (?:at|for))?|\b(?:his|their|today's|yesterday's|last year's|the neighbou?r's)",
    r"\b(?:was|were|'s) (?:listed|priced|on (?:sale|offer)) (?:at|for)",
)
# "under 380", "more than 380": the figure is a mark to compare with, unless it is the speaker's own bound.
_COMPARES: Final = (
    r"\b(?:above|below|under|beneath|over|beyond|(?:less|more|lower|higher|cheaper|better|dearer) than|"
    r"too (?:near|close to)|next to|beside|against|compared (?:to|with)|past)"
    r"(?: (?:about|around|only|just|even|your|my|our|his|their|the))*"
)
_CITED_BEFORE: Final = re.compile(_any(_CITED_LIST, _CITED_YOURS, *_CITED_PAST, *_CITED_SAID, _CITED_CHINESE) + _END)
_COMPARES_BEFORE: Final = re.compile(_COMPARES + _END)
_OWN_BOUND: Final = re.compile(
    r"\b(?:over my head|beyond (?:me|us)|not|never|no|nothing|nobody|cannot|cant|wont|anything|neither|nor|hardly"
    r"|without)\b|n't\b|\b(?:needs?|wants?|requires?|must|have to|looks? for|looking for)\b"
)
_BOUND_AFTER: Final = re.compile(
    r"[^0-9]{0,16}\b(?:no|nothing|not|never|impossible|can't|won't|cannot|breaks?|loses?|loss)\b|n't"
)
_CITED_OTHERS_BEFORE: Final = re.compile(_CITED_OTHERS + _END)
_FROM: Final = re.compile(rf"\bfrom(?: about| around)?{_END}")
_TO: Final = re.compile(r"\bto\b")
_CITED_AFTER: Final = re.compile(
    rf"{_UNIT}(?: (?:is|was|as|for|at|seems|the|a|it)){{0,4}}? ?(?:{PATTERNS['cited_after'].pattern})"
)
_OWN_OFFER: Final = PATTERNS["own_offer"]

# Where the hotel's money lands, and where the guest sees the price: said of either by either side.
_KEPT_IN: Final = (
    r"(?:hands?|pockets?|drawers?|ledgers?|tills?|accounts?|statement|purse|wallet|safe|cash ?box|coffers?)"
)
_SEEN_ON: Final = (
    r"(?:pages?|sites?|website|app|screen|platform|listings?|window|shelf|shop|front|display|board|door|tag|public)"
)
_THE: Final = r"(?:the |our |your |my |his |her |their )"
_NET: Final = re.compile(
    r"\b(?:net|nett|take[- ]?home|clean(?= ?$| (?:each|a|per|every|to)\b)|to keep|paid out|to the hotel|in hand"
    rf"|after {_THE}?(?:commission|cut|share|fee|part|platform|percent|[a-z]+ (?:percent|per cent|commission))|"
    rf"after (?:you|us)|(?:in|into|on|to|for|hits?|reach(?:es)?|lands? in|arrives? (?:in|at)) {_THE}(?:own )?{_KEPT_IN}"
    r"|(?:reach(?:es)?|lands? with|arrives? with|comes? to|goes to|stays? with) (?:me|us|you)|after commission)\b|"
    r"^ ?(?:a night |per night )?(?:yours|mine|hand|drawer|ours)\b(?! (?:is|are|was|would|will))|^ ?(?:for|to) (?:me|"
    r"us) ?$|^ ?to you\b(?! (?:and|or|for)\b)|到手|底价|净价?"
)
_NET_BEFORE: Final = re.compile(
    _any(
        rf"(?:\b(?:net|nett|take[- ]?home|clean|in hand|after {_THE}?(?:commission|cut|share|fee)"
        rf"|(?:in|into|lands? on) {_THE}(?:own )?{_KEPT_IN})\b|到手价?|底价|净价?)[^0-9]{{0,30}}",
        r"\b(?:you|we|i|me|us)(?:'d|'ll)? (?:would |will |still |can |could |need to |must |want to )?"
        r"(?:keep|get|receive|pocket|bank)(?: about| around| a)?" + _END[:-1],
        r"\b(?:leav(?:e|es|ing) (?:you|us|me)(?: with)?|nets?(?: you| us| me)?)(?: about| around| a)?" + _END[:-1],
    )
    + "$"
)
_SELLING_NAMES: Final = (
    r"(?:\b(?:selling(?: price| rate)?|sell (?:price|rate)|all[- ]in|gross|retail price|public(?:ly| rate| price)?|"
    r"(?:for|to|from) the guests?|guests? (?:pays?|paying|price|rate|sees?)|"
    rf"(?:on|in) {_THE}?(?:own )?{_SEEN_ON}|{_SEEN_ON} (?:says?|shows?|reads?|price|rate)|"
    rf"(?:incl(?:uding|usive of|uded|\.)?|before|with) {_THE}?(?:commission|cut|share|fee))\b|"
    r"卖价|售价|含佣金?|佣前|客人付|前台价)"
)
_SELLING: Final = re.compile(
    _SELLING_NAMES + r"(?! (?:it|them|this|my|the|for)\b)|^ ?(?:theirs|guest|page)\b(?! (?:is|are|was|would|will))"
    r"|^ ?for (?:the )?(?:them|guests?) ?$"
)
_SELLING_BEFORE: Final = re.compile(
    _SELLING_NAMES + r"(?:[ :]+(?:is|of|at|to|be|would|price|rate|about|around|that's|they|see|a))*[ :]*[$¥€£]? ?$"
)
_FAVOUR: Final = re.compile(r" for (?:me|us) ?$")
_JOINED: Final = re.compile(r"[^.;!?\n，。；！？、0-9]*")


class FigureClause(NamedTuple):
    """What the clause says of its figure, and the text of the clause before and after the figure."""

    refused: bool
    cited: bool
    before: str
    after: str


class Hints(NamedTuple):
    """Which of the patterns a message can match at all."""

    split: bool
    """Whether words are set apart by spaces, as they are unless other scripts are used."""
    before: bool
    """Whether a figure can be refused or cited by what stands before it."""
    after: bool
    net: bool
    total: bool


_NET_HINTS: Final = WORDS["net_hints"]
_TOTAL_HINTS: Final = WORDS["total_hints"]


def find_hints(low: str) -> Hints:
    """Look once through a message for the words without which no pattern of this module matches."""
    if not low.isascii() and _OTHER_SCRIPT.search(low):
        return Hints(False, True, True, True, True)
    words = set(_HINT_WORD.findall(low))
    negated = "n't" in low
    return Hints(
        True,
        negated or not _BEFORE_HINTS.isdisjoint(words),
        negated or not _AFTER_HINTS.isdisjoint(words),
        not _NET_HINTS.isdisjoint(words),
        not _TOTAL_HINTS.isdisjoint(words),
    )


def read_stance(low: str, start: int, end: int, hints: Hints) -> FigureClause:
    """Whether the figure `low[start:end]` is refused, and whether it is cited.

    A bound ("no less than 380") is not refused, nor is what is asked ("would 380 not be possible?"). Cited are list
    prices, rates of competitors, past prices, figures of the other side and figures compared with.
    """
    head = low[start - _BEFORE if start > _BEFORE else 0 : start]
    stop = _STOP_BEFORE.search(head[::-1])
    before = head[len(head) - stop.start() :] if stop else head
    if "but" in before or "though" in before or "however" in before:
        contrast = _CONTRAST.match(before)
        before = before[contrast.end() :] if contrast else before
    stop = _STOP_AFTER.search(low, end, end + _AFTER)
    after = low[end : stop.start() if stop else end + _AFTER]
    if not (hints.before or hints.after) or not (_LETTER.search(before) or _LETTER.search(after)):
        return FigureClause(False, False, before, after)
    # Most clauses have none of the words that the patterns need; other scripts are not split.
    split = hints.split
    words = before.split()
    if not split and "不" in low:
        before, after = _A_NOT_A.sub("", before), _A_NOT_A.sub("", after)
    refused = (not split or not _REFUSAL_HINTS.isdisjoint(words) or "n't" in before) and _refused_before(before)
    cited = (not split or not _CITED_HINTS.isdisjoint(words)) and _cited_before(before, after)
    if not split or not _AFTER_HINTS.isdisjoint(after.split()) or "n't" in after:
        refused = refused or (_refused_after(after) and not _CONDITION.search(before))
        cited = cited or _CITED_AFTER.match(after) is not None
    if refused and (
        (_ASKS.match(before) and _QUESTION.match(low, end, end + 2 * _AFTER)) or _TAG.match(low, end, end + 2 * _AFTER)
    ):
        refused = False
    return FigureClause(refused, cited, before, after)


def _refused_before(before: str) -> bool:
    match = _REFUSAL.search(before)
    if match is None:
        return False
    between = match["between"]
    if _BOUND.search(between) or (_NEW_CLAUSE.search(between) and not _BELIEVES.match(between)):
        return False
    return not (_NO_REFUSAL.search(before) or _CONDITION.search(before, 0, match.start()))


def _refused_after(after: str) -> bool:
    after = _NEXT_CLAUSE.split(after, maxsplit=1)[0]
    return _REFUSED_AFTER.match(after) is not None and not _ACCEPTED_AFTER.search(after)


def _cited_before(before: str, after: str) -> bool:
    if "from" in before and _FROM.search(before) and _TO.search(after):
        return True
    if _COMPARES_BEFORE.search(before):
        return not (_OWN_BOUND.search(before) or _BOUND_AFTER.match(after))
    if not _CITED_BEFORE.search(before):
        match = _CITED_OTHERS_BEFORE.search(before)
        if match is None or _SPEAKER.search(match.group()):
            return False
    return _OWN_OFFER.search(before) is None


# A name in capitals of two or three words, or of one after "the"; and what may stand between it and a figure.
_NAME: Final = re.compile(r"[A-Z](?:(?<=[Tt]he [A-Z])[a-z]+|(?<=\b[A-Z])[a-z]+(?: [A-Z][a-z]+){1,2})")
_AFTER_NAME: Final = re.compile(r"(?:['’]s)?[a-z '’\u4e00-\u9fff]*(?:RMB |CNY )?")
_LONGEST_AFTER_NAME: Final = 40
_NO_RIVALS: Final = WORDS["no_rivals"]
_TITLES: Final = WORDS["titles"]
_NOT_OF_RIVAL: Final = WORDS["not_of_rival"]
_OPENERS: Final = WORDS["openers"]


class Rivals:
    """The competitors named in a text, and which figures are theirs: "City Star's at 282", "Swan House asks 390".

    A competitor is a name in capitals that is no room type, day or person. In text without capitals none is found.
    """

    __slots__ = ("ends", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends: list[int] = []
        for match in _NAME.finditer(text):
            names = match.group().lower().split()
            if len(names) > 1 and names[0] in _OPENERS:
                names = names[1:]
                if len(names) == 1:
                    continue
            if names[-1] not in _NO_RIVALS and _TITLES.isdisjoint(names):
                self.ends.append(match.end())

    def own(self, start: int) -> bool:
        """Whether the figure at `start` is the price of the competitor named before it."""
        for end in self.ends:
            if 0 <= start - end <= _LONGEST_AFTER_NAME and _AFTER_NAME.fullmatch(self.text, end, start):
                return _NOT_OF_RIVAL.isdisjoint(self.text[end:start].replace("’", "'").split())
        return False


def is_net(low: str, end: int, before: str) -> bool | None:
    """True for a net price, False for a selling (all-in) price, None where nothing is said.

    `low[:end]` ends with the figure and `before` is the text of its clause before it.
    """
    joined = _JOINED.match(low, end, end + _AFTER)
    after = joined.group() if joined else ""
    if not (_LETTER.search(before) or _LETTER.search(after)):
        return None
    follows = low[end + len(after) : end + len(after) + 1]
    if follows.isdigit() or (follows and follows in "$¥€£"):
        # "net 380, selling 400": a word right before the next figure belongs to that one.
        cut = max(after.rfind(","), after.rfind(" and "), after.rfind(" or "))
        after = after[:cut] if cut >= 0 else after
    if follows and follows in "?？":  # "480 for me?" asks a favour
        after = _FAVOUR.sub("", after)
    net, selling = _NET.search(after), _SELLING.search(after)
    if net and not (selling and selling.start() < net.start()):
        return True
    if selling or _SELLING_BEFORE.search(before):
        return False
    return True if _NET_BEFORE.search(before) else None


_TOTAL_AFTER: Final = re.compile(
    r"[^0-9]{0,24}?\b(?:in total|total|altogether|all told|in all|lump sum|all together|as a package|(?:for|over|"
    r"across) (?:the |your |this |our |my )?(?:whole|entire|full|complete) [a-z]+|for (?:the|your|this) (?:stay|"
    r"booking|block|package|whole|lot)|for all (?:the )?[a-z]+ nights|the (?:whole )?lot|for everything|full run)\b|"
    r"[^0-9，。]{0,6}(?:一共|总共|总价|合计|打包|包圆)"
)
_TOTAL_BEFORE: Final = re.compile(
    r"\b(?:total|totals|sum|altogether|all told|lump sum|package|(?:whole|entire|full|complete) (?:stay|booking|block|"
    r"run|week|period|thing|lot|package))\b[^0-9]{0,24}$|(?:一共|总共|合计|总价|共计|整段|全程|打包)[^0-9，。]{0,6}$"
)
_PER_NIGHT: Final = re.compile(
    r"[^0-9]{0,14}?(?:/ ?night|\b(?:a|per|each|every) (?:room )?night|nightly|apiece|每晚|一晚|/晚)"
)
_PER_NIGHT_BEFORE: Final = re.compile(r"(?:\b(?:per|each|every|a) night|nightly|每晚|一晚)[^0-9]{0,10}$")


def is_total(before: str, after: str) -> bool:
    """Whether the clause says that its figure is for the whole stay."""
    if not (_LETTER.search(before) or _LETTER.search(after)):
        return False
    if _PER_NIGHT.match(after) or _PER_NIGHT_BEFORE.search(before):
        return False
    return _TOTAL_AFTER.match(after) is not None or _TOTAL_BEFORE.search(before) is not None


_DERIVED: Final = re.compile(
    r"(?:\b(?:leaves|leaving|(?:would|will|to) leave|(?:'d|'ll) leave|(?<!can )(?<!could )(?<!would )you(?:'d|'ll|"
    r" would| still)? keep)(?: with)?|(?:[0-9]|that|which)[^a-z0-9]{1,2}(?:[a-z]+ ){0,3}?(?:means|reads|nets|gives|"
    r"shows as))(?: you| us| me| him| her| them)?(?: about| around| only)* ?[¥$€£]?$"
)
_KEEPS: Final = word_set("leave leaves leaving keep keeps means reads nets gives as")


def is_derived(before: str) -> bool:
    """Whether the figure only follows from another one: "410 leaves you 369", "at 410 you keep 369"."""
    return not _KEEPS.isdisjoint(before.split()[-4:]) and _DERIVED.search(before) is not None


_BETWEEN_FIGURES: Final = re.compile(r"\b(?:between|middle of|midpoint of)(?: [a-z]+){0,2} ?[¥$€£]?$")


def is_end_of_middle(before: str) -> bool:
    """Whether the figure is one of two that a midpoint is taken of: "the middle of 380 and 400"."""
    return _BETWEEN_FIGURES.search(before) is not None
