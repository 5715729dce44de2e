"""REPO's composed reward (arXiv 2510.04214): one number per reply from a model, a judge and rules.

    E_enh   = clip(E_judge + E_func, -n, n)
    R_total = R_model + |R_model| * E_enh / n

Good behaviour raises a positive model reward and softens a negative one, bad behaviour lowers a positive one and
deepens a negative one; the sign never flips and |R_total| <= 2 |R_model|. A model reward of exactly 0 stays 0,
whatever judge and rules say: the enhancement scales the model's opinion and has none of its own.

A source that could not score is None, and then so is the total: unscored is not zero. This module knows no text,
no rule, no weight; the sources do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negotiation_env.errors import UsageError
from negotiation_env.lanes import Lanes, Num
from negotiation_env.protocols import ReplyView, RewardBreakdown
from rewards.distilled_judge import DistilledJudge
from rewards.preference import PreferenceModel
from rewards.rules import RuleReward
from rewards.sources import Judge, RewardModel, Rules, RuleScore, Verdict

DEFAULT_N = 100.0
"""The paper's n: points of enhancement that double a reward or bring it to nothing."""


def enhance(model: Num, judge: Num, rules: Num, n: float = DEFAULT_N) -> Num:
    """Return R_total for floats or arrays of one shape. ``judge`` and ``rules`` are in points, ``n`` > 0 as well."""
    points = judge + rules
    if isinstance(model, np.ndarray) or isinstance(points, np.ndarray):
        return model + np.abs(model) * (np.clip(points, -n, n) / n)
    clipped = -n if points < -n else n if points > n else points
    return model + abs(model) * (clipped / n)


class RepoReward:
    """The default reward: REPO's composition of the three sources.

    Args:
        model: R_model; None takes the shipped n-gram preference model.
        judge: E_judge; None takes the shipped distilled judge.
        rules: E_func; None takes ``rules.toml`` of this package.
        n: points at which the enhancement is clipped, > 0.

    Raises:
        UsageError: if ``n`` is not a positive number.
    """

    def __init__(
        self,
        model: RewardModel | None = None,
        judge: Judge | None = None,
        rules: Rules | None = None,
        n: float = DEFAULT_N,
    ) -> None:
        if not 0.0 < n < float("inf"):
            raise UsageError(f"expected n > 0 points, got {n}: the paper's value is {DEFAULT_N:g}")
        self.model: RewardModel = PreferenceModel.shipped() if model is None else model
        self.judge: Judge = DistilledJudge.shipped() if judge is None else judge
        self.rules: Rules = RuleReward.shipped() if rules is None else rules
        self.n = float(n)

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Score replies as text; one breakdown each, in order."""
        models = self.model.score_batch(replies)
        verdicts = self.judge.judge(replies)
        check = self.rules.score
        return [
            self._compose(model, verdict, check(view))
            for view, model, verdict in zip(replies, models, verdicts, strict=True)
        ]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Score moves without text: numbers are floats or arrays [N]; no terms."""
        model = self.model.score_features(lanes, features)
        judge = self.judge.score_features(lanes, features)
        rules = self.rules.score_features(lanes, features)
        if model is None or judge is None or rules is None:
            named = (("model", model), ("judge", judge), ("rules", rules))
            missing = ", ".join(name for name, value in named if value is None)
            fault = f"{missing}: cannot score a move without text"
            return RewardBreakdown(None, model, judge, rules, None, (), fault)
        points = lanes.clip(judge + rules, -self.n, self.n)
        return RewardBreakdown(enhance(model, judge, rules, self.n), model, judge, rules, points)

    def _compose(self, model: float | None, verdict: Verdict, rules: RuleScore) -> RewardBreakdown:
        """Put the three sources together; any that is unscored leaves the total unscored."""
        judged, n = verdict.total, self.n
        terms = verdict.terms + rules.terms
        if model is None or judged is None or rules.points is None:
            faults = []
            if model is None:
                faults.append("model: unscored")
            if judged is None:
                faults.append(f"judge: {verdict.fault or 'unscored'}")
            if rules.points is None:
                faults.append(f"rules: {rules.fault or 'unscored'}")
            return RewardBreakdown(None, model, judged, rules.points, None, terms, "; ".join(faults))
        points = judged + rules.points
        clipped = -n if points < -n else n if points > n else points
        total = enhance(model, judged, rules.points, n)
        return RewardBreakdown(total, model, judged, rules.points, clipped, terms)
