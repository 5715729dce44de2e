"""RJ: the judge as a LoRA adapter, which answers every question of the rubric in one pass over a reply.

Trained by ``negotiate train judge``. Its answers are probabilities of the choices' letters (``judge_form``). A
dimension's points are the choices' points weighted by these probabilities: unlike the likeliest choice alone, that
tells a sure verdict from a narrow one, and a sentence that hardly moves the judge hardly moves the reward. An answer
whose letters together are unlikely is unreadable, and the reply then unscored. No evidence is written: one pass has
no room for it. The letters are all that leaves the model, so nothing of the task card does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardTerm
from rewards.judge.judge_form import LEAST_MASS, check_form
from rewards.judge.rubric import Dimension, Rubric
from rewards.model.adapter_model import base_of
from rewards.reply_reader import JUDGE, ReadReply, ReplyReader, shipped_folder, shipped_reader
from rewards.sources import Verdict


class AdapterJudge:
    """E_judge from a judge adapter.

    Args:
        reader: reads the texts, with the judge's rubric; the adapter is added to it.
        folder: the adapter, as ``negotiate train judge`` writes it.

    Raises:
        EngineSpecError: where the folder holds no judge adapter of the reader's base.
        DataFileError: if the rubric has other dimensions, or other numbers of choices, than the adapter has learnt.
    """

    def __init__(self, reader: ReplyReader, folder: str | Path) -> None:
        check_form(Path(folder), reader.rubric)
        reader.add(JUDGE, folder)
        self.reader = reader
        self.rubric: Rubric = reader.rubric

    @classmethod
    def from_folder(cls, folder: str | Path, rubric: Rubric | None = None) -> AdapterJudge:
        """Load an adapter with a reader of its own, on the base that it names."""
        return cls(ReplyReader(base_of(folder), rubric), folder)

    @classmethod
    def shipped(cls) -> AdapterJudge:
        """Return the shipped judge, loaded once per process; it shares its reader with the shipped reward model."""
        return _shipped()

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        """Judge replies in order. A reply of which one answer is unreadable is unscored, with the fault named."""
        return [self._verdict(outcome) for outcome in self.reader.read(views, JUDGE)]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> None:
        """Return None: this judge needs the text."""
        return None

    def _verdict(self, outcome: ReadReply) -> Verdict:
        if outcome.fault is not None:
            return Verdict(None, fault=outcome.fault)
        terms, faults = [], []
        for slot, (dimension, row) in enumerate(zip(self.rubric.dimensions, outcome.outputs, strict=True)):
            found = _answer(dimension, row[self.reader.form.choices(slot)])
            if isinstance(found, str):
                faults.append(found)
            else:
                terms.append(found)
        if faults:
            return Verdict(None, fault="; ".join(faults))
        return Verdict(sum(t.points for t in terms), tuple(terms))


def _answer(dimension: Dimension, logprobs: Sequence[float]) -> RewardTerm | str:
    """Return a dimension's points and likeliest choice, or why its answer cannot be read."""
    told = [math.exp(x) for x in logprobs]
    mass = sum(told)
    if not mass >= LEAST_MASS:
        return f"{dimension.id}: expected one of its {len(told)} choices, which are only {mass:.2f} likely together"
    points = sum(p * c.points for p, c in zip(told, dimension.choices, strict=True)) / mass
    likeliest = dimension.choices[max(range(len(told)), key=told.__getitem__)]
    return RewardTerm("judge", dimension.id, points, likeliest.text)


@cache
def _shipped() -> AdapterJudge:
    return AdapterJudge(shipped_reader(), shipped_folder("judge-small"))
