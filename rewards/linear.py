"""Weights of the small linear scorers: act-level features, a few products of them, and words and word pairs.

Marks stand for what lower-cased words do not show of a text (``text_marks``); the scorers read them like words.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from negotiation_env.errors import DataFileError
from negotiation_env.game.features import FEATURE_INDEX, FEATURES
from negotiation_env.game.lanes import Num
from negotiation_env.play.protocols import ReplyView

_BEYOND_LATIN: Final = re.compile("[\u0250-\U0010ffff]")
_LONG: Final = 400
_LABEL: Final = 24
_ENDS: Final = frozenset(".?!。？！)")
_CODE: Final = re.compile(r"[*#`{}\[\]|<>\n]")


T = TypeVar("T")
_REMEMBERED: Final = 2048
_LONGEST_REMEMBERED: Final = 600
"""Characters of a text that is remembered: of longer ones the memory would be too large."""


def remembered(look: Callable[[str], T]) -> Callable[[str], T]:
    """Return a way to look at a text that remembers what it saw.

    Every later turn compares its message with the earlier ones. There is room for eight messages in each talk of a
    batch of 256; a memory that both sides shared made a step a sixth longer. ``look`` returns tuples of strings, which
    the garbage collector leaves alone: thousands of sets would cost more than they save.
    """
    kept = lru_cache(maxsize=_REMEMBERED)(look)

    def looked(text: str) -> T:
        return kept(text) if len(text) <= _LONGEST_REMEMBERED else look(text)

    return looked


def text_marks(view: ReplyView) -> list[str]:
    """Return the marks of a reply; none for an honest sentence, as a rule.

    "<capitals>" only capitals; "<signs>" rows of "!" or "?"; "<unfinished>" no full stop at its end; "<foreign>"
    another script; "<code>" signs of markup or code; "<label>" a colon near its beginning; "<long>" over 400
    characters; "<own>" and "<manager's>" what one of both just said, word for word; "<twice>" a word said twice
    in a row.
    """
    text = view.text
    if not text:
        return []
    words = view.words
    marks = []
    if text.isupper():
        marks.append("<capitals>")
    if "!!" in text or "??" in text:
        marks.append("<signs>")
    if text[-1] not in _ENDS:
        marks.append("<unfinished>")
    if not text.isascii() and any(map(str.isalpha, _BEYOND_LATIN.findall(text))):
        marks.append("<foreign>")
    if _CODE.search(text):
        marks.append("<code>")
    if ":" in text[:_LABEL]:
        marks.append("<label>")
    if len(text) > _LONG:
        marks.append("<long>")
    if any(map(str.__eq__, words, words[1:])):
        marks.append("<twice>")
    if view.agent_said and view.agent_said[-1].text == text:
        marks.append("<own>")
    if view.manager_said and view.manager_said[-1].text == text:
        marks.append("<manager's>")
    return marks


Array: TypeAlias = NDArray[np.float64]

INTERACTIONS = (
    ("take_cut", "late"), ("take_above_target", "late"), ("nothing_new", "late"), ("stale_reason", "late"),
    ("fresh_reason", "late"), ("fresh_reason", "greet_first"), ("fresh_reason", "bid_with_reason"),
    ("bid_small_step", "late"), ("ask_again", "late"), ("press_at_target", "fresh_reason"),
    ("soothe_upset", "fresh_reason"), ("bid_small_step", "bid_small_step"),
)  # fmt: skip
"""Products of two features, appended to ``FEATURES``. The square lets steps on several tickets count little more than
one."""
INPUTS = (*FEATURES, *(f"{a}*{b}" for a, b in INTERACTIONS))
PAIRS = tuple((FEATURE_INDEX[a], FEATURE_INDEX[b]) for a, b in INTERACTIONS)
GRID = 65536.0
"""Weights, and inputs of moves without text, are multiples of 1/GRID."""
REAL = tuple(FEATURE_INDEX[name] for name in ("fresh_reason", "take_cut", "late"))
"""Features that are no whole numbers by nature."""
BLOCK = 2048
"""Moves per matrix product: small enough for one thread, since handing parts to others takes longer."""
MOST_WORDS = 200
"""Words of a reply that are read; longer replies break the length rules anyway."""


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """A linear scorer of K outputs.

    Attributes:
        outputs: names of the K outputs.
        acts: weights of ``INPUTS``, shape [len(INPUTS), K].
        bias: shape [K].
        words: the vocabulary; "a b" is a pair of neighbouring words, "<a>" a mark (``text_marks``). Each counts once.
        word_weights: shape [len(words), K].
        text_mean: mean contribution of an honest reply's words, shape [K]; stands in where there is no text.
        low, high: limits of the words' contribution, shape [K]: words alone cannot buy a good score.
    """

    outputs: tuple[str, ...]
    acts: Array
    bias: Array
    words: tuple[str, ...]
    word_weights: Array
    text_mean: Array
    low: Array
    high: Array
    _rows: tuple[tuple[float, tuple[float, ...]], ...] = field(init=False, repr=False)
    _whole: Array = field(init=False, repr=False)
    """Weights of the features that are whole numbers, 0 for the others, shape [K, len(FEATURES)]."""
    _real: Array = field(init=False, repr=False)
    """Weights of ``REAL`` and of the products, shape [K, len(REAL) + len(PAIRS)]."""

    def __post_init__(self) -> None:
        """Put the weights on the grid and keep them as floats too."""
        for name in ("acts", "bias", "text_mean", "word_weights"):
            object.__setattr__(self, name, np.rint(getattr(self, name) * GRID) / GRID)
        rows = zip(self.bias.tolist(), map(tuple, self.acts.T.tolist()), strict=True)
        object.__setattr__(self, "_rows", tuple(rows))
        whole = self.acts[: len(FEATURES)].copy()
        whole[list(REAL)] = 0.0
        object.__setattr__(self, "_whole", np.ascontiguousarray(whole.T))
        real = self.acts[[*REAL, *range(len(FEATURES), len(INPUTS))]]
        object.__setattr__(self, "_real", np.ascontiguousarray(real.T))

    def save(self, path: Path) -> None:
        """Write the weights as float32 arrays."""
        np.savez_compressed(
            path,
            allow_pickle=False,
            inputs=np.array(INPUTS),
            outputs=np.array(self.outputs),
            words=np.array(self.words),
            **{name: getattr(self, name).astype(np.float32) for name in _NUMBERS},
        )

    def act_parts(self, features: tuple[Num, ...]) -> list[Num]:
        """Return bias and acts' share of every output, each a float or an array [N].

        Weights and inputs lie on a grid of 2^-16, so every sum is exact: a matrix product over N moves gives the same
        bits as one move alone, in whatever order it adds.
        """
        if not isinstance(features[0], np.ndarray):
            values = list(features)
            for i in REAL:
                values[i] = _snap(values[i])
            inputs = [(i, _snap(float(x))) for i, x in enumerate(inputs_of(values)) if x]
            return [bias + sum(x * row[i] for i, x in inputs) for bias, row in self._rows]
        whole, real = _stack(features)
        parts: Array = np.empty((len(self.bias), whole.shape[1]))
        for start in range(0, whole.shape[1], BLOCK):
            block = slice(start, start + BLOCK)
            parts[:, block] = self._whole @ whole[:, block] + self._real @ real[:, block]
        return list(parts + self.bias[:, None])


_last: list[tuple[tuple[Num, ...], tuple[Array, Array]]] = []
"""The last read-only features and their stack: reward model and judge score the same moves one after the other."""


def _stack(features: tuple[Num, ...]) -> tuple[Array, Array]:
    """Return the features of N moves, and on the grid those that are no whole numbers and the products.

    Shapes [len(FEATURES), N] and [len(REAL) + len(PAIRS), N].
    """
    if _last and _last[0][0] is features:
        return _last[0][1]
    whole = np.asarray(features, dtype=np.float64)
    real: Array = np.empty((len(REAL) + len(PAIRS), whole.shape[1]))
    rows = dict(enumerate(whole))
    for out, i in zip(real, REAL, strict=False):
        rows[i] = _snap_rows(whole[i], out)
    for out, (a, b) in zip(real[len(REAL) :], PAIRS, strict=True):
        np.multiply(rows[a], rows[b], out=out)
        if a in REAL and b in REAL:
            _snap_rows(out, out)
    if not whole.flags.writeable:
        _last[:] = [(features, (whole, real))]
    return whole, real


def _snap_rows(x: Array, out: Array) -> Array:
    """Write the nearest multiples of 1/GRID into ``out`` and return it."""
    np.multiply(x, GRID, out=out)
    np.rint(out, out=out)
    return np.multiply(out, 1.0 / GRID, out=out)


_NUMBERS = ("acts", "bias", "word_weights", "text_mean", "low", "high")


def read_arrays(path: Path, names: set[str]) -> dict[str, Any]:
    """Return the arrays of an archive; raises ``DataFileError`` where it is none or lacks one of some names."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataFileError(f"{path}: expected an .npz file of weights: {error}") from error
    missing = names - arrays.keys()
    if missing:
        raise DataFileError(f"{path}: expected the arrays {sorted(missing)}, which are not there: train again")
    return arrays


def load_weights(path: Path) -> LinearWeights:
    """Read weights that ``LinearWeights.save`` wrote.

    Raises:
        DataFileError: if the file is missing, no such archive, or was made for other features.
    """
    arrays = read_arrays(path, {"inputs", "outputs", "words", *_NUMBERS})
    if tuple(arrays["inputs"].tolist()) != INPUTS:
        raise DataFileError(
            f"{path}: inputs: made for other act-level features than this version's; run: "
            "negotiate train rm --preset ngram --out rewards/weights"
        )
    outputs, words = tuple(arrays["outputs"].tolist()), tuple(arrays["words"].tolist())
    wide = len(outputs)
    shapes = {"acts": (len(INPUTS), wide), "word_weights": (len(words), wide)}
    for name in _NUMBERS:
        shape = shapes.get(name, (wide,))
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise DataFileError(f"{path}: {name}: expected finite numbers of shape {shape}, got {arrays[name].shape}")
    return LinearWeights(outputs, words=words, **{name: arrays[name].astype(np.float64) for name in _NUMBERS})


def inputs_of(features: Sequence[float]) -> list[float]:
    """Return features followed by their products, in the order of ``INPUTS``."""
    return [*features, *(features[a] * features[b] for a, b in PAIRS)]


def _snap(x: float) -> float:
    """Return the nearest multiple of 1/GRID."""
    return round(x * GRID) / GRID
