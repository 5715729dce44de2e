"""Training reward adapters on a toy base: it learns, resumes to the same weights, and writes what the sources load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402

from benchmarks.studies import adapter_quality  # noqa: E402
from negotiation_env.errors import DataFileError, UsageError  # noqa: E402
from negotiation_env.game.scenario import sample_scenario  # noqa: E402
from negotiation_env.play.exchange import open_negotiation  # noqa: E402
from negotiation_env.play.prompts import prompt  # noqa: E402
from negotiation_env.play.registry import load_manager  # noqa: E402
from negotiation_env.play.rollout import agent_view  # noqa: E402
from negotiation_env.training.presets import LINEAR_LAYERS, read_preset  # noqa: E402
from rewards.model import model_training as rm  # noqa: E402
from rewards.model.adapter_model import AdapterRewardModel  # noqa: E402
from rewards.rules.rule_reward import example_view  # noqa: E402
from rewards.sources import RewardModel  # noqa: E402
from rewards.training.adapter_loop import Trainer  # noqa: E402
from rewards.training.reward_presets import PRESETS, RmPreset  # noqa: E402
from simulators.people.training_files import PreferencePair, write_lines  # noqa: E402
from tests.engines.toy_base import write_toy_base  # noqa: E402

VIEWS = [example_view(t) for t in ("Hello, this is the agency.", "You are greedy.", "", "Could you do 380 yuan?")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows the words of prompts: texts of single letters would take five times as long."""
    manager = load_manager("rules")
    views = [agent_view(open_negotiation(sample_scenario(seed), manager)) for seed in range(20)]
    return write_toy_base(
        tmp_path_factory.mktemp("base"), [message["content"] for view in views for message in prompt(view)]
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs in which the polite reply is the better one, two to each prompt."""
    rng = np.random.default_rng(0)
    lines = []
    for n in range(60):
        name = f"hotel {n // 2}"
        for k in range(2):
            good, bad = f"please {rng.integers(100)}", f"now {rng.integers(100)}"
            prompt = ({"role": "user", "content": name},)
            split = "test" if n >= 48 else "train"
            lines.append(PreferencePair(prompt, good, bad, "made up", name, float(k), split, 1.0))  # type: ignore[arg-type]
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    write_lines(path, lines)
    return path


def _settings(base: Path, **more: object) -> list[str]:
    settings = {"base": str(base), "layers": 2, "lora_rank": 4, "number": "float32",
                "batch_size": 4, "measure_every": 3, "learning_rate": 0.02, "warmup_steps": 2,
                "valid": 0.2, "start": ""} | more  # fmt: skip
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def test_the_reward_model_learns_what_the_pairs_prefer(base: Path, pairs: Path, tmp_path: Path) -> None:
    overrides = _settings(base, data=str(pairs), situations=0, epochs=4)
    folder = rm.train("small", tmp_path, overrides, log=lambda line: None)
    report = json.loads((folder / "metrics.json").read_text())
    assert report["accuracy"]["value"] > 0.9
    assert report["ceiling"] == 1.0
    assert set(report["margin_curve"]) == {"0", "1"}
    assert "Simulated" in (folder / "README.md").read_text().title()
    model = AdapterRewardModel.from_folder(folder)
    assert isinstance(model, RewardModel)
    scores = model.score_batch(VIEWS)
    assert all(isinstance(s, float) for s in scores)
    assert model.score_batch(VIEWS[::-1])[::-1] == scores


def test_a_killed_run_goes_on_to_the_same_weights(
    base: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = _settings(base, data=str(pairs), situations=0, epochs=2)
    whole = rm.train("small", tmp_path / "whole", overrides, log=lambda line: None)
    step = Trainer._step

    def killed(self: Trainer, number: int) -> tuple[float, float]:
        if number == 7:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(Trainer, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        rm.train("small", tmp_path / "cut", overrides, log=lambda line: None)
    monkeypatch.setattr(Trainer, "_step", step)
    resumed = rm.train("small", tmp_path / "cut", overrides, resume=True, log=lambda line: None)
    one, other = (load_file(f / "adapter_model.safetensors") for f in (whole, resumed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_trl_trains_the_same_adapter(base: Path, pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    overrides = _settings(base, data=str(pairs), situations=0, epochs=1, trainer="trl", form=False)
    folder = rm.train("small", tmp_path, overrides, log=lambda line: None)
    assert json.loads((folder / "metrics.json").read_text())["accuracy"]["n"] == 24
    assert all(isinstance(s, float) for s in AdapterRewardModel.from_folder(folder).score_batch(VIEWS[:1]))


def test_the_reward_model_can_start_from_another_and_read_behind_the_form(
    base: Path, pairs: Path, tmp_path: Path
) -> None:
    more = [f"data={pairs}", "situations=0", "form=true"]
    shape = [*_settings(base, epochs=1, batch_size=8, measure_every=99), *more]
    first = rm.train("small", tmp_path / "first", shape, log=lambda line: None)
    again = [*shape, f"start={first}", "learning_rate=1e-12"]
    folder = rm.train("small", tmp_path / "rm", again, log=lambda line: None)
    before, after = (load_file(f / "adapter_model.safetensors") for f in (first, folder))
    assert all(torch.allclose(before[n], after[n]) for n in before if ".layers." in n)
    assert json.loads((folder / "reading.json").read_text())["suffix"]
    reader = AdapterRewardModel.from_folder(folder).reader
    figures = adapter_quality.measure_model(AdapterRewardModel(reader, folder), pairs=60)
    assert figures["accuracy"]["n"] == 9 and not figures["unread"] and -1.0 <= figures["length_correlation"] <= 1.0
    (folder / "reading.json").write_text('{"suffix": [1, 2]}')
    with pytest.raises(DataFileError, match="rubric"):
        AdapterRewardModel.from_folder(folder)
    with pytest.raises(UsageError, match="start"):
        rm.train("small", tmp_path, [*shape, f"start={first}", "lora_rank=2"])
    with pytest.raises(UsageError, match="trl"):
        rm.train("small", tmp_path, ["form=true", "trainer=trl"])


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="margin"):
        rm.train("small", tmp_path, ["margin=-1"])


@pytest.mark.parametrize("name", ["tiny", "small", "paper"])
def test_shipped_presets_are_whole(name: str) -> None:
    assert set(read_preset(RmPreset, name, PRESETS / "rm").lora_targets) <= set(LINEAR_LAYERS)
    assert read_preset(RmPreset, "paper", PRESETS / "rm").pairs == 6632
