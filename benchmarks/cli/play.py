"""``negotiate play``: a person takes the agent's side against a simulated manager, and sees each reply's reward."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from negotiation_env.game.scenario import Scenario, TaskCard
from negotiation_env.game.state import End, Stage, stage_of
from negotiation_env.play.exchange import Exchange, exchange, open_negotiation
from negotiation_env.play.protocols import Manager, Negotiation, Reward, RewardBreakdown

STAGE_HINTS = {
    Stage.OPEN: "greet, and say who is calling",
    Stage.REASON: "give a reason, with a fact from the card",
    Stage.ASK_PRICE: "ask for a price",
    Stage.OBJECTIONS: "answer the objection, then bargain in small steps",
    Stage.CONFIRM: "take the quote: name figure, price type and room",
    Stage.CLOSE: "thank and close",
}


class LiveNegotiation:
    """A negotiation being played and shown.

    Args:
        scenario: what to play.
        manager: the hotel's side.
        persona: who the manager is (name or path); None draws one.
        reward: scores every reply.
        console: where it is shown.
    """

    def __init__(
        self, scenario: Scenario, manager: Manager, reward: Reward, console: Console, persona: str | None = None
    ) -> None:
        self.negotiation: Negotiation = open_negotiation(scenario, manager, persona)
        self._manager, self._reward, self._console = manager, reward, console

    @property
    def over(self) -> bool:
        """Whether the negotiation has ended."""
        return bool(self.negotiation.game.end)

    @property
    def stage(self) -> Stage:
        """The stage the agent is in."""
        return stage_of(self.negotiation.game)

    def say(self, text: str) -> Exchange:
        """Play the agent's message and show the exchange."""
        (step,) = exchange([self.negotiation], [text], self._manager, self._reward)
        turn = int(self.negotiation.game.turn)
        self._console.print(_panel(f"agent, turn {turn}", step.text, "cyan", step.reward))
        answer = step.answer.text or "(silence)"
        self._console.print(_panel("manager", answer, "yellow"))
        for fault in step.answer.faults:
            self._console.print(f"[dim]wording fault: {escape(fault)}[/dim]")
        return step

    def show_card(self) -> None:
        """Show the agent's task card."""
        self._console.print(_panel("task card", self.card.text(), "white"))

    @property
    def card(self) -> TaskCard:
        """The agent's side of the scenario."""
        return self.negotiation.card

    def show_outcome(self) -> None:
        """Show how it ended, ticket by ticket."""
        game = self.negotiation.game
        end = End(int(game.end)).name.lower().replace("_", " ") if game.end else "cut off"
        table = Table("room", "price before", "agreed", title=f"Ended: {end}", title_justify="left")
        for k, ticket in enumerate(self.card.tickets):
            agreed = f"{game.agreed[k]:.0f}" if game.agreed[k] > 0.0 else "–"
            table.add_row(ticket.room, str(ticket.selling_price), agreed)
        self._console.print(table)


def _panel(title: str, text: str, colour: str, reward: RewardBreakdown | None = None) -> Panel:
    body = Text(text or "(nothing)")
    parts = Group(body, "", *_reward_lines(reward)) if reward is not None else body
    return Panel(parts, title=title, title_align="left", border_style=colour, expand=True)


def _reward_lines(reward: RewardBreakdown) -> list[Text]:
    """The total, its sources, and the terms behind them."""
    if reward.total is None:
        return [Text(f"reward: not scored ({reward.fault or 'a source failed'})", style="red")]
    style = "green" if reward.total >= 0.0 else "red"
    sources = " ".join(
        f"{name} {value:+.2f}"
        for name, value in (
            ("model", reward.model),
            ("judge", reward.judge),
            ("rules", reward.rules),
            ("enhancement", reward.enhancement),
        )
        if value is not None
    )
    lines = [Text(f"reward {reward.total:+.2f}", style=f"bold {style}") + Text(f"   {sources}", "dim")]
    for term in reward.terms:
        message = f": {term.message}" if term.message else ""
        lines.append(Text(f"  {term.source} {term.id} {term.points:+.1f}{message}", style="dim"))
    return lines


QUIT, HINT, CARD = "/quit", "/hint", "/card"


def play(
    manager: Annotated[str, typer.Option(help="Who answers: rules or llm.")] = "rules",
    seed: Annotated[int, typer.Option(min=0, help="Scenario to play; the same seed, the same scenario.")] = 0,
    persona: Annotated[str | None, typer.Option(help="Who the manager is: a name or a file; default: drawn.")] = None,
    llm: Annotated[str, typer.Option(help="Engine of the llm manager.")] = "smollm2",
    max_turns: Annotated[int, typer.Option(min=1, help="Messages after which it is cut off.")] = 20,
) -> None:
    """Type the agent's messages, one a line. /hint shows the stage, /card the task, /quit ends."""
    from negotiation_env.game.scenario import sample_scenario
    from negotiation_env.play.registry import load_manager, load_reward

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
