"""The native vector form of HotelNegotiation-v0: many negotiations in lock-step.

What pays is batched: scoring, and the language model of an LLM-worded manager. Each lane's transcript is the one that
the single environment gives for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from negotiation_env.arguments import (
    ScenarioSource,
    SeedStream,
    Suite,
    check_options,
    check_render_mode,
    check_turns,
    lane_seeds,
)
from negotiation_env.env import TextLane, TextObservation, text_observation_space
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.exchange import MAX_MESSAGE, exchange, open_negotiation
from negotiation_env.protocols import AgentView
from negotiation_env.reading.lexicon import lexicon
from negotiation_env.registry import load_reward
from negotiation_env.rollout import agent_view
from negotiation_env.scenario import Scenario
from negotiation_env.spaces import Utterance

Observations = dict[str, Any]


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
        scenario: Scenario | None = None,
        suite: str | Suite | None = None,
        persona: object | None = None,
        manager: object = "rules",
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
        self._reward = load_reward(reward)
        lexicon()  # read now, so that no message waits for it
        self.single_action_space = Utterance(MAX_MESSAGE)
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
        results = exchange([lane.negotiation for lane in self._lanes], actions, self._manager, self._reward)
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
        info_columns = {key: _column([info[key] for info in infos]) for key in ("reward", "messages", "stage", "fault")}
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
