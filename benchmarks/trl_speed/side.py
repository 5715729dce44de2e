"""What one side measured, and the clocks that it measures with. Knows no trainer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from negotiation_env.lanes import Lanes, Num
from negotiation_env.protocols import ReplyView, Reward, RewardBreakdown

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
