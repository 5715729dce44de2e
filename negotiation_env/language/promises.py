"""What the agent commits to, and whether an agency's agent may give it.

A promise is the topic of one and a commitment, in one sentence and not negated. Beside the promises known by name,
two kinds are over-promises: a solemn word ("I guarantee", "consider it done") for what no list knows, and a favour that
is not the agent's to give ("we cover your laundry"), where the speaker's side gives it. What neither hears, a linear
model over pairs of the message's words may tell: lists of favours end where somebody thinks of another one, words that
go with giving go on. It was trained on the training authors' messages and drills (``negotiate train promise-words``);
its weights are data (``promise_words.json``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from negotiation_env.files import read_json
from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.clauses import Part
from negotiation_env.language.lexicon import PROMISE_SENSES
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.stances import negated
from negotiation_env.language.word_model import WordModel, words_of

PATH: Final = Path(__file__).with_name("promise_words.json")
FEWEST: Final = 7
"""Words that a message must have: fewer tell the word model too little."""
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
        other = other or _excludes_others(part)
        if ("commit" in senses or "promise_word" in senses) and not _denied(part):
            made |= part.senses & _TOPICS
    other = other or (not made and _may_promise(parts) and sounds_forbidden(text))
    acts = [DialogueAct(Act.PROMISE, detail=name) for name, sense in PROMISE_SENSES if sense in made] if made else []
    return [*acts, DialogueAct(Act.PROMISE, detail="other")] if other and not made - _ALLOWED else acts


def _may_promise(parts: Sequence[Part]) -> bool:
    """Whether a message speaks of business at all, and its writer declines nothing."""
    for part in parts:
        words = part.tokens[part.clause.start : part.clause.end]
        if "hundred" in words and any(pair in _OF_HUNDRED for pair in pairwise(words)):
            return False  # "of every hundred yuan 15 go to us" tells how things are
        if "neg" in part.senses and part.clause.person == "i" and "promise_word" not in part.senses:
            return False
    return any(part.prices or part.rooms for part in parts) or any(
        not _SPOKEN_OF.isdisjoint(part.tokens[part.clause.start : part.clause.end]) for part in parts
    )


_OF_HUNDRED: Final = frozenset((each, "hundred") for each in ("every", "each"))
_BUSINESS: Final = word_set(
    "rate rates price prices room rooms guest guests booking page search list commission percent paid money yuan "
    "account suite king queen twin double executive week night nights season deal figure figures free hotel house "
    "banner badge"
)


def _solemn(part: Part, around: frozenset[str]) -> bool:
    """Whether a solemn word is given for something that no promise is known for."""
    at = next(m.start for m in part.clause.marks if "promise_word" in m.senses)
    return around.isdisjoint(_TOPICS) and not negated(part, at) and not part.question


def _denied(part: Part) -> bool:
    """Whether what a clause begins with is denied: "zero commission isn't something I can give"."""
    topics = [mark.end for mark in part.clause.marks if not mark.senses.isdisjoint(_DENIABLE)]
    return bool(topics) and any(
        "neg" in mark.senses and mark.start >= topics[0] and part.tokens[mark.start].endswith(_NOT)
        for mark in part.clause.marks
    )


_DENIABLE: Final = _TOPICS | {"favour_word"}
_NOT: Final = ("n't", "not", "nothing")


def _excludes_others(part: Part) -> bool:
    """Whether a clause says that no other house may have what this one gets: "nobody else gets onto our app"."""
    clause = part.clause
    words = part.tokens[clause.start : clause.end]
    if part.question or part.prices or not part.around.isdisjoint(_DECLINING):
        return False
    nobody = words[:1] in _NOBODY or words[:2] in _NO_OTHERS
    if nobody:
        return ("else" in words[:4] or "other" in words[:3]) and not _OUR_PAGES.isdisjoint(pairwise(words))
    if _ANOTHER.isdisjoint(words) or _HOUSES.isdisjoint(words):
        return False
    promised = clause.person == "i" and not (_WILL.isdisjoint(words) and "won't" not in words)
    never = "never" in words or "won't" in words or "not" in words
    return promised and never and not _ADMITTING.isdisjoint(words)


_NOBODY: Final = (("nobody",), ("none",))
_NO_OTHERS: Final = (("no", "one"), ("no", "other"), ("no", "others"))
_OUR_PAGES: Final = frozenset(
    (whose, where)
    for whose in ("our", "the")
    for where in ("platform", "app", "page", "site", "list", "top", "banner", "slot", "channel", "results")
)
_ANOTHER: Final = word_set("another other others else")
_HOUSES: Final = word_set(
    "hotel hotels house houses inn inns hostel hostels place places resort property anyone nobody"
)
_ADMITTING: Final = word_set("list sign take show let allow add accept host promote feature admit open place")


def _favours(part: Part) -> bool:
    """Whether the speaker's side gives what is not its own to give."""
    if part.senses.isdisjoint(_FAVOURS):
        return False
    person = part.clause.person
    start = part.clause.start
    given = (
        "favour" in part.senses and person == "i" and not part.question and "let" not in part.tokens[start : start + 2]
    )
    promised = not _FUTURE.isdisjoint(part.tokens[start : part.clause.end])  # "you'll always be first"
    named = "favour_word" in part.senses and (person not in ("you", "they") or (person == "you" and promised))
    if not (given or named) or not part.around.isdisjoint(_DECLINING) or not part.around.isdisjoint(_ALLOWED):
        return False
    at = next(m.start for m in part.clause.marks if not m.senses.isdisjoint(_FAVOURS))
    return not negated(part, at) and not (named and (_denied(part) or _tells(part)))


_FAVOURS: Final = frozenset(("favour", "favour_word"))


def _tells(part: Part) -> bool:
    """Whether a clause tells what a price leaves: "that pays you 1,107 a night"."""
    return part.clause.person == "it" and any(price.net for _, price in part.prices)


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


_ASSURING: Final = (("rest", "assured"), ("be", "assured"))
_ASSURED: Final = word_set("full empty booked first top commission bookings refund refunded occupancy")


_SPOKEN_OF: Final = _GOODS | _BUSINESS


def _gives(part: Part) -> bool:
    """Whether a clause says that the agent's side will do something about what is not its own."""
    clause = part.clause
    if part.prices or part.question or clause.person not in ("i", "") or not part.around.isdisjoint(_SETTLED):
        return False
    words = part.tokens[clause.start : clause.end]
    if words[:2] in _ASSURING and not _ASSURED.isdisjoint(words):
        return not negated(part, clause.end)  # "rest assured: ninety percent full"
    if _WILL.isdisjoint(words):
        return False
    will = next(i for i, word in enumerate(words) if word in _WILL)
    if _GOODS.isdisjoint(words[will:]) or negated(part, clause.end):
        return False
    return not _DOING.isdisjoint(words[will : will + 4])


__all__ = ["promises_of"]


class PromiseWords(WordModel):
    """The word model, and from which score on a message is a promise."""

    threshold: float


@cache
def promise_words() -> PromiseWords:
    """Return the shipped model."""
    return read_json(PATH, PromiseWords)


def sounds_forbidden(text: str) -> bool:
    """Return whether a message sounds like a promise that its writer may not make."""
    said = words_of(text.lower())
    if len(said.tokens) < FEWEST:
        return False
    model = promise_words()
    return model.score(said.grams) >= model.threshold
