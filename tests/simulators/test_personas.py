"""Persona files, their errors, their lookup and their sampling."""

import random
from collections import Counter
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.scenario import sample_card, sample_floors
from simulators.dynamics import Dynamics, Traits
from simulators.personas import (
    Persona,
    all_personas,
    builtin_personas,
    load_persona,
    parse_persona,
    sample_persona,
)

SHORT = """\
name = "river-aunt"
description = "You keep a guesthouse by the river."
voice = "Warm and slow."
[decides]
beta = "conceder"
answers = 0.9
[tactics]
fit = 0.3
"""


def test_a_name_is_enough() -> None:
    persona = parse_persona({"name": "plain"}, "plain.toml")
    assert persona.traits() == Traits()


def test_a_short_file_gives_its_numbers_to_the_dynamics(tmp_path: Path) -> None:
    path = tmp_path / "river.toml"
    path.write_text(SHORT, encoding="utf-8")
    traits = load_persona(path).traits()
    assert (traits.beta, traits.answers, traits.tactics[5]) == (3.0, 0.9, 0.3)
    assert load_persona(str(path)) == load_persona(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["name", "expected this field", "got nothing"]),
        ('name = "Big Boss"', ["name", "lower-case", "'Big Boss'"]),
        ('name = "a"\n[decides]\nbetta = 1', ["decides.betta", "Did you mean 'beta'"]),
        ('name = "a"\nmood = 0.5', ["mood", "belongs to decides.mood"]),
        ('name = "a"\n[tactic]\nfit = 0.1', ["tactic", "Did you mean 'tactics'"]),
        ('name = "a"\n[decides]\nbeta = "slow"', ["decides.beta", "boulware", "'slow'"]),
        ('name = "a"\n[decides]\nbeta = 0', ["decides.beta", "at least 0.05", "got 0"]),
        ('name = "a"\n[decides]\ntrust = 1.5', ["decides.trust", "at most 1", "1.5"]),
        ('name = "a"\n[decides]\ntrust = nan', ["decides.trust", "finite"]),
        ('name = "a"\n[decides]\ntrust = true', ["decides.trust", "a number", "True"]),
        ('name = "a"\n[decides]\nanswers = "often"', ["decides.answers", "number", "'often'"]),
        ('name = "a"\n[decides]\nrounding = 3', ["decides.rounding", "1, 5 or 10", "got 3"]),
        ('name = "a"\n[decides]\nprice_type = "gross"', ["price_type", "'net'", "'gross'"]),
        ('name = "a"\n[tactics]\npressure = -0.4', ["tactics.pressure", "at least -0.3"]),
        ('name = "a"\ndecides = 3', ["decides", "a table", "got 3"]),
        ('name = "a"\n[phrases]\ngreet = 3', ["phrases.greet", "got 3"]),
        ('name = "a', ["TOML", "Unterminated"]),
    ],
)
def test_an_error_names_file_field_expected_and_got(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError) as caught:
        load_persona(path)
    for word in [str(path), "expected", *words]:
        assert word in str(caught.value)


def test_every_error_of_a_file_is_told_at_once() -> None:
    data = {"name": "a", "decides": {"trust": 2, "mood": -2}}
    with pytest.raises(DataFileError, match=r"(?s)decides\.mood.*decides\.trust"):
        parse_persona(data, "a.toml")


def test_bytes_that_are_no_text_are_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFileError, match="UTF-8"):
        load_persona(path)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean 'revenue-analyst'"):
        load_persona("revenue-analist")
    with pytest.raises(UsageError, match="no file"):
        load_persona("nowhere/mine.toml")


def test_a_persona_object_is_itself() -> None:
    persona = Persona(name="mine")
    assert load_persona(persona) is persona


def test_the_shipped_personas_differ_in_how_they_decide() -> None:
    personas = all_personas()
    assert len(builtin_personas()) >= 14
    assert [p.name for p in personas] == sorted(p.name for p in personas)
    assert len({p.traits() for p in personas}) == len(personas)
    assert len({p.voice for p in personas}) == len(personas)
    answers = [p.decides.answers for p in personas]
    assert min(answers) <= 0.25
    assert max(answers) >= 0.85
    assert {p.decides.price_type for p in personas} == {"selling", "net"}


def test_sampling_follows_the_weights() -> None:
    personas = all_personas()
    total = sum(p.weight for p in personas)
    count = 20_000
    drawn = Counter(sample_persona(episode_seed(i)).name for i in range(count))
    for persona in personas:
        share = persona.weight / total
        # Six standard deviations of a binomial share.
        assert abs(drawn[persona.name] / count - share) < 6 * (share * (1 - share) / count) ** 0.5


def test_sampling_names_the_persona_that_the_dynamics_draw() -> None:
    personas = all_personas()
    dynamics = Dynamics([p.traits() for p in personas], [p.weight for p in personas])
    for i in range(300):
        seed = episode_seed(random.Random(i).getrandbits(40))
        card = sample_card(FLOATS, seed)
        seat = dynamics.start(FLOATS, seed, card, sample_floors(FLOATS, seed, card))
        assert personas[int(seat.persona)] is sample_persona(seed)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(UsageError, match="weight > 0"):
        sample_persona(1, [Persona(name="a", weight=0.0)])
