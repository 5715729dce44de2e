"""The A/B test puts each conversation in one arm, fairly, and finds the differences that are there."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.comparison.paired_policies import ab_section
from benchmarks.metrics.observations import Score
from benchmarks.runner.jobs import AB, RunPlan, arm_of, jobs_of
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import load_suite

POLICIES = ("random", "heuristic")


def test_every_conversation_is_in_one_arm_and_arms_are_fair() -> None:
    suite = load_suite("ab:3000")
    jobs = jobs_of(POLICIES, {AB: suite}, RunPlan())
    assert sorted(job.case.scenario.seed for job in jobs) == sorted(case.scenario.seed for case in suite)
    first = sum(job.policy == "random" for job in jobs)
    assert abs(first - 1500) < 4 * (3000 * 0.25) ** 0.5
    # Another seed divides them anew.
    same = np.mean([arm_of(case, 0) == arm_of(case, 1) for case in suite])
    assert same == pytest.approx(0.5, abs=0.05)


def conversations(policy: str, answered: int, settled: int, n: int) -> list[Score]:
    """Conversations of two tickets, both of which fare alike."""
    return [
        Score(
            policy,
            AB,
            f"ab/{policy}-{k}",
            (0, 0),
            {
                "response_rate": (float(k < answered), 1),
                "task_success": (2.0 * (k < settled), 2),
                "turns": (6.0 + k % 3, 1),
            },
        )
        for k in range(n)
    ]


def test_the_papers_rates_would_be_significant() -> None:
    scores = conversations("a", 2255, 932, 4826) + conversations("b", 2841, 1219, 4827)
    found = ab_section(scores, ["a", "b"])
    assert found is not None
    assert found["arms"] == {"a": {"conversations": 4826}, "b": {"conversations": 4827}}
    response, success = found["primary"]
    assert response["metric"] == "response_rate"
    assert response["value"] == pytest.approx(0.1213, abs=1e-4)
    assert response["low"] < response["value"] < response["high"]
    assert response["relative"] == pytest.approx(0.2597, abs=1e-3)
    assert max(response["p_holm"], success["p_holm"]) < 0.001
    assert success["first"]["n"] == 2 * 4826
    turns = next(row for row in found["secondary"] if row["metric"] == "turns")
    assert turns["p"] > 0.05


def test_alike_arms_are_not_told_apart() -> None:
    found = ab_section(conversations("a", 480, 200, 1000) + conversations("b", 485, 204, 1000), ["a", "b"])
    assert found is not None
    assert min(row["p"] for row in found["primary"]) > 0.5


def test_no_arms_no_section() -> None:
    assert ab_section(conversations("a", 1, 1, 5), ["a", "b"]) is None
    assert ab_section(conversations("a", 1, 1, 5), ["a"]) is None


def test_an_ab_run_reports_both_arms(tmp_path: Path) -> None:
    report = run_benchmark(list(POLICIES), ["ab:60"], out=tmp_path, progress=False)
    found = report.data["ab"]
    assert sum(arm["conversations"] for arm in found["arms"].values()) == 60
    assert [row["metric"] for row in found["primary"]] == ["response_rate", "task_success"]
    # No case is played by both, so nothing is paired.
    assert report.data["tests"] == []
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "conversations)" in page
