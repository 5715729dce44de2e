"""The examples run, in a moment, without network, GPU and key; each is short and says what it shows."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MOST_LINES = 39
WHAT_COMES_OUT = {
    "play_an_episode": ["reward -", "leaks an internal term", "->"],
    "vector_env": ["episodes, mean return"],
    "train_sb3": ["AGENT: ", "ended: "],
    "own_reward": ["brief: 1.00", "repo_and_brief: ", "outcome: 0.00"],
    "own_policy": ["clean_fix: 0.0%"],
    "own_persona": ["AGENT: ", "HOTEL: "],
    "own_scenario": ["Quince House", "Executive Room: 478 -> "],
    "llm_agent": ["fixed cleanly: 0.0%, faults: 0"],
    "read_messages": ["agrees (conditional)", "promises a full house (not allowed)"],
    "rescore": ["replies moved", "'blames-neighbour': (0, "],
}
"""What is among the lines that each example prints."""
NEEDS = {"train_sb3": "stable_baselines3", "llm_agent": "openai"}


def test_every_example_is_run() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(WHAT_COMES_OUT)


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array' that is not in the possible:UserWarning")
@pytest.mark.parametrize("name", WHAT_COMES_OUT)
def test_an_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])  # as Python does for a script
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert [text for text in WHAT_COMES_OUT[name] if text not in printed] == [], printed


@pytest.mark.parametrize("name", WHAT_COMES_OUT)
def test_an_example_is_short_and_says_what_it_shows(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text))
