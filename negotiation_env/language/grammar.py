"""The closed classes of English that tell who does what in a clause, and whether a clause asks.

Word lists only of what the language has few of: pronouns, auxiliaries, determiners, question words. What phrases mean
in a negotiation stands in ``lexicon.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

Person: TypeAlias = Literal["i", "you", "they", "it", ""]
"""Who a clause is about: the speaker's side, the other side, somebody else, a thing, nobody named."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FIRST: Final = _words(
    "i we i'll i'd i'm i've we'll we'd we're we've let's lets im ive ill lemme us me myself ourselves our my mine"
)
_FIRST_SUBJECTS: Final = _words("i we i'll i'd i'm i've we'll we'd we're we've let's lets im ive lemme")
_SECOND: Final = _words("you you'll you'd you're you've u youre youd youll ya y'all")
_THIRD: Final = _words(
    "he she they he'll she'll they'll he'd she'd they'd he's she's they're they've nobody everybody everyone someone "
    "somebody boss manager director owner lead chief supervisor colleague colleagues wife husband father mother son "
    "daughter brother sister uncle aunt accountant landlord customer customers people others"
)
_THINGS: Final = _words("it that this it's that's it'll that'll it'd that'd these those which there there's thats")
_SUBJECTS: Final[dict[str, Person]] = {
    **dict.fromkeys(_THINGS, "it"),
    **dict.fromkeys(_THIRD, "they"),
    **dict.fromkeys(_SECOND, "you"),
    **dict.fromkeys(_FIRST_SUBJECTS, "i"),
}
_CHINESE_SUBJECTS: Final[dict[str, Person]] = {
    "我": "i", "咱": "i", "您": "you", "你": "you", "他": "they", "她": "they", "这": "it", "那": "",
}  # fmt: skip
AUXILIARIES: Final = _words(
    "am is are was were be been being do does did have has had can could will would shall should may might must can't "
    "cannot couldn't won't wouldn't shan't shouldn't don't doesn't didn't isn't aren't wasn't weren't haven't hasn't "
    "hadn't mustn't ain't"
)
_VERBS: Final = _words(
    "asks charges sells lists costs leaves gives makes sits lies means needs beats keeps pays goes gets wants says "
    "puts brings covers buys nets runs takes hits tells shows sounds looks seems feels comes came went said got "
    "leaving giving making meaning paying"
)
"""Verbs of prices in the third person: with a noun before them they make a clause of a bare figure."""
_AFTER_INVERSION: Final = _words(
    "do be take have go not see confirm accept agree work try say live make sign book put never also just"
)
"""Words that show that the auxiliary before them opens no question: "can do", "will be"."""
_QUESTION_WORDS: Final = _words("what which how why when where who whose what's how's who's where's whats")
_DECLARATIVE_AFTER: Final = _words("i we you he she they it i'm we're i'd we'd i'll we'll matters")
_OPENERS: Final = _words(
    "so and but well then or ok okay hmm hm oh ah er uh um right now good fine yes no please also still just maybe "
    "perhaps alright great"
)
FILLERS: Final = _words(
    "so and but well then or hmm hm mm oh ah er uh um right now please also still just too really very much indeed "
    "thank thanks you your mr mrs ms miss dr sir madam dear boss my friend folks all it is that a the to me us for "
    "with by on from this as here there quite ha haha actually honestly truly i we do am are be at of again already "
    "today tonight night per each pls plz thx ta cheers lol okay ok"
)
"""Words that add nothing to a yes or no."""
TITLES: Final = _words("mr mrs ms miss dr sir madam dear boss uncle auntie aunt brother sister")
DETERMINERS: Final = _words("the a an your my our his her their its this that these those such any some one's")


def person_of(tokens: Sequence[str]) -> Person:
    """Return who a clause is about: its first pronoun, or noun for people; "let me" and "as manager I" mean oneself."""
    for i, token in enumerate(tokens):
        person = _SUBJECTS.get(token)
        if person == "they" and "as" in tokens[max(0, i - 3) : i]:
            continue
        if token == "let" and tokens[i + 1 : i + 2] in (["me"], ["us"]):
            return "i"
        if person is None and token > "\u2e80":
            person = _CHINESE_SUBJECTS.get(token)
        if person:
            return person
    return ""


def is_verbal(tokens: Sequence[str], person: Person) -> bool:
    """Whether a clause has a subject or a verb of its own, so that it is more than a figure with its circumstances."""
    if person:
        return True
    return not AUXILIARIES.isdisjoint(tokens) or not _VERBS.isdisjoint(tokens[1:])


def opens_question(tokens: Sequence[str], start: int, end: int) -> bool:
    """Whether ``tokens[start:end]`` begins like a question: "could you", "would 309", "how about", "which"."""
    while start < end and tokens[start] in _OPENERS:
        start += 1
    if start + 1 >= end:
        return False
    first, second = tokens[start], tokens[start + 1]
    if (first in AUXILIARIES and first not in ("be", "been", "being", "do", "don't", "have")) or first in (
        "do",
        "have",
    ):
        if first in ("do", "have", "don't"):
            return second in _SECOND or second in ("we", "i", "they")
        return second not in _AFTER_INVERSION
    if first in _QUESTION_WORDS:
        return second not in _DECLARATIVE_AFTER
    return False


def asks_without_mark(tokens: Sequence[str], start: int, end: int) -> bool:
    """Whether a clause is a question even where no question mark is written."""
    while start < end and tokens[start] in _OPENERS:
        start += 1
    if start + 1 >= end:
        return False
    first, second = tokens[start], tokens[start + 1]
    if first in ("how", "what") and second == "about":
        return True
    return first in ("can", "could", "would", "will", "are", "do", "shall", "couldn't", "wouldn't", "can't") and (
        (second in ("you", "u", "we", "i") and first not in ("will",)) or second in _SECOND
    )


def a_not_a(tokens: Sequence[str]) -> int:
    """Return where a Chinese A-not-A question ("行不行", "可不可以", "有没有") stands, -1 if there is none."""
    if "不" not in tokens and "没" not in tokens:
        return -1
    for i in range(1, len(tokens) - 1):
        if tokens[i] in ("不", "没") and tokens[i - 1] == tokens[i + 1] and tokens[i - 1] > "\u2e80":
            return i - 1
    return -1
