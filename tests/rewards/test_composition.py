"""The alternatives to the paper's formula: sums, sources left out, other n; and how they are named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negotiation_env.errors import UsageError
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.play.registry import load_reward
from rewards.repo import FORMULAS, STRATUM, Composition, RepoReward, relations
from rewards.sources import ORDINARY

MODEL = st.floats(-50.0, 50.0)
POINTS = st.floats(-500.0, 500.0)
COMPOSITIONS = st.builds(
    Composition,
    st.sampled_from(FORMULAS),
    st.sampled_from([25.0, 100.0, 400.0]),
    st.sets(st.sampled_from(["model", "judge", "rules"]), max_size=2).map(frozenset),
    st.just(0.0),
)


@given(COMPOSITIONS, MODEL, POINTS, POINTS, st.floats(0.0, 50.0))
def test_every_composition_is_monotone_in_every_source(
    composition: Composition, model: float, judge: float, rules: float, more: float
) -> None:
    total = composition.total(model, judge, rules)
    for better in ((model + more, judge, rules), (model, judge + more, rules), (model, judge, rules + more)):
        assert composition.total(*better) >= total - 1e-9


@given(COMPOSITIONS, MODEL, POINTS, POINTS)
def test_every_composition_is_bounded_by_the_model_and_one(
    composition: Composition, model: float, judge: float, rules: float
) -> None:
    total = composition.total(model, judge, rules)
    if composition.formula == "hero" and "model" not in composition.without:
        assert abs(total) <= 1.0 + STRATUM
    elif composition.formula == "gate" and "model" not in composition.without:
        assert abs(total) <= abs(model)
    elif composition.formula == "repo" and "model" not in composition.without:
        assert abs(total) <= 2.0 * abs(model) + 1e-9
        assert total * model >= 0.0
    else:
        rest = 0.0 if "model" in composition.without else model
        assert abs(total - rest) <= 1.0 + 1e-9


@given(COMPOSITIONS, MODEL, POINTS, POINTS, st.floats(-100.0, 100.0))
def test_a_source_left_out_does_not_count(
    composition: Composition, model: float, judge: float, rules: float, other: float
) -> None:
    values = {"model": model, "judge": judge, "rules": rules}
    for name in composition.without:
        changed = {**values, name: other}
        assert composition.total(**changed) == composition.total(**values)
        assert composition.missing(**{**values, name: None}) == ()


def test_each_alternative_gives_the_figure_that_it_says() -> None:
    assert Composition(zero=0.0).total(-2.0, 30.0, 20.0) == -1.0
    assert Composition("sum", zero=0.0).total(-2.0, 30.0, 20.0) == -1.5
    assert Composition(n=25.0, zero=0.0).total(-2.0, 30.0, 20.0) == 0.0
    assert Composition(without=frozenset({"judge"}), zero=0.0).total(-2.0, 30.0, 20.0) == pytest.approx(-1.6)
    assert Composition(without=frozenset({"model"})).total(-2.0, 30.0, 20.0) == 0.5
    assert Composition(without=frozenset({"judge", "rules"}), zero=0.0).total(-2.0, 30.0, 20.0) == -2.0


def test_a_reply_that_violates_lies_below_any_other_in_strata_and_gets_no_positive_reward_at_a_gate() -> None:
    hero, gate = Composition("hero", zero=0.0), Composition("gate", zero=0.0)
    assert hero.total(1.0, 0.0, -50.0) < hero.total(-1.0, 0.0, -15.0) < 0.0 == hero.total(0.0, -39.0, 0.0)
    assert hero.total(0.5, 0.0, -50.0) > hero.total(0.4, 0.0, -50.0)  # the model grades in either stratum
    assert hero.total(9.0, -60.0, 0.0) == pytest.approx(STRATUM - 1.0)
    assert [gate.total(m, 0.0, -50.0) for m in (0.9, -0.9)] == [0.0, -0.9]
    assert [gate.total(m, 30.0, -15.0) for m in (0.9, -0.9)] == [0.9, -0.9]
    assert Composition("gate", without=frozenset({"rules"}), zero=0.0).total(0.9, 0.0, -50.0) == 0.9


def test_arrays_of_moves_are_composed_as_single_ones() -> None:
    model, judge, rules = np.array([0.5, -0.5, 2.0]), np.array([10.0, -60.0, 0.0]), np.array([0.0, 0.0, -100.0])
    for formula in FORMULAS:
        composition = Composition(formula)
        single = [composition.total(*map(float, row)) for row in zip(model, judge, rules, strict=True)]
        assert composition.total(model, judge, rules).tolist() == pytest.approx(single)


def test_what_sources_have_to_do_with_each_other_leaves_the_unscored_out() -> None:
    scored = [RewardBreakdown(m * 1.5, m, 50.0 * m, 0.0, 50.0 * m) for m in (0.1, 0.5, -0.4)]
    found = relations([*scored, RewardBreakdown(None, None, 0.0, 0.0, None)])
    assert found == pytest.approx({"near_zero": 1 / 3, "model_with_e": 1.0, "total_with_model": 1.0})
    assert relations(scored[:1]) == {"near_zero": 1.0}
    assert relations([]) == {}


def test_a_model_reward_of_zero_stays_zero_in_the_paper_s_formula_only() -> None:
    assert Composition(zero=0.0).total(0.0, 90.0, 0.0) == 0.0
    assert Composition("sum", zero=0.0).total(0.0, 90.0, 0.0) == pytest.approx(0.9)


def test_an_ordinary_reply_earns_nothing_and_the_zero_moves_no_comparison() -> None:
    for formula in ("repo", "sum", "gate", "hero"):
        assert Composition(formula).total(ORDINARY, 0.0, 0.0) == pytest.approx(0.0)
    gaps = [
        Composition(zero=zero).total(0.9, 20.0, -50.0) - Composition(zero=zero).total(0.3, 0.0, 0.0)
        for zero in (0.0, ORDINARY)
    ]
    assert gaps[0] == pytest.approx(gaps[1])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Composition()),
        ("n=25", Composition(n=25.0)),
        ("zero=0", Composition(zero=0.0)),
        ("formula=hero", Composition("hero")),
        ("formula=sum, without=judge+rules", Composition("sum", without=frozenset({"judge", "rules"}))),
    ],
)
def test_compositions_are_read_from_text(text: str, meant: Composition) -> None:
    assert Composition.parse(text) == meant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("m=3", "unknown setting 'm'"),
        ("n=many", "n: expected a number"),
        ("zero=inf", "finite zero"),
        ("n=0", "n > 0"),
        ("n=nan", "n > 0"),
        ("formula=product", "formula: expected one of"),
        ("without=juge", "Did you mean 'judge'"),
        ("without=model+judge+rules", "at least one source"),
    ],
)
def test_a_wrong_composition_says_what_was_expected(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Composition.parse(text)


def test_a_reward_s_settings_follow_its_name() -> None:
    reward = load_reward("repo:n=25,without=judge")
    assert isinstance(reward, RepoReward)
    assert reward.composition == Composition(n=25.0, without=frozenset({"judge"}))
    assert load_reward("repo:n=25,without=judge") is reward
    assert load_reward("repo") is not reward
