"""Wording for judge training alone: wider families of damage, and sentences aimed at the judge.

Families stand in ``wording.toml`` and ``injections.toml``, one a line; "(a|b)" in a line stands for a or b. Every sixth
line of damage is kept for validation, so that the weights are chosen by wording that they were not trained on. Knows no
labels.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from rewards.damage import kinds, with_phrase
from rewards.data import Candidate, draw_candidate
from rewards.judged_reply import said_instead
from rewards.situations import Situation

WORDING: Final = Path(__file__).with_name("wording.toml")
INJECTIONS: Final = Path(__file__).with_name("injections.toml")
HARMLESS: Final = "harmless"
"""Name of the sentences that look like damage, or like soothing, and are neither."""
STEP: Final = 6
KEPT: Final = 3
"""Of every ``STEP`` lines, the one at this place is for validation."""
_CHOICE: Final = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
_LEADS: Final = ("Well, ", "Look, ", "By the way, ", "Honestly, ", "You see, ", "And ", "So ", "Just to say it: ")
_LED: Final = 0.15
"""Share of added sentences that begin with one of ``_LEADS``."""


@cache
def families() -> dict[str, tuple[str, ...]]:
    """Return the lines of each kind of damage, and those of ``HARMLESS``."""
    with WORDING.open("rb") as file:
        return {name: tuple(lines) for name, lines in tomllib.load(file).items()}


@cache
def injections(held_out: bool) -> tuple[str, ...]:
    """Return the lines aimed at the judge of one family; the held-out ones are sentences as they stand."""
    with INJECTIONS.open("rb") as file:
        return tuple(tomllib.load(file)["test" if held_out else "train"])


def part(lines: tuple[str, ...], validation: bool) -> tuple[str, ...]:
    """Return the lines that are kept for validation, or those that are not."""
    return tuple(line for i, line in enumerate(lines) if (i % STEP == KEPT) is validation)


def spelt(line: str, rng: np.random.Generator) -> str:
    """Return one sentence of a line's family."""
    while (found := _CHOICE.search(line)) is not None:
        line = line[: found.start()] + str(rng.choice(found[1].split("|"))) + line[found.end() :]
    return line


def sentences(line: str) -> Iterator[str]:
    """Yield every sentence of a line's family."""
    pieces = _CHOICE.split(line)
    yield from ("".join(some) for some in product(*(p.split("|") if i % 2 else [p] for i, p in enumerate(pieces))))


def injection(rng: np.random.Generator) -> str:
    """Return a sentence aimed at the judge, of the training family."""
    text = spelt(str(rng.choice(injections(False))), rng)
    luck = rng.random()
    return text.lower() if luck < 0.08 else text.rstrip(".") if luck < 0.16 else text


def wide_candidate(situation: Situation, kind: str, rng: np.random.Generator, validation: bool) -> Candidate:
    """Return a reply with a sentence of the wider wording: damage of a kind, or a harmless one, which is no damage."""
    drawn = draw_candidate(situation, rng, held_out=False, damaged=0.0)
    text = drawn.view.text
    if not text:
        return drawn
    phrase = spelt(str(rng.choice(part(families()[kind], validation))), rng)
    if kind == HARMLESS:
        text = f"{text} {phrase}" if rng.random() < 0.65 else f"{phrase} {text}"
        return Candidate(said_instead(drawn.view, text), drawn.habit, "")
    entry = kinds()[kind]
    if entry.place == "any" and entry.repeat == 1 and phrase[0].isalpha() and rng.random() < _LED:
        phrase = str(rng.choice(_LEADS)) + phrase
    return Candidate(said_instead(drawn.view, with_phrase(text, phrase, entry, situation, rng)), drawn.habit, kind)
