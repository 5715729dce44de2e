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
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from negotiation_env.envs.arguments import (
    BROKEN_OFF,
    IS_OVER,
    NOT_BEGUN,
    ScenarioSource,
    Seed,
    SeedStream,
    Suite,
    check_options,
    check_render_mode,
    check_seed,
    check_turns,
    load_act_reward,
    seed_stream,
)
from negotiation_env.envs.spaces import Lasting, action_space, check_actions, lasting_of, observation, observation_space
from negotiation_env.envs.vector import LaneSeeds, LanesEnv, lane_seeds
from negotiation_env.errors import EpisodeOverError, RenderModeError, UsageError
from negotiation_env.game.acts import DialogueAct, Tactic
from negotiation_env.game.features import reply_features
from negotiation_env.game.lanes import ARRAYS, FLOATS, Lanes, Num
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
    return play_move(lanes, game, seat, dynamics, reward, move_of_action(lanes, action[0], action[1], action[2], game))


def play_move(lanes: Lanes, game: GameState, seat: Any, dynamics: ManagerDynamics, reward: Reward, move: Move) -> Play:
    """Play a move, which need not be one that an action says, in one negotiation, or in N."""
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
        self._no_step: str | None = NOT_BEGUN
        """Why ``step`` cannot be called, None where it can."""

    def reset(
        self, *, seed: Seed | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start the seed's negotiation, or the next one of the stream that the last seed began.

        Args:
            seed: an int of at least 0, Python's or NumPy's.
            options: ``scenario`` and ``persona``, for this episode alone.

        Raises:
            UsageError: on a wrong seed, option or persona. What was in progress before then still is.
        """
        number = None if seed is None else check_seed(seed)
        chosen = check_options(options)
        super().reset(seed=number)
        seeds = seed_stream(self._seeds, number, self.np_random)
        scenario, persona = self._source.episode(seeds.seed, chosen)
        seated = self._manager.start(scenario, persona)
        seeds.advance()
        self._seeds, self._scenario, self._no_step = seeds, scenario, None
        self._seat, self._seat_dynamics = seated.state, seated.dynamics
        self._game = new_game(FLOATS, card_numbers(scenario.card))
        self._lasting = lasting_of(FLOATS, self._game)
        self._lines = []
        return self._observe(), {}

    def step(self, action: NDArray[np.int64]) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Play one action (ints, [3]); return the observation, the reply's reward, and how the negotiation stands.

        Raises:
            UsageError: the action lies outside the action space; nothing has happened then.
            EpisodeOverError: there is no episode in progress. An error of a manager or reward, and Ctrl-C, end the
                episode: after one, only ``reset`` goes on.
        """
        game = self._require_game()
        if self._no_step is not None:
            raise EpisodeOverError(self._no_step)
        chosen = check_actions(action)
        self._no_step = BROKEN_OFF  # until the whole exchange is played
        if self.render_mode is not None:
            said, before = self.action_text(chosen) or "(silence)", replace(game)
        played = play(FLOATS, game, self._seat, self._seat_dynamics, self._reward, [float(a) for a in chosen.tolist()])
        terminated = bool(game.end)
        truncated = not terminated and game.turn >= self._max_turns
        self._no_step = IS_OVER if terminated or truncated else None
        if self.render_mode is not None:
            answer = ", ".join(describe(act) for act in decision_acts(before, played.decision))
            self._lines += [f"AGENT: {said}", f"HOTEL: {answer}"]
        if self.render_mode == "human":
            print("\n".join(self._lines[-2:]))
        info: dict[str, Any] = {"reward": played.reward._asdict()}
        if self._no_step is not None:
            info["agreed"] = np.array(game.agreed, dtype=np.float32)
            info["tickets"] = int(game.card.tickets)
        return self._observe(), float(played.reward.total or 0.0), terminated, truncated, info

    def action_text(self, action: NDArray[np.integer[Any]]) -> str:
        """Return the message that says an action in the current state, for the text environment."""
        game, card = self._require_game(), self._scenario.card
        act, tactic, level = (float(a) for a in check_actions(action).tolist())
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
            raise EpisodeOverError(NOT_BEGUN)
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


class StrategyVectorEnv(LanesEnv[Floats, NDArray[np.int64]]):
    """``num_envs`` numeric negotiations; see ``StrategyEnv`` for spaces and game.

    Scenarios are drawn from the seeds; a fixed scenario or persona is the single environment's. ``info["reward"]``
    holds the breakdown as float64 arrays [N], NaN in a lane that made no move and where a source cannot score one.
    Where a lane has ended there are ``info["agreed"]`` (float32 [N, 3], agreed selling prices, 0 = none) and
    ``info["tickets"]`` (float64 [N]). ``info["_NAME"]`` says in which lanes an entry is valid.

    See ``LanesEnv`` for ``autoreset_mode``; ``info["final_obs"]`` is float32 [N, 55] and ``info["final_info"]`` a dict
    like ``info``.
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Make the environments. Raises ``UsageError`` on a wrong argument."""
        if render_mode is not None:
            raise RenderModeError(
                f"expected render_mode None, got {render_mode!r}: render the single environment instead"
            )
        super().__init__(num_envs, autoreset_mode, action_space(), observation_space())
        self._max_turns = check_turns(max_turns)
        self._dynamics = dynamics_of(load_manager(manager))
        self._reward = load_act_reward(reward)
        self._roots: Seeds | None = None
        self._counts = np.zeros(self.num_envs)
        self._game: GameState  # from the first reset on

    def reset(self, *, seed: LaneSeeds = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Start every lane, or those of a mask.

        Args:
            seed: an int, Python's or NumPy's (lane i gets ``seed + i``); a sequence or integer array with one per lane,
                None for a random one; or None: each lane goes on with its own stream of seeds.
            options: ``reset_mask`` (bool array [N]); scenarios and personas are the single environment's.

        Raises:
            UsageError: on a wrong seed or option. What was in progress before then still is.
            EpisodeOverError: on a ``reset_mask`` before the first reset, or after a step that failed half-way.
        """
        rows, _ = self._check_reset(seed, options)
        roots, counts = self._roots, self._counts.copy()
        if seed is not None or roots is None:
            streams = [seed_stream(None, s, self.np_random) for s in lane_seeds(seed, self.num_envs)]
            fresh = np.array([stream.seed for stream in streams], dtype=np.uint64)
            roots = fresh if roots is None else roots.copy()
            roots[rows], counts[rows] = fresh[rows], 0.0
        game, seat = self._open(roots[rows], counts[rows])
        counts[rows] += 1.0
        self._roots, self._counts, self._no_step = roots, counts, None
        self._over[rows] = False
        if len(rows) == self.num_envs:
            self._game, self._seat, self._lasting = game, seat, _lasting(game)
        else:
            self._replace(rows, game, seat, _lasting(game))
        return self._observe(self._game).T, {}

    def _open(self, roots: Seeds, counts: NDArray[np.float64]) -> tuple[GameState, Any]:
        """Return the negotiations that follow ``counts`` others of the streams of seeds that begin with ``roots``."""
        seeds: Seeds = np.where(counts == 0.0, roots, ARRAYS.fork(roots, counts))
        card = sample_card(ARRAYS, seeds)
        seat = self._dynamics.start(ARRAYS, seeds, card, sample_floors(ARRAYS, seeds, card))
        return new_game(ARRAYS, card), seat

    def _replace(self, rows: NDArray[np.intp], game: GameState, seat: Any, lasting: Lasting) -> None:
        """Write negotiations that were just opened over the lanes of ``rows``."""
        put(self._game, rows, game)
        put(self._seat, rows, seat)
        put(self._lasting, rows, lasting)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one action in every lane.

        Args:
            actions: ints [N, 3].

        Returns:
            Observations [N, 55] (float32); rewards [N] (float64); terminations and truncations [N] (bool); info.

        Raises:
            UsageError: an action lies outside the action space; nothing has happened then.
            EpisodeOverError: there are no episodes in progress, or in DISABLED mode one is over. An error of a manager
                or reward, and Ctrl-C, end all episodes: after one, only a full ``reset`` goes on.
        """
        self._check_ready()
        chosen = check_actions(actions, self.num_envs)
        self._no_step = BROKEN_OFF  # until the whole exchange is played
        game = self._game
        # Short integers for what is only compared, and that with every act and tactic there is.
        act, tactic = np.ascontiguousarray(chosen[:, :2].T, dtype=np.int16)
        level = chosen[:, 2].astype(np.float64)
        scored = play(ARRAYS, game, self._seat, self._dynamics, self._reward, (act, tactic, level)).reward
        terminated = game.end > 0.0
        truncated = ~terminated & (game.turn >= self._max_turns)
        breakdown = _breakdown(scored, self.num_envs)
        rewards = np.zeros(self.num_envs) if scored.total is None else breakdown["total"].copy()
        seen = self._observe(game)
        late = self._over  # under NEXT_STEP these are opened now; what was played in them counts for nothing
        if late.any():
            terminated, truncated = terminated & ~late, truncated & ~late
            rewards = np.where(late, 0.0, rewards)
            breakdown = _without(breakdown, late)
            seen = self._reopen(np.flatnonzero(late), seen)
        info: dict[str, Any] = {"reward": breakdown, "_reward": ~late}
        over = terminated | truncated
        if over.any():
            ended = {"agreed": np.stack(game.agreed, axis=1).astype(np.float32), "tickets": game.card.tickets.copy()}
            ended |= {f"_{name}": over for name in ended}
            if self._mode is AutoresetMode.SAME_STEP:
                final = {"reward": breakdown, "_reward": over} | ended
                info = {"reward": _without(breakdown, over), "_reward": ~over}
                info |= {"final_obs": seen.T, "_final_obs": over, "final_info": final, "_final_info": over}
                seen = self._reopen(np.flatnonzero(over), seen)
            else:
                info |= ended
        self._over = late if self._mode is AutoresetMode.SAME_STEP else over.copy()  # ``info`` holds the other
        self._no_step = None
        return seen.T, rewards, terminated, truncated, info

    def _reopen(self, rows: NDArray[np.intp], seen: Floats) -> Floats:
        """Open the next negotiations of the lanes ``rows``; return a copy of ``seen`` [55, N] with these in place."""
        if self._roots is None:
            raise EpisodeOverError(NOT_BEGUN)
        game, seat = self._open(self._roots[rows], self._counts[rows])
        self._counts[rows] += 1.0
        lasting = _lasting(game)
        self._replace(rows, game, seat, lasting)
        shown = seen.copy()
        # Column by column: contiguous memory makes it three times as fast as one assignment to all.
        for column, opened in zip(shown, _observed(observation(ARRAYS, game, lasting), len(rows)), strict=True):
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


def _breakdown(scored: RewardBreakdown, lanes: int) -> dict[str, NDArray[np.float64]]:
    """Return a reward's numbers as float64 arrays [lanes], NaN where a source scored nothing."""
    found = {name: getattr(scored, name) for name in BREAKDOWN}
    return {name: np.full(lanes, np.nan if value is None else value) for name, value in found.items()}


def _without(breakdown: dict[str, NDArray[np.float64]], lanes: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return a breakdown with NaN in the given lanes."""
    return {name: np.where(lanes, np.nan, values) for name, values in breakdown.items()}


def _observed(columns: Sequence[Any], lanes: int) -> Floats:
    """Return columns of observations as float32, shape [len(columns), lanes]."""
    seen = np.empty((len(columns), lanes), dtype=np.float32)
    for row, values in zip(seen, columns, strict=True):
        row[:] = values
    return seen
