"""Preference pairs with the notes on their replies, generated or read from a file.

Notes need the public state behind a prompt: generated pairs have it, a file's lines have it where they hold ``replay``.
Where there is none, replies are read without notes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.reply_reader import notes
from simulators.people.preferences import Pair, compared, pair_views, preference_pairs, rankings
from simulators.people.training_files import PreferencePair, read_preferences

DRAWS = 3
"""Draws of two replies to a situation of a ranking."""


@dataclass(frozen=True, slots=True)
class NotedPairs:
    """Pairs, and the notes on each reply by prompt and text."""

    pairs: list[PreferencePair]
    notes: dict[tuple[str, str], str] = field(default_factory=dict)

    def noted(self, pair: PreferencePair) -> tuple[str, str]:
        """Return the notes on the chosen and the rejected reply; "" where there are none."""
        key = prompt_key(pair)
        return self.notes.get((key, pair.chosen), ""), self.notes.get((key, pair.rejected), "")


def prompt_key(pair: PreferencePair) -> str:
    """Return a pair's prompt as one text, by which pairs of one prompt are found."""
    return json.dumps(pair.prompt, ensure_ascii=False)


def generated(count: int, seed: int) -> NotedPairs:
    """Return the pairs that ``negotiate data preferences`` writes, training and test."""
    return _noted(preference_pairs(count, seed))


def ranked(situations: int, seed: int) -> NotedPairs:
    """Return training pairs from so many situations with up to six replies each, every two of them compared."""
    drawn = rankings(situations, DRAWS, seed + 1)
    return _noted(pair for source, at, replies in drawn for pair in compared(at, source, replies, seed))


def read(path: str) -> NotedPairs:
    """Return the pairs of a file; raises ``DataFileError`` where it is wrong."""
    pairs = read_preferences(path)
    found: dict[tuple[str, str], str] = {}
    for number, pair in enumerate(pairs, 1):
        if pair.replay is not None:
            for view in pair_views(pair, f"{path}:{number}"):
                found[prompt_key(pair), view.text] = notes(view)
    return NotedPairs(pairs, found)


def without_notes(data: NotedPairs, pairs: Iterable[PreferencePair], share: float, seed: int) -> NotedPairs:
    """Return some of the pairs, a share of their prompts without notes."""
    some = list(pairs)
    keys = sorted({prompt_key(pair) for pair in some})
    rng = np.random.default_rng((seed, Stream.PAIR_NOTE))
    bare = {key for key, luck in zip(keys, rng.random(len(keys)), strict=True) if luck < share}
    return NotedPairs(some, {k: v for k, v in data.notes.items() if k[0] not in bare})


def _noted(pairs: Iterable[Pair]) -> NotedPairs:
    lines: list[PreferencePair] = []
    found: dict[tuple[str, str], str] = {}
    for pair in pairs:
        line = pair.line()
        lines.append(line)
        views: tuple[ReplyView, ReplyView] = (pair.chosen.view, pair.rejected.view)
        for view in views:
            found[prompt_key(line), view.text] = notes(view)
    return NotedPairs(lines, found)
