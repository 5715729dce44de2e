"""What each episode adds to each figure: the sums and counts from which paired tests and A/B tests are made.

A figure of one episode alone is its sum over its count, so this asks ``metrics`` for it and knows no metric itself.
Figures that are no mean over episodes (agreement of raters, pass^k) are left out: see ``additive``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.metrics.judging import Played
from benchmarks.metrics.policy_metrics import SHARES, policy_metrics
from benchmarks.runner.jobs import Job
from benchmarks.statistics import Figure, Sums
from negotiation_env.files import read_lines, write_lines

SCORES: Final = "scores.jsonl"
PRIVATE: Final = frozenset({"surplus_share"})
"""Metrics from whose value for one episode the manager's floor could be told; they are not written by episode."""
MEANS: Final = frozenset({"discount_won", "surplus_share"})
"""Percentages that are means of numbers, not shares of yes and no."""

Part = tuple[float, int]
"""An episode's sum of a metric's observations, and how many there are."""


class Score(NamedTuple):
    """What one episode adds to the figures.

    Attributes:
        policy: the policy's spec.
        suite: the suite's name.
        scenario: the scenario's name in the run, without the trial.
        draws: which draw of the policy and which of the simulator, from 0.
        parts: by metric; metrics without an observation are absent.
    """

    policy: str
    suite: str
    scenario: str
    draws: tuple[int, int]
    parts: Mapping[str, Part]

    def to_json(self) -> dict[str, Any]:
        """Return the score as JSON-able data, without private parts."""
        shown = {name: [round(total, 9), n] for name, (total, n) in self.parts.items() if name not in PRIVATE}
        return {**self._asdict(), "draws": list(self.draws), "parts": shown}


def observe(played: Played) -> dict[str, Part]:
    """Return what an episode adds to each metric that it has observations of."""
    figures = policy_metrics([played])
    return {name: (f.value * f.n, f.n) for name, f in figures.items() if f.value is not None}


def score(job: Job, parts: Mapping[str, Part]) -> Score:
    """Return a job's score."""
    return Score(job.policy, job.suite, job.scenario, job.draws, parts)


def additive(scores: Sequence[Score], figures: Mapping[str, Figure]) -> list[str]:
    """Return the metrics whose figure is the mean over these episodes' observations, in the figures' order."""
    found = []
    for name, figure in figures.items():
        parts = [s.parts[name] for s in scores if name in s.parts]
        count = sum(n for _, n in parts)
        if figure.value is None or count != figure.n:
            continue
        if abs(sum(total for total, _ in parts) / count - figure.value) <= 1e-6 * max(1.0, abs(figure.value)):
            found.append(name)
    return found


def is_share(metric: str) -> bool:
    """Whether a metric's observations are yes or no."""
    return metric in SHARES and metric not in MEANS and not metric.startswith("pass_")


def by_scenario(scores: Iterable[Score], metric: str) -> dict[str, Part]:
    """Return a metric's sum and count for each scenario that has observations, over its trials."""
    found: dict[str, list[Part]] = defaultdict(list)
    for s in scores:
        if metric in s.parts:
            found[s.scenario].append(s.parts[metric])
    return {name: (sum(t for t, _ in parts), sum(n for _, n in parts)) for name, parts in found.items()}


def sums(parts: Sequence[Part]) -> Sums:
    """Return sums and counts as arrays."""
    return Sums(np.array([t for t, _ in parts], dtype=np.float64), np.array([n for _, n in parts], dtype=np.float64))


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write scores as JSON Lines; the file appears whole or not at all."""
    write_lines(path, (s.to_json() for s in scores), escaped=True)


def read_scores(path: Path) -> list[Score]:
    """Read what ``write_scores`` wrote.

    Raises:
        DataFileError: the file is unreadable or holds something else.
    """
    return list(read_lines(path, Score, do="run the benchmark again"))
