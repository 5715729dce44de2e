"""Two number systems with one interface: plain floats for one negotiation, NumPy arrays for a batch.

The game, the reward features and the manager's dynamics are written once, against ``Lanes``. ``FLOATS`` runs
them on Python numbers (the text environment: one negotiation is about eight times faster on floats than on arrays of
length one); ``ARRAYS`` runs them on float64 arrays of shape [N] (the numeric environment). Only operations that
IEEE 754 rounds exactly are used (+ - * / min max compare ceil floor), so both give bit-identical results, whatever N
is. Flags are bools: ``a & b``, ``a | b``, and ``a ^ True`` for not, which Python and NumPy read alike; in products
with numbers, and sums with numbers or tallies, they count as 0 and 1.
``some(flag)`` lets a rare branch be skipped when no lane needs it.

Randomness is a pure function of (seed, turn, channel): a counter-based generator (the finaliser of SplitMix64,
Steele et al. 2014) with no state, so a draw does not depend on batch size, order, or what was drawn before.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from negotiation_env.game.acts import MAX_TICKETS

Num: TypeAlias = Any
"""A Python number, or a float64 array of shape [N]."""
Flag: TypeAlias = Any
"""A Python bool, or a bool array of shape [N]."""
Trio: TypeAlias = tuple[Any, Any, Any]
"""One ``Num`` or ``Flag`` for each of the (at most three) tickets."""

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_CHANNEL = 0xD1B54A32D192ED03
_TO_UNIT, _TO_UNIT_16 = 2.0**-53, 2.0**-16


def _mix(x: Any) -> Any:
    """SplitMix64's finaliser, on a Python int or a uint64 array."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


class Lanes(Protocol):
    """The operations that the game and the dynamics may use."""

    def where(self, condition: Flag, yes: Num, no: Num) -> Num:
        """Return ``yes`` where the flag is set, else ``no``."""
        ...

    def minimum(self, a: Num, b: Num) -> Num:
        """Return the smaller number."""
        ...

    def maximum(self, a: Num, b: Num) -> Num:
        """Return the larger number."""
        ...

    def clip(self, x: Num, low: float, high: float) -> Num:
        """Return ``x`` brought into [low, high]."""
        ...

    def ceil(self, x: Num) -> Num:
        """Round up to a whole number."""
        ...

    def floor(self, x: Num) -> Num:
        """Round down to a whole number."""
        ...

    def tickets(self, count: Num) -> range:
        """Return the ticket positions to loop over."""
        ...

    def some(self, flag: Flag) -> bool:
        """Return whether the flag is set in any lane."""
        ...

    def flag(self, like: Num, value: bool) -> Flag:
        """Return a constant flag of the shape of ``like``."""
        ...

    def full(self, like: Num, value: float) -> Num:
        """Return a constant number of the shape of ``like``."""
        ...

    def tally(self, like: Num) -> Num:
        """Return a count of 0, to which flags are added; it stays below 128."""
        ...

    def numbers(self, *values: Any) -> tuple[Num, ...]:
        """Return numbers, tallies and flags as floats or float64 arrays [N]."""
        ...

    def take(self, table: Any, index: Num) -> Num:
        """Return ``table[index]``."""
        ...

    def place(self, edges: Sequence[float], x: Num) -> Num:
        """Return how many of the ascending edges are at most ``x``."""
        ...

    def draw(self, seed: Num, turn: Num, channel: int) -> Num:
        """Return each seed's uniform number in [0, 1) for a turn and a channel."""
        ...

    def draws(self, seed: Num, turn: Num, count: int) -> Sequence[Num]:
        """Return uniform numbers in [0, 1) of 16 bits each, four from the bits of every channel from 0 on."""
        ...

    def fork(self, seed: Num, label: int) -> Num:
        """Return new 64-bit seeds that depend on ``seed`` and ``label`` alone."""
        ...


class FloatLanes:
    """One negotiation on Python numbers."""

    @staticmethod
    def where(condition: bool, yes: Any, no: Any) -> Any:
        """Return ``yes`` if ``condition`` else ``no``."""
        return yes if condition else no

    minimum = staticmethod(min)
    maximum = staticmethod(max)
    some = staticmethod(bool)

    @staticmethod
    def tickets(count: float) -> range:
        """Return the positions to loop over: those of the scenario's tickets."""
        return range(int(count))

    @staticmethod
    def clip(x: float, low: float, high: float) -> float:
        """Return ``x`` brought into [low, high]."""
        return low if x < low else high if x > high else x

    @staticmethod
    def ceil(x: float) -> float:
        """Round up to a whole number, as a float."""
        return float(math.ceil(x))

    @staticmethod
    def floor(x: float) -> float:
        """Round down to a whole number, as a float."""
        return float(math.floor(x))

    @staticmethod
    def flag(like: Any, value: bool) -> bool:
        """Return a constant flag."""
        return value

    @staticmethod
    def full(like: Any, value: float) -> float:
        """Return a constant number."""
        return value

    @staticmethod
    def tally(like: Any) -> int:
        """Return a count of 0."""
        return 0

    @staticmethod
    def numbers(*values: Any) -> tuple[float, ...]:
        """Return the values as floats."""
        return tuple(map(float, values))

    @staticmethod
    def take(table: Any, index: Any) -> float:
        """Return ``table[index]``."""
        return float(table[int(index)])

    @staticmethod
    def place(edges: Sequence[float], x: float) -> float:
        """Return how many of the ascending edges are at most ``x``."""
        return float(bisect_right(edges, x))

    @staticmethod
    def draw(seed: int, turn: float, channel: int) -> float:
        """Return this seed's uniform number in [0, 1) for a turn and a channel."""
        x = (seed + (int(turn) + 1) * _GAMMA + (channel + 1) * _CHANNEL) & _MASK
        return float((_mix(x) >> 11) * _TO_UNIT)

    @staticmethod
    def draws(seed: int, turn: float, count: int) -> list[float]:
        """Return ``count`` uniform numbers of 16 bits each for a turn."""
        start = seed + (int(turn) + 1) * _GAMMA
        words = [_mix((start + c * _CHANNEL) & _MASK) for c in range(1, 1 + -(-count // 4))]
        return [((words[i >> 2] >> 16 * (i & 3)) & 0xFFFF) * _TO_UNIT_16 for i in range(count)]

    @staticmethod
    def fork(seed: int, label: int) -> int:
        """Return a new 64-bit seed that depends on ``seed`` and ``label`` alone."""
        return int(_mix((seed + (label + 1) * _GAMMA) & _MASK))


class Rows(tuple[Any, ...]):
    """The rows of a float64 array [K, N]; NumPy takes the array back without a copy."""

    def __new__(cls, matrix: NDArray[np.float64]) -> Rows:
        """Take over the array, which is read-only from now on."""
        matrix.flags.writeable = False
        rows = super().__new__(cls, matrix)
        rows._matrix = matrix
        return rows

    _matrix: NDArray[np.float64]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the array."""
        return np.array(self._matrix, dtype=dtype, copy=copy)


class ArrayLanes:
    """N negotiations on float64 arrays of shape [N]; seeds are uint64 arrays."""

    @staticmethod
    def where(condition: Any, yes: Any, no: Any) -> Any:
        """Return ``yes`` where the flag is set, else ``no``; both finite.

        Blended, not selected: ``np.where`` branches per element and takes twice as long on flags without a pattern.
        A finite number times 1 plus one times 0 is itself, so the result is exact.
        """
        if isinstance(yes, np.ndarray) and yes.dtype.kind == "b":
            return (condition & yes) | (no & (condition ^ True))
        if isinstance(no, float) and no == 0.0:
            return yes * condition
        blend = yes * condition
        blend += no * (condition ^ True)
        return blend

    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)
    ceil = staticmethod(np.ceil)
    floor = staticmethod(np.floor)

    @staticmethod
    def tickets(count: Any) -> range:
        """Return the positions to loop over: all that any lane may have."""
        return range(MAX_TICKETS)

    @staticmethod
    def some(flag: Any) -> bool:
        """Return whether the flag is set in any lane."""
        return bool(flag.any())

    @staticmethod
    def clip(x: Any, low: float, high: float) -> Any:
        """Return ``x`` brought into [low, high]."""
        return x.clip(low, high)

    @staticmethod
    def flag(like: Any, value: bool) -> Any:
        """Return a constant flag of the shape of ``like``."""
        return np.full(np.shape(like), True) if value else np.zeros(np.shape(like), np.bool_)

    @staticmethod
    def full(like: Any, value: float) -> Any:
        """Return a constant number of the shape of ``like``."""
        return np.full(np.shape(like), float(value)) if value else np.zeros(np.shape(like))

    @staticmethod
    def tally(like: Any) -> Any:
        """Return counts of 0, one byte each: adding flags to them takes a third of the time of floats."""
        return np.zeros(np.shape(like), np.int8)

    @staticmethod
    def numbers(*values: Any) -> tuple[Any, ...]:
        """Return the values as float64 arrays, read-only so that results made of them can be kept."""
        return Rows(np.array(values, dtype=np.float64))

    @staticmethod
    def take(table: Any, index: Any) -> Any:
        """Return ``table[index]``, elementwise."""
        return np.asarray(table)[np.asarray(index).astype(np.intp)]

    @staticmethod
    def place(edges: Sequence[float], x: Any) -> Any:
        """Return how many of the ascending edges are at most ``x``, elementwise."""
        return np.searchsorted(edges, x, side="right").astype(np.float64)

    @staticmethod
    def draw(seed: Any, turn: Any, channel: int) -> Any:
        """Return each seed's uniform number in [0, 1) for a turn and a channel."""
        count = np.atleast_1d(turn).astype(np.uint64) + np.uint64(1)
        x = seed + count * np.uint64(_GAMMA) + np.uint64((channel + 1) * _CHANNEL & _MASK)
        return (_mix(x) >> np.uint64(11)).astype(np.float64) * _TO_UNIT

    @staticmethod
    def draws(seed: Any, turn: Any, count: int) -> Any:
        """Return ``count`` uniform numbers of 16 bits each for a turn, shape [count, N]."""
        start = seed + (np.atleast_1d(turn).astype(np.uint64) + np.uint64(1)) * np.uint64(_GAMMA)
        channels = np.array([c * _CHANNEL & _MASK for c in range(1, 1 + -(-count // 4))], dtype=np.uint64)
        words = _mix(start + channels[:, None])
        units = np.empty((len(channels), 4, len(seed)))
        units[:] = words.astype("<u8", copy=False).view("<u2").reshape(len(channels), -1, 4).transpose(0, 2, 1)
        units *= _TO_UNIT_16
        return units.reshape(-1, len(seed))[:count]

    @staticmethod
    def fork(seed: Any, label: Any) -> Any:
        """Return new 64-bit seeds that depend on ``seed`` and ``label`` alone."""
        step = np.atleast_1d(label).astype(np.uint64) + np.uint64(1)
        return _mix(seed + step * np.uint64(_GAMMA))


FLOATS = FloatLanes()
ARRAYS = ArrayLanes()


def episode_seed(seed: int) -> int:
    """Return the 64-bit seed of the episode that a user's non-negative ``seed`` names."""
    return FloatLanes.fork(seed & _MASK, 0)
