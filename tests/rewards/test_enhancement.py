"""The composition formula: sign cases, bounds, monotony, unscored sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import ARRAYS, FLOATS, Lanes, Num
from negotiation_env.play.protocols import ReplyView, Reward, RewardTerm
from rewards.repo import Composition, RepoReward
from rewards.rules.rule_reward import example_view
from rewards.sources import ORDINARY, RuleScore, Verdict

enhance = Composition(zero=0.0).total

REWARDS = st.floats(-50.0, 50.0)
POINTS = st.floats(-500.0, 500.0)


@pytest.mark.parametrize(
    ("model", "points", "total"),
    [(2.0, 50.0, 3.0), (2.0, -50.0, 1.0), (-2.0, 50.0, -1.0), (-2.0, -50.0, -3.0)],
    ids=["good praised", "good spoiled", "bad softened", "bad deepened"],
)
def test_the_four_sign_cases(model: float, points: float, total: float) -> None:
    assert enhance(model, points, 0.0) == pytest.approx(total)
    assert enhance(model, 0.0, points) == pytest.approx(total)


@given(REWARDS, POINTS, POINTS)
def test_bounded_and_never_flips_the_sign(model: float, judge: float, rules: float) -> None:
    total = enhance(model, judge, rules)
    assert abs(total) <= 2.0 * abs(model) * (1 + 1e-12)
    assert total * model >= 0.0


@given(REWARDS, POINTS, POINTS, st.floats(0.0, 100.0))
def test_more_points_never_lower_the_total(model: float, judge: float, rules: float, more: float) -> None:
    assert enhance(model, judge + more, rules) >= enhance(model, judge, rules) - 1e-9


@given(REWARDS, st.floats(0.0, 10.0), st.floats(-100.0, 100.0))
def test_a_better_model_reward_never_lowers_the_total(model: float, more: float, points: float) -> None:
    assert enhance(model + more, points, 0.0) >= enhance(model, points, 0.0) - 1e-9


@given(POINTS, POINTS)
def test_a_model_reward_of_zero_stays_zero(judge: float, rules: float) -> None:
    assert enhance(0.0, judge, rules) == 0.0


@given(st.lists(st.tuples(REWARDS, POINTS, POINTS), min_size=1, max_size=8))
def test_arrays_give_what_floats_give(rows: list[tuple[float, float, float]]) -> None:
    model, judge, rules = (np.array(column) for column in zip(*rows, strict=True))
    assert enhance(model, judge, rules).tolist() == [enhance(*row) for row in rows]


def test_n_scales_the_enhancement() -> None:
    assert Composition(n=40.0, zero=0.0).total(1.0, 20.0, 0.0) == pytest.approx(1.5)
    with pytest.raises(UsageError, match="n > 0"):
        Composition(n=0.0)


class Fixed:
    """A source of all three kinds that answers what it was told."""

    def __init__(self, value: float | None, text_only: bool = False) -> None:
        self.value = value
        self.text_only = text_only

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        return [self.value] * len(views)

    def judge(self, views: Sequence[ReplyView]) -> list[Verdict]:
        fault = "could not read" if self.value is None else None
        return [Verdict(self.value, fault=fault)] * len(views)

    def score(self, view: ReplyView) -> RuleScore:
        terms = () if self.value is None else (RewardTerm("rules", "fixed", self.value),)
        return RuleScore(self.value, terms, "timed out" if self.value is None else None)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num | None:
        return None if self.text_only else self.value


def test_the_breakdown_holds_every_source() -> None:
    reward = RepoReward(Fixed(-2.0), Fixed(30.0), Fixed(-10.0))
    (scored,) = reward.score([example_view("Hello.")])
    assert isinstance(reward, Reward)
    assert (scored.model, scored.judge, scored.rules, scored.enhancement) == (-2.0, 30.0, -10.0, 20.0)
    assert scored.total == pytest.approx(-1.6 - ORDINARY)
    assert scored.terms == (RewardTerm("rules", "fixed", -10.0),)
    assert scored.fault is None


@pytest.mark.parametrize(
    ("sources", "cause"),
    [((None, 1.0, 1.0), "model: "), ((1.0, None, 1.0), "judge: could"), ((1.0, 1.0, None), "rules: timed out")],
)
def test_an_unscored_source_leaves_the_total_unscored(
    sources: tuple[float | None, float | None, float | None], cause: str
) -> None:
    model, judge, rules = (Fixed(value) for value in sources)
    (scored,) = RepoReward(model, judge, rules).score([example_view("Hello.")])
    assert scored.total is None
    assert scored.enhancement is None
    assert scored.fault is not None
    assert scored.fault.startswith(cause)
    assert (scored.model, scored.judge, scored.rules) == sources


def test_enhancement_is_clipped_at_n() -> None:
    (scored,) = RepoReward(Fixed(1.0), Fixed(90.0), Fixed(90.0)).score([example_view("Hello.")])
    assert (scored.enhancement, scored.total) == (100.0, 2.0 - ORDINARY)


def test_a_judge_that_needs_text_leaves_moves_unscored() -> None:
    reward = RepoReward(judge=Fixed(1.0, text_only=True))
    scored = reward.score_features(FLOATS, example_view("Hello.").features)
    assert scored.total is None
    assert scored.fault is not None
    assert "judge" in scored.fault


def test_the_default_scores_moves_as_arrays_and_floats_alike() -> None:
    views = [example_view(text) for text in ("Hello.", "", "Could you do 380 yuan?", "You are greedy.")]
    reward = RepoReward()
    columns = tuple(np.array(column) for column in zip(*(v.features for v in views), strict=True))
    batch = reward.score_features(ARRAYS, columns)
    for i, view in enumerate(views):
        alone = reward.score_features(FLOATS, view.features)
        assert batch.total is not None
        assert alone.total == batch.total[i]  # type: ignore[index]


def test_feature_rules_count_the_same_with_and_without_text() -> None:
    rules: Any = RepoReward().rules
    for view in (example_view(text) for text in ("Hello, could you lower the rate?", "Could you do 380 yuan?", "Bye.")):
        feature_terms = [t for t in rules.score(view).terms if _reads_features(rules, t.id)]
        assert rules.score_features(FLOATS, view.features) == sum(t.points for t in feature_terms)


def _reads_features(rules: object, name: str) -> bool:
    return any(r.id == name and r.feature for r in rules.rules)  # type: ignore[attr-defined]


def test_scores_do_not_depend_on_the_batch() -> None:
    views = [example_view(text) for text in ("Hello.", "Could you do 380 yuan?", "", "Your silence means yes.")]
    reward = RepoReward()
    assert reward.score(views) == [reward.score([view])[0] for view in views]
    assert reward.score([]) == []
