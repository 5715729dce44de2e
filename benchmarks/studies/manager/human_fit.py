"""A persona fitted to how people sell: the numbers of ``human-mix``, from a file in CraigslistBargain's format.

People's deals are told as ``human_likeness`` tells them; a persona's are those of talks with its plain buyer. What is
fitted are numbers of ``Decides``, one after the other along a grid, so long as the deals come nearer to people's; only
every second deal of the file is fitted to, the others tell how near it came. No text of the file enters the persona.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from benchmarks.studies.manager.human_likeness import Bargain, Distances, PlainBuyer, distances, manager_bargains
from benchmarks.studies.manager.manager_talks import play_talks, played_by, scenarios_where
from negotiation_env.errors import UsageError
from simulators.managers.rule_manager import RuleManager
from simulators.personas import Persona, parse_persona

GRID: Final[dict[str, tuple[float, ...]]] = {
    "beta": (0.3, 0.5, 0.8, 1.2, 1.8, 2.7, 4.0),
    "time_weight": (0.2, 0.35, 0.5, 0.65, 0.8, 0.95),
    "deadline": (3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
    "takes": (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5),
    "keeps": (0.0, 0.3, 0.6, 1.0),
    "meets": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "moves": (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
    "step": (0.0, 0.01, 0.02, 0.035, 0.05, 0.08),
    "patience": (2.0, 3.0, 4.0, 5.5, 7.0),
    "answers": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "keeps_answering": (0.8, 0.85, 0.9, 0.95, 1.0),
    "reciprocity": (0.0, 0.2, 0.4, 0.7, 1.0),
}
"""What is fitted, in this order, and the values that are tried."""
FIRST: Final[dict[str, float]] = {
    "beta": 0.8, "time_weight": 0.65, "deadline": 4.0, "takes": 1.0, "keeps": 0.0, "meets": 0.6, "moves": 0.1,
    "step": 0.05, "patience": 4.0, "answers": 0.9, "keeps_answering": 0.9, "reciprocity": 0.4,
}  # fmt: skip
"""Where the search begins."""
GIVEN: Final[dict[str, float]] = {
    "concern": 0.1, "mood": 0.2, "temper": 0.3, "forgiving": 0.6, "trust": 0.7, "wants_reason": 0.2,
}  # fmt: skip
"""What such a file does not tell: sellers of used goods are not upset, and nobody lies to them."""
FAR: Final = Distances(area=0.1, moves=0.35, buyers_figure=0.15, messages=0.6)
"""Distances that weigh the same in the fit: about a third of what the manager had before it heard content."""
LEAST_DEALS: Final = 0.5
"""Share of the talks below which ending without a deal counts as distance."""


class HumanFit(NamedTuple):
    """What a fit came to."""

    decides: dict[str, float]
    deals: int
    fitted: Distances
    """From the deals that were fitted to."""
    apart: Distances
    """From the others."""


def halves(people: Sequence[Bargain]) -> tuple[list[Bargain], list[Bargain]]:
    """Return the deals to fit to, and the others."""
    return list(people[::2]), list(people[1::2])


def loss(apart: Distances, share: float) -> float:
    """Return how far deals are from people's in all; ``share``: of the talks that were deals."""
    return sum(a / far for a, far in zip(apart, FAR, strict=True)) + 10.0 * max(0.0, LEAST_DEALS - share)


def fit_people(
    people: Sequence[Bargain], talks: int, sweeps: int, tell: Callable[[str], None] = lambda line: None
) -> HumanFit:
    """Fit a persona to people's deals.

    Args:
        people: deals, see ``human_likeness.human_bargains``; at least 20.
        talks: talks that a set of numbers is tried in.
        sweeps: times that all numbers are gone through.
        tell: is told of every step.

    Raises:
        UsageError: there are too few deals.
    """
    if len(people) < 20:
        raise UsageError(f"expected at least 20 deals to fit to, got {len(people)}: name a larger file")
    known, others = halves(people)
    scenarios = scenarios_where("tuning", talks, lambda s: len(s.card.tickets) == 1)

    def deals_of(numbers: dict[str, float]) -> list[Bargain]:
        manager = RuleManager([human_mix(numbers)])
        return manager_bargains(play_talks(played_by(PlainBuyer()), scenarios, manager))

    def tried(numbers: dict[str, float]) -> float:
        deals = deals_of(numbers)
        return loss(distances(deals, known), len(deals) / talks) if len(deals) > 5 else float("inf")

    best = dict(FIRST)
    least = tried(best)
    for sweep in range(sweeps):
        before = least
        for name, values in GRID.items():
            place = values.index(best[name])
            for step in (1, -1):
                while 0 <= place + step < len(values):
                    found = tried({**best, name: values[place + step]})
                    if found >= least:
                        break
                    place, least, best[name] = place + step, found, values[place + step]
            tell(f"sweep {sweep + 1}, {name}: {best[name]:g}, distance {least:.3f}")
        if least == before:
            break
    deals = deals_of(best)
    return HumanFit(best, len(deals), distances(deals, known), distances(deals, others))


def human_mix(numbers: dict[str, float]) -> Persona:
    """Return the persona of fitted numbers."""
    return parse_persona({"name": "human-mix", "decides": {**GIVEN, **numbers}}, "a fitted persona")


def as_file(fit: HumanFit, talks: int) -> str:
    """Return a fitted persona's TOML text."""
    near = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in fit.apart._asdict().items())
    decides = "\n".join(f"{name} = {value:g}" for name, value in {**fit.decides, **GIVEN}.items())
    return FILE.format(talks=talks, near=near, decides=decides)


FILE: Final = """\
# Fitted to people's deals by `negotiate persona fit`, in {talks} talks with the plain buyer. Distances from deals that
# it was not fitted to: {near}.
name = "human-mix"
title = "hotel manager who bargains as people do"
description = "You run a hotel and bargain as most people do: you come down once or not at all, and take what is near."
voice = "Plain and friendly, in short sentences."
weight = 0.0                # asked for by name; never drawn beside the others

[decides]
{decides}
"""
