"""Measures one run's policy: held-out dialogues, bad cases, online scenarios, by the benchmark's own runner.

The folder ``evaluation`` is a benchmark's folder; ``evaluation.json`` beside it says what was measured, and with which
rules. Trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.methods.held_out import held_out
from benchmarks.methods.runs import Run, policy_digest, policy_of
from benchmarks.observations import SCORES, Score, read_scores
from benchmarks.provenance import rule_digests
from benchmarks.report import REPORT_JSON
from benchmarks.runner import run_benchmark
from benchmarks.suites import CaseSuite, load_suite
from negotiation_env.errors import UsageError
from policies.training.run_files import write_text

FOLDER, _RECORD = "evaluation", "evaluation.json"
SUITES: Final = ("bad-cases", "online")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How policies are measured.

    Attributes:
        dialogues: held-out dialogues.
        trials: how often each bad case and online scenario is played.
        max_turns: agent messages in a held-out dialogue, as in training.
        threads: of torch, on a CPU.
        rules: digests of the manager's, rewards' and raters' rules that the comparison began with.
    """

    dialogues: int
    trials: int
    max_turns: int
    threads: int
    rules: Mapping[str, str] = field(default_factory=rule_digests)

    def record(self, run: Run) -> dict[str, Any]:
        """Return what a run's figures depend on."""
        return {
            "policy": policy_digest(run), "dialogues": self.dialogues, "trials": self.trials,
            "max_turns": self.max_turns, "rules": dict(self.rules),
        }  # fmt: skip

    def check_rules(self) -> None:
        """Check in a run's process that no rule has changed since the comparison began. Raises ``UsageError``."""
        odd = [name for name, now in rule_digests().items() if self.rules.get(name) != now]
        if odd:
            raise UsageError(
                f"expected the rules that the comparison began with, got another content of {', '.join(odd)}: the "
                "sources were changed meanwhile; start the command again, from sources that stay as they are"
            )


def is_measured(run: Run, evaluation: Evaluation) -> bool:
    """Whether a run's folder holds these very figures."""
    try:
        found = json.loads((run.folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == evaluation.record(run))


def measure(run: Run, evaluation: Evaluation) -> None:
    """Play what is missing and write the figures. The run must have left a policy."""
    import torch

    torch.set_num_threads(evaluation.threads)
    policy = policy_of(run)
    if policy is None:
        return
    for suite, trials in suites(evaluation):
        run_benchmark([policy], [suite], trials=trials, out=run.folder / FOLDER / suite.name, progress=False)
    write_text(run.folder / _RECORD, json.dumps(evaluation.record(run), indent=1) + "\n")


def suites(evaluation: Evaluation) -> list[tuple[CaseSuite, int]]:
    """Return what is played, and how often."""
    live = held_out(evaluation.dialogues, evaluation.max_turns)
    return [(live, 1), *((load_suite(name), evaluation.trials) for name in SUITES)]


def scores_of(run: Run) -> list[Score]:
    """Return what each episode of a measured run adds to each figure."""
    return [score for path in _parts(run, SCORES) for score in read_scores(path)]


def faults_of(run: Run) -> int:
    """Return the episodes that an engine's fault spoiled; they are in no figure."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in _parts(run, REPORT_JSON)]
    return sum(len(policy["faults"]) for report in reports for policy in report["policies"].values())


def _parts(run: Run, name: str) -> Sequence[Path]:
    return sorted((run.folder / FOLDER).glob(f"*/{name}"))
