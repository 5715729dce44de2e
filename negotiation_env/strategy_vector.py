"""The native vector form of HotelNegotiationStrategy-v0: N negotiations as arrays.

One step is a fixed number of array operations whatever N is, and lane i plays what the single environment plays for
the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from negotiation_env.arguments import check_turns, lane_seeds
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.game import GameState, new_game, put
from negotiation_env.lanes import ARRAYS, episode_seed
from negotiation_env.registry import load_manager, load_reward
from negotiation_env.scenario import sample_card, sample_floors
from negotiation_env.spaces import Lasting, action_space, lasting_of, observation, observation_space
from negotiation_env.strategy_env import Floats, dynamics_of, play

Seeds = NDArray[np.uint64]
BREAKDOWN = ("total", "model", "judge", "rules", "enhancement")


class StrategyVectorEnv(VectorEnv[Floats, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` numeric negotiations; see ``StrategyEnv`` for spaces and game.

    Scenarios are drawn from the seeds; a fixed scenario or persona is the single environment's. Autoreset is SAME_STEP:
    a lane that ends is reset at once; its last observation stands in ``info["final_obs"]`` (rows of a float32 array
    [N, 55], valid where ``info["_final_obs"]``), with ``info["agreed"]`` [N, 3] (agreed selling prices, 0 = none) and
    ``info["tickets"]`` [N]. ``info["reward"]`` holds the breakdown as arrays [N].
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as in gymnasium.vector.VectorEnv
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        manager: object = "rules",
        reward: object = "repo",
        max_turns: int = 20,
        render_mode: None = None,
    ) -> None:
        """Make the environments. Raises ``UsageError`` on a wrong argument."""
        if num_envs < 1:
            raise UsageError(f"expected num_envs >= 1, got {num_envs}")
        if render_mode is not None:
            raise UsageError(f"expected render_mode None, got {render_mode!r}: render the single environment instead")
        self.num_envs = num_envs
        self._max_turns = check_turns(max_turns)
        self._dynamics = dynamics_of(load_manager(manager))
        self._reward = load_reward(reward)
        self.single_action_space = action_space()
        self.single_observation_space = observation_space()
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._roots: Seeds | None = None
        self._counts = np.zeros(num_envs)
        self._game: GameState | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start every lane. An int seeds lane i with ``seed + i``; a sequence gives each lane its own."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        if options:
            raise UsageError(f"expected no reset options, got {sorted(options)}: use the single environment for them")
        if seed is not None or self._roots is None:
            self._roots = np.array(
                [episode_seed(s) for s in lane_seeds(seed, self.num_envs, self.np_random)], dtype=np.uint64
            )
            self._counts = np.zeros(self.num_envs)
        everyone = np.arange(self.num_envs)
        self._game, self._seat = self._open(everyone)
        self._lasting = _lasting(self._game)
        return self._observe(self._game).T, {}

    def _open(self, rows: NDArray[np.intp]) -> tuple[GameState, Any]:
        """Open the next negotiation of the given lanes."""
        if self._roots is None:
            raise EpisodeOverError("expected episodes in progress, got none: call reset() first")
        counts, roots = self._counts[rows], self._roots[rows]
        seeds: Seeds = np.where(counts == 0.0, roots, ARRAYS.fork(roots, counts))
        self._counts[rows] += 1.0
        card = sample_card(ARRAYS, seeds)
        seat = self._dynamics.start(ARRAYS, seeds, card, sample_floors(ARRAYS, seeds, card))
        return new_game(ARRAYS, card), seat

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one action in every lane; ``actions`` is an int array [N, 3]."""
        game = self._game
        if game is None:
            raise EpisodeOverError("expected episodes in progress, got none: call reset() first")
        if np.shape(actions) != (self.num_envs, 3):
            raise UsageError(f"expected actions of shape ({self.num_envs}, 3), got {np.shape(actions)}")
        chosen = np.asarray(actions)
        # Short integers for what is only compared, and that with every act and tactic there is.
        act, tactic = np.ascontiguousarray(chosen[:, :2].T, dtype=np.int16)
        level = chosen[:, 2].astype(np.float64)
        scored = play(ARRAYS, game, self._seat, self._dynamics, self._reward, (act, tactic, level)).reward
        terminated = game.end > 0.0
        truncated = ~terminated & (game.turn >= self._max_turns)
        info: dict[str, Any] = {"reward": {name: getattr(scored, name) for name in BREAKDOWN}}
        over = terminated | truncated
        seen = self._observe(game)
        if over.any():
            seen = self._finish(game, over, seen, info)
        return seen.T, np.asarray(scored.total), terminated, truncated, info

    def _finish(self, game: GameState, over: NDArray[np.bool_], seen: Floats, info: dict[str, Any]) -> Floats:
        """Record the lanes that ended, open their next negotiations; return ``seen`` [55, N] with these in place."""
        rows = np.flatnonzero(over)
        info["final_obs"], info["_final_obs"] = seen.T, over
        info["agreed"], info["tickets"] = np.stack(game.agreed, axis=1), game.card.tickets.copy()
        fresh_game, fresh_seat = self._open(rows)
        lasting = _lasting(fresh_game)
        put(game, rows, fresh_game)
        put(self._seat, rows, fresh_seat)
        put(self._lasting, rows, lasting)
        shown = seen.copy()
        # Column by column: contiguous memory makes it three times as fast as one assignment to all.
        for column, opened in zip(shown, _observed(observation(ARRAYS, fresh_game, lasting), len(rows)), strict=True):
            column[rows] = opened
        return shown

    def _observe(self, game: GameState) -> Floats:
        """Return the observations of all lanes, shape [55, N]."""
        return _observed(observation(ARRAYS, game, self._lasting), self.num_envs)


def _lasting(game: GameState) -> Lasting:
    """Return what lasts of the observations, as float32 where it is only shown: half the memory to go through."""
    last = lasting_of(ARRAYS, game)
    targets, strengths, rest = (
        tuple([column.astype(np.float32) for column in columns])
        for columns in (last.targets, last.strengths, last.rest)
    )
    return last._replace(targets=targets, strengths=strengths, tickets=last.tickets.astype(np.float32), rest=rest)


def _observed(columns: Sequence[Any], lanes: int) -> Floats:
    """Return columns of observations as float32, shape [len(columns), lanes]."""
    seen = np.empty((len(columns), lanes), dtype=np.float32)
    for row, values in zip(seen, columns, strict=True):
        row[:] = values
    return seen
