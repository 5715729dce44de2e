"""A PPO agent trained on the numeric environment, playing in text; its network in NumPy, without torch.

An agent is a folder that ``negotiate train sb3`` wrote, or a zip of Stable-Baselines3's own ``model.save``. Of a zip
the weights and a few lines of JSON are read; the pickles in it are not run, which torch and the ``sb3`` extra are
needed for.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError, model_validator

from negotiation_env.envs.spaces import ACTION_SIZES, OBSERVATION_SIZE, observation
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import read_json, write_json
from negotiation_env.game.acts import DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import acts_of_move, move_of_action
from negotiation_env.play.protocols import AgentView
from negotiation_env.training import optional_module
from policies.bargaining import ActPolicy

Array = npt.NDArray[np.float64]
WEIGHTS = "weights.npz"
ARCHITECTURE = "architecture.json"
FORMAT = 1
Activation = Literal["tanh", "relu"]
_ACTIVATIONS: Final[Mapping[str, Callable[[Array], Array]]] = MappingProxyType(
    {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}
)


@dataclass(frozen=True)
class MultiDiscreteMlp:
    """Hidden layers, then one linear head that holds the logits of every action part in a row.

    Attributes:
        layers: (weight [out, in], bias [out]) per layer, the head last.
        action_sizes: number of choices of each part of the action.
        greedy: take each part's likeliest choice; else draw it.
        provenance: how it was trained (preset, seed, steps, versions); free-form, for reports.
        activation: of the hidden layers, "tanh" or "relu".
    """

    layers: tuple[tuple[Array, Array], ...]
    action_sizes: tuple[int, ...]
    greedy: bool
    provenance: dict[str, Any]
    activation: Activation = "tanh"

    @property
    def observation_size(self) -> int:
        """Length of the observation that the first layer expects."""
        return int(self.layers[0][0].shape[1])

    def logits(self, observation: Array) -> Array:
        """Return the logits [sum(action_sizes)] for one observation [D]."""
        x, bend = observation, _ACTIVATIONS[self.activation]
        for weight, bias in self.layers[:-1]:
            x = bend(weight @ x + bias)
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
            "activation": self.activation,
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
    activation: Activation
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
    return MultiDiscreteMlp(layers, found.action_sizes, found.greedy, found.provenance, found.activation)


HIDDEN: Final = "mlp_extractor.policy_net."
_CRITIC: Final = ("mlp_extractor.value_net.", "value_net.")


def actor_layers(state: Mapping[str, Array]) -> tuple[tuple[Array, Array], ...]:
    """Return the layers of the actor in the state dict of an SB3 ``MlpPolicy``, as arrays; the critic is left behind.

    Raises:
        ValueError: there are other weights too, or none of an actor.
    """
    names = [n.removesuffix(".weight") for n in state if n.startswith(HIDDEN) and n.endswith(".weight")]
    names = [*sorted(names, key=lambda name: int(name.removeprefix(HIDDEN))), "action_net"]
    wanted = {f"{name}.{part}" for name in names for part in ("weight", "bias")}
    actor = {name for name in state if not name.startswith(_CRITIC)}
    if actor != wanted:
        raise ValueError(f"weights {sorted(actor ^ wanted)[:4]} beside or short of an actor's")
    return tuple(
        (state[f"{name}.weight"].astype(np.float64), state[f"{name}.bias"].astype(np.float64)) for name in names
    )


class _Saved(BaseModel):
    """What is read of the settings in an SB3 zip; classes stand there as text beside their pickles."""

    policy_kwargs: dict[str, Any] = {}
    num_timesteps: int = 0
    gamma: float | None = None


def load_sb3_zip(path: Path) -> MultiDiscreteMlp:
    """Read the actor of a zip that ``model.save`` of SB3's PPO or A2C wrote for an ``MlpPolicy``; it plays greedily.

    Only tensors and JSON are read: what is pickled in the file is not run.

    Raises:
        DataFileError: the file is no such zip, or its policy has other parts than layers of tanh or ReLU.
        UsageError: Stable-Baselines3 is not installed.
    """
    reader = optional_module("stable_baselines3.common.save_util", "sb3")
    do = 'save a PPO or A2C with "MlpPolicy", trained on HotelNegotiationStrategy-v0'
    try:
        with zipfile.ZipFile(path) as archive:
            saved = _Saved.model_validate_json(archive.read("data"))
        _, parameters, _ = reader.load_from_zip_file(path, load_data=False, device="cpu")
        state = {name: tensor.detach().numpy() for name, tensor in parameters["policy"].items()}
        layers = actor_layers(state)
    except (OSError, KeyError, ValueError, RuntimeError, UnpicklingError, zipfile.BadZipFile) as error:
        what = "other settings" if isinstance(error, ValidationError) else str(error)
        raise DataFileError(f"{path}: expected a zip of model.save with an MlpPolicy, got {what}: {do}") from error
    activation = _class_name(saved.policy_kwargs.get("activation_fn", "Tanh")).lower()
    extractor = _class_name(saved.policy_kwargs.get("features_extractor_class", "FlattenExtractor"))
    if activation not in get_args(Activation) or extractor != "FlattenExtractor":
        raise DataFileError(
            f"{path}: expected layers of Tanh or ReLU on the plain observation, got {activation} on {extractor}: {do}"
        )
    made = {"algorithm": "Stable-Baselines3", "steps": saved.num_timesteps, "gamma": saved.gamma}
    sizes = ACTION_SIZES if len(layers[-1][1]) == sum(ACTION_SIZES) else (len(layers[-1][1]),)
    return MultiDiscreteMlp(layers, sizes, True, made, "relu" if activation == "relu" else "tanh")


def _class_name(text: object) -> str:
    """Return ``Tanh`` of ``<class 'torch.nn.modules.activation.Tanh'>``."""
    return re.sub(r"^<class '(?:.*\.)?(\w+)'>$", r"\1", str(text))


def _existing(folder: Path) -> Path:
    """Return an agent's folder, or raise ``UsageError`` if nothing is there."""
    if folder.exists():
        return folder
    zipped = folder.with_name(f"{folder.name}.zip")
    hint = f"sb3:{zipped}" if zipped.is_file() else "the folder of negotiate train sb3, or the zip of model.save"
    raise UsageError(f"expected an agent's folder or zip, got {folder}, which does not exist: name {hint}")


def _draw(logits: Array, seed: int, channel: int) -> int:
    weights = np.exp(logits - logits.max())
    edge = FLOATS.draw(seed, 0, channel) * float(weights.sum())
    return min(int(np.searchsorted(np.cumsum(weights), edge, side="right")), len(logits) - 1)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


SHIPPED = Path(__file__).with_name("artifacts") / "sb3-ppo"


class Sb3Policy(ActPolicy):
    """A trained Stable-Baselines3 agent.

    Args:
        path: folder that ``negotiate train sb3`` wrote, zip that SB3's ``model.save`` wrote, or "default" for the agent
            that comes with the project.

    Raises:
        DataFileError: there is no agent at ``path``, or one for another observation or action space.
        UsageError: it is a zip, and Stable-Baselines3 is not installed.
    """

    name = "sb3"

    def __init__(self, path: str | Path = "default") -> None:
        place = SHIPPED if path == "default" else Path(path)
        self.network: MultiDiscreteMlp = load_sb3_zip(place) if place.is_file() else load_mlp(_existing(place))
        found = (self.network.observation_size, self.network.action_sizes)
        if found != (OBSERVATION_SIZE, ACTION_SIZES):
            raise DataFileError(
                f"{place}: expected an agent for {OBSERVATION_SIZE} observations and actions {ACTION_SIZES}, "
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
