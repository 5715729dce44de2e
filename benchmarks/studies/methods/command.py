"""``python -m benchmarks.studies.methods``: train what is missing, measure it, and write ``table.json`` and ``table.md``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.cli.bench import cores
from benchmarks.report import format_figure
from benchmarks.studies.methods.experiment import Experiment
from benchmarks.studies.methods.results import make_table
from benchmarks.studies.methods.runs import STOPPED, Run, outcome, progress
from benchmarks.studies.methods.seed_figures import CLEAN, REWARD, figure
from benchmarks.studies.methods.tables import markdown
from benchmarks.studies.methods.work import Ended, Execute, Task, in_processes, is_done, scores_of
from negotiation_env.engines.chat_model import EngineMissingError, EngineSpecError
from negotiation_env.errors import NegotiationError, UsageError
from negotiation_env.training.run_folder import write_text

INTERRUPTED = 130
Tell = Callable[[str], None]


def compare(experiment: Experiment, execute: Execute, tell: Tell, command: str = "", jobs: int = 1) -> list[str]:
    """Do what is missing, then write the tables; return one line for each run that went wrong.

    Args:
        experiment: which runs, and how they are measured.
        execute: does tasks, see ``work.in_processes``.
        tell: hears a line of progress now and then.
        command: what the user typed, for the table.
        jobs: how many runs share the machine, for the table.

    Raises:
        UsageError: the folder holds other runs, or there is no start to train from.
    """
    experiment.out.mkdir(parents=True, exist_ok=True)
    wrong = []
    for runs in (experiment.first_runs, experiment.later_runs):
        # The later runs can only be told from others once the start is there.
        tasks = [Task(run, experiment.evaluation) for run in runs()]
        missing = [task for task in tasks if not is_done(task)]
        tell(f"{len(tasks) - len(missing)} of {len(tasks)} runs are there already")
        for number, ended in enumerate(execute(missing), 1):
            tell(f"[{number}/{len(missing)}] {_ending(ended)}")
            wrong += [f"{ended.task.run.name}: {ended.error}"] if ended.error else []
            write_tables(experiment, command, jobs)
        start = experiment.first_runs()[0]
        found = outcome(start)
        if found is None or found.adapter is None:
            why = found.reason if found is not None else "; ".join(wrong)
            raise UsageError(f"{start.name}: expected an adapter for the others to start from, got none: {why}")
    write_tables(experiment, command, jobs)
    return wrong


def write_tables(experiment: Experiment, command: str, jobs: int) -> None:
    """Write ``table.json`` and ``table.md`` of what is there."""
    table = make_table(experiment, command, jobs)
    write_text(experiment.out / "table.json", json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    write_text(experiment.out / "table.md", markdown(table))


def _ending(ended: Ended) -> str:
    run = ended.task.run
    told = f"{run.name}, {ended.seconds:.0f} s"
    if ended.error:
        return f"{told}: {ended.error}"
    found = outcome(run)
    if found is not None and found.status == STOPPED:
        told += f", stopped: {found.reason}"
        if found.adapter is None:
            return told
    scores = scores_of(run)
    figures = (f"{c.title} {format_figure(c.metric, figure(scores, c))}" for c in (REWARD, CLEAN))
    return f"{told}: {', '.join(figures)}"


def _state(run: Run) -> str:
    return "measuring" if outcome(run) is not None else progress(run)


def _look(tell: Tell, running: Sequence[Task]) -> None:
    tell("   running: " + "; ".join(f"{task.run.name}: {_state(task.run)}" for task in running))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.methods",
        description="Train and compare base, SFT, DPO, PPO, GRPO and REPO, or REPO with its ablations. The same "
        "command goes on after a kill, and trains nothing twice.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of everything; reuse it to go on")
    parser.add_argument("--scale", default="tiny", help="name of the presets: tiny, small or paper")
    parser.add_argument("--seeds", type=int, default=5, help="training runs of each method")
    parser.add_argument("--ablations", action="store_true", help="compare REPO with its ablations instead")
    parser.add_argument(
        "--init", default="", help="SFT adapter to start from: a folder or a shipped one; default: train"
    )
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="METHOD.KEY=VALUE",
        help="replace a preset's value, such as repo.replies=640; may be given often",
    )  # fmt: skip
    parser.add_argument("--dialogues", type=int, default=200, help="held-out dialogues that R_total is measured on")
    parser.add_argument("--trials", type=int, default=1, help="how often each bad case and online scenario is played")
    parser.add_argument(
        "--only",
        default="",
        metavar="NAMES",
        help="train these methods or ablations alone for now, such as repo or dpo,repo; default: all",
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each in its own process")
    return parser


def _command(words: Sequence[str]) -> str:
    """Return what the user typed, without the folder, which no figure depends on."""
    kept, skip = [], False
    for word in words:
        if not skip and not word.startswith("--out"):
            kept.append(word)
        skip = word == "--out"
    return " ".join(["python -m benchmarks.studies.methods", *kept, "--out DIR"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns 0, 1 where a run went wrong, 2 on a mistake, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = _parser().parse_args(words)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    try:
        if given.jobs < 1:
            raise UsageError(f"expected at least 1 job, got {given.jobs}")
        experiment = Experiment(
            given.out, given.scale, given.seeds, given.ablations, given.init, tuple(given.overrides), given.dialogues,
            given.trials, tuple(filter(None, given.only.split(","))),
        )  # fmt: skip
        threads = given.jobs * experiment.evaluation.threads
        if threads > cores():
            console.print(
                f"{threads} torch threads on {cores()} cores: slow; --set METHOD.torch_threads=1, or fewer --jobs"
            )
        execute = partial(in_processes, jobs=given.jobs, look=partial(_look, console.print))
        wrong = compare(experiment, execute, console.print, _command(words), given.jobs)
    except (NegotiationError, EngineSpecError, EngineMissingError) as error:
        console.print(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from there")
        return INTERRUPTED
    for line in wrong:
        console.print(f"went wrong: {line}")
    console.print(f"Tables: {given.out / 'table.md'}, {given.out / 'table.json'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
