"""RJ on a sentence encoder: one pass over case and reply answers every question of the rubric.

Trained by ``negotiate train judge --preset encoder`` (``encoder_judge_training``). It reads what the questions would be
filled in with: rooms, figures and promises of the case, the manager's last message, the agent's before. Target prices
are no part of it, and what a reply says to a judge is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from negotiation_env.errors import DataFileError
from negotiation_env.files import Many, Table, Text, read_json
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.language.encoder_heads import sigmoid
from negotiation_env.play.protocols import ReplyView
from rewards.judge.case_questions import ANSWERED, Scale, cases, filling, heard_text
from rewards.judge.judge_orders import judged_reply, without_orders
from rewards.judge.rubric import Rubric
from rewards.sources import Verdict
from rewards.talk_encoder import TalkEncoder, TalkText, load_talk_encoder, talk_text


class AnsweredQuestions(Table):
    """What a trained encoder answers: the questions' ids, and how likely a yes is for ordinary replies."""

    questions: Many[Text]
    ordinary: Many[Annotated[float, Field(ge=0.0, le=1.0)]]


def case_text(view: ReplyView) -> TalkText:
    """Return what is read of a reply in its case."""
    told = filling(view)
    case = (
        f"rooms: {told['rooms']}. hotel asks {told['quotes']}. agent bids {told['bids']}. agreed: {told['agreed']}. "
        f"may promise: {', '.join(view.card.promises) or 'nothing'}."
    )
    own = without_orders(view.agent_said[-1].text) if view.agent_said else ""
    talk, reply = talk_text(own, heard_text(view), view.text)
    return TalkText(f"{case} {talk}", reply)


class EncoderJudge:
    """E_judge from the encoder.

    Args:
        encoder: the network, with an output, log-odds, for each question.
        answered: the questions.
        rubric: with the same questions; None takes the shipped one.

    Raises:
        DataFileError: if the rubric has other questions.
    """

    def __init__(self, encoder: TalkEncoder, answered: AnsweredQuestions, rubric: Rubric | None = None) -> None:
        self.rubric = Rubric.from_toml() if rubric is None else rubric
        ids = tuple(q.id for q in self.rubric.questions)
        if answered.questions != ids or len(answered.ordinary) != len(ids):
            raise DataFileError(
                f"rubric: expected the questions {answered.questions} that the judge was trained on, got {ids}: "
                "train again, or use an LlmJudge"
            )
        self.encoder, self.answered = encoder, answered
        self._scale = Scale(self.rubric, answered.ordinary)

    @classmethod
    def from_folder(cls, folder: str | Path, rubric: Rubric | None = None) -> EncoderJudge:
        """Load a trained judge; raises ``UsageError`` or ``DataFileError`` where it is none."""
        place = Path(folder)
        return cls(load_talk_encoder(place), read_json(place / ANSWERED, AnsweredQuestions), rubric)

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        """Judge replies in order; each verdict is what the reply gets alone."""
        return [self._scale.verdict(yes) for yes in self.answers(views)]

    def answers(self, views: Sequence[ReplyView]) -> list[list[float | None]]:
        """Return how likely a yes to each question is, 0 to 1; None where the case does not call for it."""
        read = [judged_reply(view) for view in views]
        odds = self.encoder.outputs([case_text(view) for view in read])
        found = []
        for view, row in zip(read, sigmoid(np.clip(odds, -30.0, 30.0)).tolist(), strict=True):
            here = cases(view)
            found.append([yes if q.when in here else None for q, yes in zip(self.rubric.questions, row, strict=True)])
        return found

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> None:
        """Return None: this judge needs the text."""
        return None
