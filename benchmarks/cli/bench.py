"""``negotiate bench``: policies on suites, with the verdict on the terminal and a report in a folder.

The terminal shows failed cases, eight figures and the verdict in words; ``--full`` shows every case and figure.
``--curve NAME=PATH`` puts a training run's learning curves on the report's page. A run with faults says at its end how
many and why; where more of a policy's episodes failed than ``--max-faults``, its figures are left out, and the command
exits with 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.cli import completion
from negotiation_env.errors import UsageError

if TYPE_CHECKING:
    from benchmarks.report import Report
    from negotiation_env.engines.chat_model import ChatModel

ReaderOption = Annotated[
    str,
    typer.Option(
        help="Who reads the policies' messages: rules, encoder, or auto, what suits each policy.",
        autocompletion=completion.readers,
    ),
]
TOO_MANY_FAULTS = 3
"""Exit code where more of a policy's episodes failed than may."""
LLM_RATINGS = "llm_ratings.jsonl"
"""A language model's ratings of a run, beside its report."""
SHOWN_CASES = 5
"""Failed cases of a policy that are named without ``--full``."""
METRIC_WIDTH, CELL_WIDTH, TALL_WIDTH = 28, 23, 17
"""Columns that the table needs for a metric's name, for a figure with its interval on one line, and on two."""


def read_curves(texts: Sequence[str]) -> dict[str, Path]:
    """Return training runs' metrics.jsonl by the name to show, from texts ``NAME=PATH``.

    Raises:
        UsageError: a text is no ``NAME=PATH``, a name comes twice, or a path is neither a run's folder nor its file.
        DataFileError: a file cannot be read or has no curve.
    """
    from benchmarks.report.panels import learning_curves
    from negotiation_env.training.run_folder import METRICS

    found: dict[str, Path] = {}
    for text in texts:
        name, equals, place = (part.strip() for part in text.partition("="))
        if not (name and equals and place):
            raise UsageError(f"--curve: expected NAME=PATH, got {text!r}: name the run, such as --curve ppo=out/ppo")
        if name in found:
            raise UsageError(f"--curve: expected different names, got {name!r} twice: name one of them otherwise")
        path = Path(place)
        path = path / METRICS if path.is_dir() else path
        if not path.is_file():
            raise UsageError(
                f"--curve {name}: expected a training run's folder or its {METRICS}, found no file {path}: "
                "name the --out of a `negotiate train`"
            )
        found[name] = path
    # Drawn once before anything is played: a file without curves is told now.
    learning_curves(found)
    return found


def split_names(text: str) -> list[str]:
    """Return the names of a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def bench(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report; reuse it to go on.")],
    policy: Annotated[
        str,
        typer.Option(
            "--policy", "-p", help="Policies, by comma: intent-driven, base, ...", autocompletion=completion.policies
        ),
    ] = "",
    policy_file: Annotated[
        Path | None, typer.Option("--policy-file", help="Further policies: a TOML file of agents and servers.")
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", "-s", help="Suites, by comma: names or paths.", autocompletion=completion.suites)
    ] = "bad-cases,online",
    manager: Annotated[
        str,
        typer.Option(help="Who answers in live suites: rules, llm or llm-decides.", autocompletion=completion.managers),
    ] = "rules",
    persona: Annotated[
        str,
        typer.Option(
            help="Persona of the manager in live suites; default: each case's.", autocompletion=completion.personas
        ),
    ] = "",
    reader: ReaderOption = "auto",
    rater: Annotated[
        str, typer.Option(help="A language model that rates the replies too, beside the panel: smollm2, ...")
    ] = "",
    trials: Annotated[int, typer.Option(min=1, help="How often each case is played.")] = 1,
    llm: Annotated[str, typer.Option(help="Engine of the llm manager.")] = "smollm2",
    seed: Annotated[int, typer.Option(min=0, help="Seed of trials and bootstrap.")] = 0,
    crossed: Annotated[
        bool, typer.Option("--crossed", help="Each of K policy draws with each of K simulator draws: K x K episodes.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Processes for policies without a model, 0: all cores; with --ray actors, 0: as many as fit."
        ),
    ] = 0,
    ray: Annotated[str, typer.Option("--ray", help="Play on Ray: local, auto, or a cluster's HOST:PORT.")] = "",
    batch: Annotated[int, typer.Option(min=1, help="Episodes played together, here or by one actor.")] = 64,
    curve: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH: draw a training run's learning curves on the page (may be repeated)."),
    ] = None,
    max_faults: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of a policy's episodes that may fail; with more, exit 3.")
    ] = 0.1,
    full: Annotated[bool, typer.Option("--full", help="Print every figure and every failed case.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Play policies on suites; write report.json, report.html, episodes.jsonl. Too many faults: exit code 3."""
    from benchmarks.runner.run import EPISODES, run_benchmark
    from negotiation_env.engines.specs import load_engine
    from negotiation_env.play.workers import cores

    curves = read_curves(curve or ())
    engine = load_engine(rater) if rater else None  # a model that cannot be had is told before anything is played
    policies = split_names(policy)
    if policy_file is not None:
        from policies.agents_file import read_agents

        policies += read_agents(policy_file)
    report = run_benchmark(
        policies,
        split_names(suite),
        manager=manager,
        persona=persona,
        reader=reader,
        trials=trials,
        out=out,
        llm=llm,
        seed=seed,
        progress=not quiet,
        workers=workers if ray else workers or cores(),
        ray=ray or None,
        batch=batch,
        crossed=crossed,
        curves=curves,
        max_faults=max_faults,
    )
    console = Console()
    print_result(console, report, out, full)
    if engine is not None:
        print_llm_ratings(console, out / EPISODES, engine, out / LLM_RATINGS)
    if any(report.withheld(name) for name in report.policies):
        raise typer.Exit(TOO_MANY_FAULTS)


def print_llm_ratings(console: Console, episodes: Path, engine: ChatModel, out: Path) -> None:
    """Rate a run's replies with a language model, beside the panel; print what it says of each policy."""
    from benchmarks.raters.llm_rater import rate_beside
    from negotiation_env.play.records import read_episodes

    console.print(f"Ratings by {engine.spec}, beside the panel's; in no figure above", style="bold", markup=False)
    for policy, found in rate_beside(list(read_episodes(episodes)), engine, out).items():
        named = (("rating", found.rating), ("readable", found.readable), ("alpha with the panel", found.alpha))
        parts = [
            f"{name} –" if x.value is None else f"{name} {x.value:.2f} [{x.low or 0.0:.2f}, {x.high or 0.0:.2f}]"
            for name, x in named
        ]
        console.print(f"  {policy}: {', '.join(parts)}", soft_wrap=True, highlight=False, markup=False)


def print_result(console: Console, report: Report, out: Path, full: bool = False, cases: bool = True) -> None:
    """Print what a run came to: failed cases, figures, the verdict, who read, where the report lies; faults on stderr.

    ``cases``: whether to name the failed cases.
    """
    if cases:
        print_failed_cases(console, report, None if full else SHOWN_CASES)
    print_table(console, report, full)
    print_readers(console, report)
    print_verdict(console, report)
    print_path(console, out)
    print_faults(report)


def print_failed_cases(console: Console, report: Report, most: int | None) -> None:
    """Print each policy's failed cases, ``most`` of them: the check that failed, and the agent's words there."""
    from benchmarks.report.verdict import check_line, failed_cases

    for policy, failed in failed_cases(report).items():
        console.print(Text(f"{policy} does not fix {len(failed)} cases, the most severe first", style="bold"))
        for case in failed[:most]:
            console.print(Text(f"  {case.case} ({case.severity}): ") + Text(check_line(case), style="red"))
            if case.turn:
                said = f'"{case.words}"' if case.words else "(nothing)"
                console.print(Text(f"    turn {case.turn}, {case.title}: {said}", style="dim"))
        if most is not None and len(failed) > most:
            console.print(f"  and {len(failed) - most} more: --full, or the report", markup=False)


def print_verdict(console: Console, report: Report) -> None:
    """Print what the run says in words."""
    from benchmarks.report.verdict import verdict

    console.print("Verdict", style="bold")
    for line in verdict(report):
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)


def print_faults(report: Report) -> None:
    """Print on stderr which policies had faults, a line each: how many, and why."""
    from benchmarks.report import fault_lines

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for line in fault_lines(report):
        console.print(f"faults: {line}")


def print_table(console: Console, report: Report, full: bool) -> None:
    """Print metrics × policies: the eight to look at first, or all of them."""
    from benchmarks.report import table_rows
    from benchmarks.report.verdict import headline_rows

    room = console.width - METRIC_WIDTH
    narrow = room < CELL_WIDTH * len(report.policies)
    most = max(1, room // TALL_WIDTH) if narrow else len(report.policies)
    rows = table_rows(report) if full else headline_rows(report)
    for at in range(0, len(report.policies), most):
        table = Table(title="" if at else "Automated checks; brackets hold 95% intervals", title_justify="left")
        table.add_column("metric", no_wrap=True)
        for name in report.policies[at : at + most]:
            table.add_column(name, justify="right")
        for metric, _, cells in rows:
            table.add_row(metric, *(cell.replace(" [", "\n[") if narrow else cell for cell in cells[at : at + most]))
        console.print(table)


def print_readers(console: Console, report: Report) -> None:
    """Print who read the policies' messages."""
    by_reader: dict[str, list[str]] = {}
    for policy, reader in report.data["provenance"]["readers"].items():
        by_reader.setdefault(reader, []).append(policy)
    line = "; ".join(f"{reader} ({', '.join(names)})" for reader, names in by_reader.items())
    console.print(f"Read by: {line}", soft_wrap=True, highlight=False, markup=False)


def print_path(console: Console, out: Path) -> None:
    """Print where the report lies, as the last line, whole even on a narrow terminal."""
    from benchmarks.report import REPORT_HTML

    console.print(f"Report: {out / REPORT_HTML}", soft_wrap=True, highlight=False, markup=False)
