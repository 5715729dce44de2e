"""What the agent commits to, and whether an agency's agent may give it.

A promise is the topic of one and a commitment, in one sentence and not negated. Beside the promises known by name,
two kinds are over-promises: a solemn word ("I guarantee", "consider it done") for what no list knows, and a favour that
is not the agent's to give ("we cover your laundry"), where the speaker's side gives it. What neither hears, the words
of the message may tell (``promise_words``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.clauses import Part
from negotiation_env.language.lexicon import PROMISE_SENSES
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.promise_words import sounds_forbidden
from negotiation_env.language.stances import negated

_TOPICS: Final = frozenset(sense for _, sense in PROMISE_SENSES)
_ALLOWED: Final = frozenset(sense for name, sense in PROMISE_SENSES if name in world.PROMISES)
_FUTURE: Final = frozenset(("you'll", "will", "you'd", "would", "youll"))
_DECLINING: Final = frozenset(("past", "reported", "pressure"))
_SETTLED: Final = _DECLINING | _ALLOWED


def promises_of(parts: Sequence[Part], text: str) -> list[DialogueAct]:
    """Return one act a promise, "other" for one that no list knows."""
    made: set[str] = set()
    other = False
    for part in parts:
        senses = part.around
        other = other or _favours(part) or _gives(part) or ("promise_word" in part.senses and _solemn(part, senses))
        if "commit" in senses or "promise_word" in senses:
            made |= part.senses & _TOPICS
    other = other or (not made and _may_promise(parts) and sounds_forbidden(text))
    acts = [DialogueAct(Act.PROMISE, detail=name) for name, sense in PROMISE_SENSES if sense in made]
    return [*acts, DialogueAct(Act.PROMISE, detail="other")] if other and not made - _ALLOWED else acts


def _may_promise(parts: Sequence[Part]) -> bool:
    """Whether a message speaks of business at all, and its writer declines nothing."""
    for part in parts:
        if "neg" in part.senses and part.clause.person == "i" and "promise_word" not in part.senses:
            return False
    return any(part.prices or part.rooms for part in parts) or any(
        not _SPOKEN_OF.isdisjoint(part.tokens[part.clause.start : part.clause.end]) for part in parts
    )


_BUSINESS: Final = word_set(
    "rate rates price prices room rooms guest guests booking page search list commission percent paid money yuan "
    "account suite king queen twin double executive week night nights season deal figure figures free hotel house "
    "banner badge"
)


def _solemn(part: Part, around: frozenset[str]) -> bool:
    """Whether a solemn word is given for something that no promise is known for."""
    at = next(m.start for m in part.clause.marks if "promise_word" in m.senses)
    return around.isdisjoint(_TOPICS) and not negated(part, at) and not part.question


def _favours(part: Part) -> bool:
    """Whether the speaker's side gives what is not its own to give."""
    person = part.clause.person
    start = part.clause.start
    given = (
        "favour" in part.senses and person == "i" and not part.question and "let" not in part.tokens[start : start + 2]
    )
    promised = not _FUTURE.isdisjoint(part.tokens[start : part.clause.end])  # "you'll always be first"
    named = "favour_word" in part.senses and (person not in ("you", "they") or (person == "you" and promised))
    if not (given or named) or not part.around.isdisjoint(_DECLINING) or not part.around.isdisjoint(_ALLOWED):
        return False
    at = next(m.start for m in part.clause.marks if not m.senses.isdisjoint(("favour", "favour_word")))
    return not negated(part, at)


_GOODS: Final = word_set(
    "commission cut fee fees share review reviews star stars score rating ratings comments ranking rank top "
    "occupancy full empty bookings advance cash loan refund compensation bonus penalty penalties bill bills invoice "
    "laundry gas steam roof tiles renovation cleaners cleaner housekeepers housekeeper staff lawyers lawyer contract "
    "clause tv calendar payout payouts deposit no-show no-shows noshow shows interest subsidy money losses loss "
    "difference competitors rivals hidden invisible first everybody everyone"
)
"""What is not an agent's to give, or to do something about."""
_WILL: Final = word_set(
    "i'll we'll i'd we'd will shall can could would going you'll you'd they'll he'll she'll ill youll i'm we're"
)
_DOING: Final = word_set(
    "give pay cover cut drop lower waive halve remove delete take bring send fix arrange sort get make have put keep "
    "bump push pull write list fill sell guarantee wire transfer return refund carry absorb double raise lift bear "
    "lend advance settle clear cancel block ban hide show sit stand be reduce reverse swallow forget wipe adding "
    "throw erase pass bend talk change rewrite restore grant sponsor handle deal"
)


_SPOKEN_OF: Final = _GOODS | _BUSINESS


def _gives(part: Part) -> bool:
    """Whether a clause says that the agent's side will do something about what is not its own."""
    clause = part.clause
    if part.prices or part.question or clause.person not in ("i", "") or not part.around.isdisjoint(_SETTLED):
        return False
    words = part.tokens[clause.start : clause.end]
    will = next((i for i, word in enumerate(words) if word in _WILL), None)
    if will is None or _GOODS.isdisjoint(words[will:]) or negated(part, clause.end):
        return False
    return not _DOING.isdisjoint(words[will : will + 4])


__all__ = ["promises_of"]
