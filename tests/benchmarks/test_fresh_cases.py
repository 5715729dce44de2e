"""The fresh bad cases are what their data card says; the sealed half stays closed."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from benchmarks.metrics.judging import AssessedEpisode, judge
from benchmarks.suites import CATEGORIES, FRESH_CASES, Case, bad_cases, bad_cases_fresh
from negotiation_env.language.encoder_build import missing
from negotiation_env.play.registry import load_reader
from negotiation_env.play.rollout import rollout
from tests.benchmarks.playing import FixedReplies, NoReward

CASES = list(bad_cases_fresh())
LEAST_SOUND = 0.9
"""Share of the cases whose three dialogues come out as they were written to, with either reader."""


def play(case: Case, replies: tuple[str, ...] | list[str], reader: str) -> AssessedEpisode:
    manager = bad_cases_fresh().manager()
    assert manager is not None
    (episode,) = rollout(
        FixedReplies(list(replies)), [case.scenario], manager=manager, reward=NoReward(), max_turns=case.max_turns,
        reader=load_reader(reader),
    )  # fmt: skip
    return judge(case, episode)


def is_sound(case: Case, reader: str) -> bool:
    """Whether the good dialogue fixes a case cleanly, the half one with its problem, and empty talk does not."""
    assert case.half is not None
    good, half, empty = (play(case, said, reader) for said in (case.good, case.half.replies, ["OK."] * 8))
    return good.clean and half.fixed and {p.id for p in half.problems} == {case.half.problem} and not empty.fixed


def test_the_sealed_half_is_the_one_of_the_data_card() -> None:
    card = (FRESH_CASES / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((FRESH_CASES / "sealed.tar.xz").read_bytes()).hexdigest() in card


def test_there_are_ten_complete_cases_of_each_category() -> None:
    assert Counter(case.category for case in CASES) == dict.fromkeys(CATEGORIES, 10)
    for case in CASES:
        assert case.script is not None and 5 <= len(case.script) <= 8
        assert case.half is not None and case.good


def test_no_case_is_one_of_the_45() -> None:
    names = {case.scenario.card.hotel.name for case in bad_cases()}
    assert sum(case.scenario.card.hotel.name in names for case in CASES) <= 5
    lines = {line.text for case in bad_cases() for line in case.script or () if len(line.text.split()) > 5}
    assert not any(line.text in lines for case in CASES for line in case.script or ())


@pytest.mark.parametrize("reader", ["rules", pytest.param("encoder", marks=pytest.mark.skipif(
    missing() is not None, reason="the encoder is not installed"))])  # fmt: skip
def test_dialogues_come_out_as_they_were_written_to(reader: str) -> None:
    unsound = [case.id for case in CASES if not is_sound(case, reader)]
    assert len(unsound) <= (1.0 - LEAST_SOUND) * len(CASES), unsound
