"""``negotiate persona``: what it prints, and how it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli.persona import app, observe
from benchmarks.studies.manager import human_fit, human_likeness
from benchmarks.studies.manager.human_likeness import Bargain
from benchmarks.studies.manager.manager_talks import play_talks, played_by, scenarios_where
from benchmarks.studies.price_understanding import default_data_path
from negotiation_env.errors import DataFileError, NegotiationError
from simulators.managers.rule_manager import RuleManager
from simulators.personas import Persona, all_personas, load_persona

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


def test_fit_writes_a_persona_nearer_to_people_than_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [Bargain(4 + i % 3, 0, i % 2 == 0, tuple(n / 50 for n in range(51))) for i in range(24)]
    monkeypatch.setattr(human_likeness, "human_bargains", lambda path: deals)
    monkeypatch.setattr(human_fit, "GRID", {"takes": (1.0, 2.0)})
    monkeypatch.setitem(human_fit.FIRST, "takes", 1.0)
    path = tmp_path / "mine.toml"
    result = RUNNER.invoke(app, ["fit", "people.json", "--out", str(path), "--talks", "20", "--sweeps", "1"])
    assert result.exit_code == 0, result.output
    persona = load_persona(path)
    assert (persona.name, persona.weight) == ("human-mix", 0.0)
    scenarios = scenarios_where("tuning", 20, lambda s: len(s.card.tickets) == 1)

    def loss_of(one: Persona) -> float:
        talks = play_talks(
            played_by(human_likeness.PlainBuyer()), scenarios, RuleManager([one.model_copy(update={"weight": 1.0})])
        )
        found = human_likeness.manager_bargains(talks)
        return human_fit.loss(human_likeness.distances(found, human_fit.halves(deals)[0]), len(found) / 20)

    assert loss_of(persona) < loss_of(human_fit.human_mix(human_fit.FIRST))
    assert persona.decides.deadline == human_fit.FIRST["deadline"]
    assert RUNNER.invoke(app, ["fit", "people.json", "--out", str(path)]).exit_code != 0


@pytest.mark.slow
@pytest.mark.skipif(not default_data_path().is_file(), reason="people's dialogues are not part of the project")
def test_the_fitted_persona_bargains_as_people_do() -> None:
    people = human_fit.halves(human_likeness.human_bargains())[1]
    scenarios = scenarios_where("people", 400, lambda s: len(s.card.tickets) == 1)
    talks = play_talks(played_by(human_likeness.PlainBuyer()), scenarios, RuleManager(), personas=["human-mix"] * 400)
    apart = human_likeness.distances(human_likeness.manager_bargains(talks), people)
    # Of what they were before the manager heard content: a third is the aim, reached by moves and figures alone.
    bounds = (0.7 * 0.274, 0.972 / 3, 0.467 / 3, 0.7 * 1.808)
    assert all(a <= b for a, b in zip(apart, bounds, strict=True)), apart
