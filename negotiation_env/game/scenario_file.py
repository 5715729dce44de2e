"""Scenario files: one negotiation as TOML, read field by field, and written.

The file::

    promises     a list: ids of ``world.PROMISES``, or promises in words ("a welcome drink for every guest")
    seed         optional: seed of the episode's draws; by default the file's name gives it
    [hotel]      name, city, kind, stars, season, occupancy (0 to 1)
    [facts]      exposure, conversion, competitor_name, competitor_price, event, demand;
                 optional: more, a list of further facts in words
    [[tickets]]  room, check_in, nights, selling, commission (0 to 1), target, floor

Prices are selling prices in yuan per night. The floor is the manager's alone; above the target no deal is possible. A
benchmark's case file is a scenario file with more in it.
"""

from __future__ import annotations

import zlib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import Many, Table, Text, as_toml, read_toml
from negotiation_env.game.lanes import episode_seed
from negotiation_env.game.scenario import Facts, Hotel, ManagerBrief, Scenario, TaskCard, Ticket

Price = Annotated[int, Field(gt=0, le=1_000_000)]
LongText = Annotated[str, Field(min_length=1, max_length=200)]


class _HotelTable(Table):
    name: Text
    city: Text
    kind: Literal["business", "resort", "boutique", "family", "airport", "homestay"]
    stars: Annotated[int, Field(ge=1, le=5)]
    season: Literal["low", "shoulder", "high"]
    occupancy: Annotated[float, Field(ge=0.0, le=1.0)]


class _FactsTable(Table):
    exposure: int
    conversion: int
    competitor_name: Text
    competitor_price: Price
    event: Text
    demand: int
    more: Annotated[Many[LongText], Field(max_length=10)] = ()


class _TicketTable(Table):
    room: Text
    check_in: date
    nights: Annotated[int, Field(ge=1, le=365)]
    selling: Price
    commission: Annotated[float, Field(ge=0.0, lt=1.0)]
    target: Price
    floor: Price


class ScenarioFile(Table):
    """What a scenario file holds."""

    hotel: _HotelTable
    facts: _FactsTable
    promises: Annotated[list[LongText], Field(max_length=10)]
    tickets: Annotated[list[_TicketTable], Field(min_length=1, max_length=3)]
    seed: Annotated[int, Field(ge=0)] | None = None

    def scenario(self, name: str) -> Scenario:
        """Return the scenario, called ``name``. Raises ``UsageError`` where its fields do not fit each other."""
        card = TaskCard(
            hotel=Hotel(**self.hotel.model_dump()),
            tickets=tuple(
                Ticket(t.room, t.check_in, t.nights, t.selling, t.commission, t.target) for t in self.tickets
            ),
            facts=Facts(**self.facts.model_dump()),
            promises=tuple(self.promises),
        )
        # Scenarios differ in their draws without anybody having to number them.
        seed = zlib.crc32(name.encode()) if self.seed is None else self.seed
        return Scenario(name, episode_seed(seed), card, ManagerBrief(tuple(t.floor for t in self.tickets)))


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; the scenario's id is the file's name without ``.toml``.

    Raises:
        UsageError: there is no such file.
        DataFileError: the file is no TOML, or a field is wrong: names the file, the field, what was expected and got.
    """
    if not path.is_file():
        raise UsageError(f"expected a scenario file, found none at {str(path)!r}: negotiate scenario new writes one")
    file = read_toml(path, ScenarioFile, "see negotiate scenario new; a file with checks is played by suite=PATH")
    try:
        return file.scenario(path.stem)
    except UsageError as error:
        raise DataFileError(f"{path}: {error}") from error


def load_scenario(scenario: Scenario | str | Path) -> Scenario:
    """Return the scenario given, or the one that a file holds.

    Raises:
        UsageError: there is no such file, or it is neither a scenario nor a path.
        DataFileError: the file is wrong, see ``read_scenario``.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, str | Path):
        return read_scenario(Path(scenario).expanduser())
    raise UsageError(f"expected a Scenario or the path of a scenario file, got {type(scenario).__name__}")


def scenario_toml(scenario: Scenario) -> str:
    """Return a scenario as the text of a scenario file; its draws come from the file's name once it is read again."""
    hotel, facts = scenario.card.hotel, scenario.card.facts
    lines = [
        "# A negotiation to play: gym.make(..., scenario=FILE), negotiate play --scenario FILE; see docs/own_parts.md.",
        "# Promises the agent may make: ids, or others in words of at least two.",
        f"promises = {as_toml(list(scenario.card.promises))}",
        "",
        "[hotel]",
        *(f"{key} = {as_toml(getattr(hotel, key))}" for key in _HotelTable.model_fields),
        "",
        "# All that the agent may cite: percentages, and yuan per night. more = [...] holds further facts in words.",
        "[facts]",
        *(f"{key} = {as_toml(getattr(facts, key))}" for key in _FactsTable.model_fields if key != "more" or facts.more),
    ]
    for ticket, floor in zip(scenario.card.tickets, scenario.brief.floors, strict=True):
        lines += [
            "",
            "# Selling prices in yuan per night: today's, the agent's confidential target, the hotel's private floor.",
            "[[tickets]]",
            f"room = {as_toml(ticket.room)}",
            f"check_in = {ticket.check_in.isoformat()}",
            f"nights = {ticket.nights}",
            f"selling = {ticket.selling_price}",
            f"commission = {ticket.commission}",
            f"target = {ticket.target_price}",
            f"floor = {floor}",
        ]
    return "\n".join(lines) + "\n"
