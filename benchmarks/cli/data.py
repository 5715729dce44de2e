"""``negotiate data``: writes training data, and describes a file of it.

All data are generated, and their annotators are simulated; see docs/data_card.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from negotiation_env.errors import UsageError
from negotiation_env.files import read_lines
from negotiation_env.files import write_lines as write_rows
from negotiation_env.play.registry import load_manager, load_policy, load_reward, reader_for
from negotiation_env.training import optional_module
from simulators.people.conversations import LEAST_QUALITY, Conversation, write_conversations
from simulators.people.demonstrations import MANAGER
from simulators.people.haggling import haggling_pairs
from simulators.people.preferences import preference_pairs
from simulators.people.training_files import (
    Demonstration,
    PreferencePair,
    by_source,
    preference_figures,
    read_preferences,
    read_sft,
    reply_texts,
    shared,
    split_lines,
    write_lines,
)
from simulators.people.written_dialogues import FLAWS, WrittenDialogue, coverage, distinct, faults, shared_runs
from simulators.people.written_pairs import PAIRS, tied_pairs, written_pairs

app = typer.Typer(no_args_is_help=True, help="Write training data, and describe it.")

PAPER_PAIRS = 6632
"""Preference samples of the source paper (arXiv 2510.04214)."""
T = TypeVar("T")
OutOption = Annotated[Path, typer.Option("--out", "-o", help="File to write: JSON Lines.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Other seeds give other data of the same kind.")]


@app.command("preferences")
def preferences(
    out: OutOption,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of pairs, all sources together.")] = PAPER_PAIRS,
    seed: SeedOption = 0,
) -> None:
    """Write preference pairs in the source paper's composition, compared by simulated annotators."""
    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("comparing replies", total=n)
        pairs = preference_pairs(n, seed, progress=lambda done: progress.update(task, completed=done))
        lines = [pair.line() for pair in pairs]
    write_lines(out, lines)
    _describe_preferences(console, lines)
    console.print(f"{len(lines)} pairs written to {out}", soft_wrap=True, markup=False)


@app.command("written-pairs")
def written_pairs_command(
    out: OutOption,
    n: Annotated[int, typer.Option("--n", min=0, help="Training pairs without ties; 0 for all.")] = PAIRS,
    seed: SeedOption = 0,
) -> None:
    """Write pairs of replies that AI authors wrote and graded, as far as the chat shows the difference, and ties."""
    train = [*written_pairs("train", n or None, seed), *tied_pairs("train"), *haggling_pairs("train", seed=seed)]
    lines = [*train, *written_pairs("validation", None, seed)]
    write_lines(out, lines)
    console = Console()
    _describe_preferences(console, lines)
    console.print(f"{len(lines)} pairs written to {out}", soft_wrap=True, markup=False)


def _watched(lines: Iterable[T], count: int, doing: str = "playing dialogues") -> Iterator[T]:
    """Yield the lines, and show how many of them have come."""
    yield from track(lines, doing, total=count, console=Console(), transient=True)


@app.command("sft")
def sft(
    out: OutOption,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of replies.")] = 10000,
    learner: Annotated[str | None, typer.Option(help="A policy in whose states the expert replies (DAgger).")] = None,
    manager: Annotated[str, typer.Option(help="The hotel's side.")] = MANAGER,
    seed: SeedOption = 0,
) -> None:
    """Write demonstrations: the intent-driven system's best wordings, in its own states or a learner's."""
    found = optional_module("policies.training.imitation", "train").expert_demonstrations(
        n,
        seed,
        learner=None if learner is None else load_policy(learner),
        manager=load_manager(manager),
        reward=load_reward("repo"),
    )
    lines: list[Demonstration] = [*_watched(found, n)]
    write_lines(out, lines)
    console = Console()
    _describe_sft(console, lines)
    console.print(f"{len(lines)} replies written to {out}", soft_wrap=True, markup=False)


@app.command("distil")
def distil(
    policy: Annotated[str, typer.Argument(help="A policy, or the folder of an adapter of the transcript prompt.")],
    out: OutOption,
    dialogues: Annotated[int, typer.Option(min=1, help="Dialogues that it plays.")] = 64,
    samples: Annotated[int, typer.Option(min=2, help="Replies sampled in each state, of an adapter.")] = 4,
    manager: Annotated[str, typer.Option(help="The hotel's side.")] = "rules",
    reward: Annotated[str, typer.Option(help="What grades the replies.")] = "repo",
    max_turns: Annotated[int, typer.Option(min=1, help="Most turns of a dialogue.")] = 12,
    seed: SeedOption = 0,
) -> None:
    """Write dialogues that a policy plays, their replies graded by the reward, for SFT or DPO on whole dialogues."""
    made = optional_module("policies.training.distillation", "train")
    grades = load_reward(reward)
    player = made.sampling(policy, grades, samples) if Path(policy).is_dir() else load_policy(policy)
    played = made.distilled(
        player,
        made.distilled_scenarios(seed, dialogues),
        manager=load_manager(manager),
        reward=grades,
        reader=reader_for(None if Path(policy).is_dir() else player),
        max_turns=max_turns,
    )
    found: list[Conversation] = [*_watched(played, dialogues)]
    write_conversations(out, found)
    given = [grade for line in found for grade in (*line.grades, *(other.grade for other in line.others)) if grade]
    good = sum(grade >= LEAST_QUALITY for grade in given)
    Console().print(f"{len(found)} dialogues, {good} of {len(given)} replies worth imitating: {out}", soft_wrap=True)


@app.command("samples")
def samples(
    adapter: Annotated[Path, typer.Argument(help="Folder of an adapter of the transcript prompt.")],
    out: OutOption,
    split: Annotated[str, typer.Option(help="Whose dialogues: train or validation.")] = "train",
    n: Annotated[int, typer.Option("--n", min=1, help="Replies, each in another turn.")] = 1000,
    seed: SeedOption = 0,
) -> None:
    """Write what a trained policy says in written dialogues: rejected replies for the reward model's pairs."""
    made = optional_module("policies.training.distillation", "train")
    if split not in ("train", "validation"):
        raise UsageError(f"--split: expected train or validation, got {split!r}")
    rows = [
        line.model_dump() for line in _watched(made.sampled_replies(adapter, split, n, seed), n, "sampling replies")
    ]
    write_rows(out, rows)
    Console().print(f"{len(rows)} replies written to {out}", soft_wrap=True, markup=False)


@app.command("describe")
def describe(
    file: Annotated[Path, typer.Argument(help="A file of preference pairs, or of demonstrations with --sft.")],
    sft_file: Annotated[bool, typer.Option("--sft", help="The file holds demonstrations.")] = False,
) -> None:
    """Check a file line by line and print its figures."""
    console = Console()
    if sft_file:
        _describe_sft(console, read_sft(file))
    else:
        _describe_preferences(console, read_preferences(file))


@app.command("dialogues")
def dialogues(files: Annotated[list[Path], typer.Argument(help="Files of written dialogues, one an author.")]) -> None:
    """Check written dialogues together: format, acts, figures, variety; exit status 1 on a fault."""
    console, wrong = Console(), False
    everything: list[WrittenDialogue] = []
    table = Table("author", "dialogues", "messages", "replies", "distinct bigrams", "rarest flaw", "faults")
    for file in files:
        own = list(read_lines(file, WrittenDialogue))
        counts, found = coverage(own), [fault for dialogue in own for fault in faults(dialogue)]
        rarest = min((counts.flaws[flaw], flaw) for flaw in FLAWS)
        said = [text for dialogue in own for text in dialogue.texts]
        replies = sum(len(turn.replies) for dialogue in own for turn in dialogue.turns)
        row = (len(own), len(said), replies, f"{distinct(said):.2f}", f"{rarest[1]}: {rarest[0]}", len(found))
        table.add_row(file.stem.removeprefix("dialogues_"), *map(str, row))
        for fault in found:
            console.print(fault, soft_wrap=True, highlight=False, markup=False)
        everything, wrong = everything + own, wrong or bool(found)
    console.print(table)
    for first, second, run in shared_runs(everything):
        console.print(f"{first} and {second} share: {run}", soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(int(wrong))


def _describe_preferences(console: Console, lines: Sequence[PreferencePair]) -> None:
    table = Table(
        "source", "pairs", "test", "scenarios", "ceiling", "chosen as preferred", "length r", "mean margin",
        title="Preference pairs (simulated annotators, if written by this project)",
    )  # fmt: skip
    train, test = split_lines(lines)
    parts = {**by_source(lines), "all": list(lines), "all, training": train, "all, test": test}
    for name, some in parts.items():
        if some:
            f = preference_figures(some)
            ceiling, right = ("-" if x is None else f"{x:.3f}" for x in (f.ceiling, f.right))
            row = (str(f.pairs), str(f.test), str(f.scenarios), ceiling, right)
            table.add_row(name, *row, f"{f.length_correlation:+.3f}", f"{f.mean_margin:.2f}")
    console.print(table)
    _print_overlap(console, train, test)


def _describe_sft(console: Console, lines: Sequence[Demonstration]) -> None:
    train, test = split_lines(lines)
    table = Table("split", "replies", "scenarios", "different texts", "mean characters", title="Demonstrations")
    for name, some in (("training", train), ("test", test)):
        texts = reply_texts(some)
        mean = sum(map(len, texts)) / max(len(texts), 1)
        table.add_row(name, str(len(some)), str(len({x.scenario for x in some})), str(len(set(texts))), f"{mean:.0f}")
    console.print(table)
    _print_overlap(console, train, test)


def _print_overlap(
    console: Console,
    train: Sequence[PreferencePair] | Sequence[Demonstration],
    test: Sequence[PreferencePair] | Sequence[Demonstration],
) -> None:
    """Say how much of the test split training has seen."""
    scenarios = shared([x.scenario for x in train], [x.scenario for x in test])
    texts = shared(reply_texts(train), reply_texts(test))
    console.print(
        f"test scenarios also in training: {scenarios:.1%}; test replies word for word in training: {texts:.1%}",
        highlight=False,
    )
