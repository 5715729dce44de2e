"""Whole runs: what they write, that they learn, and that a kill at any moment changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

import torch
from safetensors.torch import load_file, save_file

from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardBreakdown
from negotiation_env.play.registry import load_reward
from negotiation_env.training.presets import read_preset
from negotiation_env.training.run_folder import MetricsLog, RunFolder, TrainingStoppedError
from policies.training.on_policy.loop import check_entropy, check_play, check_step, e_adds_to_model, train
from policies.training.on_policy.losses import value_loss
from policies.training.on_policy.methods import load_method
from policies.training.on_policy.samples import Sample, SampledRound
from policies.training.settings import PRESETS, OnPolicyPreset
from tests.policies.on_policy.conftest import settings

METHODS: dict[str, dict[str, Any]] = {
    "repo": {},
    "ppo": {"kl_weight": 0.1},
    "grpo": {"kl_weight": 0.1, "group_size": 3},
}
OF_A_METHOD = {"group_size", "kl_weight"}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors that a run ends with: the best policy, and the last checkpoint's models and optimiser."""
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        for name, tensor in load_file(path).items():
            found[f"{path.relative_to(folder)}/{name}"] = tensor
    return found


def same(one: Path, other: Path) -> bool:
    """Whether two runs end with the same tensors, bit by bit."""
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the picture out where it is not what is tested: drawing takes longer than a short run."""
    if "picture" not in request.node.name:
        monkeypatch.setattr("policies.training.on_policy.loop.draw", lambda *_: None)


@pytest.fixture(scope="module")
def unbroken(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A REPO run that nothing disturbed."""
    return train("repo", settings(base), tmp_path_factory.mktemp("unbroken"), show=False)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_writes_adapter_card_metrics_and_picture(name: str, base: Path, tmp_path: Path) -> None:
    out = train(name, settings(base, **METHODS[name]), tmp_path, show=False, command="negotiate train")
    start = load_file(next(tmp_path.glob("checkpoints/*/start/adapter_model.safetensors")))
    last = load_file(next(tmp_path.glob("checkpoints/*/policy/adapter_model.safetensors")))
    assert start.keys() == last.keys() and any(not torch.equal(start[key], last[key]) for key in start)
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    assert "negotiate train" in (out / "README.md").read_text(encoding="utf-8")
    assert (out / "learning_curve.png").read_bytes().startswith(b"\x89PNG") and any((out / "tensorboard").iterdir())
    measured = rows(out)
    assert measured[0]["replies"] == 0 and measured[-1]["replies"] >= 24
    needed = {"total", "model", "judge", "rules", "success", "kl_to_start", "entropy", "reply_tokens", "persuasion"}
    assert needed <= {key.removeprefix("held_out/") for key in measured[-1] if key.startswith("held_out/")}
    own = "held_out/total" if name == "repo" else "held_out/model"
    state = json.loads(next(tmp_path.glob("checkpoints/*/state.json")).read_text(encoding="utf-8"))
    assert state["best_reward"] == pytest.approx(max(row[own] for row in measured if own in row))
    assert abs(measured[1]["log_ratio"]) < 1e-4
    assert {"near_zero", "advantage_share_of_e"} <= set(measured[1])
    assert (measured[1]["advantage_share_of_e"] == 0.0) is (name != "repo")  # the others learn from R_model alone
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {f"round-{measured[-1]['step']:06d}"}
    assert ("value_loss" in measured[-1]) is (name != "grpo")


def test_a_group_may_be_compared_by_each_source_for_itself(base: Path, tmp_path: Path) -> None:
    out = train("grpo", settings(base, group_size=3, decoupled=True), tmp_path, show=False)
    assert "advantage_share_of_e" not in rows(out)[1]


@pytest.mark.parametrize(
    ("reward", "changed", "told"),
    [
        ("repo", {}, True),
        ("repo:formula=sum,without=judge", {}, True),
        ("repo:formula=hero", {}, False),
        ("repo:without=model", {}, False),
        ("repo", {"turn_discount": 0.5}, False),
        ("repo", {"decoupled": True}, False),
    ],
)
def test_the_share_of_e_is_told_where_it_adds_to_the_model(reward: str, changed: dict[str, Any], told: bool) -> None:
    preset = load_method("repo", "tiny").preset.model_copy(update=changed)
    assert e_adds_to_model(preset, load_reward(reward)) is told


def test_another_seed_gives_other_weights(unbroken: Path, base: Path, tmp_path: Path) -> None:
    assert not same(unbroken, train("repo", settings(base), tmp_path, ["seed=1"], show=False))


@pytest.mark.parametrize(
    ("where", "when"), [("before a file", 2), ("after the metrics", 1), ("before the old one goes", 1)]
)
def test_a_run_cut_off_anywhere_resumes_to_the_same_weights(
    where: str, when: int, unbroken: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def cut(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > when:
                raise KeyboardInterrupt
            return function(*args, **options)

        return wrapped

    with monkeypatch.context() as patch:
        if where == "before a file":
            patch.setattr("policies.training.on_policy.loop.save_file", cut(save_file))
        elif where == "after the metrics":
            patch.setattr(RunFolder, "save", cut(RunFolder.save))
        else:
            patch.setattr("negotiation_env.training.run_folder.rmtree", cut(lambda *_, **__: None))
        with pytest.raises(KeyboardInterrupt):
            train("repo", settings(base), tmp_path, show=False)
    train("repo", settings(base), tmp_path, resume=True, show=False)
    assert same(unbroken, tmp_path)
    clocks = {"seconds", "seconds_playing", "seconds_learning", "peak_memory_mb"}
    for ours, theirs in zip(rows(tmp_path), rows(unbroken), strict=True):
        assert {k: ours[k] for k in ours.keys() - clocks} == {k: theirs[k] for k in theirs.keys() - clocks}


def test_a_killed_process_resumes_to_the_same_weights(unbroken: Path, base: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; from policies.training.on_policy.loop import train; "
        "train('repo', json.loads(sys.argv[1]), Path(sys.argv[2]), show=False)"
    )
    # A budget without end: the kill always comes before it is used up.
    table = settings(base, replies=10**9)
    child = subprocess.Popen([sys.executable, "-c", code, json.dumps(table), str(tmp_path)], start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("checkpoints/round-00000[12]")):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    run = tmp_path / "run.json"
    run.write_text(run.read_text(encoding="utf-8").replace(str(10**9), "24"), encoding="utf-8")
    train("repo", settings(base), tmp_path, resume=True, show=False)
    assert same(unbroken, tmp_path)


def test_resuming_a_finished_run_changes_nothing(unbroken: Path, base: Path) -> None:
    before = weights(unbroken)
    train("repo", settings(base), unbroken, resume=True, show=False)
    after = weights(unbroken)
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_that_has_ended_goes_on_with_a_larger_budget(unbroken: Path, base: Path, tmp_path: Path) -> None:
    train("repo", settings(base, replies=1), tmp_path, show=False)
    assert len(rows(tmp_path)) < len(rows(unbroken))
    train("repo", settings(base), tmp_path, resume=True, show=False)
    trained = {name for name in weights(unbroken) if "checkpoints" in name and "/best/" not in name}
    assert trained and all(torch.equal(weights(unbroken)[name], weights(tmp_path)[name]) for name in trained)
    with pytest.raises(UsageError, match="replies"):
        train("repo", settings(base, replies=1), tmp_path, resume=True, show=False)


def test_another_runs_folder_is_refused(unbroken: Path, base: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        train("repo", settings(base), unbroken, show=False)
    with pytest.raises(UsageError, match="learning_rate"):
        train("repo", settings(base, learning_rate=0.5), unbroken, resume=True, show=False)


class Brief:
    """A reward for short replies, the same for every method."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        scores = [10.0 / (10.0 + len(view.text)) for view in replies]
        return [RewardBreakdown(score, score, 0.0, 0.0, 0.0) for score in scores]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        raise NotImplementedError


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_run_raises_the_reward_that_it_learns_from(
    name: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policies.training.on_policy.loop.load_reward", lambda _: Brief())
    table = settings(base, **METHODS[name], replies=1200, dialogues=60, max_turns=1, batch_size=30, evaluate_every=100)
    out = train(name, table, tmp_path, ["learning_rate=0.05", "rollout_batch=60", "kl_weight=0.0"], show=False)
    credit = [row["credit"] for row in rows(out)[1:]]
    assert sum(credit[-4:]) / 4 > sum(credit[:4]) / 4 + 0.08


def test_weights_that_are_no_numbers_stop_the_run_and_keep_the_last_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = value_loss

    def spoiled(*args: Any) -> torch.Tensor:
        saved = any(tmp_path.glob("checkpoints/round-*"))
        return honest(*args) * (float("nan") if saved else 1.0)

    monkeypatch.setattr("policies.training.on_policy.loop.value_loss", spoiled)
    with pytest.raises(TrainingStoppedError, match=r"finite number.*last good checkpoint.*round-0"):
        train("repo", settings(base), tmp_path, show=False)
    kept = weights(tmp_path)
    assert kept and all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())


def test_guards_say_what_is_wrong(base: Path) -> None:
    preset = OnPolicyPreset(**settings(base, least_entropy=0.1, most_divergence=0.5, most_empty=0.4))

    def played(scored: int, empty: int, faults: int) -> SampledRound:
        samples = [Sample((1,), (2,), (0.0,), 1.0, 0)] * scored
        return SampledRound(samples, [], 10, 10 - scored - faults, faults, empty, [])

    check_play(preset, played(scored=9, empty=4, faults=0))
    with pytest.raises(TrainingStoppedError, match="empty replies"):
        check_play(preset, played(scored=9, empty=5, faults=0))
    with pytest.raises(TrainingStoppedError, match="no reply of 10 was scored"):
        check_play(preset, played(scored=0, empty=0, faults=4))
    check_entropy(preset, 0.11)
    with pytest.raises(TrainingStoppedError, match="collapsed entropy"):
        check_entropy(preset, 0.09)
    check_step(preset, {"policy_loss": 1.0, "divergence": 0.4})
    with pytest.raises(TrainingStoppedError, match="exploding ratio"):
        check_step(preset, {"policy_loss": 1.0, "divergence": 0.6})
    with pytest.raises(TrainingStoppedError, match="policy_loss"):
        check_step(preset, {"policy_loss": float("inf"), "divergence": 0.4})


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_methods_of_a_scale_differ_in_nothing_but_the_method(scale: str) -> None:
    tables = [
        read_preset(OnPolicyPreset, scale, PRESETS / name).model_dump(exclude=OF_A_METHOD) for name in sorted(METHODS)
    ]
    assert tables[0] == tables[1] == tables[2]


def test_a_method_refuses_settings_that_are_not_its_own(base: Path, tmp_path: Path) -> None:
    for method, changes, match in (
        ("repo", {"group_size": 2}, "group_size"),
        ("repo", {"decoupled": True}, "decoupled"),
        ("ppo", {"group_size": 2}, "group_size"),
        ("grpo", {"group_size": 1}, "group_size"),
        ("grpo", {"group_size": 2, "turn_discount": 0.5}, "turn_discount"),
    ):
        with pytest.raises(UsageError, match=match):
            train(method, settings(base, **changes), tmp_path, show=False)
    assert not any(tmp_path.iterdir())


def test_metrics_after_a_checkpoint_are_dropped_on_resume(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(4):
        log.write(step, {"x": step})
    with log.path.open("a", encoding="utf-8") as stream:
        stream.write('{"step": 2, "x"')
    assert [row["x"] for row in MetricsLog(log.path, 2).read()] == [0, 1, 2]
