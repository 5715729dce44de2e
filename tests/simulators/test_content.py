"""What a message's words are worth: content, house, novelty and concern, on messages of this file alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from negotiation_env.game.acts import Act
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of_action
from negotiation_env.game.scenario import TaskCard, card_numbers, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import load_policy
from negotiation_env.play.rollout import rollout
from simulators.content import WORDS_PATH, Content, Memory, content_of, hear, telling_words
from simulators.dynamics import REASONS, Heard, plain_hearing
from simulators.managers.rule_manager import RuleManager


def _card(kind: str, city: str) -> TaskCard:
    card = sample_scenario(3).card
    return dataclasses.replace(card, hotel=dataclasses.replace(card.hotel, kind=kind, city=city))


AIRPORT, RESORT = _card("airport", "Wuhan"), _card("resort", "Sanya")


def heard(text: str, card: TaskCard = AIRPORT, concern: str = "weather-damage", memory: Memory | None = None) -> Heard:
    return hear(content_of(text, concern, memory or Memory.of(card)))


def test_a_reason_for_another_kind_of_house_is_worth_less() -> None:
    beach = "Your guests come for the beach, and ours book the sea view first when the rate is right."
    crews = "Your guests come off late flights, and ours book the early shuttle when the rate is right."
    assert heard(beach, RESORT).worth > heard(beach, AIRPORT).worth + 0.3
    assert heard(crews, AIRPORT).worth > heard(crews, RESORT).worth + 0.3


def test_details_of_the_card_count() -> None:
    facts = AIRPORT.facts
    vague = "Many of our partners are very happy with what comes of such a step, and so would you be."
    exact = f"Partners gain {facts.exposure}% more views; {facts.competitor_name} sells at {facts.competitor_price}."
    assert heard(exact).worth > heard(vague).worth + 0.3


def test_the_same_again_is_worth_less() -> None:
    memory = Memory.of(AIRPORT)
    text = "Those two midweek nights stand empty in your calendar, and our tour groups travel midweek."
    first, second = heard(text, memory=memory), heard(text, memory=memory)
    other = heard("Breakfast from five and a late checkout: that is what our guests ask for most.", memory=memory)
    assert second.worth < first.worth - 0.2
    assert other.worth > second.worth


def test_words_that_nobody_says_are_worth_nothing() -> None:
    assert heard("Zorgle plax wibbent mof, the trindle of gworp snarks upon yeddle frimp.").worth < 0.3
    assert heard("Zorgle plax wibbent mof, the trindle of gworp snarks upon yeddle frimp.").invites < -0.2


def test_what_speaks_to_the_concern_eases() -> None:
    roof = "How is the roof after the storm? Please see to the leak first, the rate can wait until your ceiling is dry."
    assert heard(roof).eases > 0.4
    assert heard(roof, concern="late-payout").eases < 0.2
    assert heard("Could you send me your best rate for the dates?").eases < 0.1


def test_it_remembers_what_the_manager_has_shown() -> None:
    told = Memory.of(AIRPORT)
    told.shown = telling_words("The bakery next door burnt down, and all of the smoke went into our curtains.")
    text = "I am sorry about the smoke in your curtains; was the bakery insured?"
    assert heard(text, memory=told).eases > heard(text).eases


def test_who_recites_the_card_or_ticks_off_every_trouble_is_half_heard() -> None:
    hotel, facts = AIRPORT.hotel, AIRPORT.facts
    rooms = ", ".join(f"{t.room} in {t.check_in:%B}" for t in AIRPORT.tickets)
    recited = f"{hotel.name}, {hotel.city}: {rooms}, {facts.event}, {facts.competitor_name}, Grand Lotus, Silver Court."
    said = f"Guests who come to {hotel.city} for {facts.event} ask me for your {AIRPORT.tickets[0].room} first."
    assert heard(recited).worth < heard(said).worth / 2 and heard(recited).offends > 0.1 > heard(said).offends
    roof = "How is the roof after the storm? Please see to the leak first, the rate can wait until it is dry."
    listed = "Sorry for the storm, the roof, your staff, your loss, the bills, the noise, late payouts and bad guests."
    assert heard(listed).eases < heard(roof).eases / 3 and heard(listed).offends > 0.1 > heard(roof).offends


def test_insults_offend_and_courtesy_does_not() -> None:
    rude = "Are you stupid? Do as I say or I will throw your miserable hotel off our site."
    assert heard(rude).offends > 0.15 > heard("Good morning, may I ask how your week is going?").offends


@pytest.mark.parametrize("text", ["", " ", "?", "…", "你好", "1", "\u0000", "a" * 4000])
def test_any_text_has_a_worth_in_its_range(text: str) -> None:
    content = content_of(text, "image", Memory.of(AIRPORT))
    found = hear(content)
    assert all(0.0 <= value <= 1.0 for value in content[:-2])
    assert 0.0 <= found.worth <= 2.0 and 0.0 <= found.eases <= 1.0 and 0.0 <= found.offends <= 1.0
    assert -0.5 <= found.invites <= 0.4


def test_it_is_the_same_in_any_order_of_sets() -> None:
    text = "Partners gain 12% more views, and the marathon fills your street in April."
    assert content_of(text, "image", Memory.of(AIRPORT)) == content_of(text, "image", Memory.of(AIRPORT))
    assert isinstance(content_of(text, "image", Memory.of(AIRPORT)), Content)


def test_a_move_without_words_is_worth_what_plain_messages_are_on_average() -> None:
    """The numeric environment's manager hears the scripted policies' mean: of reasons, and of first messages."""
    scenarios = [sample_scenario(seed) for seed in range(3000, 3030)]
    reasons, first = [], []
    for name in ("heuristic", "intent-driven"):
        episodes = rollout(load_policy(name), scenarios, manager=RuleManager(), reward=Unscored())
        for episode, scenario in zip(episodes, scenarios, strict=True):
            memory = Memory.of(scenario.card)
            for place, turn in enumerate(episode.turns):
                found = heard(turn.text, concern="weather-damage", memory=memory)
                if any(act.kind is Act.INFORM and act.tactic in REASONS for act in turn.acts):
                    reasons.append(found)
                    first += [found] if place == 0 else []
    game = new_game(FLOATS, card_numbers(AIRPORT))
    plain = plain_hearing(FLOATS, game, move_of_action(FLOATS, 1.0, 1.0, 0.0, game))
    assert len(reasons) > 100 and len(first) == 60
    for field, within in (("worth", 0.1), ("tells", 0.03), ("eases", 0.03), ("offends", 0.03)):
        assert abs(np.mean([getattr(one, field) for one in reasons]) - getattr(plain, field)) < within, field
    assert abs(np.mean([one.invites for one in first]) - plain.invites) < 0.04


@pytest.mark.slow
def test_training_gives_the_shipped_models(tmp_path: Path) -> None:
    from policies.training.content_words import train

    areas = train(tmp_path / "words.json")
    assert areas["concerns"] > 0.8 and areas["sincere"] > 0.85 and areas["offends"] > 0.9
    made, shipped = (json.loads(p.read_text(encoding="utf-8")) for p in (tmp_path / "words.json", WORDS_PATH))
    assert made["concerns"].keys() == shipped["concerns"].keys()
    for name in ("sincere", "offends"):
        same = made[name]["weights"].keys() & shipped[name]["weights"].keys()
        assert len(same) > 0.97 * len(shipped[name]["weights"])
