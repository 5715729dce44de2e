"""The prices people say in a negotiation message: amounts, amounts off, percentages off, midpoints.

Reads English and Chinese, digits and words: "¥380", "1.2k", "three eighty", 三百八, "20% off",
八五折, "knock 15 off", "meet in the middle". Each has its unit: the currency, a night or the whole stay, net or
selling, off what. Dates, times, counts, measures, model numbers, occupancy figures, differences ("we're 20 apart")
and the like are left out by the words around them.

Only the first `MAX_CHARS` characters are read, and `_MOST_NUMBERS` numbers of a sentence; time is linear in them and no
text raises an error.

It does not know the market, the item or the dialogue: it cannot tell a figure of the speaker from
one of the partner, nor which ticket a figure is for, and it resolves no "that" or "same as before". A figure for
the stay that is not said to be one ("3,300 for the double") shows by its size, which is for the reader to judge.
Words in other languages, sums ("380 plus 20") and prices above 10 million are not read.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from negotiation_env.language.numerals import Number, find_numbers, lower
from negotiation_env.language.price_context import (
    Rivals,
    find_hints,
    is_derived,
    is_end_of_middle,
    is_net,
    is_total,
    read_stance,
)
from negotiation_env.language.price_filters import (
    is_chinese_price,
    is_day_range,
    is_exchanged,
    is_no_price,
    is_percent_off,
    is_share,
    links,
)
from negotiation_env.language.price_vocabulary import (
    AFTER,
    CHINESE_COUNTERS,
    CURRENCIES,
    EXCHANGED,
    OFF_BEFORE,
    OFF_WORDS,
    UP_BEFORE,
    word_set,
)

MAX_CHARS: Final = 4000
_MOST_NUMBERS: Final = 300
"""Numbers of a sentence that are read: nobody says more, and each takes some 50 microseconds."""


class PriceKind(Enum):
    """What a figure in a message means."""

    AMOUNT = "amount"
    AMOUNT_OFF = "amount_off"
    PERCENT_OFF = "percent_off"
    MIDPOINT = "midpoint"


class Price(NamedTuple):
    """One price in a text.

    `value` is an amount or an amount off (currency units, > 0), a percentage off (0-100], or 0.0
    for a midpoint. `net` is True for a net price (what the hotel keeps), False for a selling price
    (what the guest pays), None where the text does not say. `negated`: the speaker turns the figure
    down ("I can't do 380", "380 is too low"); a bound ("no less than 380") is the speaker's own
    price and not negated. `reported`: the figure is cited, asked about or compared with, not offered (list price, a
    competitor's rate, "you said 420", "is your minimum above 400?"; "20 less over the stay" of an amount off).
    `text[start:end]` is the figure with its currency or percent sign. `total`: for the whole stay, not a night.
    `currency` is an ISO 4217 code, "" where none is said; a bare "$" is "USD". `base` is what an amount or a
    percentage is taken off: "list" (the list price), "that" (the figure last spoken of), "" where it is not said.
    """

    kind: PriceKind
    value: float
    net: bool | None
    negated: bool
    reported: bool
    start: int
    end: int
    total: bool = False
    currency: str = ""
    base: str = ""


class _Figure(NamedTuple):
    """A number that is a price: its kind, its span with sign, its currency."""

    kind: PriceKind
    start: int
    end: int
    currency: str = ""


# Looking a member up in its Enum class takes longer than a global name.
_AMOUNT: Final = PriceKind.AMOUNT
_AMOUNT_OFF: Final = PriceKind.AMOUNT_OFF
_PERCENT_OFF: Final = PriceKind.PERCENT_OFF
_BETWEEN_SENTENCES: Final = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_HAS_DIGIT: Final = re.compile("[0-9]")
_CHINESE_HINT: Final = re.compile("[零〇一二两三四五六七八九十百千万折中让半]")
_MIDPOINT: Final = re.compile(
    r"\b(?:meet|met|meeting|settle|agree)(?: me| you| us| each other| up| somewhere| right| at)*"
    r" (?:in|at|on) the middle\b|\bsplit(?:ting)? (?:the|that|our|this) (?:difference|gap)\b"
    r"|\bsplit it (?:down|in) the middle\b|\bin the middle of our\b"
    r"|\b(?:meet|met|go|meeting|settle)(?: me| you| us| each other| at| in| somewhere)*"
    r" (?:half ?-?way|mid-?way)\b|\b(?:the )?midpoint\b|\bmiddle ground\b"
    r"|各让一步|折中|折衷|取中间|取个中间|对半让|各退一步|中间价"
)
_HALF_OFF: Final = re.compile(r"\bhalf (?:off|price|the price)\b(?! your| my| of the)|(?<![一两三])半价")
_FOLD: Final = re.compile(r"(?<![0-9.])(?:([一二三四五六七八九])([一二三四五六七八九])?|([1-9])(?:\.?([0-9]))?)折")
_NO_CHANGE: Final = word_set("to for at is do take")
_LESS: Final = word_set("less cheaper discount reduction rebate lower")
_MORE: Final = word_set("more extra additional higher")
_OFF_HANDS: Final = re.compile(r" ?(?:off) (?:your|my|our) hands")
# "425 less your fifteen", "less a tenth"
_LESS_COMMISSION: Final = re.compile(
    r" ?less (?:(?:the|your|our|my|a|an|one|two|five|ten) [a-z]|[0-9]|commission|tax|fees?)"
)
# "20 less than last year" compares, "20 less than that" is an offer.
_LESS_THAN_ELSE: Final = re.compile(
    r" ?[a-z]+ than (?!(?:that|this|it|what|the (?:list|asking|price|rate)|your|you|list|asking|now|today)\b)"
)
_MORE_OR_LESS: Final = re.compile(r" ?more or less")
_APART_FROM: Final = re.compile(r" ?apart from\b")
_DIFFERENCES: Final = word_set("apart difference short between")
_COMPARING: Final = word_set("under below above over beneath beyond behind past")
_COMPARED: Final = re.compile(
    r" ?[a-z]+ (?:a|an|the|my|our|your|his|her|their|its|you|him|them|us|me|it|that|this|what|last|list|asking|market|"
    r"cost|plan|budget|target|[a-z]+(?:'s)? [a-z]+)\b"
)
_DIFFERENCE_BEFORE: Final = re.compile(
    r"\b(?:gap|difference|distance|spread|margin|apart)(?: of| is| was| between us| by| about| only| just| still)*"
    r" ?[¥$€£]? ?$"
)
# "10% off 380": the figure is what something is taken off.
_OFF_FIGURE: Final = re.compile(r"(?:[0-9%]|percent|per cent|[a-z]*(?:teen|ty)|ten|five|what) off ?[¥$€£]? ?$")
_BASE_AFTER: Final = re.compile(
    r" ?(?:off|from|below|under|less than|on|of) (?:(?:the|your|our|its|my) )?"
    r"(?:(?P<list>(?:current |public |published "
    r"|standard |normal |regular |full |original |selling )?(?:list(?:ed)?|rack|public|published|displayed|original|"
    r"asking|selling|bar|price|rate)\b)|(?P<that>that|this|it|what you|last|offer|quote|figure)\b)"
)
_CHINESE_BASE: Final = re.compile(
    "(?P<list>原价|挂牌价?|门市价|现价|卖价|售价)|(?P<that>这个价|刚才|您说的|你说的|报价)"
)
_PAST_OFF: Final = re.compile(
    r"\b(?:took|went|gave|came|dropped|lowered|knocked|shaved|already|had|last (?:year|time|month))\b"
)
_LESS_OVERALL: Final = re.compile(r" ?(?:less|cheaper|lower)\b")
_MORE_OFF: Final = re.compile(r" ?more off\b")
_VAGUE: Final = word_set("few couple several of many")
_FOLD_DIGITS: Final = dict(zip("一二三四五六七八九", "123456789", strict=True))
_ALSO: Final = re.compile(r" ?,? ?(?:or|nor|-|~) ?(?:even )?")
_AND: Final = re.compile(r" ?(?:and|&) ?(?:my |your |our |the )?")
_NIGHT_OFF: Final = re.compile(r" (?:a|per|each) night off\b")
_SINGULAR: Final = re.compile(r"(?: ?is\b|'s\b| ?isn't\b| ?was\b| [a-z]+s\b)")
_PERCENT_WORDS: Final = re.compile(r" ?(?:%|percent\b|per cent\b|pct\b)")
_BAI_FEN_ZHI: Final = "百分之"
_CHINESE_OFF: Final = re.compile(r"(?:便宜|优惠|少收?|减|让利?|降价?|立减|扣)(?:个|了|掉|您|你)?[¥$]? ?$")


def _currency_before(last: str, number: Number, low: str) -> tuple[int, str] | None:
    """Where the currency before the figure starts, and its code; None without one."""
    sign = last[-1]
    if sign in "$¥€£":
        at = low.rindex(sign, 0, number.start)
        for width in (2, 1):  # "us$", "s$"
            code = CURRENCIES.get(last[-1 - width :]) if sign == "$" and len(last) > width else None
            if code is not None:
                return at - width, code
        return at, CURRENCIES[sign]
    attached = low[number.start - 1] != " " and last[-3:] in _ATTACHED_CODES
    word = last[-3:] if attached else last
    if word in CURRENCIES and (attached or word in _CODES_BEFORE):
        return low.rindex(word, 0, number.start), CURRENCIES[word]
    return None


_ATTACHED_CODES: Final = word_set("rmb cny usd eur gbp hkd sgd jpy")
_CODES_BEFORE: Final = _ATTACHED_CODES | word_set("us$ hk$ yuan krw twd thb aud cad chf renminbi")


def _is_difference(low: str, number: Number, before: list[str], head: str, following: str, end: int) -> bool:
    """Whether the figure is how far two prices lie apart: "20 apart", "three yuan under the neighbour"."""
    if following in _DIFFERENCES:
        return not _APART_FROM.match(low, end)
    if following in _COMPARING and (number.value < 100 or end > number.end) and _COMPARED.match(low, end):
        return True
    return not _HEAD_DIFFERENCES.isdisjoint(before) and _DIFFERENCE_BEFORE.search(head) is not None


_HEAD_DIFFERENCES: Final = word_set("gap difference distance spread margin apart")


def _change(low: str, number: Number, head: str, before: list[str], following: str, end: int) -> PriceKind | None:
    """AMOUNT, or AMOUNT_OFF where the figure is a reduction, or None where it is a raise or a difference."""
    if following == "off":
        return _AMOUNT if _OFF_HANDS.match(low, end) else _AMOUNT_OFF
    if following in ("a", "per", "each") and _NIGHT_OFF.match(low, end):
        return _AMOUNT_OFF
    if following in _LESS:
        if _LESS_THAN_ELSE.match(low, end):
            return None
        return _AMOUNT if _LESS_COMMISSION.match(low, end) else _AMOUNT_OFF
    if following in _MORE and not _MORE_OR_LESS.match(low, end):
        return _AMOUNT_OFF if _MORE_OFF.match(low, end) else None
    if _is_difference(low, number, before, head, following, end):
        return None
    if following == "down" and (end > number.end or number.value < 100):
        return _AMOUNT_OFF
    if (before and before[-1].rstrip("$¥€£") in _NO_CHANGE) or OFF_WORDS.isdisjoint(before):
        if low.isascii() or not _CHINESE_OFF.search(head):
            return _AMOUNT
        return _AMOUNT_OFF
    if OFF_BEFORE.search(head):
        return _AMOUNT_OFF
    return None if UP_BEFORE.search(head) else _AMOUNT


def _classify(low: str, number: Number) -> _Figure | None:
    """Kind, span and currency of a number that is a price, None for any other number."""
    start, end, value = number.start, number.end, number.value
    head = low[start - 48 if start > 48 else 0 : start]
    before = head.split()
    match = AFTER.match(low, end)
    if match is None:  # AFTER can match the empty string; this only satisfies the type checker
        return None
    gap, currency, joint, following = match.groups()
    if currency is None and (following == "%" or following in ("percent", "pct", "per")):
        percent = _PERCENT_WORDS.match(low, end)
        if percent:
            off = is_percent_off(low, number, percent.end(), head)
            return _Figure(_PERCENT_OFF, start, percent.end()) if off else None
    if head.endswith(_BAI_FEN_ZHI):
        off = is_percent_off(low, number, end, head[: -len(_BAI_FEN_ZHI)])
        return _Figure(_PERCENT_OFF, start - len(_BAI_FEN_ZHI), end) if off else None
    sign = _currency_before(before[-1], number, low) if before else None
    money = currency is not None or sign is not None
    if following in EXCHANGED or not 0 < value < 1e7 or is_exchanged(before) or is_share(low, number, head):
        return None
    if currency is not None and currency.startswith("pound") and "weigh" in head:
        return None
    said = match.end(2) if currency else end
    kind = _change(low, number, head, before, following, said)
    if kind is None:
        return None
    counted = following in CHINESE_COUNTERS and not ((gap and value >= 100) or low.startswith("成不成", end))
    if number.spelled == "zh" or counted:
        if not (number.spelled == "zh" and is_chinese_price(low, number, money)):
            return None
    elif (number.shape == "bare" and before and before[-1] in _VAGUE) or (
        not (money or (kind is _AMOUNT_OFF and following == "more"))
        and is_no_price(low, number, before, " " if gap else joint, following, kind is _AMOUNT_OFF)
    ):  # "a few hundred"
        return None
    code = CURRENCIES[currency] if currency is not None else sign[1] if sign is not None else ""
    return _Figure(kind, start if sign is None else sign[0], said, code)


def _settle_ranges(low: str, numbers: list[Number], read: list[_Figure | None]) -> bool:
    """Let "2 or 3 rooms" and "May 12-15" fall together, in place. Returns whether any values were compared."""
    compared = False
    places = range(len(numbers) - 1)
    for i in (*places, *reversed(places)):  # backwards too: "14-16 and 20-23 April"
        left, right = numbers[i], numbers[i + 1]
        if right.start - left.end > 9:
            continue
        if low[left.end : right.start] == "-" and len(left.shape) == 3 and len(right.shape) == 4:
            compared = True
            if right.value > 2 * left.value:  # 555-3838 is a phone number, 900-1100 a range
                read[i] = read[i + 1] = None
            continue
        if right.value <= 31 and is_day_range(low, left, right):
            read[i] = read[i + 1] = None
        if (read[i] is None) == (read[i + 1] is None):
            continue
        if not links(low, left.end, right.start):
            continue
        compared = True
        if read[i + 1] is None and left.value <= right.value:
            read[i] = None
        elif read[i] is None and right.value <= 31 and left.value < right.value:
            read[i + 1] = None
    return compared


_NUMBER_WORDS: Final = word_set(
    "hundred thousand grand ten eleven twelve oh zero nought one two three four five six seven eight nine"
)


def _may_have_number_words(low: str) -> bool:
    """Cheap test that lets most text without an English number word pass by."""
    if "ty" in low or "teen" in low or "hundred" in low or "thousand" in low or "grand" in low or "twelve" in low:
        return True
    return not _NUMBER_WORDS.isdisjoint(low.replace("-", " ").split()) or " ten" in low or "eleven" in low


def _base_of(low: str, start: int, end: int) -> str:
    """What a reduction is taken off: "list", "that" or ""."""
    match = _BASE_AFTER.match(low, end)
    if match is None and not low.isascii():
        match = _CHINESE_BASE.search(low, max(0, start - 12), start)
    return (match.lastgroup or "") if match is not None else ""


def _phrases(low: str, chinese: bool) -> list[Price]:
    """Prices said without an own figure: midpoints, "half off", and Chinese folds (八五折)."""
    hints = find_hints(low)

    def refused(match: re.Match[str]) -> bool:
        return read_stance(low, *match.span(), hints).refused

    found = [
        Price(PriceKind.MIDPOINT, 0.0, None, refused(match), False, *match.span()) for match in _MIDPOINT.finditer(low)
    ]
    for match in _HALF_OFF.finditer(low):
        found.append(Price(_PERCENT_OFF, 50.0, None, refused(match), False, *match.span()))
    if chinese:
        for match in _FOLD.finditer(low):
            figures = [_FOLD_DIGITS.get(part, part) for part in match.groups() if part]
            kept = float("".join(figures)) * (10 if len(figures) == 1 else 1)
            start, end = match.span()
            base = _base_of(low, start, end)
            found.append(Price(_PERCENT_OFF, 100 - kept, None, refused(match), False, start, end, base=base))
    return found


def _figures(text: str, low: str, digits: bool, words: bool, chinese: bool) -> tuple[list[Price], bool]:
    """Prices said with a figure, and whether numbers were compared with one another to tell."""
    numbers = find_numbers(low, digits, words, chinese)[:_MOST_NUMBERS]
    if not numbers:
        return [], False
    read = [_classify(low, number) for number in numbers]
    compared = len(numbers) > 1 and (None in read or "-" in low or any(number.value <= 31 for number in numbers))
    if compared:
        compared = _settle_ranges(low, numbers, read)
    hints = find_hints(low)
    middle = _MIDPOINT.search(low) is not None if "mid" in low or "half" in low else False
    rivals = Rivals(text) if text != low else None
    found: list[Price] = []
    last_end = 0
    for number, item in zip(numbers, read, strict=True):
        if item is None:
            continue
        kind, start, end, currency = item
        if start < last_end:
            continue
        refused, cited, before, after = read_stance(low, start, end, hints)
        if not refused and found and found[-1].negated:  # "I can't do 380 or 390"
            refused = _ALSO.fullmatch(low, last_end, start) is not None
        net: bool | None = None
        base = ""
        total = hints.total and is_total(before, after)
        if kind is _AMOUNT:
            net = is_net(low, end, before) if hints.net else None
            cited = cited or is_derived(before) or ("off" in before and _OFF_FIGURE.search(before) is not None)
            cited = cited or (rivals is not None and rivals.own(start))
            if middle and not cited:
                cited = is_end_of_middle(before) or (
                    bool(found) and found[-1].reported and _AND.fullmatch(low, last_end, start) is not None
                )
        else:
            base = _base_of(low, start, end)
            cited = kind is _AMOUNT_OFF and (
                (total and _LESS_OVERALL.match(after) is not None) or _PAST_OFF.search(before) is not None
            )
        found.append(Price(kind, number.value, net, refused, cited, start, end, total, currency, base))
        if refused and len(found) > 1 and _AND.fullmatch(low, last_end, start) and not _SINGULAR.match(low, end):
            first = found[-2]
            if not low[: first.start].strip(" ¥$") or low[: first.start].rstrip(" ¥$")[-1] in ",.:;，。：；":
                found[-2] = first._replace(negated=True)  # "500 and 520 won't do"
        last_end = end
    return found, compared


def cut_sentences(text: str) -> list[str]:
    """Cut a text at the spaces between sentences; they are read one by one."""
    return _BETWEEN_SENTENCES.split(text)


def find_prices(text: str) -> tuple[Price, ...]:
    """The prices said in `text`, in the order of the text.

    Only the first `MAX_CHARS` characters are read. No string raises an error.
    """
    found: list[Price] = []
    at = 0
    for sentence in cut_sentences(text[:MAX_CHARS]):
        found += [p._replace(start=p.start + at, end=p.end + at) for p in read_prices(sentence)[0]]
        at += len(sentence) + 1
    return tuple(found)


def read_prices(sentence: str) -> tuple[tuple[Price, ...], bool]:
    """The prices said in one sentence, and whether that depended on which of its numbers is larger."""
    low = lower(sentence)
    digits = _HAS_DIGIT.search(low) is not None
    words = _may_have_number_words(low)
    chinese = not low.isascii() and _CHINESE_HINT.search(low) is not None
    phrases = chinese or "mid" in low or "split" in low or "half" in low
    if not (digits or words or phrases):
        return (), False
    found, compared = _figures(sentence, low, digits, words, chinese)
    if phrases:
        found += _phrases(low, chinese)
        found.sort(key=lambda price: price.start)
    return tuple(found), compared
