"""RM: the reward model as a LoRA adapter, which reads a reply behind its dialogue.

Trained by ``negotiate train rm``. Scores are centred and scaled by an honest agent's replies (``reward_scale``), so
they mean what the n-gram model's mean. Needs the text: moves without words it cannot score. A text's score does not
depend on the texts beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from negotiation_env.errors import DataFileError
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.model.preference_model import ROUTINE_LEVEL
from rewards.reply_reader import REWARD, ReplyReader, shipped_folder, shipped_reader

FILE = "reward_scale.json"


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
        (folder / FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> RewardScale:
        """Read the scale beside an adapter; a folder without one keeps raw scores.

        Raises:
            DataFileError: where the file is not one.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            scale = cls(float(table["centre"]), float(table["unit"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(f"{path}: expected the numbers centre and unit, got: {error!r}") from error
        if not (scale.unit > 0.0 and abs(scale.centre) < float("inf")):
            raise DataFileError(f"{path}: expected a finite centre and a unit above 0, got {scale}")
        return scale


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


def base_of(folder: str | Path) -> str:
    """Return the name of the base that an adapter folder was trained on; raises ``DataFileError`` where it has none."""
    path = Path(folder) / "adapter_config.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(
            f"{path}: expected a PEFT adapter's settings with its base's name, got: {error!r}"
        ) from error
    return str(name)
