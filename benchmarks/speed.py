"""Speed as ratios taken in one run: ``python -m benchmarks.speed`` (``make bench-speed``).

Each figure compares this project with CartPole-v1 of the same Gymnasium, in alternating rounds in one process, and is
the median over rounds; the machine's noise falls on both sides. The agent's messages are recorded first, from the
heuristic policy on sampled scenarios, so no policy is timed. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import gymnasium as gym
from rich.console import Console
from rich.table import Table

from negotiation_env.engines.protocol import EngineMissingError
from negotiation_env.registry import load_manager, load_policy, load_reward
from negotiation_env.rollout import rollout
from negotiation_env.scenario import sample_scenario

Messages = list[list[str]]
ROUNDS = 7
EPISODES = 60
"""Episodes a round; every round plays others, since sentences once read are remembered."""
LLM_LANES, LLM_TURNS = 64, 4
ANSWERING = "loyal-partner"
"""A persona that hardly ever leaves a message unanswered."""


def _median_ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median of ours / theirs over alternating rounds, and the median of ours (both in steps per second)."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(a / b for a, b in pairs), statistics.median(a for a, _ in pairs)


def _recorded_messages(count: int) -> Messages:
    """Return the heuristic policy's messages in the sampled scenarios 0 to ``count - 1``."""
    scenarios = [sample_scenario(seed) for seed in range(count)]
    manager, reward = load_manager("rules"), load_reward("repo")
    episodes = rollout(load_policy("heuristic"), scenarios, manager=manager, reward=reward)
    return [[turn.text for turn in episode.turns] for episode in episodes]


def cartpole_scalar(steps: int = 20_000) -> float:
    """CartPole-v1 through ``gym.make``, resets included, steps per second."""
    env = gym.make("CartPole-v1")
    env.reset(seed=0)
    start = time.perf_counter()
    for i in range(steps):
        _, _, terminated, truncated, _ = env.step(i & 1)
        if terminated or truncated:
            env.reset()
    return steps / (time.perf_counter() - start)


def text_scalar(messages: Messages, seeds: range) -> float:
    """The text environment through ``gym.make``, rule manager and full reward, resets included, steps per second."""
    env = gym.make("HotelNegotiation-v0")
    steps = 0
    start = time.perf_counter()
    for seed in seeds:
        lines = messages[seed]
        env.reset(seed=seed)
        for line in lines:
            env.step(line)
            steps += 1
    return steps / (time.perf_counter() - start)


def text_batch(messages: Messages, seeds: range, lanes: int = 256, steps: int = 12) -> float:
    """The native vector text environment, negotiation steps per second."""
    env = gym.make_vec("HotelNegotiation-v0", num_envs=lanes, vectorization_mode="vector_entry_point")
    env.reset(seed=seeds.start)
    own = [messages[seeds[i % len(seeds)]] for i in range(lanes)]
    columns = [[lines[t % len(lines)] for lines in own] for t in range(steps)]
    start = time.perf_counter()
    for column in columns:
        env.step(column)
    return lanes * steps / (time.perf_counter() - start)


def vector(name: str, lanes: int, steps: int) -> float:
    """A native vector environment with random actions drawn beforehand, steps per second."""
    env = gym.make_vec(name, num_envs=lanes, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    start = time.perf_counter()
    for i in range(steps):
        env.step(actions[i % len(actions)])
    return lanes * steps / (time.perf_counter() - start)


def _llm_replies(lanes: int, first: int, manager: str, policy: str) -> float:
    """Language-model replies per second of dialogues in lock-step, with a hotel that answers."""
    scenarios = [sample_scenario(first + i) for i in range(lanes)]
    played, hotel, reward = load_policy(policy), load_manager(manager), load_reward("repo")
    start = time.perf_counter()
    episodes = rollout(
        played, scenarios, manager=hotel, reward=reward, personas=[ANSWERING] * lanes, max_turns=LLM_TURNS
    )
    turns = [turn for episode in episodes for turn in episode.turns]
    replies = len(turns) if manager == "rules" else sum(bool(turn.answer) for turn in turns)
    return replies / (time.perf_counter() - start)


def llm_batching(manager: str, policy: str) -> tuple[float, float]:
    """Replies per second of 64 dialogues in lock-step over those of one, and the former."""
    _llm_replies(1, 10_000, manager, policy)
    many, alone = [], []
    for k in range(2):
        many.append(_llm_replies(LLM_LANES, 11_000 + 100 * k, manager, policy))
        alone += [_llm_replies(1, 12_000 + 10 * k + i, manager, policy) for i in range(4)]
    return statistics.mean(many) / statistics.mean(alone), statistics.mean(many)


def main() -> int:
    """Measure, print, and return 1 if a target is missed."""
    # In a process of its own, so that no sentence is remembered here before it is timed.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as recorder:
        messages = recorder.submit(_recorded_messages, 2 * (ROUNDS + 1) * EPISODES).result()
    slices = iter([range(k, k + EPISODES) for k in range(0, len(messages), EPISODES)])
    rows: list[tuple[str, float, float, float]] = []
    ratio, rate = _median_ratio(lambda: text_scalar(messages, next(slices)), cartpole_scalar)
    rows.append(("text env, scalar / CartPole scalar", ratio, 0.05, rate))
    ratio, rate = _median_ratio(lambda: text_batch(messages, next(slices)), cartpole_scalar)
    rows.append(("text env, per negotiation in a batch of 256 / CartPole scalar", ratio, 0.10, rate))
    ratio, rate = _median_ratio(
        lambda: vector("HotelNegotiationStrategy-v0", 4096, 40), lambda: vector("CartPole-v1", 4096, 400)
    )
    rows.append(("numeric vector env, 4,096 / CartPole vector, 4,096", ratio, 0.05, rate))
    try:
        for label, manager, policy in (("policy", "rules", "base"), ("manager", "llm", "heuristic")):
            ratio, rate = llm_batching(manager, policy)
            rows.append((f"64 dialogues of an LLM {label} in lock-step / one, replies per second", ratio, 12.0, rate))
    except EngineMissingError as error:
        print(f"LLM figures left out: {error}")
    table = Table("figure", "ratio", "target", "per second", title="Speed, medians of alternating rounds")
    for name, ratio, target, rate in rows:
        table.add_row(name, f"{ratio:.3f}", f">= {target}", f"{rate:,.0f}")
    Console().print(table)
    return int(any(ratio < target for _, ratio, target, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
