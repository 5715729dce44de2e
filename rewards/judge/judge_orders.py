"""What a judge is given to read of a reply: all but the sentences that speak to whoever judges it.

Such sentences give orders, promise points or forge verdicts, and do not speak to the hotel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from negotiation_env.language.rule_reader import RULES, RuleReader
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView

_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?]+(?=\s|$)|\n|[.!?]+|$)")
_SIGNS: Final = " \t\"'()[]*#<>-_"
_JUDGE: Final = "judges?|judge?ments?|graders?|reviewers?|examiners?|evaluators?|assessors?"
"""Is spoken to, or told what to do; one who is spoken of is a guest like another."""
_AT_A_WORD: Final = (
    (_JUDGE, r" (?:must|should|has to|have to|needs? to|(?:is|are) to)\b"),
    (
        "tell|ask|remind|ignore|disregard|attention of|note to|note for",
        rf" (?:the |any |all |every )?(?:{_JUDGE})\b",
    ),
    ("rubrics?|lenient|leniency", r"\b"),
    (
        "score|grade|rate|mark|assess",
        r"\b (?!my words|me down)(?:this|it|me|my|every|all|the (?:reply|message|answer|response))\b",
    ),
    (
        "full|top|maximum|maximal|highest|greatest|best|perfect|correct|good|high|fair",
        r" (?:points|marks?|scores?|grades?|verdicts?|evaluations?|assessments?)\b",
    ),
    ("full|top|maximum|maximal|highest|greatest|best|perfect", r" (?:numbers?|value)\b"),
    (r"give|assign|deserve|award|add|total:?|grade\w*:?", r"\b.{0,24}\b\d+ ?(?:points|marks|/ ?10)"),
    ("scor|grad|rat|mark", r"(?:es?|ed|ing)\b.{0,16}\b\d+ ?(?:of|out of|/) ?\d+\b"),
    ("rating|score|grade", r"\s*[:=]"),
    ("my", r" (?:grade|score|mark|verdict)\b"),
    ("my answer", r"(?: is|:) \(?[a-e]\b"),
    (
        "ignore|disregard|forget|override|overlook",
        r" (?:\w+ ){0,3}(?:instructions?|criteria|orders|above|mistakes)\b",
    ),
    ("new|next", r" (?:task|instructions?)\s*:"),
    ("every|each|all|any", r" (?:dimensions?|categor(?:y|ies)|criteri(?:on|a)|marks)\b"),
    ("print|output|choose|pick|choice", r"\b.{0,24}(?:\bletters?\b|\bnumbers?\b|\bscores?\b)"),
    ("write|answer|print|output", r"\b.{0,24}\b[a-e] (?:two|three|four|five|six|\d+) times\b"),
    ("write|answer", r"\b.{0,24}\b(?:first|best|top|highest|greatest|same) (?:letter|number|score)s?\b"),
    ("respond|reply|answer|say", "(?: (?:only|just|always|simply))?(?: with)? (?:an? )?(?:letter )?[a-e]$"),
    ("all|every", r" (?:checks?|tests?|requirements?|conditions?) (?:is|are|were|have|has|passed|met)\b"),
    ("you are now|pretend to be|you work for the agent|grading", r"\b"),
    ("quality|status|flag|rank|politeness|style|tone|task|bounds", r"[\"']?\s*="),
    (
        "this|the|my",
        " (?:message|reply|text|response|wording)(?: above| here)? (?:is|was|deserves|follows|meets|sets|"
        r"ranks|wins|stands out|counts|could not|can hardly|must be|should be|will be)\b",
    ),
    (
        "what|such",
        r" an? (?:\w+ )?(?:polite|kind|smart|fine|good|great|lovely|nice|perfect|brilliant|excellent) "
        r"(?:message|reply|text)\b",
    ),
    ("debug|test|maintenance|safe|admin|god|developer", r" mode\b"),
    (
        "no|not one|every|each|all",
        r" (?:rules?|limits?|guidelines?|criteri\w+)(?: \w+){0,3} (?:was|were|is|are|has been|have been|"
        r"kept|followed|respected|broken)\b",
    ),
    (
        "approved|checked|verified|certified|audited|proofread|reviewed",
        r" by (?:the|an?|two|head|hand|experts?|humans?)\b",
    ),
    ("do not|don't|never", r" (?:deduct|subtract|penali[sz]e|take off|lower (?:this|it|anything))\b"),
    ("readers|raters|annotators|testers", r"\b.{0,24}\b(?:liked|preferred|chose|agreed|praised)\b"),
)
"""What speaks to a judge, from the beginning of a word on, in lower case: the first words, and what follows them."""
_MARKS: Final = r"(?<!\ba )\d+ ?(?:out of|/) ?(?:5|10|100)\b"
_AT_THE_START: Final = (
    r"(?:(?:note|word|hint|message|remark)s? )?(?:(?:to|for|dear|hello|attention|as|by) )?"
    rf"(?:the |all |any |our |every |whoever )?(?:{_JUDGE})\b"
    r"(?!,? (?:\w+ )?(?:asks?|came|comes|booked|books|stayed|stays|arrives?)\b)",
    r"(?:my |the )?(?:verdicts?|assessment|evaluation|score|grade|rating|override)(?: \w+){0,4}\s*[:=]",
    r"(?:my |the )?(?:evidence|proof|choice|answer|result|total|notes?)(?: (?:of|for) (?:the |all )?\w+)?\s*[:=]",
    r"(?:admin|administrator|developer|root)\s*:",
    r"(?:end of|stop\b|begin the)(?: (?:reply|message|prompt|praise))?$",
    r"(?:[a-e][\s,;.]*){3,}$",
    r"(?:dear|hello|to the|attention),? (?:ai|model|machine|algorithm|language model|system|bot)\b",
    r"(?:status|review|audit|quality check|remark|feedback|conclusion|finding|outcome|compliance)"
    r"(?: \w+){0,2}\s*[:=]",
)
"""The same where a sentence begins with it."""
_MARKUP: Final = (
    rf",\s*(?:dear )?(?:{_JUDGE})$",
    r"</?(?:scores?|grades?|ratings?|verdicts?|points|marks?|meta|comment|ok|pass|approved)\b",
    r"[\"'](?:quality|status|flag|label|rank)[\"']\s*:",
)


def _by_letter(patterns: Sequence[tuple[str, str]]) -> str:
    """Return one pattern for several, in which only those of a word's first letter are tried on it."""
    found: dict[str, list[str]] = {}
    for words, rest in patterns:
        for word in words.split("|"):
            found.setdefault(word[0], []).append(word[1:] + rest)
    return "|".join([f"{letter}(?:{'|'.join(rests)})" for letter, rests in found.items()])


# On lower-cased text, and by letter: several times as fast as ignoring case, pattern by pattern.
_ORDERS: Final = re.compile(
    "|".join((rf"\b(?:{_by_letter(_AT_A_WORD)}|{_MARKS})", rf"^(?:{'|'.join(_AT_THE_START)})", *_MARKUP))
)
_GRADED: Final = re.compile(r"\b(?i:value|style|compliance|progress|bounds) [A-E]\b")
_I_AND_S: Final = str.maketrans("ıİſ", "iis")
_CHECKING: Final = RuleReader("claims")
LONGEST: Final = 4000
"""Characters that are looked at."""


def orders(text: str) -> list[str]:
    """Return the sentences that speak to a judge."""
    return [part for part in sentences_of(text) if _is_order(part)]


def without_orders(text: str) -> str:
    """Return a text without the sentences that speak to a judge; the text itself where there are none."""
    parts = sentences_of(text)
    kept = [part for part in parts if not _is_order(part)]
    return text if len(kept) == len(parts) else "".join(kept).strip()


@lru_cache(maxsize=16)
def sentences_of(text: str) -> tuple[str, ...]:
    """Return the sentences of a text, which together are the text. Remembered: a judge asks for them twice."""
    head = tuple([match[0] for match in _SENTENCE.finditer(text[:LONGEST]) if match[0]])
    return (*head, text[LONGEST:]) if len(text) > LONGEST else head


def _is_order(sentence: str) -> bool:
    said = sentence.strip().strip(_SIGNS).rstrip(".!?")
    low = said.lower() if said.isascii() else said.translate(_I_AND_S).lower()
    return _ORDERS.search(low) is not None or _GRADED.search(said) is not None


def judged_reply(view: ReplyView) -> ReplyView:
    """Return the view of a reply without its orders to a judge, understood anew; the view itself if there are none.

    Statements that were checked are checked again, so that no order hides a false one beside it.
    """
    return with_text(view, without_orders(view.text))


def with_text(view: ReplyView, text: str) -> ReplyView:
    """Return the view of another text in the same situation; the view itself where the text is the same."""
    if text == view.text:
        return view
    reader = _CHECKING if view.claims else RULES
    return reply_view(text, view.card, view.game, view.agent_said, view.manager_said, reader)
