"""The invented world fits itself: event, season, demand and occupancy go with the month, the city and each other."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from negotiation_env.game import world
from negotiation_env.game.lanes import ARRAYS, FLOATS, episode_seed
from negotiation_env.game.scenario import FIRST_DATE, Scenario, sample_card, sample_floors, sample_scenario

SCENARIOS = tuple(sample_scenario(seed) for seed in range(2000))
SEASON = {"L": "low", "S": "shoulder", "H": "high"}
MONTHS_OF = {
    "the school holidays": {2, 7, 8},
    "the spring trade fair": {3, 4, 5},
    "the autumn leaf season": {10, 11},
    "the lantern festival": {2},
    "the dragon boat races": {6},
    "the Mid-Autumn holiday": {9},
}


def month_of(scenario: Scenario) -> int:
    return scenario.card.tickets[0].check_in.month


def test_every_month_has_events_and_every_year_twelve_seasons() -> None:
    assert len(world.MONTH_EVENTS) == 12
    for city in world.CITIES:
        year = world.YEARS.get(city, world.YEAR)
        assert len(year) == 12
        assert set(year) <= set(SEASON)
        for events in world.MONTH_EVENTS:
            assert 2 <= len(events) <= 3
            assert any(city not in world.NOT_HELD.get(event, ()) for event in events)
    assert set(world.YEARS) | {c for cities in world.NOT_HELD.values() for c in cities} <= set(world.CITIES)
    assert set(world.NOT_HELD) <= set(world.EVENTS)


def test_the_event_fits_the_month_and_the_city() -> None:
    seen = defaultdict(set)
    for scenario in SCENARIOS:
        event, city = scenario.card.facts.event, scenario.card.hotel.city
        assert event in world.MONTH_EVENTS[month_of(scenario) - 1]
        assert city not in world.NOT_HELD.get(event, ())
        seen[event].add(month_of(scenario))
    assert set(seen) == set(world.EVENTS)
    for event, months in MONTHS_OF.items():
        assert seen[event] <= months, event


def test_the_season_is_the_citys_in_that_month() -> None:
    for scenario in SCENARIOS:
        hotel = scenario.card.hotel
        assert hotel.season == SEASON[world.YEARS.get(hotel.city, world.YEAR)[month_of(scenario) - 1]]
        assert f"{hotel.season} season" in scenario.card.text()


@pytest.mark.parametrize(
    ("city", "month", "season"),
    [("Sanya", 1, "high"), ("Sanya", 7, "low"), ("Harbin", 1, "high"), ("Hangzhou", 10, "high"), ("Xi'an", 11, "low")],
)
def test_the_years_are_as_people_know_them(city: str, month: int, season: str) -> None:
    assert SEASON[world.YEARS.get(city, world.YEAR)[month - 1]] == season


def test_every_season_is_common() -> None:
    seasons = [s.card.hotel.season for s in SCENARIOS]
    assert all(seasons.count(season) > len(seasons) / 5 for season in world.SEASONS)


def test_demand_mostly_goes_with_the_season_and_both_with_the_occupancy() -> None:
    up, full = defaultdict(list), defaultdict(list)
    for scenario in SCENARIOS:
        hotel, demand = scenario.card.hotel, scenario.card.facts.demand
        up[hotel.season].append(demand > 0)
        full[hotel.season].append(hotel.occupancy)
        assert -30 <= demand <= 30
        assert 0.2 <= hotel.occupancy <= 0.9
    rises = [float(np.mean(up[season])) for season in world.SEASONS]
    assert 0.1 < rises[0] < 0.35 < rises[1] < 0.65 < rises[2] < 0.9
    means = [float(np.mean(full[season])) for season in world.SEASONS]
    assert means[0] + 0.08 < means[1] < means[2] - 0.08
    demands = [s.card.facts.demand for s in SCENARIOS]
    occupancies = [s.card.hotel.occupancy for s in SCENARIOS]
    assert 0.3 < np.corrcoef(demands, occupancies)[0, 1] < 0.8
    assert min(occupancies) < 0.27
    assert max(occupancies) > 0.83


def test_between_a_third_and_half_of_the_tickets_have_a_floor_above_the_target() -> None:
    above = [
        floor > ticket.target_price
        for s in SCENARIOS
        for floor, ticket in zip(s.brief.floors, s.card.tickets, strict=True)
    ]
    assert 1 / 3 < np.mean(above) < 0.5


def test_many_cards_are_the_cards_of_their_seeds() -> None:
    seeds = [episode_seed(i) for i in range(400)]
    batch = np.array(seeds, dtype=np.uint64)
    cards = sample_card(ARRAYS, batch)
    floors = sample_floors(ARRAYS, batch, cards)
    for i, seed in enumerate(seeds):
        card = sample_card(FLOATS, seed)
        for name in ("season", "occupancy", "demand", "kind", "stars"):
            assert getattr(cards, name)[i] == getattr(card, name), name
        assert [column[i] for column in cards.strength[1:]] == list(card.strength[1:])
        assert [column[i] for column in floors] == list(sample_floors(FLOATS, seed, card))


def test_the_first_day_is_the_worlds() -> None:
    assert min(s.card.tickets[0].check_in for s in SCENARIOS) >= FIRST_DATE
