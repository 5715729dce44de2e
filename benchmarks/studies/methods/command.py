"""``negotiate study methods``: train what is missing, measure it, and write ``table.json`` and ``table.md``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.report import format_figure
from benchmarks.runner.provenance import typed_command
from benchmarks.studies.methods.experiment import Experiment
from benchmarks.studies.methods.results import make_table
from benchmarks.studies.methods.runs import STOPPED, Run, outcome, progress
from benchmarks.studies.methods.seed_figures import CLEAN, REWARD, figure
from benchmarks.studies.methods.tables import markdown
from benchmarks.studies.methods.work import Ended, Execute, RunTask, in_processes, is_done, on_actors, scores_of
from negotiation_env.errors import UsageError
from negotiation_env.files import write_json, write_text
from negotiation_env.play.workers import cores

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
        tasks = [RunTask(run, experiment.evaluation) for run in runs()]
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
    write_json(experiment.out / "table.json", table, indent=1)
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


def _look(tell: Tell, running: Sequence[RunTask]) -> None:
    tell("   running: " + "; ".join(f"{task.run.name}: {_state(task.run)}" for task in running))


def without_out(command: str) -> str:
    """Return a command without its folder, which no figure depends on."""
    kept, skip = [], False
    for word in shlex.split(command):
        if not skip and word not in ("--out", "-o") and not word.startswith("--out="):
            kept.append(word)
        skip = word in ("--out", "-o")
    return " ".join([*kept, "--out DIR"])


def study(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of everything; reuse it to go on.")],
    scale: Annotated[str, typer.Option(help="Name of the presets: tiny, small or paper.")] = "tiny",
    seeds: Annotated[int, typer.Option(help="Training runs of each method.")] = 5,
    ablations: Annotated[bool, typer.Option("--ablations", help="Compare REPO with its ablations instead.")] = False,
    init: Annotated[
        str, typer.Option(help="SFT adapter to start from: a folder or a shipped one; default: train.")
    ] = "",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.KEY=VALUE", help="Replace a preset's value, as in repo.replies=640."),
    ] = None,
    dialogues: Annotated[int, typer.Option(help="Held-out dialogues that R_total is measured on.")] = 200,
    trials: Annotated[int, typer.Option(help="How often each bad case and online scenario is played.")] = 1,
    only: Annotated[
        str, typer.Option(metavar="NAMES", help="Train these methods or ablations alone for now, by comma.")
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each in its own process.")] = 1,
    ray: Annotated[
        str, typer.Option("--ray", help="Runs on Ray, --jobs at a time: local, auto, or a cluster's HOST:PORT.")
    ] = "",
) -> int:
    """Train and compare base, SFT, DPO, PPO, GRPO and REPO, or REPO and its ablations; exit status 1 if one failed.

    The same command goes on after a kill, and trains nothing twice.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    experiment = Experiment(
        out,
        scale,
        seeds,
        ablations,
        init,
        tuple(overrides or ()),
        dialogues,
        trials,
        tuple(filter(None, only.split(","))),
    )
    threads = jobs * experiment.evaluation.threads
    if threads > cores() and not ray:
        console.print(
            f"{threads} torch threads on {cores()} cores: slow; --set METHOD.torch_threads=1, or fewer --jobs"
        )
    execute: Execute = partial(in_processes, jobs=jobs, look=partial(_look, console.print))
    if ray:
        execute = partial(on_actors, ray=ray, count=jobs)
    wrong = compare(experiment, execute, console.print, without_out(typed_command()), jobs)
    for line in wrong:
        console.print(f"went wrong: {line}")
    console.print(f"Tables: {out / 'table.md'}, {out / 'table.json'}")
    return 1 if wrong else 0
