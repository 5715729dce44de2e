"""How likely a message promises what an agency's agent may not give, by its words: a linear model over word pairs.

Lists of favours end where somebody thinks of another one; words that go with giving go on. Trained on the training
authors' messages and drills (``negotiate train promise-words``); the weights are data (``promise_words.json``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from negotiation_env.files import read_json
from negotiation_env.language.word_model import WordModel, words_of

PATH: Final = Path(__file__).with_name("promise_words.json")
FEWEST: Final = 7
"""Words that a message must have: fewer tell too little."""


class PromiseWords(WordModel):
    """The model, and from which score on a message is a promise."""

    threshold: float


@cache
def promise_words() -> PromiseWords:
    """Return the shipped model."""
    return read_json(PATH, PromiseWords)


def sounds_forbidden(text: str) -> bool:
    """Return whether a message sounds like a promise that its writer may not make."""
    said = words_of(text.lower())
    if len(said.tokens) < FEWEST:
        return False
    model = promise_words()
    return model.score(said.grams) >= model.threshold
