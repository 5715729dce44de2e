"""Spaces: one that holds real sentences, and the numeric twin's actions and observations.

Gymnasium's ``Text`` rejects any character outside a fixed set; ``MessageSpace`` accepts every Unicode string up to a
length, and samples plain sentences.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import MAX_TICKETS, Act, Tactic
from negotiation_env.game.lanes import Lanes, Num, Trio
from negotiation_env.game.moves import PRICE_LEVELS
from negotiation_env.game.state import SILENCE_LIMIT, GameState

_SAMPLE_WORDS = ("hello", "rate", "could", "you", "offer", "380", "for", "the", "room", "please", "exposure", "deal")


class MessageSpace(gym.Space[str]):
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
        return f"MessageSpace({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageSpace) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash((MessageSpace, self.max_length))


ACTION_SIZES: Final = (len(Act), len(Tactic), PRICE_LEVELS)
"""Choices of the numeric twin's act, tactic and price level."""


def action_space() -> gym.spaces.MultiDiscrete:
    """Return the numeric twin's action space: act, tactic, price level."""
    return gym.spaces.MultiDiscrete(list(ACTION_SIZES))


def check_actions(actions: object, lanes: int | None = None) -> NDArray[np.integer[Any]]:
    """Return actions as an integer array of shape [3], or [lanes, 3].

    Raises:
        UsageError: they are no integers of that shape, or one lies outside the action space.
    """
    shape = (3,) if lanes is None else (lanes, 3)
    try:
        found = np.asarray(actions)
    except ValueError:  # rows of different lengths
        found = np.empty(0)
    if found.shape != shape or found.dtype.kind not in "iu":
        raise UsageError(
            f"expected actions as ints of shape {shape}: act, tactic, price level; got {_shown(actions, found)}: pass "
            "such an array, as action_space.sample() makes it"
        )
    if found.min() < 0 or (found.reshape(-1, 3).max(axis=0) >= ACTION_SIZES).any():
        outside = (found < 0) | (found >= ACTION_SIZES)
        wrong = found.reshape(-1, 3)[outside.reshape(-1, 3).any(axis=1)][0].tolist()
        raise UsageError(
            f"expected act, tactic and price level from 0 and below {', '.join(map(str, ACTION_SIZES))}, got {wrong}: "
            "pass an action of action_space"
        )
    return found


def _shown(actions: object, found: NDArray[Any]) -> str:
    """Say what was passed as actions: small things in full."""
    if found.size > 12 or isinstance(actions, np.ndarray):
        return f"{found.dtype} of shape {found.shape}"
    return repr(actions)


_THIRD = 1.0 / 3.0
PER_TICKET = 9
OBSERVATION_SIZE = PER_TICKET * MAX_TICKETS + 2 * (len(Tactic) - 1) + 14
"""Length of the numeric observation; every entry lies in [-1, 2]."""


class Lasting(NamedTuple):
    """What ``observation`` needs of a negotiation's card, and stays the same throughout it."""

    per_selling: Trio
    """1 over the selling price, 0 for a ticket that is not there."""
    per_gap: Trio
    """1 over the selling price less the target (at least 1), 0 for a ticket that is not there."""
    targets: Trio
    strengths: tuple[Num, ...]
    tickets: Num
    rest: tuple[Num, ...]


def observation(lanes: Lanes, game: GameState, lasting: Lasting | None = None) -> tuple[Num, ...]:
    """Return the public state as numbers, in the order documented here; all prices are shares of the selling price.

    Per ticket: open, target, quote, quoted, fresh, bid, agreed, refused, (quote - target) over (selling - target).
    Then: times each tactic was used (over 3), strength of the facts behind each (over 1.5), tickets (over 3), turn
    (over 20), greeted, asked, upset, wants a reason, silent streak (over its limit), ever answered, net, commission,
    stars (over 5), season (over 2), occupancy, kind (over 5). Flags stand as flags. ``lasting``: what ``lasting_of``
    returned for this negotiation, so that it is not computed again.
    """
    card, last = game.card, lasting_of(lanes, game) if lasting is None else lasting
    values: list[Num] = []
    for k in range(MAX_TICKETS):
        share = last.per_selling[k]
        values += [
            game.open[k],
            last.targets[k],
            game.quote[k] * share,
            game.quoted[k],
            game.fresh[k],
            lanes.minimum(game.bid[k] * share, 2.0),
            game.agreed[k] * share,
            game.refused[k],
            lanes.clip((game.quote[k] - card.target[k]) * last.per_gap[k], -1.0, 1.0),
        ]
    for strength, used in zip(last.strengths, game.used[1:], strict=True):
        values += [lanes.minimum(used * _THIRD, 1.0), strength]
    values += [
        last.tickets,
        lanes.minimum(game.turn / 20.0, 1.0),
        game.greeted,
        game.asked,
        game.upset,
        game.wants_reason,
        lanes.minimum(game.silent_streak / SILENCE_LIMIT, 1.0),
        game.ever_answered,
        game.net,
        *last.rest,
    ]
    return tuple(values)


def lasting_of(lanes: Lanes, game: GameState) -> Lasting:
    """Return what lasts of the observations of a negotiation, or of N."""
    card = game.card
    selling, target = card.selling, card.target
    there = [card.tickets > k for k in range(MAX_TICKETS)]
    per_selling = [there[k] / selling[k] for k in range(MAX_TICKETS)]
    per_gap = [there[k] / lanes.maximum(selling[k] - target[k], 1.0) for k in range(MAX_TICKETS)]
    return Lasting(
        per_selling=(per_selling[0], per_selling[1], per_selling[2]),
        per_gap=(per_gap[0], per_gap[1], per_gap[2]),
        targets=(target[0] * per_selling[0], target[1] * per_selling[1], target[2] * per_selling[2]),
        strengths=tuple([strength / 1.5 for strength in card.strength[1:]]),
        tickets=card.tickets / 3.0,
        rest=(card.commission[0], card.stars / 5.0, card.season / 2.0, card.occupancy, card.kind / 5.0),
    )


def observation_space() -> gym.spaces.Box:
    """Return the numeric twin's observation space."""
    return gym.spaces.Box(-1.0, 2.0, shape=(OBSERVATION_SIZE,), dtype=np.float32)
