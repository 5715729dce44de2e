"""Policies of one run side by side: paired tests, noise floor, variance, trials needed, and the simulated A/B test.

In the A/B test each conversation is in one arm, as in production.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.observations import Score, by_scenario, sums
from benchmarks.metrics.policy_metrics import HEADLINE, METRICS, is_share
from benchmarks.runner.jobs import AB
from benchmarks.statistics import ArmDifference, Difference, compare_means, compare_shares, design, difference, holm

DIGITS: Final = 6
STEPS: Final[dict[str, tuple[float, ...]]] = {"share": (0.05, 0.1, 0.2), "rating": (0.1, 0.25, 0.5)}
"""Differences for which the trials needed are told: of shares, and of ratings."""

Array = NDArray[np.float64]


def paired_tests(
    scores: Sequence[Score], metrics: Sequence[str], policies: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """Compare every other policy with the first on the scenarios and trials that both played, metric by metric.

    See ``corrected`` for the correction for many tests.
    """
    first, *others = policies
    rows: list[dict[str, Any]] = []
    for other in others:
        mine, theirs = shared([s for s in scores if s.policy == first], [s for s in scores if s.policy == other])
        for metric in metrics:
            found = compare_metric(mine, theirs, metric, seed)
            if found is not None:
                rows.append({"metric": metric, "first": first, "second": other, **difference_json(found)})
    return corrected(rows)


def corrected(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with ``p`` and, beside it, ``p_holm``.

    Holm's correction is over the headline metrics of all pairs, and apart from them over all other metrics: the finer
    metrics, of which there are many, shall not drown the ones that policies are judged by.
    """
    found = [dict(row) for row in rows]
    for headline in (True, False):
        family = [row for row in found if (row["metric"] in HEADLINE) is headline]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = rounded(p)
    return found


def shared(first: Sequence[Score], second: Sequence[Score]) -> tuple[list[Score], list[Score]]:
    """Return the scores of scenarios and draws that both sides have."""
    keys = {(s.scenario, s.draws) for s in first} & {(s.scenario, s.draws) for s in second}
    mine, theirs = ([s for s in side if (s.scenario, s.draws) in keys] for side in (first, second))
    return mine, theirs


def compare_metric(first: Sequence[Score], second: Sequence[Score], metric: str, seed: int) -> Difference | None:
    """Compare one metric on the same scenarios; None where it cannot be."""
    mine, theirs = by_scenario(first, metric), by_scenario(second, metric)
    names = sorted(mine.keys() & theirs.keys())
    if len(names) < 2:
        return None
    binary = is_share(metric)
    parts = sums([mine[name] for name in names]), sums([theirs[name] for name in names])
    return difference(parts[0], parts[1], shares=binary, seed=seed, within=(-1.0, 1.0) if binary else None)


def difference_json(found: Difference) -> dict[str, Any]:
    """Return a difference as JSON-able data."""
    numbers = {"value": found.value, "low": found.low, "high": found.high, "p": found.p}
    return {**{name: rounded(x) for name, x in numbers.items()}, "test": found.test, "n": found.n}


def rounded(value: float | None) -> float | None:
    """Return a number with six significant digits."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def noise(scores: Sequence[Score], metrics: Sequence[str], policies: Sequence[str], seed: int) -> dict[str, Any]:
    """Return for each policy and metric its sources of variance, the noise floor, and the trials that steps need.

    Nothing where no scenario was played twice. The spread between two policies' true differences is taken as none, so
    the trials needed are those between policies that differ alike everywhere: the fewest that can do.
    """
    found: dict[str, Any] = {}
    for policy in policies:
        own = [s for s in scores if s.policy == policy]
        rows = {metric: row for metric in metrics if (row := _noise_of(own, metric, seed)) is not None}
        if rows:
            found[policy] = rows
    return found


def _noise_of(scores: Sequence[Score], metric: str, seed: int) -> dict[str, Any] | None:
    grid = contributions(scores, metric)
    if grid is None:
        return None
    values, crossed = grid
    split = design.crossed(values, seed) if crossed else design.repeated(values[:, :, 0], seed)
    if split is None:
        return None
    scenarios = values.shape[0]
    trials = values.shape[1] * values.shape[2]
    floor = design.noise_floor(split.within, scenarios, trials)
    row: dict[str, Any] = {
        "scenarios": scenarios,
        "trials": trials,
        "noise_floor": rounded(floor),
        "detectable": rounded(design.detectable(0.0, split.within, scenarios, trials)),
        "variance": {
            name: {"variance": rounded(split.parts[name]), "share": rounded(part), "low": rounded(split.low[name]),
                   "high": rounded(split.high[name])}
            for name, part in split.shares().items()
        },
    }  # fmt: skip
    steps = STEPS["share"] if is_share(metric) else STEPS["rating"] if "rating" in metric else ()
    if steps:
        row["trials_needed"] = {f"{step:g}": design.trials_needed(step, 0.0, split.within, scenarios) for step in steps}
    return row


def contributions(scores: Iterable[Score], metric: str) -> tuple[Array, bool] | None:
    """Return what each trial adds to a metric, [scenarios, policy draws, simulator draws], and whether it is crossed.

    A trial's contribution to a mean over observations is linearised: (sum - mean * count) / mean count + mean.
    Scenarios that miss a draw are left out. A run that is not crossed has one simulator draw for each policy draw: its
    array is [scenarios, trials, 1]. None with fewer than two scenarios or trials.
    """
    cells: dict[str, dict[tuple[int, int], tuple[float, int]]] = defaultdict(dict)
    for s in scores:
        if metric in s.parts:
            cells[s.scenario][s.draws] = s.parts[metric]
    draws = sorted({d for own in cells.values() for d in own})
    whole = [own for _, own in sorted(cells.items()) if len(own) == len(draws)]
    if len(draws) < 2 or len(whole) < 2:
        return None
    totals = np.array([[own[d][0] for d in draws] for own in whole])
    counts = np.array([[own[d][1] for d in draws] for own in whole], dtype=np.float64)
    mean = totals.sum() / counts.sum()
    values: Array = (totals - mean * counts) / counts.mean() + mean
    size = round(len(draws) ** 0.5)
    crossed = any(p != s for p, s in draws)
    if crossed and size * size != len(draws):
        return None
    return values.reshape(len(whole), size, size) if crossed else values[:, :, None], crossed


PRIMARY: Final = ("response_rate", "task_success")
"""What the test is about, as in the paper; Holm's correction is over these two."""
SECONDARY: Final = ("target_met", "discount_won", "surplus_share", "turns")
"""Told beside them, without correction."""


def ab_section(scores: Sequence[Score], policies: Sequence[str]) -> dict[str, Any] | None:
    """Return the report's ``ab`` section; None where no A/B test was played."""
    arms = [[s for s in scores if s.suite == AB and s.policy == policy] for policy in policies]
    if len(arms) != 2 or not all(arms):
        return None
    return {
        "arms": {p: {"conversations": len(arm)} for p, arm in zip(policies, arms, strict=True)},
        "primary": corrected(_rows(arms, PRIMARY)),
        "secondary": _rows(arms, SECONDARY),
        "note": "simulated conversations, each in one arm; value is the second arm less the first",
    }


def _rows(arms: Sequence[Sequence[Score]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for metric in metrics:
        found = _compare(arms, metric)
        if found is not None:
            rows.append({"metric": metric, "meaning": METRICS[metric].meaning, **_json(found)})
    return rows


def _compare(arms: Sequence[Sequence[Score]], metric: str) -> ArmDifference | None:
    parts = [[s.parts[metric] for s in arm if metric in s.parts] for arm in arms]
    if is_share(metric):
        first, second = ([[k < round(total) for k in range(n)] for total, n in arm] for arm in parts)
        return compare_shares(first, second)
    before, after = ([[total / n] * n for total, n in arm] for arm in parts)
    return compare_means(before, after)


def _json(found: ArmDifference) -> Mapping[str, Any]:
    lift = found.value / found.first.value if found.first.value else None
    return {
        "first": found.first.to_json(),
        "second": found.second.to_json(),
        "value": rounded(found.value),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "relative": rounded(lift),
        "p": rounded(found.p),
        "test": found.test,
    }
