"""``negotiate persona``: list, show and check the hotel managers' personas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from negotiation_env.checks import CheckError, check_persona
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.game.state import End, GameState, apply_decision, apply_move, settle
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import Negotiation
from simulators.managers.rule_manager import RuleManager
from simulators.persona_phrases import phrase_problems
from simulators.personas import Persona, all_personas, load_persona

NEGOTIATIONS = 20
MAX_TURNS = 20
_REASONS = (
    Tactic.EXPOSURE, Tactic.CONVERSION, Tactic.CALENDAR, Tactic.FIT, Tactic.COMPETITOR, Tactic.PARTNERSHIP,
)  # fmt: skip
_PATIENT_TURNS = 9
"""Turns after which the haggler takes any cut."""
_LAST_TURN = 13
"""Turn in which the haggler gives up."""

app = typer.Typer(no_args_is_help=True, help="List, show and check personas of hotel managers.")


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
def show(name: str = typer.Argument(help="Name of a persona, or path of its TOML file.")) -> None:
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


@app.command("check")
def check(path: str = typer.Argument(help="Path of a persona's TOML file, or a persona's name.")) -> None:
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
    table = Table(title=f"{habits.played} sampled negotiations against a patient haggler", show_header=False)
    table.add_row("answered the first message", f"{habits.answered} of {habits.played}")
    table.add_row("tickets with a cut", f"{len(habits.cuts)} of {habits.tickets}")
    table.add_row("mean cut", f"{sum(habits.cuts) / len(habits.cuts):.1%}" if habits.cuts else "none")
    table.add_row("tickets at or below target", f"{habits.at_target} of {habits.tickets}")
    table.add_row("mean turns", f"{habits.turns / habits.played:.1f}")
    for end, count in habits.ends.most_common():
        table.add_row(f"ended {end.lower().replace('_', ' ')}", str(count))
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
    """Play a persona against the haggler over sampled scenarios and return what it did."""
    habits = Habits()
    for seed in range(negotiations):
        negotiation = open_negotiation(sample_scenario(seed), manager, persona)
        game = negotiation.game
        while not game.end and game.turn < MAX_TURNS:
            text = _exchange(negotiation, manager)
            habits.answered += bool(text) and game.turn == 1
            if text and len(habits.said) < 6 and text not in habits.said:
                habits.said.append(text)
        habits.played += 1
        habits.turns += int(game.turn)
        habits.ends[End(int(game.end)).name if game.end else "TRUNCATED"] += 1
        for k, ticket in enumerate(negotiation.card.tickets):
            habits.tickets += 1
            if 0 < game.agreed[k] < ticket.selling_price:
                habits.cuts.append(1.0 - game.agreed[k] / ticket.selling_price)
                habits.at_target += game.agreed[k] <= ticket.target_price
    return habits


def _exchange(negotiation: Negotiation, manager: RuleManager) -> str:
    """Play one of the haggler's moves and return the manager's answer."""
    game = negotiation.game
    move = move_of(haggle(game, negotiation.card), negotiation.card, game)
    apply_move(FLOATS, game, move, settle(FLOATS, game, move))
    reply = manager.respond([negotiation], [move])[0]
    apply_decision(FLOATS, game, reply.decision)
    return reply.text


def haggle(game: GameState, card: TaskCard) -> Sequence[DialogueAct]:
    """Return the acts of a patient agent: one true reason a turn, bids that rise slowly, any cut taken in the end."""
    turn = int(game.turn)
    if not game.ever_answered:
        return [DialogueAct(Act.GREET), DialogueAct(Act.INFORM, _REASONS[turn % len(_REASONS)])]
    acts = [DialogueAct(Act.SOOTHE)] if game.upset else []
    unused = [tactic for tactic in _REASONS if not game.used[tactic]]
    acts += [DialogueAct(Act.INFORM, tactic) for tactic in unused[:1]]
    for k, ticket in enumerate(card.tickets):
        if not game.open[k]:
            continue
        quote, target = game.quote[k], ticket.target_price
        cut = quote <= target or (turn >= _PATIENT_TURNS and quote < ticket.selling_price)
        if game.quoted[k] and cut:
            acts.append(DialogueAct(Act.CONFIRM, price=quote, price_type=PriceType.SELLING, ticket=k))
        elif turn >= _LAST_TURN:
            return [*acts, DialogueAct(Act.CLOSE, detail="bye")]
        else:
            bid = target + min(0.9, 0.09 * max(0, turn - 2)) * max(0.0, quote - target)
            acts.append(DialogueAct(Act.COUNTER, price=float(int(bid)), price_type=PriceType.SELLING, ticket=k))
    return acts or [DialogueAct(Act.ASK, detail="price")]
