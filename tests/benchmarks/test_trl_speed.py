"""The comparison with TRL counts the same things on both sides, and its figures follow from what was counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("datasets")

from benchmarks.studies import trl_speed_sides
from benchmarks.studies.trl_speed import PARTS, MeasuredSide, Round, compare, missed, study
from benchmarks.studies.trl_speed_sides import Clock
from policies.training.on_policy.methods import Method, load_method
from tests.policies.on_policy.conftest import settings, write_base


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Method:
    folder = tmp_path_factory.mktemp("base")
    write_base(folder)
    return load_method("repo", settings(folder, batch_size=8, micro_batch_size=4, epochs=2))


def check(measured: MeasuredSide, rounds: int) -> None:
    assert len(measured.rounds) == rounds
    assert measured.peak_memory_mb > 0
    for one in measured.rounds:
        assert one.replies > 0
        assert one.replies <= one.reply_tokens <= 6 * one.replies
        assert one.prompt_tokens > one.replies
        assert sum(one.parts.values()) == pytest.approx(one.seconds)
        assert sum(one.cpu_parts.values()) == pytest.approx(one.cpu_seconds)
        assert all(one.parts[name] > 0 for name in PARTS)


def test_our_side_plays_and_learns_from_every_reply(repo: Method) -> None:
    measured = trl_speed_sides.measure_repo(repo, rounds=2, reward="repo")
    check(measured, 2)
    for one in measured.rounds:
        assert one.replies <= repo.preset.dialogues * repo.preset.max_turns
        assert one.optimiser_steps == repo.preset.epochs * max(1, round(one.replies / repo.preset.batch_size))


def test_trl_learns_from_as_many_replies_as_a_step_of_ours(repo: Method) -> None:
    measured = trl_speed_sides.measure_trl(repo.preset, rounds=1, dialogues=False)
    check(measured, 1)
    (one,) = measured.rounds
    assert one.replies == repo.preset.batch_size
    assert one.optimiser_steps == repo.preset.epochs


def test_trl_s_dialogues_count_replies_and_not_the_hotel(repo: Method) -> None:
    measured = trl_speed_sides.measure_trl(repo.preset, rounds=1, dialogues=True)
    check(measured, 1)
    assert trl_speed_sides.GROUP <= measured.rounds[0].replies <= trl_speed_sides.GROUP * repo.preset.max_turns


@pytest.mark.parametrize(("mask", "replies"), [([], 0), ([1, 1], 1), ([1, 0, 0, 1, 1, 0, 1], 3), ([0, 1, 0], 1)])
def test_replies_of_a_mask(mask: list[int], replies: int) -> None:
    assert trl_speed_sides._replies(mask) == replies


def test_time_inside_another_part_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    ticks = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(Clock, "_now", staticmethod(lambda: np.array([now := next(ticks), 2 * now])))
    clock = Clock()
    with clock.part("generate"), clock.part("score"):
        pass
    lap = clock.lap("learn")
    assert lap.parts == {"generate": 6.0, "score": 3.0, "learn": 6.0}
    assert lap.seconds == 15.0
    assert lap.cpu_parts == {"generate": 12.0, "score": 6.0, "learn": 12.0}


def side(name: str, seconds: list[float], memory: float) -> MeasuredSide:
    rounds = [Round(10, 100, 1000, 2, s, s, dict.fromkeys(PARTS, s / 3), dict.fromkeys(PARTS, s / 3)) for s in seconds]
    return MeasuredSide(name, "", rounds, memory, "cpu", 1)


def test_ratios_are_of_medians_and_missed_targets_are_named() -> None:
    report = compare([side("repo", [5.0, 6.0, 90.0], 1300.0), side("trl", [10.0, 1.0, 11.0], 1000.0)], passes=2)
    assert report["sides"]["repo"]["seconds_per_reply"] == pytest.approx(0.6)
    assert report["sides"]["repo"]["replies_per_step"] == 10
    assert report["ratios"]["trl"]["seconds_per_reply"] == pytest.approx(0.6)
    assert [line.partition(":")[0] for line in missed(report)] == ["peak_memory_mb"]
    slow = compare([side("repo", [8.0], 1000.0), side("trl", [10.0], 1000.0)], passes=1)
    assert [line.partition(":")[0] for line in missed(slow)] == ["seconds_per_reply"]
    with pytest.raises(ValueError, match="REPO's side"):
        compare([side("trl", [1.0], 1.0)], passes=1)


def test_a_side_is_measured_in_a_process_of_its_own(repo: Method, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "base": repo.preset.base,
        "start": "",
        "dialogues": 2,
        "max_turns": 1,
        "max_reply_tokens": 4,
        "batch_size": 2,
        "micro_batch_size": 2,
        "torch_threads": 1,
    }
    sets = [f"{key}={value}" for key, value in changes.items()]
    assert study("tiny", sets, rounds=1, reward="repo", sides="repo", out=tmp_path) == 0
    written = json.loads((tmp_path / "repo.json").read_text(encoding="utf-8"))
    assert [one["replies"] for one in written["rounds"]] == [2]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["rounds"]["repo"] == written["rounds"]
    assert report["ratios"] == {} and report["missed"] == []
