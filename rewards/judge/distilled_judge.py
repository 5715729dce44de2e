"""RJ without a language model: a linear scorer that answers each question of the rubric yes or no, the default judge.

Trained by ``negotiate train judge --preset light`` (``light_training``) on written replies whose authors named their
flaws and acts, and on simulated ones. It reads a reply in its case as ``light_features`` describes it, without target
prices or anything of the manager's private side, and without what the reply says to a judge: what ``judge_orders``
finds, and sentences that sound so to weights of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negotiation_env.errors import DataFileError
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.judge.case_questions import Scale, cases
from rewards.judge.judge_orders import judged_reply, sentences_of, with_text
from rewards.judge.light_features import WIDTH, places, word_places
from rewards.judge.rubric import Rubric
from rewards.linear import INPUTS, LinearWeights, read_arrays
from rewards.sources import Verdict

SHIPPED = Path(__file__).parents[1] / "weights" / "judge.npz"
AIMED_FROM: Final = -1.0
"""Log-odds from which a sentence is taken to be aimed at a judge."""
_ONES: Final = np.ones(WIDTH, dtype=np.float32)
_FLOATS = ("step", "bias", "ordinary", "acts", "acts_bias", "aimed_step")


class LightWeights(NamedTuple):
    """What the light judge has learnt of Q questions.

    Attributes:
        questions: their ids, in the rubric's order.
        weights: in units of ``step``, int8 [WIDTH, Q]; a question's log-odds are the sum over a reply's features.
        step: the unit of each question's weights, [Q].
        bias: log-odds without a feature, [Q].
        ordinary: how likely a yes is for an ordinary reply where the question is asked, [Q]; it is to get 0 points.
        acts: total points by act-level inputs (``linear.INPUTS``) for moves without text, [len(INPUTS)].
        acts_bias: what is added to them, [1].
        aimed: of the words of a sentence by itself, whether it is aimed at a judge, in units of ``aimed_step[0]``, int8
            [WIDTH]; ``aimed_step[1]`` is the log-odds without a word.
    """

    questions: tuple[str, ...]
    weights: NDArray[np.int8]
    step: NDArray[np.float64]
    bias: NDArray[np.float64]
    ordinary: NDArray[np.float64]
    acts: NDArray[np.float64]
    acts_bias: NDArray[np.float64]
    aimed: NDArray[np.int8]
    aimed_step: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write them as an ``.npz`` file, floats as float32."""
        numbers = {name: getattr(self, name).astype(np.float32) for name in _FLOATS}
        np.savez_compressed(
            path,
            allow_pickle=False,
            questions=np.array(self.questions),
            weights=self.weights,
            aimed=self.aimed,
            **numbers,
        )


def load_light(path: Path) -> LightWeights:
    """Read weights that ``LightWeights.save`` wrote.

    Raises:
        DataFileError: if the file is missing, no such archive, or of other shapes.
    """
    arrays = read_arrays(path, {"questions", "weights", "aimed", *_FLOATS})
    asked = tuple(arrays["questions"].tolist())
    shapes = {"weights": (WIDTH, len(asked)), "acts": (len(INPUTS),), "acts_bias": (1,)}
    shapes |= {"aimed": (WIDTH,), "aimed_step": (2,)}
    for name in ("weights", "aimed", *_FLOATS):
        shape = shapes.get(name, (len(asked),))
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise DataFileError(f"{path}: {name}: expected finite numbers of shape {shape}, got {arrays[name].shape}")
    numbers = {name: arrays[name].astype(np.float64) for name in _FLOATS}
    return LightWeights(asked, arrays["weights"].astype(np.int8), aimed=arrays["aimed"].astype(np.int8), **numbers)


class DistilledJudge:
    """E_judge from light weights.

    Args:
        weights: as ``load_light`` reads them.
        rubric: with the questions that the weights answer; its points, limits and wording may be other ones. None takes
            the shipped one.

    Raises:
        DataFileError: if weights and rubric have different questions.
    """

    def __init__(self, weights: LightWeights, rubric: Rubric | None = None) -> None:
        self.rubric = Rubric.from_toml() if rubric is None else rubric
        ids = tuple(q.id for q in self.rubric.questions)
        if weights.questions != ids:
            raise DataFileError(
                f"rubric: expected the questions {weights.questions} that the judge was trained on, got {ids}: "
                "train again, or use an LlmJudge"
            )
        self.weights = weights
        self._scale = Scale(self.rubric, weights.ordinary.tolist())
        self._aimed: list[int] = weights.aimed.tolist()
        self._aimed_step: list[float] = weights.aimed_step.tolist()
        self._whens = tuple(q.when for q in self.rubric.questions)
        acts = weights.acts[:, None]
        none = np.zeros(1)
        self._acts = LinearWeights(
            ("judge",), acts, weights.acts_bias, (), np.zeros((0, 1)), none, none + self.rubric.least,
            none + self.rubric.most,
        )  # fmt: skip

    @classmethod
    def from_file(cls, path: str | Path, rubric: Rubric | None = None) -> DistilledJudge:
        """Load weights from an ``.npz`` file; raises ``DataFileError`` where it is not one."""
        return cls(load_light(Path(path)), rubric)

    @classmethod
    def shipped(cls) -> DistilledJudge:
        """Return the shipped judge, loaded once per process."""
        return _shipped()

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        """Judge replies in order; each verdict is what the reply gets alone."""
        return [self._scale.verdict(yes) for yes in self.answers(views)]

    def answers(self, views: Sequence[ReplyView]) -> list[list[float | None]]:
        """Return how likely a yes to each question is, 0 to 1; None where the case does not call for it."""
        return [self._answers(view) for view in views]

    def _answers(self, view: ReplyView) -> list[float | None]:
        view = self._spoken(judged_reply(view))
        here = cases(view)
        rows = self.weights.weights.take(places(view, here), axis=0)
        # Whole numbers this small add up exactly as float32 too, in whatever order, in a third of the time.
        found = (_ONES[: len(rows)] @ rows.astype(np.float32)).astype(np.float64)
        odds = (found * self.weights.step + self.weights.bias).tolist()
        return [
            1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x)))) if when in here else None
            for x, when in zip(odds, self._whens, strict=True)
        ]

    def _spoken(self, view: ReplyView) -> ReplyView:
        """Return a reply without the sentences that sound as if they were aimed at a judge, unless none is left."""
        parts = sentences_of(view.text)
        if len(parts) < 2:
            return view
        kept = [part for part in parts if not self._is_aimed(part)]
        text = "".join(kept).strip()
        return view if len(kept) == len(parts) or not text else with_text(view, text)

    def _is_aimed(self, sentence: str) -> bool:
        step, bias = self._aimed_step
        points = sum([self._aimed[place] for place in word_places(sentence)])
        return points * step + bias > AIMED_FROM

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num:
        """Return the points of moves without text: what replies that make such moves get on average.

        The features of a move tell how it stands to the confidential target, which the judge of texts is not shown.
        """
        (points,) = self._acts.act_parts(features)
        return lanes.clip(points, self.rubric.least, self.rubric.most)


@cache
def _shipped() -> DistilledJudge:
    return DistilledJudge.from_file(SHIPPED)
