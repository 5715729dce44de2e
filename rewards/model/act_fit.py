"""Fits R_model of moves without text, for the numeric environment: Bradley-Terry on act-level features alone.

There is no chat to read there, so this is the opinion of simulated annotators who see what a move does
(``simulators.people.preferences``), in a unit and with a zero of its own: an honest agent's routine replies lie a
little below zero, since talking on costs, and the unit is the standard deviation of an honest agent's replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.optimize import minimize

from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.linear import INPUTS, Array, LinearWeights, inputs_of
from simulators.people.candidates import HONEST, ROUTINE, draw_acts
from simulators.people.preferences import Pair, preference_pairs
from simulators.people.situations import Situation, sample_situation

ROUTINE_LEVEL: Final = -0.45
"""Mean of an honest agent's routine replies, in units of the standard deviation of its replies, deals included."""
GRADE_MARGINS: Final = (0.0, 1.5, 3.0, 5.0, 9.0)
"""What margins 0 to 4 of the data mean in units of the fit; margins between are interpolated."""
SLIP: Final = 0.025
"""Share of comparisons that the fit takes for slips."""
PENALTY: Final = 0.1
"""L2 penalty (on the summed loss)."""
OWN_PENALTIES: Final = {"press_at_target": 0.3, "answer_reason": 10.0, "ignore_reason": 10.0}
"""Penalties of features that come in turns: a good quote is taken or pressed on, a question answered or passed over.
Comparisons tell only how far apart the two lie; the penalties share it out between a gain and a loss."""


def fit_acts(pairs: int, honest: int, seed: int) -> LinearWeights:
    """Return weights of ``INPUTS`` with one output and no words, fitted on so many generated pairs."""
    found = preference_pairs(pairs, seed, held_out=False)
    drawn: list[Pair] = [p for p in found if not (p.chosen.damage or p.rejected.damage)]
    views, routine = honest_replies(honest, seed)
    gaps = _inputs([p.chosen.view for p in drawn]) - _inputs([p.rejected.view for p in drawn])
    margins = np.interp([p.margin for p in drawn], range(len(GRADE_MARGINS)), GRADE_MARGINS)
    penalty = np.array([OWN_PENALTIES.get(name, PENALTY) for name in INPUTS])
    w = _bradley_terry(gaps, margins, penalty)
    scores = _inputs(views) @ w
    w, scores = w / scores.std(), scores / scores.std()
    zero = float(scores[np.array(routine)].mean()) - ROUTINE_LEVEL
    none = np.zeros((0, 1))
    return LinearWeights(("reward",), w[:, None], np.array([-zero]), (), none, np.zeros(1), np.zeros(1), np.zeros(1))


def _inputs(views: Sequence[ReplyView]) -> Array:
    return np.array([inputs_of(view.features) for view in views], dtype=np.float64)


def _bradley_terry(gaps: Array, margins: Array, penalty: Array) -> Array:
    """Return the weights w that minimise the Bradley-Terry loss with margins and slips, plus sum penalty * w^2 / 2.

    The loss is -log(s + (1 - 2 s) sigmoid(gaps @ w - margin)): graded comparisons tell how far apart two replies are
    (margins as in Touvron et al. 2023), and the slip rate s keeps a wrong tick from outweighing many right ones.
    """

    def loss(w: Array, slip: float) -> tuple[float, Array]:
        right = 1.0 / (1.0 + np.exp(-np.clip(gaps @ w - margins, -60.0, 60.0)))
        likely = slip + (1.0 - 2.0 * slip) * right
        slope = (1.0 - 2.0 * slip) * right * (1.0 - right) / likely
        return float(-np.log(likely).sum() + 0.5 * (penalty * w * w).sum()), penalty * w - gaps.T @ slope

    # With slips the loss is not convex, and flat far from the margins: the fit without slips leads near them.
    w = np.zeros(gaps.shape[1])
    for slip in (0.0, SLIP):
        w = minimize(loss, w, args=(slip,), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return np.asarray(w, dtype=np.float64)


def honest_replies(count: int, seed: int) -> tuple[list[ReplyView], list[bool]]:
    """Return an honest agent's replies, each to a situation of its own, and which of them are routine."""
    views, routine, habits = [], [], sorted(HONEST)
    for number in range(count):
        rng = np.random.default_rng((Stream.HONEST_REPLY, seed, number))
        situation = sample_situation((seed << 32) + number)
        habit = habits[int(rng.integers(len(habits)))]
        views.append(_own_words(situation, habit, rng))
        routine.append(habit in ROUTINE)
    return views, routine


def _own_words(at: Situation, habit: str, rng: np.random.Generator) -> ReplyView:
    """Return a habit's reply, worded by the agent's own phrase book."""
    acts, context = draw_acts(habit, at.card, at.game, rng), context_of(at.card, at.game, "agent")
    text = word(acts, at.card, context, agent_phrase_book(), int(rng.integers(1 << 40)), int(at.game.turn))
    return reply_view(text, at.card, at.game, at.said, at.manager)
