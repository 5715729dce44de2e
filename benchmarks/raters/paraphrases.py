"""The same reply in other words: another draw of the phrase book, and light edits that change no meaning.

A paraphrase must leave the ratings where they are. Each is a pure function of a good reply, its situation and a
generator, and returns None where it does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from benchmarks.raters.degradations import Good
from negotiation_env.acts import Act
from negotiation_env.errors import UsageError
from negotiation_env.understanding import understand
from negotiation_env.wording import agent_phrase_book, word

Edit = Callable[[Good, np.random.Generator], str | None]
_SHORT: Final = (
    ("I am ", "I'm "), ("We will ", "We'll "), ("It is ", "It's "), ("That is ", "That's "), ("What is ", "What's "),
    ("we are ", "we're "), ("We are ", "We're "), ("I will ", "I'll "), ("cannot ", "can't "), ("Let us ", "Let's "),
    ("I would ", "I'd "), ("We would ", "We'd "), ("You are ", "You're "), ("do not ", "don't "),
)  # fmt: skip
_POLITE: Final = (
    ("Could you ", "Would you be able to "), ("could you ", "could you please "), ("Could you ", "Could you please "),
    ("Thank you", "Many thanks"), ("Thanks", "Thank you"), ("Hello", "Good day"), ("Hi,", "Hello,"),
    ("Good morning", "Hello"),
)  # fmt: skip


class Paraphrase(NamedTuple):
    """A way to say the same."""

    name: str
    what: str
    apply: Edit


def reworded(good: Good, rng: np.random.Generator) -> str | None:
    """Word the same acts anew from the phrase book; None unless the new words mean the very same."""
    acts = [a for a in good.record.acts if a.kind is not Act.OFF_TOPIC]
    if not acts:
        return None
    try:
        text = word(acts, good.now.card, good.context, agent_phrase_book(), int(rng.integers(1 << 53)), good.now.number)
    except UsageError:  # an act that the phrase book has no words for, as an agreement without a figure
        return None
    return text if understand(text, good.context).acts == good.record.acts and text != good.record.text else None


def _swapped(good: Good, pairs: tuple[tuple[str, str], ...], rng: np.random.Generator) -> str | None:
    """Swap one wording of a list for its twin, if that changes no meaning."""
    text = good.record.text
    fits = [(old, new) for old, new in pairs if old in text]
    if not fits:
        return None
    old, new = fits[int(rng.integers(len(fits)))]
    changed = text.replace(old, new, 1)
    return changed if understand(changed, good.context).acts == good.record.acts else None


def contracted(good: Good, rng: np.random.Generator) -> str | None:
    """Contract one pair of words, or expand one."""
    return _swapped(good, _SHORT + tuple((new, old) for old, new in _SHORT), rng)


def politer(good: Good, rng: np.random.Generator) -> str | None:
    """Swap one polite form for another."""
    return _swapped(good, _POLITE, rng)


def repunctuated(good: Good, rng: np.random.Generator) -> str | None:
    """Change punctuation: a dash or semicolon between sentences, or commas for a colon."""
    text = good.record.text
    options = []
    if ". " in text:
        place = text.index(". ")
        rest = text[place + 2 :]
        low = rest if rest[:2] in ("I ", "I'") or rest.split(" ")[0].isupper() else rest[:1].lower() + rest[1:]
        options.append(f"{text[:place]}; {low}")
    if ": " in text:
        options.append(text.replace(": ", ", ", 1))
    if re.search(r"\byuan\b", text):
        options.append(re.sub(r"(\d[\d,]*) yuan\b", r"¥\1", text, count=1))
    fits = [o for o in options if o != text and understand(o, good.context).acts == good.record.acts]
    return fits[int(rng.integers(len(fits)))] if fits else None


PARAPHRASES: Final = (
    Paraphrase("reworded", "the same acts in other phrases", reworded),
    Paraphrase("contracted", "I am / I'm and the like", contracted),
    Paraphrase("other polite form", "could you / would you be able to and the like", politer),
    Paraphrase("other punctuation", "semicolon for full stop, ¥ for yuan", repunctuated),
)
"""Every paraphrase."""
