"""RJ without a language model: a linear scorer of one output per dimension of the rubric, the default judge.

Trained by ``rewards.training.ngram_training`` on the verdicts of a simulated rubric annotator. It is shown neither the
target prices nor anything of the manager's private side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from negotiation_env.errors import DataFileError
from negotiation_env.game.features import FEATURES
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardTerm
from rewards.judge.rubric import Rubric
from rewards.linear import MOST_WORDS, PAIRS, LinearWeights, load_weights, text_marks
from rewards.sources import Verdict

SHIPPED = Path(__file__).parents[1] / "weights" / "judge.npz"


class DistilledJudge:
    """E_judge from linear weights with one output per dimension.

    Args:
        weights: as ``linear.load_weights`` reads them; the outputs are the rubric's dimension ids.
        rubric: gives the titles, and the range of each dimension's points; None takes the shipped one.

    Raises:
        DataFileError: if weights and rubric name different dimensions.
    """

    def __init__(self, weights: LinearWeights, rubric: Rubric | None = None) -> None:
        self.rubric = Rubric.from_toml() if rubric is None else rubric
        ids = tuple(d.id for d in self.rubric.dimensions)
        if weights.outputs != ids:
            raise DataFileError(
                f"rubric: expected the dimensions {weights.outputs} that the judge was trained on, got {ids}: "
                "train again, or use an LlmJudge"
            )
        self.weights = weights
        acts = [tuple(row) for row in weights.acts.tolist()]
        self._bias = tuple(weights.bias.tolist())
        self._acts = tuple((i, row) for i, row in enumerate(acts[: len(FEATURES)]) if any(row))
        self._pairs = tuple((a, b, row) for (a, b), row in zip(PAIRS, acts[len(FEATURES) :], strict=True) if any(row))
        self._words = dict(zip(weights.words, map(tuple, weights.word_weights.tolist()), strict=True))
        self._vocabulary = frozenset(self._words)
        self._ranges = tuple((d.id, d.title, d.low, d.high) for d in self.rubric.dimensions)

    @classmethod
    def from_file(cls, path: str | Path, rubric: Rubric | None = None) -> DistilledJudge:
        """Load weights from an ``.npz`` file; raises ``DataFileError`` where it is not one."""
        return cls(load_weights(Path(path)), rubric)

    @classmethod
    def shipped(cls) -> DistilledJudge:
        """Return the shipped judge, loaded once per process."""
        return _shipped()

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        """Judge replies in order; each verdict is what the reply gets alone."""
        return [self._judge(view) for view in views]

    def _judge(self, view: ReplyView) -> Verdict:
        """Add up the rows of weights that the reply touches, column by column.

        Words come first: their weights lie on a grid and add up exactly, so the order of a set does not matter.
        """
        features = view.features
        said = view.words if len(view.words) <= MOST_WORDS else view.words[:MOST_WORDS]
        rows = [*map(self._words.__getitem__, self._vocabulary.intersection(said)), self._bias]
        rows += [self._words[mark] for mark in text_marks(view) if mark in self._words]
        for place, row in self._acts:
            value = features[place]
            if value:
                rows.append(row if value == 1.0 else tuple([value * w for w in row]))
        for a, b, row in self._pairs:
            value = features[a] * features[b]
            if value:
                rows.append(tuple([value * w for w in row]))
        terms = [
            RewardTerm("judge", name, low if value < low else high if value > high else value, title)
            for (name, title, low, high), value in zip(self._ranges, map(sum, zip(*rows)), strict=True)  # noqa: B905
        ]
        return Verdict(sum([term.points for term in terms]), tuple(terms))

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num:
        """Return total points of moves without text: acts, plus an honest reply's mean share of words."""
        total = lanes.full(features[0], 0.0)
        parts = zip(self.weights.act_parts(features), self.weights.text_mean.tolist(), self._ranges, strict=True)
        for part, words, (_, _, low, high) in parts:
            total = total + lanes.clip(part + words, low, high)
        return total


@cache
def _shipped() -> DistilledJudge:
    return DistilledJudge.from_file(SHIPPED)
