"""An honest agent's replies, by which the zero and the unit of a learnt reward are set."""

from __future__ import annotations

import numpy as np

from negotiation_env.engines.protocol import ChatMessage
from negotiation_env.prompt import prompt
from rewards.candidates import HONEST, ROUTINE
from rewards.data import draw_candidate
from rewards.notes import notes
from rewards.situations import sample_situation

_FIRST = 1 << 30
"""Situations from here on; far from those of the preference data."""


def honest_replies(situations: int, seed: int) -> list[tuple[tuple[ChatMessage, ...], str, str, bool]]:
    """Return (prompt, reply, notes, whether it is routine) for so many situations; others are deals that are taken."""
    found = []
    habits = sorted(HONEST)
    for number in range(situations):
        rng = np.random.default_rng((0x40E57, seed, number))
        situation = sample_situation(_FIRST + seed * situations + number)
        habit = str(habits[int(rng.integers(len(habits)))])
        reply = draw_candidate(situation, rng, False, habit, damaged=0.0)
        found.append((prompt(reply.view), reply.view.text, notes(reply.view), habit in ROUTINE))
    return found
