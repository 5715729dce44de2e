"""Gaming in free language beside written replies: which lines are taken, what is compared, and that none pays."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.studies.written_gaming import MADE, line_of, measure, strategies
from negotiation_env.errors import DataFileError
from negotiation_env.play.registry import load_reader, load_reward
from simulators.people.written_dialogues import written_dialogues


def test_no_strategy_pays_where_an_author_wrote_a_good_reply() -> None:
    found = measure(written_dialogues("validation")[:3], load_reward("repo"), load_reader("rules:claims"), strategies())
    assert {outcome.strategy for outcome in found} == {*strategies(), *MADE}
    assert len(found) >= 20
    assert not [outcome.strategy for outcome in found if outcome.pays]
    assert len({outcome.gain.n for outcome in found}) == 1


def test_a_state_gets_one_line_and_every_line_its_share_of_states() -> None:
    lines = [f"line {n}" for n in range(8)]
    assert line_of(lines, "d0001:2:a0") == line_of(lines, "d0001:2:a0")
    assert {line_of(lines, f"d0001:{n}:a0") for n in range(100)} == set(lines)


def test_a_strategy_that_pays_is_told_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.studies.written_gaming.strategies", lambda: {"the good reply": ("x",)})
    monkeypatch.setitem(MADE, "better", lambda view, good: f"{good} What would help you most?")
    monkeypatch.setattr(
        "benchmarks.studies.written_gaming.load_reward", lambda spec: load_reward("repo:without=judge+rules")
    )
    monkeypatch.setattr(
        "benchmarks.studies.written_gaming.dialogues_of", lambda source: written_dialogues("validation")[:1]
    )
    out = tmp_path / "gaming.json"
    result = CliRunner().invoke(
        app, ["study", "written-gaming", "validation", "--reader", "rules", "--out", str(out)], catch_exceptions=False
    )
    assert out.is_file()
    assert result.exit_code == int("pays:" in result.output)


def test_lines_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.toml"
    path.write_text('"urgency" = ["Now!", 3]\n', encoding="utf-8")
    with pytest.raises(DataFileError, match="urgency"):
        strategies(path)
