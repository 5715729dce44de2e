"""What the agent commits to, and whether an agency's agent may give it.

A promise is the topic of one and a commitment, in one sentence and not negated. Beside the promises known by name,
two kinds are over-promises: a solemn word ("I guarantee", "consider it done") for what no list knows, and a favour that
is not the agent's to give ("we cover your laundry"), where the speaker's side gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.clauses import Part
from negotiation_env.language.lexicon import PROMISE_SENSES
from negotiation_env.language.reading import Context
from negotiation_env.language.stances import negated

_TOPICS: Final = frozenset(sense for _, sense in PROMISE_SENSES)
_ALLOWED: Final = frozenset(sense for name, sense in PROMISE_SENSES if name in world.PROMISES)
_FUTURE: Final = frozenset(("you'll", "will", "you'd", "would", "youll"))
_DECLINING: Final = frozenset(("past", "reported"))


def promises_of(parts: Sequence[Part], context: Context) -> list[DialogueAct]:
    """Return one act a promise, "other" for one that no list knows."""
    made: set[str] = set()
    other = False
    for part in parts:
        senses = part.around
        other = other or _favours(part) or ("promise_word" in part.senses and _solemn(part, senses))
        if "commit" in senses or "promise_word" in senses:
            made |= part.senses & _TOPICS
    acts = [DialogueAct(Act.PROMISE, detail=name) for name, sense in PROMISE_SENSES if sense in made]
    return [*acts, DialogueAct(Act.PROMISE, detail="other")] if other and not made - _ALLOWED else acts


def _solemn(part: Part, around: frozenset[str]) -> bool:
    """Whether a solemn word is given for something that no promise is known for."""
    at = next(m.start for m in part.clause.marks if "promise_word" in m.senses)
    return around.isdisjoint(_TOPICS) and not negated(part, at) and not part.question


def _favours(part: Part) -> bool:
    """Whether the speaker's side gives what is not its own to give."""
    person = part.clause.person
    given = "favour" in part.senses and person == "i" and not part.question
    promised = not _FUTURE.isdisjoint(part.tokens[part.clause.start : part.clause.end])  # "you'll always be first"
    named = "favour_word" in part.senses and (person not in ("you", "they") or (person == "you" and promised))
    if not (given or named) or not part.around.isdisjoint(_DECLINING) or not part.around.isdisjoint(_ALLOWED):
        return False
    at = next(m.start for m in part.clause.marks if not m.senses.isdisjoint(("favour", "favour_word")))
    return not negated(part, at)


__all__ = ["promises_of"]
