"""REPO's composed reward (arXiv 2510.04214): one number per reply from a model, a judge and rules.

    E_enh   = clip(E_judge + E_func, -n, n)
    R_total = R_model + |R_model| * E_enh / n - zero

Good behaviour raises a positive model reward and softens a negative one, bad behaviour lowers a positive one and
deepens a negative one: the enhancement scales the model's opinion and has none of its own, so where R_model is near 0
judge and rules hardly count. The paper leaves open what R_model's 0 means. Here it is a reply that says nothing, so
that nearly all that is worth judging can be judged; ``zero`` is the R_model of an ordinary reply (``sources.ORDINARY``)
and is ours: without it every turn more would earn something. It is a constant, moves no comparison of two replies and
no advantage of a reply that answers for itself, and ``zero=0`` leaves it out.

``Composition`` also has what ablations need: another ``n``, any source left out, and other formulas:

- ``sum``: R_model - zero + E_enh / n; points count whatever R_model is, and can flip its sign.
- ``hero``: the strata of HERO (arXiv 2510.07242): a reply that violates lies below every one that does not, and R_model
  less zero grades inside each stratum. HERO scales the model's scores by the least and greatest of a group of replies;
  this one is cut to [-1, 1] instead, so that a reply's reward is its own. The model's share (HERO's alpha and beta) is
  ours.
- ``gate``: the constraints of CGPO (arXiv 2409.20370): a reply that violates gets no positive reward, any other has
  R_model - zero.

A reply violates from ``VIOLATION`` points on, of the judge or of the rules; less counts nothing in these two, nor does
``n``. What normalises every source for itself over a group of replies (GDPO, arXiv 2601.05242) needs the group, and
stands with ``policies.training.on_policy.methods.Grpo``.

A source that could not score is None, and then so is the total, unless the composition leaves that source out: unscored
is not zero. A source that is left out is still scored and recorded, so that episodes of all ablations show the same
figures. Texts, rules and weights are the sources' matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardBreakdown
from rewards.judge.distilled_judge import DistilledJudge
from rewards.model.ngram_model import NgramRewardModel
from rewards.rules.rule_reward import RuleReward
from rewards.sources import ORDINARY, Judge, RewardModel, Rules, RuleScore, Verdict

DEFAULT_N = 100.0
"""The paper's n: points of enhancement that double a reward or bring it to nothing."""
SOURCES = ("model", "judge", "rules")
SETTINGS: Final = ("formula", "n", "without", "zero")
"""What ``Composition.parse`` reads."""
Formula = Literal["repo", "sum", "hero", "gate"]
FORMULAS: Final[tuple[Formula, ...]] = get_args(Formula)
VIOLATION: Final = -50.0
"""Points of the judge or of the rules from which a reply violates: what a major breach costs, not a blemish."""
STRATUM: Final = 0.4
"""How far R_model moves a reply inside its stratum, up or down; strata lie 1 apart, so they do not touch."""
NEAR_ZERO: Final = 0.25
"""A model reward of less leaves judge and rules little to scale."""


@dataclass(frozen=True, slots=True)
class Composition:
    """How three sources become one number.

    Attributes:
        formula: see the module.
        n: points at which the enhancement is clipped, > 0.
        zero: see the module; finite.
        without: sources left out, of ``SOURCES``. Without the judge or the rules their points count as 0; without
            the model the total is E_enh / n, in [-1, 1]. "judge" and "rules" both left out is the reward model alone.

    Raises:
        UsageError: on an unknown formula or source, on ``n`` or ``zero`` out of range, or if every source is left out.
    """

    formula: Formula = "repo"
    n: float = DEFAULT_N
    without: frozenset[str] = frozenset()
    zero: float = ORDINARY

    def __post_init__(self) -> None:
        _formula(self.formula)
        if not 0.0 < self.n < float("inf"):
            raise UsageError(f"expected n > 0 points, got {self.n}: the paper's value is {DEFAULT_N:g}")
        if not np.isfinite(self.zero):
            raise UsageError(f"expected a finite zero, got {self.zero}: an ordinary reply's R_model is {ORDINARY:g}")
        for name in self.without:
            if name not in SOURCES:
                raise UsageError(f"without: expected sources, got {name!r}.{did_you_mean(name, SOURCES)}")
        if len(self.without) == len(SOURCES):
            raise UsageError("without: expected at least one source to be kept, got all three left out")

    @classmethod
    def parse(cls, text: str) -> Composition:
        """Read "n=25", "formula=hero", "without=judge+rules", or several by comma; "" is the paper's."""
        formula: Formula = "repo"
        n, zero, without = DEFAULT_N, ORDINARY, frozenset[str]()
        for part in filter(None, (p.strip() for p in text.split(","))):
            key, _, value = part.partition("=")
            if key == "formula":
                formula = _formula(value)
            elif key == "n":
                n = _number(key, value)
            elif key == "zero":
                zero = _number(key, value)
            elif key == "without":
                without = frozenset(value.split("+"))
            else:
                raise UsageError(f"reward: unknown setting {key!r}.{did_you_mean(key, SETTINGS)}")
        return cls(formula, n, without, zero)

    def missing(self, model: Num | None, judge: Num | None, rules: Num | None) -> tuple[str, ...]:
        """Return the names of the sources that this composition needs and that are None."""
        values = zip(SOURCES, (model, judge, rules), strict=True)
        return tuple(name for name, value in values if value is None and name not in self.without)

    def enhancement(self, judge: Num | None, rules: Num | None) -> Num:
        """Return E_enh in points, for floats or arrays; sources left out count as 0."""
        points = (0.0 if judge is None or "judge" in self.without else judge) + (
            0.0 if rules is None or "rules" in self.without else rules
        )
        if isinstance(points, np.ndarray):
            return np.clip(points, -self.n, self.n)
        return -self.n if points < -self.n else self.n if points > self.n else points

    def total(self, model: Num | None, judge: Num | None, rules: Num | None) -> Num:
        """Return R_total for floats or arrays of one shape; no source that is needed may be None."""
        share = self.enhancement(judge, rules) / self.n
        if "model" in self.without or model is None:
            return share
        if self.formula == "repo":
            return model + share * abs(model) - self.zero
        above = model - self.zero
        if self.formula == "sum":
            return above + share
        violates = self._violates(judge, rules)
        if self.formula == "gate":
            gated: Any = np.where(violates, np.minimum(above, 0.0), above)
            return self._like(gated, model)
        stratum: Any = STRATUM * np.clip(above, -1.0, 1.0) - np.where(violates, 1.0, 0.0)
        return self._like(stratum, model)

    @staticmethod
    def _like(value: Any, model: Num) -> Num:
        """Return a value as an array where the model's is one, else as a float."""
        return np.asarray(value, dtype=np.float64) if isinstance(model, np.ndarray) else float(value)

    def _violates(self, judge: Num | None, rules: Num | None) -> Num:
        """Return whether the judge or the rules find a violation; sources left out find none."""
        found = [
            points <= VIOLATION
            for name, points in (("judge", judge), ("rules", rules))
            if points is not None and name not in self.without
        ]
        return np.any(np.array(found), axis=0) if found else False


def _formula(name: str) -> Formula:
    for formula in FORMULAS:
        if name == formula:
            return formula
    raise UsageError(f"formula: expected one of {FORMULAS}, got {name!r}.{did_you_mean(name, FORMULAS)}")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name}: expected a number, got {text!r}") from None


class RepoReward:
    """The default reward: REPO's composition of the three sources.

    Args:
        model: R_model; None takes the shipped n-gram preference model.
        judge: E_judge; None takes the shipped distilled judge.
        rules: E_func; None takes ``rules.toml`` of this package.
        composition: how they become one number; the paper's by default.
    """

    def __init__(
        self,
        model: RewardModel | None = None,
        judge: Judge | None = None,
        rules: Rules | None = None,
        composition: Composition | None = None,
    ) -> None:
        self.model: RewardModel = NgramRewardModel.shipped() if model is None else model
        self.judge: Judge = DistilledJudge.shipped() if judge is None else judge
        self.rules: Rules = RuleReward.shipped() if rules is None else rules
        self.composition = Composition() if composition is None else composition

    @property
    def sources(self) -> tuple[RewardModel, Judge, Rules]:
        """The three sources."""
        return self.model, self.judge, self.rules

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
        missing = self.composition.missing(model, judge, rules)
        if missing:
            fault = f"{', '.join(missing)}: cannot score a move without text"
            return RewardBreakdown(None, model, judge, rules, None, (), fault)
        points = self.composition.enhancement(judge, rules)
        composition = replace(self.composition, zero=0.0)  # R_model of moves has a zero of its own
        return RewardBreakdown(composition.total(model, judge, rules), model, judge, rules, points)

    def _compose(self, model: float | None, verdict: Verdict, rules: RuleScore) -> RewardBreakdown:
        """Put the three sources together; any that is needed and unscored leaves the total unscored."""
        judged, ruled = verdict.total, rules.points
        terms = verdict.terms + rules.terms
        if model is None or judged is None or ruled is None:
            causes = {"model": "unscored", "judge": verdict.fault or "unscored", "rules": rules.fault or "unscored"}
            missing = self.composition.missing(model, judged, ruled)
            if missing:
                fault = "; ".join(f"{name}: {causes[name]}" for name in missing)
                return RewardBreakdown(None, model, judged, ruled, None, terms, fault)
        points = self.composition.enhancement(judged, ruled)
        return RewardBreakdown(self.composition.total(model, judged, ruled), model, judged, ruled, points, terms)


def relations(breakdowns: Sequence[RewardBreakdown]) -> dict[str, float]:
    """Return what the sources contribute over some replies, unscored ones left out.

    ``model_with_e`` and ``total_with_model`` are Pearson's correlations, left out where nothing varies; ``near_zero``
    is the share of replies with |R_model| below ``NEAR_ZERO``.
    """
    known = [
        (b.model, b.enhancement, b.total)
        for b in breakdowns
        if b.model is not None and b.enhancement is not None and b.total is not None
    ]
    if not known:
        return {}
    model, points, total = np.array(known, dtype=np.float64).T
    found = {"near_zero": float((np.abs(model) < NEAR_ZERO).mean())}
    for name, other in (("model_with_e", points), ("total_with_model", total)):
        if model.std() > 0.0 and other.std() > 0.0:
            found[name] = float(np.corrcoef(model, other)[0, 1])
    return found
