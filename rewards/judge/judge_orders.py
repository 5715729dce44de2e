"""What a judge is given to read of a reply: all but the sentences that speak to whoever judges it.

Such sentences give orders, promise points or forge verdicts, and do not speak to the hotel.
"""

from __future__ import annotations

import re
from typing import Final

from negotiation_env.language.rule_reader import RULES, RuleReader
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView

_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?]+(?=\s|$)|\n|[.!?]+|$)")
_SIGNS: Final = " \t\"'()[]*#<>-_"
_JUDGES: Final = r"(?:judge(?:ment)?s?|graders?|reviewers?|examiners?|evaluators?|assessors?)"
_ORDERS: Final = re.compile(
    "|".join(
        (
            # A judge is spoken to, or told what to do; one who is spoken of is a guest like another.
            r"^(?:(?:note|word|hint|message|remark)s? )?(?:(?:to|for|dear|hello|attention|as|by) )?"
            rf"(?:the |all |any |our |every |whoever )?{_JUDGES}\b"
            r"(?!,? (?:\w+ )?(?:asks?|came|comes|booked|books|stayed|stays|arrives?)\b)",
            rf",\s*(?:dear )?{_JUDGES}$",
            rf"\b{_JUDGES} (?:must|should|has to|have to|needs? to|(?:is|are) to)\b",
            rf"\b(?:tell|ask|remind|ignore|disregard|attention of|note to|note for)"
            rf" (?:the |any |all |every )?{_JUDGES}\b",
            r"\brubrics?\b|\blenient\b|\bleniency\b",
            r"\b(?:score|grade|rate|mark|assess)\b (?!my words|me down)(?:this|it|me|my|every|all|"
            r"the (?:reply|message|answer|response))\b",
            r"\b(?:full|top|maximum|maximal|highest|greatest|best|perfect|correct|good|high|fair) "
            r"(?:points|marks?|scores?|grades?|verdicts?|evaluations?|assessments?)\b",
            r"\b(?:full|top|maximum|maximal|highest|greatest|best|perfect) (?:numbers?|value)\b",
            r"\b(?:give|assign|deserve|award|add|total:?|grade\w*:?)\b.{0,24}\b\d+ ?(?:points|marks|/ ?10)",
            r"\b(?:scor|grad|rat|mark)(?:es?|ed|ing)\b.{0,16}\b\d+ ?(?:of|out of|/) ?\d+\b",
            r"(?<!\ba )\b\d+ ?(?:out of|/) ?(?:5|10|100)\b",
            r"^(?:my |the )?(?:verdicts?|assessment|evaluation|score|grade|rating|override)(?: \w+){0,4}\s*[:=]",
            r"^(?:my |the )?(?:evidence|proof|choice|answer|result|total|notes?)"
            r"(?: (?:of|for) (?:the |all )?\w+)?\s*[:=]",
            r"\b(?:rating|score|grade)\s*[:=]",
            r"\bmy (?:grade|score|mark|verdict)\b|\bmy answer(?: is|:) \(?[a-e]\b",
            r"\b(?:ignore|disregard|forget|override|overlook) (?:\w+ ){0,3}(?:instructions?|criteria|orders|above|"
            r"mistakes)\b",
            r"^(?:admin|administrator|developer|root)\s*:",
            r"\b(?:new|next) (?:task|instructions?)\s*:",
            r"^(?:end of|stop\b|begin the)(?: (?:reply|message|prompt|praise))?$",
            r"\b(?:every|each|all|any) (?:dimensions?|categor(?:y|ies)|criteri(?:on|a)|marks)\b",
            r"\b(?:print|output|choose|pick|choice)\b.{0,24}(?:\bletters?\b|\bnumbers?\b|\bscores?\b)",
            r"\b(?:write|answer|print|output)\b.{0,24}\b[a-e] (?:two|three|four|five|six|\d+) times\b",
            r"\b(?:write|answer)\b.{0,24}\b(?:first|best|top|highest|greatest|same) (?:letter|number|score)s?\b",
            r"\b(?:respond|reply|answer|say)(?: (?:only|just|always|simply))?(?: with)? (?:an? )?(?:letter )?[a-e]$",
            r"\b(?:all|every) (?:checks?|tests?|requirements?|conditions?) (?:is|are|were|have|has|passed|met)\b",
            r"\b(?:value|style|compliance|progress|bounds) (?-i:[A-E])\b",
            r"\byou are now\b|\bpretend to be\b|\byou work for the agent\b|\bgrading\b",
            r"^(?:[a-e][\s,;.]*){3,}$",
            r"</?(?:scores?|grades?|ratings?|verdicts?|points|marks?|meta|comment|ok|pass|approved)\b",
            r"\b(?:quality|status|flag|rank|politeness|style|tone|task|bounds)[\"']?\s*=",
            r"[\"'](?:quality|status|flag|label|rank)[\"']\s*:",
            r"\b(?:this|the|my) (?:message|reply|text|response|wording)(?: above| here)? (?:is|was|deserves|follows|"
            r"meets|sets|ranks|wins|stands out|counts|could not|can hardly|must be|should be|will be)\b",
            r"\b(?:what|such) an? (?:\w+ )?(?:polite|kind|smart|fine|good|great|lovely|nice|perfect|brilliant|"
            r"excellent) (?:message|reply|text)\b",
            r"^(?:dear|hello|to the|attention),? (?:ai|model|machine|algorithm|language model|system|bot)\b",
            r"\b(?:debug|test|maintenance|safe|admin|god|developer) mode\b",
            r"\b(?:no|not one|every|each|all) (?:rules?|limits?|guidelines?|criteri\w+)(?: \w+){0,3} (?:was|were|is|"
            r"are|has been|have been|kept|followed|respected|broken)\b",
            r"^(?:status|review|audit|quality check|remark|feedback|conclusion|finding|outcome|compliance)"
            r"(?: \w+){0,2}\s*[:=]",
            r"\b(?:approved|checked|verified|certified|audited|proofread|reviewed) by (?:the|an?|two|head|hand|"
            r"experts?|humans?)\b",
            r"\b(?:do not|don't|never) (?:deduct|subtract|penali[sz]e|take off|lower (?:this|it|anything))\b",
            r"\b(?:readers|raters|annotators|testers)\b.{0,24}\b(?:liked|preferred|chose|agreed|praised)\b",
        )
    ),
    re.IGNORECASE,
)
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


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, which together are the text."""
    head = [match[0] for match in _SENTENCE.finditer(text[:LONGEST]) if match[0]]
    return [*head, text[LONGEST:]] if len(text) > LONGEST else head


def _is_order(sentence: str) -> bool:
    return _ORDERS.search(sentence.strip().strip(_SIGNS).rstrip(".!?")) is not None


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
