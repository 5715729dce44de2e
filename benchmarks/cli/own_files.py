"""``negotiate rules``, ``rubric`` and ``scenario``: files of one's own, begun, shown, checked and exported.

``new`` writes a file to begin with, ``show`` tells what a file (or the shipped one) holds, ``check`` says what is wrong
with it, and ``export`` writes a shipped one as a file. None writes over a file that is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.files import write_text
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.game.scenario_file import read_scenario, scenario_toml

TRIED_WITH = "intent-driven"
"""The policy that a scenario or persona is tried out with."""
NEW_FILES = Path(__file__).with_name("new_files")
"""What ``new`` writes."""
NewFile = Annotated[Path, typer.Argument(help="File to write; none may be there.")]
File = Annotated[Path, typer.Argument(help="The TOML file.")]
AnyFile = Annotated[Path | None, typer.Argument(help="The TOML file; default: the shipped one.")]

rules = typer.Typer(no_args_is_help=True, help="Rules of the reward (RF): begin, show, check and export a file.")
rubric = typer.Typer(no_args_is_help=True, help="The judge's rubric (RJ): begin, show, check and export a file.")
scenario = typer.Typer(no_args_is_help=True, help="Scenarios: begin, show, check and export a file.")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, and say so. Raises ``UsageError`` where one is."""
    if path.exists():
        raise UsageError(f"expected a file that is not there yet, got {path}: name another, or delete it first")
    write_text(path, text)
    typer.echo(f"wrote {path}")


@rules.command("new")
def new_rules(path: NewFile) -> None:
    """Write a rules file to begin with."""
    write_new(path, (NEW_FILES / "rules.toml").read_text(encoding="utf-8"))


@rules.command("export")
def export_rules(path: NewFile) -> None:
    """Write the shipped rules as a file, to add to them or change them."""
    from rewards.rules.rule_reward import SHIPPED

    write_new(path, SHIPPED.read_text(encoding="utf-8"))


@rules.command("show")
def show_rules(path: AnyFile = None) -> None:
    """List rules with their points."""
    from rewards.rules.rule_reward import RuleReward

    table = Table("rule", "points", "severity", "group", "why")
    for rule in RuleReward.from_toml(path).rules:
        table.add_row(rule.id, f"{rule.points:+g}", rule.severity, rule.group, rule.message)
    Console(highlight=False).print(table)


@rules.command("check")
def check_rules(path: File) -> None:
    """Check a rules file: its fields, that no pattern takes too long, and each rule on its own examples."""
    from rewards.rules.rule_reward import tried_rules

    found = tried_rules(_there(path)).rules
    untried = [rule.id for rule in found if not (rule.yes and rule.no)]
    typer.echo(f"{path}: {len(found)} rule(s); each does what its own examples say")
    if untried:
        typer.echo(f"without examples that must (yes) and must not (no) fire: {', '.join(untried)}")


@rubric.command("new")
def new_rubric(path: NewFile) -> None:
    """Write a rubric to begin with."""
    write_new(path, (NEW_FILES / "rubric.toml").read_text(encoding="utf-8"))


@rubric.command("export")
def export_rubric(path: NewFile) -> None:
    """Write the shipped rubric as a file, to add to it or change it."""
    from rewards.judge.rubric import SHIPPED

    write_new(path, SHIPPED.read_text(encoding="utf-8"))


@rubric.command("show")
def show_rubric(path: AnyFile = None) -> None:
    """Show a rubric's questions, with the points of yes and no."""
    from rewards.judge.rubric import Rubric

    console = Console(highlight=False)
    for dimension in Rubric.from_toml(path).dimensions:
        console.print(f"{dimension.title} ({dimension.id})", style="bold", markup=False)
        for question in dimension.questions:
            asked = f"  {question.id} ({question.when}), yes {question.yes:+g}, no {question.no:+g}: {question.text}"
            console.print(asked, markup=False)


@rubric.command("check")
def check_rubric(path: File) -> None:
    """Check a rubric: its fields, what its questions have filled in, and the limits of its points."""
    from rewards.judge.rubric import Rubric

    found = Rubric.from_toml(_there(path))
    low = max(found.least, sum(min(q.yes, q.no) for q in found.questions))
    high = min(found.most, sum(max(q.yes, q.no) for q in found.questions))
    count = f"{len(found.dimensions)} dimension(s), {len(found.questions)} question(s)"
    typer.echo(f"{path}: {count}; totals from {low:+g} to {high:+g} points")


Seed = Annotated[int, typer.Option(min=0, help="Sampled scenario that the file begins as.")]


@scenario.command("new")
def new_scenario(path: NewFile, seed: Seed = 0) -> None:
    """Write a scenario file to begin with: a sampled one, to change as you like."""
    write_new(path, scenario_toml(sample_scenario(seed)))


@scenario.command("export")
def export_scenario(
    which: Annotated[str, typer.Argument(help="Seed of a sampled scenario, or SUITE/ID such as bad-cases/emotion-2.")],
    path: NewFile,
) -> None:
    """Write a sampled scenario, or one of a suite, as a file (without a case's script and checks)."""
    write_new(path, scenario_toml(named_scenario(which)))


def named_scenario(which: str) -> Scenario:
    """Return the sampled scenario of a seed, the one of ``SUITE/ID``, or a file's.

    Raises:
        UsageError: there is no such suite, case or file.
    """
    if which.isdecimal():
        return sample_scenario(int(which))
    if Path(which).is_file():
        return read_scenario(Path(which))
    from benchmarks.suites import load_suite

    suite, slash, name = which.rpartition("/")
    if not slash:
        raise UsageError(f"expected a seed, a file, or SUITE/ID, got {which!r}: such as 3, or bad-cases/emotion-2")
    cases = {case.id: case.scenario for case in load_suite(suite)}
    if name not in cases:
        raise UsageError(f"expected a case of suite {suite!r}, got {name!r}.{did_you_mean(name, cases)}")
    return cases[name]


@scenario.command("show")
def show_scenario(which: Annotated[str, typer.Argument(help="File, seed of a sampled one, or SUITE/ID.")]) -> None:
    """Show a scenario: the agent's card, and the floors that only the manager knows."""
    found = named_scenario(which)
    console = Console(highlight=False)
    console.print(found.card.text(), markup=False, soft_wrap=True)
    table = Table("room", "selling", "target", "floor", "a deal at the target", title="Private", title_justify="left")
    for ticket, floor in zip(found.card.tickets, found.brief.floors, strict=True):
        reach = "possible" if floor <= ticket.target_price else "impossible"
        table.add_row(ticket.room, str(ticket.selling_price), str(ticket.target_price), str(floor), reach)
    console.print(table)


@scenario.command("check")
def check_scenario(path: File) -> None:
    """Check a scenario file: its fields, that every promise is heard where it is made, and how it plays."""
    found = read_scenario(path)
    unheard = unheard_promises(found)
    if unheard:
        raise DataFileError(
            f"{path}: promises: expected words that are heard as a promise, got {', '.join(map(repr, unheard))}: write "
            "what is given, without not, never or no"
        )
    typer.echo(f"{path}: the file is a scenario, and its promises are heard")
    typer.echo(_how_it_plays(found))


def unheard_promises(found: Scenario) -> list[str]:
    """Return the promises of a card's own words that "You would get ..." does not make."""
    from negotiation_env.game import world
    from negotiation_env.game.acts import Act
    from negotiation_env.game.lanes import FLOATS
    from negotiation_env.game.scenario import card_numbers
    from negotiation_env.game.state import new_game
    from negotiation_env.play.exchange import reply_view

    game = new_game(FLOATS, card_numbers(found.card))
    own = [promise for promise in found.card.promises if promise not in world.PROMISES]
    views = [reply_view(f"In return you would get {promise}.", found.card, game) for promise in own]
    return [
        promise
        for promise, view in zip(own, views, strict=True)
        if not any(act.kind is Act.PROMISE and act.detail == promise for act in view.acts)
    ]


def _how_it_plays(found: Scenario) -> str:
    from negotiation_env.play.protocols import Unscored
    from negotiation_env.play.registry import load_manager, load_policy
    from negotiation_env.play.rollout import rollout

    (episode,) = rollout(load_policy(TRIED_WITH), [found], manager=load_manager("rules"), reward=Unscored())
    agreed = ", ".join(f"{t.room} {'nothing' if t.agreed is None else f'{t.agreed:.0f}'}" for t in episode.tickets)
    end = episode.end.replace("_", " ")
    return f"played once by {TRIED_WITH}: ended {end} after {len(episode.turns)} messages; agreed: {agreed}"


def _there(path: Path) -> Path:
    """Return the path of a file that is there."""
    if not path.is_file():
        raise UsageError(f"expected a file, found none at {path}: `new` writes one to begin with")
    return path
