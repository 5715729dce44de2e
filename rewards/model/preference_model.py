"""RM: the default reward model, a Bradley-Terry model (Bradley and Terry 1952) on acts and words.

Linear in the act-level features, a few of their products, the words and word pairs of a shipped vocabulary, and marks
of the text (``text_marks``); trained by ``rewards.training.ngram_training`` on pairs of replies that simulated
annotators compared. Comparisons leave its zero and its unit open: an honest agent's routine reply lies a little below
zero, and the unit is the standard deviation of an honest agent's replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from operator import mul
from pathlib import Path

from negotiation_env.game.features import FEATURES
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.linear import MOST_WORDS, PAIRS, LinearWeights, load_weights, text_marks

ROUTINE_LEVEL = -0.45
"""Mean R_model of an honest agent's routine replies, in units of the standard deviation of its replies, deals included.
Comparisons leave zero and unit open. Ours lie so that talking on costs a little and a deal pays."""
SHIPPED = Path(__file__).parents[1] / "weights" / "preference.npz"


class PreferenceModel:
    """R_model from linear weights with one output.

    Args:
        weights: as ``linear.load_weights`` reads them; the first output is the reward.
    """

    def __init__(self, weights: LinearWeights) -> None:
        self.weights = weights
        acts = weights.acts[:, 0].tolist()
        self._bias = float(weights.bias[0])
        self._acts = tuple(acts[: len(FEATURES)])
        self._pairs = tuple((a, b, w) for (a, b), w in zip(PAIRS, acts[len(FEATURES) :], strict=True) if w)
        values = weights.word_weights[:, 0].tolist()
        self._words: dict[str, float] = {}
        self._word_pairs: dict[tuple[str, ...], float] = {}
        for entry, value in zip(weights.words, values, strict=True):
            if " " in entry:
                self._word_pairs[tuple(entry.split())] = value
            else:
                self._words[entry] = value
        self._vocabulary = frozenset(self._words)
        self._neighbours = frozenset(self._word_pairs)
        self._low, self._high = float(weights.low[0]), float(weights.high[0])

    @classmethod
    def from_file(cls, path: str | Path) -> PreferenceModel:
        """Load weights from an ``.npz`` file; raises ``DataFileError`` where it is not one."""
        return cls(load_weights(Path(path)))

    @classmethod
    def shipped(cls) -> PreferenceModel:
        """Return the shipped model, loaded once per process."""
        return _shipped()

    def score(self, view: ReplyView) -> float:
        """Return R_model of one reply: unbounded, about 0 for a routine reply."""
        features = view.features
        total: float = self._bias + sum(map(mul, features, self._acts))
        for a, b, weight in self._pairs:
            if features[a]:
                total += features[a] * features[b] * weight
        return total + self.text_part(view.words, text_marks(view))

    def text_part(self, words: tuple[str, ...], marks: Sequence[str] = ()) -> float:
        """Return the words' and marks' share of the score, within the weights' limits. Each counts once."""
        if len(words) > MOST_WORDS:
            words = words[:MOST_WORDS]
        # Weights of words lie on a grid and add up exactly, so the order of a set does not matter.
        text = sum(map(self._words.__getitem__, self._vocabulary.intersection(words)))
        text += sum([self._words[mark] for mark in marks if mark in self._words])
        text += sum(map(self._word_pairs.__getitem__, self._neighbours.intersection(pairwise(words))))
        return self._low if text < self._low else self._high if text > self._high else text

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Score replies in order; each score is what ``score`` gives alone."""
        return [self.score(view) for view in views]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num:
        """Return R_model of moves without text: the acts' share plus an honest reply's mean share of words."""
        return self.weights.act_parts(features)[0] + float(self.weights.text_mean[0])


@cache
def _shipped() -> PreferenceModel:
    return PreferenceModel.from_file(SHIPPED)
