"""Words that tell a price from other numbers (``price_words.toml``, ``price_patterns.toml``), and number shapes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from negotiation_env.files import read_toml


def word_set(text: str) -> frozenset[str]:
    """The words of a space-separated list."""
    return frozenset(text.split())


def word_patterns(path: Path) -> dict[str, re.Pattern[str]]:
    """The patterns of a TOML file by name, each of ``words`` that stand alone, or of what may stand ``anywhere``."""
    found = {}
    for name, lists in read_toml(path, dict[str, dict[str, list[str]]]).items():
        words = [rf"\b(?:{'|'.join(lists['words'])})\b"] if "words" in lists else []
        found[name] = re.compile("|".join([*words, *lists.get("anywhere", ())]))
    return found


_LISTS: Final = read_toml(Path(__file__).with_name("price_words.toml"), dict[str, dict[str, str]])
WORDS: Final = {name: word_set(text) for name, text in _LISTS["words"].items()}
"""The lists of ``price_words.toml`` by name."""
PATTERNS: Final = word_patterns(Path(__file__).with_name("price_patterns.toml"))
"""The patterns of ``price_patterns.toml`` by name."""
MONTHS: Final = WORDS["months"]
WEEKDAYS: Final = WORDS["weekdays"]
CURRENCIES: Final = {sign: code for code, signs in _LISTS["currencies"].items() for sign in signs.split()}
COUNTED: Final = WORDS["counted"]
COUNTED_IF_SMALL: Final = WORDS["counted_if_small"]
EXCHANGED: Final = WORDS["exchanged"]
EXCHANGED_BEFORE: Final = WORDS["exchanged_before"]
ALLOWED_AFTER: Final = WORDS["allowed_after"]
ATTACHED: Final = WORDS["attached"]
LABELS: Final = WORDS["labels"]
LABELS_IF_SMALL: Final = WORDS["labels_if_small"]
ROOM_TYPES: Final = WORDS["room_types"]
PRICE_CUES: Final = WORDS["price_cues"]
SMALL_PRICE_CUES: Final = WORDS["small_price_cues"]
STREETS: Final = WORDS["streets"]
YEAR_CUES: Final = WORDS["year_cues"]

_WORDS_AFTER: Final = "|".join(sorted((c for c in CURRENCIES if c.isascii() and c.isalpha()), key=len, reverse=True))
_SIGNS_AFTER: Final = "|".join(
    re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True) if (len(c) == 1 and not c.isalpha()) or c >= "一"
)
_CURRENCY_AFTER: Final = rf"(?:{_WORDS_AFTER})(?![a-z])|{_SIGNS_AFTER}"
# What follows a number: space, currency, "+" and joint, then the next word or sign.
AFTER: Final = re.compile(rf"( ?)({_CURRENCY_AFTER})?(\+? ?-?)([a-z]+(?:['.][a-z]+)*|[^\sa-z0-9]?)")
# Numbers in digits, after their first digit. Group 1: a plain whole number, the common case, tried first; 2: digits
# spaced out, or thousands set apart ("3 8 0", "1 200", "1'200"); 3: hundreds set apart as they are said ("3-45",
# "4-4-0"); 4: the rest of the figure, 5: its scale; no group: no price (dates, times, fractions, phone numbers, and
# "3 80"). All alternatives share the first digit so that the search skips quickly over text without digits.
SCAN: Final = re.compile(
    r"[0-9](?:([0-9]*)(?=[,.]?(?:[?!;)]|$| (?![0-9kghtm])))|[0-9]{3}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![0-9])|"
    r"[0-9]?[-/.][0-9]{1,2}[-/.][0-9]{2,4}(?![0-9])|[0-9]?[:/][0-9]{1,2}(?![0-9])|"
    r"[0-9]{2,3}[- ][0-9]{3,4}[- ][0-9]{4}(?![0-9])|((?: [0-9]){2,5}(?![0-9.,]| [0-9])|(?: [0-9]{3}){1,2}(?![0-9]|"
    r"[.][0-9]| [0-9])|[0-9](?: [0-9]{3})(?= ?(?:yuan|rmb|cny|元|块))|[0-9]{0,2}(?:'[0-9]{3}){1,2}(?![0-9]))|"
    r"((?:-[0-9]{2}|-[0-9]-[0-9])(?![-0-9/:]|[.,][0-9]))| [0-9]{2}(?![0-9.,])|([0-9]*(?:[.,][0-9]+)*)(?: ?(k|grand|"
    r"thousand|hundred|million|千|万|百)(?![a-z]))?)"
)
OFF_WORDS: Final = WORDS["off_words"]
_FILLER: Final = (
    r"(?: (?:it|the|your|that|this|them|both|each|all|our|my|prices?|rates?|off|by|another|additional|an|a|cool|max|"
    r"maximum|of|me|you|us|about|around|like|down|further|almost|nearly|extra|roughly|maybe|just|full|whole|rent|"
    r"listing|asking))*"
)
OFF_BEFORE: Final = re.compile(
    rf"(?:\b(?:knock|knocked|knocking|shav(?:e|ed|ing)|cut|cutting|chop|slash|slashed|deduct|subtract|drop|dropped|"
    rf"dropping|sav(?:e|ing)|tak(?:e|ing)(?: [a-z]+){{0,3}} off|(?:[0-9]|that|this|it|price|rate|list) minus|"
    rf"(?:discount|reduction|rebate|decrease) of|(?:come|came|coming|go|went|going|bring|get) (?:it |the price |"
    rf"the rate )?down){_FILLER}|\b(?:lower|lowered|lowering|reduc(?:e|ed|ing)|decreased?|discount|down|less|"
    rf"cheaper)(?:{_FILLER}|(?: [a-z]+){{1,4}}) by(?: about| around| another| a| maybe| roughly)*) [$¥€£]?$"
)
UP_BEFORE: Final = re.compile(
    rf"\b(?:(?:rais(?:e|ed|ing)|lift|lifted) (?:my|our) (?:last |final )?(?:bid|offer|figure|number|price)(?: (?:on|"
    rf"for) the [a-z]+)? by|(?:rais(?:e|ed|ing)|increased?|increasing|bump|bumped|add|added|adding){_FILLER}|(?:go|"
    rf"went|goes|come|came|coming|going|move|bump|step)(?: it| the price)? up(?: by| another)?|extra|additional|"
    rf"another) [$¥€£]?$"
)
PERCENT_BEFORE: Final = re.compile(
    r"(?:\b(?:discount|off|reduction|cut|drop|lower|reduce|knock|shave|down|slash|rebate|cheaper|less)(?: (?:of|by|at|"
    r"is|a|an|about|around|it|the|your|our|price|prices|rate|rates|me|you|us|them|both|all|off|another|extra|even|only|"
    r"just|up to|down|maybe|roughly|like|some))*|(?:便宜|优惠|折扣|让利|降价?|减|打折|让)(?:[了个点]|百分之)?) ?$"
)
PERCENT_AFTER: Final = re.compile(
    r" ?(?:[a-z-]+ ){0,2}?(?:off|less|lower|discount|discounts|reduction|cheaper|rebate|below|down)"
    r"(?![a-z])|的?(?:折扣|优惠|降价|让利)"
)
PERCENT_METRICS: Final = PATTERNS["percent_metrics"]
PERCENT_TRENDS: Final = PATTERNS["percent_trends"]
PERCENT_OFF_WORDS: Final = re.compile(r"\b(?:off|discounts?|rebate|reduction|cheaper|knock|shave|slash)\b")
# Counters and units right after a Chinese or Arabic numeral: 三间, 两晚, 5月, 5星.
CHINESE_COUNTERS: Final = frozenset(
    "月日号年点时分秒间晚天位人个名套房星级层楼次张条米公里岁度倍周单家件种步句下些样定直般共旦"
    "切边方面平路街室栋期届成刻半份夜排只分寸折"
)
