"""Intervals agree with published values and cover what they claim; tests keep their level; design adds up.

``negotiate study coverage`` runs the simulations at full size; here they are small, with fixed seeds.
"""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import (
    Figure,
    Sums,
    compare_means,
    compare_shares,
    design,
    difference,
    holm,
    mcnemar,
    mean,
    share,
    wilson,
)
from benchmarks.statistics.intervals import bootstrap, bootstrap_many, design_effect, resamples, shares, sums_of
from benchmarks.studies import coverage
from benchmarks.studies import coverage as simulated
from benchmarks.studies.coverage import SimulatedRow


# Newcombe (1998), Statistics in Medicine 17, table I, method 3: Wilson score without continuity correction.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
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
    twins = share([[True, True]] * 40 + [[False, False]] * 40)
    singles = share([[True]] * 40 + [[False]] * 40)
    assert twins.n == 160
    assert twins.low == pytest.approx(singles.low, abs=0.005)
    # A unanimous sample says nothing about dependence: the clusters are what counts.
    assert share([[True, True]] * 1000).low == pytest.approx(wilson(1000, 1000)[0], abs=1e-4)


def test_opposed_observations_hardly_narrow_the_interval() -> None:
    low, high = share([[True, False]] * 50)[1:3]
    plain = wilson(50, 100)
    assert low is not None
    assert high is not None
    assert 0.85 * (plain[1] - plain[0]) < high - low <= plain[1] - plain[0]


def test_design_effect_by_hand() -> None:
    # 40 clusters of two, 10 all hits, 10 all misses, 20 mixed: shares of 1/2, binomial variance 1/4.
    hits, sizes = np.array([2.0] * 10 + [0.0] * 10 + [1.0] * 20), np.full(40, 2.0)
    # Fleiss and Cuzick: 1 - (20 * 1 * 1 / 2) / (40 * 1/4) = 0, so 1; directly 40/39 * 20 / 80 / (1/4).
    assert design_effect(hits, sizes) == pytest.approx(40 / 39, abs=1e-3)
    # One cluster with hits, both: 2 by correlation and 40/39 * 2 directly, with the weights of one such cluster.
    few = np.array([2.0] + [0.0] * 39)
    assert design_effect(few, sizes) == pytest.approx(2 * np.exp(-0.2) + 40 / 39 * 2 * (1 - np.exp(-0.2)))
    assert design_effect(np.zeros(40), sizes) == pytest.approx(2.0)
    assert design_effect(np.ones(40), np.ones(40)) == 1.0


def test_design_effect_of_many_clusters_is_right_where_large_ones_differ() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.choice([1.0, 3.0], size=(4000, 300))
    hits = rng.binomial(sizes.astype(int), np.where(sizes == 1.0, 0.3, 0.05)).astype(float)
    n, values = sizes.sum(axis=1), hits.sum(axis=1) / sizes.sum(axis=1)
    truth = np.var(values) / np.mean(values * (1.0 - values) / n)
    # By the correlation alone it would be 1.8 against a true 1.1.
    assert np.mean(design_effect(hits, sizes)) == pytest.approx(truth, rel=0.06)


def test_many_data_sets_at_once_give_what_each_gives() -> None:
    rng = np.random.default_rng(6)
    sizes = rng.integers(1, 4, (5, 30)).astype(float)
    hits = rng.binomial(sizes.astype(int), 0.2).astype(float)
    together = shares(hits, sizes)
    drawn = resamples(30, np.random.default_rng(7))
    means = bootstrap_many([Sums(hits, sizes), Sums(hits[::-1], sizes[::-1])], drawn)
    for k in range(5):
        rows = [[j < h for j in range(int(size))] for h, size in zip(hits[k], sizes[k], strict=True)]
        assert share(rows)[:3] == pytest.approx((together.value[k], together.low[k], together.high[k]))
        single = difference(Sums(hits[4 - k], sizes[4 - k]), Sums(hits[k], sizes[k]), seed=7)
        assert single is not None
        assert single.value == pytest.approx(means.value[k])
        assert single.p == pytest.approx(means.p[k])
        if single.high is not None:
            assert single.high - single.value == pytest.approx(means.half[k])


def test_resampled_errors_are_those_of_the_resamples_themselves() -> None:
    rng = np.random.default_rng(8)
    counts = rng.integers(0, 4, (2, 20)).astype(float)
    values = counts * rng.normal(size=(2, 20))
    parts = [Sums(values[0], counts[0]), Sums(values[1], counts[1])]
    picks = np.random.default_rng(9).integers(0, 20, (2000, 20))

    def studentised(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ratios = [p.sums[order].sum(-1, keepdims=True) / p.counts[order].sum(-1, keepdims=True) for p in parts]
        rest = [
            (p.sums[order] - r * p.counts[order]) / p.counts[order].sum(-1, keepdims=True)
            for p, r in zip(parts, ratios, strict=True)
        ]
        error = np.sqrt(20 / 19 * np.square(rest[0] - rest[1]).sum(-1))
        return (ratios[0] - ratios[1])[..., 0], error

    value, error = studentised(np.arange(20))
    values_drawn, errors_drawn = studentised(picks)
    distances = np.abs(values_drawn - value) / np.maximum(errors_drawn, 0.35 * error)
    found = bootstrap(parts, seed=9)
    assert (found.value, found.error) == pytest.approx((float(value), float(error)))
    assert found.half == pytest.approx(float(np.quantile(distances, 0.95) * error))
    assert found.p == pytest.approx((1 + np.sum(distances >= abs(value) / error)) / 2001)


@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=12))
def test_a_share_lies_in_its_interval(clusters: list[list[bool]]) -> None:
    figure = share(clusters)
    assert figure.n == sum(map(len, clusters))
    if figure.value is not None:
        assert figure.low is not None
        assert figure.high is not None
        assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0


@given(st.lists(st.lists(st.floats(0.0, 1.0), max_size=3), max_size=6))
def test_a_mean_lies_in_its_interval_and_in_bounds(clusters: list[list[float]]) -> None:
    figure = mean(clusters, within=(0.0, 1.0))
    if figure.low is not None and figure.high is not None and figure.value is not None:
        assert 0.0 <= figure.low <= figure.value + 1e-12
        assert figure.value - 1e-12 <= figure.high <= 1.0


def test_mean_weights_observations_and_repeats_itself() -> None:
    clusters = [[1.0, 2.0, 3.0], [10.0], []]
    assert mean(clusters, seed=3) == mean(clusters, seed=3)
    assert mean(clusters).value == pytest.approx(4.0)
    assert mean(clusters).n == 4


def test_nothing_measured_is_not_zero() -> None:
    assert share([]) == mean([[]]) == Figure(None, None, None, 0)
    assert mean([[4.0, 6.0]]) == Figure(5.0, None, None, 2)


def test_where_nothing_varies_no_interval_is_made_up() -> None:
    assert mean([[2.0]] * 30) == Figure(2.0, None, None, 30)
    figure = mean([[0.0]] * 30, within=(0.0, 1.0))
    assert figure.low == 0.0
    assert figure.high == pytest.approx(1.0 - 0.05 ** (1 / 30))


def test_many_clusters_agree_with_students_interval() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, 2000)
    low, high = mean(values[:, None].tolist())[1:3]
    assert high is not None
    assert low is not None
    assert high - low == pytest.approx(2 * 1.961 * values.std(ddof=1) / 2000**0.5, rel=1e-3)


def test_figure_survives_json() -> None:
    figure = Figure(0.5, 0.25, 0.75, 12)
    assert Figure.from_json(figure.to_json()) == figure
    assert Figure.from_json(Figure(None, None, None, 0).to_json()).value is None


# Agresti (2013), Categorical Data Analysis, 3rd ed., section 11.1: 86 and 150 discordant.
def test_mcnemar_is_the_exact_binomial_test() -> None:
    first, second = np.array([1] * 150 + [0] * 86 + [1] * 700), np.array([0] * 150 + [1] * 86 + [1] * 700)
    assert mcnemar(first, second) == pytest.approx(3.716e-05, rel=0.01)
    assert mcnemar(np.ones(5), np.ones(5)) == 1.0
    assert mcnemar(np.zeros(6), np.ones(6)) == pytest.approx(2 / 64)


def test_holm_agrees_with_r() -> None:
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def single(values: list[float]) -> Sums:
    return Sums(np.array(values, dtype=np.float64), np.ones(len(values)))


def test_a_difference_beyond_all_chance_stays_one_among_hundreds() -> None:
    rng = np.random.default_rng(0)
    first, second = ([[bool(rng.random() < rate) for _ in range(3)] for _ in range(45)] for rate in (0.15, 0.8))
    found = difference(sums_of(first), sums_of(second), shares=True)
    assert found is not None and found.low is not None and found.low > 0.3
    assert holm([found.p] + [0.5] * 300)[0] < 0.05


def test_more_resamples_leave_the_p_value_of_a_fair_difference_about_where_it_was() -> None:
    rng = np.random.default_rng(1)
    first, second = ([[float(x) for x in rng.normal(shift, 1.0, 3)] for _ in range(40)] for shift in (0.0, 0.5))
    with_more = difference(sums_of(first), sums_of(second))
    assert with_more is not None
    plain = bootstrap_many(
        [Sums(part.sums[None], part.counts[None]) for part in (sums_of(second), sums_of(first))],
        resamples(40, np.random.default_rng(0)),
    ).p[0]
    assert 0.0 < with_more.p < 0.003 and with_more.p == pytest.approx(plain, abs=0.001)


def test_a_difference_is_second_less_first_and_pairs_scenarios() -> None:
    first = [float(k) for k in range(30)]
    found = difference(single(first), single([v + 1.0 + 0.1 * (k % 3) for k, v in enumerate(first)]))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(1.1)
    # Unpaired, the scenarios' own spread of about 9 would drown this.
    assert 1.0 < found.low < found.value < found.high < 1.2
    assert found.p < 0.001
    assert difference(single([1.0]), single([2.0])) is None


def test_shares_with_one_trial_take_mcnemar_and_with_more_the_bootstrap() -> None:
    hits, misses = [1.0] * 20 + [0.0] * 10, [1.0] * 10 + [0.0] * 20
    once = difference(single(misses), single(hits), shares=True)
    assert once is not None
    assert once.test == "McNemar, exact"
    assert once.p == pytest.approx(2 / 2**10)
    thrice = difference(
        Sums(np.array(misses) * 3, np.full(30, 3.0)), Sums(np.array(hits) * 3, np.full(30, 3.0)), shares=True
    )
    assert thrice is not None
    assert thrice.test == "paired bootstrap"
    assert thrice.value == pytest.approx(once.value)


def test_two_arms_agree_with_the_textbook() -> None:
    # The paper's response rates, were the arms of equal size: z = 11.94.
    found = compare_shares([[k < 2255] for k in range(4826)], [[k < 2841] for k in range(4827)])
    assert found is not None
    assert found.value == pytest.approx(0.1213, abs=1e-4)
    assert found.low == pytest.approx(0.1015, abs=2e-4)
    assert found.high == pytest.approx(0.1410, abs=2e-4)
    assert found.p < 1e-30


def test_tickets_of_one_conversation_are_no_independent_evidence() -> None:
    loose = compare_shares([[k % 5 == 0] for k in range(900)], [[k % 4 == 0] for k in range(900)])
    tied = compare_shares([[k % 5 == 0] * 3 for k in range(300)], [[k % 4 == 0] * 3 for k in range(300)])
    assert loose is not None
    assert tied is not None
    assert loose.value == pytest.approx(tied.value)
    assert loose.p < 0.05 < tied.p


def test_two_arms_of_means() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.0, 1.0, (400, 1)).tolist(), rng.normal(0.5, 2.0, (300, 1)).tolist()
    found = compare_means(first, second)
    assert found is not None
    assert found.low < 0.5 < found.high
    assert found.p < 0.001
    assert compare_means([[1.0]] * 5, [[1.0]] * 5) is None


def test_variance_is_split_among_its_sources() -> None:
    rng = np.random.default_rng(2)
    size = (800, 4, 4)
    scenario, policy = rng.normal(0, 2.0, (800, 1, 1)), rng.normal(0, 1.0, (800, 4, 1))
    simulator, both = rng.normal(0, 1.5, (800, 1, 4)), rng.normal(0, 0.5, size)
    found = design.crossed(scenario + policy + simulator + both)
    assert found is not None
    truth = {"scenario": 4.0, "policy": 1.0, "simulator": 2.25, "both": 0.25}
    assert found.parts == pytest.approx(truth, rel=0.15)
    assert sum(found.shares().values()) == pytest.approx(1.0)
    for name, value in truth.items():
        assert found.low[name] <= value / 7.5 <= found.high[name]
    plain = design.repeated(scenario[:, 0] + rng.normal(0, 1.0, (800, 3)))
    assert plain is not None
    assert plain.parts == pytest.approx({"scenario": 4.0, "trial": 1.0}, rel=0.15)
    assert design.repeated(np.zeros((1, 3))) is None
    assert design.crossed(np.zeros((9, 1, 3))) is None


def test_the_same_policy_twice_stays_below_the_noise_floor() -> None:
    rng = np.random.default_rng(3)
    floor = design.noise_floor(within=0.25, scenarios=30, trials=3)
    runs = rng.normal(0.0, 0.5, (2, 4000, 30, 3)).mean(axis=(2, 3))
    assert np.mean(np.abs(runs[0] - runs[1]) < floor) == pytest.approx(0.95, abs=0.012)


def test_planned_trials_find_the_difference_as_often_as_planned() -> None:
    spread, within, scenarios = 0.04, 0.25, 45
    smallest = design.detectable(spread, within, scenarios, trials=5)
    assert design.trials_needed(smallest, spread, within, scenarios) == 5
    assert design.scenarios_needed(smallest, spread, within, trials=5) == scenarios
    assert design.trials_needed(0.05, spread, within, scenarios) is None
    rng = np.random.default_rng(4)
    true = smallest + rng.normal(0.0, spread**0.5, (4000, scenarios))
    seen = true + rng.normal(0.0, (2 * within / 5) ** 0.5, (4000, scenarios))
    errors = seen.std(axis=1, ddof=1) / scenarios**0.5
    assert np.mean(seen.mean(axis=1) / errors > 2.015) == pytest.approx(0.8, abs=0.03)


def parts(rows: Iterable[SimulatedRow], copies: int) -> list[float]:
    return [coverage.check(row, (0, k), least=copies, most=copies).part for k, row in enumerate(rows)]


def test_intervals_of_shares_cover_what_they_claim() -> None:
    for part in parts(simulated.share_rows((30, 45, 150)), copies=10_000):
        assert part == pytest.approx(0.95, abs=0.018)


def test_intervals_of_clustered_shares_cover_what_they_claim() -> None:
    found = parts(simulated.cluster_rows((0.1, 0.35, 0.9)), copies=2000)
    assert found == pytest.approx(np.full(len(found), 0.95), abs=0.03)
    assert np.mean(found) == pytest.approx(0.952, abs=0.006)


def test_intervals_of_means_cover_what_they_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.statistics.intervals.RESAMPLES", 300)
    found = parts(simulated.mean_rows((30,)), copies=600)
    assert np.mean(found) == pytest.approx(0.95, abs=0.015)
    assert min(found) > 0.91


def test_paired_tests_seldom_cry_wolf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.statistics.intervals.RESAMPLES", 300)
    found = parts(simulated.paired_rows((45,)), copies=800)
    assert np.mean(found) <= 0.05
    assert max(found) < 0.08


def test_arm_tests_seldom_cry_wolf() -> None:
    rows = list(simulated.arm_rows((300,)))
    assert max(parts((row for row in rows if row.bounds == simulated.FALSE_POSITIVES), copies=2000)) < 0.07
    for part in parts((row for row in rows if row.bounds == simulated.COVERAGE), copies=2000):
        assert part == pytest.approx(0.95, abs=0.02)


def coin(part: float, together: int = 1000) -> SimulatedRow:
    return SimulatedRow(f"coin {part:g}", simulated.COVERAGE, lambda rng, copies: rng.random(copies) < part, together)


def test_a_row_is_simulated_until_chance_does_not_decide_it() -> None:
    clear = coverage.check(coin(0.95), (0,), least=5000, most=100_000)
    assert clear.copies == 5000
    assert clear.inside
    assert clear.decided
    close = coverage.check(coin(0.9625, together=700), (0,), least=5000, most=100_000)
    assert 20_000 < close.copies <= 100_000
    assert close.inside
    assert close.error == pytest.approx((0.9625 * 0.0375 / close.copies) ** 0.5, rel=0.1)
    outside = coverage.check(coin(0.98), (0,), least=5000, most=100_000)
    assert outside.decided
    assert not outside.inside


@pytest.mark.parametrize(("part", "code"), [(0.95, 0), (0.98, 1)])
def test_a_row_outside_its_bounds_ends_the_program_with_1(
    part: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(coverage, "rows", lambda: iter([coin(part), coin(0.95)]))
    assert coverage.study(least=4000, most=4000) == code
    assert capsys.readouterr().out.count("OUTSIDE") == code
