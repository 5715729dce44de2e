"""RM as a LoRA adapter, which reads a reply behind its dialogue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from negotiation_env.files import Text, read_json
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.model.reward_scale import RewardScale
from rewards.reply_reader import REWARD, ReplyReader, shipped_folder, shipped_reader


class AdapterRewardModel:
    """R_model from a reward adapter.

    Args:
        reader: reads the texts; the adapter is added to it.
        folder: the adapter, as ``negotiate train rm`` writes it.

    Raises:
        EngineSpecError, DataFileError: where the folder holds no reward adapter of the reader's base.
    """

    def __init__(self, reader: ReplyReader, folder: str | Path) -> None:
        self.scale = RewardScale.load(Path(folder))
        reader.add(REWARD, folder)
        self.reader = reader

    @classmethod
    def from_folder(cls, folder: str | Path) -> AdapterRewardModel:
        """Load an adapter with a reader of its own, on the base that it names."""
        return cls(ReplyReader(base_of(folder)), folder)

    @classmethod
    def shipped(cls) -> AdapterRewardModel:
        """Return the shipped model, loaded once per process; it shares its reader with the shipped judge."""
        return _shipped()

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Score replies in order; None where a reply could not be read."""
        read = self.reader.read(views, REWARD)
        return [None if r.fault is not None else self.scale.reward(r.outputs[0][0]) for r in read]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> None:
        """Return None: this model needs the text."""
        return None


@cache
def _shipped() -> AdapterRewardModel:
    return AdapterRewardModel(shipped_reader(), shipped_folder("rm-small"))


class _AdapterFile(BaseModel):
    base_model_name_or_path: Text


def base_of(folder: str | Path) -> str:
    """Return the name of the base that an adapter folder was trained on; raises ``DataFileError`` where it has none."""
    path = Path(folder) / "adapter_config.json"
    return read_json(path, _AdapterFile, "name a PEFT adapter's folder").base_model_name_or_path
