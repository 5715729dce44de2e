"""Concerns: what weighs on a hotel manager, how it shows, and what is said when it is eased or brushed aside.

``concerns.toml`` holds the twenty concerns of the written dialogues, each with the houses that it fits and its lines.
One is drawn for every episode, from its seed alone (``draw_concern``). It is private as the floors are: it enters no
observation, info, reward or prompt of the policy, and the agent learns of it by what the manager says. A line may
stand before any of the manager's answers without changing how that answer is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.files import Many, Table, Text, read_toml
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Hotel, TaskCard
from negotiation_env.seeds import TURNS

PATH: Final = Path(__file__).with_suffix(".toml")
CONCERN_TURN: Final = TURNS["concern"]
"""Position in the draw space at which the concern is drawn."""
CONCERNS: Final = (
    "renovation-costs", "staff-shortage", "commission", "last-promotion", "head-office", "price-war", "regulars",
    "parity", "event-demand", "late-payout", "bad-guests", "overbooking", "bereavement", "weather-damage", "image",
    "utility-costs", "new-in-job", "empty-midweek", "long-stays", "distrust-calls",
)  # fmt: skip
"""Every concern, in the order in which they are drawn."""
MANNERS: Final[dict[str, tuple[str, ...]]] = {
    "angry": ("angry", "dry"),
    "curt": ("dry", "angry"),
    "formal": ("formal", "dry"),
    "plain": ("tired", "dry", "formal"),
    "upset": ("tired", "angry"),
    "warm": ("chatty", "tired"),
}
"""The manners in which a persona of a tone lets its concern show."""

Kind = Literal["business", "resort", "boutique", "family", "airport", "homestay"]
Season = Literal["low", "shoulder", "high"]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound first")
    return bounds


Stars = Annotated[Many[Annotated[int, Field(ge=1, le=5)]], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
Shares = Annotated[
    Many[Annotated[float, Field(ge=0.0, le=1.0)]], Field(min_length=2, max_length=2), AfterValidator(_ordered)
]


class HouseFit(Table):
    """Which houses something fits; what is left out fits all of them."""

    kinds: Many[Kind] = ()
    """Kinds of hotel; none named stands for every kind."""
    stars: Stars = (1, 5)
    """Fewest and most stars."""

    def fits(self, hotel: Hotel) -> bool:
        """Whether it fits a hotel."""
        return self.suits(hotel.kind, hotel.stars)

    def suits(self, kind: str, stars: int) -> bool:
        """Whether it fits hotels of a kind with so many stars."""
        return (not self.kinds or kind in self.kinds) and self.stars[0] <= stars <= self.stars[1]


class Circumstances(HouseFit):
    """Which houses something fits, and at what time of theirs."""

    seasons: Many[Season] = ()
    """None named stands for every season."""
    occupancy: Shares = (0.0, 1.0)
    """Lowest and highest share of rooms sold."""

    def fits(self, hotel: Hotel) -> bool:
        """Whether it fits a hotel as it is now."""
        season = not self.seasons or hotel.season in self.seasons
        return HouseFit.fits(self, hotel) and season and self.occupancy[0] <= hotel.occupancy <= self.occupancy[1]


Lines = Annotated[Many[Text], Field(min_length=1)]


class Shown(Table):
    """Lines in which a manager lets a concern show, by manner."""

    dry: Lines
    tired: Lines
    angry: Lines
    chatty: Lines
    formal: Lines


class Concern(Table):
    """One concern. Its lines tell one story, so that several of them may be said in one talk."""

    fits: Circumstances = Circumstances()
    brief: Lines
    """A sentence to the manager itself, for a language model's prompt; any of them."""
    shown: Shown
    eased: Lines
    """What the manager says when the agent has really spoken to it."""
    inflamed: Lines
    """What it says when it is mocked or brushed aside."""

    def showing(self, tone: str | None = None) -> tuple[str, ...]:
        """Return the lines in which a persona of a tone lets it show; every line for None or a tone without manners."""
        manners = MANNERS.get(tone or "", tuple(Shown.model_fields))
        return tuple(line for manner in manners for line in getattr(self.shown, manner))

    @property
    def lines(self) -> tuple[str, ...]:
        """Every line that a manager may say of it."""
        return self.showing() + self.eased + self.inflamed


@cache
def concerns() -> dict[str, Concern]:
    """Return the shipped concerns by name, in the order of ``CONCERNS``."""
    found = read_toml(PATH, dict[str, Concern])
    if set(found) != set(CONCERNS):
        raise UsageError(f"expected the concerns {sorted(CONCERNS)} in {PATH}, got {sorted(found)}: add or remove some")
    return {name: found[name] for name in CONCERNS}


def concern(name: str) -> Concern:
    """Return a concern by name.

    Raises:
        UsageError: there is no such concern.
    """
    if name not in concerns():
        raise UsageError(f"expected a concern, got {name!r}: pass one of them.{did_you_mean(name, CONCERNS)}")
    return concerns()[name]


def draw_concern(card: TaskCard, seed: int, among: Sequence[str] = ()) -> str:
    """Return the concern of the manager whom a 64-bit episode seed seats in the card's hotel.

    It is drawn, evenly, among those that fit the hotel. ``among``: the concerns that the persona may have
    (``Persona.concerns``), empty for all; where none of these fits the hotel any of them is drawn.
    """
    known = among or CONCERNS
    fitting = [name for name in known if concern(name).fits.fits(card.hotel)] or list(known)
    return fitting[int(FLOATS.draw(seed, CONCERN_TURN, 0) * len(fitting))]


def in_words(line: str, hotel: Hotel) -> str:
    """Return a line with the house's words filled in."""
    return line.format(hotel=hotel.name, city=hotel.city)
