"""What the vector environments do alike: lanes, their seeds, and when a lane that has ended is opened anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium.core import ActType, ObsType
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from negotiation_env.envs.arguments import (
    NOT_BEGUN,
    Seed,
    SeedStream,
    at_least_one,
    check_options,
    check_seed,
    seed_stream,
)
from negotiation_env.errors import EpisodeOverError, UsageError, did_you_mean

RESET_MASK: Final = "reset_mask"
LaneSeeds: TypeAlias = Seed | Sequence[Seed | None] | NDArray[np.integer[Any]] | None
"""What a vector environment takes as seeds; see ``lane_seeds``."""


class LanesEnv(VectorEnv[ObsType, ActType, NDArray[Any]]):
    """``num_envs`` negotiations side by side, each in a lane.

    ``autoreset_mode`` (Gymnasium's ``AutoresetMode``, or its name) says when a lane that has ended is opened anew:

    - SAME_STEP (default): in the step in which it ends. Observation and ``info`` are the new episode's; the ended one's
      stand in ``info["final_obs"]`` and ``info["final_info"]``.
    - NEXT_STEP: in the step after it, in which its action is ignored and its reward is 0. Gymnasium's observation
      wrappers, such as ``NormalizeObservation``, want this one.
    - DISABLED: by ``reset(options={"reset_mask": over})``, a bool array [num_envs]; until then ``step`` raises.

    ``reset_mask`` opens some lanes anew in every mode.
    """

    reset_options: ClassVar[tuple[str, ...]] = (RESET_MASK,)
    """What ``options`` of ``reset`` may name."""

    def __init__(
        self,
        num_envs: object,
        autoreset_mode: object,
        single_action_space: gym.Space[Any],
        single_observation_space: gym.Space[Any],
    ) -> None:
        """Take what is the same for all lanes. Raises ``UsageError`` on a wrong argument."""
        self.num_envs = check_count(num_envs)
        self._mode = check_autoreset(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self._mode}
        self.single_action_space, self.single_observation_space = single_action_space, single_observation_space
        self.action_space = batch_space(single_action_space, self.num_envs)
        self.observation_space = batch_space(single_observation_space, self.num_envs)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        """Lanes that have ended and were not opened anew."""
        self._no_step: str | None = NOT_BEGUN
        """Why ``step`` cannot be called, None where it can."""

    def _check_reset(self, seed: LaneSeeds, options: dict[str, Any] | None) -> tuple[NDArray[np.intp], dict[str, Any]]:
        """Return the lanes that a reset opens and its other options, and seed the generator.

        Raises:
            UsageError: on a wrong seed, option or mask.
            EpisodeOverError: on a ``reset_mask`` before the first reset, or after a step that failed half-way.
        """
        chosen = check_options(options, self.reset_options)
        mask = chosen.pop(RESET_MASK, None)
        rows = np.flatnonzero(check_mask(mask, self.num_envs))
        if mask is not None and self._no_step is not None:
            raise EpisodeOverError(f"{self._no_step}, without a reset_mask")
        super().reset(seed=one_seed(seed))
        return rows, chosen

    def _check_ready(self) -> None:
        """Raise ``EpisodeOverError`` if no step can be made."""
        if self._no_step is not None:
            raise EpisodeOverError(self._no_step)
        if self._mode is AutoresetMode.DISABLED and self._over.any():
            over = int(self._over.sum())
            raise EpisodeOverError(
                f"expected episodes in progress in all {self.num_envs} lanes, got {over} that are over: call "
                "reset(options={'reset_mask': numpy.logical_or(terminations, truncations)}) first"
            )


def lane_seeds(seed: object, count: int) -> list[int | None]:
    """Return each lane's seed, None for a random one.

    Args:
        seed: an int, Python's or NumPy's (lane i gets ``seed + i``); a sequence or 1-D integer array with one seed per
            lane, in which None stands for a random one; or None, all random.
        count: lanes.

    Raises:
        UsageError: it is none of these, or of another length.
    """
    if seed is None:
        return [None] * count
    if np.ndim(seed) == 0:  # type: ignore[arg-type]
        first = check_seed(seed)
        return [first + i for i in range(count)]
    given = list(seed)  # type: ignore[call-overload]
    if len(given) != count:
        raise UsageError(f"expected {count} seeds, got {len(given)}: pass one per environment")
    return [None if s is None else check_seed(s) for s in given]


def one_seed(seed: object) -> int | None:
    """Return a vector environment's seed where it is one int for all lanes, else None."""
    return check_seed(seed) if seed is not None and np.ndim(seed) == 0 else None  # type: ignore[arg-type]


def lane_streams(
    current: Sequence[SeedStream], seed: object, count: int, generator: np.random.Generator
) -> list[SeedStream]:
    """Return the streams that a reset of every lane goes on with; see ``lane_seeds`` and ``seed_stream``."""
    if seed is None and current:
        return list(current)
    return [seed_stream(None, s, generator) for s in lane_seeds(seed, count)]


def check_count(num_envs: object) -> int:
    """Return ``num_envs`` as Python's int, or raise if it is not an int of at least 1."""
    return at_least_one(num_envs, "num_envs", "how many negotiations are played side by side")


AUTORESET: Final = {word: mode for mode in AutoresetMode for word in (mode.name, mode.value)}
"""The modes by both their names: ``"NEXT_STEP"`` and ``"NextStep"``."""


def check_autoreset(mode: object) -> AutoresetMode:
    """Return the autoreset mode (Gymnasium's ``AutoresetMode`` or its name), or raise if there is no such mode."""
    if isinstance(mode, AutoresetMode):
        return mode
    if isinstance(mode, str) and mode in AUTORESET:
        return AUTORESET[mode]
    names = [found.name for found in AutoresetMode]
    hint = did_you_mean(mode, names) if isinstance(mode, str) else f" Known: {', '.join(names)}."
    raise UsageError(f"expected autoreset_mode as a gymnasium.vector.AutoresetMode or its name, got {mode!r}.{hint}")


def check_mask(mask: object, count: int) -> NDArray[np.bool_]:
    """Return which lanes a reset starts anew: all where ``mask`` is None, else as it says.

    Raises:
        UsageError: it is not a bool array [count] with a True in it.
    """
    if mask is None:
        return np.ones(count, dtype=np.bool_)
    found = np.asarray(mask)
    if found.shape != (count,) or found.dtype != np.bool_ or not found.any():
        raise UsageError(
            f"expected options['reset_mask'] as a bool array of shape ({count},) with a True in it, got {mask!r}: "
            "pass np.logical_or(terminations, truncations) of the last step"
        )
    return found
