"""Runs are compared on what both played, and not at all where they were made under other conditions."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.comparison.flips import Flip
from benchmarks.comparison.run_folders import NotComparableError, compare_runs, read_run
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.play.records import read_episodes

FEW = CaseSuite("few", tuple(bad_cases())[::6])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small runs: two policies apart, both together, and one policy with other draws."""
    top = tmp_path_factory.mktemp("runs")
    wanted: dict[str, dict[str, Any]] = {
        "random": {"policies": ["random"], "trials": 2},
        "heuristic": {"policies": ["heuristic"], "trials": 2},
        "both": {"policies": ["heuristic", "random"]},
        "seeded": {"policies": ["random"], "seed": 7},
    }
    for name, settings in wanted.items():
        run_benchmark(suites=[FEW], out=top / name, progress=False, **settings)
    return {name: top / name for name in wanted}


def changed(path: Path, to: Path, **parts: Any) -> Path:
    """Copy a run with other provenance."""
    to.mkdir()
    report = json.loads((path / "report.json").read_text())
    report["provenance"].update(parts)
    (to / "report.json").write_text(json.dumps(report))
    (to / "scores.jsonl").write_bytes((path / "scores.jsonl").read_bytes())
    return to


def test_a_run_compared_with_itself_shows_no_difference(runs: dict[str, Path]) -> None:
    found = compare_runs(read_run(runs["both"]), read_run(runs["both"]))
    assert {(row["first"], row["second"]) for row in found.rows} == {(n, n) for n in ("heuristic", "random")}
    assert all(row["value"] == 0 and row["p"] == 1.0 for row in found.rows)
    assert found.obstacles == found.notes == []


def test_two_runs_say_what_one_run_of_both_says(runs: dict[str, Path]) -> None:
    apart = compare_runs(read_run(runs["heuristic"]), read_run(runs["random"]))
    assert apart.rows[0]["first"] == "heuristic"
    one = {row["metric"]: row for row in read_run(runs["both"]).report["tests"]}
    # "both" has one trial, so the trials in common with it are one as well.
    mixed = compare_runs(read_run(runs["both"]), read_run(runs["random"]), policy_a="heuristic", policy_b="random")
    assert any("trials" in note for note in mixed.notes)
    for row in mixed.rows:
        assert row["value"] == pytest.approx(one[row["metric"]]["value"], abs=1e-5)
        assert row["p"] == pytest.approx(one[row["metric"]]["p"], abs=1e-5)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"version": "9.9"}, "version of negotiation-env"),
        ({"manager": "llm"}, "manager: rules and llm"),
        ({"readers": {"heuristic": "encoder 1"}}, "reader of heuristic"),
        ({"versions": {"rules": 0}}, "rules"),
        ({"suites": {"few": {"cases": 8, "digest": "other"}}}, "content of suite few"),
        ({"suites": {"other": {}}}, "no suite in common"),
        ({"seed_plan": {"seed": 7}}, "seed plan"),
    ],
)
def test_other_conditions_are_refused_unless_forced_and_then_marked(
    runs: dict[str, Path], tmp_path: Path, parts: dict[str, Any], words: str
) -> None:
    first, second = read_run(runs["both"]), read_run(changed(runs["both"], tmp_path / "other", **parts))
    with pytest.raises(NotComparableError, match=words):
        compare_runs(first, second)
    forced = compare_runs(first, second, force=True)
    assert not forced.to_json()["comparable"]
    assert words in forced.obstacles[0]
    assert forced.rows


def test_another_commit_is_told_and_no_obstacle(runs: dict[str, Path], tmp_path: Path) -> None:
    other = read_run(changed(runs["both"], tmp_path / "other", commit="0" * 40))
    found = compare_runs(read_run(runs["both"]), other)
    assert found.to_json()["comparable"]
    assert found.notes[0].startswith("commit")


def test_another_seed_is_another_seed_plan(runs: dict[str, Path]) -> None:
    with pytest.raises(NotComparableError, match="seed plan"):
        compare_runs(read_run(runs["random"]), read_run(runs["seeded"]))


def test_wrong_names_and_folders_are_told(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'heuristic'"):
        compare_runs(read_run(runs["both"]), read_run(runs["both"]), policy_a="heuristics")
    with pytest.raises(DataFileError, match="folder"):
        read_run(tmp_path)


def test_the_command_prints_refuses_and_writes(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "comparison.json"
    done = CliRunner().invoke(
        app, ["report", "compare", str(runs["heuristic"]), str(runs["random"]), "-o", str(out)], env={"COLUMNS": "160"}
    )
    assert done.exit_code == 0, done.output
    assert "random - heuristic" in done.output
    assert "McNemar" not in done.output  # two trials
    assert json.loads(out.read_text())["comparable"]
    refused = CliRunner().invoke(app, ["report", "compare", str(runs["random"]), str(runs["seeded"])])
    assert refused.exit_code == 2
    assert "not comparable" in refused.stderr or "comparable runs" in refused.stderr
    forced = CliRunner().invoke(app, ["report", "compare", str(runs["random"]), str(runs["seeded"]), "--force"])
    assert forced.exit_code == 0
    assert "NOT COMPARABLE" in forced.output


def test_the_design_of_a_run_with_trials(runs: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["report", "design", str(runs["random"])], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "scenario" in done.output
    assert "more cases" in done.output or "0.05:" in done.output
    alone = CliRunner().invoke(app, ["report", "design", str(runs["both"])])
    assert alone.exit_code == 2
    assert "--trials 3" in alone.stderr


def test_the_cases_that_flipped_are_told_with_the_check_and_the_words(runs: dict[str, Path]) -> None:
    both = read_run(runs["both"])
    found = compare_runs(both, both, policy_a="heuristic", policy_b="random").flips
    fixed = [{r["id"]: r["fixed"] for r in both.report["policies"][n]["cases"]} for n in ("heuristic", "random")]
    assert found
    assert {flip.case for flip in found} == {case for case in fixed[0] if fixed[0][case] != fixed[1][case]}
    assert all(flip.fixed is fixed[1][flip.case] for flip in found)
    assert [flip.fixed for flip in found] == sorted(flip.fixed for flip in found)
    spoken = {turn.text for e in read_episodes(runs["both"] / "episodes.jsonl") for turn in e.turns}
    assert all(flip.failed and flip.title for flip in found)
    assert all(flip.words.rstrip("…") in " ".join(spoken) for flip in found)
    back = compare_runs(both, both, policy_a="random", policy_b="heuristic").flips
    assert {(flip.case, flip.words) for flip in back} == {(flip.case, flip.words) for flip in found}
    assert compare_runs(both, both).flips == []


def test_what_failed_for_another_reason_does_not_flip(runs: dict[str, Path], tmp_path: Path) -> None:
    other = changed(runs["both"], tmp_path / "other")
    report = json.loads((other / "report.json").read_text())
    for record in report["policies"]["random"]["cases"]:
        record["fault"] = "no connection"
    (other / "report.json").write_text(json.dumps(report))

    def flipped() -> list[Flip]:
        return compare_runs(read_run(runs["both"]), read_run(other), policy_a="heuristic", policy_b="random").flips

    assert flipped() == []
    report["policies"]["random"]["withheld"] = True
    for record in report["policies"]["random"]["cases"]:
        del record["fault"]
    (other / "report.json").write_text(json.dumps(report))
    assert flipped() == []


def test_a_report_from_before_words_were_kept_is_compared(runs: dict[str, Path], tmp_path: Path) -> None:
    other = changed(runs["both"], tmp_path / "other")
    report = json.loads((other / "report.json").read_text())
    for record in (r for own in report["policies"].values() for r in own["cases"]):
        del record["title"]
        record["failed"] = [{"check": f["check"], "finding": f["finding"]} for f in record["failed"]]
    (other / "report.json").write_text(json.dumps(report))
    found = compare_runs(read_run(runs["both"]), read_run(other), policy_a="heuristic", policy_b="random").flips
    assert found and all(flip.failed for flip in found)


def test_the_page_of_a_comparison_links_to_both_transcripts(runs: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "deep/compare.html"
    words = ["report", "compare", str(runs["heuristic"]), str(runs["random"]), "--page", str(page)]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "by the first alone" in done.output
    assert done.output.rstrip().splitlines()[-1] == f"Page: {page}"
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'href="([^"#]+)#case=([^"&]+)&amp;policy=([^"]+)"', text)
    assert {(page.parent / place).resolve() for place, _, _ in links} == {
        (runs[name] / "report.html").resolve() for name in ("heuristic", "random")
    }
    assert {policy for _, _, policy in links} == {"heuristic", "random"}
    assert "<script" not in text and "default-src 'none'" in text
    shown = read_run(runs["heuristic"])
    assert all(
        unquote(case) in {r["id"] for r in shown.report["policies"]["heuristic"]["cases"]} for _, case, _ in links
    )


def test_no_score_tells_a_floor(runs: dict[str, Path]) -> None:
    assert "surplus_share" not in (runs["both"] / "scores.jsonl").read_text()
