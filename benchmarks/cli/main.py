"""Entry point of ``negotiate``: the commands, and how errors and interrupts end.

An error of this project prints one clean line and exits with 2; Ctrl-C exits with 130; anything else is a bug and keeps
its traceback. A study's module is imported when that study runs.
"""

from __future__ import annotations

from importlib import util
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from benchmarks.cli import bench, data, demo, doctor, own_files, persona, play, read, report, train
from benchmarks.studies import STUDIES
from negotiation_env import __version__
from negotiation_env.errors import NegotiationError
from negotiation_env.play.registry import AUTO
from negotiation_env.training import optional_module

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class CleanErrors(TyperGroup):
    """A command group that turns this project's errors into one line and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        err = Console(stderr=True, soft_wrap=True, highlight=False)
        try:
            return super().invoke(ctx)
        except NegotiationError as error:
            err.print(f"[red]error:[/red] {_plain(str(error))}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as stop:
            err.print("interrupted; what was finished is kept, the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from stop


def _plain(text: str) -> str:
    """Keep rich from reading markup into an error's text."""
    return text.replace("[", r"\[")


class StudyGroup(TyperGroup):
    """The studies, each imported when it runs; what a study returns is the exit status."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names."""
        return list(STUDIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a study's name and line, without its options."""
        found = STUDIES.get(cmd_name)
        return None if found is None else TyperCommand(cmd_name, help=found.what)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the study that is to run, with its options."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, study_command(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the study."""
        if status := super().invoke(ctx):
            raise typer.Exit(status)


def study_command(name: str) -> Any:
    """Return the command of a study. Raises ``UsageError`` where a library that it needs is missing."""
    module, _, function = STUDIES[name].where.partition(":")
    single = typer.Typer(add_completion=False)
    single.command(name)(
        getattr(optional_module(util.resolve_name(module, "benchmarks.studies"), STUDIES[name].extra), function)
    )
    return typer.main.get_command(single)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on, 0 for any.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all of this machine's.")] = "127.0.0.1",
    manager: Annotated[str, typer.Option(help="The hotel's side, as gymnasium.make takes it.")] = "rules",
    reward: Annotated[str, typer.Option(help="The reward, as gymnasium.make takes it.")] = "repo",
    reader: Annotated[str, typer.Option(help="Who reads the agent's messages.")] = AUTO,
    suite: Annotated[str, typer.Option(help="Play a suite's scenarios instead of sampled ones.")] = "",
    max_turns: Annotated[int, typer.Option(help="Replies after which a dialogue is cut off.")] = 20,
    sessions: Annotated[int, typer.Option(help="Clients at a time.")] = 64,
) -> None:
    """Serve negotiations to OpenEnv's clients, from a venv that has the openenv extra."""
    server = optional_module("policies.integrations.openenv_server", "openenv")
    app = server.make_app(manager, reward, reader, suite or None, max_turns=max_turns, sessions=sessions)
    optional_module("uvicorn", "openenv").run(app, host=host, port=port)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"negotiation-env {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="negotiate",
    cls=CleanErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Negotiate hotel rates with simulated managers: demo, play, benchmark, train, measure.",
)
studies = typer.Typer(cls=StudyGroup, no_args_is_help=True, help="Measure one thing; a missed target exits with 1.")


@studies.callback()
def _study() -> None:
    """Measure one thing; a missed target exits with 1."""


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Negotiate hotel rates with simulated managers: demo, play, benchmark, train, measure."""


app.command("demo")(demo.demo)
app.command("play")(play.play)
app.command("read")(read.read)
app.command("bench")(bench.bench)
app.command("serve")(serve)
app.command("doctor")(doctor.doctor)
app.command("rescore")(report.rescore)
app.add_typer(train.app, name="train")
app.add_typer(data.app, name="data")
app.add_typer(persona.app, name="persona")
app.add_typer(own_files.scenario, name="scenario")
app.add_typer(own_files.rules, name="rules")
app.add_typer(own_files.rubric, name="rubric")
app.add_typer(report.app, name="report")
app.add_typer(studies, name="study")


def main() -> None:
    """Run the command line."""
    app()
