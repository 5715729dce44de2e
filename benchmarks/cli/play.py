"""``negotiate play``: a person takes the agent's side against a simulated manager."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

QUIT, HINT, CARD = "/quit", "/hint", "/card"


def play(
    manager: Annotated[str, typer.Option(help="Who answers: rules or llm.")] = "rules",
    seed: Annotated[int, typer.Option(min=0, help="Scenario to play; the same seed, the same scenario.")] = 0,
    persona: Annotated[str | None, typer.Option(help="Who the manager is: a name or a file; default: drawn.")] = None,
    llm: Annotated[str, typer.Option(help="Engine of the llm manager.")] = "smollm2",
    max_turns: Annotated[int, typer.Option(min=1, help="Messages after which it is cut off.")] = 20,
) -> None:
    """Type the agent's messages, one a line. /hint shows the stage, /card the task, /quit ends."""
    from benchmarks.cli.live import STAGE_HINTS, LiveNegotiation
    from negotiation_env.registry import load_manager, load_reward
    from negotiation_env.scenario import sample_scenario

    console = Console()
    player = load_manager(manager, llm)
    game = LiveNegotiation(sample_scenario(seed), player, load_reward("repo"), console, persona)
    game.show_card()
    console.print(f"Type your message; {HINT}, {CARD} and {QUIT} help.")
    turns = 0
    while not game.over and turns < max_turns:
        line = _read(console)
        if line is None or line.strip() == QUIT:
            break
        if line.strip() == HINT:
            console.print(f"Stage: {game.stage.name.lower()} ({STAGE_HINTS[game.stage]})")
        elif line.strip() == CARD:
            game.show_card()
        elif line.strip():
            game.say(line)
            turns += 1
    game.show_outcome()


def _read(console: Console) -> str | None:
    """Return the next line without its end, None when there is no more; prompts on a terminal only."""
    if sys.stdin.isatty():
        console.print("[cyan]you>[/cyan] ", end="")
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        return ""
    return line.rstrip("\r\n") if line else None
