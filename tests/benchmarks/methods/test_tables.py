"""Figures over seeds, intervals apart, sentences and checks, on made-up scores: nothing is trained or played."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.metrics.observations import Score
from benchmarks.metrics.policy_metrics import METRICS
from benchmarks.statistics import Figure
from benchmarks.studies.methods.experiment import Experiment
from benchmarks.studies.methods.results import MethodRow, sentences
from benchmarks.studies.methods.runs import Budget, average_budget, tokens_of, with_setting
from benchmarks.studies.methods.seed_figures import (
    CLEAN,
    COLUMNS,
    MODEL,
    PAPER,
    REWARD,
    Column,
    Seeds,
    apart,
    checks,
    correlation,
    figure,
    gap,
    on_these_cases,
    over_seeds,
    verdict,
    widened,
)
from negotiation_env.errors import UsageError
from negotiation_env.play.registry import load_reward

SEVERE = PAPER[5]


def scores(column: Column, values: list[float], n: int = 1) -> list[Score]:
    """One score for each scenario: ``values`` are means of ``n`` observations."""
    return [
        Score("policy", column.suite, f"{column.suite}/{i}", (0, 0), {column.metric: (value * n, n)})
        for i, value in enumerate(values)
    ]


def normal(column: Column, mean: float, seeds: int, spread: float = 0.0, scenarios: int = 60) -> Seeds:
    """Scores that scatter by 1 over scenarios, and by ``spread`` between seeds, evenly about ``mean``."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1.0, scenarios)
    noise -= noise.mean()
    shifts = spread * (np.arange(seeds) - (seeds - 1) / 2.0)
    return {s: scores(column, [float(mean + shifts[s] + x) for x in noise], n=4) for s in range(seeds)}


def hits(column: Column, yes: int, of: int = 45, seeds: int = 1) -> Seeds:
    """Yes-or-no scores, the first ``yes`` scenarios yes."""
    return {seed: scores(column, [float(i < yes) for i in range(of)]) for seed in range(seeds)}


def test_every_column_is_a_metric_of_the_benchmark() -> None:
    assert {column.metric for column in COLUMNS} <= set(METRICS)
    assert len({column.key for column in COLUMNS}) == len(COLUMNS)


def test_seeds_of_one_scenario_are_one_cluster() -> None:
    one, five = (over_seeds(normal(REWARD, 0.5, seeds), REWARD).figure for seeds in (1, 5))
    assert one.value == pytest.approx(0.5) and five.value == pytest.approx(0.5)
    assert one.value is not None and one.low is not None and one.high is not None
    # Runs that say the same on every scenario make nothing surer.
    assert five.low == pytest.approx(one.low, abs=1e-6)
    assert 0.15 < one.high - one.value < 0.35


def test_the_spread_between_seeds_widens_an_interval() -> None:
    alike = over_seeds(normal(REWARD, 0.5, 5), REWARD)
    unlike = over_seeds(normal(REWARD, 0.5, 5, spread=0.3), REWARD)
    assert alike.figure.low is not None and unlike.figure.low is not None and unlike.figure.value is not None
    inner = unlike.figure.value - alike.figure.low
    outer = 2.7764 * np.std([-0.6, -0.3, 0.0, 0.3, 0.6], ddof=1) / math.sqrt(5)
    assert unlike.figure.value - unlike.figure.low == pytest.approx(math.hypot(inner, outer), rel=0.02)
    assert unlike.by_seed == pytest.approx({0: -0.1, 1: 0.2, 2: 0.5, 3: 0.8, 4: 1.1})


def test_a_share_s_interval_stays_a_share() -> None:
    spread = widened(Figure(0.9, 0.8, 0.95, 90), [1.0, 0.9, 0.8], (0.0, 1.0))
    assert spread.low is not None and 0.6 < spread.low < 0.8 and spread.high == 1.0
    assert widened(Figure(0.5, None, None, 3), [0.5, 0.5], None) == Figure(0.5, None, None, 3)
    assert figure(hits(CLEAN, 9)[0], CLEAN).value == pytest.approx(0.2)


def test_a_column_without_observations_has_no_figure() -> None:
    assert over_seeds(hits(CLEAN, 5), REWARD).figure == Figure(None, None, None, 0)
    assert gap(hits(CLEAN, 5), hits(CLEAN, 9), REWARD) is None


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Figure(0.1, 0.0, 0.2, 9), Figure(0.4, 0.3, 0.5, 9), 1),
        (Figure(0.4, 0.3, 0.5, 9), Figure(0.1, 0.0, 0.2, 9), -1),
        (Figure(0.1, 0.0, 0.3, 9), Figure(0.4, 0.3, 0.5, 9), 0),
        (Figure(0.1, 0.0, 0.35, 9), Figure(0.4, 0.3, 0.5, 9), 0),
        (Figure(0.1, None, None, 9), Figure(0.4, 0.3, 0.5, 9), 0),
        (Figure(None, None, None, 0), Figure(0.4, 0.3, 0.5, 9), 0),
    ],
)
def test_intervals_are_apart_only_where_they_do_not_meet(first: Figure, second: Figure, expected: int) -> None:
    assert apart(first, second) == expected


def test_a_gap_holds_the_scenarios_pairing_and_the_seeds_spread() -> None:
    low, high = normal(REWARD, 0.0, 5), normal(REWARD, 0.3, 5)
    paired = gap(low, high, REWARD)
    assert paired is not None and paired.value == pytest.approx(0.3)
    noisy = gap(low, normal(REWARD, 0.3, 5, spread=0.5), REWARD)
    assert noisy is not None and noisy.low is not None and noisy.low < 0.0 and noisy.apart == 0
    clear = gap(low, normal(REWARD, 3.0, 5, spread=0.5), REWARD)
    assert clear is not None and clear.apart == 1
    constant = gap(normal(REWARD, 0.0, 1), normal(REWARD, 0.3, 1), REWARD)
    assert constant is not None and constant.low is None and constant.apart == 1
    back = gap(normal(REWARD, 3.0, 5, spread=0.5), low, REWARD)
    assert back is not None and back.apart == -1


def test_a_correlation_is_over_episodes_that_have_both_columns() -> None:
    rng = np.random.default_rng(1)
    models = rng.normal(size=50)
    totals = models + 0.5 * rng.normal(size=50)
    both = [
        Score("policy", REWARD.suite, str(i), (0, 0), {MODEL.metric: (3 * m, 3), REWARD.metric: (3 * t, 3)})
        for i, (m, t) in enumerate(zip(models.tolist(), totals.tolist(), strict=True))
    ]
    seeds = {0: both[:20], 1: [*both[20:], *scores(MODEL, [100.0]), *scores(REWARD, [-100.0])]}
    found = correlation(seeds, MODEL, REWARD)
    assert found == pytest.approx(float(np.corrcoef(models, totals)[0, 1]))
    assert correlation({0: both[:1]}, MODEL, REWARD) is None


def test_the_check_counts_the_seeds_whose_intervals_lie_above_the_start_s() -> None:
    start = [*normal(REWARD, 0.0, 1)[0], *hits(CLEAN, 6)[0]]
    seeds = {
        0: [*normal(REWARD, 2.0, 1)[0], *hits(CLEAN, 35)[0]],
        1: [*normal(REWARD, 2.0, 1)[0], *hits(CLEAN, 9)[0]],
        2: [*normal(REWARD, 0.1, 1)[0], *hits(CLEAN, 35)[0]],
    }
    found = checks(start, seeds)
    assert [(c.seed, c.column.metric, c.apart) for c in found] == [
        (0, "reward_total", 1), (0, "clean_fix", 1), (1, "reward_total", 1), (1, "clean_fix", 0),
        (2, "reward_total", 0), (2, "clean_fix", 1),
    ]  # fmt: skip
    assert verdict(found) == (
        "R_total of a reply above the start's interval in 2 of 3 seeds, fixed cleanly above the start's interval in 2 "
        "of 3 seeds; both in 1 of 3."
    )
    assert verdict([]) == "No run has been measured."


def test_intervals_of_fixed_cases_hold_what_runs_on_these_cases_would_give() -> None:
    rng = np.random.default_rng(0)
    chances = rng.beta(0.4, 0.6, 45)  # most cases are nearly always or nearly never fixed
    held = np.zeros(2)
    for _ in range(600):
        runs = [rng.binomial(2, np.clip(chances + rng.normal(0.0, 0.05), 0.0, 1.0)) / 2.0 for _ in range(6)]
        start = scores(CLEAN, list(rng.binomial(2, chances) / 2.0), n=2)
        found = on_these_cases(start, {i: scores(CLEAN, list(run), n=2) for i, run in enumerate(runs)})
        for place, told in enumerate((found.start, found.figure)):
            assert told.low is not None and told.high is not None
            held[place] += told.low <= chances.mean() <= told.high
    assert (held >= 0.91 * 600).all() and (held <= 0.99 * 600).all(), held / 600


def test_fixed_cases_need_trials_and_runs() -> None:
    once, twice = scores(CLEAN, [1.0] * 9 + [0.0] * 36), scores(CLEAN, [0.5] * 20 + [0.0] * 25, n=2)
    found = on_these_cases(once, {0: twice})
    assert found.start.value == pytest.approx(0.2) and found.start.low is None
    assert found.figure.value == pytest.approx(10 / 45) and found.figure.low is None and found.apart == 0
    lower = scores(CLEAN, [0.5] * 9 + [0.0] * 36, n=2)
    upper = [scores(CLEAN, [1.0] * k + [0.0] * (45 - k), n=2) for k in (22, 23, 24)]
    assert on_these_cases(lower, dict(enumerate(upper))).apart == 1
    fewer = [scores(CLEAN, [0.5] * k + [0.0] * (45 - k), n=2) for k in (2, 3, 4)]
    assert on_these_cases(twice, dict(enumerate(fewer))).apart == -1


def rows(column: Column, repo: Seeds, grpo: Seeds, **extra: Seeds) -> dict[str, MethodRow]:
    return {"grpo": MethodRow("GRPO", grpo, []), "repo": MethodRow("REPO", repo, [Budget(best=0.9)])} | {
        name: MethodRow(name.upper(), seeds, []) for name, seeds in extra.items()
    }


def test_a_lead_beyond_chance_is_told_from_one_within() -> None:
    clear = sentences(rows(CLEAN, hits(CLEAN, 40), hits(CLEAN, 5)), [CLEAN])
    assert clear == ["REPO leads in 1 of 1 columns: fixed cleanly (beyond chance of GRPO)."]
    close = sentences(rows(CLEAN, hits(CLEAN, 6), hits(CLEAN, 5)), [CLEAN])
    assert close == ["REPO leads in 1 of 1 columns: fixed cleanly (within chance of GRPO)."]


def test_a_column_in_which_less_is_better_is_led_by_the_least() -> None:
    assert "leads in 1 of 1" in sentences(rows(SEVERE, hits(SEVERE, 1), hits(SEVERE, 30)), [SEVERE])[0]
    told = sentences(rows(SEVERE, hits(SEVERE, 30), hits(SEVERE, 1)), [SEVERE])
    assert told[0] == "REPO leads in none of 1 columns."
    assert told[1].startswith("severe, unresolved: GRPO leads with 2.2%") and "REPO is number 2 with 66.7%" in told[1]
    assert "beyond chance" in told[1] and "cannot tell from chance" not in told[1]


def test_a_lag_says_how_far_and_whether_it_is_chance() -> None:
    told = sentences(rows(CLEAN, hits(CLEAN, 20), hits(CLEAN, 21), dpo=hits(CLEAN, 30)), [CLEAN])[1]
    assert told.startswith("fixed cleanly: DPO leads with 66.7%") and "REPO is number 3" in told
    near = sentences(rows(CLEAN, hits(CLEAN, 20), hits(CLEAN, 21)), [CLEAN])[1]
    assert near.endswith("which 1 training run on these scenarios cannot tell from chance.")


def test_a_tie_is_called_one() -> None:
    told = sentences(rows(SEVERE, hits(SEVERE, 0), hits(SEVERE, 0)), [SEVERE])
    assert told[1].startswith("severe, unresolved: REPO ties with GRPO at 0.0%")


def test_a_lag_names_what_goes_with_it() -> None:
    def both(reward: float, clean: int) -> Seeds:
        return {0: [*normal(REWARD, reward, 1)[0], *hits(CLEAN, clean)[0]]}

    richer = sentences(rows(CLEAN, both(2.0, 5), both(0.0, 40)), [CLEAN])[1]
    assert "it earns more of the reward it learns from" in richer and "still rising" in richer
    poorer = sentences(rows(CLEAN, both(0.0, 5), both(2.0, 40)), [CLEAN])[1]
    assert "it earns less of its own reward as well" in poorer
    stopped = rows(CLEAN, both(0.0, 5), both(0.0, 40))
    stopped["repo"] = stopped["repo"]._replace(stopped=1)
    assert "1 of 1 REPO runs were stopped by a guard" in sentences(stopped, [CLEAN])[1]


def test_running_token_counts_begin_anew_where_a_run_was_resumed() -> None:
    assert tokens_of([10.0, 25.0, 40.0]) == 40
    assert tokens_of([10.0, 25.0, 12.0, 30.0]) == 55
    assert tokens_of([]) == 0
    assert average_budget([Budget(replies=3), Budget(replies=5), Budget()], "replies") == {
        "mean": 4.0, "least": 3.0, "most": 5.0,
    }  # fmt: skip
    assert average_budget([Budget()], "replies") is None


def test_ablations_change_one_thing_and_name_rewards_that_load(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ablated=True, seeds=1)
    whole = experiment.preset(experiment.later_runs()[0].variant)
    changed = {}
    for variant in experiment.ablations():
        own = experiment.preset(variant)
        (key,) = [key for key in whole if whole[key] != own[key]]
        changed[variant.name] = (key, own[key])
        load_reward(own["reward"])
    assert changed == {
        "repo-without-judge": ("reward", "repo:without=judge"),
        "repo-without-rules": ("reward", "repo:without=rules"),
        "repo-sum": ("reward", "repo:formula=sum"),
        "repo-kl": ("kl_weight", 0.05),
        "repo-n-25": ("reward", "repo:n=25"),
        "repo-n-400": ("reward", "repo:n=400"),
        "repo-turn-discount": ("turn_discount", 0.7),
    }
    assert with_setting("repo:model=small", "n=25") == "repo:model=small,n=25"


def test_some_methods_alone_can_be_trained_from_the_same_start(tmp_path: Path) -> None:
    every, some = Experiment(tmp_path, seeds=2), Experiment(tmp_path, seeds=2, only=("repo", "base"))
    assert [run.name for run in some.first_runs()] == [run.name for run in every.first_runs()[:2]]
    assert [run.variant.name for run in some.later_runs()] == ["repo", "repo"]
    assert all(run in every.later_runs() for run in some.later_runs())
    ablated = Experiment(tmp_path, seeds=1, ablated=True, only=("repo-sum",))
    assert [run.variant.name for run in ablated.later_runs()] == ["repo-sum"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"seeds": 0}, "seeds >= 1"),
        ({"overrides": ("rpo.replies=3",)}, "Did you mean 'repo'"),
        ({"overrides": ("replies=3",)}, "METHOD.key=value"),
        ({"overrides": ("repo.replis=3",)}, "replies"),
        ({"overrides": ("repo.base=elsewhere",)}, "one base for all methods"),
        ({"scale": "huge"}, "tiny"),
        ({"init": "sft-huge"}, "sft-huge"),
        ({"only": ("rpo",)}, "Did you mean 'repo'"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(tmp_path: Path, wrong: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Experiment(tmp_path, **wrong).first_runs()  # type: ignore[arg-type]
