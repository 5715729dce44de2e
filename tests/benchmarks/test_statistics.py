"""Intervals agree with published values, cover what they claim, and are repeatable."""

import numpy as np
import pytest

from benchmarks import statistics
from benchmarks.statistics import Figure, mean, share, wilson


# Newcombe (1998), Statistics in Medicine 17, table I, method 3: Wilson score without continuity
# correction.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_newcombe(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_is_symmetric_and_inside_zero_and_one() -> None:
    low, high = wilson(7, 9)
    assert wilson(2, 9) == pytest.approx((1 - high, 1 - low))
    assert wilson(9, 9)[1] == 1.0
    assert wilson(0, 9)[0] == 0.0


def test_share_of_single_observations_is_plain_wilson() -> None:
    figure = share([[True]] * 81 + [[False]] * 182)
    assert figure[1:3] == pytest.approx(wilson(81, 263))
    assert figure.n == 263


def test_identical_observations_in_a_cluster_count_as_one() -> None:
    twins = share([[True, True]] * 10 + [[False, False]] * 10)
    singles = share([[True]] * 10 + [[False]] * 10)
    assert twins.n == 40
    assert twins.low == pytest.approx(singles.low, abs=0.01)
    # An unanimous sample says nothing about dependence: the clusters are what counts.
    assert share([[True, True]] * 10).low == pytest.approx(wilson(10, 10)[0])


def test_opposed_observations_never_narrow_the_interval() -> None:
    assert share([[True, False]] * 10)[1:3] == pytest.approx(wilson(10, 20))


def test_share_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, inside = np.random.default_rng(5), 0
    for _ in range(300):
        # Twins that agree: without the design effect this covers about 83%.
        sample = [[bool(hit)] * 2 for hit in rng.random(40) < 0.3]
        low, high = share(sample)[1:3]
        assert low is not None
        assert high is not None
        inside += low <= 0.3 <= high
    assert 0.90 <= inside / 300 <= 0.99


def test_bootstrap_covers_the_truth_about_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    rng, inside = np.random.default_rng(7), 0
    for trial in range(200):
        centres = rng.normal(2.0, 1.0, size=30)
        clusters = [list(rng.normal(c, 0.5, size=4)) for c in centres]
        low, high = mean(clusters, seed=trial)[1:3]
        assert low is not None
        assert high is not None
        inside += low <= 2.0 <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_mean_weights_observations_and_repeats_itself() -> None:
    clusters = [[1.0, 2.0, 3.0], [10.0], []]
    assert mean(clusters, seed=3) == mean(clusters, seed=3)
    assert mean(clusters).value == pytest.approx(4.0)
    assert mean(clusters).n == 4


def test_nothing_measured_is_not_zero() -> None:
    assert share([]) == mean([[]]) == Figure(None, None, None, 0)
    assert mean([[4.0, 6.0]]) == Figure(5.0, None, None, 2)


def test_figure_survives_json() -> None:
    figure = Figure(0.5, 0.25, 0.75, 12)
    assert Figure.from_json(figure.to_json()) == figure
    assert Figure.from_json(Figure(None, None, None, 0).to_json()).value is None
