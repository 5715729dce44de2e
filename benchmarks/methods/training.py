"""Trains one run in this process, by the command that a user would type, and records how it ended.

Knows the training commands and their folders; measures no policy.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.cli import train as on_policy
from benchmarks.cli import train_supervised
from benchmarks.methods.runs import FINISHED, STOPPED, Run, record_outcome
from benchmarks.methods.usage import measured
from negotiation_env.errors import UsageError

_COMMANDS: Final[dict[str, Any]] = {
    "sft": train_supervised.sft,
    "dpo": train_supervised.dpo,
    "ppo": on_policy.ppo,
    "grpo": on_policy.grpo,
    "repo": on_policy.repo,
}


def train(run: Run) -> None:
    """Train a run, or go on with it where it was killed; a guard that stops it is recorded, not raised.

    Raises:
        NegotiationError: whatever else stands in the way.
    """
    with measured(run.folder), _typed(command_words(run)):
        # Within the measurement: each method pays for the libraries that it needs.
        stops = _stops(run.variant.method)
        try:
            _COMMANDS[run.variant.method](run.training, run.scale, resume=True, seed=run.seed, overrides=settings(run))
        except stops as stop:
            record_outcome(run, STOPPED, str(stop), last_good(run.training))
            return
    check_settings(run)
    record_outcome(run, FINISHED, "", run.training)


def check_settings(run: Run) -> None:
    """Check that training took the settings that the comparison names. Raises ``UsageError``."""
    record = json.loads((run.training / "run.json").read_text(encoding="utf-8"))
    taken = record.get("settings", record)
    odd = [key for key, value in run.settings.items() if key != "start" and taken.get(key) != value]
    if odd:
        raise UsageError(
            f"{run.training}: expected the settings that the comparison began with, got another {', '.join(odd)}: "
            "a preset was changed meanwhile; remove the folder and start the command again"
        )


def settings(run: Run) -> list[str]:
    """Return what differs from the preset, the start included, as ``--set`` takes it."""
    return [*run.overrides, *(() if run.start is None else (f"start={run.start}",))]


def command_words(run: Run) -> list[str]:
    """Return the command that makes this run."""
    words = ["negotiate", "train", run.variant.method, "--preset", run.scale, "--seed", str(run.seed)]
    for override in settings(run):
        words += ["--set", override]
    return [*words, "--out", str(run.training), "--resume"]


def last_good(training: Path) -> Path | None:
    """Return the best adapter of a stopped run's last whole checkpoint, None if there is none."""
    rounds = sorted((training / "checkpoints").glob("round-*"))
    places = [*(folder / "best" for folder in rounds[-1:]), training / "best"]
    return next((place for place in places if (place / "adapter_config.json").is_file()), None)


def _stops(method: str) -> tuple[type[Exception], ...]:
    """Return the errors by which a method's guards stop a run; imported with the method's own libraries only."""
    if method in ("sft", "dpo"):
        from policies.training import resumable

        return (resumable.TrainingStoppedError,)
    from policies.training.on_policy import guards

    return (guards.TrainingStoppedError,)


@contextmanager
def _typed(words: Sequence[str]) -> Iterator[None]:
    """Have model cards name this run's own command, not the comparison's."""
    earlier = sys.argv
    sys.argv = list(words)
    print("$", shlex.join(words), flush=True)
    try:
        yield
    finally:
        sys.argv = earlier
