"""``negotiate report``: compare two runs, what a run can tell apart, and the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.comparison.run_folders import Comparison

app = typer.Typer(help="Compare runs, see what a run can tell apart, write the leaderboard.", no_args_is_help=True)
Run = Annotated[Path, typer.Argument(help="Folder that `negotiate bench` wrote.")]


@app.command()
def compare(
    first: Run,
    second: Run,
    policy_a: Annotated[str | None, typer.Option(help="Policy of the first run; default: those in common.")] = None,
    policy_b: Annotated[str | None, typer.Option(help="Policy of the second run.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare runs made under other conditions; marked.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the comparison as JSON too.")] = None,
) -> None:
    """Test the differences of two runs on their common cases: second less first."""
    from benchmarks.comparison.run_folders import compare_runs, read_run

    found = compare_runs(read_run(first), read_run(second), policy_a=policy_a, policy_b=policy_b, force=force)
    if out is not None:
        out.write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
    print_comparison(Console(), found, every)


def print_comparison(console: Console, found: Comparison, every: bool) -> None:
    """Print the tests, and what stands in their way."""
    from benchmarks.metrics.policy_metrics import HEADLINE
    from benchmarks.report.panels import format_difference, format_p

    for obstacle in found.obstacles:
        console.print(f"NOT COMPARABLE: {obstacle}", style="bold red", markup=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", markup=False)
    title = "Differences, second less first; 95% intervals; p after Holm's correction"
    table = Table(title=f"NOT COMPARABLE. {title}" if found.obstacles else title, title_justify="left")
    for name in ("metric", "policies", "difference", "p (Holm)", "test", "cases"):
        table.add_column(name, no_wrap=name in ("metric", "difference"))
    for row in found.rows:
        if every or row["metric"] in HEADLINE:
            who = row["second"] if row["first"] == row["second"] else f"{row['second']} - {row['first']}"
            figures = format_difference(row["metric"], row), format_p(row["p_holm"])
            table.add_row(row["metric"], who, *figures, row["test"], str(row["n"]))
    console.print(table)


@app.command()
def design(
    run: Run,
    every: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones.")] = False,
) -> None:
    """Show a run's noise floor, where its variance comes from, and the trials that a difference needs."""
    from benchmarks.comparison.run_folders import read_run
    from benchmarks.metrics.policy_metrics import HEADLINE
    from negotiation_env.errors import UsageError

    noise: dict[str, dict[str, Any]] = read_run(run).report.get("noise", {})
    if not noise:
        raise UsageError(f"expected a run with at least 2 trials, got {run} with 1: run bench with --trials 3")
    console = Console()
    for policy, rows in noise.items():
        title = f"{policy}: differences below the noise floor show up between two runs of the same policy"
        table = Table(title=title, title_justify="left")
        for name in ("metric", "noise floor", "detectable (80%)", "variance", "trials for a difference"):
            table.add_column(name)
        for metric, row in rows.items():
            if every or metric in HEADLINE:
                parts = ", ".join(f"{name} {part['share']:.0%}" for name, part in row["variance"].items())
                needed = ", ".join(
                    f"{step}: {'more cases' if n is None else n}" for step, n in row.get("trials_needed", {}).items()
                )
                table.add_row(metric, f"{row['noise_floor']:.3f}", f"{row['detectable']:.3f}", parts, needed)
        console.print(table)


@app.command()
def leaderboard(
    add: Annotated[list[Path] | None, typer.Option("--add", help="Take up a run's policies (may be repeated).")] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Renew the table between the markers of this file.")
    ] = None,
    check: Annotated[Path | None, typer.Option("--check", help="Fail if this file's table is not up to date.")] = None,
) -> None:
    """Print the leaderboard from benchmarks/results, or write it into a document."""
    from benchmarks.comparison.leaderboard import add_results, read_results, table, with_table
    from benchmarks.comparison.run_folders import read_run
    from negotiation_env.errors import UsageError

    for folder in add or ():
        for path in add_results(read_run(folder)):
            typer.echo(f"wrote {path}")
    results = read_results()
    if write is not None:
        write.write_text(with_table(write.read_text(encoding="utf-8"), results), encoding="utf-8")
        typer.echo(f"wrote {write}")
    if check is not None and with_table(text := check.read_text(encoding="utf-8"), results) != text:
        raise UsageError(f"expected the table of {check} to be up to date: run report leaderboard --write {check}")
    if write is None and check is None:
        typer.echo(table(results), nl=False)
