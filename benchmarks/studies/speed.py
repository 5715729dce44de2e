"""Speed as ratios taken in one run: ``negotiate study speed`` (``make bench-speed``).

Each figure compares this project with CartPole-v1 of the same Gymnasium, in alternating rounds in one process, and is
the median over rounds; the machine's noise falls on both sides. The agent's messages are recorded first, from the
heuristic policy on sampled scenarios, so no policy is timed. Exit status 1 if a target is missed. ``--parts`` shows
instead where a step of the text environment spends its time: functions are wrapped in a clock while recorded messages
are played, so a part's figure holds the clock's own tenth of a microsecond per call; what no part accounts for stands
as "rest". That is processor time, not time on the wall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import gymnasium as gym
import typer
from rich.console import Console
from rich.table import Table

import negotiation_env.envs.text as text
import negotiation_env.play.exchange as steps
import simulators.managers.rule_manager as manager
from negotiation_env.engines import ChatModel, ChatReply, ChatRequest, load_engine
from negotiation_env.engines.chat_model import EngineMissingError, adapted
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from rewards.judge.distilled_judge import DistilledJudge
from rewards.model.ngram_model import NgramRewardModel
from rewards.repo import RepoReward
from rewards.rules.rule_reward import RuleReward
from simulators.dynamics import Dynamics
from simulators.managers.llm_manager import LlmManager, voice_engine

PARTS: tuple[tuple[str, tuple[tuple[object, str], ...]], ...] = (
    ("reading", ((steps, "readings_of"),)),
    ("what the reply does", ((steps, "take_in"),)),
    ("reward model", ((NgramRewardModel, "score_batch"),)),
    ("judge", ((DistilledJudge, "judge"),)),
    ("rules", ((RuleReward, "score"),)),
    ("composition", ((RepoReward, "_compose"),)),
    ("game", ((steps, "apply_move"), (steps, "apply_decision"))),
    ("manager's hearing", ((manager, "content_of"), (manager, "hear"))),
    ("manager's decision", ((Dynamics, "decide"),)),
    ("manager's words", ((manager, "_remark"), (manager, "worded_reply"))),
    ("observation and info", ((text.TextLane, "take"), (text.TextLane, "observation"), (text, "_columns"))),
    ("new negotiations", ((text, "open_negotiation"),)),
)
"""Names of the parts, and the functions (owner, name) that each consists of; none calls another."""


def _clocked(function: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds the time it takes to ``spent[part]``, in seconds."""

    def clocked(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        result = function(*args, **kwargs)
        spent[part] += time.thread_time() - start
        return result

    return clocked


def parts_of(play: Callable[[], int]) -> dict[str, float]:
    """Return microseconds per step by part, in order, then "rest" and "all". ``play`` plays steps, returns how many."""
    spent = dict.fromkeys((part for part, _ in PARTS), 0.0)
    with ExitStack() as patched:
        for part, functions in PARTS:
            for owner, name in functions:
                patched.enter_context(patch.object(owner, name, _clocked(getattr(owner, name), part, spent)))
        start = time.thread_time()
        count = play()
        whole = time.thread_time() - start
    spent["rest"] = whole - sum(spent.values())
    return {part: seconds / count * 1e6 for part, seconds in (*spent.items(), ("all", whole))}


def parts_table(columns: dict[str, dict[str, float]]) -> Table:
    """Return the parts' microseconds per step as a table, one column per environment."""
    table = Table("part", *columns, title="Microseconds per step of the text environment, by part")
    for part in next(iter(columns.values())):
        table.add_row(part, *(f"{column[part]:.1f}" for column in columns.values()))
    return table


Messages = list[list[str]]
SpeedRow = tuple[str, float, float, float]
"""A figure's name, its ratio, the least that is wanted, and our side's rate per second."""
ROUNDS = 7
EPISODES = 60
"""Episodes a round; every round plays others, since sentences once read are remembered."""
LANES, STEPS = 256, 12
"""Size of a batch, and steps in it a round."""
LLM_LANES, LLM_TURNS = 64, 4
LLM_ROUNDS, LLM_ALONE = 3, 8
"""Rounds of the language-model figures, and how many of a round's dialogues are played one at a time as well."""
VOICED, VOICED_TURNS = 16, 2
"""Dialogues beside the bare engine, and turns of each."""
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


def _play_scalar(messages: Messages, seeds: range) -> Callable[[], int]:
    """Return what plays the seeds' episodes in the text environment, through ``gym.make``, and counts the steps."""
    env = gym.make("HotelNegotiation-v0")

    def play() -> int:
        for seed in seeds:
            env.reset(seed=seed)
            for line in messages[seed]:
                env.step(line)
        return sum(len(messages[seed]) for seed in seeds)

    return play


def _vector_text_env() -> Any:
    """Return the native vector text environment."""
    return gym.make_vec("HotelNegotiation-v0", num_envs=LANES, vectorization_mode="vector_entry_point")


def _recorded_batch(seed: int) -> Messages:
    """Return the heuristic policy's messages to the vector environment reset with a seed: per step, one per lane."""
    env, policy = _vector_text_env(), load_policy("heuristic")
    env.reset(seed=seed)
    steps: Messages = []
    for _ in range(STEPS):
        steps.append([reply.text for reply in policy.reply(env.unwrapped.views())])
        env.step(steps[-1])
    return steps


def _play_batch(steps: Messages, seed: int) -> Callable[[], int]:
    """Return what plays recorded steps in the vector text environment and counts them, one per lane."""
    env = _vector_text_env()
    env.reset(seed=seed)

    def play() -> int:
        for texts in steps:
            env.step(texts)
        return LANES * len(steps)

    return play


def _per_second(play: Callable[[], int]) -> float:
    """Return the steps per second of what plays steps."""
    start = time.perf_counter()
    count = play()
    return count / (time.perf_counter() - start)


def text_scalar(messages: Messages, seeds: range) -> float:
    """The text environment through ``gym.make``, rule manager and full reward, resets included, steps per second."""
    return _per_second(_play_scalar(messages, seeds))


def text_batch(steps: Messages, seed: int) -> float:
    """The native vector text environment, negotiation steps per second."""
    return _per_second(_play_batch(steps, seed))


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


def _llm_replies(seeds: Sequence[int], manager: str, policy: str, at_once: int) -> float:
    """Language-model replies per second of so many dialogues in lock-step at a time, with a hotel that answers."""
    scenarios = [sample_scenario(seed) for seed in seeds]
    played, hotel, reward = load_policy(policy), load_manager(manager), load_reward("repo")
    _forget_prompts(load_engine("smollm2"))
    start = time.perf_counter()
    personas = [ANSWERING] * len(seeds)
    episodes = rollout(
        played, scenarios, manager=hotel, reward=reward, personas=personas, max_turns=LLM_TURNS, batch_size=at_once
    )
    turns = [turn for episode in episodes for turn in episode.turns]
    replies = len(turns) if manager == "rules" else sum(bool(turn.answer) for turn in turns)
    return replies / (time.perf_counter() - start)


def _forget_prompts(engine: ChatModel) -> None:
    """Empty an engine's memory of prompts, where it has one: the same dialogues may have been played before."""
    forget = getattr(engine, "forget_prompts", None)
    if forget is not None:
        forget()


class _AskedEngine:
    """An engine that remembers what it was asked for and how many tokens it made."""

    def __init__(self, engine: ChatModel) -> None:
        self.engine, self.spec = engine, engine.spec
        self.adapter = "voice" if adapted(engine) else None
        self.asked: list[ChatRequest] = []
        self.tokens = 0

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        replies = self.engine.generate(requests)
        self.asked += requests
        self.tokens += sum(len(reply.token_ids) for reply in replies)
        return replies


class VoicedSpeed(NamedTuple):
    """How fast dialogues with a voiced manager are, beside the bare engine.

    Attributes:
        answers: of the manager.
        asked: replies asked of the engine for them, those that did not pass included.
        tokens: of those replies, as the dialogues made them and as the bare engine did.
        seconds: taken by the dialogues, and by the bare engine.
    """

    answers: int
    asked: int
    tokens: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Answers per second in dialogues, over those of the bare engine."""
        return self.seconds[1] / self.seconds[0]


def voiced_speed(dialogues: int, engine: str = "smollm2", turns: int = VOICED_TURNS) -> VoicedSpeed:
    """Play dialogues with a voiced manager in lock-step, then have the bare engine make the same replies.

    It is asked for them in the order of the dialogues, in full batches of as many as there are dialogues; prompts are
    new to it both times.
    """
    bare = load_engine(voice_engine(engine))
    agent, reward = load_policy("heuristic"), load_reward("repo")
    asked = _AskedEngine(bare)

    def play(seeds: Sequence[int]) -> int:
        scenarios, who = [sample_scenario(seed) for seed in seeds], [ANSWERING] * len(seeds)
        hotel = LlmManager(asked)
        rollout(agent, scenarios, manager=hotel, reward=reward, personas=who, max_turns=turns, batch_size=len(seeds))
        return sum(hotel.counts[how] for how in ("first", "retry", "template"))

    play([10_000])  # opens the reader, and finds the engine's batch sizes
    asked.asked, asked.tokens = [], 0
    _forget_prompts(bare)
    start = time.perf_counter()
    answers = play(range(11_000, 11_000 + dialogues))
    played = time.perf_counter() - start
    _forget_prompts(bare)
    start = time.perf_counter()
    again = [bare.generate(asked.asked[k : k + dialogues]) for k in range(0, len(asked.asked), dialogues)]
    alone = time.perf_counter() - start
    tokens = sum(len(reply.token_ids) for replies in again for reply in replies)
    return VoicedSpeed(answers, len(asked.asked), (asked.tokens, tokens), (played, alone))


def llm_batching(manager: str, policy: str) -> tuple[float, float]:
    """Replies per second of 64 dialogues in lock-step over those of one, and the former; medians of rounds.

    Some of the same dialogues are played one at a time, since dialogues differ in how long their replies are.
    """
    _llm_replies([10_000], manager, policy, 1)
    rounds = []
    for k in range(LLM_ROUNDS):
        seeds = range(11_000 + 100 * k, 11_000 + 100 * k + LLM_LANES)
        many = _llm_replies(seeds, manager, policy, LLM_LANES)
        rounds.append((many / _llm_replies(seeds[:: LLM_LANES // LLM_ALONE], manager, policy, 1), many))
    return statistics.median(ratio for ratio, _ in rounds), statistics.median(many for _, many in rounds)


def _batch_seed(number: int) -> int:
    """Return the seed of a round's batch; no two rounds share a scenario."""
    return 100_000 + LANES * number


def _show_parts() -> None:
    """Print where a step of the text environment spends its time, alone and in a batch."""
    # In a process of its own, so that no sentence is remembered here before it is timed.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as recorder:
        messages = recorder.submit(_recorded_messages, 2 * EPISODES).result()
        batches = [(recorder.submit(_recorded_batch, seed).result(), seed) for seed in map(_batch_seed, range(2))]
    _play_scalar(messages, range(EPISODES))()
    _play_batch(*batches[0])()
    scalar = parts_of(_play_scalar(messages, range(EPISODES, 2 * EPISODES)))
    Console().print(parts_table({"scalar": scalar, f"batch of {LANES}": parts_of(_play_batch(*batches[1]))}))


def study(
    parts: Annotated[bool, typer.Option("--parts", help="Show where a step spends its time instead.")] = False,
    voiced: Annotated[
        int | None, typer.Option(min=1, help="Measure that many voiced dialogues beside the bare engine instead.")
    ] = None,
) -> int:
    """Measure speed as ratios taken in one run; exit status 1 if a target is missed."""
    if parts:
        _show_parts()
        return 0
    if voiced is not None:
        return _shown([_voiced_row(voiced)])
    # In a process of its own, so that no sentence is remembered here before it is timed.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as recorder:
        messages = recorder.submit(_recorded_messages, (ROUNDS + 1) * EPISODES).result()
        seeds = [_batch_seed(number) for number in range(ROUNDS + 1)]
        batches = iter([(recorder.submit(_recorded_batch, seed).result(), seed) for seed in seeds])
    slices = iter([range(k, k + EPISODES) for k in range(0, len(messages), EPISODES)])
    rows: list[SpeedRow] = []
    ratio, rate = _median_ratio(lambda: text_scalar(messages, next(slices)), cartpole_scalar)
    rows.append(("text env, scalar / CartPole scalar", ratio, 0.05, rate))
    ratio, rate = _median_ratio(lambda: text_batch(*next(batches)), cartpole_scalar)
    rows.append(("text env, per negotiation in a batch of 256 / CartPole scalar", ratio, 0.10, rate))
    ratio, rate = _median_ratio(
        lambda: vector("HotelNegotiationStrategy-v0", 4096, 40), lambda: vector("CartPole-v1", 4096, 400)
    )
    rows.append(("numeric vector env, 4,096 / CartPole vector, 4,096", ratio, 0.05, rate))
    try:
        for label, manager, policy in (("policy", "rules", "base"), ("manager", "llm", "heuristic")):
            ratio, rate = llm_batching(manager, policy)
            rows.append((f"64 dialogues of an LLM {label} in lock-step / one, replies per second", ratio, 12.0, rate))
        rows.append(_voiced_row(VOICED))
    except EngineMissingError as error:
        print(f"LLM figures left out: {error}")
    return _shown(rows)


def _voiced_row(dialogues: int) -> SpeedRow:
    """Measure voiced dialogues beside the bare engine, and tell what they were asked for."""
    found = voiced_speed(dialogues)
    made, again = found.tokens
    print(
        f"{found.answers} voiced answers took {found.asked} replies of {made} tokens: {found.seconds[0]:.1f} s in "
        f"dialogues, {found.seconds[1]:.1f} s by the bare engine ({again} tokens)"
    )
    rate = found.answers / found.seconds[0]
    return f"{dialogues} voiced dialogues in lock-step / the bare engine, same replies", found.ratio, 0.8, rate


def _shown(rows: Sequence[SpeedRow]) -> int:
    """Print the rows and return the exit status: 1 if a target is missed."""
    table = Table("figure", "ratio", "target", "per second", title="Speed, medians of alternating rounds")
    for name, ratio, target, rate in rows:
        table.add_row(name, f"{ratio:.3f}", f">= {target}", f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}")
    Console().print(table)
    return int(any(ratio < target for _, ratio, target, _ in rows))
