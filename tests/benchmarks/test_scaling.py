import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("peft")

from benchmarks.cli.main import app
from benchmarks.studies import scaling
from benchmarks.studies.scaling import (
    MEASURED,
    Measured,
    beside_measured,
    fitted,
    forecast,
    large_settings,
    mean_round,
    starving,
    tiny_setting,
)
from negotiation_env.files import read_json
from policies.training.cluster import EngineSpeed, RoundTimes, launch_called
from policies.training.on_policy.samples import Sample

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


@pytest.fixture(scope="module")
def measured() -> Measured:
    return read_json(MEASURED, Measured)


def test_a_fit_finds_the_speeds_again() -> None:
    speed = EngineSpeed(0.002, 0.03, 0.004, 0.05)
    draws = np.random.default_rng(0)
    calls = [
        (int(new), [int(n) for n in draws.integers(1, 60, size=rows)])
        for new, rows in zip(draws.integers(10, 900, size=40), draws.integers(1, 16, size=40), strict=True)
    ]
    found = fitted([(new, replies, speed.seconds(new, replies)) for new, replies in calls])
    assert [found.prompt_token, found.step, found.row, found.call] == pytest.approx([0.002, 0.03, 0.004, 0.05])


def test_turns_count_what_the_turn_before_did_not_have() -> None:
    def sample(prompt: tuple[int, ...], dialogue: int) -> Sample:
        return Sample(prompt, (1, 2), (0.0, 0.0), 0.0, 0, dialogue)

    samples = [sample((1, 2, 3), 0), sample((1, 2, 9, 9), 0), sample((1, 2, 3, 4), 1), sample((1, 2), 0)]
    by_prompt, talks = scaling._turns(samples)
    assert talks == [[(3, 2), (2, 2), (0, 2)], [(4, 2)]]
    assert by_prompt[1, 2, 9, 9] == (2, 2)


def test_the_simulation_says_what_was_measured(measured: Measured) -> None:
    assert [row[0] for row in beside_measured(measured)] == ["1", "2"]
    tiny = tiny_setting(measured)
    for played in measured.played:
        one = mean_round(tiny._replace(dialogues=played.dialogues), played.workers)
        told = one.rollout * played.replies / one.replies
        assert told == pytest.approx(played.processor_seconds, rel=0.35)


def test_where_a_round_goes_and_when_the_learner_starves() -> None:
    for setting in large_settings():
        few, many = (mean_round(setting, workers) for workers in (1, 256))
        assert (few.replies, few.learning) == (many.replies, many.learning)
        assert many.rollout <= few.rollout
        assert few.waiting == pytest.approx(0.0, abs=1e-9)
    one = RoundTimes(4.0, 1.0, 0.0, 3.0, 0.0, 10, 100)
    assert "below 2 workers" in starving({1: one, 2: one._replace(sampling=2.0, playing=0.5)})
    assert "at no number: with 1 " in starving({1: one._replace(learning=6.0)})
    assert "at any number" in starving({1: one})


def test_a_run_s_hours_are_its_rounds() -> None:
    found = forecast(launch_called("qwen3-32b_8xh100"))
    assert found.rounds == pytest.approx(25_600 / found.round.replies)
    assert found.hours * 3600 == pytest.approx(found.rounds * found.round.seconds, rel=0.2)
    quicker = forecast(launch_called("qwen3-32b_2nodes"))
    assert quicker.hours < found.hours < 2.5 * quicker.hours


def test_the_command_writes_what_the_documentation_says(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["study", "scaling", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    page, shown = (tmp_path / "scaling.md").read_text(encoding="utf-8"), DOCUMENT.read_text(encoding="utf-8")
    assert page.count("| 256 |") == 4
    assert [line for line in page.splitlines() if line.strip("# ") not in shown] == []
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


def test_launches_are_told_and_one_that_does_not_fit_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["study", "launches", "qwen3-1.7b_24gb", "--no-count", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, command).exit_code == 0
    page, shown = (tmp_path / "launches.md").read_text(encoding="utf-8"), DOCUMENT.read_text(encoding="utf-8")
    assert "GPU-hours" in page
    assert [line for line in page.splitlines() if line.startswith("|") and line not in shown] == []
    tight = launch_called("qwen3-1.7b_24gb").model_copy(update={"overrides": ("rollout_batch=64",)})
    monkeypatch.setattr(scaling, "launch_called", lambda name: tight)
    assert CliRunner().invoke(app, command).exit_code == 1


def test_the_measured_file_is_small_and_names_its_machine(measured: Measured) -> None:
    assert MEASURED.stat().st_size < 20_000
    assert {"commit", "machine", "command", "threads"} <= set(measured.made_with)
    assert json.loads(MEASURED.read_text(encoding="utf-8"))["dialogues"]
