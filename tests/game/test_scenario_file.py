"""Scenario files: a negotiation of one's own, with promises and facts in words that the game knows as such."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import pytest

from benchmarks.suites import load_suite
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.acts import Act
from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.scenario_file import read_scenario, scenario_toml
from negotiation_env.game.state import new_game
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import load_manager, load_policy, load_reader, load_reward
from negotiation_env.play.rollout import rollout

OWN = """
promises = ["banner", "a welcome drink for every guest"]
[hotel]
name = "Quince House"
city = "Bath"
kind = "boutique"
stars = 4
season = "low"
occupancy = 0.4
[facts]
exposure = 20
conversion = 12
competitor_name = "Plum Blossom Inn"
competitor_price = 385
event = "the book fair"
demand = -10
more = ["our guests stay 2.4 nights on average", "37% of them come back within a year"]
[[tickets]]
room = "Attic Room"
check_in = 2027-03-01
nights = 5
selling = 400
commission = 0.15
target = 352
floor = 340
"""


def write(folder: Path, text: str = OWN, name: str = "mine.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_comes_back_from_its_own_text(tmp_path: Path) -> None:
    for seed in range(20):
        scenario = sample_scenario(seed)
        again = read_scenario(write(tmp_path, scenario_toml(scenario)))
        assert (again.card, again.brief, again.id) == (scenario.card, scenario.brief, "mine")
    own = read_scenario(write(tmp_path))
    assert read_scenario(write(tmp_path, scenario_toml(own))).card == own.card


def test_the_card_tells_promises_and_facts_in_their_own_words(tmp_path: Path) -> None:
    text = read_scenario(write(tmp_path)).card.text()
    assert "Also true: our guests stay 2.4 nights on average; 37% of them come back within a year." in text
    assert "You may promise: a banner on the city page for a week; a welcome drink for every guest." in text


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("floor = 340", "floor = 500", ["floor <= 400", "500"]),
        ("floor = 340", 'floor = "340"', ["tickets.1.floor", "a whole number"]),
        ('"banner"', '"baner"', ["promises", "at least two words", "Did you mean 'banner'?"]),
        ("demand = -10", "demnad = -10", ["facts.demnad", "Did you mean 'demand'?"]),
        ("[[tickets]]", "[[checks]]", ["checks", "suite=PATH"]),
        ("promises", "promises =", ["readable TOML"]),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    path = write(tmp_path, OWN.replace(old, new, 1))
    with pytest.raises(DataFileError) as error:
        read_scenario(path)
    assert all(part in str(error.value) for part in [str(path), *parts]), str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="negotiate scenario new"):
        gym.make("negotiation_env:HotelNegotiation-v0", scenario=str(tmp_path / "none.toml"))


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + OWN.encode())
    assert read_scenario(path).card.hotel.name == "Quince House"


@pytest.mark.parametrize("name", ["HotelNegotiation-v0", "HotelNegotiationStrategy-v0"])
def test_the_environments_play_a_file_and_a_folder(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "folder")
    for keywords in ({"scenario": str(path)}, {"scenario": path}, {"suite": f"{tmp_path / 'folder'}/"}):
        env = gym.make(f"negotiation_env:{name}", **keywords)
        env.reset(seed=1)
        env.step(env.action_space.sample() if "Strategy" in name else "Hello, this is the travel platform.")
    env = gym.make("negotiation_env:HotelNegotiation-v0")
    observation, _ = env.reset(seed=1, options={"scenario": str(path)})
    assert "Quince House" in observation["task"]


def test_a_folder_of_scenarios_is_a_suite_for_the_benchmark(tmp_path: Path) -> None:
    write(tmp_path / "folder")
    write(tmp_path / "folder", scenario_toml(sample_scenario(3)), "other.toml")
    suite = load_suite(f"{tmp_path / 'folder'}/")
    assert suite.name == "folder" and [case.id for case in suite] == ["mine", "other"]
    assert suite.manager() is None and {case.category for case in suite} == {"own"}


def features(path: Path, text: str) -> dict[str, float]:
    card = read_scenario(path).card
    view = reply_view(text, card, new_game(FLOATS, card_numbers(card)))
    return {name: float(view.features[FEATURE_INDEX[name]]) for name in ("overpromise", "allowed_promise")}


@pytest.mark.parametrize(
    ("text", "over", "allowed"),
    [
        ("We will give a welcome drink to every guest of yours.", 0.0, 1.0),
        ("I promise a welcome drink for each of your guests, free of charge.", 0.0, 1.0),
        ("I guarantee a welcome drink for every guest. We will also waive your commission.", 1.0, 0.0),
        ("We cannot give your guests a welcome drink, I am afraid.", 0.0, 0.0),
        ("Would a welcome drink for every guest help?", 0.0, 0.0),
    ],
)
def test_a_promise_in_words_is_allowed_where_it_is_made(tmp_path: Path, text: str, over: float, allowed: float) -> None:
    assert features(write(tmp_path), text) == {"overpromise": over, "allowed_promise": allowed}


def test_the_same_words_are_no_promise_of_a_card_without_it(tmp_path: Path) -> None:
    path = write(tmp_path, OWN.replace(', "a welcome drink for every guest"', ""))
    assert features(path, "We will give a welcome drink to every guest of yours.")["allowed_promise"] == 0.0


def test_figures_of_further_facts_may_be_said(tmp_path: Path) -> None:
    said = "Of our guests, 37% come back within a year."
    for text, facts in ((OWN, True), (OWN.replace("37% of them", "many of them"), False)):
        card = read_scenario(write(tmp_path, text)).card
        view = reply_view(said, card, new_game(FLOATS, card_numbers(card)), reader=load_reader("rules:claims"))
        (breakdown,) = load_reward("repo").score([view])
        assert ("false-figure" in {term.id for term in breakdown.terms}) is not facts, breakdown.terms


def test_an_episode_of_it_is_recorded_and_read_again(tmp_path: Path) -> None:
    scenario = read_scenario(write(tmp_path))
    (episode,) = rollout(
        load_policy("intent-driven"), [scenario], manager=load_manager("rules"), reward=load_reward("repo")
    )
    assert Episode.from_json(episode.to_json()) == episode
    made = [act.detail for turn in episode.turns for act in turn.acts if act.kind is Act.PROMISE]
    assert set(made) <= set(scenario.card.promises), made
    (plain,) = rollout(
        load_policy("heuristic"), [sample_scenario(1)], manager=load_manager("rules"), reward=load_reward("repo")
    )
    assert "more" not in plain.to_json()["card"]["facts"]
