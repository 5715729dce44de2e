"""What is made of runs that were played: ``negotiate report`` and ``negotiate rescore``.

``report`` compares two runs, says what a run can tell apart, and writes the leaderboard. ``rescore`` scores recorded
episodes under other rules, rubric, reward model, judge or composition.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from negotiation_env.errors import UsageError
from negotiation_env.files import write_json, write_text

if TYPE_CHECKING:
    from benchmarks.comparison.run_folders import Comparison
    from rewards.rescoring import RescoredRun

WIDE = 100
"""Columns from which the table of a comparison has room to name the tests."""
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
    page: Annotated[Path | None, typer.Option(help="Write it as a page too, with links to both transcripts.")] = None,
) -> None:
    """Test the differences of two runs on their common cases (second less first), and name the cases that flipped."""
    from benchmarks.comparison.flips import comparison_page
    from benchmarks.comparison.run_folders import compare_runs, read_run

    runs = read_run(first), read_run(second)
    found = compare_runs(*runs, policy_a=policy_a, policy_b=policy_b, force=force)
    if out is not None:
        write_json(out, found.to_json(), escaped=True)
    console = Console()
    print_comparison(console, found, every)
    print_flips(console, found)
    if page is not None:
        write_text(page, comparison_page(found, *runs, page))
        console.print(f"Page: {page}", soft_wrap=True, highlight=False, markup=False)


def print_flips(console: Console, found: Comparison) -> None:
    """Print the cases that one side fixes and the other does not: the check that failed, and the agent's words."""
    from benchmarks.comparison.flips import flip_line

    console.print(Text(f"{flip_line(found.flips)}.", style="bold"))
    for flip in found.flips:
        sign, style, who = ("+", "green", flip.first) if flip.fixed else ("-", "red", flip.second)
        console.print(Text(f"  {sign} {flip.case} ({flip.severity}): ", style=style) + f"{who} fails {flip.failed}")
        if flip.turn:
            said = f'"{flip.words}"' if flip.words else "(nothing)"
            console.print(Text(f"    turn {flip.turn}, {flip.title}: {said}", style="dim"))


def print_comparison(console: Console, found: Comparison, every: bool) -> None:
    """Print the tests, and what stands in their way."""
    from benchmarks.comparison.flips import pair_name
    from benchmarks.metrics.policy_metrics import HEADLINE
    from benchmarks.report.panels import format_difference, format_p

    for obstacle in found.obstacles:
        console.print(f"NOT COMPARABLE: {obstacle}", style="bold red", markup=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", markup=False)
    pairs = dict.fromkeys(map(pair_name, found.rows))
    title = "Differences, second less first; 95% intervals; p after Holm's correction"
    title = f"{title}: {next(iter(pairs))}" if len(pairs) == 1 else title
    console.print(f"NOT COMPARABLE. {title}" if found.obstacles else title, highlight=False, markup=False)
    table = Table()
    several, wide = len(pairs) > 1, console.width >= WIDE
    shown = ["metric", *["policies"] * several, "difference", "p (Holm)", *["test"] * wide, "cases"]
    for name in shown:
        table.add_column(name, no_wrap=name not in ("policies", "test"))
    for row in found.rows:
        if every or row["metric"] in HEADLINE:
            figures = format_difference(row["metric"], row), format_p(row["p_holm"])
            who, test = [pair_name(row)] * several, [row["test"]] * wide
            table.add_row(row["metric"], *who, *figures, *test, str(row["n"]))
    console.print(table)


@app.command()
def design(
    run: Run,
    every: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones.")] = False,
) -> None:
    """Show a run's noise floor, where its variance comes from, and the trials that a difference needs."""
    from benchmarks.comparison.run_folders import read_run
    from benchmarks.metrics.policy_metrics import HEADLINE

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
        list[Path] | None, typer.Option("--write", help="Renew the table in this file (may be repeated).")
    ] = None,
    check: Annotated[Path | None, typer.Option("--check", help="Fail if this file's table is not up to date.")] = None,
    own: Annotated[
        Path, typer.Option("--results", help="Folder of your own results: --add writes them, the table has them too.")
    ] = Path("leaderboard"),
) -> None:
    """Print the leaderboard of the shipped results and your own, or write it into a document."""
    from benchmarks.comparison.leaderboard import RESULTS, add_results, is_shipped, read_results, table, with_table
    from benchmarks.comparison.run_folders import read_run

    for folder in add or ():
        for path in add_results(read_run(folder), own):
            typer.echo(f"wrote {path}")
    results = read_results(RESULTS) if is_shipped(own) else read_results(RESULTS, own)
    for document in write or ():
        document.write_text(with_table(document.read_text(encoding="utf-8"), results), encoding="utf-8")
        typer.echo(f"wrote {document}")
    if check is not None and with_table(text := check.read_text(encoding="utf-8"), results) != text:
        raise UsageError(f"expected the table of {check} to be up to date: run report leaderboard --write {check}")
    if not write and check is None:
        typer.echo(table(results), nl=False)


SHOWN_MOVES = 5
"""Replies shown of those that lost most, and of those that gained most."""
SHOWN_CHARACTERS = 160


def rescore(
    episodes: Annotated[Path, typer.Argument(help="episodes.jsonl of a benchmark, rollout or training run.")],
    rules: Annotated[Path | None, typer.Option(help="A rules file; default: the shipped rules.toml.")] = None,
    rubric: Annotated[Path | None, typer.Option(help="A rubric file; default: the shipped rubric.toml.")] = None,
    rm: Annotated[str, typer.Option(help="Reward model: ngram, or a path.")] = "ngram",
    judge: Annotated[str, typer.Option(help="Judge: distilled, a path, or an engine spec.")] = "distilled",
    compose: Annotated[str, typer.Option(help="Composition: n=25, formula=hero, without=judge; by comma.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the re-scored episodes here.")] = None,
) -> None:
    """Score recorded episodes anew without replaying them, and print what moved."""
    from negotiation_env.play.records import read_episodes, write_episodes
    from rewards.loading import load_judge, load_model
    from rewards.repo import Composition, RepoReward
    from rewards.rescoring import compare as changes_of
    from rewards.rescoring import rescore as score_anew
    from rewards.rules.rule_reward import RuleReward, tried_rules

    if not episodes.is_file():
        raise UsageError(f"expected a file of episodes, found none at {episodes}: name a run's episodes.jsonl")
    if out is not None and out.resolve() == episodes.resolve():
        raise UsageError(f"--out: expected another file than {episodes}, which would be lost")
    applied = RuleReward.from_toml() if rules is None else tried_rules(rules)
    reward = RepoReward(load_model(rm), load_judge(judge, rubric), applied, Composition.parse(compose))
    before = list(read_episodes(episodes))
    after = list(score_anew(before, reward))
    console = Console()
    print_moves(console, changes_of(before, after))
    if out is not None:
        write_episodes(out, after)
        console.print(f"Episodes: {out}", soft_wrap=True, highlight=False, markup=False)


def print_moves(console: Console, found: RescoredRun) -> None:
    """Print means by source, what fires more or less often, and the replies that moved most."""
    table = Table(title=f"{len(found.moves)} of {found.replies} replies moved", title_justify="left")
    for column in ("mean of a reply", "before", "after", "change"):
        table.add_column(column, justify="left" if column == "mean of a reply" else "right", no_wrap=True)
    for source, means in found.means.items():
        if means is not None:
            old, new = means
            table.add_row(source, f"{old:+.3f}", f"{new:+.3f}", f"{new - old:+.3f}")
    table.add_row("unscored replies", *map(str, found.unscored), f"{found.unscored[1] - found.unscored[0]:+d}")
    console.print(table)
    if found.terms:
        fired = Table(title="rules and judge's terms: replies that have them", title_justify="left")
        for column in ("term", "before", "after"):
            fired.add_column(column, justify="left" if column == "term" else "right")
        for name, (old_count, new_count) in found.terms.items():
            fired.add_row(name, str(old_count), str(new_count))
        console.print(fired)
    ordered = sorted(found.moves, key=lambda move: move.change)
    lost = [move for move in ordered if move.change < 0.0][:SHOWN_MOVES]
    gained = [move for move in reversed(ordered) if move.change > 0.0][:SHOWN_MOVES]
    for title, moves in (("lost most", lost), ("gained most", gained)):
        for move in moves:
            text = " ".join(move.text.split())[:SHOWN_CHARACTERS]
            line = f"{title} {move.change:+.2f}  {move.episode}, turn {move.turn}: {text}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
