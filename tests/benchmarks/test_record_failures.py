"""Recording: the dialogue that is kept is one that failed, by what was said if there is such a one."""

from pathlib import Path

import pytest

from benchmarks.studies.bad_case_files import DOCUMENT, failure_of, filled, model_of, played_cases, record
from benchmarks.suites import BAD_CASES, bad_cases, read_suite
from negotiation_env.errors import DataFileError
from negotiation_env.play import registry
from tests.benchmarks.playing import FixedReplies, ScoredByLength, play

ROOT = Path(__file__).resolve().parents[2]
CASES = {case.id: case for case in bad_cases()}
CASE = CASES["over-promise-1"]
TRAPPED = ["Good morning, it is about the Superior Twin rate.", "Yes, we guarantee 200 bookings.", "Guaranteed."]
POLITE = "tests.benchmarks.playing:Polite"


def test_a_run_that_says_something_wrong_is_kept_before_one_that_says_nothing() -> None:
    runs = [play(CASE, list(CASE.good)), play(CASE, [""] * 5), play(CASE, TRAPPED)]
    failure = failure_of(runs, "a model", "2026-01-31")
    assert failure is not None
    assert failure.replies == tuple(TRAPPED)
    assert (failure.runs, failure.failures, failure.model, failure.date) == (3, 2, "a model", "2026-01-31")
    assert any(finding.startswith("no_overpromise: yes, we guarantee") for finding in failure.findings)
    silent = failure_of(runs[:2], "a model", "2026-01-31")
    assert silent is not None
    assert silent.replies == ("",) * 5


def test_a_case_that_never_failed_has_no_record() -> None:
    assert failure_of([play(CASE, list(CASE.good))], "a model", "2026-01-31") is None


def test_the_command_plays_and_writes_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("over-promise-1", "below-target-1"):
        (folder / f"{name}.toml").write_text((BAD_CASES / f"{name}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    record(folder, POLITE, 2, tmp_path / "runs")
    assert sorted(path.name for path in (folder / "recorded").iterdir()) == [
        "below-target-1.json",
        "over-promise-1.json",
    ]
    again = read_suite(folder)
    assert all(case.failure is not None and case.failure.runs == 2 for case in again)
    assert all(not play(case, case.bad).fixed for case in again)
    sorted_runs = played_cases(again, tmp_path / "runs" / "episodes.jsonl", POLITE)
    assert {name: len(runs) for name, runs in sorted_runs.items()} == {"over-promise-1": 2, "below-target-1": 2}


def test_a_policy_without_a_model_has_none() -> None:
    assert model_of(FixedReplies([])) == ""


def test_the_document_shows_the_cases_as_they_are() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert filled(text) == text, "run: negotiate study case-table"


def test_a_document_without_its_markers_is_told() -> None:
    with pytest.raises(DataFileError, match="expected the markers '<!-- cases -->'"):
        filled("# Bad cases\n")
