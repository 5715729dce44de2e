"""What a reward saw of each reply of a recorded episode, rebuilt from the record.

The public state is played forward from the recorded acts, so no manager, policy or engine is needed, and a reward can
score old episodes anew. Texts are split into words as understanding does now; what they mean stays as recorded.
"""

from __future__ import annotations

from copy import copy

from negotiation_env.features import reply_features
from negotiation_env.game import apply_decision, apply_move, new_game, settle
from negotiation_env.lanes import FLOATS
from negotiation_env.moves import decision_of, move_of
from negotiation_env.protocols import ReplyView, Utterance
from negotiation_env.records import Episode
from negotiation_env.scenario import card_numbers
from negotiation_env.sop import stage_of
from negotiation_env.understanding import context_of, understand


def reply_views(episode: Episode) -> list[ReplyView]:
    """Return the view of every reply, in order; each has its own copy of the public state before the reply."""
    card = episode.card
    game = new_game(FLOATS, card_numbers(card))
    said: list[Utterance] = []
    answers: list[Utterance] = []
    views = []
    for turn in episode.turns:
        move = move_of(turn.acts, card, game)
        claims = settle(FLOATS, game, move)
        views.append(
            ReplyView(
                card=card,
                game=copy(game),
                stage=stage_of(game),
                agent_said=tuple(said),
                manager_said=tuple(answers),
                text=turn.text,
                words=understand(turn.text, context_of(card, game, "agent")).words,
                acts=turn.acts,
                features=reply_features(FLOATS, game, move, claims),
            )
        )
        apply_move(FLOATS, game, move, claims)
        said.append(Utterance(turn.text, turn.acts))
        apply_decision(FLOATS, game, decision_of(turn.answer_acts, game))
        answers.append(Utterance(turn.answer, turn.answer_acts))
    return views
