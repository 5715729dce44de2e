"""The shipped bad cases: each is played all three ways, and no empty talk passes for a fix."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.checks.case_checks import KINDS
from benchmarks.checks.problems import PROBLEMS
from benchmarks.metrics.judging import judge
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CATEGORIES, Case, bad_cases, load_suite
from benchmarks.suites.case import SEVERITIES
from negotiation_env.envs.arguments import Suite
from negotiation_env.game.acts import Act
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play import registry
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import Policy
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import ReplayManager
from tests.benchmarks.case_replies import Echo, EchoAndAgree
from tests.benchmarks.playing import FixedReplies, NoReward, ScoredByLength, play

CASES = list(bad_cases())
FIGURE_SIGNS = frozenset("0123456789%折一二三四五六七八九百")
SPOKEN_FIGURES = ("eighty", "thirty", "fifteen", "hundred")

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@each_case
def test_good_replies_fix_the_case_cleanly(case: Case) -> None:
    played = play(case, case.good)
    assert [check for check in played.checks if not check.passed] == []
    assert played.problems == ()
    assert 5 <= len(played.episode.turns) == len(case.good) <= 8


@each_case
def test_the_recorded_failure_of_the_base_model_fails(case: Case) -> None:
    failure = case.failure
    assert failure is not None
    assert failure.policy == "base"
    assert case.bad == failure.replies
    assert 1 <= failure.failures <= failure.runs
    played = play(case, case.bad)
    assert not played.fixed
    found = [f"{check.kind}: {check.finding}" for check in played.checks if not check.passed]
    assert found == list(failure.findings)
    assert [turn.answer for turn in played.episode.turns] == [answer for _, answer in failure.dialogue]


@each_case
def test_a_fix_with_a_new_problem_is_fixed_but_not_clean(case: Case) -> None:
    assert case.half is not None
    played = play(case, case.half.replies)
    assert [check for check in played.checks if not check.passed] == []
    assert not played.clean
    assert {problem.id for problem in played.problems} == {case.half.problem}


def test_the_runner_judges_the_three_ways_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    specs = {name: f"tests.benchmarks.case_replies:{name}" for name in ("Good", "Bad", "Half")}
    run_benchmark(list(specs.values()), ["bad-cases"], out=tmp_path, progress=False, reader="rules")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["policies"]
    figures = {name: report[spec]["metrics"] for name, spec in specs.items()}
    assert {name: f["fixed"]["value"] for name, f in figures.items()} == {"Good": 1.0, "Bad": 0.0, "Half": 1.0}
    assert {name: f["clean_fix"]["value"] for name, f in figures.items()} == {"Good": 1.0, "Bad": 0.0, "Half": 0.0}
    assert all(f["fixed"]["n"] == 45 for f in figures.values())


FIXED_AT_MOST = {"one reason": 15, "echo": 4, "echo and agree": 4}
"""Cases that empty talk may fix by the checks alone. A reason said over and over avoids every bait without falling for
it, and an echo of a good figure takes it; what is wrong with them is found as repetition and as echo."""
EMPTY_TALK: dict[str, Policy] = {
    "silence": FixedReplies([""] * 8),
    "ok": FixedReplies(["OK."] * 8),
    "agreement": FixedReplies(["Yes, agreed, we accept your price."] * 8),
    "one question": FixedReplies(["Could you do a lower price for the room?"] * 8),
    "sympathy": FixedReplies(["I am sorry, I understand."] * 8),
    "one reason": FixedReplies(["Partners gain more exposure at a lower rate, could you help?"] * 8),
    "echo": Echo(),
    "echo and agree": EchoAndAgree(),
}


@pytest.mark.parametrize("name", EMPTY_TALK)
def test_empty_talk_fixes_nothing_cleanly(name: str) -> None:
    manager = bad_cases().manager()
    assert manager is not None
    fixed = []
    for turns in {case.max_turns for case in CASES}:
        alike = [case for case in CASES if case.max_turns == turns]
        scenarios = [case.scenario for case in alike]
        episodes = rollout(EMPTY_TALK[name], scenarios, manager=manager, reward=NoReward(), max_turns=turns)
        played = list(map(judge, alike, episodes))
        assert [p.case.id for p in played if p.clean] == []
        fixed += [p.case.id for p in played if p.fixed]
    assert len(fixed) <= FIXED_AT_MOST.get(name, 0), fixed


@each_case
def test_a_case_is_complete(case: Case) -> None:
    assert case.script is not None
    assert 5 <= len(case.script) <= 8
    assert case.max_turns == len(case.script)
    assert all(turn <= len(case.script) for check in case.checks for turn in check.turns)
    assert case.fails
    assert len(case.fails) < 120
    # A case of nothing but prohibitions would be fixed by talking of something else.
    assert any(KINDS[check.kind].must for check in case.checks)


def test_five_cases_in_each_category_all_at_different_hotels() -> None:
    assert Counter(case.category for case in CASES) == dict.fromkeys(CATEGORIES, 5)
    assert len({case.scenario.card.hotel.name for case in CASES}) == len(CASES)
    assert {case.severity for case in CASES} == set(SEVERITIES)
    halves = Counter(case.half.problem for case in CASES if case.half)
    assert len(halves) >= 9
    assert {PROBLEMS[problem][0] for problem in halves} == {"major", "minor"}


@each_case
def test_no_line_without_a_figure_reads_as_an_agreement(case: Case) -> None:
    """A slip of the tongue such as "All right, what now?" would take the agent's bid."""
    assert case.script is not None
    negotiation = open_negotiation(case.scenario, ReplayManager({case.id: case.script}))
    targets = [float(ticket.target_price) for ticket in case.scenario.card.tickets] + [0.0, 0.0]
    negotiation.game.bid = (targets[0], targets[1], targets[2])
    for line in case.script:
        for text in (line.text, *(text for when, text in line.branches if when not in ("settled", "close"))):
            if FIGURE_SIGNS & set(text) or any(word in text.lower() for word in SPOKEN_FIGURES):
                continue
            acts = understand(text, context_of(case.scenario.card, negotiation.game, "manager")).acts
            assert not {act.kind for act in acts} & {Act.ACCEPT, Act.CONFIRM, Act.PROPOSE, Act.COUNTER}, text


@pytest.mark.parametrize("name", ["bad-cases", "online", "ab:20"])
def test_suites_serve_the_environments(name: str) -> None:
    suite: Suite = load_suite(name)
    assert (suite.manager() is None) == (name != "bad-cases")
