"""A queue of runs that goes on after any stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.cli.queue import read_queue, resumed, run_queue
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import as_toml
from tests.policies.tiny_models import save_tiny_model, table, write_sft


def _queue(path: Path, *commands: str) -> Path:
    path.write_text("".join(f"[[run]]\ncommand = {json.dumps(command)}\n" for command in commands), encoding="utf-8")
    return path


def test_finished_runs_are_not_run_again_and_a_failed_one_stops_no_other(tmp_path: Path) -> None:
    wrong = f"data describe {tmp_path / 'nothing.jsonl'}"
    good = f"data sft --n 20 --out {tmp_path / 'sft.jsonl'}"
    queue, told = _queue(tmp_path / "runs.toml", wrong, good), list[str]()
    assert run_queue(queue, False, told.append) == [wrong]
    assert len((tmp_path / "sft.jsonl").read_text().splitlines()) == 20
    assert [line.split("]")[0] for line in told] == ["[1/2", "[1/2", "[2/2", "[2/2"]
    (tmp_path / "sft.jsonl").unlink()
    with pytest.raises(UsageError, match="pass --resume"):
        run_queue(queue, False, told.append)
    assert run_queue(queue, True, told.append) == [wrong] and not (tmp_path / "sft.jsonl").exists()


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        (("negotiate train repo --out x",), "as they are typed behind negotiate"),
        (("train --queue other.toml",), "as they are typed"),
        (("train repo --out x", "train repo --out x"), "give runs their own --out"),
    ],
)
def test_a_wrong_queue_is_told_before_anything_runs(commands: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        read_queue(_queue(tmp_path / "runs.toml", *commands))
    (tmp_path / "runs.toml").write_text("[[run]]\ncomand = 'train repo'\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="comand"):
        read_queue(tmp_path / "runs.toml")


def test_only_a_training_that_can_go_on_is_told_to() -> None:
    assert resumed(["train", "repo", "--out", "x"])[-1] == "--resume"
    assert resumed(["train", "repo", "--resume", "--out", "x"]).count("--resume") == 1
    for words in (["train", "sb3", "--out", "x"], ["bench", "--policy", "repo"]):
        assert resumed(words) == words


def test_a_killed_queue_leaves_nothing_running_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    out, preset = tmp_path / "run", tmp_path / "sft.toml"
    base, data = save_tiny_model(tmp_path / "base"), write_sft(tmp_path / "sft.jsonl")
    settings = table(base, epochs=40, measure_every=2)
    preset.write_text("".join(f"{name} = {as_toml(value)}\n" for name, value in settings.items()), encoding="utf-8")
    first = f"data sft --n 20 --out {tmp_path / 'first.jsonl'}"
    queue = _queue(tmp_path / "runs.toml", first, f"train sft --preset {preset} --data {data} --out {out}")
    words = [sys.executable, "-c", "from benchmarks.cli.main import app; app()", "train", "--queue", str(queue)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: any((out / "checkpoints").glob("*")), running)
    running.send_signal(signal.SIGKILL)
    running.wait()
    _wait(lambda: not _working_on(str(out)), None)
    assert not (out / "adapter_model.safetensors").exists()
    (tmp_path / "first.jsonl").unlink()
    subprocess.run([*words, "--resume"], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert (out / "adapter_model.safetensors").exists() and not (tmp_path / "first.jsonl").exists()
    done = [json.loads(line)["command"] for line in (tmp_path / "runs.done.jsonl").read_text().splitlines()]
    assert done == read_queue(queue)


def _wait(until: Callable[[], bool], running: subprocess.Popen[bytes] | None) -> None:
    for _ in range(1200):
        if until():
            return
        assert running is None or running.poll() is None
        time.sleep(0.1)
    raise AssertionError("expected it within two minutes")


def _working_on(out: str) -> list[str]:
    """Return the processes that a queue has started and that are still there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if any(out in str(link.readlink()) for link in (entry / "fd").iterdir()):
                found.append(entry.name)
        except OSError:
            continue
    return found
