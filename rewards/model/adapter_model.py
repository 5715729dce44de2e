"""RM: the reward model as a LoRA adapter, which reads a reply behind its dialogue.

Trained by ``negotiate train rm``. Scores are centred and scaled by an honest agent's replies (``reward_scale``), and so
not bounded as the other models' are. Needs the text: moves without words it cannot score. A text's score does not
depend on the texts beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from negotiation_env.files import Table, Text, read_json, write_json
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.model.act_fit import ROUTINE_LEVEL
from rewards.reply_reader import REWARD, ReplyReader, shipped_folder, shipped_reader

FILE = "reward_scale.json"


class _ScaleFile(Table):
    centre: float
    unit: Annotated[float, Field(gt=0.0)]


@dataclass(frozen=True, slots=True)
class RewardScale:
    """R_model = (score - centre) / unit, ``unit`` > 0."""

    centre: float = 0.0
    unit: float = 1.0

    def reward(self, score: float) -> float:
        """Return R_model of a raw score."""
        return (score - self.centre) / self.unit

    @classmethod
    def fit(cls, scores: Sequence[float], routine: Sequence[bool]) -> RewardScale:
        """Return the scale for raw scores of an honest agent's replies, of which some are routine (no deal)."""
        values = np.asarray(scores, dtype=np.float64)
        unit = float(values.std()) or 1.0
        return cls(float(values[np.asarray(routine)].mean()) - ROUTINE_LEVEL * unit, unit)

    def save(self, folder: Path) -> None:
        """Write the scale beside an adapter."""
        write_json(folder / FILE, asdict(self), indent=None)

    @classmethod
    def load(cls, folder: Path) -> RewardScale:
        """Read the scale beside an adapter; a folder without one keeps raw scores.

        Raises:
            DataFileError: where the file is not one.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        scale = read_json(path, _ScaleFile)
        return cls(scale.centre, scale.unit)


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
