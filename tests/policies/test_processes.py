"""Two gloo processes under ``accelerate launch`` are one process, but for rounding; a killed one is made good.

The launched processes run ``launched.py``, on the tiny base of 2.5 M parameters that is shipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("trl")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

import torch
from safetensors.torch import load_file

from negotiation_env.training.processes import ProcessGroup
from policies.training.on_policy.samples import Sample, SampledRound, token_batches
from policies.training.on_policy.shared_play import together
from policies.training.settings import LAUNCH_FILES
from tests.policies import launched

ROOT = Path(__file__).resolve().parents[2]


def launch(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    """Run a stage of ``launched.py`` in two processes."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(LAUNCH_FILES / "ddp_2cpu.yaml")]
    command += ["--main_process_port", "0", str(ROOT / "tests" / "policies" / "launched.py"), str(folder), stage]
    places = {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env={**os.environ, **places}, capture_output=True, text=True, timeout=1200)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes: each of ``launched.RUNS``, one with a process killed and gone on from, one divided."""
    folder = tmp_path_factory.mktemp("two")
    whole = launch(folder, "whole")
    assert whole.returncode != 0 and "SIGKILL" in whole.stderr, whole.stderr[-3000:]
    assert (folder / "killed" / "checkpoints" / "round-000002").is_dir(), whole.stderr[-3000:]
    after = launch(folder, "after")
    assert after.returncode == 0, after.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs in this process."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policies.training.on_policy.loop.draw", lambda *_: None)
        for name, run in launched.RUNS.items():
            run(folder / name, False)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The models' tensors that a run ends with, and the best one's."""
    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.rglob("*.safetensors")):
        if "optimizer" not in path.name:
            found |= {f"{path.relative_to(folder)}/{name}": tensor for name, tensor in load_file(path).items()}
    return found


def furthest(one: Path, other: Path) -> float:
    """The greatest difference between two runs' tensors."""
    a, b = weights(one), weights(other)
    assert a and a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", launched.RUNS)
def test_two_processes_end_with_the_weights_of_one(name: str, one: Path, two: Path) -> None:
    assert furthest(one / name, two / name) < 1e-5


@pytest.mark.parametrize("name", launched.RUNS)
def test_the_first_process_alone_writes(name: str, one: Path, two: Path) -> None:
    for ours, theirs in zip(rows(two / name), rows(one / name), strict=True):
        assert ours.keys() == theirs.keys() and ours["step"] == theirs["step"]
        for figure in ("policy_loss", "value_loss", "entropy", "credit", "samples", "held_out/total", "loss"):
            if name == "dpo" and figure == "entropy":
                continue  # TRL logs the mean of the processes' means, whose replies differ in length
            if theirs.get(figure) is None:
                assert ours.get(figure) is None
            else:
                assert ours.get(figure) == pytest.approx(theirs.get(figure), rel=1e-3, abs=1e-4)


def test_a_run_with_a_killed_process_goes_on_to_the_same_weights(two: Path) -> None:
    assert furthest(two / "repo", two / "killed") == 0.0
    assert furthest(two / "sft", two / "stopped") == 0.0


def test_a_base_divided_over_the_processes_ends_with_the_same_weights(one: Path, two: Path) -> None:
    assert furthest(one / "repo", two / "divided") < 1e-5


def sample(prompt: int, reply: int, dialogue: int = 0) -> Sample:
    return Sample(tuple(range(1, prompt + 1)), tuple(range(1, reply + 1)), (-1.0,) * reply, 0.5, dialogue, dialogue)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_sample_is_in_one_process_s_batches_and_all_have_as_many(count: int) -> None:
    samples = [sample(5 + 3 * i, 2 + i % 3, i) for i in range(5)]
    found = [list(token_batches(samples, 40, torch.device("cpu"), torch.float32, r, count)) for r in range(count)]
    assert len({len(batches) for batches in found}) == 1
    held = sorted(row for batches in found for batch in batches if len(batch.tokens) for row in batch.rows)
    assert held == list(range(5))
    blank = [batch for batches in found for batch in batches if not len(batch.tokens)]
    assert all(not batch.mask.any() and batch.mask.shape == (1, 1) for batch in blank)


def test_parts_of_a_round_are_joined_in_order() -> None:
    parts = [SampledRound([sample(3, 1, i)], [], 3, 1, 1, 0, []) for i in range(3)]
    whole = together(parts)
    assert [s.dialogue for s in whole.samples] == [0, 1, 2]
    assert (whole.sampled, whole.unscored, whole.faults, whole.empty) == (9, 3, 3, 0)


def test_a_process_alone_has_everything_and_waits_for_nobody() -> None:
    alone = ProcessGroup()
    tensor = torch.ones(2)
    alone.add_up([tensor])
    alone.wait()
    assert alone.is_main and not alone.sharded and list(alone.share([1, 2, 3])) == [1, 2, 3]
    assert alone.gather("x") == ["x"] and alone.on_main(lambda: 5) == 5 and tensor.tolist() == [1.0, 1.0]


def test_an_engine_of_its_own_that_takes_the_weights_samples_the_same(one: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policies.training.on_policy.loop.draw", lambda *_: None)
        launched.on_policy("repo", tmp_path, rollout="hf")
    assert furthest(one / "repo", tmp_path) == 0.0
    assert not (tmp_path / "rollout").exists()


@pytest.mark.parametrize(("name", "processes", "kind"), [("ddp_2cpu", 2, "MULTI_GPU"), ("fsdp_8gpu", 8, "FSDP")])
def test_the_shipped_launch_files_are_accelerate_s(name: str, processes: int, kind: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config: Any = load_config_from_file(str(LAUNCH_FILES / f"{name}.yaml"))
    assert config.num_processes == processes and config.distributed_type.value == kind
    assert kind != "FSDP" or config.fsdp_config["fsdp_version"] == 2
