"""HotelNegotiation-v0, the text environment: for one negotiation, and for many in lock-step.

In the vector form what pays is batched: scoring, and the language model of an LLM-voiced manager. Each of its
negotiations has the transcript that the single environment gives for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from negotiation_env.envs.arguments import (
    BROKEN_OFF,
    IS_OVER,
    NOT_BEGUN,
    RESET_OPTIONS,
    ScenarioSource,
    Seed,
    SeedStream,
    Suite,
    check_llm,
    check_options,
    check_render_mode,
    check_seed,
    check_turns,
    seed_stream,
)
from negotiation_env.envs.spaces import MessageSpace
from negotiation_env.envs.vector import RESET_MASK, LaneSeeds, LanesEnv, lane_streams
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.game.scenario import Scenario
from negotiation_env.game.state import STAGE_NAMES, stage_of
from negotiation_env.language.describe import describe
from negotiation_env.language.lexicon import lexicon
from negotiation_env.play.exchange import MAX_MESSAGE, Exchange, exchange, open_negotiation, outcome_of
from negotiation_env.play.protocols import AgentView, Negotiation
from negotiation_env.play.registry import load_reader, load_reward
from negotiation_env.play.rollout import agent_view

MAX_TASK = 4000
"""Characters of a task card's text, at most."""


class TextObservation(TypedDict):
    """What the agent sees: see ``HotelNegotiationEnv``."""

    task: str
    message: str
    history: tuple[str, ...]
    turn: np.int64


def text_observation_space(max_turns: int) -> gym.spaces.Dict:
    """Return the text environment's observation space."""
    return gym.spaces.Dict(
        {
            "task": MessageSpace(MAX_TASK),
            "message": MessageSpace(MAX_MESSAGE),
            "history": gym.spaces.Sequence(MessageSpace(MAX_MESSAGE)),
            "turn": gym.spaces.Discrete(max_turns + 1),
        }
    )


class TextLane:
    """One negotiation as the text environments show it: its dialogue in the shapes of observation and ``info``."""

    def __init__(self, negotiation: Negotiation, max_turns: int) -> None:
        """Wrap a negotiation that was just opened."""
        self.negotiation = negotiation
        self.task = negotiation.card.text()
        self.history: tuple[str, ...] = ()
        self.message = ""
        self.turn = 0
        self.messages: list[dict[str, str]] = [{"role": "system", "content": self.task}]
        self._max_turns = max_turns

    def observation(self) -> TextObservation:
        """Return the current observation."""
        return {"task": self.task, "message": self.message, "history": self.history, "turn": np.int64(self.turn)}

    def start_info(self) -> dict[str, Any]:
        """Return ``info`` after a reset."""
        return {"messages": list(self.messages), "stage": "open", "fault": None}

    def take(self, step: Exchange) -> tuple[float, bool, bool, dict[str, Any]]:
        """Take in what came of a reply; return reward, terminated, truncated, info."""
        answer, reward = step.answer, step.reward
        self.turn += 1
        self.message = answer.text
        self.history = (*self.history, step.text, answer.text)
        self.messages.append({"role": "assistant", "content": step.text})
        self.messages.append({"role": "user", "content": answer.text})
        game = self.negotiation.game
        terminated = bool(game.end)
        truncated = not terminated and (self.turn >= self._max_turns or step.fault is not None)
        fault = step.fault or reward.fault or ("; ".join(answer.faults) if answer.faults else None)
        info: dict[str, Any] = {
            "reward": reward._asdict(),
            "messages": list(self.messages),
            "stage": STAGE_NAMES[stage_of(game)],
            "fault": fault,
            "reading": describe(step.reading, self.negotiation.card),
        }
        if terminated or truncated:
            info["outcome"] = outcome_of(self.negotiation, truncated, step.fault)
        return 0.0 if reward.total is None else reward.total, terminated, truncated, info

    def transcript(self) -> str:
        """Return the dialogue as lines of ``AGENT:`` and ``HOTEL:``."""
        names = ("AGENT", "HOTEL")
        return "\n".join(f"{names[i % 2]}: {text or '(no answer)'}" for i, text in enumerate(self.history))


def plain_info(info: dict[str, Any]) -> dict[str, Any]:
    """Return ``info`` as JSON has it, without the messages, which the observation holds."""
    told = {name: value for name, value in info.items() if name != "messages"}
    if "reward" in told:
        told["reward"] = told["reward"] | {"terms": [term._asdict() for term in told["reward"]["terms"]]}
    return told


class TextTable:
    """What all negotiations of a text environment share; see ``HotelNegotiationEnv`` for the arguments.

    Raises:
        UsageError: on a wrong argument.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path | None,
        suite: str | Path | Suite | None,
        persona: object | None,
        manager: object,
        reader: object,
        reward: object,
        llm: str,
        max_turns: int,
    ) -> None:
        self.max_turns = check_turns(max_turns)
        self._source = ScenarioSource(scenario, suite, persona)
        self._manager = self._source.manager(manager, check_llm(llm))
        self._reader = load_reader(reader)
        self._reward = load_reward(reward)
        lexicon()  # read now, so that no message waits for it

    def open(self, seeds: SeedStream, options: dict[str, Any]) -> TextLane:
        """Open the negotiation of a stream's next seed; reset's ``options`` go before what was given."""
        scenario, persona = self._source.episode(seeds.seed, options)
        return TextLane(open_negotiation(scenario, self._manager, persona), self.max_turns)

    def exchange(self, lanes: Sequence[TextLane], messages: Sequence[str]) -> list[Exchange]:
        """Say one message in each negotiation."""
        negotiations = [lane.negotiation for lane in lanes]
        return exchange(negotiations, messages, self._manager, self._reward, self._reader) if lanes else []


class HotelNegotiationEnv(gym.Env[TextObservation, str]):
    """The text environment: the agent negotiates room rates in words.

    ## Description
    The agent works for an online travel agency and negotiates lower room rates with a hotel's manager, in text, over
    one to three tickets (a room type and a date range). The agent writes first. The manager is simulated: a persona
    decides (concession, mood, trust, patience), templates or a language model word the decision, and no figure below
    the manager's private floor is ever said or agreed. The task and the reward follow REPO (arXiv 2510.04214).

    ## Action space
    `MessageSpace(4000)`: any string; the agent's next message. What is said is data: no message raises. A message over
    4,000 characters is cut; an empty one is silence.

    ## Observation space
    A `Dict`:

    | key | space | meaning |
    |-----------|-------------------------|------------------------------------------------------------------|
    | `task` | `MessageSpace` | the task card: hotel, tickets (yuan per night), facts, promises |
    | `message` | `MessageSpace` | the manager's last message, "" before the first and for silence |
    | `history` | `Sequence(MessageSpace)` | all messages, the agent's first, alternating |
    | `turn` | `Discrete(max_turns+1)` | replies made |

    Target prices are on the task card and confidential; floors, mood and trust are in no observation and no `info`.

    ## Rewards
    At every turn `R_total = R_model + |R_model| * clip(E_judge + E_func, -100, 100) / 100` scores the reply: a
    preference-trained reward model, modulated by a judge and by rules. `info["reward"]` holds `total`, `model`,
    `judge`, `rules`, `enhancement` and `terms`. A source that failed leaves `total` None and says so in
    `info["fault"]`; the scalar reward is then 0 and the turn should be left out of averages.

    ## Reading
    A reader turns the agent's message into dialogue acts: `"rules"` needs nothing more, `"encoder"` is a sentence
    encoder that understands free language better. Only a firm acceptance binds; where it is short of firm, or the
    reader is unsure, the manager asks back. `info["reading"]` says how the message was understood: `reader`,
    `confidence` (0 to 1), `acts` (a list of dicts), and `text`, one line in words.

    ## Starting state
    A scenario drawn from `reset(seed=...)`, or the one given; nothing has been said.

    ## Episode end
    Termination: every ticket is agreed or refused, the manager walks away, the agent closes, or three messages in a
    row go unanswered. Truncation: `max_turns` replies. Agreement is explicit: the manager commits to a figure and
    the agent takes it. `info["outcome"]` says how it ended. After the end, `step` raises.

    ## Arguments
    `scenario` (a `Scenario` or a file), `suite` (a name such as `"bad-cases"`, a file or folder), `persona` (name,
    path, object; default: drawn from the seed), `manager` (`"rules"`, `"llm"`, `"llm-decides"`, `"replay:PATH"`,
    `"demanding:SHARE"`, or an object), `reader` (`"rules"`, `"encoder"`, or an object), `reward` (`"repo"`,
    `"outcome"`, `"module:function"`, an object or a function of a reply's view), `llm` (engine spec, default
    `"smollm2"`), `max_turns` (default 20), `render_mode` (`"ansi"`, `"human"`).
    `reset(options={"scenario": ..., "persona": ...})` overrides for one episode.

    ```python
    >>> import gymnasium as gym
    >>> env = gym.make("HotelNegotiation-v0", persona="veteran-boulware")
    >>> observation, info = env.reset(seed=3)
    >>> observation, reward, terminated, truncated, info = env.step("Hello, could you offer 380 for the deluxe room?")
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
        reader: object = "rules",
        reward: object = "repo",
        llm: str = "smollm2",
        max_turns: int = 20,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment; see the class for the arguments. Raises ``UsageError`` on a wrong one."""
        self.render_mode = check_render_mode(render_mode)
        self._table = TextTable(scenario, suite, persona, manager, reader, reward, llm, max_turns)
        self._seeds: SeedStream | None = None
        self._lane: TextLane | None = None
        self._no_step: str | None = NOT_BEGUN
        """Why ``step`` cannot be called, None where it can."""
        self.action_space = MessageSpace(MAX_MESSAGE)
        self.observation_space = text_observation_space(self._table.max_turns)  # type: ignore[assignment]

    def reset(
        self, *, seed: Seed | None = None, options: dict[str, Any] | None = None
    ) -> tuple[TextObservation, dict[str, Any]]:
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
        lane = self._table.open(seeds, chosen)
        seeds.advance()
        self._seeds, self._lane, self._no_step = seeds, lane, None
        return lane.observation(), lane.start_info()

    def step(self, action: str) -> tuple[TextObservation, float, bool, bool, dict[str, Any]]:
        """Say ``action`` to the manager; return its answer and the reply's reward.

        Raises:
            UsageError: the action is no string; nothing has happened then.
            EpisodeOverError: there is no episode in progress. An error of a manager, reader or reward, and Ctrl-C, end
                the episode: after one, only ``reset`` goes on.
        """
        if self._lane is None or self._no_step is not None:
            raise EpisodeOverError(self._no_step or NOT_BEGUN)
        check_message(action)
        self._no_step = BROKEN_OFF  # until the whole exchange is played
        (result,) = self._table.exchange([self._lane], [action])
        reward, terminated, truncated, info = self._lane.take(result)
        self._no_step = IS_OVER if terminated or truncated else None
        if self.render_mode == "human":
            print("\n".join(self._lane.transcript().splitlines()[-2:]))
        return self._lane.observation(), reward, terminated, truncated, info

    def render(self) -> str | None:
        """Return the transcript so far (``"ansi"``); in ``"human"`` mode each turn was printed already."""
        return self._lane.transcript() if self.render_mode == "ansi" and self._lane is not None else None

    def view(self) -> AgentView:
        """Return what a ``Policy`` may see now, to play a registered policy by hand in this environment.

        Raises:
            EpisodeOverError: nothing was opened yet, or the last step failed half-way.
        """
        if self._lane is None or self._no_step == BROKEN_OFF:
            raise EpisodeOverError(self._no_step or NOT_BEGUN)
        return agent_view(self._lane.negotiation)


def check_message(message: object) -> None:
    """Raise ``UsageError`` if an agent's message is no string."""
    if not isinstance(message, str):
        raise UsageError(f"expected the agent's message as a str, got {type(message).__name__}: pass text")


Observations = dict[str, Any]


class HotelNegotiationVectorEnv(LanesEnv[Observations, Sequence[str]]):
    """``num_envs`` text negotiations; see ``HotelNegotiationEnv`` for the game and the other arguments.

    Actions are a sequence of ``num_envs`` strings. Observations are a dict of tuples (``turn`` an int64 array), one
    entry a lane. Every entry of ``info`` is an object array [num_envs], None in a lane that has no such entry, and
    ``info["_NAME"]`` says which lanes have it: a lane that was just opened has those of ``reset``, no ``reward``.

    See ``LanesEnv`` for ``autoreset_mode``; ``info["final_info"][i]`` is lane i's own ``info``.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as in gymnasium.vector.VectorEnv
        "render_modes": ["ansi", "human"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }
    reset_options = (*RESET_OPTIONS, RESET_MASK)

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | Path | None = None,
        suite: str | Path | Suite | None = None,
        persona: object | None = None,
        manager: object = "rules",
        reader: object = "rules",
        reward: object = "repo",
        llm: str = "smollm2",
        max_turns: int = 20,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Make the environments. Raises ``UsageError`` on a wrong argument."""
        self.render_mode = check_render_mode(render_mode)
        self._table = TextTable(scenario, suite, persona, manager, reader, reward, llm, max_turns)
        super().__init__(
            num_envs, autoreset_mode, MessageSpace(MAX_MESSAGE), text_observation_space(self._table.max_turns)
        )
        self._seeds: list[SeedStream] = []
        self._lanes: list[TextLane] = []

    def reset(
        self, *, seed: LaneSeeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start every lane, or those of a mask.

        Args:
            seed: an int, Python's or NumPy's (lane i gets ``seed + i``); a sequence or integer array with one per lane,
                None for a random one; or None: each lane goes on with its own stream of seeds.
            options: ``scenario`` and ``persona`` for these episodes, ``reset_mask`` (bool array [num_envs]).

        Raises:
            UsageError: on a wrong seed, option or persona. What was in progress before then still is.
            EpisodeOverError: on a ``reset_mask`` before the first reset, or after a step that failed half-way.
        """
        rows, chosen = self._check_reset(seed, options)
        seeds = lane_streams(self._seeds, seed, self.num_envs, self.np_random)
        opened = {i: self._table.open(seeds[i], chosen) for i in rows.tolist()}
        for i in opened:
            seeds[i].advance()
        self._seeds = [seeds[i] if i in opened else self._seeds[i] for i in range(self.num_envs)]
        self._lanes = [opened[i] if i in opened else self._lanes[i] for i in range(self.num_envs)]
        self._over[rows] = False
        self._no_step = None
        return self._observations(), _columns(
            [opened[i].start_info() if i in opened else {} for i in range(self.num_envs)]
        )

    def step(
        self, actions: Sequence[str]
    ) -> tuple[Observations, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Say one message in every lane.

        Returns:
            Observations; rewards [num_envs] (float64); terminations and truncations [num_envs] (bool); info.

        Raises:
            UsageError: the actions are no sequence of ``num_envs`` strings; nothing has happened then.
            EpisodeOverError: there are no episodes in progress, or in DISABLED mode one is over. An error of a manager,
                reader or reward, and Ctrl-C, end all episodes: after one, only a full ``reset`` goes on.
        """
        self._check_ready()
        self._check_messages(actions)
        self._no_step = BROKEN_OFF  # until the whole exchange is played
        late = self._over  # under NEXT_STEP these are opened now, in place of being played
        playing = np.flatnonzero(~late).tolist()
        results = self._table.exchange([self._lanes[i] for i in playing], [actions[i] for i in playing])
        rewards = np.zeros(self.num_envs)
        terminations, truncations = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i, result in zip(playing, results, strict=True):
            rewards[i], terminations[i], truncations[i], infos[i] = self._lanes[i].take(result)
        self._over = terminations | truncations
        opening = late
        if self._mode is AutoresetMode.SAME_STEP:
            opening, self._over = self._over, late
        for i in np.flatnonzero(opening).tolist():
            ended = self._lanes[i].observation()
            self._lanes[i] = self._table.open(self._seeds[i], {})
            self._seeds[i].advance()
            final = {"final_obs": ended, "final_info": infos[i]} if self._mode is AutoresetMode.SAME_STEP else {}
            infos[i] = self._lanes[i].start_info() | final
        self._no_step = None
        return self._observations(), rewards, terminations, truncations, _columns(infos)

    def _check_messages(self, actions: Any) -> None:
        """Raise ``UsageError`` if actions are not one string per lane."""
        array = isinstance(actions, np.ndarray) and actions.ndim == 1
        if isinstance(actions, str) or not (isinstance(actions, Sequence) or array):
            raise UsageError(
                f"expected a sequence of {self.num_envs} messages, got {type(actions).__name__}: pass a list of str"
            )
        if len(actions) != self.num_envs:
            raise UsageError(f"expected {self.num_envs} messages, got {len(actions)}: pass one per environment")
        for message in actions:
            check_message(message)

    def _observations(self) -> Observations:
        seen = [lane.observation() for lane in self._lanes]
        return {
            "task": tuple(o["task"] for o in seen),
            "message": tuple(o["message"] for o in seen),
            "history": tuple(o["history"] for o in seen),
            "turn": np.array([o["turn"] for o in seen], dtype=np.int64),
        }

    def views(self) -> list[AgentView]:
        """Return what a ``Policy`` may see in each lane.

        Raises:
            EpisodeOverError: nothing was opened yet, or the last step failed half-way.
        """
        if self._no_step is not None:
            raise EpisodeOverError(self._no_step)
        return [agent_view(lane.negotiation) for lane in self._lanes]

    def render(self) -> tuple[str, ...] | None:
        """Return each lane's transcript so far (``"ansi"``), or None."""
        return tuple(lane.transcript() for lane in self._lanes) if self.render_mode == "ansi" else None


def _columns(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what each lane has to tell as object arrays [N] by name, None where a lane lacks it, and their masks."""
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for info in infos for name in info):
        column = np.empty(len(infos), dtype=object)
        column[:] = [info.get(name) for info in infos]
        columns[name] = column
        columns[f"_{name}"] = np.array([name in info for info in infos])
    return columns
