"""How a ranking of policies moves when the manager is swapped: ``negotiate study swap``.

Every policy plays every manager on the same scenarios. For each of three of the benchmark's metrics stand each
policy's figure and rank under each manager. Of each two managers: Kendall's tau (b) between the two rankings; the
largest change of a policy's rank; and of the pairs of policies that differ under either manager (p < .05, Holm's
correction over the pairs under that manager), how many stand the other way round under the other one, and how many of
those differ there too. Intervals of tau and of the largest change are percentiles of a bootstrap over scenarios.

The first manager is played twice, the second time with draws of its own drawn anew on the same cards (``ANEW``): what
moves there is chance. A swap tells of the manager as far as it moves more than that.

A manager's spec may name who is to sit there, ``MANAGER@PERSONA``; else each scenario draws its own persona. Replayed
managers answer what another agent said, so they are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import combinations, compress
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.metrics.judging import AssessedEpisode
from benchmarks.metrics.outcome_metrics import LIVE_METRICS
from benchmarks.metrics.policy_metrics import is_share
from benchmarks.report.report_data import format_figure
from benchmarks.statistics import LEVEL, Figure, Sums, difference, holm
from benchmarks.statistics.intervals import resamples
from benchmarks.suites import Case
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import AUTO, load_manager, load_policy, policy_label, reader_for
from negotiation_env.play.rollout import rollout
from negotiation_env.play.workers import actors_or_here
from negotiation_env.seeds import SCENARIOS, TRIAL_LABEL, Stream

METRICS: Final = ("discount_won", "task_success", "response_rate")
POLICIES: Final = "random,heuristic,intent-driven,sb3"
"""Played by default: those without a language model, which play a hundred scenarios in a second."""
MANAGERS: Final = ("rules", "demanding:0.5", "rules@veteran-boulware", "rules@eager-conceder", "rules@human-mix")
"""Played by default, as far as there are such personas."""
ANEW: Final = ", drawn anew"
SEEDS: Final = SCENARIOS["manager swap"]
MOST: Final = 1000
"""Scenarios a seed: another seed plays others."""
ALPHA: Final = 1.0 - LEVEL
BATCH: Final = 256

Array = NDArray[np.float64]


class Seating(NamedTuple):
    """A manager as it is played: its name here, its spec, who sits there (None: drawn), scenarios with its seeds."""

    name: str
    manager: str
    persona: str | None
    scenarios: list[Scenario]


class SwapTable(NamedTuple):
    """What policies reach in a metric under each manager.

    Attributes:
        policies: their names.
        managers: their names; the second is the first with other draws.
        figures: by manager and policy.
        sums: what each scenario adds, [managers, policies, scenarios].
        counts: observations, the same for every policy and manager, [scenarios].
    """

    policies: tuple[str, ...]
    managers: tuple[str, ...]
    figures: list[list[Figure]]
    sums: Array
    counts: Array

    @property
    def values(self) -> Array:
        """The figures' values, [managers, policies]."""
        return _means(self, np.ones((len(self.counts), 1)))[..., 0]


def _means(of: SwapTable, drawn: Array) -> Array:
    """Return the figures' values in resamples [scenarios, resamples]: [managers, policies, resamples].

    They are rounded, so that policies that do the same are equal in whatever order numbers were added.
    """
    return np.asarray(np.round((of.sums @ drawn) / (of.counts @ drawn), 12), dtype=np.float64)


class Swap(NamedTuple):
    """How a ranking moves between two managers; ``differ``, ``reversed`` and ``surely`` count pairs of policies.

    Attributes:
        first: a manager.
        second: another one.
        tau: Kendall's tau (b) between the two rankings; None where one of them ties all policies.
        move: the largest change of a policy's rank.
        moved: the policy whose rank changes most.
        differ: pairs that differ under either.
        reversed: those of them, as "BETTER > WORSE" under the first, that stand the other way round under the other.
        surely: those of the reversed that differ under both.
    """

    first: str
    second: str
    tau: Figure
    move: Figure
    moved: str
    differ: int
    reversed: tuple[str, ...]
    surely: tuple[str, ...]


def seated(spec: str, llm: str, scenarios: Sequence[Scenario]) -> Seating:
    """Return the manager that a spec names, with who sits there.

    Raises:
        UsageError: there is no such manager or persona, or it replays.
    """
    name, _, persona = spec.partition("@")
    if name.partition(":")[0] == "replay":
        raise UsageError(f"expected managers that answer what is said, got {spec!r}: its lines were said to another")
    manager = load_manager(name, llm)
    if persona:
        manager.start(scenarios[0], persona)
    return Seating(spec, name, persona or None, list(scenarios))


def default_managers(llm: str) -> list[str]:
    """Return those of ``MANAGERS`` whose persona there is."""
    found = []
    for spec in MANAGERS:
        try:
            seated(spec, llm, [sample_scenario(SEEDS.start)])
        except UsageError:
            continue
        found.append(spec)
    return found


def play_swaps(
    policies: Sequence[str],
    managers: Sequence[str],
    count: int,
    seed: int = 0,
    reader: str = AUTO,
    llm: str = "",
    ray: str | None = None,
    workers: int = 0,
) -> dict[str, SwapTable]:
    """Play every policy against every manager; what they reach, by metric.

    Args:
        policies: specs, see ``registry.load_policy``.
        managers: specs, see the module.
        count: scenarios, 2 to ``MOST``; one in which an engine failed is left out for all.
        seed: which scenarios.
        reader: who reads the agent's messages, see ``registry.reader_for``.
        llm: engine of voiced managers.
        ray: a Ray cluster whose actors play, see ``workers.actors_or_here``.
        workers: how many actors; 0 for as many as fit.

    Raises:
        UsageError: fewer than two policies or managers, a name twice or unknown, or hardly a scenario without a fault.
    """
    names = [policy_label(spec) for spec in policies]
    for what, given in (("policies", names), ("managers", list(managers))):
        if len(given) < 2 or len(set(given)) < len(given):
            raise UsageError(f"expected at least two {what} and none twice, got {', '.join(given) or 'none'}")
    scenarios = [sample_scenario(number) for number in SEEDS[seed * MOST : seed * MOST + count]]
    if len(scenarios) < count:
        raise UsageError(f"expected a seed below {len(SEEDS) // MOST}, got {seed}")
    first, *others = [seated(spec, llm, scenarios) for spec in managers]
    anew = [replace(one, seed=FLOATS.fork(one.seed, TRIAL_LABEL)) for one in scenarios]
    tables = [first, first._replace(name=first.name + ANEW, scenarios=anew), *others]
    seeds = [one.seed for one in scenarios]
    matches = [(spec, table, seeds) for spec in policies for table in tables]
    with actors_or_here(partial(SwapPlayer, reader, llm), ray, workers) as place:
        results = dict(place.run(SwapPlayer.play, matches))
    played = [[results[p * len(tables) + t] for t in range(len(tables))] for p in range(len(policies))]
    kept = [k for k in range(count) if not any(own[k].episode.fault for rows in played for own in rows)]
    if len(kept) < 2:
        raise UsageError(f"expected two scenarios without a fault, got {len(kept)} of {count}: see what fails")
    found = {}
    for metric in METRICS:
        observe, figure = LIVE_METRICS[metric].observe, LIVE_METRICS[metric].figure
        rows = [[[rows[m][k] for k in kept] for rows in played] for m in range(len(tables))]
        values = [[[observe(one) for one in own] for own in row] for row in rows]
        found[metric] = SwapTable(
            tuple(names),
            tuple(table.name for table in tables),
            [[figure(own, seed) for own in row] for row in rows],
            np.array([[[float(sum(one)) for one in own] for own in row] for row in values]),
            np.array([float(len(one)) for one in values[0][0]]),
        )
    return found


class SwapPlayer:
    """What one worker plays with: policies and managers, each opened once."""

    def __init__(self, reader: str, llm: str) -> None:
        self._reader = reader
        self._policy, self._manager = cache(load_policy), cache(partial(load_manager, llm=llm))

    def play(self, match: tuple[str, Seating, Sequence[int]]) -> Iterator[list[AssessedEpisode]]:
        """Yield one thing: a policy's episodes at a table, in order; its draws follow from seeds, one a scenario."""
        spec, table, seeds = match
        policy = self._policy(spec)
        episodes = rollout(
            policy, table.scenarios, manager=self._manager(table.manager), reward=Unscored(),
            reader=reader_for(policy, self._reader), personas=[table.persona] * len(seeds), policy_seeds=seeds,
            batch_size=BATCH,
        )  # fmt: skip
        cases = [Case(one, "swap", "minor", script=None, checks=(), title="", max_turns=20) for one in table.scenarios]
        yield [AssessedEpisode(case, episode, (), ()) for case, episode in zip(cases, episodes, strict=True)]


def ranked(values: Array) -> Array:
    """Return the ranks of policies along the first axis, 1 for the highest value; equal values share theirs."""
    return np.asarray(stats.rankdata(-values, axis=0), dtype=np.float64)


def ordered(values: Array) -> Array:
    """Return, for each pair of policies along the first axis, 1 where the first one's value is higher, -1 or 0."""
    first, second = (np.array(side) for side in zip(*combinations(range(len(values)), 2), strict=True))
    return np.asarray(np.sign(values[first] - values[second]), dtype=np.float64)


def taus(first: Array, second: Array) -> Array:
    """Return Kendall's tau (b) of two ``ordered`` [pairs, ...]; nan where one of them ties all policies."""
    ties = np.sqrt(np.abs(first).sum(axis=0) * np.abs(second).sum(axis=0))
    return np.asarray((first * second).sum(axis=0) / np.where(ties > 0.0, ties, np.nan), dtype=np.float64)


def p_of_pairs(sums: Array, counts: Array, shares: bool, seed: int) -> Array:
    """Return the p-values, after Holm, of each pair's difference under one manager; ``sums`` is [P, S]."""
    parts = [Sums(own, counts) for own in sums]
    tested = [difference(one, other, shares=shares, seed=seed) for one, other in combinations(parts, 2)]
    return np.array(holm([1.0 if found is None else found.p for found in tested]))


def swaps(of: SwapTable, shares: bool, seed: int = 0) -> list[Swap]:
    """Return how the ranking moves from the first manager to itself with other draws, and between each two others."""
    drawn, n = resamples(len(of.counts), np.random.default_rng((Stream.BOOTSTRAP, seed))), len(of.counts)
    again = _means(of, drawn)
    order, orders = [ordered(own) for own in of.values], [ordered(own) for own in again]
    rank, ranks = [ranked(own) for own in of.values], [ranked(own) for own in again]
    sure = [p_of_pairs(own, of.counts, shares, seed) < ALPHA for own in of.sums]
    found = []
    for a, b in combinations(range(len(of.managers)), 2):
        if 1 in (a, b) and a != 0:
            continue
        moves, either = np.abs(rank[a] - rank[b]), sure[a] | sure[b]
        turned = either & (order[a] * order[b] < 0.0)
        pairs = zip(combinations(of.policies, 2), order[a], strict=True)
        names = [f"{x} > {y}" if up > 0.0 else f"{y} > {x}" for (x, y), up in pairs]
        which = [tuple(compress(names, part)) for part in (turned, turned & sure[a] & sure[b])]
        found.append(
            Swap(
                of.managers[a], of.managers[b],
                _figure(taus(order[a], order[b]), taus(orders[a], orders[b]), n),
                _figure(moves.max(), np.abs(ranks[a] - ranks[b]).max(axis=0), n),
                of.policies[int(moves.argmax())] if moves.any() else "", int(either.sum()), *which,
            )
        )  # fmt: skip
    return found


def _figure(value: Array, resampled: Array, n: int) -> Figure:
    """Return a value with the percentile interval of its resampled ones, of those that there are."""
    there = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(there):
        return Figure(None, None, None, n)
    low, high = np.quantile(there, [ALPHA / 2.0, 1.0 - ALPHA / 2.0])
    return Figure(float(value), float(low), float(high), n)


def study(
    policy: Annotated[str, typer.Option(help="Policy specs, by comma.")] = POLICIES,
    manager: Annotated[
        str, typer.Option(help="Manager specs, by comma, MANAGER@PERSONA to seat one; default: those without a model.")
    ] = "",
    scenarios: Annotated[int, typer.Option(min=2, max=MOST, help="Sampled scenarios that all play.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Which scenarios, and the bootstrap's seed.")] = 0,
    reader: Annotated[str, typer.Option(help="Who reads the agents' messages; auto: as negotiate bench.")] = AUTO,
    llm: Annotated[str, typer.Option(help="Engine of voiced managers.")] = "smollm2",
    as_json: Annotated[bool, typer.Option("--json", help="Print one object instead of the tables.")] = False,
    ray: Annotated[str, typer.Option("--ray", help="Play on Ray: local, auto, or a cluster's HOST:PORT.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Actors with --ray; 0: as many as fit.")] = 0,
) -> int:
    """Measure how a ranking of policies moves when the manager is swapped."""
    agents, hosts = ([one.strip() for one in text.split(",") if one.strip()] for text in (policy, manager))
    found = play_swaps(agents, hosts or default_managers(llm), scenarios, seed, reader, llm, ray or None, workers)
    moved = {metric: swaps(of, is_share(metric), seed) for metric, of in found.items()}
    if as_json:
        metrics = {
            name: {"outcomes": _outcomes(found[name]), "swaps": [_row(one) for one in moved[name]]} for name in found
        }
        print(json.dumps({"scenarios": scenarios, "seed": seed, "reader": reader, "metrics": metrics}))
        return 0
    for metric, of in found.items():
        _print_outcomes(metric, of)
        _print_swaps(moved[metric])
    return 0


def _outcomes(of: SwapTable) -> dict[str, Any]:
    return {
        manager: {
            policy: {**figure.to_json(), "rank": float(rank)}
            for policy, figure, rank in zip(of.policies, figures, ranked(values), strict=True)
        }
        for manager, figures, values in zip(of.managers, of.figures, of.values, strict=True)
    }


def _row(one: Swap) -> dict[str, Any]:
    return {**one._asdict(), "tau": one.tau.to_json(), "move": one.move.to_json()}


def _print_outcomes(metric: str, of: SwapTable) -> None:
    table = Table(title=f"{metric}: {LIVE_METRICS[metric].meaning}, and the policy's rank", title_justify="left")
    for column in ("policy", *of.managers):
        table.add_column(column, justify="left" if column == "policy" else "right")
    ranks = [ranked(values) for values in of.values]
    for place, policy in enumerate(of.policies):
        cells = [
            f"{format_figure(metric, own[place])} {rank[place]:g}" for own, rank in zip(of.figures, ranks, strict=True)
        ]
        table.add_row(policy, *cells)
    Console(width=max(80, 24 + 28 * len(of.managers))).print(table)


def _print_swaps(found: Sequence[Swap]) -> None:
    table = Table("from", "to", "tau", "largest change of rank", "of", "pairs that differ", "reversed", "surely")
    for one in found:
        table.add_row(
            one.first, one.second, _told(one.tau, 2), _told(one.move, 1), one.moved or "-",
            str(one.differ), str(len(one.reversed)), str(len(one.surely)),
        )  # fmt: skip
    Console(width=140).print(table)
    for one in found:
        for pair in one.reversed:
            print(f"{pair} under {one.first}, not under {one.second}{'; both beyond chance' * (pair in one.surely)}")


def _told(figure: Figure, digits: int) -> str:
    value, low, high = figure[:3]
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
