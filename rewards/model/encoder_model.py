"""RM on a sentence encoder: a Bradley-Terry model (Bradley and Terry 1952) on the talk's words alone.

Trained by ``rewards.model.encoder_training`` on what annotators who see the chat could tell apart; ``reference`` has
its zero and bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from negotiation_env.files import read_json
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.model.reference import FILE, Reference
from rewards.talk_encoder import TalkEncoder, load_talk_encoder, text_of_view

SHIPPED: Final = Path(__file__).parents[1] / "artifacts" / "rm-encoder"


class EncoderRewardModel:
    """R_model from the encoder.

    Args:
        encoder: the network, with one output.
        reference: of R_model's zero.
    """

    def __init__(self, encoder: TalkEncoder, reference: Reference) -> None:
        self.encoder, self.reference = encoder, reference

    @classmethod
    def from_folder(cls, folder: str | Path) -> EncoderRewardModel:
        """Load a trained model; raises ``UsageError`` or ``DataFileError`` where it is none."""
        place = Path(folder)
        return cls(load_talk_encoder(place), read_json(place / FILE, Reference))

    @classmethod
    def shipped(cls) -> EncoderRewardModel:
        """Return the shipped model, loaded once per process."""
        return _shipped()

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Return R_model of replies in order, each in [-1, 1]."""
        scores = self.encoder.outputs([text_of_view(view) for view in views])[:, 0]
        return [self.reference.bounded(float(s), int(view.stage)) for s, view in zip(scores, views, strict=True)]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> None:
        """Return None: without text there is nothing to score."""


@cache
def _shipped() -> EncoderRewardModel:
    return EncoderRewardModel.from_folder(SHIPPED)
