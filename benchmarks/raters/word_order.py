"""Does the word order hold together? Pairs of English function words that cannot stand side by side.

A sentence whose words are shuffled puts articles before prepositions, modal verbs at the end, currencies away from
their figures. Counting such pairs needs no dictionary and no language model; it is blind to anything subtler.
"""

from __future__ import annotations

from typing import Final

from benchmarks.raters.wordlists import Sentence

_WORDS: Final = {
    "article": "the a an your our my their its every",
    "preposition": "of for with from into at by about around in on to between during per",
    "modal": "can could will would shall should might must",  # without "may", which is mostly the month here
    "subject": "i we he she they",
    "object": "us me him them",
    "joining": "and or but because if than",
    "finite": "is are was were am has have had do does did",
    "short": "i'm we're we'll i'll we'd i'd you're it's that's let's there's here's",
    "asking": "what which how why who",
    "money": "yuan rmb cny",
    "bare": "go come give take say tell accept agree confirm settle",
    "not": "not",
    "please": "please",
    "be": "be",
    "you": "you",
    "it": "it",
}
"""Kinds of function words."""
_FOLLOWERS: Final = {
    "article": "article preposition modal subject object joining finite short not please be you it bare asking",
    "preposition": "modal subject finite joining short please",
    "modal": "modal preposition joining short asking",
    "subject": "article number subject object short you it be asking",
    "short": "modal subject short finite joining you",
    "be": "modal be subject short bare",
    "not": "modal short",
    "object": "modal subject finite short",
    "number": "number article object asking",
    "finite": "modal short",
}
"""What cannot follow a word of a kind."""
_KIND: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_CLASHES: Final = frozenset((one, other) for one, others in _FOLLOWERS.items() for other in others.split())
_PAUSES: Final = frozenset(",;:()")
_ARTICLES, _MODALS = frozenset(_WORDS["article"].split()), frozenset(_WORDS["modal"].split())
_GREETINGS: Final = frozenset(["hello", "hi"])
_NO_LAST: Final = (
    _ARTICLES
    | _MODALS
    | frozenset(f"{_WORDS['joining']} {_WORDS['short']} {_WORDS['subject']} of into per very be , ; : (".split())
)
"""What ends no sentence."""
_NO_LAST_OF_STATEMENT: Final = frozenset(["from", "at", "between", "brings", "gives", "lifts", "has"])
_COPULA: Final = frozenset(["is", "are", "am", "was", "were"])
_NO_FIRST: Final = frozenset(["of", "than", "yuan", "into", "me", "us", "them", "be", "per"])
_AROUND: Final = frozenset(["about", "around", "between", "by"])
_THIRD_PERSON: Final = frozenset(["brings", "gives", "lifts", "has"])
_NOT_AFTER_SUBJECT: Final = frozenset(["of", "for", "by", "into", "with"])
_DOUBLED: Final = frozenset(["had", "that", "very", "bye", "win"])
_OWN_IS: Final = frozenset(["what's", "who's", "where's", "how's", "he's", "she's", *_WORDS["short"].split()])
"""Where 's stands for "is" and not for an owner."""
_AN_ANYWAY: Final = ("hour", "honest", "honour", "heir", "rmb", "x-", "sms")
_A_ANYWAY: Final = ("uni", "use", "usu", "one", "once", "eu", "ubiq", "utili")


def clashes(sentence: Sentence) -> list[str]:
    """Return the impossible pairs of a sentence, each as its two words ("the of"); empty if the order holds.

    "^" stands for the sentence's beginning, "$" for its end.
    """
    words = sentence.tokens
    if len(words) < 3:
        return []
    found = _edges(words, sentence)
    before, before_kind = "", ""
    for place, word in enumerate(words):
        if word in _PAUSES:
            if before in _ARTICLES or before in _MODALS:
                found.append(f"{before} {word}")
            before, before_kind = "", ""
            continue
        kind = _KIND.get(word) or ("number" if word[0].isdigit() else "")
        if before and (_clash(before, before_kind, word, kind, place) or _lone_money(words, place, kind)):
            found.append(f"{before} {word}")
        before, before_kind = word, kind
    return found


def _edges(words: tuple[str, ...], sentence: Sentence) -> list[str]:
    """Words that begin or end no sentence."""
    first, last = words[0], words[-1]
    found = []
    if (first in _NO_FIRST and words[1] != "course") or (
        not sentence.question and (first in _COPULA or first in _MODALS)
    ):
        found.append(f"^ {first}")
    if not sentence.stopped or (sentence.question and last in ("i", "we", "they")):
        return found  # "Shall we?" is a sentence
    hangs = last in _COPULA and words[-2] not in ("it", "that", "this", "there")
    if last in _NO_LAST or hangs or (last in _NO_LAST_OF_STATEMENT and not sentence.question):
        found.append(f"{last} $")
    return found


def _clash(before: str, before_kind: str, word: str, kind: str, place: int) -> bool:
    """Whether two neighbours cannot stand side by side. ``place``: position of the second one."""
    if before == word and len(word) > 1 and not word[0].isdigit() and word not in _DOUBLED:
        return True
    if before_kind == "preposition" and kind == "preposition":
        return word not in _AROUND and before not in ("on", "in", "by")
    if word in _GREETINGS or (before == "more" and kind == "article"):
        return True
    if before.endswith("'s") and before not in _OWN_IS:
        ends = ("finite", "preposition", "article", "modal", "object", "subject", "joining")
        return kind in ends or word in ("this", "there")
    if (before_kind, kind) in _CLASHES:
        return not _fine_anyway(before, word)
    if before == "is" and word == "you":
        return place > 2
    if before_kind == "subject" and word in _NOT_AFTER_SUBJECT:
        return True
    if before_kind == "modal" and kind == "finite":
        return word not in ("have", "do")
    if before_kind == "preposition" and before != "to" and kind == "bare":
        return True
    if before_kind == "article" and word in _THIRD_PERSON:
        return True
    return before in ("a", "an") and word.isalpha() and _wrong_article(before, word)


def _fine_anyway(before: str, word: str) -> bool:
    """The few clashing pairs that do occur: "it's" without its apostrophe, "to do", "400 a night", dates."""
    if before == "its" and word in ("not", "a", "the"):
        return True
    if before == "to" and word in ("do", "have"):
        return True
    if before[0].isdigit() and (word in ("a", "per") or before[-1] == "%"):
        return True
    return before[0].isdigit() and word[0].isdigit() and (len(before) <= 2 or len(word) == 4)


def _lone_money(words: tuple[str, ...], place: int, kind: str) -> bool:
    """Whether a currency stands apart from any figure."""
    if kind != "money":
        return False
    near = (words[place - 1], words[place + 1] if place + 1 < len(words) else "")
    return not any(n[:1].isdigit() for n in near) and near[0] not in ("in", "of", "per", "few", "some", "any")


def _wrong_article(article: str, word: str) -> bool:
    """Whether it should be the other indefinite article."""
    vowel = word[0] in "aeiou"
    if article == "a":
        return vowel and not word.startswith(_A_ANYWAY)
    return not vowel and not word.startswith(_AN_ANYWAY)
