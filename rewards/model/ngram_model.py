"""The light reward model: a Bradley-Terry model (Bradley and Terry 1952) on the words of a talk's end and a reply.

Linear in words and pairs of words of the reply, in the words again where it is the first message, or answers a yes to
a figure, or a question, and in a few numbers that compare it with the talk (what it takes up, repeats, brings, and
whether its figures are the hotel's). It sees no card, no acts and no state; moves without text are another matter
(``act_fit``). Trained by ``rewards.model.ngram_fit``.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from pydantic import ValidationError

from negotiation_env.errors import DataFileError
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.linear import LinearWeights, load_weights, remembered
from rewards.model.reference import Reference

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "preference.npz"
ACTS: Final = "acts.npz"
WORD_VALUE: Final = 0.25
"""What an n-gram counts beside a number."""
RARE: Final = 3.0
"""What a number counts that few training replies have, and that settles the matter where they do."""
MOST_CHARACTERS: Final = 900
LENGTH: Final = "<length>"
"""Log of the reply's characters: its weight takes out what scores had to do with length."""
SHORTEST_CHARGED: Final = 60
"""Characters below which a reply is not the better for being shorter."""
EARLY: Final = 5
"""Messages of the agent's before which a hotel's figure comes early."""
SHORT, VERY_SHORT, LONG = 5, 3, 45
"""Words below which a reply is short, and above which it is long."""
_DIGITS: Final = 3
"""Digits of a figure that may be a price."""
_STEM: Final = 6
_CONTENT: Final = 4
"""Letters that a word has at least to be compared, and that are compared of it."""
_TOKEN: Final = re.compile(r"[a-z][a-z'’]+|[a-z]|\d+|[\u3400-\u9fff]|[^\w\s]")
_PRICE: Final = re.compile(r"\d[\d,]*\d")
_YES: Final = re.compile(
    r"\b(?:accept\w*|agree\w*|confirm\w*|deal|done|yes|yeah|ok|okay|fine|all right|alright|can do|works|settled|"
    r"is that right|granted|gladly|pleasure|stay\w*|remain\w*|still|keep\w*|stand\w*|stick\w*)\b|[可成好行]"
)
"""What a hotel says with a figure of ours that it gives in to, asks to have confirmed, or stays at."""
_COMMON: Final = frozenset((
    "that", "this", "with", "your", "from", "have", "what", "will", "would", "could", "there", "here", "they", "them",
    "been",
))  # fmt: skip


class _ReadText(NamedTuple):
    """What is compared of a text."""

    tokens: tuple[str, ...]
    """Words, signs and Chinese characters; figures by how many digits they have."""
    pairs: tuple[str, ...]
    """Pairs of neighbouring tokens, each once; none of what the hotel says, where nothing asks for them."""
    stems: tuple[str, ...]
    """The beginnings of longer words, and Chinese characters, each once."""
    prices: tuple[str, ...]
    """Figures of three digits and more as a whole number without commas."""


def _look(text: str, paired: bool = True) -> _ReadText:
    found = _TOKEN.findall(text[:MOST_CHARACTERS].lower())
    tokens = tuple([f"<{min(len(t), 5)} digits>" if t[0].isdigit() else t for t in found])
    stems = [t[:_STEM] for t in tokens if (len(t) >= _CONTENT and t[0] != "<" and t not in _COMMON) or t > "\u3400"]
    pairs = tuple(dict.fromkeys([f"{a} {b}" for a, b in pairwise(tokens)])) if paired else ()
    prices = tuple(
        [p for found in _PRICE.findall(text[:MOST_CHARACTERS]) if len(p := found.replace(",", "")) >= _DIGITS]
    )
    return _ReadText(tokens, pairs, tuple(dict.fromkeys(stems)), prices)


_said: Final = remembered(_look)
_heard: Final = remembered(partial(_look, paired=False))


def entries(own: Sequence[str], heard: Sequence[str], reply: str) -> dict[str, float]:
    """Return what is read of a reply: n-grams, and numbers in angle brackets; each with its value.

    ``own`` and ``heard`` are what both sides said before, oldest first.
    """
    (tokens, pairs, _, prices), last = _said(reply), heard[-1] if heard else ""
    ends = (f"<start> {tokens[0]}", f"{tokens[-1]} <end>") if tokens else ("<start> <end>",)
    found = dict.fromkeys((*tokens, *pairs, *ends), WORD_VALUE)
    given = _given(own, last)
    place = "first:" if not own else "given:" if given else "asked:" if "?" in last else ""
    if place:
        found |= dict.fromkeys([place + token for token in tokens], WORD_VALUE)
    named = {*prices}
    if given:
        found["<yes taken>" if named & given else "<yes passed>" if named else "<yes left>"] = RARE
    elif named:
        when = " early" if len(own) < EARLY else ""
        found[f"<their price{when}>" if named.intersection(_heard(last).prices) else f"<own price{when}>"] = 1.0
    found |= {name: value for name, value in _numbers(own, heard, reply).items() if value}
    return found


def of_figures(entry: str) -> bool:
    """Whether an entry tells how a reply answers a figure."""
    return entry.startswith(("given:", "<yes ", "<own price", "<their price"))


def _numbers(own: Sequence[str], heard: Sequence[str], reply: str) -> dict[str, float]:
    """Return how a reply compares with the talk before it."""
    tokens, said_pairs, said_stems, _ = _said(reply)
    pairs, mine = {*said_pairs}, {*said_stems}
    ours, theirs = [_said(text) for text in own], [_heard(text).stems for text in heard]
    last, earlier = heard[-1] if heard else "", theirs[:-1]
    unsaid = mine.difference(*[before.stems for before in ours])
    unheard = mine.difference(*theirs[-1:])
    copied = bool(last) and reply.strip() == last.strip()
    taken, count = 0 if copied else len(mine) - len(unheard), len(tokens)
    return {
        "<takes up one>": float(taken >= 1),
        "<takes up two>": float(taken >= 2),
        "<takes up three>": float(taken >= 3),
        "<takes up earlier>": min(3, len(mine) - len(mine.difference(*earlier))) / 3.0,
        "<own words>": (len(mine) - len(unsaid)) / max(3, len(mine)),
        "<own pairs>": (len(pairs) - len(pairs.difference(*[before.pairs for before in ours]))) / max(4, count),
        "<new words>": min(8, len(unheard.intersection(unsaid).difference(*earlier))) / 8.0,
        "<short>": float(count < SHORT),
        "<very short>": float(count < VERY_SHORT),
        "<long>": max(0, min(40, count - LONG)) / 40.0,
        "<twice>": (count - len(set(tokens))) / max(12, count),
        "<capitals>": float(reply.isupper() and len(reply) > 3),
        "<empty>": RARE * (not tokens),
        "<echo>": taken / max(3, len(mine)),
        "<copied>": RARE * copied,
        "<said before>": RARE * (reply in own),
        LENGTH: length_value(reply),
    }


def _given(own: Sequence[str], last: str) -> frozenset[str]:
    """Return the figures of ours that a hotel has just said yes to."""
    if not own or not _heard(last).prices or _YES.search(last.lower()) is None:
        return frozenset()
    ours = {price for text in own for price in _said(text).prices}
    return frozenset(ours.intersection(_heard(last).prices))


def raw_score(weights: Mapping[str, float], own: Sequence[str], heard: Sequence[str], reply: str) -> float:
    """Return the unbounded score that weights by entry give a reply behind what both sides said."""
    found = entries(own, heard, reply)
    return math.fsum([weight * value for name, value in found.items() if (weight := weights.get(name)) is not None])


def length_value(reply: str) -> float:
    """Return what the length counts: its log, the same for all that is shorter than a sentence."""
    return math.log(min(max(len(reply), SHORTEST_CHARGED), MOST_CHARACTERS))


class NgramRewardModel:
    """R_model from n-grams.

    Args:
        weights: by entry.
        reference: of R_model's zero.
        acts: by which moves without text are scored (``act_fit``); None where they cannot be.
    """

    def __init__(self, weights: Mapping[str, float], reference: Reference, acts: LinearWeights | None = None) -> None:
        self.weights, self.reference, self.acts = dict(weights), reference, acts

    @classmethod
    def from_file(cls, path: str | Path) -> NgramRewardModel:
        """Load weights from an ``.npz`` file, and those of acts that lie beside it as ``acts.npz``.

        Raises:
            DataFileError: where a file holds no such weights.
        """
        beside = Path(path).with_name(ACTS)
        try:
            with np.load(path, allow_pickle=False) as archive:
                held: dict[str, Any] = {name: archive[name] for name in archive.files}
            words, values = held["entries"].tolist(), held["weights"]
            reference = Reference.model_validate_json(str(held["reference"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, ValidationError) as error:
            raise DataFileError(f"{path}: expected n-gram weights of a reward model: {error}") from error
        if len(words) != len(values) or not np.isfinite(values).all():
            raise DataFileError(f"{path}: expected a finite weight for each of {len(words)} entries, got {len(values)}")
        weights = dict(zip(words, values.astype(float).tolist(), strict=True))
        return cls(weights, reference, load_weights(beside) if beside.is_file() else None)

    def save(self, path: Path) -> None:
        """Write the model; weights of acts go beside it."""
        np.savez_compressed(
            path,
            allow_pickle=False,
            entries=np.array(list(self.weights)),
            weights=np.array(list(self.weights.values()), dtype=np.float32),
            reference=np.array(self.reference.model_dump_json()),
        )
        if self.acts is not None:
            self.acts.save(path.with_name(ACTS))

    @classmethod
    def shipped(cls) -> NgramRewardModel:
        """Return the shipped model, loaded once per process."""
        return _shipped()

    def raw(self, own: Sequence[str], heard: Sequence[str], reply: str) -> float:
        """Return the unbounded score of a reply behind what both sides said."""
        return raw_score(self.weights, own, heard, reply)

    def score(self, view: ReplyView) -> float:
        """Return R_model of one reply, in [-1, 1]."""
        own, heard = ([u.text for u in said] for said in (view.agent_said, view.manager_said))
        return self.reference.bounded(self.raw(own, heard, view.text), int(view.stage))

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Score replies in order; each score is what ``score`` gives alone."""
        return [self.score(view) for view in views]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num | None:
        """Return R_model of moves without text, which has a unit of its own (``act_fit``); None without its weights."""
        return None if self.acts is None else self.acts.act_parts(features)[0]


@cache
def _shipped() -> NgramRewardModel:
    return NgramRewardModel.from_file(SHIPPED)
