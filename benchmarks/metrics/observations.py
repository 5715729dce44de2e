"""What each episode adds to each figure: the sums and counts from which paired tests and A/B tests are made.

Figures that are no mean over observations (agreement of raters, pass^k) are left out: see ``judging.MetricKind``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.metrics.policy_metrics import Part
from benchmarks.runner.jobs import Job
from benchmarks.statistics import Sums
from negotiation_env.files import read_lines, write_lines

SCORES: Final = "scores.jsonl"
PRIVATE: Final = frozenset({"surplus_share"})
"""Metrics from whose value for one episode the manager's floor could be told; they are not written by episode."""


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


def score(job: Job, parts: Mapping[str, Part]) -> Score:
    """Return a job's score."""
    return Score(job.policy, job.suite, job.scenario, job.draws, parts)


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
