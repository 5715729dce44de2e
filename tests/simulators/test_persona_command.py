"""``negotiate persona``: what it prints, and how it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli.persona import app, observe
from negotiation_env.errors import DataFileError, NegotiationError
from simulators.managers.rule_manager import RuleManager
from simulators.personas import Persona, all_personas

RUNNER = CliRunner()


def test_list_names_every_persona() -> None:
    result = RUNNER.invoke(app, ["list"])
    assert result.exit_code == 0
    assert all(persona.name in result.output for persona in all_personas())


def test_show_tells_all_of_one() -> None:
    result = RUNNER.invoke(app, ["show", "lie-catcher"])
    assert result.exit_code == 0
    for word in ("auditor", "vigilance", "partnership", "ask.reason"):
        assert word in result.output


def test_check_plays_a_new_persona(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[decides]\nbeta = "conceder"\nanswers = 1.0\n', encoding="utf-8")
    result = RUNNER.invoke(app, ["check", str(path)])
    assert result.exit_code == 0, result.output
    assert "answered the first message" in result.output
    assert "20 of 20" in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "mine"\n[decides]\nbetta = 1.0\n', "Did you mean 'beta'"),
        ('name = "mine"\n[phrases]\ngreet = "I can do 380 yuan."\n', "COUNTER"),
    ],
)
def test_check_refuses_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    result = RUNNER.invoke(app, ["check", str(path)])
    assert isinstance(result.exception, NegotiationError)
    assert words in str(result.exception)
    assert "mine.toml" in str(result.exception)
    assert isinstance(result.exception, DataFileError) or "phrases" in str(result.exception)


def test_a_conceder_gives_more_than_a_boulware() -> None:
    manager = RuleManager()

    def given(beta: float) -> float:
        data = {"beta": beta, "time_weight": 0.8, "answers": 1.0, "keeps_answering": 1.0}
        persona = Persona.model_validate({"name": "mine", "decides": data})
        return sum(observe(persona, manager).cuts)

    assert given(3.0) > given(0.2)
