"""Damage to a reply's text: what spoils an otherwise sensible message, as simulated annotators know it.

The phrases stand in ``phrases/damage.toml`` in two families of wording, one for training and one for held-out data;
some kinds have no phrases and are done to the text itself.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from negotiation_env.files import read_toml
from simulators.people.situations import Situation

PATH = Path(__file__).with_name("phrases") / "damage.toml"


class Kind(NamedTuple):
    """One kind of damage: its phrases for training and for held-out data, where they stand, how often repeated."""

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    place: str = "any"
    repeat: int = 1


@cache
def kinds() -> dict[str, Kind]:
    """Return the kinds of damage by name, read once; a kind without phrases is done to the text itself."""
    return read_toml(PATH, dict[str, Kind])


def damage(text: str, kind: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Return a reply's text with one kind of damage; the text itself where that kind is not possible here."""
    entry = kinds()[kind]
    if not entry.train:
        return _ON_TEXT[kind](text, situation, rng, held_out)
    return with_phrase(text, str(rng.choice(entry.test if held_out else entry.train)), entry, situation, rng)


def with_phrase(text: str, phrase: str, entry: Kind, situation: Situation, rng: np.random.Generator) -> str:
    """Return a reply's text with a phrase of damage, its figures and names filled in, put where its kind stands."""
    ticket = situation.card.tickets[0]
    values = {
        "{target}": str(ticket.target_price),
        "{wild}": str(int(ticket.selling_price * (1.6 + 6.0 * rng.random()))),
        "{room}": ticket.room,
        "{hotel}": situation.card.hotel.name,
    }
    for name, value in values.items():
        phrase = phrase.replace(name, value)
    if entry.repeat > 1:
        phrase = " ".join([phrase] * (entry.repeat - int(rng.integers(2))))
    place = entry.place
    if place == "any":
        place = "start" if rng.random() < 0.35 else "end"
    return f"{phrase.rstrip(' ')} {text}" if place == "start" else f"{text} {phrase}"


def _repeated(text: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Say one's own last message again."""
    return situation.said[-1].text if situation.said else text


def _copied(text: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Say the manager's last message back."""
    return (situation.manager[-1].text if situation.manager else "") or text


def _garbled(text: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Shuffle words, say them twice, or (held-out data only) leave out every other one."""
    words = text.split()
    if len(words) < 4:
        return text
    if held_out:
        return " ".join(words[::2] + words[:2])
    if rng.random() < 0.5:
        return " ".join(str(w) for w in rng.permutation(words))
    return " ".join(w for word in words for w in ([word, word] if rng.random() < 0.4 else [word]))


def _shouted(text: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Write in capitals, or (held-out data only) with a row of exclamation marks."""
    return text.replace(".", "!!!").replace("?", "???") if held_out else text.upper() + "!!"


def _cut_off(text: str, situation: Situation, rng: np.random.Generator, held_out: bool) -> str:
    """Stop in the middle of a word."""
    return text[: int(len(text) * (0.35 + 0.4 * rng.random()))].rstrip(" .?!,") if len(text) > 20 else text


_ON_TEXT = {"repeated": _repeated, "copied": _copied, "garbled": _garbled, "shouting": _shouted, "cut off": _cut_off}
