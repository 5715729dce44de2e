"""A ranking that a manager turns round is seen to turn, one that stays stays, and what is played is paired."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import NOTHING
from benchmarks.studies.manager_swap import (
    ANEW,
    METRICS,
    SwapTable,
    default_managers,
    ordered,
    play_swaps,
    ranked,
    study,
    swaps,
    taus,
)
from negotiation_env.errors import UsageError

POLICIES = ("good", "fair", "poor")


def table(*means: tuple[float, float, float]) -> SwapTable:
    """The first manager's means, its own once more, then the others'; all policies share what a scenario is worth."""
    rng = np.random.default_rng(0)
    luck, noise = rng.normal(size=60), rng.normal(scale=0.1, size=(len(means) + 1, 3, 60))
    rows = np.array([means[0], *means])
    names = tuple(f"manager {k}" for k in range(len(rows)))
    return SwapTable(POLICIES, names, [[NOTHING] * 3] * len(rows), rows[..., None] + luck + noise, np.ones(60))


def test_tau_is_that_of_scipy_ties_included() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = (rng.integers(0, 4, size=6).astype(np.float64) for _ in range(2))
        assert taus(ordered(first), ordered(second)) == pytest.approx(stats.kendalltau(first, second).statistic)
    assert np.isnan(taus(ordered(np.ones(3)), ordered(np.arange(3.0))))
    assert ranked(np.array([0.2, 0.5, 0.2])).tolist() == [2.5, 1.0, 2.5]


def test_what_turns_round_is_told_and_what_stays_is_not() -> None:
    same, turned = swaps(table((3.0, 2.0, 1.0), (1.0, 2.0, 3.0)), shares=False)
    assert (same.tau.value, same.move.value, same.moved, same.differ, same.reversed) == (1.0, 0.0, "", 3, ())
    assert (turned.tau.value, turned.move.value, turned.differ) == (-1.0, 2.0, 3)
    assert turned.surely == turned.reversed == ("good > fair", "good > poor", "fair > poor")
    assert (turned.tau.low, turned.tau.high) == (-1.0, -1.0)


def test_a_difference_within_chance_counts_neither_as_one_nor_as_turned() -> None:
    _, found = swaps(table((2.0, 2.0001, 1.0), (2.0001, 2.0, 1.0)), shares=False)
    assert found.differ == 2
    assert found.surely == found.reversed == ()
    assert found.tau.low is not None and found.tau.low < 1.0


def test_all_play_the_same_scenarios_and_the_first_manager_draws_anew() -> None:
    found = play_swaps(["random", "intent-driven"], ["rules", "demanding:1", "rules@eager-conceder"], 8)
    assert tuple(found) == METRICS
    for of in found.values():
        assert of.managers == ("rules", f"rules{ANEW}", "demanding:1", "rules@eager-conceder")
        assert of.sums.shape == (4, 2, 8)
        for own, figures in zip(of.values, of.figures, strict=True):
            assert [figure.value for figure in figures] == pytest.approx(own.tolist())
    won = found["discount_won"]
    assert not np.array_equal(won.sums[0], won.sums[1])
    assert won.values[3, 1] > won.values[0, 1]


@pytest.mark.parametrize(
    ("policies", "managers", "wrong"),
    [
        (["random"], ["rules", "demanding"], "at least two policies"),
        (["random", "random"], ["rules", "demanding"], "none twice"),
        (["random", "heuristic"], ["rules"], "at least two managers"),
        (["random", "heuristic"], ["rules", "replay:x.jsonl"], "said to another"),
        (["random", "heuristic"], ["rules", "rules@nobody"], "nobody"),
    ],
)
def test_what_cannot_be_compared_is_an_error(policies: list[str], managers: list[str], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        play_swaps(policies, managers, 2)


def test_the_study_prints_one_object_or_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert study("random,heuristic", "rules,rules@eager-conceder", scenarios=3, as_json=True) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["metrics"]) == set(METRICS)
    one = record["metrics"]["response_rate"]
    assert set(one["outcomes"]["rules@eager-conceder"]) == {"random", "heuristic"}
    assert [(row["first"], row["second"]) for row in one["swaps"]] == [
        ("rules", f"rules{ANEW}"), ("rules", "rules@eager-conceder"),
    ]  # fmt: skip
    assert study("random,heuristic", "rules,demanding:0.5", scenarios=3) == 0
    assert "largest change of rank" in capsys.readouterr().out


def test_the_default_managers_are_those_that_there_are() -> None:
    found = default_managers("smollm2")
    assert found[0] == "rules" and len(found) >= 2
