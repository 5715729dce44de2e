"""``negotiate rescore``: recorded episodes under other rules, rubric, reward model, judge or composition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from negotiation_env.errors import DataFileError, UsageError

if TYPE_CHECKING:
    from rewards.rescoring import Comparison

SHOWN_MOVES = 5
"""Replies shown of those that lost most, and of those that gained most."""
SHOWN_CHARACTERS = 160


def rescore(
    episodes: Annotated[Path, typer.Argument(help="episodes.jsonl of a benchmark, rollout or training run.")],
    rules: Annotated[Path | None, typer.Option(help="A rules file; default: the shipped rules.toml.")] = None,
    rubric: Annotated[Path | None, typer.Option(help="A rubric file; default: the shipped rubric.toml.")] = None,
    rm: Annotated[str, typer.Option(help="Reward model: ngram, or a path.")] = "ngram",
    judge: Annotated[str, typer.Option(help="Judge: distilled, a path, or an engine spec.")] = "distilled",
    compose: Annotated[str, typer.Option(help="Composition: n=25, formula=sum, without=judge; by comma.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the re-scored episodes here.")] = None,
) -> None:
    """Score recorded episodes anew without replaying them, and print what moved."""
    from negotiation_env.play.records import read_episodes, write_episodes
    from rewards.loading import load_judge, load_model
    from rewards.repo import Composition, RepoReward
    from rewards.rescoring import compare
    from rewards.rescoring import rescore as score_anew
    from rewards.rules.rule_reward import RuleReward, check_examples

    if not episodes.is_file():
        raise UsageError(f"expected a file of episodes, found none at {episodes}: name a run's episodes.jsonl")
    if out is not None and out.resolve() == episodes.resolve():
        raise UsageError(f"--out: expected another file than {episodes}, which would be lost")
    applied = RuleReward.from_toml(rules)
    wrong = [] if rules is None else check_examples(applied.rules)
    if wrong:
        raise DataFileError(f"{rules}: expected every rule to do what its own examples say, but " + "; ".join(wrong))
    reward = RepoReward(load_model(rm), load_judge(judge, rubric), applied, Composition.parse(compose))
    before = list(read_episodes(episodes))
    after = list(score_anew(before, reward))
    console = Console()
    _print(console, compare(before, after))
    if out is not None:
        write_episodes(out, after)
        console.print(f"Episodes: {out}", soft_wrap=True, highlight=False, markup=False)


def _print(console: Console, found: Comparison) -> None:
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
