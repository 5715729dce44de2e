"""HotelNegotiation-v0: the text environment."""

from __future__ import annotations

from typing import Any, TypedDict

import gymnasium as gym
import numpy as np

from negotiation_env.arguments import (
    ScenarioSource,
    SeedStream,
    Suite,
    check_options,
    check_render_mode,
    check_turns,
    seed_stream,
)
from negotiation_env.errors import EpisodeOverError
from negotiation_env.exchange import MAX_MESSAGE, Exchange, exchange, open_negotiation, outcome_of
from negotiation_env.protocols import AgentView, Negotiation
from negotiation_env.reading.lexicon import lexicon
from negotiation_env.registry import load_reward
from negotiation_env.rollout import agent_view
from negotiation_env.scenario import Scenario
from negotiation_env.sop import STAGE_NAMES, stage_of
from negotiation_env.spaces import Utterance

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
            "task": Utterance(MAX_TASK),
            "message": Utterance(MAX_MESSAGE),
            "history": gym.spaces.Sequence(Utterance(MAX_MESSAGE)),
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
        truncated = not terminated and self.turn >= self._max_turns
        fault = reward.fault or ("; ".join(answer.faults) if answer.faults else None)
        info: dict[str, Any] = {
            "reward": reward._asdict(),
            "messages": list(self.messages),
            "stage": STAGE_NAMES[stage_of(game)],
            "fault": fault,
        }
        if terminated or truncated:
            info["outcome"] = outcome_of(self.negotiation, truncated)
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
    `Utterance(4000)`: any string; the agent's next message. What is said is data: no message raises. A message over
    4,000 characters is cut; an empty one is silence.

    ## Observation space
    A `Dict`:

    | key | space | meaning |
    |-----------|-------------------------|------------------------------------------------------------------|
    | `task` | `Utterance` | the task card: hotel, tickets (yuan per night), facts, promises |
    | `message` | `Utterance` | the manager's last message, "" before the first and for silence |
    | `history` | `Sequence(Utterance)` | all messages, the agent's first, alternating |
    | `turn` | `Discrete(max_turns+1)` | replies made |

    Target prices are on the task card and confidential; floors, mood and trust are in no observation and no `info`.

    ## Rewards
    At every turn `R_total = R_model + |R_model| * clip(E_judge + E_func, -100, 100) / 100` scores the reply: a
    preference-trained reward model, modulated by a judge and by rules. `info["reward"]` holds `total`, `model`,
    `judge`, `rules`, `enhancement` and `terms`. A source that failed leaves `total` None and says so in
    `info["fault"]`; the scalar reward is then 0 and the turn should be left out of averages.

    ## Starting state
    A scenario drawn from `reset(seed=...)`, or the one given; nothing has been said.

    ## Episode end
    Termination: every ticket is agreed or refused, the manager walks away, the agent closes, or three messages in a
    row go unanswered. Truncation: `max_turns` replies. Agreement is explicit: the manager commits to a figure and
    the agent takes it. `info["outcome"]` says how it ended. After the end, `step` raises.

    ## Arguments
    `scenario` (a `Scenario`), `suite` (a name such as `"bad-cases"`), `persona` (name, path, object; default: drawn
    from the seed), `manager` (`"rules"`, `"llm"`, `"replay:PATH"`, `"demanding:SHARE"`, or an object), `reward`
    (`"repo"` or an object), `llm` (engine spec, default `"smollm2"`), `max_turns` (default 20), `render_mode`
    (`"ansi"`, `"human"`).
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
        scenario: Scenario | None = None,
        suite: str | Suite | None = None,
        persona: object | None = None,
        manager: object = "rules",
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
        self._reward = load_reward(reward)
        lexicon()  # read now, so that no message waits for it
        self._seeds: SeedStream | None = None
        self._lane: TextLane | None = None
        self._over = True
        self.action_space = Utterance(MAX_MESSAGE)
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
        result = exchange([self._lane.negotiation], [action], self._manager, self._reward)[0]
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


__all__ = ["HotelNegotiationEnv", "TextLane", "TextObservation", "text_observation_space"]
