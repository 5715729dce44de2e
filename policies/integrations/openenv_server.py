"""The text environment as a server of OpenEnv, version 0.10, and its client.

    negotiate serve --port 8000

    with NegotiationClient(base_url="http://localhost:8000").sync() as talks:
        heard = talks.reset(seed=3)
        while not heard.done:
            heard = talks.step(Say(message=policy(heard.observation)))

A session (one WebSocket) plays one negotiation after the other; a step's ``reward`` is that reply's own R_total, None
where it was not scored, and ``metadata`` is what the text environment gives as ``info``. A trainer keeps the rewards
by turn and credits each to its reply's tokens (``policies.turn_credit``).

What the hotel knows stays in this process: floors, persona and mood are in no observation, metadata, state or schema.
Of an error or a fault only its kind is sent; where it was raised is logged here. Scenario files, personas and models
are the server's to choose, not the client's. Sessions play one exchange at a time, as they share manager and reward.

Needs the ``openenv`` extra, in an environment of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, EnvironmentMetadata, Observation, State
from pydantic import Field

from negotiation_env.envs.arguments import load_suite
from negotiation_env.envs.text import HotelNegotiationEnv, plain_info
from negotiation_env.errors import EpisodeOverError, UsageError
from negotiation_env.play.exchange import MAX_MESSAGE
from negotiation_env.play.own_parts import error_line
from negotiation_env.play.registry import AUTO, load_manager, load_reward, reader_for

NAME = "hotel-negotiation"
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Say(Action):
    """One message of the agent."""

    message: str = Field(description=f"What the agent says; cut after {MAX_MESSAGE} characters.")


class Talks(Observation):
    """What the agent sees, as the text environment's observation; ``done`` and ``reward`` are OpenEnv's own."""

    task: str = Field(description="The task card: hotel, rooms, targets to keep secret, facts, promises.")
    message: str = Field(description="The manager's last message; empty before the first, and for silence.")
    history: list[str] = Field(description="All messages, the agent's first, alternating.")
    turn: int = Field(description="Replies made.")
    truncated: bool = Field(False, description="Whether the negotiation was cut off, and did not come to an end.")


class NegotiationServer(Environment[Say, Talks, State]):
    """One session: HotelNegotiation-v0 in OpenEnv's terms.

    Args:
        environment: the text environment that is played.
        lock: held during play, as sessions share parts.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, environment: HotelNegotiationEnv, lock: Lock) -> None:
        super().__init__()
        self._environment, self._lock = environment, lock
        self._state = State()

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Talks:
        """Open the seed's negotiation, or the next of the session's stream of seeds.

        Raises:
            UsageError: on a seed that is no int of at least 0.
        """
        observation, info = self._safely(lambda: self._environment.reset(seed=seed))
        self._state = State(episode_id=episode_id, step_count=0)
        return _talks(observation, info)

    def step(self, action: Say, timeout_s: float | None = None) -> Talks:
        """Say a message and hear the manager's answer. ``timeout_s`` is OpenEnv's, and not kept.

        Raises:
            EpisodeOverError: where no negotiation is in progress.
        """
        observation, _, ended, truncated, info = self._safely(lambda: self._environment.step(action.message))
        self._state.step_count += 1
        told = _talks(observation, info)
        told.done, told.truncated, told.reward = ended or truncated, truncated, info["reward"]["total"]
        return told

    @property
    def state(self) -> State:
        """The episode's id and its count of steps; nothing of the hotel's."""
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        """Say what is played."""
        about = "Negotiate hotel rates in free language with a simulated manager; rewards at every reply."
        return EnvironmentMetadata(name=NAME, description=about)

    def _safely(self, play: Callable[[], T]) -> T:
        """Return what a call returns; what it raises is sent without the words of the hotel's side."""
        with self._lock:
            try:
                return play()
            except (UsageError, EpisodeOverError):
                raise
            except Exception as error:  # noqa: BLE001 - a manager or reward of the user's own may raise anything
                _log.error("a negotiation broke off: %s", error_line(error, private=True))
                # Without the error itself, whose words a log of the web server's would have.
                raise RuntimeError("the negotiation broke off: see the server's log, and reset") from None


def _talks(observation: Any, info: dict[str, Any]) -> Talks:
    told = plain_info(info)
    if told["fault"]:
        _log.warning("a fault: %s", told["fault"])
        told["fault"] = told["fault"].partition(":")[0]
    return Talks(
        task=observation["task"],
        message=observation["message"],
        history=list(observation["history"]),
        turn=int(observation["turn"]),
        metadata=told,
    )


class NegotiationClient(EnvClient[Say, Talks, State]):
    """The client of a server of this module; ``sync()`` gives one that is not awaited."""

    def _step_payload(self, action: Say) -> dict[str, Any]:
        payload: dict[str, Any] = action.model_dump()
        return payload

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Talks]:
        reward, done = payload.get("reward"), payload.get("done", False)
        heard = Talks(**payload["observation"], reward=reward, done=done)
        return StepResult(heard, reward, done, payload.get("metadata"))

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(**payload)


def make_app(
    manager: object = "rules",
    reward: object = "repo",
    reader: object = AUTO,
    suite: str | Path | None = None,
    persona: object | None = None,
    llm: str = "smollm2",
    max_turns: int = 20,
    sessions: int = 64,
) -> Any:
    """Return the server as a FastAPI application.

    Args:
        manager: the hotel's side, as ``gymnasium.make`` takes it.
        reward: as ``gymnasium.make`` takes it.
        reader: name or object; "auto" takes what suits a language model.
        suite: whose scenarios are played; None: sampled ones.
        persona: the manager's, as ``gymnasium.make`` takes it.
        llm: engine spec of a manager that speaks through a language model.
        max_turns: replies after which a negotiation is cut off.
        sessions: how many may be open at a time, at least 1.

    Raises:
        UsageError: on a wrong argument.
    """
    if sessions < 1:
        raise UsageError(f"expected sessions >= 1, got {sessions}: pass how many clients may play at a time")
    lock, shared = Lock(), (load_manager(manager, llm), reader_for(None, reader), load_reward(reward))
    played = None if suite is None else load_suite(suite)

    def environment() -> NegotiationServer:
        made = HotelNegotiationEnv(None, played, persona, *shared, llm, max_turns)
        return NegotiationServer(made, lock)

    environment()  # a wrong argument is told now, and not to the first client
    return create_app(environment, Say, Talks, env_name=NAME, max_concurrent_envs=sessions)
