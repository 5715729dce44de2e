"""What lower-cased words do not show of a text, as marks that the small linear scorers read like words.

Looks at letters and signs only; cheap, since it runs for every reply.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from negotiation_env.protocols import ReplyView

_LATIN_END: Final = "\u0250"
_LONG: Final = 400
_LABEL: Final = 24
_REMEMBERED: Final = 1024
"""Texts whose marks are remembered."""
_ENDS: Final = frozenset(".?!。？！)")
_CODE: Final = frozenset("*#`{}[]|<>\n")


def text_marks(view: ReplyView) -> list[str]:
    """Return the marks of a reply; none for an honest sentence, as a rule.

    "<capitals>" only capitals; "<signs>" rows of "!" or "?"; "<unfinished>" no full stop at its end; "<foreign>"
    another script; "<code>" signs of markup or code; "<label>" a colon near its beginning; "<long>" over 400
    characters; "<own>" and "<manager's>" what one of both just said, word for word; "<twice>" a word said twice
    in a row.
    """
    text = view.text
    if not text:
        return []
    marks = [*_marks_of(text, view.words)]
    if view.agent_said and view.agent_said[-1].text == text:
        marks.append("<own>")
    if view.manager_said and view.manager_said[-1].text == text:
        marks.append("<manager's>")
    return marks


@lru_cache(maxsize=_REMEMBERED)
def _marks_of(text: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the marks that a text has whatever was said before. Remembered: each scorer asks for a reply's."""
    marks = []
    if text.isupper():
        marks.append("<capitals>")
    if "!!" in text or "??" in text:
        marks.append("<signs>")
    if text[-1] not in _ENDS:
        marks.append("<unfinished>")
    if max(text) >= _LATIN_END and any(c >= _LATIN_END and c.isalpha() for c in text):
        marks.append("<foreign>")
    if not _CODE.isdisjoint(text):
        marks.append("<code>")
    if ":" in text[:_LABEL]:
        marks.append("<label>")
    if len(text) > _LONG:
        marks.append("<long>")
    if any(map(str.__eq__, words, words[1:])):
        marks.append("<twice>")
    return tuple(marks)
