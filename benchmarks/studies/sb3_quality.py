"""Measure the trained PPO against the heuristic on scenarios that neither was made on, in both environments.

``negotiate study sb3`` plays both on the same scenarios against the rule-based manager and prints, per policy, the
share of tickets for which a cut was agreed, the share at or below the target, and the reward per episode, with 95 %
bootstrap intervals over scenarios. Manager and reward are found by name. The first lines are of the text environment;
``numeric return`` and ``numeric turns`` are of the numeric twin, the sums of rewards that a Stable-Baselines3 log calls
``ep_rew_mean``. ``uniform`` stands for actions drawn from the numeric action space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import typer

from negotiation_env.envs.numeric import dynamics_of, play_move
from negotiation_env.envs.spaces import action_space
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of, move_of_action
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.game.state import GameState, Move
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import AgentView
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import agent_view, rollout
from negotiation_env.seeds import SCENARIOS
from policies.bargaining import ActPolicy
from policies.sb3 import Sb3Policy

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


UNIFORM: Final = "uniform"
"""Stands for actions drawn from the numeric action space, as an untrained agent draws them."""


def chooser(spec: str) -> Callable[[AgentView], Move] | None:
    """Return what a policy does in the numeric environment, None if it is no policy of dialogue acts."""
    if spec == UNIFORM:
        space = action_space()
        space.seed(0)
        return lambda view: _move(space.sample().tolist(), view.game)
    policy = load_policy(spec)
    if isinstance(policy, Sb3Policy):
        return lambda view: _move(policy.action(view), view.game)
    if isinstance(policy, ActPolicy):
        return lambda view: move_of(policy.choose(view), view.card, view.game)
    return None


def _move(action: Sequence[int], game: GameState) -> Move:
    return move_of_action(FLOATS, float(action[0]), float(action[1]), float(action[2]), game)


def numeric_returns(
    choose: Callable[[AgentView], Move], scenarios: Sequence[Scenario], max_turns: int = 20
) -> npt.NDArray[np.float64]:
    """Play scenarios in the numeric environment; return each episode's sum of rewards and turns, [scenarios, 2]."""
    manager, reward = load_manager("rules"), load_reward("repo")
    dynamics_of(manager)
    found = []
    for scenario in scenarios:
        negotiation, total = open_negotiation(scenario, manager), 0.0
        game, seat = negotiation.game, negotiation.seat
        while not game.end and game.turn < max_turns:
            move = choose(agent_view(negotiation))
            total += play_move(FLOATS, game, seat.state, seat.dynamics, reward, move).reward.total or 0.0
        found.append((total, float(game.turn)))
    return np.array(found)


def study(
    policy: Annotated[str, typer.Option(help="Policy specs, by comma.")] = "sb3,heuristic",
    scenarios: Annotated[int, typer.Option(help="Held-out scenarios.")] = 1500,
) -> None:
    """Measure policies on held-out scenarios, the shipped PPO and the heuristic by default."""
    print(f"{scenarios} held-out scenarios (seeds from {HELD_OUT}), rule-based manager, 95 % bootstrap intervals")
    specs = policy.split(",")
    for name, episodes in evaluate([spec for spec in specs if spec != UNIFORM], scenarios).items():
        for measure, count in MEASURES.items():
            _print(name, measure, np.array([count(episode) for episode in episodes]))
        ends = [episode.end for episode in episodes]
        print(f"{name:16} {'ends':16} " + ", ".join(f"{end} {ends.count(end)}" for end in sorted(set(ends))))
    played = [sample_scenario(HELD_OUT + i) for i in range(scenarios)]
    for name in specs:
        if (choose := chooser(name)) is not None:
            returns = numeric_returns(choose, played)
            for measure, column in (("numeric return", 0), ("numeric turns", 1)):
                _print(name, measure, np.stack([returns[:, column], np.ones(scenarios)], axis=1))


def _print(name: str, measure: str, parts: npt.NDArray[np.float64]) -> None:
    """Print a figure with its interval. ``parts``: numerators and denominators, [episodes, 2]."""
    value, low, high = interval(parts, seed=0)
    print(f"{name:16} {measure:16} {value:8.3f}  [{low:.3f}, {high:.3f}]")
