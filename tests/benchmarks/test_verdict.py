"""What a run says in words, and which cases it names, on the terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from benchmarks.cli.bench import print_table
from benchmarks.cli.main import app
from benchmarks.report import Report
from benchmarks.report.verdict import FIRST, SHOWN_FIGURES, failed_cases, headline_rows, verdict
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases, online
from negotiation_env.play import registry
from negotiation_env.play.records import read_episodes
from tests.benchmarks.playing import Breaking, ScoredByLength

POLICIES = ("intent-driven", "heuristic", "random")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    suites = [CaseSuite("bad-cases", tuple(bad_cases())[::2]), CaseSuite("online", tuple(online())[:6])]
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
        return run_benchmark(POLICIES, suites, out=out, progress=False)


def bench(out: Path, *arguments: str) -> Result:
    words = ["bench", "-p", ",".join(POLICIES[1:]), "-s", "bad-cases", "-o", str(out), "-q", *arguments]
    return CliRunner().invoke(app, words, env={"COLUMNS": "160"})


def test_every_policy_has_a_line_with_its_counts(report: Report) -> None:
    lines = verdict(report)
    for name, line in zip(POLICIES, lines, strict=False):
        cases = report.data["policies"][name]["cases"]
        fixed, clean = (sum(case[what] for case in cases) for what in ("fixed", "clean"))
        assert line.startswith(f"{name}: fixes {fixed} of {len(cases)} bad cases, {clean} of them with no new problem")
        assert "gets a lower price for" in line


def test_who_does_better_follows_the_tests(report: Report) -> None:
    lines = " ".join(verdict(report))
    tests = {(t["metric"], t["second"]): t for t in report.data["tests"]}
    for name in POLICIES[1:]:
        test = tests["clean_fix", name]
        sure = test["p_holm"] < 0.05
        assert (f"{name} does worse than intent-driven" in lines) is (sure and test["value"] < 0)
    assert "Most bad cases fixed with no new problem: intent-driven" in lines


@pytest.mark.parametrize("width", [50, 80, 200])
def test_the_table_cuts_no_figure_however_many_policies_there_are(report: Report, width: int) -> None:
    console = Console(width=width, record=True, file=StringIO())
    print_table(console, report, full=False)
    shown = console.export_text()
    assert "…" not in shown
    for _, _, cells in headline_rows(report):
        assert all(part in shown for cell in cells for part in cell.replace(" [", "\n[").split("\n"))


def test_many_comparisons_are_told_together(report: Report) -> None:
    tests = [test | {"second": f"{test['second']}-{copy}"} for test in report.data["tests"] for copy in range(4)]
    lines = verdict(replace(report, data=report.data | {"tests": tests}))
    told = [line for line in lines if "intent-driven" in line and ("than" in line or "No difference" in line)]
    assert all(sum(f"{name}-{copy} " in line for line in told) == 2 for name in POLICIES[1:] for copy in range(4))
    assert len(told) <= 6


def test_eight_figures_come_first_and_others_fill_up(report: Report, tmp_path: Path) -> None:
    assert [row[0] for row in headline_rows(report)] == list(FIRST)
    few = CaseSuite("few", tuple(bad_cases())[:3])
    names = [row[0] for row in headline_rows(run_benchmark(["random"], [few], out=tmp_path, progress=False))]
    assert len(names) == len(set(names)) == SHOWN_FIGURES
    assert "task_success" not in names and names[:3] == list(FIRST[:3])


def test_failed_cases_name_the_check_and_what_was_said_there(report: Report) -> None:
    found = failed_cases(report)
    episodes = {(name, p.episode.scenario_id): p for name, _, p in report.played}
    for name in POLICIES:
        cases = report.data["policies"][name]["cases"]
        assert {c.case for c in found.get(name, [])} == {c["id"] for c in cases if not c["fixed"]}
        for case in found.get(name, []):
            played = episodes[name, case.case]
            first = next(check for check in played.checks if not check.passed)
            assert (case.check, case.finding, case.turn) == (first.kind, first.finding, first.turn)
            said = " ".join(played.episode.turns[case.turn - 1].text.split()) if case.turn else ""
            assert said.startswith(case.words.rstrip("…"))
    ranks = [("severe", "major", "minor").index(case.severity) for case in found["random"]]
    assert ranks == sorted(ranks)


def test_other_trials_of_a_case_do_not_hide_other_cases(report: Report) -> None:
    own = report.data["policies"]["random"]
    twice = [case | {"id": f"{case['id']}{mark}"} for case in own["cases"] for mark in ("", "#2")]
    data = report.data | {"policies": report.data["policies"] | {"random": own | {"cases": twice}}}
    found = failed_cases(replace(report, data=data))["random"]
    ranks = [(("severe", "major", "minor").index(case.severity), "#" in case.case) for case in found]
    assert ranks == sorted(ranks) and len(found) == 2 * len(failed_cases(report)["random"])


def test_a_check_says_in_which_turn_it_failed(report: Report) -> None:
    checks = [(check, p) for _, _, p in report.played for check in p.checks]
    assert all(check.turn == 0 for check, _ in checks if check.passed)
    assert all(1 <= check.turn <= len(p.episode.turns) for check, p in checks if not check.passed)


def test_the_terminal_ends_with_cases_figures_and_verdict(tmp_path: Path) -> None:
    short = bench(tmp_path)
    assert short.exit_code == 0, short.output
    places = [short.output.index(words) for words in ("heuristic does not fix", "clean_fix", "Verdict", "Report: ")]
    assert places == sorted(places)
    assert "turn " in short.output and ": missing" in short.output
    assert "more: --full, or the report" in short.output
    assert "problem_turns" not in short.output
    full = bench(tmp_path, "--full")
    assert "problem_turns" in full.output and "more: --full" not in full.output
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for name in POLICIES[1:]:
        assert all(c["id"] in full.output for c in data["policies"][name]["cases"] if not c["fixed"])


def test_a_policy_with_too_many_faults_has_no_verdict_and_no_failed_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Breaking, "broken", True)
    spec = "tests.benchmarks.playing:Breaking"
    few = CaseSuite("few", tuple(case for case in bad_cases() if len(case.scenario.card.tickets) > 1))
    withheld = run_benchmark([spec, "random"], [few], out=tmp_path, progress=False)
    failed = len(withheld.data["policies"][spec]["faults"])
    assert failed
    lines = verdict(withheld)
    assert lines[0].startswith(f"{spec}: no verdict. {failed} of {len(few)} episodes failed (engine lost)")
    assert len(lines) == 2, "expected no comparison with a policy whose figures are withheld"
    assert spec not in failed_cases(withheld)
    assert "fault_share" in [row[0] for row in headline_rows(withheld)]


def test_a_few_faults_are_told_in_the_verdict(tmp_path: Path) -> None:
    spec = "tests.benchmarks.playing:Breaking"
    cases = list(bad_cases())
    several = [case for case in cases if len(case.scenario.card.tickets) > 1][:1]
    single = [case for case in cases if len(case.scenario.card.tickets) == 1][:12]
    sound = run_benchmark([spec], [CaseSuite("few", (*several, *single))], out=tmp_path, progress=False)
    (line,) = verdict(sound)
    assert "of 12 bad cases" in line and line.endswith("; 1 of 13 episodes failed and are left out.")
    found: dict[str, Any] = {e.scenario_id: e.fault for e in read_episodes(tmp_path / "episodes.jsonl")}
    assert not any(found[case.case] for case in failed_cases(sound)[spec])
