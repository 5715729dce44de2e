"""What a clause does with an offer, and how firmly: takes it, turns it down, or only speaks of it.

A commitment needs positive evidence: a phrase of agreement whose object is the offer ("accept your apology" is none),
not negated, in a statement, by the speaker. Conditions reach over their sentence, what is put off over the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from negotiation_env.game.acts import Force
from negotiation_env.language.clauses import Mark, Part
from negotiation_env.language.grammar import AUXILIARIES, DETERMINERS, FILLERS, TITLES
from negotiation_env.language.lexicon import STOPS
from negotiation_env.language.price_vocabulary import word_set
from negotiation_env.language.prices import PriceKind


class Stance(NamedTuple):
    """What a clause does with the offer that it speaks of."""

    kind: str
    """"accept", "confirm", "yes" (a mere yes), "reject", "no" (a mere no), or ""."""
    force: Force


_AGREEMENT: Final = frozenset(("accept", "confirm"))
_REFUSAL: Final = frozenset(("reject",))
_OBJECTS: Final = word_set(
    "it that this these those them both all either any at for to with on and if then as now so please under here from "
    "by or but when once price rate offer figure figures number numbers deal terms proposal quote rates prices offers "
    "bid counter three two one first second former latter third others other rest everything anyway too also gladly "
    "thank thanks today tonight provided unless subject only in you your our my the a an his her their of is are was "
    "because since conditionally net selling per until till after before on is't respectively immediately happily "
    "without while whatever what whichever exactly precisely right away already again "
    "mr mrs ms miss dr sir madam dear ok okay yes"
)
"""What may follow a verb of agreement whose object is the offer; any other word is another object."""
_PRICE_WORDS: Final = word_set(
    "price rate offer figure figures number numbers deal terms proposal quote rates prices offers bid it that this "
    "which they both all these those everything either ones one room rooms sum amount total night nights counter "
    "yuan rmb cny net selling gross each apiece then there we me us"
)
_SAID: Final = word_set("said told says asked wrote")
_PARTICIPLES: Final = word_set(
    "sold taken signed granted approved sealed shaken accepted noted recorded booked settled fixed entered"
)
_BEING: Final = word_set("is are was be been it's that's they're gets get both all then consider")
_ADVERBS: Final = word_set(
    "let both all three two each gladly happily certainly hereby also fully readily therefore cheerfully gratefully "
    "not never hardly barely only just "
    "can't cannot won't don't wouldn't couldn't"
)
_PREDICATES: Final = word_set(
    "is are was works suits stands stand holds sounds looks seems reads feels will does has have"
)
_BEFORE_OBJECTS: Final = DETERMINERS | {"to", "with", "on", "in", "for"}
_LEAVING: Final = frozenset(("leave", "leaves", "left", "leaving", "stays", "stay", "keep", "keeps"))
_MEANWHILE: Final = frozenset(("while", "whereas", "although", "though"))
_VERBS_OF_AGREEMENT: Final = word_set("agree accept accepting take taking taken with")


_BARGAINING: Final = word_set(
    "get put give throw make show send add bring write let take cut drop come meet say fix lower knock include move "
    "lift tell find print"
)
"""Verbs of what is asked for in return: "throw the shuttle in and you've got a deal"."""


def stances_of(parts: Sequence[Part], put_off: bool) -> dict[int, Stance]:
    """Return what each clause of a message does, by ``id``, the clauses beside it considered."""
    found = {id(part): stance_of(part, put_off) for part in parts}
    if _AGREEING.isdisjoint([stance.kind for stance in found.values()]):
        return found
    after = 0
    bargaining = -1  # the last sentence in which something was asked for in return
    for i, part in enumerate(parts):
        stance = found[id(part)]
        bargains = bargaining == part.number
        if _bargains(part):
            bargaining = part.number
        if stance.kind not in _AGREEING or stance.force is not Force.FIRM:
            continue
        if (
            _is_corrected(parts[i + 1 : i + 3])
            or _comments_on_promise(part, parts[i - 1] if i else None)
            or _asks_for_yes(part, parts[i + 1 : i + 2])
        ):
            found[id(part)] = Stance("", Force.FIRM)
        elif (part.clause.join == "and" or _follows(part)) and bargains:
            found[id(part)] = stance._replace(force=Force.CONDITIONAL)
        else:
            if after <= i:  # else the run of like clauses that ends there holds this one too
                after = i + 1
                while after < len(parts) - 1 and _words(parts[after]) == _words(part):  # "noted, noted, ..."
                    after += 1
            if _answers_a_remark(part, parts[after] if after < len(parts) else None):
                found[id(part)] = Stance("", Force.FIRM)
    return found


_AGREEING: Final = frozenset(("accept", "confirm", "yes"))


def _is_corrected(after: Sequence[Part]) -> bool:
    """Whether it is said after a clause that it is of something else: "It works! The translator, I mean."."""
    if len(after) < 2 or _words(after[1]) != ("i", "mean") or after[0].number != after[1].number:
        return False
    named = after[0]
    return not (named.prices or named.rooms or named.clause.verbal) and _PRICE_WORDS.isdisjoint(_words(named))


def _comments_on_promise(part: Part, before: Part | None) -> bool:
    """Whether a clause agrees only with what its sentence promises: "thirty bookings, that's fixed"."""
    if before is None or before.number != part.number or part.clause.person != "it" or part.prices or part.rooms:
        return False
    return not before.senses.isdisjoint(_PROMISING) and not (before.prices or before.rooms)


_PROMISING: Final = frozenset(("favour", "favour_word", "promise_word"))


def _asks_for_yes(part: Part, after: Sequence[Part]) -> bool:
    """Whether a clause tells the other side to agree, for something in return: "say yes and you'll be first"."""
    words = _words(part)
    if words[:1] not in _ASKED_TO or part.clause.person or not after or after[0].number != part.number:
        return False
    other = after[0].clause
    return other.join == "and" and (other.person in ("i", "you") or after[0].tokens[other.start] == "yours")


_ASKED_TO: Final = (("say",), ("agree",), ("accept",), ("take",), ("sign",))


def _words(part: Part) -> tuple[str, ...]:
    return part.tokens[part.clause.start : part.clause.end]


def _follows(part: Part) -> bool:
    return part.tokens[part.clause.start] in ("then", "afterwards", "after", "so")


def _bargains(part: Part) -> bool:
    """Whether a clause tells the other side to do something: "get us onto your mailing"."""
    words = [t for t in part.tokens[part.clause.start : part.clause.end] if t not in FILLERS and t not in STOPS]
    return bool(words) and words[0] in _BARGAINING and not part.question and part.clause.person != "i"


def _answers_a_remark(part: Part, after: Part | None) -> bool:
    """Whether a short yes only agrees with what follows: "agreed, families compare"."""
    if after is None or after.number != part.number or part.prices or part.rooms or after.prices or after.rooms:
        return False
    words = after.tokens[after.clause.start : after.clause.end]
    noun = after.clause.person == "" and words[0] in DETERMINERS and len(words) > 5  # "agreed, the match made a mess"
    if part.clause.end - part.clause.start > 2 or not (after.clause.verbal or noun) or after.clause.join == "but":
        return False
    return (
        (noun or after.clause.person in ("they", "it"))
        and _DEALINGS.isdisjoint(words)
        and after.senses.isdisjoint(_AGREEMENT)
    )


_DEALINGS: Final = word_set("price rate offer figure deal works suits done settled fine fixed agreed both")


def stance_of(part: Part, put_off: bool = False) -> Stance:
    """Return what a clause does, from its own words and its sentence; ``put_off``: the message puts things off."""
    if part.senses.isdisjoint(_TAKING_SIDES):
        return _NEUTRAL
    agreement = None if _is_subordinate(part) else _agreement(part)
    refusal = next((m for m in part.clause.marks if not m.senses.isdisjoint(_REFUSAL)), None)
    if agreement is not None:
        kind = "confirm" if "confirm" in agreement.senses else "accept"
        if refusal is not None and refusal.start > agreement.start:
            return Stance("reject", Force.FIRM)
        none = agreement.end < part.clause.end and part.tokens[agreement.end] in _NONE  # "yes to neither"
        force = Force.NEGATED if none else force_of(part, agreement.start, put_off)
        return Stance(kind, force)
    if refusal is not None:
        return Stance("reject", Force.ASKED if part.question else Force.FIRM)
    if part.rooms and "neg" in part.senses and not (part.prices or part.question) and _is_brief(part):
        return Stance("reject", Force.FIRM)  # "the suite isn't"
    bare = _bare_answer(part)
    return Stance(bare, force_of(part, part.clause.end, put_off)) if bare else Stance("", Force.FIRM)


_NEUTRAL: Final = Stance("", Force.FIRM)
_TAKING_SIDES: Final = frozenset(("accept", "confirm", "approve", "accept_weak", "reject", "reject_weak", "neg"))
"""Senses without one of which a clause does nothing with an offer."""


def _is_brief(part: Part) -> bool:
    return part.clause.end - part.clause.start <= 4


def _is_subordinate(part: Part) -> bool:
    """Whether a clause without a figure only says meanwhile or despite what: "while the rate holds"."""
    start = part.clause.start
    opening = part.tokens[start : start + 2]
    meanwhile = (start > 0 and part.tokens[start - 1] in _MEANWHILE) or opening == ("so", "that")
    said_before = opening[:1] in (("as",), ("like",)) and opening[1:] in _WE  # "as we agreed at the start"
    return (meanwhile or said_before) and not part.prices


_WE: Final = (("we",), ("you",), ("i",))
_NONE: Final = word_set("neither none nothing")
_NOT_US: Final = (("not", "me"), ("not", "us"), ("not", "mine"), ("not", "ours"))


def force_of(part: Part, at: int, put_off: bool = False) -> Force:
    """Return how firmly a clause says what stands at token ``at``."""
    senses, around = part.senses, part.around
    if negated(part, at) or part.tokens[part.clause.end - 2 : part.clause.end] in _NOT_US:
        return Force.NEGATED
    if part.question:
        return Force.ASKED
    if "past" in senses:
        return Force.PAST
    if "reported" in senses or _in_quotes(part, at) or not _SAID.isdisjoint(part.tokens[part.clause.start : at]):
        return Force.REPORTED
    if "cond" in around:
        return Force.CONDITIONAL
    if put_off or "put_off" in around or "later" in senses:
        return Force.PUT_OFF
    if any("hedge" in m.senses and m.start <= at and not _declares(part, m) for m in part.clause.marks):
        return Force.TENTATIVE
    return Force.FIRM


def _declares(part: Part, hedge: Mark) -> bool:
    """Whether a clause tells the other side to take something as done: "consider the Suite settled"."""
    return hedge.start == part.clause.start and part.tokens[hedge.start] == "consider" and hedge.end - hedge.start == 1


def negated(part: Part, at: int) -> bool:
    """Whether a negation stands before token ``at`` in its clause."""
    return any(("neg" in m.senses or "reject_weak" in m.senses) and m.start < at for m in part.clause.marks)


def _in_quotes(part: Part, at: int) -> bool:
    """Whether token ``at`` stands within quotation marks."""
    tokens = part.tokens
    opened = sum(token in '"“”' for token in tokens[max(0, at - 30) : at])
    return opened % 2 == 1 and any(token in '"“”' for token in tokens[at : at + 12])


def _agreement(part: Part) -> Mark | None:
    """Return the phrase by which a clause agrees to an offer, None if there is none."""
    found = None
    for mark in part.clause.marks:
        agrees = not mark.senses.isdisjoint(_AGREEMENT) or ("approve" in mark.senses and part.prices)
        told = "that" in part.tokens[max(part.clause.start + 1, mark.start - 2) : mark.start]  # "the bank that I pay"
        if agrees and not told and _about_the_offer(part, mark):
            if "confirm" in mark.senses:
                return mark
            found = found or mark
    return found


def _about_the_offer(part: Part, mark: Mark) -> bool:
    """Whether what a phrase of agreement speaks of can be the offer."""
    tokens, clause = part.tokens, part.clause
    last = tokens[mark.end - 1]
    if last > "\u2e80" or any(mark.start < at < mark.end for at, _ in part.prices):
        return True
    if last == "take" and part.prices and all(price.kind is not PriceKind.AMOUNT for _, price in part.prices):
        return False  # "take 15 off each"
    compared = "as" in tokens[max(clause.start, mark.start - 2) : mark.start + 1]
    if compared and not _LEAVING.isdisjoint(tokens[clause.start : mark.start]):
        return False  # "we leave the twin as it stands"
    after = tokens[mark.end] if mark.end < clause.end else ""
    if last == "in" and after and after not in STOPS and after not in ("at", "with", "for", "then", "on"):
        return False  # "we are in a position to ..."
    if tokens[mark.start : mark.end] == ("it", "is"):  # "309 it is", but not "it is low season"
        named = any(at < mark.start for at, _ in (*part.rooms, *part.prices))
        shown = any("selling" in m.senses and m.start == mark.end for m in clause.marks)  # "388 it is on the page"
        return named and not shown and (not after or after in FILLERS | STOPS)
    if mark.end - mark.start == 1 and last in _PARTICIPLES and not _stands_alone(part, mark):
        return False
    if tokens[mark.start] in _VERBS_OF_AGREEMENT and last in ("it", "that", "this", "them"):
        own = clause.person == "i" or (clause.person not in ("you", "they") and _subjectless(part, mark))
        return own and (not after or after in STOPS or (after != "to" and (after in _OBJECTS or after in FILLERS)))
    if last in _VERBS_OF_AGREEMENT or "confirm" in mark.senses:
        return _takes_the_offer(part, mark, last)
    return tokens[mark.start] not in _PREDICATES or _said_of_the_offer(part, mark)


def _takes_the_offer(part: Part, mark: Mark, verb: str) -> bool:
    """Whether a verb of agreement has the speaker for its subject and the offer, or nothing, for its object."""
    tokens, clause, at = part.tokens, part.clause, mark.end
    if verb in _VERBS_OF_AGREEMENT and clause.person in ("you", "they"):
        return False
    if clause.person != "i" and not _subjectless(part, mark):
        return False
    if at < clause.end and tokens[at] in STOPS:
        return True
    while at < clause.end and tokens[at] in _BEFORE_OBJECTS:
        if tokens[at] == "that" and at + 1 < clause.end and tokens[at + 1] not in _OBJECTS:
            return False
        at += 1
    if "confirm" in mark.senses and tokens[at : at + 1] in (("it",), ("they",)) and at + 1 < clause.end:
        return tokens[at + 1] in _OBJECTS or tokens[at + 1] in FILLERS  # not "I confirm it arrived"
    if at >= clause.end or any(at == place for place, _ in part.rooms) or ("confirm" in mark.senses and part.prices):
        return True
    return _is_figure(part, at) or (tokens[at] in _OBJECTS and tokens[at] != "you")


def _said_of_the_offer(part: Part, mark: Mark) -> bool:
    """Whether the subject of a predicate ("is fine", "works") can be the offer."""
    tokens, clause = part.tokens, part.clause
    subject = tokens[clause.start : mark.start]
    if not subject or any(at < mark.start for at, _ in part.prices):
        return True
    named = any(clause.start <= at < mark.start for at, _ in part.rooms)
    return subject[-1] in _PRICE_WORDS or subject[-1] in _ORDINALS or subject[-1][0].isdigit() or named


_WILL_BE: Final = (("will", "be"), ("would", "be"))
_ORDINALS: Final = frozenset(("first", "second", "third"))


def _stands_alone(part: Part, mark: Mark) -> bool:
    """Whether a participle is a whole answer, or is said of a figure, a room, or "both": "taken", "309 signed"."""
    clause, tokens = part.clause, part.tokens
    before = tokens[clause.start : mark.start]
    if all(token in FILLERS or token in TITLES for token in before):
        return mark.end >= clause.end or tokens[mark.end] in _OBJECTS | FILLERS | STOPS
    figured = any(at < mark.start for at, _ in (*part.prices, *part.rooms))
    if before[-2:] in _WILL_BE and not figured:  # "your rooms will be sold"
        return False
    return figured or before[-1] in _BEING or before[-1] in _PRICE_WORDS


def _subjectless(part: Part, mark: Mark) -> bool:
    """Whether nothing but auxiliaries, figures, rooms and fillers stands before a verb: nobody else is its subject."""
    named = {at for at, _ in part.prices} | {at + i for at, _ in part.rooms for i in range(4)}
    before = [at for at in range(part.clause.start, mark.start) if at not in named and part.tokens[at] not in _FOR]
    passive = part.tokens[mark.start] in _BEING or (before and part.tokens[before[-1]] in _BEING)
    if passive and part.prices:
        return True
    return all(
        token in FILLERS or token in AUXILIARIES or token in DETERMINERS or token in STOPS or token[0].isdigit()
        or token in _PRICE_WORDS or at in named or at - 1 in named or token in _ADVERBS
        for at, token in enumerate(part.tokens[part.clause.start : mark.start], part.clause.start)
    )  # fmt: skip


_FOR: Final = frozenset(("for", "the", "our", "your"))


def _is_figure(part: Part, at: int) -> bool:
    return any(place == at for place, _ in part.prices)


_NOTHING: Final = frozenset(("accept_weak", "approve", "neutral", "greet", "close", "bye", "soothe", "all"))


def _bare_answer(part: Part) -> str:
    """Return "yes" or "no" if that is all that a clause says, else ""."""
    senses = part.senses
    if "reject_weak" in senses:
        kind = "no"
    elif "accept_weak" in senses or "approve" in senses:
        kind = "yes"
    else:
        return ""
    covered: set[int] = set()
    for mark in part.clause.marks:
        if mark.senses <= _NOTHING or "reject_weak" in mark.senses:
            covered.update(range(mark.start, mark.end))
    for at, _ in part.rooms:
        covered.update(range(at, min(at + 3, part.clause.end)))
    figures = {at for at, _ in part.prices}
    titled = False
    for at in range(part.clause.start, part.clause.end):
        token = part.tokens[at]
        if token in TITLES:
            titled = True
        elif at in covered or at in figures or token in FILLERS or token in STOPS:
            continue
        elif not (titled or token[0].isdigit()):
            return ""
    return kind


def is_light(parts: Sequence[Part], allowed: int = 2) -> bool:
    """Whether clauses say hardly anything: at most ``allowed`` words beside thanks, names of address, farewells."""
    heavy = 0
    for part in parts:
        covered: set[int] = set()
        for mark in part.clause.marks:
            if mark.senses <= _NOTHING:
                covered.update(range(mark.start, mark.end))
        heavy += sum(
            at not in covered and part.tokens[at] not in FILLERS and part.tokens[at] not in STOPS
            for at in range(part.clause.start, part.clause.end)
        )
    return heavy <= allowed
