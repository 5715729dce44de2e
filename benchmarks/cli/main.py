"""Entry point of ``negotiate``: the commands, and how errors and interrupts end.

An error of this project prints one clean line and exits with 2; Ctrl-C exits with 130; anything
else is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from benchmarks.cli import bench, data, demo, doctor, persona, play, report, rescore, train, train_supervised
from negotiation_env import __version__
from negotiation_env.engines.chat_model import EngineMissingError, EngineSpecError
from negotiation_env.errors import NegotiationError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class CleanErrors(TyperGroup):
    """A command group that turns this project's errors into one line and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        err = Console(stderr=True, soft_wrap=True, highlight=False)
        try:
            return super().invoke(ctx)
        except (NegotiationError, EngineSpecError, EngineMissingError) as error:
            err.print(f"[red]error:[/red] {_plain(str(error))}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as stop:
            err.print("interrupted; what was finished is kept, the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from stop


def _plain(text: str) -> str:
    """Keep rich from reading markup into an error's text."""
    return text.replace("[", r"\[")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"negotiation-env {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="negotiate",
    cls=CleanErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Negotiate hotel rates with simulated managers: demo, play, benchmark, train.",
)


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Negotiate hotel rates with simulated managers: demo, play, benchmark, train."""


app.command("demo")(demo.demo)
app.command("play")(play.play)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("rescore")(rescore.rescore)
train.app.command("base")(train_supervised.base)
train.app.command("sft")(train_supervised.sft)
train.app.command("dpo")(train_supervised.dpo)
app.add_typer(train.app, name="train")
app.add_typer(data.app, name="data")
app.add_typer(persona.app, name="persona")
app.add_typer(report.app, name="report")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
