"""A PPO agent trained on the numeric environment, playing in text; its network in NumPy, without torch."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, model_validator

from negotiation_env.envs.spaces import OBSERVATION_SIZE, observation
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json, write_json
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import PRICE_LEVELS, acts_of_move, move_of_action
from negotiation_env.play.protocols import AgentView
from policies.bargaining import ActPolicy

Array = npt.NDArray[np.float64]
WEIGHTS = "weights.npz"
ARCHITECTURE = "architecture.json"
FORMAT = 1


@dataclass(frozen=True)
class MultiDiscreteMlp:
    """tanh layers, then one linear head that holds the logits of every action part in a row.

    Attributes:
        layers: (weight [out, in], bias [out]) per layer, the head last.
        action_sizes: number of choices of each part of the action.
        greedy: take each part's likeliest choice; else draw it.
        provenance: how it was trained (preset, seed, steps, versions); free-form, for reports.
    """

    layers: tuple[tuple[Array, Array], ...]
    action_sizes: tuple[int, ...]
    greedy: bool
    provenance: dict[str, Any]

    @property
    def observation_size(self) -> int:
        """Length of the observation that the first layer expects."""
        return int(self.layers[0][0].shape[1])

    def logits(self, observation: Array) -> Array:
        """Return the logits [sum(action_sizes)] for one observation [D]."""
        x = observation
        for weight, bias in self.layers[:-1]:
            x = np.tanh(weight @ x + bias)
        weight, bias = self.layers[-1]
        return weight @ x + bias

    def act(self, observation: Array, seed: int) -> tuple[int, ...]:
        """Return one action, a choice per part; ``seed`` decides it unless the policy is greedy."""
        logits = self.logits(observation)
        action, start = [], 0
        for channel, size in enumerate(self.action_sizes):
            part = logits[start : start + size]
            action.append(int(np.argmax(part)) if self.greedy else _draw(part, seed, channel))
            start += size
        return tuple(action)

    def save(self, folder: Path) -> None:
        """Write both files into ``folder``, making it if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {}
        for i, (weight, bias) in enumerate(self.layers):
            arrays[f"weight_{i}"] = weight.astype(np.float32)
            arrays[f"bias_{i}"] = bias.astype(np.float32)
        np.savez_compressed(folder / WEIGHTS, **arrays)  # type: ignore[arg-type]
        architecture = {
            "format": FORMAT,
            "sha256": _digest(folder / WEIGHTS),
            "layers": [list(weight.shape) for weight, _ in self.layers],
            "activation": "tanh",
            "action_sizes": list(self.action_sizes),
            "greedy": self.greedy,
            "provenance": self.provenance,
        }
        write_json(folder / ARCHITECTURE, architecture, escaped=True)


class _Architecture(BaseModel):
    """What a trained agent's file says of its network."""

    format: Literal[1]
    sha256: str
    layers: Annotated[list[tuple[int, int]], Field(min_length=1)]
    activation: Literal["tanh"]
    action_sizes: tuple[int, ...]
    greedy: bool
    provenance: dict[str, Any] = {}

    @model_validator(mode="after")
    def _head_fits(self) -> _Architecture:
        if sum(self.action_sizes) != self.layers[-1][0]:
            raise ValueError(f"layers: expected a head of {sum(self.action_sizes)} rows, got {self.layers[-1][0]}")
        return self


def load_mlp(folder: Path) -> MultiDiscreteMlp:
    """Read a trained agent.

    Raises:
        DataFileError: if a file is missing, of another format, damaged, or does not fit the other.
    """
    path = folder / ARCHITECTURE
    found = read_json(path, _Architecture, "train or export it again")
    weights, shapes = folder / WEIGHTS, found.layers
    try:
        if _digest(weights) != found.sha256:
            raise DataFileError(f"{weights}: expected the checksum in {ARCHITECTURE}, got another: fetch both again")
        with np.load(weights, allow_pickle=False) as stored:
            layers = tuple(
                (stored[f"weight_{i}"].astype(np.float64), stored[f"bias_{i}"].astype(np.float64))
                for i in range(len(shapes))
            )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(
            f"{weights}: expected arrays for {len(shapes)} layers, got {error!r}: export again"
        ) from error
    if any(
        weight.shape != shape or bias.shape != shape[:1] for (weight, bias), shape in zip(layers, shapes, strict=True)
    ):
        raise DataFileError(f"{weights}: expected arrays of the shapes in {ARCHITECTURE}, got others: export again")
    return MultiDiscreteMlp(layers, found.action_sizes, found.greedy, found.provenance)


def _draw(logits: Array, seed: int, channel: int) -> int:
    weights = np.exp(logits - logits.max())
    edge = FLOATS.draw(seed, 0, channel) * float(weights.sum())
    return min(int(np.searchsorted(np.cumsum(weights), edge, side="right")), len(logits) - 1)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


SHIPPED = Path(__file__).with_name("artifacts") / "sb3-ppo"
ACTION_SIZES = (len(Act), len(Tactic), PRICE_LEVELS)


class Sb3Policy(ActPolicy):
    """A trained Stable-Baselines3 PPO agent.

    Args:
        path: folder that ``negotiate train sb3`` wrote, or "default" for the one that comes
            with the project.

    Raises:
        DataFileError: if the folder holds no agent, or one for another observation or action space.
    """

    name = "sb3"

    def __init__(self, path: str | Path = "default") -> None:
        folder = SHIPPED if path == "default" else Path(path)
        self.network: MultiDiscreteMlp = load_mlp(folder)
        found = (self.network.observation_size, self.network.action_sizes)
        if found != (OBSERVATION_SIZE, ACTION_SIZES):
            raise DataFileError(
                f"{folder}: expected an agent for {OBSERVATION_SIZE} observations and actions {ACTION_SIZES}, "
                f"got {found[0]} and {found[1]}: train it again with this version"
            )

    def action(self, view: AgentView) -> tuple[int, ...]:
        """Return the numeric action (act, tactic, price level) for a view."""
        # The numeric environment hands out float32: round as it does.
        seen = np.array(observation(FLOATS, view.game), dtype=np.float32)
        return self.network.act(seen.astype(np.float64), view.seed)

    def choose(self, view: AgentView) -> tuple[DialogueAct, ...]:
        """Return the acts of the next message."""
        act, tactic, level = self.action(view)
        move = move_of_action(FLOATS, float(act), float(tactic), float(level), view.game)
        return acts_of_move(move, view.card, view.game)
