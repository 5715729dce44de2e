"""Scenarios: the hotel, its chase tickets, what the agent may use, and what only the manager knows.

``TaskCard`` is everything the agent may see; ``ManagerBrief`` is the manager's side. They are different types and
only the manager, and benchmark raters, are ever handed a brief. The numbers of a scenario can also live as arrays
(``CardNumbers``), which is how the numeric environment samples thousands at once; both roads give the same values.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.game import world
from negotiation_env.game.acts import MAX_TICKETS, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS, Lanes, Num, Trio, episode_seed
from negotiation_env.seeds import TURNS

FIRST_DATE, DAYS = date(2027, 1, 4), 330
"""The first of the days on which a scenario's first ticket may begin, and their number."""
CARD_TURN, BRIEF_TURN = TURNS["card"], TURNS["brief"]
"""Positions in the draw space that no dialogue turn reaches; scenario draws use them."""
_CITY, _DAY = 21, 23
"""Channels of a card's city and first day."""
_MONTHS: Final = tuple((FIRST_DATE + timedelta(days=day)).month - 1.0 for day in range(DAYS))
"""Month of each day, 0 for January."""
_SEASONS: Final = tuple(
    float("LSH".index(letter)) for city in world.CITIES for letter in world.YEARS.get(city, world.YEAR)
)
"""Season of each city in each month, a city's months in a row."""


class CardNumbers(NamedTuple):
    """The agent's side of a scenario as numbers: floats, or arrays of shape [N].

    Prices are selling prices in yuan per night, whole numbers. ``kind``, ``season``, ... are positions in ``world``.
    """

    tickets: Num
    """Number of tickets, 1 to 3."""
    selling: Trio
    commission: Trio
    """Share of the selling price that the platform keeps, 0.05 to 0.30."""
    target: Trio
    kind: Num
    stars: Num
    season: Num
    occupancy: Num
    """Share of rooms sold, 0 to 1."""
    exposure: Num
    """Listing views gained by partners, percent."""
    conversion: Num
    """Booking rate gained by partners, percent."""
    competitor: Num
    """A competitor's selling price for the first ticket's room, yuan."""
    demand: Num
    """Change of demand expected in the period of the event, percent (may be negative)."""
    strength: tuple[Num, ...] = ()
    """How strong these facts make each tactic, indexed by ``Tactic``, each in [0, 1.5]; see ``_with_strength``."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One room type and date range whose rate should come down.

    Attributes:
        room: room type, as both sides name it; differs from the scenario's other tickets.
        check_in: first night.
        nights: length of the date range.
        selling_price: current selling price, yuan per night.
        commission: share of the selling price that the platform keeps, 0 to 1.
        target_price: selling price the platform hopes for; confidential, never to be said to the hotel.
    """

    room: str
    check_in: date
    nights: int
    selling_price: int
    commission: float
    target_price: int

    @property
    def net_price(self) -> float:
        """What the hotel takes home now, yuan per night."""
        return self.selling_price * (1.0 - self.commission)

    @property
    def check_out(self) -> date:
        """The morning after the last night."""
        return self.check_in + timedelta(days=self.nights)


@dataclass(frozen=True, slots=True)
class Hotel:
    """The hotel, as anyone can look it up.

    Attributes:
        name, city: as both sides say them.
        kind: one of ``world.HOTEL_KINDS``.
        stars: 1 to 5.
        season: of its city at the time of the stay, one of ``world.SEASONS``.
        occupancy: share of its rooms that are sold, 0 to 1.
    """

    name: str
    city: str
    kind: str
    stars: int
    season: str
    occupancy: float


@dataclass(frozen=True, slots=True)
class Facts:
    """The only facts that the agent may cite; percentages are whole numbers.

    Attributes:
        exposure: views that partners gain, percent.
        conversion: bookings per view that partners gain, percent.
        competitor_name: a house nearby that sells a room like that of the first ticket.
        competitor_price: its selling price, yuan per night.
        event: what goes on at the time of the stay.
        demand: change of demand around the event, percent; below 0 for a fall.
    """

    exposure: int
    conversion: int
    competitor_name: str
    competitor_price: int
    event: str
    demand: int
    more: tuple[str, ...] = ()
    """Further facts in words, such as "our guests stay 2.4 nights on average"; each figure in them may be cited."""


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What the agent is given: everything here is visible to it, nothing else is.

    Raises:
        UsageError: not 1 to 3 tickets, two of one room type, a target above the selling price or not above 0, a
            commission out of [0, 1), or a promise that is neither an id nor words.
    """

    hotel: Hotel
    tickets: tuple[Ticket, ...]
    facts: Facts
    promises: tuple[str, ...]
    """The promises it may make: ids of ``world.PROMISES``, or others in words ("a welcome drink for every guest")."""

    def __post_init__(self) -> None:
        """Check what everything else relies on."""
        if not 1 <= len(self.tickets) <= MAX_TICKETS:
            raise UsageError(f"expected 1 to {MAX_TICKETS} tickets, got {len(self.tickets)}: split the scenario")
        if len({t.room for t in self.tickets}) != len(self.tickets):
            raise UsageError("expected tickets of different room types, got a repeated one: rename a room")
        for ticket in self.tickets:
            if not 0 < ticket.target_price <= ticket.selling_price:
                raise UsageError(
                    f"expected 0 < target_price <= selling_price for {ticket.room!r}, got "
                    f"{ticket.target_price} and {ticket.selling_price}: correct the ticket"
                )
            if not 0.0 <= ticket.commission < 1.0:
                raise UsageError(
                    f"expected 0 <= commission < 1 for {ticket.room!r}, got {ticket.commission}: it is a share"
                )
        for promise in self.promises:
            # One word that is no id is a slip of the pen; nobody's message could be told to be about it either.
            if promise not in world.PROMISES and len(promise.split()) < 2:
                raise UsageError(
                    f"promises: expected the id of a promise or one in at least two words, got {promise!r}."
                    f"{did_you_mean(promise, world.PROMISES)}"
                )

    def text(self) -> str:
        """Return the card as the plain text that the observation's ``task`` holds."""
        hotel, facts = self.hotel, self.facts
        lines = [
            f"You negotiate for an online travel agency with {hotel.name}, a {hotel.stars}-star {hotel.kind} hotel "
            f"in {hotel.city} ({hotel.season} season, {hotel.occupancy:.0%} occupied).",
            "Ask for lower room rates. Confidential: the target prices.",
        ]
        for i, t in enumerate(self.tickets, 1):
            lines.append(
                f"Ticket {i}: {t.room}, {t.check_in} for {t.nights} nights, selling price {t.selling_price}, "
                f"commission {t.commission:.0%}, net price {t.net_price:.0f}, target selling price {t.target_price}."
            )
        lines.append(
            f"Facts: partners gain {facts.exposure}% exposure and {facts.conversion}% conversion; "
            f"{facts.competitor_name} sells a similar room at {facts.competitor_price}; "
            f"demand changes by {facts.demand}% around {facts.event}."
        )
        if facts.more:
            lines.append(f"Also true: {'; '.join(facts.more)}.")
        lines.append("You may promise: " + ("; ".join(map(promise_text, self.promises)) or "nothing") + ".")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON-able data; further facts are left out where there are none."""
        data = asdict(self)
        for ticket in data["tickets"]:
            ticket["check_in"] = ticket["check_in"].isoformat()
        if not self.facts.more:
            del data["facts"]["more"]
        return data


def promise_text(promise: str) -> str:
    """Return a card's promise in words: what an id stands for, or the promise itself."""
    return world.PROMISES.get(promise, promise)


_FIGURE: Final = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)\s*(%|percent\b)?")


@lru_cache(maxsize=1024)
def further_figures(facts: Facts) -> tuple[tuple[float, bool], ...]:
    """Return each figure that the further facts cite, and whether it is a percentage."""
    found = [match for text in facts.more for match in _FIGURE.finditer(text)]
    return tuple((float(match[1].replace(",", "")), match[2] is not None) for match in found)


@dataclass(frozen=True, slots=True)
class ManagerBrief:
    """What only the manager knows. ``floors``: lowest selling price it can live with, per ticket, yuan per night."""

    floors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One negotiation to be played.

    Attributes:
        id: stable name, for records and reports.
        seed: 64-bit seed from which every random draw of the episode comes.
        card: the agent's side.
        brief: the manager's side; never shown to the agent, a reward, or a prompt of the policy.
    """

    id: str
    seed: int
    card: TaskCard
    brief: ManagerBrief

    def __post_init__(self) -> None:
        """Check that the private side fits the public one."""
        if len(self.brief.floors) != len(self.card.tickets):
            raise UsageError(f"expected {len(self.card.tickets)} floors, got {len(self.brief.floors)}: one per ticket")
        for floor, ticket in zip(self.brief.floors, self.card.tickets, strict=True):
            if not 0 < floor <= ticket.selling_price:
                raise UsageError(f"expected 0 < floor <= {ticket.selling_price} for {ticket.room!r}, got {floor}")


def to_net(selling: Num, commission: Num) -> Num:
    """Return the net price that a selling price leaves the hotel."""
    return selling * (1.0 - commission)


def to_selling(price: float, price_type: PriceType | None, commission: float) -> float:
    """Return ``price`` as a selling price; a price of no type is taken as one already."""
    return price / (1.0 - commission) if price_type is PriceType.NET else price


def sample_card(lanes: Lanes, seed: Num) -> CardNumbers:
    """Draw the agent's side of a scenario for every seed.

    The season is the city's in the month of the first ticket. Demand is up in three of four high seasons and down in as
    many low ones; the house is fuller where both are high.
    """
    draws = lanes.draws(seed, CARD_TURN, 18)

    def pick(channel: int, size: int) -> Num:
        return lanes.floor(draws[channel] * size)

    tickets = 1.0 + (draws[0] >= 0.45) + (draws[0] >= 0.8)
    stars = 2.0 + pick(1, 4)
    base = 90.0 + stars * 90.0 + draws[2] * stars * 50.0
    cut = 0.06 + 0.16 * draws[3]
    commission = lanes.take(world.COMMISSIONS, pick(4, len(world.COMMISSIONS)))
    selling, target = [], []
    for k in range(MAX_TICKETS):
        price = lanes.ceil(base * (1.0 + 0.35 * k * draws[5 + k]))
        selling.append(price)
        target.append(lanes.ceil(price * (1.0 - cut * (0.85 + 0.3 * draws[8 + k]))))
    city = lanes.floor(lanes.draw(seed, CARD_TURN, _CITY) * len(world.CITIES))
    month = lanes.take(_MONTHS, lanes.floor(lanes.draw(seed, CARD_TURN, _DAY) * DAYS))
    season = lanes.take(_SEASONS, city * 12.0 + month)
    demand = lanes.ceil(-30.0 + 60.0 * (0.65 * draws[17] + 0.175 * season))
    occupancy = lanes.ceil(20.0 + 38.5 * draws[11] + 10.5 * season + 0.175 * (30.0 + demand)) / 100.0
    numbers = CardNumbers(
        tickets=tickets,
        selling=(selling[0], selling[1], selling[2]),
        commission=(commission, commission, commission),
        target=(target[0], target[1], target[2]),
        kind=pick(12, len(world.HOTEL_KINDS)),
        stars=stars,
        season=season,
        occupancy=occupancy,
        exposure=lanes.ceil(5.0 + 35.0 * draws[14]),
        conversion=lanes.ceil(3.0 + 22.0 * draws[15]),
        competitor=lanes.ceil(selling[0] * (0.8 + 0.3 * draws[16])),
        demand=demand,
    )
    return _with_strength(lanes, numbers)


def sample_floors(lanes: Lanes, seed: Num, card: CardNumbers) -> Trio:
    """Draw the manager's floors (selling price, yuan). A little over half of them lie at or below the target."""
    draws = lanes.draws(seed, BRIEF_TURN, 1 + MAX_TICKETS)
    depth = 0.5 + 1.05 * draws[0]

    def floor(k: int) -> Num:
        gap = card.selling[k] - card.target[k]
        own = depth * (0.85 + 0.3 * draws[1 + k])
        return lanes.ceil(card.selling[k] - gap * own)

    return (floor(0), floor(1), floor(2))


def _with_strength(lanes: Lanes, card: CardNumbers) -> CardNumbers:
    """Return a card's numbers with how strong its facts make each tactic.

    Ours: exposure and conversion grow with the uplift offered, a competitor counts when it sells for less, the calendar
    counts when demand falls, fit counts for empty houses, partnership and pressure are flat.
    """
    one = lanes.full(card.tickets, 1.0)
    strength = (
        lanes.full(card.tickets, 0.0),
        lanes.clip(card.exposure / 25.0, 0.2, 1.5),
        lanes.clip(card.conversion / 15.0, 0.2, 1.5),
        lanes.clip((card.selling[0] - card.competitor) / card.selling[0] * 10.0 + 0.3, 0.0, 1.5),
        lanes.clip(0.5 - card.demand / 30.0, 0.1, 1.5),
        lanes.clip(1.6 - 1.5 * card.occupancy, 0.2, 1.2),
        one * 0.7,
        one,
    )
    return card._replace(strength=strength)


def sample_scenario(seed: int) -> Scenario:
    """Draw the scenario of a user's seed (any non-negative integer). Raises ``UsageError`` on one below 0."""
    if seed < 0:
        raise UsageError(f"expected a seed >= 0, got {seed}: pass a non-negative integer")
    return scenario_of(f"sampled-{seed}", episode_seed(seed))


def scenario_of(name: str, seed: int) -> Scenario:
    """Draw the scenario of a 64-bit episode seed and give it a name."""
    numbers = sample_card(FLOATS, seed)
    floors = sample_floors(FLOATS, seed, numbers)
    count = int(numbers.tickets)
    return Scenario(name, seed, _card(seed, numbers), ManagerBrief(tuple(int(f) for f in floors[:count])))


def _card(seed: int, numbers: CardNumbers) -> TaskCard:
    """Give the numbers their names and dates."""

    def pick(channel: int, size: int) -> int:
        return int(FLOATS.draw(seed, CARD_TURN, channel) * size)

    kind, count = int(numbers.kind), int(numbers.tickets)
    start = f"{world.NAME_STARTS[pick(20, len(world.NAME_STARTS))]} {world.KIND_SUFFIX[kind]}"
    city, first_day = world.CITIES[pick(_CITY, len(world.CITIES))], FIRST_DATE + timedelta(days=pick(_DAY, DAYS))
    events = [e for e in world.MONTH_EVENTS[first_day.month - 1] if city not in world.NOT_HELD.get(e, ())]
    first_room = pick(22, len(world.ROOM_TYPES))
    tickets = tuple(
        Ticket(
            room=world.ROOM_TYPES[(first_room + k) % len(world.ROOM_TYPES)],
            check_in=first_day + timedelta(days=3 * k),
            nights=2 + pick(24 + k, 12),
            selling_price=int(numbers.selling[k]),
            commission=float(numbers.commission[k]),
            target_price=int(numbers.target[k]),
        )
        for k in range(count)
    )
    names = tuple(world.PROMISES)
    first, allowed = pick(27, len(names)), 1 + pick(28, 3)
    return TaskCard(
        hotel=Hotel(
            name=start,
            city=city,
            kind=world.HOTEL_KINDS[kind],
            stars=int(numbers.stars),
            season=world.SEASONS[int(numbers.season)],
            occupancy=float(numbers.occupancy),
        ),
        tickets=tickets,
        facts=Facts(
            exposure=int(numbers.exposure),
            conversion=int(numbers.conversion),
            competitor_name=world.COMPETITORS[pick(29, len(world.COMPETITORS))],
            competitor_price=int(numbers.competitor),
            event=events[pick(30, len(events))],
            demand=int(numbers.demand),
        ),
        promises=tuple(names[(first + j) % len(names)] for j in range(allowed)),
    )


def card_numbers(card: TaskCard) -> CardNumbers:
    """Return a card's numbers, for the game and the dynamics. Absent tickets repeat the last one."""

    def trio(values: list[float]) -> Trio:
        padded = values + [values[-1]] * (MAX_TICKETS - len(values))
        return (padded[0], padded[1], padded[2])

    hotel, facts = card.hotel, card.facts
    numbers = CardNumbers(
        tickets=float(len(card.tickets)),
        selling=trio([float(t.selling_price) for t in card.tickets]),
        commission=trio([t.commission for t in card.tickets]),
        target=trio([float(t.target_price) for t in card.tickets]),
        kind=float(world.HOTEL_KINDS.index(hotel.kind) if hotel.kind in world.HOTEL_KINDS else 0),
        stars=float(hotel.stars),
        season=float(world.SEASONS.index(hotel.season) if hotel.season in world.SEASONS else 1),
        occupancy=hotel.occupancy,
        exposure=float(facts.exposure),
        conversion=float(facts.conversion),
        competitor=float(facts.competitor_price),
        demand=float(facts.demand),
    )
    return _with_strength(FLOATS, numbers)


def fact_figure(facts: Facts, tactic: Tactic) -> int | None:
    """Return the true figure behind a tactic, or None if it has none."""
    figures = {
        Tactic.EXPOSURE: facts.exposure,
        Tactic.CONVERSION: facts.conversion,
        Tactic.COMPETITOR: facts.competitor_price,
        Tactic.CALENDAR: facts.demand,
    }
    return figures.get(tactic)
