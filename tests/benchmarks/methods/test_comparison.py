"""The comparison of all methods on toy sizes: through to the tables, resumed, refused, stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("trl")
pytest.importorskip("tensorboard")

from safetensors.torch import load_file

from benchmarks.studies.methods import work as evaluation
from benchmarks.studies.methods import work as training
from benchmarks.studies.methods.command import compare
from benchmarks.studies.methods.experiment import Experiment
from benchmarks.studies.methods.results import make_table
from benchmarks.studies.methods.runs import (
    METHODS,
    REPO,
    SFT,
    STOPPED,
    Run,
    held_out,
    outcome,
    read_usage,
    record_identity,
)
from benchmarks.studies.methods.tables import markdown
from benchmarks.studies.methods.work import (
    Ended,
    Evaluation,
    RunTask,
    in_processes,
    is_done,
    is_measured,
    scores_of,
    work,
)
from benchmarks.suites import CaseSuite, bad_cases, online
from negotiation_env.errors import UsageError
from tests.policies.on_policy.conftest import write_base

SUPERVISED = {"examples": 64, "batch_size": 8, "micro_batch_size": 8, "measure_every": 4, "held_out": 4}
ON_POLICY = {
    "replies": 12, "dialogues": 4, "max_turns": 2, "held_out": 2, "evaluate_every": 2, "batch_size": 8,
    "micro_batch_size": 8, "least_entropy": 0.0, "most_empty": 1.0, "most_divergence": 100.0,
}  # fmt: skip
SHARED = {"torch_threads": 1, "lora_rank": 4, "lora_alpha": 8, "max_prompt_tokens": 400, "max_reply_tokens": 8}


def overrides(base: Path) -> tuple[str, ...]:
    """Settings with which every method trains for a second or two."""
    tables: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("sft", "dpo"), SUPERVISED | SHARED | {"max_prompt_tokens": 600, "max_reply_tokens": 120}),
        **dict.fromkeys(("ppo", "grpo", "repo"), ON_POLICY | SHARED),
    }
    lines = [f"{method}.{key}={value}" for method, table in tables.items() for key, value in table.items()]
    return (*lines, *(f"{method}.base={base}" for method in tables))


def few(how: Evaluation) -> list[tuple[CaseSuite, int]]:
    """Held-out dialogues, the three shortest bad cases, three online dialogues cut short."""
    short = [replace(case, max_turns=2) for case in online().cases[:3]]
    bad = CaseSuite("bad-cases", sorted(bad_cases(), key=lambda case: case.max_turns)[:3])
    return [(held_out(how.dialogues, how.max_turns), 1), (bad, how.trials), (CaseSuite("online", short), how.trials)]


def here(tasks: Sequence[RunTask]) -> Iterator[Ended]:
    """Do tasks in this process: starting one for each would take longer than the work."""
    for task in tasks:
        work(task)
        yield Ended(task, 0.0, "")


def forbidden(tasks: Sequence[RunTask]) -> Iterator[Ended]:
    assert not tasks
    return iter(())


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.training.on_policy.loop.draw", lambda *_: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """All methods with two seeds each, trained and measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "suites", few)
        patch.setattr("policies.training.on_policy.loop.draw", lambda *_: None)
        patch.setattr("policies.adapters.trained_with", lambda folder: ("compact", 4))
        base = tmp_path_factory.mktemp("base")
        write_base(base)
        experiment = Experiment(tmp_path_factory.mktemp("methods"), seeds=2, overrides=overrides(base), dialogues=4)
        assert compare(experiment, here, lambda _: None, "the command") == []
        yield experiment


def table_of(experiment: Experiment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((experiment.out / "table.json").read_text(encoding="utf-8"))
    return found


def test_every_method_is_in_the_table_with_its_seeds_figures_and_budget(finished: Experiment) -> None:
    table = table_of(finished)
    assert list(table["methods"]) == [variant.name for variant in METHODS]
    for name, row in table["methods"].items():
        assert row["seeds"] == ([0] if name == "base" else [0, 1])
        for key in ("online/rating", "bad-cases/clean_fix", "held-out/reward_total", "held-out/task_success"):
            assert row["figures"][key]["low"] <= row["figures"][key]["value"] <= row["figures"][key]["high"]
            assert len(row["figures"][key]["by_seed"]) == len(row["seeds"])
    assert table["methods"]["base"]["budget"] is None
    assert table["left_out"] == [] and table["stopped"] == []


def test_the_budget_is_what_the_runs_used_up(finished: Experiment) -> None:
    rows = {name: row["budget"] for name, row in table_of(finished)["methods"].items()}
    for name in ("ppo", "grpo", "repo"):
        assert rows[name]["replies"]["least"] >= ON_POLICY["replies"]
        assert rows[name]["sampled_tokens"]["least"] >= rows[name]["replies"]["least"]
    for name in ("sft", "dpo"):
        assert rows[name]["replies"]["most"] == rows[name]["sampled_tokens"]["most"] == 0
    for name in ("sft", "dpo", "ppo", "grpo", "repo"):
        for field in ("steps", "trained_tokens", "seconds", "cpu_seconds", "peak_memory_mb", "compared"):
            assert rows[name][field]["least"] > 0, (name, field)


def test_the_page_has_every_table(finished: Experiment) -> None:
    page = (finished.out / "table.md").read_text(encoding="utf-8")
    for told in (
        "|  | Base | SFT | DPO | PPO | GRPO | REPO |", "fixed cleanly", "negotiation effectiveness", "REPO leads in",
        "peak memory", "REPO against the SFT adapter", "both in", "`the command`",
    ):  # fmt: skip
        assert told in page
    assert page.count("| 0 | R_total of a reply |") == page.count("| 1 | fixed cleanly |") == 1


def test_only_the_method_differs(finished: Experiment) -> None:
    start = finished.run(SFT, 0).training
    for run in finished.later_runs():
        settings = json.loads((run.training / "run.json").read_text(encoding="utf-8"))
        settings = settings.get("settings", settings)
        assert settings["start"] == str(start) and settings["seed"] == run.seed


def test_a_model_card_names_the_run_s_own_command(finished: Experiment) -> None:
    card = (finished.run(REPO, 1).training / "README.md").read_text(encoding="utf-8")
    assert "negotiate train repo --preset tiny --seed 1 --set" in card


def test_a_finished_run_is_neither_trained_nor_measured_again(finished: Experiment) -> None:
    before = table_of(finished)
    assert compare(finished, forbidden, lambda _: None, "the command") == []
    assert table_of(finished) == before


def test_a_run_of_other_settings_is_refused(finished: Experiment) -> None:
    other = replace(finished, overrides=(*finished.overrides, "repo.replies=48"))
    with pytest.raises(UsageError, match=r"repo.seed-0: expected the run that lies there, got another replies"):
        compare(other, forbidden, lambda _: None)


def test_a_killed_run_goes_on_to_the_same_weights(
    finished: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished.run(REPO, 1)
    copy = replace(run, folder=tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("negotiation_env.training.run_folder.rmtree", _Cut(2))
        work(RunTask(copy, finished.evaluation))
    assert outcome(copy) is None and (copy.training / "checkpoints").is_dir()
    work(RunTask(copy, finished.evaluation))
    ours, theirs = (load_file(r.training / "adapter_model.safetensors") for r in (copy, run))
    assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)
    usage = read_usage(copy.folder)
    assert usage is not None and usage.processes == 2


class _Cut:
    """Interrupts at a call, as Ctrl-C would."""

    def __init__(self, when: int) -> None:
        self.when, self.calls = when, 0

    def __call__(self, *_: object, **__: object) -> None:
        self.calls += 1
        if self.calls == self.when:
            raise KeyboardInterrupt


def test_a_run_that_a_guard_stops_is_recorded_and_its_last_good_checkpoint_measured(
    finished: Experiment, tmp_path: Path
) -> None:
    given = finished.run(SFT, 0).training
    experiment = replace(
        finished, out=tmp_path, init=str(given), overrides=(*finished.overrides, "repo.least_entropy=50")
    )
    for run in (experiment.run(SFT, 0), experiment.run(REPO, 0)):
        work(RunTask(run, experiment.evaluation))
        assert is_done(RunTask(run, experiment.evaluation))
    stopped = outcome(experiment.run(REPO, 0))
    assert stopped is not None and stopped.status == STOPPED and "collapsed entropy" in stopped.reason
    assert stopped.adapter is not None and stopped.adapter.name == "best"
    table = make_table(experiment, "", 1)
    assert table["methods"]["repo"]["stopped"] == 1 and table["stopped"][0]["measured"]
    assert table["given"] == str(given) and table["methods"]["sft"]["budget"] is None
    page = markdown(table)
    assert "was stopped by a guard (collapsed entropy" in page and "trained elsewhere" in page


def test_an_ablation_is_compared_with_repo_on_the_same_seeds(finished: Experiment, tmp_path: Path) -> None:
    shutil.copytree(finished.out, tmp_path / "copy")
    experiment = replace(finished, out=tmp_path / "copy", ablated=True)
    runs = {run.variant.name: run for run in experiment.later_runs() if run.seed == 1}
    run = runs["repo-n-25"]
    shutil.copytree(runs["repo"].folder, run.folder)
    record_identity(run)
    table = make_table(experiment, "", 1)["ablations"]
    assert table["reference"]["seeds"] == [1] and table["variants"]["repo-n-25"]["seeds"] == [1]
    less = table["variants"]["repo-n-25"]["less_repo"]["held-out/reward_total"]
    assert less["value"] == 0.0 and less["apart"] == 0
    assert table["variants"]["repo-n-25"]["overrides"] == ["reward=repo:n=25"]
    page = markdown(make_table(experiment, "", 1))
    assert "| n = 25 | 1 |" in page and page.startswith("# All methods at")
    for other in ("base", "dpo", "ppo", "grpo"):
        shutil.rmtree(experiment.out / other)
    page = markdown(make_table(experiment, "", 1))
    assert page.startswith("# REPO and its ablations at") and "The paper's table" not in page
    assert page.count("| SFT | 2 |") == page.count("| REPO (n = 100) | 1 |") == page.count("| n = 25 | 1 |") == 1


def test_figures_of_other_rules_are_left_out(finished: Experiment) -> None:
    fewer = replace(finished, dialogues=3)
    assert not is_measured(finished.run(REPO, 0), fewer.evaluation)
    table = make_table(fewer, "", 1)
    assert table["methods"] == {} and "repo, seed 1" in table["left_out"]
    assert "REPO against" not in markdown(table)


def test_rules_that_change_while_a_comparison_runs_stop_it(finished: Experiment, tmp_path: Path) -> None:
    began = replace(finished.evaluation, versions={**finished.evaluation.versions, "rules": 0})
    run = replace(finished.run(REPO, 1), folder=tmp_path / "run")
    with pytest.raises(UsageError, match="another of rules: the sources were changed"):
        work(RunTask(run, began))
    assert not run.folder.exists()


def test_held_out_dialogues_are_the_training_s_alone(finished: Experiment) -> None:
    from policies.training.on_policy.evaluation import held_out_scenarios

    chosen_on = {scenario.card for scenario in held_out_scenarios(100)}
    measured = held_out(100, 12)
    assert chosen_on.isdisjoint(case.scenario.card for case in measured)
    assert {s.scenario for s in scores_of(finished.run(REPO, 0)) if s.suite == "held-out"} == {
        f"held-out/held-out-{i:04d}" for i in range(4)
    }


def test_a_process_s_error_is_told_and_the_others_go_on(tmp_path: Path, finished: Experiment) -> None:
    broken = Run(METHODS[0], 0, tmp_path / "broken", "tiny", {"base": str(tmp_path / "nowhere")})
    ended = list(in_processes([RunTask(broken, finished.evaluation)], jobs=2))
    assert len(ended) == 1 and "nowhere" in ended[0].error and "log.txt" in ended[0].error
    assert not is_done(RunTask(broken, finished.evaluation))


def test_a_stopped_run_without_a_checkpoint_has_no_adapter(tmp_path: Path) -> None:
    assert training.last_good(tmp_path) is None
    for number in (1, 2):
        best = tmp_path / "checkpoints" / f"round-{number:06d}" / "best"
        best.mkdir(parents=True)
        (best / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert training.last_good(tmp_path) == tmp_path / "checkpoints" / "round-000002" / "best"
