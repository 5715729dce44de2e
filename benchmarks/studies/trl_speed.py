"""REPO's loop against TRL's GRPOTrainer: ``python -m benchmarks.trl_speed --preset small --out FOLDER``.

Both sides have the preset's base, start, LoRA settings, number format, threads, replies per optimiser step, passes over
each reply (``epochs``), replies computed at once, and greatest reply length. Each side runs in a process of its own,
one after the other on this machine, so that its peak memory (resident set; on a GPU torch's own count) is its own. A
warm-up round is run and left out; the figures are medians over the other rounds. A sampled reply's seconds are all that
a round takes, by its replies: generating, the hotel's answers, scoring and learning. What each side does is in
``repo_side`` and ``trl_side``; TRL is charged for no reward model and no judge.

Targets: REPO's seconds per sampled reply at most 0.7 times TRL's, its peak memory at most 1.2 times. Exit status 1 if
one is missed against ``trl``; ``trl-dialogues`` is shown for comparison.
"""
# MERGED-DOC """What one side measured, and the clocks that it measures with. Knows no trainer."""
# MERGED-DOC """Our side: REPO's rounds as ``policies.training.on_policy.loop`` runs them, play and then learning.
# MERGED-DOC
# MERGED-DOC Without the loop's evaluations, checkpoints and logs, which TRL's side is spared as well. Everything else is in it: the
# MERGED-DOC value model, the reward model's and the judge's adapters, the rules, the hotel's answers.
# MERGED-DOC """

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import AgentReply, AgentView, ReplyView, Reward, RewardBreakdown
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.training.run_folder import peak_memory_mb, provenance
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.evaluation import training_scenarios
from policies.training.on_policy.loop import Learner
from policies.training.on_policy.methods import Method, load_method
from policies.training.on_policy.samples import Played, SamplingAgent, play
from rewards.judge.adapter_judge import AdapterJudge
from rewards.model.adapter_model import AdapterRewardModel, base_of
from rewards.reply_reader import ReplyReader
from rewards.repo import RepoReward

PARTS = ("generate", "score", "learn")
"""Sampling replies (with the hotel's answers, where it answers), scoring them, and learning from them."""


@dataclass(slots=True)
class Round:
    """One round: replies sampled, and the seconds from its first to its last optimiser step."""

    replies: int = 0
    reply_tokens: int = 0
    prompt_tokens: int = 0
    """Tokens of the prompts of these replies; where a dialogue is one sample, of its opening."""
    optimiser_steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Processor time of the process, all threads: what is left of the seconds on a machine that is shared."""
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    """Seconds by part."""
    cpu_parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    """Processor time by part."""


@dataclass(slots=True)
class Measured:
    """A side's rounds, the warm-up round left out, and the most memory that its process held."""

    side: str
    what: str
    rounds: list[Round]
    peak_memory_mb: float
    device: str
    threads: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Measured:
        """Read what ``to_json`` returned."""
        return cls(**(data | {"rounds": [Round(**one) for one in data["rounds"]]}))


class Clock:
    """Wall time and processor time of this process by part; what is inside another part counts for the inner one."""

    def __init__(self) -> None:
        self._parts: dict[str, np.ndarray] = {}
        self._open: list[np.ndarray] = []
        self._start = self._now()

    @staticmethod
    def _now() -> np.ndarray:
        times = os.times()
        return np.array([time.perf_counter(), times.user + times.system])

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as this part."""
        self._open.append(np.zeros(2))
        start = self._now()
        try:
            yield
        finally:
            taken = self._now() - start
            self._parts[name] = self._parts.get(name, np.zeros(2)) + taken - self._open.pop()
            if self._open:
                self._open[-1] += taken

    def lap(self, rest: str) -> Round:
        """Return a round with the time since the last lap, and begin anew; what no part has counts as ``rest``."""
        now = self._now()
        taken, parts = now - self._start, dict.fromkeys(PARTS, np.zeros(2)) | self._parts
        self._start, self._parts = now, {}
        parts[rest] = parts[rest] + taken - sum(parts.values())
        return Round(
            seconds=float(taken[0]),
            cpu_seconds=float(taken[1]),
            parts={name: float(part[0]) for name, part in parts.items()},
            cpu_parts={name: float(part[1]) for name, part in parts.items()},
        )


class TimedReward:
    """A reward whose scoring counts as the part "score"."""

    def __init__(self, reward: Reward, clock: Clock) -> None:
        self._reward, self._clock = reward, clock

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Score replies as text."""
        with self._clock.part("score"):
            return self._reward.score(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Score moves without text."""
        return self._reward.score_features(lanes, features)


class _TimedAgent(SamplingAgent):
    """The sampling agent, its replies counted as the part "generate"."""

    clock: Clock

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        with self.clock.part("generate"):
            return super().reply(views)


def open_reward(spec: str, adapters: tuple[Path, Path] | None) -> Reward:
    """Return a reward by name, or REPO's with these folders as reward model and judge.

    The two share one reader, as the shipped adapters do.
    """
    if adapters is None:
        return load_reward(spec)
    reader = ReplyReader(base_of(adapters[0]))
    return RepoReward(AdapterRewardModel(reader, adapters[0]), AdapterJudge(reader, adapters[1]))


def measure(method: Method, rounds: int, reward: str, adapters: tuple[Path, Path] | None = None) -> Measured:
    """Run a warm-up round and then ``rounds`` rounds.

    Args:
        method: REPO with its preset; the preset's own ``reward`` is not read.
        rounds: rounds that count, at least 1.
        reward: name of the reward.
        adapters: folders of reward model and judge, in place of ``reward``.
    """
    preset, clock = method.preset, Clock()
    torch.set_num_threads(preset.torch_threads)
    manager, scorer = load_manager(preset.manager), TimedReward(open_reward(reward, adapters), clock)
    engine = TransformersEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    found: list[Round] = []
    with ActorCritic(engine, preset, with_value=method.has_value) as actor:
        learner = Learner(method, actor)
        agent = _TimedAgent(engine, scorer, preset.max_reply_tokens, preset.group_size, temperature=preset.temperature)
        agent.clock = clock
        clock.lap("learn")
        for number in range(rounds + 1):
            before = learner.steps
            engine.forget_prompts()
            with clock.part("generate"):  # the hotel's answers too
                played = play(
                    agent,
                    training_scenarios(preset.seed, number * preset.dialogues, preset.dialogues),
                    method.read,
                    manager=manager,
                    max_turns=preset.max_turns,
                    turn_discount=preset.turn_discount,
                    batch_size=preset.rollout_batch,
                )
            with clock.part("learn"):
                learner.learn(played.samples, number)
            found.append(_round(played, learner.steps - before, clock))
        device = actor.base.device
    what = f"REPO, value model, reward {'of adapters' if adapters else reward}"
    return Measured("repo", what, found[1:], peak_memory_mb(), str(device), torch.get_num_threads())


def _round(played: Played, steps: int, clock: Clock) -> Round:
    found = clock.lap("learn")
    found.replies = played.sampled
    found.reply_tokens = sum(len(s.reply) for s in played.samples)
    found.prompt_tokens = sum(len(s.prompt) for s in played.samples)
    found.optimiser_steps = steps
    return found


SIDES = ("repo", "trl", "trl-dialogues")
MOST_SECONDS, MOST_MEMORY = 0.7, 1.2
COMPARED = ("seconds_per_reply", "cpu_seconds_per_reply", "peak_memory_mb")
REPORT = "report.json"


def summary(measured: Measured, passes: int) -> dict[str, float]:
    """Return a side's figures: medians over its rounds, per sampled reply where they are seconds.

    Args:
        measured: the side.
        passes: over each reply, so that a reply belongs to as many optimiser steps.
    """
    rounds = measured.rounds
    replies = sum(r.replies for r in rounds)

    def median(seconds: Iterable[float]) -> float:
        return statistics.median(taken / r.replies for taken, r in zip(seconds, rounds, strict=True))

    return {
        "seconds_per_reply": median(r.seconds for r in rounds),
        **{f"seconds_per_reply, {part}": median(r.parts[part] for r in rounds) for part in PARTS},
        "cpu_seconds_per_reply": median(r.cpu_seconds for r in rounds),
        **{f"cpu_seconds_per_reply, {part}": median(r.cpu_parts[part] for r in rounds) for part in PARTS},
        "peak_memory_mb": measured.peak_memory_mb,
        "replies": replies,
        "replies_per_step": passes * replies / sum(r.optimiser_steps for r in rounds),
        "tokens_per_reply": sum(r.reply_tokens for r in rounds) / replies,
        "prompt_tokens_per_reply": sum(r.prompt_tokens for r in rounds) / replies,
    }


def compare(sides: Sequence[Measured], passes: int) -> dict[str, Any]:
    """Return the report: each side's figures, and the ratios of REPO's to each of TRL's.

    Args:
        sides: those measured.
        passes: over each reply.

    Raises:
        ValueError: if REPO's side is not among them.
    """
    figures = {one.side: summary(one, passes) for one in sides}
    if "repo" not in figures:
        raise ValueError(f"expected REPO's side among those measured, got {sorted(figures)}")
    ours = figures["repo"]
    ratios = {
        name: {key: ours[key] / theirs[key] for key in COMPARED} for name, theirs in figures.items() if name != "repo"
    }
    return {"sides": figures, "ratios": ratios, "what": {one.side: one.what for one in sides}}


def missed(report: dict[str, Any]) -> list[str]:
    """Return which targets are missed, in words."""
    ratios = report["ratios"].get("trl")
    if ratios is None:
        return []
    wanted = {"seconds_per_reply": MOST_SECONDS, "peak_memory_mb": MOST_MEMORY}
    return [f"{key}: {ratios[key]:.2f} of TRL's, at most {most}" for key, most in wanted.items() if ratios[key] > most]


def _table(report: dict[str, Any]) -> Table:
    table = Table(title="Medians over rounds")
    table.add_column("")
    for name in report["sides"]:
        table.add_column(name, justify="right")
    for key in report["sides"]["repo"]:
        digits = 0 if key in ("peak_memory_mb", "replies", "replies_per_step") else 1 if "tokens" in key else 3
        table.add_row(key, *(f"{own[key]:.{digits}f}" for own in report["sides"].values()))
    for key in COMPARED:
        ratios = [report["ratios"].get(name, {}).get(key) for name in report["sides"]]
        table.add_row(f"ratio, {key}", *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios))
    return table


def _measure(given: argparse.Namespace) -> Measured:
    """Measure one side in this process."""
    method = load_method("repo", given.preset, given.set)
    if given.side == "repo":
        from benchmarks.studies import trl_speed as repo_side

        adapters = None if given.adapters is None else (Path(given.adapters[0]), Path(given.adapters[1]))
        return repo_side.measure(method, given.rounds, given.reward, adapters)
    from benchmarks.studies import trl_side

    return trl_side.measure(method.preset, given.rounds, given.side == "trl-dialogues", given.trl_reward)


def _run(side: str, given: argparse.Namespace, arguments: Sequence[str]) -> Measured:
    """Measure one side in a process of its own."""
    path = given.out / f"{side}.json"
    threads = str(load_method("repo", given.preset, given.set).preset.torch_threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TRL_EXPERIMENTAL_SILENCE": "1"}
    command = [sys.executable, "-m", "benchmarks.trl_speed", *arguments, "--side", side]
    subprocess.run(command, check=True, env=environment)
    return Measured.from_json(json.loads(path.read_text(encoding="utf-8")))


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure REPO's loop against TRL's GRPOTrainer.")
    parser.add_argument("--preset", default="small", help="preset of `negotiate train repo`")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replaces a preset's value")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count, after one to warm up")
    parser.add_argument("--reward", default="repo:model=small,judge=small", help="REPO's reward")
    parser.add_argument(
        "--adapters", nargs=2, metavar=("RM", "JUDGE"), help="folders of reward model and judge, in place of --reward"
    )
    parser.add_argument("--trl-reward", default="repo", help="the reward on TRL's side")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="which to measure, REPO's too")
    parser.add_argument("--out", type=Path, default=Path("out/trl-speed"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    words = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(words)
    if given.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {given.rounds}")
    given.out.mkdir(parents=True, exist_ok=True)
    if given.side:
        measured = _measure(given)
        (given.out / f"{given.side}.json").write_text(json.dumps(measured.to_json(), indent=2) + "\n", encoding="utf-8")
        return 0
    sides = [_run(side, given, words) for side in dict.fromkeys(["repo", *given.sides])]
    preset = load_method("repo", given.preset, given.set).preset
    report = compare(sides, preset.epochs)
    report["targets"] = {"seconds_per_reply": MOST_SECONDS, "peak_memory_mb": MOST_MEMORY}
    report["missed"] = missed(report)
    report["settings"] = preset.model_dump(mode="json")
    report["made_with"] = provenance() | {
        "command": " ".join(["python -m benchmarks.trl_speed", *words]),
        "device": sides[0].device,
        "threads": str(sides[0].threads),
    }
    report["rounds"] = {one.side: one.to_json()["rounds"] for one in sides}
    (given.out / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console.print(_table(report))
    console.print(f"Report: {given.out / REPORT}")
    for line in report["missed"]:
        console.print(f"missed: {line}")
    return 1 if report["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
