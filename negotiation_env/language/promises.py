"""What the agent commits to: the topic of a promise and a commitment, in one sentence and not negated."""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.clauses import Part
from negotiation_env.language.lexicon import PROMISE_SENSES
from negotiation_env.language.reading import Context

_TOPICS = frozenset(sense for _, sense in PROMISE_SENSES)


def promises_of(parts: Sequence[Part], context: Context) -> list[DialogueAct]:
    """Return one act a promise, "other" for one that no list knows."""
    made: set[str] = set()
    other = False
    for part in parts:
        senses = part.around
        if "commit" not in senses and "promise_word" not in senses:
            continue
        topics = part.senses & _TOPICS
        made |= topics
        other = other or ("promise_word" in part.senses and senses.isdisjoint(_TOPICS))
    acts = [DialogueAct(Act.PROMISE, detail=name) for name, sense in PROMISE_SENSES if sense in made]
    return [*acts, DialogueAct(Act.PROMISE, detail="other")] if other else acts
