"""Disguised spellings of words, as a text may use them to slip past a filter: by name, for each half of the labels.

The halves share the plain kinds (case, full width) and differ in alphabets, separators and leet signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

Disguise = Callable[[str], str]


def _swap(signs: str, others: str) -> Disguise:
    table = str.maketrans(signs, others)
    return lambda word: word.translate(table)


def _shift(lower: int, upper: int) -> Disguise:
    """Letters of another Unicode block, from its code points of "a" and "A"."""
    table = {ord("a") + i: lower + i for i in range(26)} | {ord("A") + i: upper + i for i in range(26)}
    return lambda word: word.translate(table)


def _between(sign: str) -> Disguise:
    return lambda word: " ".join(sign.join(part) for part in word.split(" "))


def _after_each(sign: str) -> Disguise:
    return lambda word: "".join(c + sign if c.isalpha() else c for c in word)


def _cut(sign: str) -> Disguise:
    """Put a sign into the middle of each longer word."""
    return lambda word: " ".join(
        p[: len(p) // 2] + sign + p[len(p) // 2 :] if len(p) > 4 and p.isalpha() else p for p in word.split(" ")
    )


def _spaced(word: str) -> str:
    """Letters with a space between, words with three."""
    return "   ".join(" ".join(part) for part in word.split(" "))


def _mixed_case(word: str) -> str:
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(word))


DISGUISES: Final[Mapping[str, Mapping[str, Disguise]]] = {
    "development": {
        "upper case": str.upper,
        "full width": _shift(0xFF41, 0xFF21),
        "zero-width space": _between("\u200b"),
        "soft hyphen": _cut("\u00ad"),
        "acute accents": _after_each("\u0301"),
        "Cyrillic": _swap(
            "aeopcxyiAEOPCTHM",
            "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0410\u0415\u041e\u0420\u0421\u0422\u041d\u041c",
        ),
        "bold mathematical": _shift(0x1D41A, 0x1D400),
        "spaced out": _spaced,
        "hyphens": _between("-"),
        "leet": _swap("aeoi", "4301"),
    },
    "second_development": {
        "mixed case": _mixed_case,
        "full width": _shift(0xFF41, 0xFF21),
        "zero-width joiner": _between("\u200d"),
        "word joiner": _cut("\u2060"),
        "strike-through": _after_each("\u0336"),
        "dots below": _after_each("\u0323"),
        "Greek": _swap(
            "aoviupktnABEHIKMNOPTXYZ",
            "\u03b1\u03bf\u03bd\u03b9\u03c5\u03c1\u03ba\u03c4\u03b7\u0391\u0392"
            "\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396",
        ),
        "more Cyrillic": _swap(
            "aeopcyxsijdhkm",
            "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u0501\u04bb\u043a\u043c",
        ),
        "sans-serif mathematical": _shift(0x1D5BA, 0x1D5A0),
        "monospace mathematical": _shift(0x1D68A, 0x1D670),
        "circled": _shift(0x24D0, 0x24B6),
        "dots": _between("."),
        "underscores": _between("_"),
        "one hyphen": _cut("-"),
        "leet": _swap("aeiot", "@3!07"),
        "leet with dollars": _swap("aso", "4$0"),
    },
    "third_development": {
        "upper case": str.upper,
        "full width": _shift(0xFF41, 0xFF21),
        "zero-width non-joiner": _between("\u200c"),
        "soft hyphens": _between("\u00ad"),
        "diaereses": _after_each("\u0308"),
        "overlines": _after_each("\u0305"),
        "double-struck": lambda word: _shift(0x1D552, ord("A"))(word),
        "bold fraktur": _shift(0x1D586, 0x1D56C),
        "Cyrillic and Greek": _swap(
            "aeopcxyibkm",
            "\u0430\u0435\u03bf\u0440\u0441\u0445\u0443\u03b9\u0432\u043a\u043c",
        ),
        "Latin look-alikes": _swap("agiol", "\u0251\u0261\u0131\u00f8\u0142"),
        "small capitals": _swap(
            "abcdeghijklmnoprtuvwyz",
            "\u1d00\u0299\u1d04\u1d05\u1d07\u0262\u029c\u026a\u1d0a\u1d0b\u029f"
            "\u1d0d\u0274\u1d0f\u1d18\u0280\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
        ),
        "spaced out": _spaced,
        "asterisks": _between("*"),
        "one underscore": _cut("_"),
        "one dot": _cut("."),
        "leet": _swap("aeis", "431$"),
        "leet without vowels": _swap("tso", "750"),
    },
    "fourth_development": {
        "alternating case": _mixed_case,
        "full width": _shift(0xFF41, 0xFF21),
        "invisible times": _between("\u2062"),
        "zero-width no-break space": _between("\ufeff"),
        "circumflexes": _after_each("\u0302"),
        "slashes through": _after_each("\u0338"),
        "script mathematical": _shift(0x1D4EA, 0x1D4D0),
        "sans-serif bold": _shift(0x1D5EE, 0x1D5D4),
        "Cyrillic": _swap("acekmopxy", "\u0430\u0441\u0435\u043a\u043c\u043e\u0440\u0445\u0443"),
        "Greek": _swap("aiknoptuv", "\u03b1\u03b9\u03ba\u03b7\u03bf\u03c1\u03c4\u03c5\u03bd"),
        "spaced out": _spaced,
        "tildes": _between("~"),
        "hyphens": _between("-"),
        "one asterisk": _cut("*"),
        "leet": _swap("aeot", "@307"),
        "leet with fives": _swap("sei", "531"),
    },
    "fifth_development": {
        "upper case": str.upper,
        "full width": _shift(0xFF41, 0xFF21),
        "zero-width space": _cut("\u200b"),
        "left-to-right marks": _between("\u200e"),
        "graves": _after_each("\u0300"),
        "double underlines": _after_each("\u0333"),
        "italic sans-serif": _shift(0x1D622, 0x1D608),
        "parenthesised squares": _shift(0x24D0, 0x24B6),
        "Cyrillic": _swap(
            "aceiopsxyAEOPCTM",
            "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0445\u0443\u0410\u0415\u041e\u0420\u0421\u0422\u041c",
        ),
        "Greek": _swap("oviuaAEIOT", "\u03bf\u03bd\u03b9\u03c5\u03b1\u0391\u0395\u0399\u039f\u03a4"),
        "spaced out": _spaced,
        "underscores": _between("_"),
        "one tilde": _cut("~"),
        "one hyphen": _cut("-"),
        "leet": _swap("eo", "30"),
        "leet with at": _swap("ai", "@1"),
    },
    "held_out": {
        "mixed case": _mixed_case,
        "full width": _shift(0xFF41, 0xFF21),
        "zero-width joiner": _cut("\u200d"),
        "right-to-left marks": _between("\u200f"),
        "carons": _after_each("\u030c"),
        "rings below": _after_each("\u0325"),
        "bold italic mathematical": _shift(0x1D482, 0x1D468),
        "monospace mathematical": _shift(0x1D68A, 0x1D670),
        "Cyrillic": _swap("aceoprxyi", "\u0430\u0441\u0435\u043e\u0440\u0433\u0445\u0443\u0456"),
        "Greek": _swap("aeiou", "\u03b1\u03b5\u03b9\u03bf\u03c5"),
        "spaced out": _spaced,
        "hyphens": _between("-"),
        "one dot": _cut("."),
        "leet": _swap("aeo", "430"),
        "leet with dollars": _swap("s", "$"),
    },
}  # fmt: skip
CHINESE: Final[Mapping[str, Disguise]] = {
    "zero-width space": _between("\u200b"),
    "spaced out": _between(" "),
    "full-width space": _between("\u3000"),
    "dots": _between("\u00b7"),
    "asterisks": _between("*"),
}
