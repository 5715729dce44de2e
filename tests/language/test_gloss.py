"""The English gloss of Chinese messages: figures, questions, negation, conditions, and any text at all."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negotiation_env.files import read_toml
from negotiation_env.language.encoder_input import find_mentions
from negotiation_env.language.gloss import CHINESE_PATH, gloss

CHINESE = "我您不没行可以能好就吧吗呢了的一二三百零九十万块元折晚间月号点成第周如果要是话，。？！、 到净让几多两"
NEGATION = re.compile(r"\b(?:not|no|cannot|never|won't)\b")


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("三百零九", "309"),
        ("六二五", "625"),
        ("两百五", "250"),
        ("2万五", "25000"),
        ("309元", "309 yuan"),
        ("309块", "309 yuan"),
        ("就¥309元吧", "then 309 yuan, I suggest"),
        ("四百二十一块二", "421.2 yuan"),
        ("九折", "10% off"),
        ("打个八五折", "15% off"),
        ("18个点", "18%"),
        ("四成", "40%"),
        ("百分之十五", "15%"),
        ("两晚", "2 nights"),
        ("每晚三百", "per night 300"),
        ("四百一晚", "400 a night"),
        ("两三天", "2 or 3 days"),
        ("10月14日", "14 October"),
        ("三月一号", "1 March"),
        ("10月14号到20号，六晚", "14 October to the 20th, 6 nights"),
        ("5月底", "end of May"),
        ("下周一", "next Monday"),
        ("第二间", "2nd room"),
        ("十点半", "10:30"),
        ("净价三百", "net price 300"),
        ("卖价三百", "selling price 300"),
        ("前台价", "selling price"),
        ("三百多块", "over 300 yuan"),
        ("480就480", "480 it is"),
    ],
)
def test_figures_are_written_as_in_english(text: str, english: str) -> None:
    assert gloss(text) == english


@pytest.mark.parametrize("text", ["一定", "周一", "三亚", "一起", "万一", "十分", "一样", "统一"])
def test_words_with_numerals_are_no_figures(text: str) -> None:
    assert not any(char.isdigit() for char in gloss(text))


@pytest.mark.parametrize(
    "text", ["三百八十五，两间。", "大床二百六十二，行政二百八十五", "312，净281", "一千二百块打包"]
)
def test_the_figures_are_those_of_the_text(text: str) -> None:
    assert [m.value for m in find_mentions(gloss(text))] == [m.value for m in find_mentions(text)]


@pytest.mark.parametrize(
    "text",
    [
        "行不行", "可不可以", "能不能到300", "好不好？", "305中不", "您方便不？", "愿不愿意谈", "有没有空房",
        "成不成，等您回话", "是不是满房了", "同不同意", "吃了没？",
    ],
)  # fmt: skip
def test_a_not_a_asks_and_negates_nothing(text: str) -> None:
    assert "?" in gloss(text)
    assert not NEGATION.search(gloss(text))


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("300行吗？", "300 okay?"),
        ("300可以吗", "300 is it okay?"),
        ("那450呢", "then 450?"),
        ("您能不能给300，两晚", "can you give 300? 2 nights"),
        ("多少钱？", "how much?"),
        ("还有几间？", "also how many rooms?"),
    ],
)
def test_questions_end_in_a_question_mark(text: str, english: str) -> None:
    assert gloss(text) == english


@pytest.mark.parametrize(
    "text",
    ["不行", "不可以", "我不同意", "没答应", "别录", "不能再低", "做不到", "动不了", "看不到", "没有空房", "莫录"],
)
def test_negations_negate(text: str) -> None:
    assert NEGATION.search(gloss(text))
    assert "?" not in gloss(text)


@pytest.mark.parametrize("text", ["不过", "不错", "对不起", "特别好", "别家", "差不多", "不好意思", "非常好"])
def test_words_with_a_negation_inside_negate_nothing(text: str) -> None:
    assert gloss(text)
    assert not NEGATION.search(gloss(text))


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("如果您给300，我就录", "if you give 300, I then enter"),
        ("要是三百二，就定", "if 320, then settle"),
        ("三百六的话，我就收", "if 360, I then take it"),
        ("行就定", "if okay then settle"),
        ("只要含早，300可以", "as long as breakfast included, 300 okay"),
    ],
)
def test_conditions_are_if_and_then(text: str, english: str) -> None:
    assert gloss(text) == english


def test_a_condition_ends_with_its_sentence() -> None:
    assert gloss("如果满房再谈。我就收。").endswith("I just take it.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("旺季展会", ["high season", "trade fair"]),
        ("佣金、曝光、转化率", ["commission", "exposure", "conversion rate"]),
        ("首页横幅", ["homepage", "banner"]),
        ("保证满房", ["guarantee", "full house"]),
        ("节哀顺变", ["condolences"]),
        ("谢谢您，辛苦了", ["thank you"]),
        ("花园景大床、豪华大床、高级双床", ["Garden View Queen", "Deluxe King", "Superior Twin"]),
        ("家庭套房、标大和行政房", ["Family Suite", "Standard Double", "Executive Room"]),
        ("沈总您好，我是平台小许", ["hello", "platform"]),
    ],
)
def test_words_of_the_trade(text: str, words: list[str]) -> None:
    assert all(word in gloss(text) for word in words)


def test_latin_words_and_figures_stay_in_place() -> None:
    assert gloss("King 七四七，net 600 OK。") == "King 747, net 600 OK."
    assert gloss("608, Executive, 关了. And 不睡沙发.") == "608, Executive, close. And not sleep sofa."


@given(st.text(alphabet=st.characters(exclude_categories=["Lo", "Cs"])))
def test_text_without_chinese_is_returned_unchanged(text: str) -> None:
    assert gloss(text) is text


@given(st.text() | st.text(alphabet=CHINESE) | st.text(alphabet=CHINESE + "0123456789.,?¥% abK"))
def test_any_text_has_a_gloss_without_chinese(text: str) -> None:
    english = gloss(text)
    assert not re.search("[\u4e00-\u9fff]", english)
    assert gloss(english) == english


@pytest.mark.parametrize("unit", ["百", "1", "…", "。", "能不", "好 ", "三四天", "就吧", "!"])
def test_long_texts_take_no_long_time(unit: str) -> None:
    start = time.perf_counter()
    gloss("好" + unit * 5000)
    assert time.perf_counter() - start < 2.0


def test_the_dictionary_is_chinese_to_english() -> None:
    words = read_toml(CHINESE_PATH, dict[str, dict[str, str]])["words"]
    assert len(words) >= 900
    assert all(re.fullmatch("[\u4e00-\u9fff]+", word) for word in words)
    assert all(english.isascii() and english == english.strip() for english in words.values())
