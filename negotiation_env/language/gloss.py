"""A word-by-word English gloss of Chinese messages, for an encoder that reads English.

Numbers, dates, discounts and counted things are rewritten by rules (``numerals`` reads the numerals), everything else
is looked up word by word, the longest entry of ``chinese.toml`` first. The order of words stays Chinese, figures and
words in Latin letters stay in place, characters that no entry knows are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.files import read_toml
from negotiation_env.language.numerals import find_chinese_numerals

CHINESE_PATH: Final = Path(__file__).with_name("chinese.toml")
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
_HAS_HAN: Final = re.compile(f"[{_HAN}]")

# Signs and names

_FULL_WIDTH: Final = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SIGNS: Final = str.maketrans(
    {chr(code): sign for code, sign in _FULL_WIDTH.items()}
    | {sign: f"{_FULL_WIDTH[ord(sign)]} " for sign in "，；：！？"}
    | {"。": ". ", "、": ", ", "￥": "¥", "“": '"', "”": '"', "「": '"', "」": '"', "《": '"', "》": '"'}
    | {"【": "[", "】": "]", "\u3000": " ", "…": "...", "—": " - ", "〇": "零"}
)
_PAUSE: Final = re.compile(f"(?<=[{_HAN}]) +(?=[{_HAN}])")
_TIGHT: Final = re.compile(f"(?<=[{_HAN}])([,;:!?.]{{1,8}})|([,;:!?.]{{1,8}})(?=[{_HAN}])")
_SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪"
    "田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙段雷钱汤尹黎易常武乔贺赖龚樊严霍佘葛纪缪庞佟翟骆岑裴鲁尧温"
)
_NAMED: Final = re.compile(
    f"[小老阿]?[{_SURNAMES}](?=总(?![共是价额部算之监体])|叔|伯|婶|姨|哥|姐|嬢|经理|店长|师傅|先生|女士|小姐|老板|主任|总监)"
    f"|(?<=平台)[{_HAN}]{{0,3}}小[{_HAN}]|[小老](?=[{_SURNAMES}](?:[{_HAN}]|\\W|$))(?![高常方金白])[{_SURNAMES}]"
)

# Numbers

_RUN: Final = re.compile("[零一二两三四五六七八九十百千万]{1,13}")
_TWO: Final = re.compile("(?=一两|[两二]三|三四|四五|五六|六七|七八|八九)(.)(.)(?=[天晚个间家位次年人])")
_AGAIN: Final = re.compile(r"([看想谈试碰聊问算比划查说等听改])一\1")
_DAYS: Final = {
    "一": "Monday", "二": "Tuesday", "三": "Wednesday", "四": "Thursday", "五": "Friday", "六": "Saturday",
    "日": "Sunday", "天": "Sunday",
}  # fmt: skip
_WHICH: Final = {"上": "last", "下": "next", "本": "this", "这": "this", "每": "every"}
_WEEKDAY: Final = re.compile("([上下本这每])个?(?:周|星期|礼拜)([一二三四五六日天])(?![十百千页张次天晚间个份条封])")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_PARTS: Final = {
    "底": "end of", "初": "early", "头": "early", "中": "mid", "上旬": "early", "中旬": "mid", "下旬": "late",
}  # fmt: skip
_MEASURES: Final = {
    "晚": "night", "夜": "night", "间": "room", "天": "day", "年": "year", "周": "week", "个月": "month",
    "个星期": "week", "个礼拜": "week", "个小时": "hour", "小时": "hour", "个钟头": "hour", "分钟": "minute",
    "秒": "second", "个人": "person", "人": "person", "位": "guest", "次": "time", "趟": "time", "回": "time",
    "遍": "time", "倍": "time", "单": "booking", "页": "page", "条": "item", "项": "item", "件": "item", "种": "kind",
    "步": "step", "星": "star", "楼": "floor", "层": "floor", "家": "hotel", "句": "word", "通": "call",
    "个房型": "room type", "个工单": "ticket", "行": "line", "张": "", "份": "", "个": "", "套": "", "封": "",
}  # fmt: skip
"""Measure words and what is counted with them; an empty one is left out."""
_COUNTED: Final = "|".join(sorted(_MEASURES, key=len, reverse=True))
_FIGURE: Final = r"(?<![0-9])(?<![0-9][.,])[0-9]{1,9}(?:[.,][0-9]{1,3}){0,3}"


def _ordinal(number: str) -> str:
    ending = "th" if number[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
    return f"{number}{ending}"


def _date(match: re.Match[str]) -> str:
    month, part, day = int(match[1]), match[2], match[3]
    if not 1 <= month <= 12:
        return match[0]
    name = _MONTHS[month - 1]
    return f" {int(day)} {name} " if day else f" {_PARTS[part]} {name} " if part else f" {name} "


def _percent_off(match: re.Match[str]) -> str:
    """Return what is taken off: 九折 leaves nine tenths of a price, 八五折 leaves 85%."""
    left = float(match[1])
    off = 0.0 if left == 10.0 else 100.0 - left * (1.0 if len(match[1]) == 2 else 10.0)
    return f" {off:g}% off " if off else " full price "


def _scaled(match: re.Match[str]) -> str:
    scale = {"百": 100, "千": 1000, "万": 10000}[match[2]]
    return f"{float(match[1]) * scale + int(match[3] or 0) * scale / 10:.0f}"


def _day(match: re.Match[str]) -> str:
    return f" the {_ordinal(match[1])} " if 1 <= int(match[1]) <= 31 else match[0]


def _clock(match: re.Match[str]) -> str:
    if int(match[1]) > 24:
        return match[0]
    return f" {match[1]}:30 " if match[2] == "半" else f" {match[1]} o'clock "


def _count(match: re.Match[str]) -> str:
    number, noun = match[1], _MEASURES[match[2]]
    if match[2] in ("晚", "夜") and number == "1":
        return " a night "
    if match[2] == "行" and len(number) > 1:  # 309行: a price that is okay
        return match[0]
    if number != "1" and noun and match[2] != "星":
        noun = "people" if noun == "person" else f"{noun}s"
    return f" {number} {noun} "


def _nth(match: re.Match[str]) -> str:
    noun = "" if match[2] is None else {"单": "ticket", "条": "clause"}.get(match[2], _MEASURES[match[2]])
    return f" {_ordinal(match[1])} {noun} "


_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
_RULES: Final[tuple[_Rule, ...]] = tuple(
    (re.compile(pattern), result)
    for pattern, result in (
        (r"(?<![0-9])(?<![0-9][.,])([0-9]{1,6}(?:\.[0-9]{1,3})?)([百千万])([1-9](?![0-9.]))?", _scaled),
        (rf"(?<![0-9.])([0-9]{{1,6}})块([0-9])(?![0-9.%块元折成倍号月点]|{_COUNTED})[角毛]?", r" \1.\2 yuan "),
        (r"(?<![0-9.])([0-9]{1,5}0)(?:多|几|来(?=[块元人个天家间晚年]))", r" over \1"),
        (rf"[¥￥]\s?({_FIGURE})(?:\s?(?:元|块钱?))?", r" \1 yuan "),
        (rf"({_FIGURE})\s?(?:块钱|块大洋|块(?!儿)|元人民币|元钱|元|圆)", r" \1 yuan "),
        (r"百分之([0-9]+(?:\.[0-9]+)?)", r" \1% "),
        (r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?)(?:个点|个?百分点)", r" \1% "),
        (r"打?个?(?<![0-9.])([0-9]\.[0-9]|[0-9]{1,2})折", _percent_off),
        (r"(?<![0-9.])([0-9])成半", r" \g<1>5% "),
        (r"(?<![0-9.])([1-9])成(?![交功为])", r" \g<1>0% "),
        (r"(?<![0-9])([0-9]{1,2})月(?:份|(底|初|[上中下]旬|中(?!秋)|头)|([0-9]{1,2})(?![0-9.%元块])[号日]?)?", _date),
        (r"(?<![0-9])([1-9])号(?:工单|单)", r" ticket \1 "),
        (rf"第([0-9]{{1,4}})({_COUNTED})?", _nth),
        (r"年?初([0-9]{1,2})(?![0-9])[号日]?", lambda match: f" the {_ordinal(match[1])} of the New Year "),
        (r"(?<![0-9])([0-9]{1,2})[号日]", _day),
        (r"(?<![0-9.])([0-9]{1,2})点(半|钟|整)?", _clock),
        (r"([0-9]{4})年", r" \1 "),
        (r"/ ?(?:每?晚|夜|间夜)", " per night "),
        (r"(?<![0-9])([0-9]+)就\1(?![0-9])", r" \1 it is "),
        (rf"(?<![0-9.])([0-9]+)({_COUNTED})", _count),
        (r"([让降减])(?:个|了)?(?= ?[0-9])", r"\1价 "),
        (r"(?:^|(?<=[\s,.;!?]))中(?=[\s,.;!?]|$|不)", "行"),
        (r"(?:^|(?<=[\s,.;!?]))好(?=[,.;!?]|\s|$)", "好的"),
    )
)


def _rewrite_numbers(text: str) -> str:
    """Return the text with Chinese numerals in digits, save in words of the dictionary (一定, 周一)."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        word = _longest(text, at)
        run = _RUN.match(text, at)
        found = find_chinese_numerals(run[0]) if run else []
        width = found[0].end if found else 0
        if width > 1 and text[at + width - 1] in "一两" and text[at + width : at + width + 1] in tuple("晚间天"):
            found, width = find_chinese_numerals(text[at : at + width - 1]), width - 1  # 四百一晚: 400 for one night
        if found and found[0].start == 0 and len(word) <= width:
            parts.append(" " if at and text[at - 1].isascii() and text[at - 1].isalpha() else "")
            parts.append(" " if parts[-1] == "" and len(parts) > 1 and parts[-2][-1:].isdigit() else "")
            parts.append(f"{found[0].value:.0f}")
            at += width
        else:
            parts.append(word or text[at])
            at += len(word) or 1
    return "".join(parts)


# Words


@cache
def _dictionary() -> tuple[dict[str, str], int]:
    """Return the words of ``chinese.toml``, read once, and the length of the longest."""
    words = read_toml(CHINESE_PATH, dict[str, dict[str, str]])["words"]
    return words, max(map(len, words))


def _longest(text: str, at: int) -> str:
    """Return the longest word of the dictionary that starts at ``at``, "" if none does."""
    words, longest = _dictionary()
    return next((text[at:end] for end in range(min(len(text), at + longest), at, -1) if text[at:end] in words), "")


_A_NOT_A: Final = re.compile(f"([{_HAN}]{{1,2}})[不没](?=\\1)(?<![不没一][不没])")
_CANNOT: Final = re.compile(
    "([动降做给改办写删谈说用走查去报加撑压涨卖接退收过定保签让])不(?:了|得|起|动|到|着|出|上|下来|下)"
)
_OTHER: Final = re.compile(f"[^{_HAN}]+")
_ENDS: Final = re.compile(r"([,.;:!?]{1,8}(?=\s|$)|\n)")
_IF: Final = ("if", "as long as", "unless", "only if", "suppose")
_SUBJECTS: Final = frozenset(("I", "you", "we", "he", "she", "they"))


class _Clause(NamedTuple):
    """A clause in English, and what it is."""

    words: list[str]
    asks: bool
    condition: bool


def _read_clause(clause: str, end: str, condition: bool) -> _Clause:
    """Gloss a clause. ``end``: the signs after it; ``condition``: whether an "if" stands before it."""
    words: list[str] = []
    asks, at, size = False, 0, len(clause.rstrip())
    while at < len(clause):
        other = _OTHER.match(clause, at)
        if other:
            words += other[0].split()
            at = other.end()
            continue
        known = _longest(clause, at)
        doubled, cannot = _A_NOT_A.match(clause, at), _CANNOT.match(clause, at)
        if doubled and len(known) < doubled.end() - at:
            asks, at = True, doubled.end()
            continue
        if cannot and len(known) < cannot.end() - at:
            words.append(f"cannot {_dictionary()[0].get(cannot[1], '')}".strip())
            at = cannot.end()
            continue
        char = known or clause[at]
        last = at + len(char) >= size
        if char == "就":
            words.append("just" if not condition and words[-1:] and words[-1] in _SUBJECTS else "then")
        elif char == "吧":
            words += [] if not last or not words or "?" in end else [", I suggest"]
        elif char == "呢":
            asks = asks or (last and end[:1] not in (",", "."))
        elif last and words and ((char in ("不", "没") and not end) or (char in ("不", "没", "没有") and "?" in end)):
            asks = True  # 方便不?
        elif known:
            english = _dictionary()[0][known]
            asks = asks or english.endswith("?")
            words += [part] if (part := english.removesuffix("?").strip()) else []
        condition = condition or (bool(words) and words[-1].startswith(_IF))
        at += len(char)
    if "的话" in clause and not any(word.startswith(_IF) for word in words):
        words, condition = ["if", *words], True
    return _Clause(words, asks, condition)


_ASKED: Final = re.compile(r"\b(?:I|you|we|he|she|they) (?=(?:is it|are you|do you|is there)\b)")
_CAN: Final = re.compile(r"\b(I|you|we|he|she|they) can (?:we|you)\b")
_TAKES: Final = re.compile(r"\b(I|we|you) ((?:then |just |also )?)I take it")
_SEVERAL: Final = re.compile(r"\b(?:several|a few)\b")
_SPACES: Final = re.compile(r"[ \t]+")
_BEFORE_SIGN: Final = re.compile(r" +(?=[,.;:!?]+(?:\s|$))| (?=%)")
_SIGN_TWICE: Final = re.compile(r"[,;:](?= ?[,.;:!?](?:\s|$))")
_QUOTED: Final = re.compile(r'" ([^"]{1,99}?) "')


def gloss(text: str) -> str:
    """Return a message with its Chinese glossed in English, word by word; any other text is returned as it is."""
    if text.isascii() or not _HAS_HAN.search(text):
        return text
    text = _PAUSE.sub(", ", text).replace("……", "…").translate(_SIGNS)
    text = _TIGHT.sub(lambda match: f"{match[0]} ", text)
    text = _NAMED.sub("", text)
    text = _WEEKDAY.sub(lambda match: f" {_WHICH[match[1]]} {_DAYS[match[2]]} ", text)
    text = _TWO.sub(r" \1 or \2", text)
    text = _rewrite_numbers(_AGAIN.sub(r"\1", text))
    for pattern, result in _RULES:
        text = pattern.sub(result, text)
    parts = _ENDS.split(text)
    out: list[str] = []
    condition = False
    for clause, end in zip(parts[::2], [*parts[1::2], ""], strict=True):
        read = _read_clause(clause, end, condition)
        sign = end if not read.asks or "?" in end else "?" + "\n" * (end == "\n")
        line = _ASKED.sub("", _CAN.sub(r"can \1", _TAKES.sub(r"\1 \2take it", " ".join(read.words))))
        out.append((_SEVERAL.sub("how many", line) if "?" in sign else line) + sign)
        condition = read.condition and end[:1] in (",", ":", "")
    line = _SPACES.sub(" ", " ".join(out))
    line = _SIGN_TWICE.sub("", _BEFORE_SIGN.sub("", line))
    return _QUOTED.sub(r'"\1"', line).replace("\n ", "\n").strip(" ,;")
