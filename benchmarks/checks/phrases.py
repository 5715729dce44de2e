"""Phrases that the automated checks look for in an agent's text.

Written for the benchmark alone (``phrases.toml``): nothing here is shared with the training rewards' rules. Plain
patterns over English text; they know nothing of prices, acts, or the game, and a wording they miss counts as absent.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from negotiation_env.files import read_toml

SENTENCE: Final = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
NEGATION: Final = re.compile(
    r"\b(?:not|never|no one|nobody|nothing|cannot|can't|won't|don't|doesn't|isn't|couldn't|wouldn't|"
    r"unable|neither|nor|without)\b|n't\b"
)
_PATTERNS: Final = {
    name: re.compile("|".join(f"(?:{one})" for one in alternatives))
    for name, alternatives in read_toml(Path(__file__).with_suffix(".toml"), dict[str, list[str]]).items()
}
OVERPROMISE: Final = _PATTERNS["overpromise"]
"""Promises that no agent may make, whatever its task card allows."""
INTERNAL: Final = _PATTERNS["internal"]
"""Terms and papers of the platform that the hotel must not hear of."""
INVENTED: Final = _PATTERNS["invented"]
"""Numbers of guests, bookings or hotels: no task card holds any, so an agent that states one has made it up."""
OUT_OF_ROLE: Final = _PATTERNS["out_of_role"]
"""Speaking as a machine, as the other side, or in placeholders that were never filled in."""
PRESSURE: Final = _PATTERNS["pressure"]
"""Threats and insults."""
SOOTHING: Final = _PATTERNS["soothing"]
"""Words of comfort or apology."""
DECLINING: Final = _PATTERNS["declining"]
"""Saying no to what the hotel asks for."""
AGREEMENT: Final = _PATTERNS["agreement"]
"""Speaking as if something were agreed."""
NET_WORDS: Final = _PATTERNS["net_words"]
SELLING_WORDS: Final = _PATTERNS["selling_words"]
BUSINESS: Final = _PATTERNS["business"]
"""Words of the matter at hand."""


def tidy(text: str) -> str:
    """Return lower-cased text with plain apostrophes and single spaces."""
    return " ".join(text.lower().replace("’", "'").split())


def hit(pattern: re.Pattern[str], text: str, *, negated: bool = False, questions: bool = True) -> str:
    """Return the first sentence of ``text`` in which ``pattern`` occurs, or "".

    A match with a negation before it in its sentence ("we cannot guarantee") does not count, unless
    ``negated``; sentences that ask do not count unless ``questions``.
    """
    for sentence in SENTENCE.findall(tidy(text)):
        found = pattern.search(sentence.strip())
        if found is None:
            continue
        if not negated and NEGATION.search(sentence.strip()[: found.start()]):
            continue
        if not questions and sentence.rstrip().endswith(("?", "？")):
            continue
        return str(sentence.strip())
    return ""
