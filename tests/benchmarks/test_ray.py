"""Runs on Ray's actors leave the files of a local run, whatever the number of actors, and when one is lost."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases, online
from negotiation_env.errors import UsageError
from negotiation_env.play.records import read_episodes
from negotiation_env.play.workers import WorkerLostError, actors_or_here
from tests.benchmarks.playing import deadly

ray = pytest.importorskip("ray", reason="needs the ray extra: pip install 'negotiation-env[ray]'")

LOST = "tests.benchmarks.playing:LostOnce"
FEW = CaseSuite("few", tuple(bad_cases())[:6])
LIVE = CaseSuite("live", tuple(online())[:8])
MOST = 4
"""Actors."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, started once for all tests of this file."""
    ray.init(
        address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        num_cpus=MOST, object_store_memory=80 << 20,
        _system_config={"worker_niceness": 0},  # else other tests' processes would starve the actors
    )  # fmt: skip
    yield
    ray.shutdown()


def run(out: Path, **settings: Any) -> dict[str, Any]:
    """A run's files, but for the times."""
    arguments: dict[str, Any] = {"policies": ["heuristic"], "suites": [FEW, LIVE], "batch": 4, **settings}
    run_benchmark(out=out, progress=False, **arguments)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["provenance"].pop("times")["seconds"] >= 0
    page = re.sub('<th scope="row">times.*?</tr>', "", (out / "report.html").read_text(encoding="utf-8"), flags=re.S)
    lines = {name: (out / name).read_bytes() for name in ("episodes.jsonl", "scores.jsonl", "run.json")}
    return {**lines, "report.json": report, "report.html": page}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("local"))


@pytest.mark.parametrize(
    "actors", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(MOST, marks=pytest.mark.slow)]
)
def test_actors_leave_the_files_of_a_local_run(
    tmp_path: Path, cluster: None, local: dict[str, Any], actors: int
) -> None:
    assert run(tmp_path, ray="local", workers=actors) == local


def test_a_killed_actor_loses_nothing_and_nothing_is_played_twice(
    tmp_path: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(tmp_path / "ray", policies=[LOST], ray="local", workers=2)
    assert int((tmp_path / "lost").read_text(encoding="utf-8")) != os.getpid()
    names = [episode.scenario_id for episode in read_episodes(tmp_path / "ray" / "episodes.jsonl")]
    assert len(names) == len(set(names)) == len(FEW) + len(LIVE)
    assert found == run(tmp_path / "local", policies=[LOST])


@pytest.mark.slow
def test_work_that_kills_every_actor_ends_with_an_error(cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("negotiation_env.play.ray_workers.TRIES", 1)
    found = []
    with (
        pytest.raises(WorkerLostError, match="2 were lost over the same work"),
        actors_or_here(dict, "local", 1) as one,
    ):
        for place, result in one.run(deadly, [0, 1]):
            found.append((place, result))
    assert found[0] == (0, 0) and set(found) <= {(0, 0), (1, 1)}  # what came before the kill may have been on its way


@pytest.mark.slow
def test_language_models_speak_on_actors_as_they_do_here(tmp_path: Path, cluster: None) -> None:
    pytest.importorskip("torch")
    live = CaseSuite("live", tuple(replace(case, max_turns=2) for case in LIVE.cases[:4]))
    voiced = {"policies": ["base:tiny", "sft:tiny"], "suites": [live], "batch": 2, "manager": "llm", "llm": "tiny"}
    assert run(tmp_path / "ray", ray="local", workers=2, **voiced) == run(tmp_path / "local", **voiced)


def test_training_on_actors_ends_with_the_weights_of_a_local_run(
    tmp_path: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in ("peft", "tensorboard", "matplotlib"):
        pytest.importorskip(needed)
    loop = importlib.import_module("policies.training.on_policy.loop")
    monkeypatch.setattr(loop, "draw", lambda *_: None)
    small = importlib.import_module("tests.policies.on_policy.conftest")
    small.write_base(tmp_path / "base")
    preset = small.settings(
        tmp_path / "base", dialogues=12, replies=40, held_out=9
    )  # a round and a measurement of two parts
    places = {"local": None, "ray": "local"}
    for name, ray_address in places.items():
        loop.train("repo", preset, tmp_path / name, show=False, ray=ray_address, workers=2)
    files = [{p.relative_to(tmp_path / n): p for p in (tmp_path / n).rglob("*.safetensors")} for n in places]
    assert files[0].keys() == files[1].keys()
    assert all(path.read_bytes() == files[1][name].read_bytes() for name, path in files[0].items())
    rows = [(tmp_path / n / "metrics.jsonl").read_text(encoding="utf-8").splitlines() for n in places]
    figures = [
        [{k: v for k, v in json.loads(line).items() if not k.startswith(("seconds", "peak"))} for line in found]
        for found in rows
    ]
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_studies_play_on_actors(cluster: None) -> None:
    swap, gaming = (importlib.import_module(f"benchmarks.studies.{name}") for name in ("manager_swap", "gaming"))
    tables = [swap.play_swaps(["random", "heuristic"], ["rules", "demanding:1"], 4, ray=r) for r in (None, "local")]
    assert repr(tables[0]) == repr(tables[1])
    gains = [gaming.measure("repo", "heuristic", 4, ["empty", "flattery"], r, 2) for r in (None, "local")]
    assert gains[0] == gains[1]


@pytest.mark.slow
def test_runs_of_a_comparison_are_done_on_actors(tmp_path: Path, cluster: None) -> None:
    pytest.importorskip("peft")
    methods = importlib.import_module("benchmarks.studies.methods.work")
    runs = importlib.import_module("benchmarks.studies.methods.runs")
    broken = runs.Run(runs.METHODS[0], 0, tmp_path / "broken", "tiny", {"base": str(tmp_path / "nowhere")})
    task = methods.RunTask(broken, methods.Evaluation(1, 1, 2, 1))
    (ended,) = methods.on_actors([task], "local", 1)
    assert ended.task == task and "nowhere" in ended.error and "log.txt" in ended.error


def test_what_an_actor_cannot_open_is_told_as_it_is_here(tmp_path: Path, cluster: None) -> None:
    with pytest.raises(UsageError, match=r"got 'heuristics'\. Did you mean 'heuristic'"):
        run(tmp_path / "out", policies=["heuristics"], ray="local", workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [("127.0.0.1:{port}", "nothing answers"), ("ray://head:10001", "ray job submit"), ("head", "HOST:PORT")],
)
def test_an_address_without_a_cluster_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = address.format(port=free.getsockname()[1])
    began = time.monotonic()
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "out", ray=address)
    assert time.monotonic() - began < 20
    assert not (tmp_path / "out").exists()


def test_doctor_says_whether_ray_works(cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    works = CliRunner().invoke(app, ["doctor", "--ray", "local"])
    assert works.exit_code == 0 and "works" in works.output and "answered" in works.output, works.output
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    fails = CliRunner().invoke(app, ["doctor", "--ray", "127.0.0.1:9"])
    assert fails.exit_code == 1 and "nothing" in fails.output, fails.output


def test_what_listens_and_is_no_cluster_is_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr("negotiation_env.play.ray_workers.JOINED_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(UsageError, match=r"not answer as one within"):
        run(tmp_path / "out", ray=f"127.0.0.1:{deaf.getsockname()[1]}")


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "negotiation_env.play.ray_workers", raising=False)
    with pytest.raises(UsageError, match=r"'ray', which is not installed: pip install 'negotiation-env\[ray\]'"):
        run(tmp_path / "out", ray="local")


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    code = "from benchmarks.cli.main import main; main()"
    command = [sys.executable, "-c", code, "bench", "-p", "heuristic", "-s", "bad-cases", "--trials", "20"]
    started = subprocess.Popen(
        [*command, "--ray", "local", "--workers", "2", "--batch", "8", "-q", "-o", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while started.poll() is None and not (tmp_path / "episodes.jsonl").exists():
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)
    printed, _ = started.communicate(timeout=300)
    assert started.returncode == 130, printed
    assert "interrupted; what was finished is kept" in printed
    assert "Traceback" not in printed
    kept = len(list(read_episodes(tmp_path / "episodes.jsonl")))
    assert 0 < kept < 20 * len(bad_cases())
