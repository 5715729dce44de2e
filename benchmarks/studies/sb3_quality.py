"""Measure the trained PPO against the heuristic on scenarios that neither was made on, in the text environment.

``negotiate study sb3`` plays both on the same scenarios against the rule-based manager and prints, per policy, the
share of tickets for which a cut was agreed, the share at or below the target, and the reward per episode, with 95 %
bootstrap intervals over scenarios. Manager and reward are found by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import SCENARIOS

HELD_OUT = SCENARIOS["sb3 quality"].start
"""First seed of the held-out scenarios; training starts from its preset's small seed and forks 64-bit seeds from it."""
RESAMPLES = 2000

Measure = Callable[[Episode], tuple[float, float]]
"""A measure's numerator and denominator in one episode; the figure is the ratio of their sums."""


def cut_agreed(episode: Episode) -> tuple[float, float]:
    """Tickets with a cut really agreed, of all tickets."""
    won = sum(t.agreed is not None and t.agreed < t.selling_price - 0.5 for t in episode.tickets)
    return float(won), float(len(episode.tickets))


def target_reached(episode: Episode) -> tuple[float, float]:
    """Tickets agreed at or below the target, of all tickets."""
    won = sum(t.agreed is not None and t.agreed <= t.target_price for t in episode.tickets)
    return float(won), float(len(episode.tickets))


def share_of_cut(episode: Episode) -> tuple[float, float]:
    """Share of the wanted cut that was won, at most 1 a ticket."""
    won = 0.0
    for ticket in episode.tickets:
        if ticket.agreed is not None:
            wanted = max(ticket.selling_price - ticket.target_price, 1)
            won += min(max((ticket.selling_price - ticket.agreed) / wanted, 0.0), 1.0)
    return won, float(len(episode.tickets))


def total_reward(episode: Episode) -> tuple[float, float]:
    """Sum of the turns' rewards, per episode; unscored turns count nothing."""
    return sum(turn.reward.total or 0.0 for turn in episode.turns), 1.0


def turns_used(episode: Episode) -> tuple[float, float]:
    """Agent turns, per episode."""
    return float(len(episode.turns)), 1.0


MEASURES: dict[str, Measure] = {
    "cut agreed": cut_agreed,
    "target reached": target_reached,
    "share of cut": share_of_cut,
    "reward": total_reward,
    "turns": turns_used,
}


def interval(parts: npt.NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """Return a ratio of sums with its 95 % percentile-bootstrap interval over episodes.

    Args:
        parts: numerators and denominators, [episodes, 2].
        seed: of the resampling.
    """
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(parts), size=(RESAMPLES, len(parts)))
    sums = parts[picks].sum(axis=1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    whole = parts.sum(axis=0)
    return float(whole[0] / whole[1]), float(low), float(high)


def evaluate(policies: Sequence[str], scenarios: int, max_turns: int = 20) -> dict[str, list[Episode]]:
    """Play held-out scenarios with each policy (specs) and return the episodes per policy."""
    played = [sample_scenario(HELD_OUT + i) for i in range(scenarios)]
    manager, reward = load_manager("rules"), load_reward("repo")
    return {
        spec: rollout(load_policy(spec), played, manager=manager, reward=reward, max_turns=max_turns, batch_size=256)
        for spec in policies
    }


def study(
    policy: Annotated[str, typer.Option(help="Policy specs, by comma.")] = "sb3,heuristic",
    scenarios: Annotated[int, typer.Option(help="Held-out scenarios.")] = 1500,
) -> None:
    """Measure policies on held-out scenarios, the shipped PPO and the heuristic by default."""
    print(f"{scenarios} held-out scenarios (seeds from {HELD_OUT}), rule-based manager, 95 % bootstrap intervals")
    for name, episodes in evaluate(policy.split(","), scenarios).items():
        for measure, count in MEASURES.items():
            value, low, high = interval(np.array([count(episode) for episode in episodes]), seed=0)
            print(f"{name:16} {measure:16} {value:8.3f}  [{low:.3f}, {high:.3f}]")
        ends = [episode.end for episode in episodes]
        print(f"{name:16} {'ends':16} " + ", ".join(f"{end} {ends.count(end)}" for end in sorted(set(ends))))
