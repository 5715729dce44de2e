"""A reply's text made ready for rules: disguised spelling undone, words found, and signs told at a glance.

Undone are case, full width and other compatibility forms, invisible signs, combining marks, letters of other alphabets
that look like Latin ones, and, in a second reading of the text, digits for letters ("gu4rantee"), letters set apart ("g
u a r a n t e e") and words cut by signs ("guar-antee").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

LONGEST_READ: Final = 1500
"""Characters that patterns and measurements read; what is longer breaks the rule "unread" at once."""
DIGIT: Final = "0-9"
"""Stands for any digit among a reply's cues."""

ORDINARY_SIGNS: Final = frozenset(" .,?!'-%")
"""Signs of ordinary replies, which are no cues."""

_LONGEST_PLAIN: Final = 1500
"""Characters of both readings of a text with letters set apart."""
_INVISIBLE: Final = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
        *(*range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
        *(*range(0xFE00, 0xFE10), *range(0xE0000, 0xE01F0)),
    ]
)
_MARKS: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_ALPHABETS: Final = (  # letters of other alphabets, and the Latin ones that they look like
    ("аеорсухіјѕԁһӏкмтнвгпԛԝѵьбзя", "aeopcyxijsdhlkmthbrnqwvbbzr"),
    ("АВЕКМНОРСТХУЅІЈԚԜ", "ABEKMHOPCTXYSIJQW"),
    ("αβγδεζηθικλμνοπρςστυφχωϲ", "abydeznoiklmvonpsotuoxwc"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC"),  # noqa: RUF001
    ("օոսհցɑɡıɩøłđħŧØŁĐ", "onuhgagiioldhtOLD"),
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),
    ("‘’ʼ´`“”‐‑‒–—−。", "'''''\"\"------."),  # noqa: RUF001
)
_LOOK_ALIKES: Final = {ord(a): b for foreign, latin in _ALPHABETS for a, b in zip(foreign, latin, strict=True)}
# The agent's rules are in simplified characters; these are the traditional ones of their words.
_SIMPLIFIED: Final = str.maketrans(
    "證擔單價內統諾滿賠償電話號網絕對會訂績標請發給領導", "证担单价内统诺满赔偿电话号网绝对会订绩标请发给领导"
)
_BADGES: Final = {
    first + i: chr(ord("a") + i) for first in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)
}  # letters in black circles and squares, and of flags, which have no compatibility form
_LEET: Final = str.maketrans("4310578@$!|", "aeiostbasil")

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_KINDS: Final = bytes(
    97 if c in _LETTERS else 48 if c in b"0123456789@$|" else 45 if c in b"-_*~" else c for c in range(256)
)
"""Bytes by kind: "a" for letters, "0" for digits and signs used for letters, "-" for signs used to cut words."""
_HINTS: Final = (b"a0", b"0a", b"a-a", b"a.a", b"a!a", b" a a a", b"   ", b"a - a", b"a . a")
_ASCII_TOKENS: Final = bytes(c if chr(c).isalnum() and c < 128 else 32 for c in range(256))
_LATIN_TOKENS: Final = _ASCII_TOKENS[:128] + bytes(range(128, 256))
_NO_CUE: Final = bytes(c for c in range(128) if chr(c).isalnum() or chr(c) in ORDINARY_SIGNS)
_TOKENS: Final = {c: " " for c in range(128) if not chr(c).isalnum()}
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_MIXED: Final = re.compile(
    r"(?<![a-z0-9@$|])(?:[a-z]+[0-9@$|!]|(?![0-9]{3})[0-9@$|]{1,3}[a-z])(?:[a-z0-9@$|]|!(?=[a-z0-9]))*"
)
_SIGN_APART: Final = re.compile(r"\S([~_*.\-])\S(?:\1\S){2,}")
_APART: Final = re.compile(r"(?<![a-z0-9\'])[a-z]([ .\-_*~·+/])[a-z](?![a-z0-9])(?:\1[a-z](?![a-z0-9]))+(?:\1(?= ))?")
_APART_WIDELY: Final = re.compile(r"(?<![a-z0-9\'])[a-z](?: [a-z](?![a-z0-9\']))+")
_FIRST_APART: Final = re.compile(r"(?<![a-z0-9])[ai] [a-z] [a-z](?![a-z0-9])")
_BETWEEN: Final = re.compile(r"[ .\-_*~·+/]+")
_CUT: Final = re.compile(r"(?<=[a-z])[-_.*~](?=[a-z])")
_CUT_CHINESE: Final = re.compile(r"(?<=[\u4e00-\u9fff])[\s.\-_*~·/|]+(?=[\u4e00-\u9fff])")
_SPACES: Final = re.compile(r"[ \t]{2,}")


class Prepared(NamedTuple):
    """A reply made ready for rules.

    Attributes:
        text: lower case, and for text beyond ASCII: compatibility forms, invisible signs and marks undone, and
            look-alike letters as Latin ones; cut to ``LONGEST_READ``.
        plain: ``text`` with leet, letters set apart and words cut by signs undone; ``text`` itself if there are none.
        raw: the reply as written (NFKC, case kept, without yuan signs), cut to ``LONGEST_READ``.
        tokens: runs of letters and digits in ``text``, and those of ``plain`` where it differs.
        ascii: whether the reply is plain ASCII.
        digits: whether ``text`` holds a digit (or, beyond ASCII, may hold a number).
        signs: the signs of ``text`` that may be cues, and its letters beyond ASCII.
    """

    text: str
    plain: str
    raw: str
    tokens: list[str]
    ascii: bool
    digits: bool
    signs: str


def prepare(text: str) -> Prepared:
    """Return a reply ready for rules. Plain ASCII (a yuan sign apart), the common case, takes the short way."""
    raw = text[:LONGEST_READ].replace("¥", "")
    if raw.isascii():
        low = raw.lower()
        data = low.encode("ascii")
        kinds = (b" " + data).translate(_KINDS)
        tokens = data.translate(_ASCII_TOKENS).decode("ascii").split()
        others = data.translate(None, _NO_CUE)
        signs = others.decode("ascii") if others else ""
        digits = b"0" in kinds
        for hint in _HINTS:
            if hint in kinds:
                plain = undisguised(low)
                if plain != low:
                    return Prepared(low, plain, raw, tokens + tokens_of(plain), True, digits, signs)
                break
        return Prepared(low, low, raw, tokens, True, digits, signs)
    low = folded(raw)
    plain = undisguised(low)
    tokens = _ASCII_WORD.findall(low)
    if plain != low:
        tokens += _ASCII_WORD.findall(plain)
    signs = "".join(c for c in {*low, *plain} if c not in ORDINARY_SIGNS and not (c.isascii() and c.isalnum()))
    raw = unicodedata.normalize("NFKC", raw).translate(_INVISIBLE)
    return Prepared(low, plain, raw, tokens, False, True, signs)


def folded(text: str) -> str:
    """Return text beyond ASCII in lower case, its disguised letters as Latin ones."""
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE | _BADGES))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
        text = text.translate(_LOOK_ALIKES).translate(_SIMPLIFIED).lower().translate(_LOOK_ALIKES)
    return text.lower()


def as_latin(word: str) -> str:
    """Return a word with the look-alike letters of other alphabets as Latin ones."""
    return word.translate(_LOOK_ALIKES)


def undisguised(text: str) -> str:
    """Return a lower-cased text with leet, letters set apart and words cut by signs undone.

    Where a lone "a" or "I" may stand before letters set apart ("I a s s u r e"), the text comes in both readings.
    """
    text = _SIGN_APART.sub(lambda m: m[0][::2], text)
    text = _MIXED.sub(_letters_for_digits, text)
    whole = _joined(text, _whole)
    other = _joined(text, _without_first) if _FIRST_APART.search(text) else whole
    return whole if other == whole else f"{whole}\n{other}"[:_LONGEST_PLAIN]


def _joined(text: str, join: Callable[[re.Match[str]], str]) -> str:
    """Return a text with letters set apart joined, and words cut by signs."""
    if "   " in text:
        text = _APART_WIDELY.sub(join, text)
    text = _CUT.sub("", _APART.sub(join, text))
    if not text.isascii():
        text = _CUT_CHINESE.sub("", text)
    return _SPACES.sub(" ", text)


def _whole(match: re.Match[str]) -> str:
    return _BETWEEN.sub("", match[0])


def _without_first(match: re.Match[str]) -> str:
    word = _BETWEEN.sub("", match[0])
    return f"{word[0]} {word[1:]}" if word[0] in "ai" else word


def _letters_for_digits(match: re.Match[str]) -> str:
    return match[0].translate(_LEET)


def tokens_of(text: str) -> list[str]:
    """Return runs of letters and digits of a lower-cased text. Bytes are translated five times as fast as text."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII_TOKENS).decode("ascii").split()
    try:
        return text.encode("latin-1").translate(_LATIN_TOKENS).decode("latin-1").split()
    except UnicodeEncodeError:
        return text.translate(_TOKENS).split()


@lru_cache(maxsize=4096)
def token_set(text: str) -> frozenset[str]:
    """Return a message's tokens (cached: a message is compared with several later ones)."""
    return frozenset(tokens_of(text[:LONGEST_READ].lower()))
