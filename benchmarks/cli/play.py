"""``negotiate play``: a person takes the agent's side against a simulated manager.

A line of what is open follows every exchange. A message can be taken back: the negotiation goes on from before it, and
the hotel's draws are those of that turn. ``LiveNegotiation`` is what ``negotiate demo`` shows its negotiations with.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from benchmarks.cli import completion
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game.scenario import Scenario, TaskCard
from negotiation_env.game.state import Stage, stage_of
from negotiation_env.language.describe import describe, in_words
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.play.exchange import Exchange, end_of, exchange, open_negotiation
from negotiation_env.play.protocols import AgentReply, Manager, Negotiation, Reward, RewardBreakdown
from negotiation_env.play.records import Episode, TurnRecord, write_episodes
from negotiation_env.play.rollout import episode_record, turn_record

HINTS = {
    Stage.OPEN: "greet, and say who is calling",
    Stage.REASON: "give a reason, with a fact from the card",
    Stage.ASK_PRICE: "ask for a price",
    Stage.OBJECTIONS: "answer the objection, then bargain in small steps",
    Stage.CONFIRM: "take the quote: name figure, price type and room",
    Stage.CLOSE: "thank and close",
}


GAIN, LOSS = "green", "red"


class LiveNegotiation:
    """A negotiation being played and shown.

    Args:
        scenario: what to play.
        manager: the hotel's side.
        persona: who the manager is (name or path); None draws one.
        reward: scores every reply.
        reader: understands the agent's messages.
        console: where it is shown.
        show_reading: whether to show under each message how it was understood.
        show_reward: whether to show under each reply what its reward is made of, not the total alone.
    """

    def __init__(
        self,
        scenario: Scenario,
        manager: Manager,
        reward: Reward,
        reader: Reader,
        console: Console,
        persona: str | None = None,
        show_reading: bool = False,
        show_reward: bool = False,
    ) -> None:
        self.negotiation: Negotiation = open_negotiation(scenario, manager, persona)
        self._manager, self._reward, self._reader, self._console = manager, reward, reader, console
        self.show_reading, self.show_reward = show_reading, show_reward
        self.turns: list[TurnRecord] = []
        self._before: list[Negotiation] = []
        self._fault: str | None = None

    @property
    def over(self) -> bool:
        """Whether the negotiation has ended, or a part of the user's own has failed."""
        return bool(self.negotiation.game.end) or self._fault is not None

    @property
    def stage(self) -> Stage:
        """The stage the agent is in."""
        return stage_of(self.negotiation.game)

    def say(self, text: str) -> Exchange:
        """Play the agent's message and show the exchange, with what is open after it."""
        before = copy.deepcopy(self.negotiation)
        with self._console.status("the hotel thinks"):
            (step,) = exchange([self.negotiation], [text], self._manager, self._reward, self._reader)
        self._before.append(before)
        self.turns.append(turn_record(step, AgentReply(step.text)))
        lines = _reward_lines(step.reward)
        shown = lines if self.show_reward else lines[:1]
        self._console.print(_panel(f"agent, turn {len(self.turns)}", step.text, "cyan", shown))
        if self.show_reading:
            self._show_reading(describe(step.reading, self.card)["text"], step.reading.confidence)
        answer = step.answer.text or "(silence)"
        self._console.print(_panel("manager", answer, "yellow"))
        if self.show_reading:
            self._show_reading(in_words(step.answer.acts, self.card))
        if step.fault is not None:
            self._fault = step.fault
            self._console.print(f"[red]fault:[/red] {escape(step.fault)}")
            return step
        for fault in step.answer.faults:
            self._console.print(f"[dim]wording fault: {escape(fault)}[/dim]")
        self.show_tickets()
        return step

    def undo(self) -> bool:
        """Take the last message and its answer back; return whether there was one."""
        if not self._before:
            return False
        self.negotiation = self._before.pop()
        self.turns.pop()
        self._fault = None
        return True

    def record(self, policy: str) -> Episode:
        """Return the negotiation so far as an episode; ``policy`` names who played."""
        return episode_record(self.negotiation, self.turns, policy, self._manager.name, self._reader, self._fault)

    def show_tickets(self) -> None:
        """Show in a line how each ticket stands: quotes and bids, green where it has become cheaper."""
        self._console.print(Text(" ").join([Text("rooms:", style="dim"), *self._standings()]))

    def _standings(self) -> list[Text]:
        game, found = self.negotiation.game, []
        for k, ticket in enumerate(self.card.tickets):
            before = ticket.selling_price
            if game.agreed[k] > 0.0:
                line = Text(f"{ticket.room} agreed at ") + change(float(game.agreed[k]), before)
            elif game.refused[k]:
                line = Text(f"{ticket.room} ") + Text("refused", style=LOSS)
            else:
                quote = change(float(game.quote[k]), before) if game.quoted[k] else Text(f"{before}, as before")
                bid = f", bid {game.bid[k]:.0f}" if game.bid[k] > 0.0 else ", no bid"
                line = Text(f"{ticket.room} open: quote ") + quote + f"{bid}, goal {ticket.target_price}"
            found.append(line if k == len(self.card.tickets) - 1 else line + ";")
        return found

    def _show_reading(self, text: str, confidence: float = 1.0) -> None:
        sure = "" if confidence >= 1.0 else f" (confidence {confidence:.2f})"
        self._console.print(Text(f"  understood: {text}{sure}", style="dim"))

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
        end = end_of(game).replace("_", " ") if game.end else "cut off"
        table = Table("room", "price before", "goal", "agreed", title=f"Ended: {end}", title_justify="left")
        for k, ticket in enumerate(self.card.tickets):
            won = game.agreed[k] > 0.0
            agreed = change(float(game.agreed[k]), ticket.selling_price) if won else Text("–", style=LOSS)
            table.add_row(ticket.room, str(ticket.selling_price), str(ticket.target_price), agreed)
        self._console.print(table)


def change(price: float, before: float) -> Text:
    """Return a price with what it differs from the one before: green if it is lower, red if it is higher."""
    cut = round(price - before)
    return Text(f"{price:.0f} ({cut:+d})", style=GAIN if cut < 0 else LOSS if cut > 0 else "")


def _panel(title: str, text: str, colour: str, reward: list[Text] | None = None) -> Panel:
    body = Text(text or "(nothing)")
    parts = Group(body, "", *reward) if reward else body
    return Panel(parts, title=title, title_align="left", border_style=colour, expand=True)


def _reward_lines(reward: RewardBreakdown) -> list[Text]:
    """The total, its sources, and the terms behind them."""
    if reward.total is None:
        return [Text(f"reward: not scored ({reward.fault or 'a source failed'})", style="red")]
    style = GAIN if reward.total >= 0.0 else LOSS
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
        points = Text(f"{term.points:+.1f}", style=GAIN if term.points >= 0.0 else LOSS)
        lines.append(Text(f"  {term.source} {term.id} ", style="dim") + points + Text(message, style="dim"))
    return lines


QUIT: Final = "/quit"
COMMANDS: Final = {
    "/help": "this list",
    "/card": "the task card again",
    "/hint": "the stage you are in, and what belongs there",
    "/undo": "take back your last message and its answer",
    "/save": "write the talk as an episode: /save FILE, or to out/play",
    "/reward": "show, or no longer show, what each reward is made of",
    "/reading": "show, or no longer show, how each message was understood",
    QUIT: "end",
}
PERSON: Final = "person"
"""The policy's name in a saved episode."""
SAVES: Final = Path("out/play")


def play(
    manager: Annotated[
        str, typer.Option(help="Who answers: rules, llm or llm-decides.", autocompletion=completion.managers)
    ] = "rules",
    seed: Annotated[int, typer.Option(min=0, help="Scenario to play; the same seed, the same scenario.")] = 0,
    scenario: Annotated[
        Path | None, typer.Option(help="File of the scenario to play, in place of a sampled one; its draws: --seed.")
    ] = None,
    persona: Annotated[
        str | None,
        typer.Option(help="Who the manager is: a name or a file; default: drawn.", autocompletion=completion.personas),
    ] = None,
    reward: Annotated[str, typer.Option(help="Who scores: repo, repo:rules=FILE, outcome, module:function.")] = "repo",
    llm: Annotated[str, typer.Option(help="Engine of the llm manager.")] = "smollm2",
    max_turns: Annotated[int, typer.Option(min=1, help="Messages after which it is cut off.")] = 20,
    reader: Annotated[
        str,
        typer.Option(
            help="Who reads your messages: rules, encoder, or auto, the encoder where it is installed.",
            autocompletion=completion.readers,
        ),
    ] = "auto",
    show_reading: Annotated[
        bool, typer.Option("--show-reading", help="Show under each message how it was understood.")
    ] = False,
    show_reward: Annotated[
        bool, typer.Option("--show-reward", help="Show under each message what its reward is made of.")
    ] = False,
) -> None:
    """Type the agent's messages, one a line. /help lists the commands, such as /undo, /save and /quit."""
    from negotiation_env.game.lanes import episode_seed
    from negotiation_env.game.scenario import sample_scenario
    from negotiation_env.game.scenario_file import read_scenario
    from negotiation_env.play.registry import load_manager, load_reward, reader_for

    console = Console()
    played = sample_scenario(seed) if scenario is None else replace(read_scenario(scenario), seed=episode_seed(seed))
    with console.status("loading the hotel, the reward and the reader"):
        player, ears, scorer = load_manager(manager, llm), reader_for(None, reader), load_reward(reward)
    game = LiveNegotiation(played, player, scorer, ears, console, persona, show_reading, show_reward)
    game.show_card()
    console.print(f"Your messages are read by: {reader_label(ears)}.", highlight=False, markup=False)
    console.print("Type your message; /help lists the commands.", highlight=False)
    game.show_tickets()
    told = False
    while True:
        ended = game.over or len(game.turns) >= max_turns
        if ended and not told:
            game.show_outcome()
            console.print("Enter ends; /undo takes your last message back, /save keeps the talk.")
        told = ended
        line = _read(console)
        words = "" if line is None else line.strip()
        if line is None or words == QUIT or (ended and not words):
            break
        if words.startswith("/"):
            _command(words, game, console, seed)
        elif ended:
            console.print("It has ended: Enter leaves, /undo takes your last message back.")
        elif words:
            game.say(line)
    if not told:
        game.show_outcome()


def _command(words: str, game: LiveNegotiation, console: Console, seed: int) -> None:
    """Do what a line that begins with a slash says."""
    name, _, rest = words.partition(" ")
    match name:
        case "/help":
            for command, what in COMMANDS.items():
                console.print(f"  {command:<9} {what}", highlight=False, markup=False)
        case "/card":
            game.show_card()
        case "/hint":
            console.print(f"Stage: {game.stage.name.lower()} ({HINTS[game.stage]})")
        case "/undo":
            taken = game.undo()
            done = f"Back before turn {len(game.turns) + 1}." if taken else "There is nothing to take back."
            console.print(done, highlight=False)
            game.show_tickets()
        case "/save":
            _save(rest.strip(), game, console, seed)
        case "/reward":
            game.show_reward = not game.show_reward
            console.print(f"What rewards are made of is {'shown' if game.show_reward else 'hidden'} from now on.")
        case "/reading":
            game.show_reading = not game.show_reading
            console.print(f"Readings are {'shown' if game.show_reading else 'hidden'} from now on.")
        case _:
            guess = did_you_mean(name, COMMANDS)
            console.print(f"There is no {name}.{guess}", highlight=False, markup=False)


def _save(name: str, game: LiveNegotiation, console: Console, seed: int) -> None:
    """Write the talk so far into a new file, and say where it is."""
    try:
        path = save(game.record(PERSON), Path(name).expanduser() if name else None, seed)
    except (OSError, UsageError) as error:
        console.print(f"Not saved: {error}", style=LOSS, soft_wrap=True, highlight=False, markup=False)
        return
    console.print(f"Saved: {path}", soft_wrap=True, highlight=False, markup=False)


def save(episode: Episode, path: Path | None, seed: int) -> Path:
    """Write an episode into a new file and return its path; without one, into the next free one in ``out/play``.

    Raises:
        UsageError: nothing was said yet, or there is such a file.
    """
    if not episode.turns:
        raise UsageError("expected a talk to save, got none: say something first")
    if path is None:
        names = [f"seed-{seed}.jsonl", *(f"seed-{seed}-{k}.jsonl" for k in range(2, 1000))]
        path = next(SAVES / name for name in names if not (SAVES / name).exists())
    if path.exists():
        raise UsageError(f"expected a new file, got {path}, which is there: name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_episodes(path, [episode])
    return path


def _read(console: Console) -> str | None:
    """Return the next line without its end, None when there is no more; prompts on a terminal only."""
    if sys.stdin.isatty():
        console.print("[cyan]you>[/cyan] ", end="")
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        return ""
    return line.rstrip("\r\n") if line else None
