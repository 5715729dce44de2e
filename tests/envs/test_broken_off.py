"""A call that fails leaves no half turn: a wrong argument changes nothing, any other error ends the episode.

What a user's own part raises is a fault and no error (``tests/play/test_own_parts.py``), but for this project's errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from negotiation_env.errors import EpisodeOverError, NegotiationError, UsageError
from negotiation_env.play.registry import load_manager, load_reward
from simulators.managers.rule_manager import RuleManager

TEXT, NUMERIC = "HotelNegotiation-v0", "HotelNegotiationStrategy-v0"
BOTH = pytest.mark.parametrize("name", [TEXT, NUMERIC])
HELLO: dict[str, Any] = {TEXT: "Hello, could you offer a lower rate?", NUMERIC: np.array([4, 0, 0])}


class Failing:
    """Something that raises in one of its calls as long as ``error`` is set, and else is what it wraps."""

    def __init__(self, inner: Any, *calls: str) -> None:
        self._inner, self._calls, self.error = inner, calls, None
        self.name = "failing"

    error: BaseException | None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._failing(found) if name in self._calls else found

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            result = call(*arguments, **named)  # what it does is done when it fails
            if self.error is not None:
                raise self.error
            return result

        return called

    # Named here so that the protocols find them.
    def start(self, *arguments: Any, **named: Any) -> Any:
        return self.__getattr__("start")(*arguments, **named)

    def respond(self, *arguments: Any) -> Any:
        return self.__getattr__("respond")(*arguments)

    def score(self, *arguments: Any) -> Any:
        return self.__getattr__("score")(*arguments)

    def score_features(self, *arguments: Any) -> Any:
        return self.__getattr__("score_features")(*arguments)


def failing_dynamics() -> tuple[Any, Failing]:
    """A manager whose dynamics fail, and what fails."""

    class Dynamics(Failing):
        def decide(self, *arguments: Any) -> Any:
            return self.__getattr__("decide")(*arguments)

    manager = RuleManager()
    broken = Dynamics(manager.dynamics, "decide")
    manager.dynamics = broken  # type: ignore[assignment]
    for cast in manager._cast:
        object.__setattr__(cast, "dynamics", broken)
    return manager, broken


@pytest.mark.parametrize("error", [NegotiationError("no server"), KeyboardInterrupt()], ids=repr)
def test_after_a_manager_that_raised_only_reset_goes_on(error: BaseException) -> None:
    manager = Failing(load_manager("rules"), "respond")
    env: Any = gym.make(TEXT, manager=manager)
    env.reset(seed=3)
    env.step(HELLO[TEXT])
    manager.error = error
    with pytest.raises(type(error)):
        env.step("Could you do 300?")
    manager.error = None
    for _ in range(2):
        with pytest.raises(EpisodeOverError, match=r"last step failed half-way: call reset\(\) first"):
            env.step("Could you do 300?")
    with pytest.raises(EpisodeOverError, match="half-way"):
        env.unwrapped.view()
    env.reset(seed=3)
    after, *_ = env.step(HELLO[TEXT])
    fresh = gym.make(TEXT)
    fresh.reset(seed=3)
    assert after == fresh.step(HELLO[TEXT])[0]


@BOTH
def test_after_a_reward_that_raised_only_reset_goes_on(name: str) -> None:
    reward = Failing(load_reward("repo"), "score", "score_features")
    env: Any = gym.make(name, reward=reward)
    env.reset(seed=3)
    reward.error = NegotiationError("no judge")
    with pytest.raises(NegotiationError, match="no judge"):
        env.step(HELLO[name])
    reward.error = None
    with pytest.raises(EpisodeOverError, match="half-way"):
        env.step(HELLO[name])
    env.reset()
    env.step(HELLO[name])


def test_after_dynamics_that_raised_only_reset_goes_on() -> None:
    manager, broken = failing_dynamics()
    for env in (gym.make(NUMERIC, manager=manager), gym.make_vec(NUMERIC, num_envs=2, manager=manager)):
        action = HELLO[NUMERIC] if isinstance(env, gym.Env) else np.stack([HELLO[NUMERIC]] * 2)
        env.reset(seed=3)
        broken.error = RuntimeError("no dynamics")
        with pytest.raises(RuntimeError, match="no dynamics"):
            env.step(action)
        broken.error = None
        with pytest.raises(EpisodeOverError, match="half-way"):
            env.step(action)
        env.reset()
        env.step(action)


def test_a_batch_that_was_broken_off_is_reset_as_a_whole() -> None:
    manager = Failing(load_manager("rules"), "respond")
    envs: Any = gym.make_vec(TEXT, num_envs=2, manager=manager)
    envs.reset(seed=3)
    manager.error = NegotiationError("no server")
    with pytest.raises(NegotiationError, match="no server"):
        envs.step([HELLO[TEXT]] * 2)
    manager.error = None
    with pytest.raises(EpisodeOverError, match="half-way"):
        envs.step([HELLO[TEXT]] * 2)
    with pytest.raises(EpisodeOverError, match="half-way"):
        envs.views()
    with pytest.raises(EpisodeOverError, match="without a reset_mask"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset()
    envs.step([HELLO[TEXT]] * 2)


def test_an_autoreset_that_fails_breaks_the_batch_off() -> None:
    manager = Failing(load_manager("rules"), "start")
    envs: Any = gym.make_vec(TEXT, num_envs=2, manager=manager)
    envs.reset(seed=3)
    manager.error = RuntimeError("no persona")
    with pytest.raises(RuntimeError, match="no persona"):
        envs.step(["That is all from my side, goodbye.", HELLO[TEXT]])
    manager.error = None
    with pytest.raises(EpisodeOverError, match="half-way"):
        envs.step([HELLO[TEXT]] * 2)


@BOTH
def test_a_reset_that_fails_leaves_the_episode_and_the_seeds_as_they_were(name: str) -> None:
    env, untouched = gym.make(name), gym.make(name)
    for one in (env, untouched):
        one.reset(seed=3)
        one.step(HELLO[name])
    for wrong in ({"persona": "nobody"}, {"persona": 3}, {"scenario": 3}, {"persna": "x"}, ["persona"]):
        with pytest.raises(UsageError):
            env.reset(options=wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            env.reset(seed=9, options=wrong)  # type: ignore[arg-type]
    assert repr(env.step(HELLO[name])[:4]) == repr(untouched.step(HELLO[name])[:4])
    assert repr(env.reset()[0]) == repr(untouched.reset()[0])


def test_a_reset_of_a_batch_that_fails_leaves_it_as_it_was() -> None:
    envs: Any = gym.make_vec(TEXT, num_envs=2)
    untouched: Any = gym.make_vec(TEXT, num_envs=2)
    for one in (envs, untouched):
        one.reset(seed=3)
    with pytest.raises(UsageError):
        envs.reset(options={"persona": "nobody"})
    with pytest.raises(UsageError):
        envs.reset(seed=9, options={"persona": "nobody", "reset_mask": np.array([True, False])})
    assert repr(envs.step([HELLO[TEXT]] * 2)[0]) == repr(untouched.step([HELLO[TEXT]] * 2)[0])
    assert repr(envs.reset()[0]) == repr(untouched.reset()[0])


OUTSIDE: list[Any] = [
    np.array([13, 0, 0]),
    np.array([0, 8, 0]),
    np.array([0, 0, 11]),
    np.array([-1, 0, 0]),
    np.array([0.0, 0.0, 0.0]),
    np.array([True, False, True]),
    np.array([0, 0]),
    np.array([[0, 0, 0]]),
    [0, [1], 2],
    None,
    "hello",
    4,
]


@pytest.mark.parametrize("action", OUTSIDE, ids=repr)
def test_an_action_outside_the_space_is_refused_and_changes_nothing(action: Any) -> None:
    env: Any = gym.make(NUMERIC, render_mode="ansi").unwrapped
    env.reset(seed=3)
    for call in (env.step, env.action_text):
        with pytest.raises(UsageError, match=r"(?s)expected act.*got .*: pass .*action_space"):
            call(action)
    assert env.render() == ""
    fresh: Any = gym.make(NUMERIC)
    fresh.reset(seed=3)
    np.testing.assert_array_equal(env.step(HELLO[NUMERIC])[0], fresh.step(HELLO[NUMERIC])[0])


@pytest.mark.parametrize("action", OUTSIDE, ids=repr)
def test_a_batch_with_an_action_outside_the_space_is_refused_and_changes_nothing(action: Any) -> None:
    envs: Any = gym.make_vec(NUMERIC, num_envs=2)
    envs.reset(seed=3)
    batch = (
        [action, action] if np.asarray(action, dtype=object).ravel()[0] is True else [HELLO[NUMERIC].tolist(), action]
    )
    with pytest.raises(UsageError, match=r"(?s)expected act.*got .*: pass .*action_space"):
        envs.step(batch)
    fresh: Any = gym.make_vec(NUMERIC, num_envs=2)
    fresh.reset(seed=3)
    good = np.stack([HELLO[NUMERIC]] * 2)
    np.testing.assert_array_equal(envs.step(good)[0], fresh.step(good)[0])


def test_lists_and_small_integers_are_actions() -> None:
    env = gym.make(NUMERIC).unwrapped
    env.reset(seed=3)
    for action in ([4, 0, 0], (4, 0, 0), np.array([4, 0, 0], dtype=np.uint8)):
        env.step(action)


@pytest.mark.parametrize("action", [None, 3, b"hello", ["hello"]], ids=repr)
def test_a_message_that_is_no_string_is_refused_and_changes_nothing(action: Any) -> None:
    env: Any = gym.make(TEXT).unwrapped
    env.reset(seed=3)
    with pytest.raises(UsageError, match="expected the agent's message as a str"):
        env.step(action)
    assert env.view().agent_said == []
    env.step("Hello.")
