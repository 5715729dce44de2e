"""Another reply in a recorded dialogue: the same talk up to a turn, that turn said differently and read anew.

Plays the record's acts through the public game state, so that a changed text is understood as it would have been in
the dialogue. No manager answers anew: what is rated is the changed reply itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from negotiation_env.game import apply_decision, apply_move, new_game, settle
from negotiation_env.lanes import FLOATS
from negotiation_env.moves import decision_of, move_of
from negotiation_env.records import Episode, TurnRecord
from negotiation_env.scenario import card_numbers
from negotiation_env.understanding import Context, context_of, understand


def contexts(episode: Episode) -> Iterator[Context]:
    """Yield, for each turn, the context in which the agent's message was read."""
    game = new_game(FLOATS, card_numbers(episode.card))
    for record in episode.turns:
        yield context_of(episode.card, game, "agent")
        move = move_of(record.acts, episode.card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        apply_decision(FLOATS, game, decision_of(record.answer_acts, game))


def said_instead(record: TurnRecord, text: str, context: Context) -> TurnRecord:
    """Return a turn in which the agent says ``text``, read in the turn's context."""
    return replace(record, text=text, acts=understand(text, context).acts)
