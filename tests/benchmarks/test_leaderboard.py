"""The documents' tables are what the results files say, and results come from committed sources only."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.comparison.leaderboard import (
    BEGIN,
    END,
    RESULTS,
    add_results,
    read_results,
    table,
    with_table,
)
from benchmarks.comparison.run_folders import BenchmarkFolder
from benchmarks.runner.provenance import VERSIONS
from negotiation_env.errors import DataFileError, UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/measurements.md"])
def test_the_documents_tables_are_made_from_the_results(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert with_table(text, read_results()) == text, f"run: negotiate report leaderboard --write {name}"


def test_shipped_results_say_how_they_were_made() -> None:
    results = read_results()
    assert len(results) == len(list(RESULTS.glob("*.json")))
    for record in results:
        made = record["provenance"]
        assert len(made["commit"]) == 40
        assert made["uncommitted_changes"] is False
        assert record["policy"] in made["command"]
        assert made["packages"]["numpy"]
        assert made["versions"].keys() <= VERSIONS.keys()  # parts told apart since then were at version 1


def run_of(policy: str, clean: float, **parts: Any) -> BenchmarkFolder:
    figure = {"value": clean, "low": clean - 0.1, "high": clean + 0.1, "n": 45}
    provenance = {
        "commit": "a" * 40, "uncommitted_changes": False, "version": "1", "manager": "rules", "llm": "", "trials": 3,
        "seed": 0, "seed_plan": {"seed": 0}, "versions": dict(VERSIONS),
        "command": f"negotiate bench --policy {policy}",
        "suites": {"bad-cases": {"cases": 45, "digest": "y"}}, "times": {"finished": "2026-01-01"}, **parts,
    }  # fmt: skip
    entry = {"suites": {"bad-cases": {"clean_fix": figure}}, "faults": []}
    return BenchmarkFolder(Path("run"), {"policies": {policy: entry}, "provenance": provenance}, [])


def test_best_first_and_other_conditions_are_marked(tmp_path: Path) -> None:
    add_results(run_of("weak", 0.2), tmp_path)
    add_results(run_of("sb3:out/x", 0.7), tmp_path)
    add_results(run_of("old", 0.9, versions={"rules": 0}, times={"finished": "2025-01-01"}), tmp_path)
    assert (tmp_path / "sb3-out-x.json").exists()
    lines = table(read_results(tmp_path)).splitlines()
    assert [line.split("`")[1] for line in lines[2:5]] == ["old", "sb3:out/x", "weak"]
    assert ["†" in line for line in lines[2:5]] == [True, False, False]
    assert "70.0% [60.0, 80.0]" in lines[3]
    assert "not comparable" in lines[-1]


def test_the_best_few_are_brief(tmp_path: Path) -> None:
    for name, share in (("weak", 0.2), ("good", 0.7), ("best", 0.9)):
        add_results(run_of(name, share), tmp_path)
    results = read_results(tmp_path)
    few = with_table(f"{BEGIN.replace('leaderboard:', 'leaderboard, best 2:')}\n{END}", results)
    assert "`best`" in few and "`good`" in few and "`weak`" not in few and "negotiate bench" not in few
    assert len(few.splitlines()[1].split("|")) < len(table(results).splitlines()[0].split("|"))
    assert with_table(few, results) == few


def test_results_of_another_version_say_so(tmp_path: Path) -> None:
    add_results(run_of("old", 0.9, versions={**VERSIONS, "reader": 0}), tmp_path)
    assert "before changes of reader: today's" in table(read_results(tmp_path))


@pytest.mark.parametrize("parts", [{"commit": None}, {"uncommitted_changes": True}])
def test_figures_that_nobody_can_make_again_are_not_shipped(
    tmp_path: Path, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("weak", 0.2, **parts)
    add_results(run, tmp_path)
    told = "version 1" if parts.get("commit", "") is None else "`aaaaaaaaa+`"
    assert told in table(read_results(tmp_path))
    monkeypatch.setattr("benchmarks.comparison.leaderboard.RESULTS", tmp_path)
    with pytest.raises(UsageError, match="committed"):
        add_results(run, tmp_path)


def test_the_command_writes_into_a_folder_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = sorted(RESULTS.iterdir())
    monkeypatch.setattr("benchmarks.comparison.run_folders.read_run", lambda folder: run_of("mine", 0.99))
    monkeypatch.chdir(tmp_path)
    added = CliRunner().invoke(app, ["report", "leaderboard", "--add", "out/run"])
    assert added.exit_code == 0, added.output
    assert (tmp_path / "leaderboard" / "mine.json").is_file()
    assert "`mine`" in added.output and "`intent-driven`" in added.output
    elsewhere = CliRunner().invoke(app, ["report", "leaderboard", "--add", "out/run", "--results", "others"])
    assert elsewhere.exit_code == 0 and (tmp_path / "others" / "mine.json").is_file()
    assert sorted(RESULTS.iterdir()) == shipped


def test_a_users_result_stands_for_a_shipped_policys() -> None:
    shipped = read_results()
    assert len(read_results(RESULTS, RESULTS)) == len(shipped)


def test_the_table_stands_between_its_markers(tmp_path: Path) -> None:
    add_results(run_of("weak", 0.2), tmp_path)
    results = read_results(tmp_path)
    text = with_table(f"before\n{BEGIN}\nstale\n{END}\nafter\n", results)
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "stale" not in text
    assert with_table(text, results) == text
    with pytest.raises(UsageError, match="add them"):
        with_table("no markers", results)


def test_a_file_that_is_no_result_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"policy": "x"}))
    with pytest.raises(DataFileError, match=r"x\.json"):
        read_results(tmp_path)
