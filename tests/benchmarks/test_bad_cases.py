"""The shipped suites: every bad case loads, is passed by good replies, and catches bad ones."""

from collections import Counter

import pytest

from benchmarks.suites import CATEGORIES, ONLINE_SEEDS, Case, bad_cases, load_suite, online
from negotiation_env.arguments import Suite
from tests.benchmarks.playing import play

CASES = list(bad_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_good_replies_fix_the_case_cleanly(case: Case) -> None:
    played = play(case, case.good)
    assert [check for check in played.checks if not check.passed] == []
    assert played.problems == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_replies_do_not_fix_the_case(case: Case) -> None:
    assert not play(case, case.bad).fixed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_neither_silence_nor_one_phrase_for_all_fixes_a_case(case: Case) -> None:
    assert not play(case, [""] * case.max_turns).fixed
    assert not play(case, ["Could you do a lower price for the room?"] * case.max_turns).clean


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_script_is_long_enough_for_its_checks(case: Case) -> None:
    assert case.script is not None
    assert 4 <= len(case.script) <= 7
    assert case.max_turns == len(case.script)
    assert all(turn <= len(case.script) for check in case.checks for turn in check.turns)


def test_every_category_has_three_cases() -> None:
    counts = Counter(case.category for case in CASES)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 3


def test_online_is_the_same_thirty_scenarios_every_time() -> None:
    first, again = list(online()), list(online())
    assert first == again
    assert len({case.scenario.seed for case in first}) == len(ONLINE_SEEDS) == 30
    assert len({case.scenario.card for case in first}) == 30


@pytest.mark.parametrize("name", ["bad-cases", "online"])
def test_suites_serve_the_environments(name: str) -> None:
    suite: Suite = load_suite(name)
    assert (suite.manager() is None) == (name == "online")
