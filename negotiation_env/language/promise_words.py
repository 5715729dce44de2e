"""How likely a message promises what an agency's agent may not give, by its words: a linear model over word pairs.

Lists of favours end where somebody thinks of another one; words that go with giving go on. Trained on the training
authors' messages and drills (``negotiate train promise-words``); the weights are data (``promise_words.json``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from negotiation_env.files import read_json

PATH: Final = Path(__file__).with_name("promise_words.json")
FEWEST: Final = 7
"""Words that a message must have: fewer tell too little."""
_FIGURE: Final = re.compile(r"\d[\d,.]*")
_TOKEN: Final = re.compile(r"[a-z']+|#|[\u4e00-\u9fff]")


class PromiseWords(BaseModel):
    """The model: the sum of a message's weights over the root of their number, and from where on it is a promise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bias: float
    threshold: float
    weights: dict[str, float]
    """By word and by pair of words, "#" for a figure."""


def tokens_of(text: str) -> list[str]:
    """Return a message's words, "#" for a figure."""
    return _TOKEN.findall(_FIGURE.sub("#", text.lower().replace("\u2019", "'")))


def grams(tokens: Sequence[str]) -> set[str]:
    """Return words and pairs of neighbouring words."""
    return {*tokens, *map(" ".join, pairwise(tokens))}


@cache
def promise_words() -> PromiseWords:
    """Return the shipped model."""
    return read_json(PATH, PromiseWords)


def sounds_forbidden(text: str) -> bool:
    """Return whether a message sounds like a promise that its writer may not make."""
    tokens = tokens_of(text)
    if len(tokens) < FEWEST:
        return False
    model, found = promise_words(), grams(tokens)
    weights = model.weights
    score = sum([weights[gram] for gram in found if gram in weights]) / math.sqrt(len(found))
    return score + model.bias >= model.threshold
