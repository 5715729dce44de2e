"""Training the reward adapter on a toy base: it learns, resumes to the same weights, and writes what is loaded."""

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
from negotiation_env.engines.chat_model import ChatMessage  # noqa: E402
from negotiation_env.engines.scoring import open_base  # noqa: E402
from negotiation_env.errors import DataFileError, UsageError  # noqa: E402
from negotiation_env.training.presets import LINEAR_LAYERS, read_preset  # noqa: E402
from rewards.loading import load_model  # noqa: E402
from rewards.model import model_training as rm  # noqa: E402
from rewards.model.adapter_model import AdapterRewardModel  # noqa: E402
from rewards.model.compared_talks import compared_talks, comparison_loss, training_pairs  # noqa: E402
from rewards.rules.rule_reward import example_view  # noqa: E402
from rewards.sources import RewardModel  # noqa: E402
from rewards.training.adapter_loop import Trainer  # noqa: E402
from rewards.training.reward_presets import PRESETS, RmPreset  # noqa: E402
from simulators.people.training_files import PreferencePair, write_lines  # noqa: E402
from tests.engines.toy_base import write_toy_base  # noqa: E402

VIEWS = [example_view(t) for t in ("Hello, this is the agency.", "You are greedy.", "", "Could you do 380 yuan?")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows the words of talks: texts of single letters would take several times as long."""
    texts = [m["content"] for pair in training_pairs("", 40, 0, 5) for m in pair.prompt]
    return write_toy_base(tmp_path_factory.mktemp("base"), texts)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs in which the polite reply is the better one, two to each prompt, and a tie."""
    rng = np.random.default_rng(0)
    lines = []
    for n in range(60):
        name = f"hotel {n // 2}"
        for k in range(3):
            one, other = rng.choice(100, 2, replace=False)
            good, bad = f"please {one}", f"{'please' if k == 2 else 'now'} {other}"
            sure = 0.5 if k == 2 else 1.0
            prompt: tuple[ChatMessage, ...] = ({"role": "user", "content": name},)
            lines.append(PreferencePair(prompt, good, bad, "made up", name, sure=sure))
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    write_lines(path, lines)
    return path


def _settings(base: Path, **more: object) -> list[str]:
    settings = {"base": str(base), "layers": 2, "lora_rank": 4, "number": "float32",
                "batch_size": 4, "measure_every": 3, "learning_rate": 0.02, "warmup_steps": 2,
                "valid": 0.2, "bland": 10, "most": 10} | more  # fmt: skip
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def _figures(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    return found


def test_the_reward_model_learns_what_the_pairs_prefer(base: Path, pairs: Path, tmp_path: Path) -> None:
    folder = rm.train("small", tmp_path, _settings(base, data=str(pairs), epochs=4), log=lambda line: None)
    figures = _figures(folder)
    chosen = figures["accuracy on the training authors' pairs that chose it"]
    assert isinstance(chosen, float) and chosen > 0.9
    assert "no human" in (folder / "README.md").read_text()
    model = load_model(str(folder))
    assert isinstance(model, AdapterRewardModel)
    source: RewardModel = model
    scores = source.score_batch(VIEWS)
    assert all(isinstance(s, float) and -1.0 <= s <= 1.0 for s in scores)
    assert model.score_batch(VIEWS[::-1])[::-1] == scores
    # What training measures is what the model says in use, in the number format that it was trained in.
    exact = AdapterRewardModel(open_base(str(base), number="float32"), folder, model.reference)
    used = adapter_quality.measure_model(exact, 10)
    assert used["unread"] == 0
    assert used["correlation with length"] == pytest.approx(figures["correlation with length"], abs=1e-3)


def test_a_killed_run_goes_on_to_the_same_weights(
    base: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = _settings(base, data=str(pairs), epochs=2)
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
    overrides = _settings(base, data=str(pairs), epochs=1, trainer="trl")
    folder = rm.train("small", tmp_path, overrides, log=lambda line: None)
    assert "accuracy on validation authors" in _figures(folder)
    assert all(isinstance(s, float) for s in AdapterRewardModel.from_folder(folder).score_batch(VIEWS[:1]))


def test_the_reward_model_can_start_from_another(base: Path, pairs: Path, tmp_path: Path) -> None:
    shape = [*_settings(base, epochs=1, batch_size=8, measure_every=99), f"data={pairs}"]
    first = rm.train("small", tmp_path / "first", shape, log=lambda line: None)
    again = [*shape, f"start={first}", "learning_rate=1e-12"]
    folder = rm.train("small", tmp_path / "rm", again, log=lambda line: None)
    before, after = (load_file(f / "adapter_model.safetensors") for f in (first, folder))
    assert all(torch.allclose(before[n], after[n]) for n in before if ".layers." in n)
    with pytest.raises(UsageError, match="start"):
        rm.train("small", tmp_path, [*shape, f"start={first}", "lora_rank=2"])


def test_a_tie_draws_scores_together_and_length_is_charged() -> None:
    scores = torch.tensor([1.0, -1.0, 0.2])
    plain = RmPreset(level=0.0, length=0.0)
    tie, sure = (float(comparison_loss(scores, [[(0, 1, p)], []], [[5, 5], [5]], plain)) for p in (0.5, 1.0))
    even = float(comparison_loss(torch.zeros(3), [[(0, 1, 0.5)], []], [[5, 5], [5]], plain))
    assert sure < even < tie
    losses = RmPreset(level=0.0)
    long = [float(comparison_loss(scores, [[(0, 1, 1.0)], []], [[300, n], [90]], losses)) for n in (45, 300)]
    assert long[0] > sure + 0.2 > long[1]


def test_replies_to_one_talk_stand_together_each_once() -> None:
    prompt: tuple[ChatMessage, ...] = ({"role": "user", "content": "Hello?"},)
    both = [PreferencePair(prompt, "a", "b", scenario="x"), PreferencePair(prompt, "c", "a", scenario="x", sure=0.5)]
    (talk,) = compared_talks(both)
    assert talk.replies == ("a", "b", "c")
    assert talk.pairs == ((0, 1, 1.0), (2, 0, 0.5))


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="length"):
        rm.train("small", tmp_path, ["length=-1"])


@pytest.mark.parametrize("name", ["tiny", "small", "paper"])
def test_shipped_presets_are_whole(name: str) -> None:
    assert set(read_preset(RmPreset, name, PRESETS / "rm").lora_targets) <= set(LINEAR_LAYERS)
    assert read_preset(RmPreset, "paper", PRESETS / "rm").pairs == 6632
