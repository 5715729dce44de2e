"""The n-gram reward model: what it reaches, what words can do, and weights on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from negotiation_env.errors import DataFileError
from rewards.linear import INPUTS, LinearWeights, load_weights, text_marks
from rewards.model.preference_model import SHIPPED, PreferenceModel
from rewards.rules.rule_reward import example_view
from rewards.training.ngram_training import WEIGHTS, honest_replies, train
from simulators.people.preferences import preference_pairs
from simulators.people.training_files import PreferencePair, split_lines, write_lines

PAIRS = preference_pairs(240, seed=11, held_out=True)
SMALL = ("pairs=400", "held_out=60", "honest=150", "seed=3")


def test_the_shipped_model_ranks_held_out_pairs() -> None:
    model = PreferenceModel.shipped()
    right = [model.score(p.chosen.view) > model.score(p.rejected.view) for p in PAIRS]
    assert np.mean(right) > 0.83


def test_the_shipped_report_meets_what_is_asked() -> None:
    report: dict[str, Any] = json.loads((WEIGHTS / "report.json").read_text(encoding="utf-8"))["reward_model"]
    accuracy = report["accuracy"]
    assert accuracy["low"] > 0.85
    assert accuracy["value"] < report["ceiling"]
    assert set(report["accuracy_by_source"]) == {"production", "specialist", "bd-agent", "sop-path"}
    assert abs(report["length_correlation"]) <= 0.2
    assert report["calibration"]["ece_scaled"] <= 0.08
    curve = [report["margin_curve"][grade]["value"] for grade in sorted(report["margin_curve"])]
    assert curve[0] < curve[2] < curve[-1] + 0.02


def test_an_honest_routine_reply_lies_a_little_below_zero() -> None:
    model = PreferenceModel.shipped()
    views, routine = honest_replies(300, seed=9)
    scores = np.array([model.score(view) for view in views])
    assert -0.6 < scores[np.array(routine)].mean() < -0.1
    assert scores[~np.array(routine)].mean() > scores[np.array(routine)].mean() + 0.3


@pytest.mark.parametrize("idle", ["I understand your position.", "I will keep it short.", "Take your time, please."])
def test_an_idle_reply_earns_less_than_nothing(idle: str) -> None:
    assert PreferenceModel.shipped().score(example_view(idle)) < -0.2


def test_no_word_makes_a_reply_better() -> None:
    model = PreferenceModel.shipped()
    assert model.weights.word_weights.max() <= 0.0
    assert model.text_part(tuple(w for w in model.weights.words if " " not in w)) >= model.weights.low[0]
    assert model.text_part(()) == 0.0


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("COULD YOU DO 350 YUAN?", "<capitals>"),
        ("Could you do 350 yuan???", "<signs>"),
        ("Could you do 350 yu", "<unfinished>"),
        ("Could you do 350? 谢谢", "<foreign>"),
        ("**Offer** of 350 yuan.", "<code>"),
        ("Agent: could you do 350?", "<label>"),
        ("We talk and talk. " * 30, "<long>"),
        ("Could could you do 350?", "<twice>"),
    ],
)
def test_marks_of_a_text(text: str, mark: str) -> None:
    assert mark in text_marks(example_view(text))
    assert text_marks(example_view("Could you do 350 yuan?")) == []
    assert text_marks(example_view("")) == []


def test_what_was_just_said_is_marked() -> None:
    view = example_view({"text": "Not today.", "said": ["Not today."], "manager": ["Not today."]})
    assert {"<own>", "<manager's>"} <= set(text_marks(view))


def test_training_writes_the_same_weights_for_the_same_seed_by_command_too(tmp_path: Path) -> None:
    first = load_weights(train(out=tmp_path / "a", overrides=SMALL) / "preference.npz")
    sets = [word for s in SMALL for word in ("--set", s)]
    command = ["train", "rm", "--preset", "ngram", "--out", str(tmp_path / "b"), *sets]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "held-out pairs: accuracy" in result.output
    second = load_weights(tmp_path / "b" / "preference.npz")
    assert first.words == second.words
    np.testing.assert_array_equal(first.acts, second.acts)
    np.testing.assert_array_equal(first.word_weights, second.word_weights)
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report["reward_model"]["accuracy"]["n"] == 60


def test_training_on_a_file_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    lines = [pair.line() for pair in preference_pairs(200, seed=4)]
    _, test = split_lines(lines)
    write_lines(path, lines)
    folder = train(out=tmp_path / "out", overrides=(*SMALL, f"data={path}"))
    assert json.loads((folder / "report.json").read_text())["reward_model"]["accuracy"]["n"] == len(test)
    bare = PreferencePair(({"role": "user", "content": "Hello?"},), "Hello.", "Pay.")
    write_lines(path, [bare] * 30)
    with pytest.raises(DataFileError, match=r"mine\.jsonl: replay: expected the public state"):
        train(out=tmp_path / "out", overrides=(*SMALL, f"data={path}"))


def test_wrong_weight_files_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.npz"
    with pytest.raises(DataFileError, match=r"none\.npz"):
        load_weights(missing)
    missing.write_bytes(b"no archive")
    with pytest.raises(DataFileError, match=r"expected an \.npz file"):
        load_weights(missing)
    np.savez(tmp_path / "old.npz", inputs=np.array(["a"]))
    with pytest.raises(DataFileError, match="train again"):
        load_weights(tmp_path / "old.npz")
    np.savez(tmp_path / "objects.npz", inputs=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataFileError, match="objects"):
        load_weights(tmp_path / "objects.npz")


def test_weights_survive_a_round_trip(tmp_path: Path) -> None:
    shipped = load_weights(SHIPPED)
    shipped.save(tmp_path / "copy.npz")
    copy = load_weights(tmp_path / "copy.npz")
    assert isinstance(copy, LinearWeights)
    assert copy.words == shipped.words
    np.testing.assert_array_equal(copy.acts, shipped.acts)
    assert copy.acts.shape == (len(INPUTS), 1)
