"""Linear models over words and pairs of words, as data: what a message sounds like.

A message's score is the sum of the weights of its words and pairs over the root of their number, plus a bias.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pydantic import BaseModel, ConfigDict

_FIGURE: Final = re.compile(r"\d[\d,.]*")
_TOKEN: Final = re.compile(r"[a-z']+|#|[\u4e00-\u9fff]")


class WordModel(BaseModel):
    """Weights by word and by pair of words ("#" for a figure)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bias: float
    weights: dict[str, float]

    def score(self, found: set[str]) -> float:
        """Return the score of a message with these words and pairs: log-odds."""
        weights = self.weights
        # Exact, so that the order of a set does not matter.
        total = math.fsum(map(weights.__getitem__, found & weights.keys()))
        return total / math.sqrt(max(1, len(found))) + self.bias


def tokens_of(text: str) -> list[str]:
    """Return a message's words, "#" for a figure; one character each for Chinese."""
    return _TOKEN.findall(_FIGURE.sub("#", text.lower().replace("\u2019", "'")))


def grams(tokens: Sequence[str]) -> set[str]:
    """Return words and pairs of neighbouring words."""
    return {*tokens, *map(" ".join, pairwise(tokens))}


def share(log_odds: float) -> float:
    """Return log-odds as a probability."""
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, log_odds))))
