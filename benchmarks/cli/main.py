"""Entry point of ``negotiate``: the commands, and how errors and interrupts end.

An error of this project prints one clean line and exits with 2; Ctrl-C exits with 130; anything else is a bug and keeps
its traceback. A study's module is imported when that study runs; ``negotiate doctor`` says what is installed.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand, TyperGroup

from benchmarks.cli import bench, data, demo, own_files, persona, play, read, report, train
from benchmarks.studies import STUDIES
from negotiation_env import __version__
from negotiation_env.engines import smollm2
from negotiation_env.errors import NegotiationError
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.training import optional_module
from policies.training.settings import LAUNCH_FILES

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
CORE = ("gymnasium", "numpy", "scipy", "pydantic", "rich", "typer", "jinja2")
OPTIONAL = {
    "torch": "llm", "transformers": "llm", "peft": "llm", "accelerate": "llm", "stable-baselines3": "sb3",
    "openai": "openai", "vllm": "vllm", "ray": "ray",
}  # fmt: skip
"""Optional packages, and the extra that brings each."""


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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"negotiation-env {__version__}")
        raise typer.Exit


def doctor(
    ray: Annotated[
        str, typer.Option("--ray", help="Try Ray too: local, auto, or a cluster's HOST:PORT; takes some seconds.")
    ] = "",
) -> None:
    """Show versions, optional parts, the embedded model and the cache folder."""
    table = Table(title=f"negotiation-env {__version__}")
    for heading in ("part", "state", "what to do"):
        table.add_column(heading, overflow="fold")
    table.add_row("Python", platform.python_version(), "")
    sound = True
    for name in CORE:
        version = _version(name)
        sound = sound and version is not None
        table.add_row(name, version or "missing", "" if version else f"pip install {name}")
    for name, extra in OPTIONAL.items():
        if name == "ray" and ray:
            row = _tried_ray(ray)
            table.add_row(*row)
            sound = sound and not row[-1]
            continue
        version = _version(name)
        advice = "" if version else rf"optional: pip install 'negotiation-env\[{extra}]'"
        advice = "negotiate doctor --ray local tries it" if name == "ray" and version else advice
        table.add_row(name, version or "not installed", advice)
    table.add_row(*_embedded_model())
    cache = smollm2.cache_folder()
    writable = _writable(cache)
    table.add_row(
        "cache",
        f"{cache} ({'writable' if writable else 'not writable'})",
        "" if writable else "set NEGOTIATION_ENV_CACHE to a folder that can be written",
    )
    table.add_row(*_encoder())
    table.add_row(*_several_processes())
    table.add_row("built-in policies", *_policies())
    Console().print(table)
    if not sound:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _tried_ray(address: str) -> tuple[str, str, str]:
    """Whether Ray's actors work at an address; what to do is "" where they do."""
    try:
        found = optional_module("negotiation_env.play.ray_workers", "ray").tried(address)
    except NegotiationError as error:
        return "ray", f"{_version('ray') or 'not installed'}, does not work", _plain(str(error))
    return "ray", f"{_version('ray')}, works: {found}", ""


def _embedded_model() -> tuple[str, str, str]:
    """Whether SmolLM2 is there, and whether it has been unpacked into the cache."""
    try:
        file = smollm2.gguf_file()
    except NegotiationError as error:
        return "SmolLM2", "missing", str(error)
    unpacked = list((smollm2.cache_folder() / "models").glob("smollm2-*/manifest.json"))
    state = "ready" if unpacked else "installed; unpacked on first use"
    if util.find_spec("torch") is None:
        return "SmolLM2", f"{state}, {file.stat().st_size >> 20} MB", "needs the llm extra to run"
    return "SmolLM2", f"{state}, {file.stat().st_size >> 20} MB", ""


def _encoder() -> tuple[str, str, str]:
    """Whether the encoder reader is there."""
    if encoder_installed():
        return "reader encoder", "ready", ""
    return "reader encoder", "not installed", "optional: what people and models write is read by rules"


def _several_processes() -> tuple[str, str, str]:
    """Whether training can run in several processes, and where the files that say how to lie."""
    if any(util.find_spec(name) is None for name in ("accelerate", "trl")):
        return "several processes", "not installed", r"optional: pip install 'negotiation-env\[train]'"
    return "several processes", "accelerate launch --config_file FILE", f"files: {LAUNCH_FILES}"


def _writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that exists, can be written."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(nearest, os.W_OK)


def _policies() -> tuple[str, str]:
    from negotiation_env.play import registry

    return ", ".join(registry.known(registry.POLICIES)), ""


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
app.command("doctor")(doctor)
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
