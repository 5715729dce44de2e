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
    seed_stream,
)
from negotiation_env.envs.spaces import MessageSpace
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
    path, object; default: drawn from the seed), `manager` (`"rules"`, `"llm"`, `"replay:PATH"`, `"demanding:SHARE"`, or
    an object), `reader` (`"rules"`, `"encoder"`, or an object), `reward` (`"repo"`, `"outcome"`, `"module:function"`,
    an object or a function of a reply's view), `llm` (engine spec, default `"smollm2"`), `max_turns` (default 20),
    `render_mode` (`"ansi"`, `"human"`).
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
        self._max_turns = check_turns(max_turns)
        self._source = ScenarioSource(scenario, suite, persona)
        self._manager = self._source.manager(manager, llm)
        self._reader = load_reader(reader)
        self._reward = load_reward(reward)
        lexicon()  # read now, so that no message waits for it
        self._seeds: SeedStream | None = None
        self._lane: TextLane | None = None
        self._over = True
        self.action_space = MessageSpace(MAX_MESSAGE)
        self.observation_space = text_observation_space(max_turns)  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[TextObservation, dict[str, Any]]:
        """Start the seed's negotiation, or the next one of the stream that the last seed began."""
        super().reset(seed=seed)
        chosen = check_options(options)
        self._seeds = seed_stream(self._seeds, seed, self.np_random)
        scenario, persona = self._source.next(self._seeds, chosen)
        self._lane = TextLane(open_negotiation(scenario, self._manager, persona), self._max_turns)
        self._over = False
        return self._lane.observation(), self._lane.start_info()

    def step(self, action: str) -> tuple[TextObservation, float, bool, bool, dict[str, Any]]:
        """Say ``action`` to the manager; return its answer and the reply's reward."""
        if self._lane is None or self._over:
            raise EpisodeOverError("expected an episode in progress, got none: call reset() first")
        result = exchange([self._lane.negotiation], [action], self._manager, self._reward, self._reader)[0]
        reward, terminated, truncated, info = self._lane.take(result)
        self._over = terminated or truncated
        if self.render_mode == "human":
            print("\n".join(self._lane.transcript().splitlines()[-2:]))
        return self._lane.observation(), reward, terminated, truncated, info

    def render(self) -> str | None:
        """Return the transcript so far (``"ansi"``); in ``"human"`` mode each turn was printed already."""
        return self._lane.transcript() if self.render_mode == "ansi" and self._lane is not None else None

    def view(self) -> AgentView:
        """Return what a ``Policy`` may see now, to play a registered policy by hand in this environment."""
        if self._lane is None:
            raise EpisodeOverError("expected an episode in progress, got none: call reset() first")
        return agent_view(self._lane.negotiation)


Observations = dict[str, Any]
_COLUMNS = ("reward", "messages", "stage", "fault", "reading")
"""What ``info`` holds after every step."""


class HotelNegotiationVectorEnv(VectorEnv[Observations, Sequence[str], NDArray[Any]]):
    """``num_envs`` text negotiations; see ``HotelNegotiationEnv`` for the game and the arguments.

    Actions are a sequence of ``num_envs`` strings. Observations are a dict of tuples (``turn`` an int64 array), one
    entry a lane. Autoreset is SAME_STEP: a lane that ends is reset at once, and its last observation and ``info``
    stand in ``info["final_obs"]`` and ``info["final_info"]`` (object arrays; None elsewhere). ``info["reward"]`` and
    the other per-turn entries are object arrays, one entry a lane.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as in gymnasium.vector.VectorEnv
        "render_modes": ["ansi", "human"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

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
    ) -> None:
        """Make the environments. Raises ``UsageError`` on a wrong argument."""
        if num_envs < 1:
            raise UsageError(f"expected num_envs >= 1, got {num_envs}")
        self.num_envs = num_envs
        self.render_mode = check_render_mode(render_mode)
        self._max_turns = check_turns(max_turns)
        self._source = ScenarioSource(scenario, suite, persona)
        self._manager = self._source.manager(manager, llm)
        self._reader = load_reader(reader)
        self._reward = load_reward(reward)
        lexicon()  # read now, so that no message waits for it
        self.single_action_space = MessageSpace(MAX_MESSAGE)
        self.single_observation_space = text_observation_space(max_turns)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._seeds: list[SeedStream] = []
        self._lanes: list[TextLane] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start every lane. An int seeds lane i with ``seed + i``; a sequence gives each lane its own."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        chosen = check_options(options)
        if seed is not None or not self._seeds:
            self._seeds = [SeedStream(s) for s in lane_seeds(seed, self.num_envs, self.np_random)]
        self._lanes = [self._open(i, chosen) for i in range(self.num_envs)]
        infos = [lane.start_info() for lane in self._lanes]
        return self._observations(), {key: _column([info[key] for info in infos]) for key in infos[0]}

    def _open(self, i: int, options: dict[str, Any]) -> TextLane:
        scenario, persona = self._source.next(self._seeds[i], options)
        return TextLane(open_negotiation(scenario, self._manager, persona), self._max_turns)

    def step(
        self, actions: Sequence[str]
    ) -> tuple[Observations, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Say one message in every lane."""
        if not self._lanes:
            raise EpisodeOverError("expected episodes in progress, got none: call reset() first")
        if len(actions) != self.num_envs:
            raise UsageError(f"expected {self.num_envs} messages, got {len(actions)}: one per environment")
        negotiations = [lane.negotiation for lane in self._lanes]
        results = exchange(negotiations, actions, self._manager, self._reward, self._reader)
        rewards = np.zeros(self.num_envs)
        terminations, truncations = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        infos: list[dict[str, Any]] = []
        finals: list[tuple[TextObservation, dict[str, Any]] | None] = [None] * self.num_envs
        for i, (lane, result) in enumerate(zip(self._lanes, results, strict=True)):
            rewards[i], terminations[i], truncations[i], info = lane.take(result)
            infos.append(info)
            if terminations[i] or truncations[i]:
                finals[i] = (lane.observation(), info)
                self._lanes[i] = self._open(i, {})
        info_columns = {key: _column([info[key] for info in infos]) for key in _COLUMNS}
        if any(final is not None for final in finals):
            info_columns["final_obs"] = _column([None if f is None else f[0] for f in finals])
            info_columns["final_info"] = _column([None if f is None else f[1] for f in finals])
            info_columns["_final_obs"] = info_columns["_final_info"] = np.array([f is not None for f in finals])
        return self._observations(), rewards, terminations, truncations, info_columns

    def _observations(self) -> Observations:
        seen = [lane.observation() for lane in self._lanes]
        return {
            "task": tuple(o["task"] for o in seen),
            "message": tuple(o["message"] for o in seen),
            "history": tuple(o["history"] for o in seen),
            "turn": np.array([o["turn"] for o in seen], dtype=np.int64),
        }

    def views(self) -> list[AgentView]:
        """Return what a ``Policy`` may see in each lane."""
        return [agent_view(lane.negotiation) for lane in self._lanes]

    def render(self) -> tuple[str, ...] | None:
        """Return each lane's transcript so far (``"ansi"``), or None."""
        return tuple(lane.transcript() for lane in self._lanes) if self.render_mode == "ansi" else None


def _column(values: list[Any]) -> Any:
    """Return values of any kind as an object array of shape [N]."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
