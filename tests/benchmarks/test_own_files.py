"""``negotiate rules|rubric|scenario|persona new|show|check|export`` and ``play --scenario``."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli.main import app
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.scenario_file import read_scenario

RUNNER = CliRunner()
KINDS = ("rules", "rubric", "scenario", "persona")


def run(*words: object, text: str = "") -> Result:
    return RUNNER.invoke(app, [str(word) for word in words], input=text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_is_sound_and_is_not_written_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "new" / "mine.toml"
    assert run(kind, "new", path).exit_code == 0
    checked, shown = run(kind, "check", path), run(kind, "show", path)
    assert checked.exit_code == 0, checked.output
    assert shown.exit_code == 0 and shown.output.strip()
    path.write_text("mine = 1\n", encoding="utf-8")
    again = run(kind, "new", path)
    assert again.exit_code == 2 and "not there yet" in again.output
    assert path.read_text(encoding="utf-8") == "mine = 1\n"
    assert run(kind, "check", path).exit_code == 2


@pytest.mark.parametrize(
    ("kind", "words", "shown"),
    [
        ("rules", [], "role-label"),
        ("rubric", [], "Emotional value"),
        ("scenario", ["3"], "Executive Room"),
        ("scenario", ["bad-cases/emotion-2"], "Harbour Light Resort"),
        ("persona", ["veteran-boulware"], "veteran-boulware"),
    ],
)
def test_what_is_shipped_can_be_shown_and_exported(tmp_path: Path, kind: str, words: list[str], shown: str) -> None:
    path = tmp_path / "mine.toml"
    exported = run(kind, "export", *words, path)
    assert exported.exit_code == 0, exported.output
    assert shown in path.read_text(encoding="utf-8")
    assert shown in run(kind, "show", *words).output
    if kind in ("rubric", "scenario"):
        assert run(kind, "check", path).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "old", "new", "parts"),
    [
        ("rules", 'id = "shouts-final-offer"', 'id = "promises-too-much"', ["id: expected a name"]),
        ("rules", 'yes = ["We guarantee', 'yes = ["Hello, we like', ["promises-too-much", "misses"]),
        ("rules", '"overpromise"', '"overpromises"', ["Did you mean 'overpromise'?"]),
        ("rubric", 'when = "answered"', 'when = "heard"', ["dimension.1.question.1.when", "'heard'"]),
        (
            "scenario",
            'promises = ["',
            'promises = ["no banner anywhere", "',
            ["heard as a promise", "no banner anywhere"],
        ),
        ("scenario", "stars = ", "stars = 1", ["hotel.stars"]),
        ("persona", "answers = 0.8", "answers = 8", ["decides.answers"]),
    ],
)
def test_check_says_what_is_wrong(tmp_path: Path, kind: str, old: str, new: str, parts: list[str]) -> None:
    path = tmp_path / "mine.toml"
    run(kind, "new", path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = run(kind, "check", path)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert all(part in said for part in ["mine.toml", *parts]), said


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_there_is_told(tmp_path: Path, kind: str) -> None:
    result = run(kind, "check", tmp_path / "none.toml")
    assert result.exit_code == 2 and "none.toml" in result.output


def test_unknown_names_are_told(tmp_path: Path) -> None:
    for words in (["scenario", "export", "bad-cases/emotion-99"], ["scenario", "export", "emotion"]):
        assert run(*words, tmp_path / "x.toml").exit_code == 2
    result = run("persona", "export", "veteran", tmp_path / "x.toml")
    assert result.exit_code == 2 and "veteran-boulware" in result.output


def test_own_rules_score_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    run("rules", "new", path)
    env = gym.make("negotiation_env:HotelNegotiation-v0", reward=f"repo:rules={path}")
    env.reset(seed=1)
    _, _, _, _, info = env.step("That is our final offer!!")
    assert [term.id for term in info["reward"]["terms"] if term.source == "rules"] == ["shouts-final-offer"]


def test_play_takes_a_scenario_file_and_a_reward(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    run("scenario", "new", path, "--seed", "5")
    assert read_scenario(path).card == sample_scenario(5).card
    result = run("play", "--scenario", path, "--reward", "outcome", text="Hello.\n/quit\n")
    assert result.exit_code == 0, result.output
    assert sample_scenario(5).card.hotel.name in result.output
    assert "reward +0.00" in result.output
    assert run("play", "--scenario", tmp_path / "none.toml").exit_code == 2
