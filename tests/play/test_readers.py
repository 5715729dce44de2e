"""Readers by name, who reads whom, and what a record keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from negotiation_env.checks import CheckError, check_reader
from negotiation_env.errors import UsageError
from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.language import READER_VERSION
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import reader_label
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play import registry
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.records import Episode, read_episodes, recorded_views, write_episodes
from negotiation_env.play.registry import load_manager, load_policy, load_reader, reader_for, suited_reader
from negotiation_env.play.rollout import rollout
from tests.play.readers import GREETING, HearsGreetings, SpoiledReader


def test_a_name_gives_one_shared_reader_and_an_object_itself() -> None:
    assert load_reader("rules").name == "rules"
    assert load_reader("rules") is load_reader("rules")
    own = HearsGreetings()
    assert load_reader(own) is own


@pytest.mark.parametrize(
    ("spec", "words"), [("rule", "Did you mean 'rules'"), (object(), r"name and read\(\)"), (None, "a reader name")]
)
def test_what_is_no_reader_is_told(spec: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_reader(spec)


@pytest.mark.skipif(encoder_installed(), reason="the encoder is installed here")
def test_an_encoder_that_is_not_installed_is_told() -> None:
    with pytest.raises(UsageError, match="encoder"):
        load_reader("encoder")


class _Speaker:
    """A policy that says nothing of being without a model."""

    name = "speaker"

    def reply(self, views: object) -> list[object]:
        return []


@pytest.mark.parametrize(("installed", "fluent"), [(True, "encoder"), (False, "rules:claims")])
def test_models_and_people_are_read_by_the_encoder_where_there_is_one(
    installed: bool, fluent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "encoder_installed", lambda: installed)
    assert suited_reader(None) == fluent
    assert suited_reader(_Speaker()) == fluent  # type: ignore[arg-type]
    for scripted in ("heuristic", "intent-driven", "random", "sb3"):
        assert suited_reader(load_policy(scripted)) == "rules"


def test_a_named_reader_goes_before_what_suits() -> None:
    own = HearsGreetings()
    assert reader_for(None, own) is own
    assert reader_for(load_policy("heuristic"), "rules").name == "rules"


def test_a_statement_that_the_card_denies_is_checked_where_the_reader_checks() -> None:
    scenario = next(s for s in map(sample_scenario, range(50)) if s.card.facts.demand <= -5)
    lie = f"Demand rises by {-scenario.card.facts.demand}% around {scenario.card.facts.event}. Could you do 300?"
    game = new_game(FLOATS, card_numbers(scenario.card))
    for spec, found in (("rules", False), ("rules:claims", True)):
        view = reply_view(lie, scenario.card, game, reader=load_reader(spec))
        assert bool(view.features[FEATURE_INDEX["false_fact"]]) is found
    with pytest.raises(UsageError, match="rules:claims"):
        load_reader("rules:facts")


def test_a_label_has_the_version() -> None:
    assert reader_label(RULES) == f"rules {READER_VERSION}"
    assert reader_label(HearsGreetings()) == "greetings 7"
    assert reader_label(SpoiledReader("")) == "spoiled"


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    scenarios = [sample_scenario(seed) for seed in range(3)]
    policy, manager = load_policy("heuristic"), load_manager("rules")
    return rollout(policy, scenarios, manager=manager, reward=Unscored(), reader=HearsGreetings(), max_turns=5)


def test_a_rollout_s_reader_decides_what_was_said_and_stands_in_the_record(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert episode.versions["reader"] == "greetings 7"
        assert {turn.acts for turn in episode.turns} == {(GREETING,)}
        assert {turn.confidence for turn in episode.turns} == {0.25}
        assert all(ticket.agreed is None for ticket in episode.tickets)


def test_recorded_views_keep_what_the_reader_heard(episodes: list[Episode], tmp_path: Path) -> None:
    write_episodes(tmp_path / "episodes.jsonl", episodes)
    read_back = list(read_episodes(tmp_path / "episodes.jsonl"))
    assert read_back == episodes
    for episode in read_back:
        views = recorded_views(episode)
        assert [view.acts for view in views] == [turn.acts for turn in episode.turns]
        assert not any(any(view.game.bid) for view in views)


def test_a_record_from_before_there_were_readers_is_read(episodes: list[Episode]) -> None:
    data = episodes[0].to_json()
    del data["versions"]["reader"]
    for turn in data["turns"]:
        del turn["confidence"]
    old = Episode.from_json(data)
    assert {turn.confidence for turn in old.turns} == {1.0}
    assert len(recorded_views(old)) == len(old.turns)


def test_a_sure_reading_leaves_no_trace_in_the_line() -> None:
    (episode,) = rollout(
        load_policy("heuristic"), [sample_scenario(0)], manager=load_manager("rules"), reward=Unscored(), max_turns=2
    )
    assert all("confidence" not in turn for turn in episode.to_json()["turns"])
    assert episode.versions["reader"] == reader_label(RULES)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("count", "one per message"),
        ("batch", "alone and in a batch"),
        ("ticket", "tickets, from 0"),
        ("price", "price above 0"),
        ("type", "with its type"),
        ("acts", "at least one act"),
        ("confidence", "from 0 to 1"),
        ("name", "expected reader 'spoiled'"),
        ("silence", "lone SILENCE"),
    ],
)
def test_a_broken_reader_is_found(fault: str, words: str) -> None:
    with pytest.raises(CheckError, match=words):
        check_reader(SpoiledReader(fault), negotiations=2, turns=2)


def test_a_sound_reader_passes_and_something_else_is_none() -> None:
    check_reader(SpoiledReader(""), negotiations=2, turns=2)
    with pytest.raises(CheckError, match="name and read"):
        check_reader(object())  # type: ignore[arg-type]
