"""HotelNegotiationStrategy-v0, the numeric twin: for one negotiation, and for N as arrays.

The same game, dynamics and act-level reward as the text environment's, on numbers only; no text is made unless it is
asked for (``render``). Worded and read again, an action leads the text environment to the same decisions. In the vector
form a step is a fixed number of array operations, and negotiation i is the single environment's for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from negotiation_env.envs.arguments import (
    ScenarioSource,
    SeedStream,
    Suite,
    check_options,
    check_render_mode,
    check_turns,
    lane_seeds,
    load_act_reward,
    seed_stream,
)
from negotiation_env.envs.spaces import Lasting, action_space, lasting_of, observation, observation_space
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.game.acts import DialogueAct, Tactic
from negotiation_env.game.features import reply_features
from negotiation_env.game.lanes import ARRAYS, FLOATS, Lanes, Num, episode_seed
from negotiation_env.game.moves import acts_of_move, move_of_action
from negotiation_env.game.scenario import Scenario, card_numbers, sample_card, sample_floors
from negotiation_env.game.state import (
    Decision,
    GameState,
    Move,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    put,
    settle,
)
from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.protocols import ManagerDynamics, Reward, RewardBreakdown
from negotiation_env.play.registry import load_manager

Floats = NDArray[np.float32]


class Play(NamedTuple):
    """What one numeric exchange did."""

    move: Move
    decision: Decision
    reward: RewardBreakdown


def play(
    lanes: Lanes, game: GameState, seat: Any, dynamics: ManagerDynamics, reward: Reward, action: Sequence[Num]
) -> Play:
    """Play one action in one negotiation, or in N."""
    move = move_of_action(lanes, action[0], action[1], action[2], game)
    claims = settle(lanes, game, move)
    scored = reward.score_features(lanes, reply_features(lanes, game, move, claims))
    apply_move(lanes, game, move, claims)
    decision = dynamics.decide(lanes, seat, game, move)
    apply_decision(lanes, game, decision)
    return Play(move, decision, scored)


def dynamics_of(manager: object) -> ManagerDynamics:
    """Return a manager's decisions without words, or raise ``UsageError`` if it has none."""
    dynamics = getattr(manager, "dynamics", None)
    if not isinstance(dynamics, ManagerDynamics):
        raise UsageError(
            f"expected a manager whose decisions are dynamics, got {getattr(manager, 'name', manager)!r}: the numeric "
            "environment makes no text, so pass manager='rules' or an object with .dynamics"
        )
    return dynamics


class StrategyEnv(gym.Env[Floats, NDArray[np.int64]]):
    """The numeric twin of the text environment.

    ## Description
    The numeric twin of `HotelNegotiation-v0`: the agent chooses a dialogue act, a tactic and a price level; the
    manager's dynamics and the public game are the text environment's own. Made for Stable-Baselines3 and other
    classical RL.

    ## Action space
    `MultiDiscrete([13, 8, 11])`: act, tactic, price level.

    | index | values |
    |-------|--------|
    | 0 act | greet, inform, propose, counter, ask, accept, reject, confirm, soothe, promise, close, silence, other |
    | 1 tactic | none, exposure, conversion, competitor, calendar, fit, partnership, pressure; with acts that talk |
    | 2 level | price `target + (level - 4) / 8 * (selling - target)` for every open ticket (selling price, yuan) |

    PROPOSE and COUNTER bid the level's price; ACCEPT takes every standing quote at or below it, and bids it where there
    is none; CONFIRM takes every standing quote.

    ## Observation space
    `Box(-1, 2, (55,), float32)`: the public state, prices as shares of the selling price; `spaces.observation` lists
    it.

    ## Rewards
    REPO's reward from the acts alone (see `HotelNegotiation-v0`): the text parts of reward model and judge are taken at
    their mean. `info["reward"]` holds the breakdown.

    ## Starting state, episode end
    As in `HotelNegotiation-v0`.

    ## Arguments
    `scenario`, `suite`, `persona` (a name, as a position in the manager's personas is drawn from the seed by default),
    `manager` (`"rules"` or an object with `.dynamics`), `reward`, `max_turns` (default 20), `render_mode` (`"ansi"`,
    `"human"`: the acts worded as text).

    ```python
    >>> import gymnasium as gym
    >>> env = gym.make("HotelNegotiationStrategy-v0")
    >>> observation, info = env.reset(seed=3)
    >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    ## Version history
    * v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "human"], "render_fps": 4}  # noqa: RUF012 - as in gymnasium.Env

    def __init__(
        self,
        scenario: Scenario | str | Path | None = None,
        suite: str | Path | Suite | None = None,
        persona: object | None = None,
        manager: object = "rules",
        reward: object = "repo",
        max_turns: int = 20,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment; see the class for the arguments. Raises ``UsageError`` on a wrong one."""
        self.render_mode = check_render_mode(render_mode)
        self._max_turns = check_turns(max_turns)
        self._source = ScenarioSource(scenario, suite, persona)
        self._manager = self._source.manager(manager, "smollm2")
        dynamics_of(self._manager)
        self._reward = load_act_reward(reward)
        self.action_space = action_space()
        self.observation_space = cast("gym.spaces.Space[Floats]", observation_space())
        self._seeds: SeedStream | None = None
        self._game: GameState | None = None
        self._lines: list[str] = []
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Start the seed's negotiation, or the next one of the stream that the last seed began."""
        super().reset(seed=seed)
        chosen = check_options(options)
        self._seeds = seed_stream(self._seeds, seed, self.np_random)
        self._scenario, persona = self._source.next(self._seeds, chosen)
        seated = self._manager.start(self._scenario, persona)
        self._seat, self._seat_dynamics = seated.state, seated.dynamics
        self._game = new_game(FLOATS, card_numbers(self._scenario.card))
        self._lasting = lasting_of(FLOATS, self._game)
        self._lines, self._over = [], False
        return self._observe(), {}

    def step(self, action: NDArray[np.int64]) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Play one action; return the observation, the reply's reward, and how the negotiation stands."""
        game = self._require_game()
        if self._over:
            raise EpisodeOverError("expected an episode in progress, got one that is over: call reset() first")
        if self.render_mode is not None:
            self._lines.append(f"AGENT: {self.action_text(action) or '(silence)'}")
        before = replace(game)
        played = play(FLOATS, game, self._seat, self._seat_dynamics, self._reward, [float(a) for a in action])
        if self.render_mode is not None:
            acts = decision_acts(before, played.decision)
            self._lines.append("HOTEL: " + ", ".join(describe(act) for act in acts))
        if self.render_mode == "human":
            print("\n".join(self._lines[-2:]))
        terminated = bool(game.end)
        truncated = not terminated and game.turn >= self._max_turns
        self._over = terminated or truncated
        info: dict[str, Any] = {"reward": played.reward._asdict()}
        if self._over:
            info["agreed"] = np.array(game.agreed, dtype=np.float32)
            info["tickets"] = int(game.card.tickets)
        return self._observe(), float(played.reward.total or 0.0), terminated, truncated, info

    def action_text(self, action: NDArray[np.int64]) -> str:
        """Return the message that says an action in the current state, for the text environment."""
        game, card = self._require_game(), self._scenario.card
        act, tactic, level = (float(a) for a in action)
        move = move_of_action(FLOATS, act, tactic, level, game)
        acts = acts_of_move(move, card, game)
        context = context_of(card, game, "agent")
        return word(acts, card, context, agent_phrase_book(), self._scenario.seed, int(game.turn))

    def render(self) -> str | None:
        """Return the dialogue (``"ansi"``): the agent's actions worded, the manager's decisions as acts."""
        return "\n".join(self._lines) if self.render_mode == "ansi" else None

    def _observe(self) -> Floats:
        return np.array(observation(FLOATS, self._require_game(), self._lasting), dtype=np.float32)

    def _require_game(self) -> GameState:
        if self._game is None:
            raise EpisodeOverError("expected an episode in progress, got none: call reset() first")
        return self._game


def describe(act: DialogueAct) -> str:
    """Return an act as a short line of words, such as ``counter 380 net (ticket 1)``."""
    words = [act.kind.name.lower().replace("_", "-")]
    if act.tactic is not Tactic.NONE:
        words.append(act.tactic.name.lower())
    if act.price is not None:
        words.append(f"{act.price:.0f}")
    if act.price is not None and act.price_type is not None:
        words.append(act.price_type.value)
    if act.ticket is not None:
        words.append(f"(ticket {act.ticket + 1})")
    return " ".join(words)


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
        self._reward = load_act_reward(reward)
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
