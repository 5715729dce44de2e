"""A run writes its folder, goes on where it was stopped, and gives the same figures again."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.metrics.policy_metrics import METRICS
from benchmarks.report import Report
from benchmarks.runner.jobs import RunPlan, jobs_of
from benchmarks.runner.provenance import VERSIONS, suite_digest
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases, online
from negotiation_env.errors import UsageError
from negotiation_env.language.reading import reader_label
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play import registry
from negotiation_env.play.records import read_episodes, write_episodes
from simulators.managers.replay_manager import ReplayManager, ScriptLine
from tests.benchmarks import playing
from tests.benchmarks.playing import ScoredByLength
from tests.play.readers import HearsGreetings

POLITE, BREAKING = "tests.benchmarks.playing:Polite", "tests.benchmarks.playing:Breaking"
FEW = CaseSuite("few", tuple(bad_cases())[:6])
LINES = (ScriptLine("Hello."), ScriptLine("I can do 95% of that."), ScriptLine("No more."))


class SamePlay(ReplayManager):
    """A live manager for tests: it says the same lines to everybody."""

    def __init__(self) -> None:
        super().__init__({case.id: LINES for case in online()})

    def start(self, scenario: Any, persona: object | None = None) -> Any:
        name = scenario.id.partition("/")[2].partition("#")[0]
        return super().start(replace(scenario, id=name))


@pytest.fixture(autouse=True)
def light_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    monkeypatch.setattr(registry, "load_manager", lambda spec, llm="": SamePlay())


def run(out: Path, **settings: Any) -> Report:
    arguments: dict[str, Any] = {"policies": [POLITE], "suites": [FEW], "progress": False, **settings}
    return run_benchmark(out=out, **arguments)


def files(out: Path) -> dict[str, Any]:
    """A run's files but for times and the page, which shows them."""
    rest = {name: (out / name).read_bytes() for name in ("episodes.jsonl", "scores.jsonl", "run.json")}
    return {**rest, "report.json": without_times(out / "report.json")}


def without_times(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert data["provenance"].pop("times")["seconds"] >= 0
    return data


def test_report_json_holds_every_figure_with_its_interval(tmp_path: Path) -> None:
    run(tmp_path, suites=[FEW, "online"], policies=[POLITE, BREAKING])
    data = without_times(tmp_path / "report.json")
    assert set(data["policies"]) == {POLITE, BREAKING}
    for policy in data["policies"].values():
        assert set(policy["metrics"]) == {name for name in METRICS if not name.startswith("pass_")}  # one trial
        assert set(policy["suites"]) == {"few", "online"}
        for figure in policy["metrics"].values():
            assert set(figure) == {"value", "low", "high", "n"}
            if figure["low"] is not None:
                assert figure["low"] <= figure["value"] <= figure["high"]
    assert data["provenance"].keys() >= {"command", "version", "commit", "platform", "seed", "manager", "suites"}


def test_no_floor_is_written(tmp_path: Path) -> None:
    marked = tuple(
        replace(case, scenario=replace(case.scenario, brief=replace(case.scenario.brief, floors=(137,))))
        for case in list(online())
        if len(case.scenario.card.tickets) == 1
    )
    run(tmp_path, suites=[CaseSuite("online", marked)])
    for file in tmp_path.iterdir():
        text = file.read_text(encoding="utf-8")
        assert '"floors"' not in text
        assert not any(f"{before}137{after}" in text for before in " :" for after in ",}")


def test_a_persona_answers_every_live_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: set[object] = set()

    class Meeting(SamePlay):
        def start(self, scenario: Any, persona: object | None = None) -> Any:
            met.add(persona)
            return super().start(scenario, persona)

    monkeypatch.setattr(registry, "load_manager", lambda spec, llm="": Meeting())
    report = run(tmp_path, suites=["online", FEW], persona="silent-type")
    assert met == {"silent-type"}
    assert "--persona silent-type" in report.data["provenance"]["command"]
    with pytest.raises(UsageError, match="silent-type"):
        run(tmp_path, suites=["online", FEW], persona="silent-typ")


def test_a_rerun_plays_nothing_and_says_the_same(tmp_path: Path) -> None:
    run(tmp_path)
    episodes, report = (tmp_path / "episodes.jsonl").read_bytes(), without_times(tmp_path / "report.json")
    again = run(tmp_path)
    assert again.data["provenance"]["times"]["episodes_played_now"] == 0
    assert (tmp_path / "episodes.jsonl").read_bytes() == episodes
    assert without_times(tmp_path / "report.json") == report


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole)
    run(cut)
    lines = (cut / "episodes.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    half = "".join(lines[:2]) + lines[2][: len(lines[2]) // 2]
    (cut / "episodes.jsonl").write_text(half, encoding="utf-8")
    again = run(cut)
    assert again.data["provenance"]["times"]["episodes_played_now"] == len(FEW) - 2
    assert files(cut) == files(whole)


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole)

    def stop_after_two(path: Path, episodes: Any, append: bool = False) -> None:
        write_episodes(path, episodes, append)
        if path.read_bytes().count(b"\n") == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.runner.run.write_episodes", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        run(cut)
    monkeypatch.setattr("benchmarks.runner.run.write_episodes", write_episodes)
    assert run(cut).data["provenance"]["times"]["episodes_played_now"] == len(FEW) - 2
    assert files(cut) == files(whole)


def test_more_trials_and_policies_add_to_a_folder(tmp_path: Path) -> None:
    run(tmp_path)
    more = run(tmp_path, policies=[POLITE, BREAKING], trials=2)
    assert more.data["provenance"]["times"]["episodes_played_now"] == 3 * len(FEW)
    figure = more.figure(POLITE, "fixed")
    assert figure is not None
    assert figure.n == 2 * len(FEW)
    seeds = {episode.seed for episode in read_episodes(tmp_path / "episodes.jsonl")}
    assert len(seeds) == 2 * len(FEW)


def test_an_edited_script_is_played_again(tmp_path: Path) -> None:
    run(tmp_path)
    first = FEW.cases[0]
    assert first.script is not None
    edited = replace(first, script=(ScriptLine("Good day to you."), *first.script[1:]))
    again = run(tmp_path, suites=[CaseSuite("few", (edited, *FEW.cases[1:]))])
    assert again.data["provenance"]["times"]["episodes_played_now"] == 1


def test_faults_are_recorded_and_only_they_are_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = run(tmp_path, policies=[BREAKING])
    faults = broken.data["policies"][BREAKING]["faults"]
    assert 0 < len(faults) < len(FEW)
    assert faults[0]["fault"] == "engine lost"
    fixed, share = broken.figure(BREAKING, "fixed"), broken.figure(BREAKING, "fault_share")
    assert fixed is not None
    assert share is not None
    assert fixed.n == len(FEW) - len(faults)
    assert share.value == pytest.approx(len(faults) / len(FEW), abs=1e-6)
    monkeypatch.setattr(playing.Breaking, "broken", False)
    again = run(tmp_path, policies=[BREAKING])
    assert again.data["provenance"]["times"]["episodes_played_now"] == len(faults)
    assert again.data["policies"][BREAKING]["faults"] == []


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UsageError, match="another --out"):
        run(tmp_path, seed=5)
    with pytest.raises(UsageError, match="another --out"):
        run(tmp_path, reader="rules")


def test_a_folder_from_before_there_were_readers_is_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path)
    settings = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    del settings["reader"]
    (tmp_path / "run.json").write_text(json.dumps(settings), encoding="utf-8")
    assert run(tmp_path).data["provenance"]["times"]["episodes_played_now"] == 0


def test_each_policy_s_reader_is_told_and_another_one_s_episodes_are_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "suited_reader", lambda policy: "rules")
    before = run(tmp_path, policies=[POLITE, "random"])
    assert before.data["provenance"]["readers"] == dict.fromkeys([POLITE, "random"], reader_label(RULES))
    monkeypatch.setattr(registry, "suited_reader", lambda policy: "rules" if policy.name == "random" else "greetings")
    monkeypatch.setattr(registry, "load_reader", {"rules": RULES, "greetings": HearsGreetings()}.__getitem__)
    after = run(tmp_path, policies=[POLITE, "random"])
    assert after.data["provenance"]["readers"] == {POLITE: "greetings 7", "random": reader_label(RULES)}
    assert after.data["provenance"]["times"]["episodes_played_now"] == len(FEW)
    for episode in read_episodes(tmp_path / "episodes.jsonl"):
        assert episode.versions["reader"] == after.data["provenance"]["readers"][episode.policy]


@pytest.mark.parametrize(
    "wrong",
    [
        {"policies": []},
        {"policies": [POLITE, POLITE]},
        {"suites": []},
        {"suites": [FEW, FEW]},
        {"trials": 0},
        {"seed": -1},
        {"workers": 0},
        {"batch": 0},
        {"crossed": True},
        {"suites": ["ab:10"]},
        {"suites": ["ab:10"], "policies": [POLITE, BREAKING], "trials": 2},
    ],
)
def test_wrong_calls_say_so_before_anything_is_played(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        run(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_workers_make_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("benchmarks.runner.run.WORTH_SPAWNING", 1)
    live = CaseSuite("live", tuple(online())[:8])
    for workers in (1, 2):
        run(tmp_path / str(workers), policies=["random"], suites=[FEW, live], workers=workers, batch=5)
    assert files(tmp_path / "2") == files(tmp_path / "1")


def test_draws_vary_together_or_apart() -> None:
    suites, case = {"few": FEW}, FEW.cases[0]
    plain, crossed = (jobs_of([POLITE], suites, RunPlan(0, 2, c)) for c in (False, True))
    assert [job.draws for job in plain if job.scenario == f"few/{case.id}"] == [(0, 0), (1, 1)]
    cells = {job.draws: job for job in crossed if job.scenario == f"few/{case.id}"}
    assert cells.keys() == {(p, s) for p in (0, 1) for s in (0, 1)}
    # Equal draws are the plain trials: a crossed run goes on from a plain one.
    assert {job.key for job in plain} < {job.key for job in crossed}
    for policy in (0, 1):
        for simulator in (0, 1):
            job = cells[policy, simulator]
            assert job.case.scenario.seed == cells[simulator, simulator].case.scenario.seed
            assert (job.policy_seed or job.case.scenario.seed) == cells[policy, policy].case.scenario.seed
    assert cells[0, 0].case.scenario.seed == case.scenario.seed
    assert len({job.key for job in crossed}) == 4 * len(FEW)


def test_a_crossed_run_splits_the_variance(tmp_path: Path) -> None:
    report = run(tmp_path, policies=["random"], suites=["online"], trials=2, crossed=True)
    row = report.data["noise"]["random"]["reward_total"]
    assert row["variance"].keys() == {"scenario", "policy", "simulator", "both"}
    assert row["trials"] == 4
    assert sum(part["share"] for part in row["variance"].values()) == pytest.approx(1.0, abs=1e-4)
    # The manager of these tests says the same whatever it draws.
    assert row["variance"]["simulator"]["variance"] == pytest.approx(0.0, abs=1e-9)


def test_other_policies_are_compared_with_the_first(tmp_path: Path) -> None:
    report = run(tmp_path, policies=[POLITE, "random"], trials=2)
    tests = report.data["tests"]
    assert {(t["first"], t["second"]) for t in tests} == {(POLITE, "random")}
    fixed = next(t for t in tests if t["metric"] == "fixed")
    first, second = report.figure(POLITE, "fixed"), report.figure("random", "fixed")
    assert first is not None
    assert second is not None
    assert fixed["value"] == pytest.approx((second.value or 0.0) - (first.value or 0.0), abs=1e-5)
    assert fixed["n"] == len(FEW)
    assert all(t["p"] <= t["p_holm"] <= 1.0 for t in tests)
    assert not any(t["metric"].startswith(("alpha", "pass_")) for t in tests)


def test_provenance_names_what_decides_the_figures(tmp_path: Path) -> None:
    record = run(tmp_path, seed=3).data["provenance"]
    assert (
        record["command"]
        == f"negotiate bench --policy {POLITE} --suite few --manager rules --trials 1 --seed 3 --out DIR"
    )
    assert record["versions"] == VERSIONS
    assert record["suites"]["few"]["cases"] == len(FEW)
    assert record["packages"]["numpy"]
    edited = replace(FEW.cases[0], severity="minor" if FEW.cases[0].severity == "severe" else "severe")
    assert suite_digest(CaseSuite("few", (edited, *FEW.cases[1:]))) != record["suites"]["few"]["digest"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_go_when_the_run_is_killed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from benchmarks.cli.main import main; main()",
        "bench",
        "-p",
        "random",
        "-s",
        "bad-cases",
        "--trials",
        "5",
    ]
    run = subprocess.Popen([*command, "--workers", "2", "-q", "-o", str(tmp_path)], stdout=subprocess.DEVNULL)
    episodes = tmp_path / "episodes.jsonl"
    while not episodes.exists():
        time.sleep(0.1)
    workers = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    run.kill()
    run.wait()
    time.sleep(3)
    assert workers
    lines = [Path(f"/proc/{pid}/cmdline") for pid in workers]
    assert not any("spawn_main" in line.read_text() for line in lines if line.exists())
