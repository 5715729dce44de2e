"""Krippendorff's alpha against published examples, and its limits."""

import numpy as np
import pytest

from benchmarks.statistics.agreement import Level, alpha, alpha_figure

NONE = None
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section D: four observers, twelve units.
FOUR = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
        strict=True,
    )
)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_published_example_with_missing_values(level: Level, expected: float) -> None:
    assert alpha(FOUR, level) == pytest.approx(expected, abs=0.0005)


def test_published_example_of_two_observers() -> None:
    # The same paper, section A: binary data, alpha = 0.095.
    one, other = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha(list(zip(one, other, strict=True))) == pytest.approx(0.095, abs=0.0005)


def test_published_example_of_nominal_data() -> None:
    # Section B: five categories a to e, alpha = 0.692.
    one, other = [1, 1, 2, 2, 4, 3, 3, 3, 5, 4, 4, 1], [2, 1, 2, 2, 2, 3, 3, 3, 5, 4, 4, 4]
    assert alpha(list(zip(one, other, strict=True))) == pytest.approx(0.692, abs=0.0005)


def test_limits() -> None:
    assert alpha([(1, 1), (2, 2), (3, 3)], "ordinal") == pytest.approx(1.0)
    assert alpha([(1, 1), (1, 1)]) is None, "nothing varies"
    assert alpha([(1, None), (None, 2)]) is None, "nothing can be paired"
    assert alpha([]) is None


def test_chance_gives_about_zero() -> None:
    rng = np.random.default_rng(1)
    found = alpha([tuple(float(v) for v in rng.integers(1, 6, 3)) for _ in range(2000)], "ordinal")
    assert found == pytest.approx(0.0, abs=0.05)


def test_the_interval_holds_the_value_and_is_the_same_again() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(1, 6, 60)
    clusters = [[tuple(float(t + rng.integers(0, 2)) for _ in range(3)) for _ in range(4)] for t in truth]
    figure = alpha_figure(clusters, "ordinal", seed=3)
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high
    assert figure.n == 240
    assert figure == alpha_figure(clusters, "ordinal", seed=3)
    assert alpha_figure(clusters[:1], "ordinal").low is None
    assert alpha_figure([], "ordinal").value is None
