"""What each process of a launched run does, for ``test_processes``: ``python launched.py FOLDER STAGE``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from negotiation_env.training.processes import ProcessGroup
from policies.training import supervised
from policies.training.on_policy import loop
from policies.training.on_policy.samples import Sample
from tests.policies.on_policy.conftest import settings
from tests.policies.tiny_models import table, write_preferences, write_sft

TINY = {"lora_rank": 16, "lora_alpha": 32, "learning_rate": 4e-4}
"""The shipped tiny base of 2.5 M parameters."""


def on_policy(method: str, out: Path, resume: bool = False, **changes: Any) -> Path:
    """Three rounds of two steps or so."""
    tiny = {"start": "sft-tiny", "value_learning_rate": 2e-3, "max_reply_tokens": 16, "temperature": 0.7, "held_out": 2}
    small = {"dialogues": 4, "max_turns": 2, "batch_size": 4, "micro_batch_size": 2, "evaluate_every": 9}
    preset = settings(Path("tiny"), **TINY, **tiny, **small | changes)
    return loop.train(method, preset, out, resume=resume, show=False)


def on_data(method: str, out: Path, data: Path, resume: bool = False, **changes: Any) -> Path:
    """Five steps."""
    write = write_sft if method == "sft" else write_preferences
    if ProcessGroup().is_main and not data.exists():
        write(data, 32)  # of which 20 are trained on: whole batches, in two processes as in one
    ProcessGroup().wait()
    preset = table(Path("tiny"), **TINY, epochs=1, batch_size=4, micro_batch_size=2, held_out=4, measure_every=2)
    preset |= {"start": "sft-tiny", "beta": 0.1} if method == "dpo" else {}
    return supervised.train(supervised.read_settings(method, preset | changes), out, data, resume, quiet=True)


RUNS: dict[str, Callable[[Path, bool], Path]] = {
    "ppo": lambda out, resume: on_policy("ppo", out, resume, kl_weight=0.1),
    "repo": lambda out, resume: on_policy("repo", out, resume),
    "sft": lambda out, resume: on_data("sft", out, out.parent / "sft.jsonl", resume),
    "dpo": lambda out, resume: on_data("dpo", out, out.parent / "pairs.jsonl", resume),
}
"""By name; each takes a folder, and whether it goes on there."""


def kill_in_round(number: int) -> None:
    """Have the second process kill itself once it has played a round."""
    learn = loop.Learner.learn

    def killing(self: loop.Learner, samples: Sequence[Sample], round_number: int) -> dict[str, float]:
        if round_number == number and ProcessGroup().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self, samples, round_number)

    loop.Learner.learn = killing  # type: ignore[method-assign]


class StoppedError(Exception):
    """Stands for what stops every process."""


def on_data_stopped(folder: Path) -> None:
    """Have SFT stop after its third step, with a checkpoint of the second."""
    watch: Any = vars(supervised)["Watch"]
    step_end = watch.on_step_end

    def stopping(self: Any, args: Any, state: Any, control: Any, **kwargs: object) -> None:
        step_end(self, args, state, control, **kwargs)
        if state.global_step == 3:
            raise StoppedError

    watch.on_step_end = stopping
    with suppress(StoppedError):
        RUNS["sft"](folder, False)


def main(folder: Path, stage: str) -> None:
    """Do a stage: "whole" runs, ending in one that is killed; then what comes "after" the kill, and FSDP."""
    vars(loop)["draw"] = lambda *_: folder  # takes longer than a run
    if stage == "whole":
        for name, run in RUNS.items():
            run(folder / name, False)
        on_data_stopped(folder / "stopped")
        kill_in_round(2)
        RUNS["repo"](folder / "killed", False)
    else:
        RUNS["sft"](folder / "stopped", True)
        RUNS["repo"](folder / "killed", True)
        os.environ["ACCELERATE_USE_FSDP"] = "true"
        RUNS["repo"](folder / "divided", False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
