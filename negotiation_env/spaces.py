"""Observation spaces: one that holds real sentences, and the numeric twin's vector.

Gymnasium's ``Text`` rejects any character outside a fixed set; ``Utterance`` accepts every Unicode string up to a
length, and samples plain sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from negotiation_env.acts import MAX_TICKETS, Act, Tactic
from negotiation_env.game import SILENCE_LIMIT, GameState, open_tickets
from negotiation_env.lanes import Lanes, Num
from negotiation_env.moves import PRICE_LEVELS

_SAMPLE_WORDS = ("hello", "rate", "could", "you", "offer", "380", "for", "the", "room", "please", "exposure", "deal")


class Utterance(gym.Space[str]):
    """Every string of at most ``max_length`` characters."""

    def __init__(self, max_length: int = 4000, seed: int | np.random.Generator | None = None) -> None:
        """Make the space. ``max_length``: characters, at least 1."""
        if max_length < 1:
            raise ValueError(f"expected max_length >= 1, got {max_length}: pass a positive number of characters")
        self.max_length = max_length
        super().__init__(dtype=str, seed=seed)

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Return a few random words; masks are not supported by this space and ignored."""
        count = int(self.np_random.integers(1, 12))
        words = self.np_random.choice(np.array(_SAMPLE_WORDS), size=count)
        return " ".join(str(w) for w in words)[: self.max_length]

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a string that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    @property
    def is_np_flattenable(self) -> bool:
        """Strings have no fixed numeric form."""
        return False

    def __repr__(self) -> str:
        return f"Utterance({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Utterance) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash((Utterance, self.max_length))


def action_space() -> gym.spaces.MultiDiscrete:
    """Return the numeric twin's action space: act, tactic, price level."""
    return gym.spaces.MultiDiscrete([len(Act), len(Tactic), PRICE_LEVELS])


_TACTICS = tuple(int(t) for t in Tactic if t is not Tactic.NONE)
PER_TICKET = 9
OBSERVATION_SIZE = PER_TICKET * MAX_TICKETS + 2 * (len(Tactic) - 1) + 14
"""Length of the numeric observation; every entry lies in [-1, 2]."""


def observation(lanes: Lanes, game: GameState, lasting: Sequence[Num] | None = None) -> tuple[Num, ...]:
    """Return the public state as numbers, in the order documented here; all prices are shares of the selling price.

    Per ticket: open, target, quote, quoted, fresh, bid, agreed, refused, (quote - target) over (selling - target).
    Then: times each tactic was used (over 3), strength of the facts behind each (over 1.5), tickets (over 3), turn
    (over 20), greeted, asked, upset, wants a reason, silent streak (over its limit), ever answered, net, commission,
    stars (over 5), season (over 2), occupancy, kind (over 5). Flags stand as flags. ``lasting``: what
    ``lasting_entries`` returned for this game, so that they are not computed again.
    """
    card, last = game.card, lasting_entries(lanes, game) if lasting is None else lasting
    free = open_tickets(lanes, game)
    values: list[Num] = []
    for k in range(MAX_TICKETS):
        there = card.tickets > k
        quote, selling, target = game.quote[k], card.selling[k], card.target[k]
        gap = (quote - target) / lanes.maximum(selling - target, 1.0)
        # Nobody bids, quotes or agrees on a ticket that is not there: only its figures at the start need hiding.
        values += [
            free[k],
            last[k],
            there * quote / selling,
            game.quoted[k],
            game.fresh[k],
            lanes.minimum(game.bid[k] / selling, 2.0),
            game.agreed[k] / selling,
            game.refused[k],
            there * lanes.clip(gap, -1.0, 1.0),
        ]
    for place, tactic in enumerate(_TACTICS, MAX_TICKETS):
        values += [lanes.minimum(game.used[tactic] / 3.0, 1.0), last[place]]
    values += [
        last[-6],
        lanes.minimum(game.turn / 20.0, 1.0),
        game.greeted,
        game.asked,
        game.upset,
        game.wants_reason,
        lanes.minimum(game.silent_streak / SILENCE_LIMIT, 1.0),
        game.ever_answered,
        game.net,
        *last[-5:],
    ]
    return tuple(values)


def lasting_entries(lanes: Lanes, game: GameState) -> tuple[Num, ...]:
    """Return the entries of ``observation`` that last as long as the negotiation.

    Per ticket: target; then the strength of the facts behind each tactic, tickets, commission, stars, season,
    occupancy, kind.
    """
    card = game.card
    return (
        *((card.tickets > k) * card.target[k] / card.selling[k] for k in range(MAX_TICKETS)),
        *(game.strength[tactic] / 1.5 for tactic in _TACTICS),
        card.tickets / 3.0,
        card.commission[0],
        card.stars / 5.0,
        card.season / 2.0,
        card.occupancy,
        card.kind / 5.0,
    )


def observation_space() -> gym.spaces.Box:
    """Return the numeric twin's observation space."""
    return gym.spaces.Box(-1.0, 2.0, shape=(OBSERVATION_SIZE,), dtype=np.float32)
