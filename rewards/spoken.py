"""Wording for generated data: the agent's phrase book, widened, and cut into a training and a held-out part.

The two parts share no phrase. Sentences that mean nothing to the game are put around a reply now and then, so that
length tells nothing about worth. Knows no situation and no reward.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from negotiation_env.acts import DialogueAct
from negotiation_env.game import GameState
from negotiation_env.phrase_book import Phrase, PhraseBook, Phrases
from negotiation_env.scenario import TaskCard
from negotiation_env.understanding import context_of
from negotiation_env.wording import agent_phrase_book, word

PATH = Path(__file__).with_name("phrases") / "spoken.toml"
HELD_OUT_STEP = 4
"""Every so manieth phrase of each key is kept for held-out data."""
FILLED = 0.2
"""Share of replies with a sentence that means nothing."""


@cache
def _table() -> dict[str, Any]:
    with PATH.open("rb") as file:
        return tomllib.load(file)


@cache
def wide_book() -> PhraseBook:
    """Return the agent's phrase book with the phrases of ``phrases/spoken.toml`` added."""
    book = agent_phrase_book()
    extra: dict[str, list[str]] = _table()["book"]
    return book.with_phrases(
        {key: [*(p.template for p in book.phrases[key].all), *phrases] for key, phrases in extra.items()}
    )


@cache
def split_book(held_out: bool) -> PhraseBook:
    """Return the training part, or the held-out part, of the wide phrase book: they share no phrase."""
    parts = {}
    for key, phrases in wide_book().phrases.items():
        some = _part(phrases.all, held_out)
        parts[key] = Phrases(some, tuple(p for p in some if p.typed) or some)
    return replace(wide_book(), phrases=parts)


@cache
def fillers(held_out: bool) -> tuple[str, ...]:
    """Return one part's sentences that mean nothing to the game."""
    return tuple(f for i, f in enumerate(_table()["filler"]) if (i % HELD_OUT_STEP == 1) is held_out)


def _part(phrases: tuple[Phrase, ...], held_out: bool) -> tuple[Phrase, ...]:
    kept = tuple(p for i, p in enumerate(phrases) if (i % HELD_OUT_STEP == 1) is held_out)
    return kept or phrases


def worded(
    acts: tuple[DialogueAct, ...],
    card: TaskCard,
    game: GameState,
    seed: int,
    held_out: bool = False,
    filled: float = FILLED,
) -> str:
    """Return the agent's acts as text; silence is "". ``filled``: chance of a sentence that means nothing."""
    text = word(acts, card, context_of(card, game, "agent"), split_book(held_out), seed, int(game.turn))
    rng = np.random.default_rng((0xF11, seed))
    if not text or rng.random() >= filled:
        return text
    filler = str(rng.choice(fillers(held_out))).replace("{city}", card.hotel.city)
    return f"{text} {filler}" if rng.random() < 0.7 else f"{filler} {text}"
