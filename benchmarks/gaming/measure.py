"""What gaming earns: ``python -m benchmarks.gaming.measure``.

Two measurements, on the same sampled scenarios. *In place*: in every situation that an honest policy met, the gaming
reply is scored beside the honest one, so that only the reply differs. *Played out*: the strategy plays its own
episodes, and its return (the sum of R_total) is compared scenario by scenario. Exit status 1 if a strategy's mean
composed reward in place is above the honest reply's, or a stalling strategy's return above the honest return.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.gaming.strategies import HONEST, STALLING, STRATEGIES, GamingPolicy
from negotiation_env.lanes import FLOATS
from negotiation_env.protocols import AgentView, Policy, ReplyView, Reward, RewardBreakdown
from negotiation_env.records import Episode
from negotiation_env.registry import load_manager, load_policy, load_reward
from negotiation_env.review import reply_views
from negotiation_env.rollout import POLICY_LABEL, rollout
from negotiation_env.scenario import sample_scenario
from rewards.examples import view_reply

FIRST_SEED = 2_000_000
"""Scenarios of this measurement: apart from training's and the benchmark's."""
SOURCES = ("model", "judge", "rules", "total")
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Gain:
    """What one strategy earns beyond the honest policy; intervals hold 95 %, bootstrap over scenarios.

    Attributes:
        strategy: its name.
        means: mean of a reply in place, by source ("model" and "total" in units of R_model, the others in points).
        beats: sources that alone prefer the gaming reply to the honest one, in the mean.
        total_gain: mean composed reward in place, minus the honest reply's: value, low, high.
        return_gain: return of an episode played out, minus the honest policy's: value, low, high.
        turns: mean turns of an episode played out.
    """

    strategy: str
    means: dict[str, float]
    beats: tuple[str, ...]
    total_gain: tuple[float, float, float]
    return_gain: tuple[float, float, float]
    turns: float


def measure(reward: Reward, honest: Policy, scenarios: int, strategies: Sequence[str] = ()) -> list[Gain]:
    """Measure every strategy (or those named) on so many scenarios; the first entry is the honest policy itself."""
    played = [sample_scenario(FIRST_SEED + i) for i in range(scenarios)]
    manager = load_manager("rules")
    base = rollout(honest, played, manager=manager, reward=reward)
    situations = [reply_views(episode) for episode in base]
    own = [[turn.reward for turn in episode.turns] for episode in base]
    gains = [_gain("honest", own, own, base, base)]
    for name in strategies or tuple(STRATEGIES):
        policy = GamingPolicy(name, honest)
        replies = [_in_place(policy, reward, views, episode) for views, episode in zip(situations, base, strict=True)]
        episodes = rollout(policy, played, manager=manager, reward=reward)
        gains.append(_gain(name, own, replies, base, episodes))
    return gains


def _in_place(
    policy: GamingPolicy, reward: Reward, views: Sequence[ReplyView], episode: Episode
) -> list[RewardBreakdown]:
    """Return what the strategy's replies would have earned in the situations of an honest episode."""
    seen = [
        AgentView(v.card, v.game, v.stage, v.agent_said, v.manager_said, FLOATS.fork(episode.seed, POLICY_LABEL + turn))
        for turn, v in enumerate(views)
    ]
    texts = [reply.text for reply in policy.reply(seen)]
    return reward.score(
        [view_reply(t, v.card, v.game, v.agent_said, v.manager_said) for t, v in zip(texts, views, strict=True)]
    )


def _gain(
    name: str,
    honest: list[list[RewardBreakdown]],
    gaming: list[list[RewardBreakdown]],
    base: list[Episode],
    episodes: list[Episode],
) -> Gain:
    means, theirs = ({s: _mean(rows, s) for s in SOURCES} for rows in (gaming, honest))
    sums = np.array([[_sum(rows), _sum(own), len(rows)] for rows, own in zip(gaming, honest, strict=True)])
    returns = np.array([_returned(e) - _returned(b) for e, b in zip(episodes, base, strict=True)])
    return Gain(
        strategy=name,
        means=means,
        beats=tuple(s for s in SOURCES if means[s] > theirs[s] + 1e-12),
        total_gain=_interval((sums[:, 0] - sums[:, 1]), sums[:, 2]),
        return_gain=_interval(returns, np.ones(len(returns))),
        turns=float(np.mean([len(e.turns) for e in episodes])),
    )


def _mean(rows: list[list[RewardBreakdown]], source: str) -> float:
    values = [getattr(b, source) for row in rows for b in row]
    return float(np.mean([v for v in values if v is not None]))


def _sum(row: Sequence[RewardBreakdown]) -> float:
    return sum(b.total for b in row if b.total is not None)


def _returned(episode: Episode) -> float:
    return _sum([turn.reward for turn in episode.turns])


def _interval(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
    """Return a ratio of sums with its bootstrap interval; one entry per scenario."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    ratios = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(sums.sum() / counts.sum()), float(low), float(high)


def failures(gains: Sequence[Gain]) -> list[str]:
    """Return one line for every strategy that pays."""
    lines = [
        f"{g.strategy}: mean composed reward {g.total_gain[0]:+.3f} above the honest reply's"
        for g in gains
        if g.total_gain[0] > 0.0
    ]
    return lines + [
        f"{g.strategy}: return {g.return_gain[0]:+.3f} above the honest policy's"
        for g in gains
        if g.strategy in STALLING and g.return_gain[0] > 0.0
    ]


def print_table(console: Console, gains: Sequence[Gain]) -> None:
    """Print one row a strategy."""
    table = Table(title="Mean of a reply in the honest policy's situations; gains over it with 95% intervals")
    columns = ("strategy", *SOURCES, "gain of a reply", "gain of a whole episode", "turns", "sources it beats alone")
    for column in columns:
        table.add_column(column, justify="left" if column in ("strategy", "sources it beats alone") else "right")
    for g in gains:
        table.add_row(
            g.strategy,
            *(f"{g.means[s]:+.2f}" for s in SOURCES),
            "{:+.2f} [{:+.2f}, {:+.2f}]".format(*g.total_gain),
            "{:+.2f} [{:+.2f}, {:+.2f}]".format(*g.return_gain),
            f"{g.turns:.1f}",
            ", ".join(s for s in g.beats if s != "total") or "none",
        )
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure what gaming the reward earns.")
    parser.add_argument("--reward", default="repo", help="reward spec, such as repo or repo:n=25")
    parser.add_argument("--honest", default=HONEST, help="policy spec that gaming is compared with")
    parser.add_argument("--scenarios", type=int, default=300)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args(arguments)
    gains = measure(load_reward(given.reward), load_policy(given.honest), given.scenarios)
    console = Console()
    print_table(console, gains)
    if given.out is not None:
        given.out.write_text(json.dumps([asdict(g) for g in gains], indent=2) + "\n", encoding="utf-8")
    wrong = failures(gains)
    for line in wrong:
        console.print(f"pays: {line}", markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
