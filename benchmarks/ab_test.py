"""The simulated A/B test: two arms of conversations, each conversation in one arm, as in production.

After the source paper's production test (9,653 conversations; response rate and task success). Everything here is
simulated: hotels, managers, and whether they answer. Reads scores (``observations``) only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.comparisons import corrected, rounded
from benchmarks.metrics import METRICS
from benchmarks.observations import Score, is_share
from benchmarks.plan import AB
from benchmarks.statistics import ArmDifference, compare_means, compare_shares

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
            rows.append({"metric": metric, "meaning": METRICS[metric], **_json(found)})
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
