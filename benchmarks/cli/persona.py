"""``negotiate persona``: list, show, begin, check, export and fit the hotel managers' personas."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.cli import completion
from benchmarks.cli.own_files import NEW_FILES, TRIED_WITH, NewFile, write_new
from negotiation_env.checks import CheckError, check_persona
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import load_policy
from negotiation_env.play.rollout import answered_first, rollout
from simulators.managers.rule_manager import RuleManager
from simulators.persona_phrases import phrase_problems
from simulators.personas import Persona, all_personas, builtin_personas, fitted_personas, load_persona

NEGOTIATIONS = 20
SHOWN = 6
"""Answers that are shown."""

app = typer.Typer(no_args_is_help=True, help="List, show, begin, check, export and fit personas of hotel managers.")


@app.command("list")
def list_personas() -> None:
    """List every persona with what tells it from the others."""
    table = Table(title="Personas", box=SIMPLE)
    for name in ("name", "beta", "family", "answers", "mood", "moved by"):
        table.add_column(name, no_wrap=True)
    for persona in all_personas():
        decides = persona.decides
        table.add_row(
            persona.name,
            f"{decides.beta:g}",
            _family(decides.beta),
            f"{decides.answers:.0%}",
            f"{decides.mood:+.1f}",
            _favourite(persona),
        )
    Console().print(table)


def _family(beta: float) -> str:
    """Return the concession family of Faratin et al. (1998) that a beta belongs to."""
    return "Boulware" if beta < 0.8 else "conceder" if beta > 1.25 else "linear"


def _favourite(persona: Persona) -> str:
    """Return the argument that opens most of its room."""
    weights = persona.tactics.model_dump(exclude={"pressure"})
    return max(weights, key=lambda name: float(weights[name]))


@app.command("show")
def show(
    name: str = typer.Argument(help="Name of a persona, or path of its TOML file.", autocompletion=completion.personas),
) -> None:
    """Show all of one persona."""
    persona = load_persona(name)
    console = Console(highlight=False)
    console.print(f"[bold]{persona.name}[/bold]: {persona.title} (weight {persona.weight:g}, tone {persona.tone})")
    console.print(persona.description, persona.voice, markup=False)
    for title, values in (("decides", persona.decides), ("tactics", persona.tactics)):
        table = Table(title=title, title_justify="left", show_header=False)
        for key, value in values.model_dump().items():
            table.add_row(key, f"{value:g}" if isinstance(value, float) else str(value))
        console.print(table)
    for key, phrases in persona.phrases.items():
        console.print(f"{key}: {' / '.join(phrases)}", markup=False)


@app.command("new")
def new(path: NewFile) -> None:
    """Write a persona to begin with."""
    write_new(path, (NEW_FILES / "persona.toml").read_text(encoding="utf-8"))


@app.command("export")
def export(name: Annotated[str, typer.Argument(help="Name of a shipped persona.")], path: NewFile) -> None:
    """Write a shipped persona as a file, to change it; give it another name."""
    files = {file.stem: file for file in builtin_personas() + fitted_personas()}
    if name not in files:
        raise UsageError(f"expected the name of a shipped persona, got {name!r}.{did_you_mean(name, files)}")
    write_new(path, files[name].read_text(encoding="utf-8"))


@app.command("fit")
def fit(
    people: Annotated[Path, typer.Argument(help="A file of people's dialogues, in CraigslistBargain's format.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; none may be there.")],
    talks: Annotated[int, typer.Option(min=20, help="Talks that a set of numbers is tried in.")] = 200,
    sweeps: Annotated[int, typer.Option(min=1, help="Times that all numbers are gone through, at most.")] = 3,
) -> None:
    """Fit a persona to people's deals: how far they come down, when, how often, at whose figure, in how many messages.

    Every second deal is fitted to; the distances from the others stand in the file's head.
    """
    from benchmarks.studies.manager.human_fit import as_file, fit_people
    from benchmarks.studies.manager.human_likeness import human_bargains

    if out.exists():
        raise UsageError(f"expected a file that is not there yet, got {out}: name another, or delete it first")
    write_new(out, as_file(fit_people(human_bargains(people), talks, sweeps, typer.echo), talks))


@app.command("check")
def check(
    path: str = typer.Argument(
        help="Path of a persona's TOML file, or a persona's name.", autocompletion=completion.personas
    ),
) -> None:
    """Check a persona: the file, whether its words mean what it decides, and how it negotiates."""
    persona = load_persona(path)
    console = Console(highlight=False)
    console.print(f"{persona.name}: the file is a persona")
    problems = phrase_problems(persona)
    if problems:
        raise CheckError("\n".join(f"{path}: {problem}" for problem in problems))
    manager = RuleManager()
    check_persona(persona, manager=manager)
    console.print(f"{persona.name}: what it says means what it decides, and no price lies below its floor")
    habits = observe(persona, manager)
    table = Table(title=f"{habits.played} sampled negotiations with the policy {TRIED_WITH}", show_header=False)
    table.add_row("answered the first message", f"{habits.answered} of {habits.played}")
    table.add_row("tickets with a cut", f"{len(habits.cuts)} of {habits.tickets}")
    table.add_row("mean cut", f"{sum(habits.cuts) / len(habits.cuts):.1%}" if habits.cuts else "none")
    table.add_row("tickets at or below target", f"{habits.at_target} of {habits.tickets}")
    table.add_row("mean turns", f"{habits.turns / habits.played:.1f}")
    for end, count in habits.ends.most_common():
        table.add_row(f"ended {end.replace('_', ' ')}", str(count))
    console.print(table)
    console.print("[bold]First answers[/bold]")
    for text in habits.said:
        console.print(f"  {text}", markup=False)


@dataclass(slots=True)
class Habits:
    """What a persona did in a number of negotiations."""

    played: int = 0
    answered: int = 0
    """Negotiations in which it answered the first message."""
    tickets: int = 0
    at_target: int = 0
    turns: int = 0
    cuts: list[float] = field(default_factory=list)
    """Per ticket with a cut, the share of the selling price given up."""
    ends: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    """A few things that it said."""


def observe(persona: Persona, manager: RuleManager, negotiations: int = NEGOTIATIONS) -> Habits:
    """Play a persona against a scripted policy over sampled scenarios and return what it did."""
    habits = Habits()
    scenarios = [sample_scenario(seed) for seed in range(negotiations)]
    episodes = rollout(
        load_policy(TRIED_WITH), scenarios, manager=manager, reward=Unscored(), personas=[persona] * negotiations
    )
    for episode in episodes:
        habits.played += 1
        habits.answered += answered_first(episode)
        habits.turns += len(episode.turns)
        habits.ends[episode.end or "cut off"] += 1
        habits.tickets += len(episode.tickets)
        cut = [t for t in episode.tickets if t.agreed is not None and t.agreed < t.selling_price]
        habits.cuts += [1.0 - (t.agreed or 0.0) / t.selling_price for t in cut]
        habits.at_target += sum((t.agreed or 0.0) <= t.target_price for t in cut)
        habits.said += [turn.answer for turn in episode.turns if turn.answer]
    habits.said = list(dict.fromkeys(habits.said))[:SHOWN]
    return habits
