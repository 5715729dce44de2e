"""Persona files, their errors, their lookup and their sampling."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.lanes import ARRAYS, FLOATS, episode_seed
from negotiation_env.game.scenario import sample_card, sample_floors, sample_scenario, scenario_of
from simulators.concerns import CONCERNS, HouseFit, concern, draw_concern
from simulators.dynamics import HOUSES, Dynamics, Traits
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
        assert abs(drawn[persona.name] / count - share) <= 6 * (share * (1 - share) / count) ** 0.5


def test_sampling_names_the_persona_that_the_dynamics_draw() -> None:
    personas = all_personas()
    dynamics = Dynamics([p.traits() for p in personas], [p.weight for p in personas], [p.houses() for p in personas])
    seeds = [episode_seed(random.Random(i).getrandbits(40)) for i in range(300)]
    batch = np.array(seeds, dtype=np.uint64)
    cards = sample_card(ARRAYS, batch)
    many = dynamics.start(ARRAYS, batch, cards, sample_floors(ARRAYS, batch, cards))
    for i, seed in enumerate(seeds):
        card = sample_card(FLOATS, seed)
        seat = dynamics.start(FLOATS, seed, card, sample_floors(FLOATS, seed, card))
        assert personas[int(seat.persona)] is sample_persona(seed, card=scenario_of("drawn", seed).card)
        assert many.persona[i] == seat.persona


def test_a_persona_fits_the_house_that_it_is_drawn_for() -> None:
    drawn: Counter[str] = Counter()
    for i in range(2000):
        scenario = sample_scenario(i)
        hotel = scenario.card.hotel
        persona = sample_persona(scenario.seed, card=scenario.card)
        drawn[persona.name] += 1
        assert persona.fits.fits(hotel)
        assert not (persona.name == "homestay-auntie" and hotel.kind != "homestay")
        assert not (persona.name == "chain-manager" and hotel.kind == "homestay")
        assert not (persona.name == "grieving-owner" and hotel.kind == "airport")
        own = concern(draw_concern(scenario.card, scenario.seed, persona.concerns))
        assert own.fits.fits(hotel)
    assert set(drawn) == {p.name for p in all_personas() if p.weight}


def test_every_house_has_several_personas() -> None:
    fitting = np.array([p.houses() for p in all_personas()]).sum(axis=0)
    # Hotels of one star are no longer sampled; they come in users' own scenarios.
    assert len(fitting) == HOUSES
    assert min(n for i, n in enumerate(fitting) if i % 5) >= 3


def test_the_persona_fitted_to_people_is_asked_for_by_name() -> None:
    assert load_persona("human-mix").weight == 0.0
    assert {sample_persona(episode_seed(i)).name for i in range(500)}.isdisjoint({"human-mix"})


def test_where_nobody_fits_anybody_is_drawn() -> None:
    castle = [Persona(name=name, fits=HouseFit(kinds=("resort",))) for name in ("a", "b")]
    airport = next(s for i in range(99) if (s := sample_scenario(i)).card.hotel.kind == "airport")
    assert len({sample_persona(seed, castle, airport.card).name for seed in range(50)}) == 2
    resort = [*castle, Persona(name="c", fits=HouseFit(kinds=("airport",)))]
    assert {sample_persona(seed, resort, airport.card).name for seed in range(50)} == {"c"}


def test_every_concern_is_somebodys() -> None:
    assert {name for p in all_personas() for name in p.concerns or CONCERNS} == set(CONCERNS)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(UsageError, match="weight > 0"):
        sample_persona(1, [Persona(name="a", weight=0.0)])
