"""Claims about what the agent's side gives beside the price: a gift by name is true where the card allows it.

A gift that is named is offered, with a verb or without one ("385, badge included"), in a question too ("with a banner,
could you do 385?"). What is refused, wished away or told of others is no offer. Gifts that no list knows are heard by
``promises``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from negotiation_env.game import world
from negotiation_env.language.claims.houses import core_name
from negotiation_env.language.claims.talk import Claim, Talk

_EACH_WEEK: Final = (
    r"(?:(?:each|every|per|a) (?:week|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    r"|(?:on |of a )?(?:mon|tues|wednes|thurs|fri|satur|sun)days)"
)
_PICTURES: Final = r"(?:photos?|photographs?|pictures?)"
_GIFTS: Final[dict[str, re.Pattern[str]]] = {
    "banner": re.compile(r"\bbanners?\b|横幅|(?<=[\u4e00-\u9fff]) ?banner"),
    "badge": re.compile(
        r"(?<!\bmy )\bbadges?\b(?! ?(?:[0-9]|on the (?:photo|picture)))|\bbest[- ]value (?:label|sticker|sign|mark)\b"
        r"|徽[章标]|(?<=[\u4e00-\u9fff]) ?badge"
    ),
    "search-boost": re.compile(
        r"\b(?:search|list) (?:boost|lift|push)\b|\bboost(?:s|ed)?\b(?! (?:your|the|its) (?:bookings|sales|revenue))|"
        r"\b(?:search|list) (?:place|spot|position)\b|\b(?:spot|place|position) (?:up )?in (?:the |our )?search\b|"
        r"\b(?:higher|better|further up)\b(?: \w+){0,3} (?:in|on) (?:the |our )?(?:search\b|list\b|results)|\b(?:lift|"
        r"move|push|raise|bring|nudge)(?:s|ed|ing)? (?:you|your \w+|it|them|both|the \w+)(?: \w+){0,3} (?:up|"
        r"higher) (?:\w+ ){0,2}?(?:in|on) (?:the |our )?(?:search\b|list\b|results)|\b(?:lift|move|push|raise)(?:s|ed|"
        r"ing)? (?:you|your \w+|it|them|both)(?: \w+)? in (?:the |our )?(?:search|list)\b|搜索(?:位|推|提|加权|靠前|"
        r"往前|排)|(?:推|排)(?:到|您|你)?(?:搜索)?(?:前面|靠前|上面)|往搜索|(?<=[\u4e00-\u9fff]) ?boost"
    ),
    "photo-refresh": re.compile(
        rf"(?<!your )\b(?:new|fresh|free|better|proper|redone) (?:\w+ ){{0,2}}{_PICTURES}\b|\bphoto (?:refresh|shoot|"
        rf"session|update)\b|\b{_PICTURES}(?: of \w+ \w+)?(?: (?:are|get|be|made|taken|done|come))* (?:redone|retaken|"
        rf"renewed|refreshed|anew|again|free)|\bredo (?:\w+ )?{_PICTURES}\b|\b(?:a|our|the) photographer\b|\b(?:we|i|"
        rf"and|come)(?:'ll| will| can)? photograph (?:the|your|it|them)\b"
        r"|新照片|重新?拍|摄影师|免费拍|拍(?:一组|一套|几张|照片)|(?<=[\u4e00-\u9fff]) ?photo"
    ),
    "weekly-report": re.compile(
        r"\b(?:weekly|week by week) (?:\w+ )?(?:reports?|sheets?|figures|numbers)\b|\bweekly (?:line|page|letter)\b"
        rf"|\b(?:reports?|sheet|page|letter|paper|figures|numbers)(?: (?!for\b)\w+){{0,2}} {_EACH_WEEK}"
        rf"|\b{_EACH_WEEK},? (?:\w+ ){{0,4}}(?:reports?|sheet|a page|figures|numbers)\b"
        r"|\b(?:the|your|a|first|one|and) reports?\b(?! (?:from|said|says|of the|about|i read|to\b|on [0-9]))|周报|"
        r"每(?:周|个?礼拜|个?星期).{0,8}(?:表|报|一张|一页|纸)|(?<=[\u4e00-\u9fff]) ?(?:weekly )?report"
    ),
}  # fmt: skip
_REFUSED: Final = re.compile(
    r"\b(?:no|not|never|nor|neither|without|instead of|rather than|nobody|nothing|isn't|cannot|stop|forget|minus|skip|"
    r"less|drop|leave out|off|read|saw|seen|dictate|shows?|wears?|it's the|come by|in addition to|as well as)\b|n't\b|"
    r"不|没|别|免提|难"
)
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
                found.append(talk.claim("promise", match.start(), match.end(), gift, truth, true))
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
