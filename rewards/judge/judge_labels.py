"""True answers to the rubric's questions: what the annotations of written replies tell, and what made simulated ones.

A reply's author named its flaws and acts, and graded it. A named flaw answers its own question with yes; it is silent
about others, so whether these are answered with no depends on the reply's grade and on what its flaw is:

- flaws of fact (``FACTS``: a wrong date, figure, room, ...) are made by changing one thing of a sound reply, so no
  other flaw is there;
- beside any other flaw, the questions about feelings, manner and the manager's question (``UNSURE``) stay untold: who
  insults mostly ignores feelings too, and authors name what is worst;
- a reply of grade 3 or more without a flaw has none.

Whether a reply hears the manager is told by ``soothe`` and ``address:*``, where the manager was moved (``upset``,
``concern:*``, ``objection:*``); without these an excellent reply, or one made of an excellent one, stays untold.

Acts answer the rest: ``identify`` that the reply introduces itself, ``inform:*`` that it reasons, ``ask:concern`` that
it asks for needs, ``promise:*`` within ``may_promise`` that it offers, ``decline`` that it declines, ``accept`` and
``confirm`` that it confirms. That a reply is in its own words is told by grades: 5 is one that "names what they said",
3 is "correct and bland".

Simulated replies (``simulators.people.preferences``) are made of acts in phrase-book words, some with a sentence of
damage. Their answers follow from the damage and from act-level features; they fill in what written dialogues lack,
phrase-book words above all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.game.acts import Act
from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.game.state import granted
from rewards.judge.case_questions import cases
from rewards.judge.rubric import Rubric
from simulators.people.graded_replies import GradedReply
from simulators.people.preferences import Candidate

FLAW: Final[dict[str, tuple[str, ...]]] = {
    "passes-over": ("ignores-feeling",),
    "rude": ("rude",),
    "presses": ("pressure",),
    "flatters": ("flattery",),
    "empty": ("empty-phrases",),
    "keywords": ("keyword-soup",),
    "over-long": ("over-long",),
    "repeats": ("repeats",),
    "out-of-role": ("out-of-role",),
    "leaves-question": ("ignores-question",),
    "drops-room": ("drops-ticket",),
    "asks-again": ("asks-again",),
    "silence-as-yes": ("assumes-silence-agrees",),
    "claims-agreement": ("mistaken-agreement",),
    "takes-early": ("accepts-too-early",),
    "asks-less": ("presses-below-target",),
    "overpromises": ("overpromise",),
    "internal": ("internal-term", "target-leak"),
    "private": ("private-data",),
    "off-topic": ("off-topic",),
}
"""The flaws that answer a question with yes."""
FACTS: Final = frozenset(
    (
        "wrong-date", "wrong-room", "wrong-hotel", "wrong-direction", "invented-figure", "price-type-mixup",
        "overpromise", "target-leak", "mistaken-agreement",
    )
)  # fmt: skip
"""Flaws that come from changing one thing of a sound reply."""
UNSURE: Final = frozenset(
    ("passes-over", "presses", "rude", "empty", "leaves-question", "drops-room", "asks-again", "repeats", "off-topic")
)
"""Questions that another flaw than one of ``FACTS`` leaves untold."""
_NEAR: Final[dict[str, frozenset[str]]] = {
    "silence-as-yes": frozenset(("mistaken-agreement",)),
    "claims-agreement": frozenset(("assumes-silence-agrees", "accepts-too-early")),
    "takes-early": frozenset(("mistaken-agreement", "assumes-silence-agrees", "drops-ticket")),
    "flatters": frozenset(("empty-phrases", "out-of-role", "keyword-soup")),
    "over-long": frozenset(("empty-phrases", "off-topic", "repeats")),
    "keywords": frozenset(("out-of-role",)),
    "out-of-role": frozenset(("keyword-soup",)),
    "overpromises": frozenset(("flattery", "empty-phrases")),
}
"""Flaws beside which a question stays untold, since they look alike."""
_MOVES: Final = ("propose", "accept", "confirm", "ask:price", "ask:concern", "inform", "promise", "decline", "defer")
_MOVED: Final = ("upset", "concern", "objection")
_STANDS_STILL: Final = frozenset(("off-topic", "repeats", "empty-phrases", "keyword-soup", "out-of-role"))


def answers(reply: GradedReply, heard: Sequence[str], rubric: Rubric) -> list[bool | None]:
    """Return the true answer to each question of the rubric: None where the annotations do not tell, or not asked.

    Args:
        reply: with its annotations.
        heard: acts of the manager's message before it, as annotated; () for the first message.
        rubric: questions that are not in this module's tables stay untold.
    """
    here = cases(reply.view)
    return [_answer(q.id, reply, heard) if q.when in here else None for q in rubric.questions]


def _answer(name: str, reply: GradedReply, heard: Sequence[str]) -> bool | None:
    flaws = set(reply.flaws)
    if name in FLAW:
        if flaws & set(FLAW[name]):
            return True
        if flaws & _NEAR.get(name, frozenset()) or (name in UNSURE and flaws - FACTS):
            return None
        if name == "passes-over" and flaws and not _does(reply, "soothe", "address"):
            return None
        return False
    return _act_answer(name, reply, heard)


def _act_answer(name: str, reply: GradedReply, heard: Sequence[str]) -> bool | None:
    """Answer the questions that acts and grades tell."""
    flaws = set(reply.flaws)
    if name == "hears":
        moved = any(act.startswith(_MOVED) for act in heard)
        if _does(reply, "soothe", "address"):
            return True if moved and "ignores-feeling" not in flaws else None
        return None if reply.quality >= 4 or (flaws and flaws <= FACTS) else False
    if name == "asks-needs":
        return _does(reply, "ask:concern") or (None if _does(reply, "ask:other") else False)
    if name == "own-words":
        if reply.quality == 5:
            return True
        return False if reply.quality == 3 or flaws & {"empty-phrases", "keyword-soup"} else None
    if name == "introduces":
        return _does(reply, "identify") or (None if reply.quality >= 3 else False)
    if name == "moves":
        if flaws & _STANDS_STILL:
            return None if _does(reply, *_MOVES) else False
        return True if _does(reply, *_MOVES) or reply.grade != "flawed" else None
    if name == "passes-yes":
        given = [f"@{k}=" for k in granted(reply.view.game)]
        again = any(act.startswith("propose") and any(k in act for k in given) for act in reply.acts)
        return (None if reply.quality >= 4 else True) if again else False
    told = {
        "reasons": ("inform",),
        "offers": tuple(f"promise:{promise}" for promise in reply.view.card.promises),
        "declines": ("decline",),
        "confirms": ("accept", "confirm"),
    }
    return _does(reply, *told[name]) if name in told else None


def _does(reply: GradedReply, *kinds: str) -> bool:
    """Whether an act of one of these kinds is annotated."""
    return any(act.startswith(kind) for act in reply.acts for kind in kinds)


_DAMAGE: Final[dict[str, tuple[str, ...]]] = {
    "rude": ("rude",),
    "flatters": ("flattery",),
    "keywords": ("keyword stuffing",),
    "over-long": ("over-long",),
    "repeats": ("repeated", "copied"),
    "out-of-role": ("role label", "chain of thought", "placeholder", "markup", "garbled"),
    "silence-as-yes": ("silence as agreement",),
    "overpromises": ("over-promise",),
    "internal": ("internal term", "target leak"),
    "private": ("personal data",),
}
"""Damage that answers a question with yes."""
_FEATURES: Final[dict[str, tuple[str, ...]]] = {
    "hears": ("soothe_upset",),
    "passes-over": ("ignore_upset",),
    "rude": ("rude",),
    "presses": ("pressure",),
    "introduces": ("greet_first",),
    "leaves-question": ("ignore_reason",),
    "drops-room": ("ticket_dropped",),
    "asks-again": ("ask_again",),
    "silence-as-yes": ("close_silent_hotel",),
    "claims-agreement": ("mistaken_claim",),
    "confirms": ("take_cut", "take_no_cut"),
    "reasons": ("fresh_reason", "stale_reason"),
    "takes-early": ("take_no_cut",),
    "overpromises": ("overpromise",),
    "offers": ("allowed_promise",),
    "off-topic": ("off_topic",),
    "flatters": (), "keywords": (), "over-long": (), "repeats": (), "out-of-role": (), "internal": (), "private": (),
    "own-words": (), "asks-needs": (), "declines": (),
}  # fmt: skip
"""Features that answer a question with yes; "empty" is left out: all phrase-book words are stock phrases."""
_UNLIKE: Final = frozenset(("mixed language", "shouting", "cut off", "wrong figure"))
"""Damage that no question asks for, but that may look like what one does."""


def simulated_answers(reply: Candidate, rubric: Rubric) -> list[bool | None]:
    """Return the true answer to each question about a simulated reply, None where nothing tells it."""
    here = cases(reply.view)
    return [_simulated(q.id, reply) if q.when in here else None for q in rubric.questions]


def _simulated(name: str, reply: Candidate) -> bool | None:
    def has(*features: str) -> bool:
        return any(reply.view.features[FEATURE_INDEX[feature]] > 0.0 for feature in features)

    if name == "moves":
        if not reply.view.text or has("off_topic") or (has("close_open") and not has("take_cut")):
            return False
        return None if has("nothing_new") else True
    if name == "passes-yes":
        given = granted(reply.view.game)
        return any(act.kind in (Act.PROPOSE, Act.COUNTER) and act.ticket in (None, *given) for act in reply.view.acts)
    if name == "asks-less":
        return None if has("press_at_target") or (has("bid_small_step") and "granted" in cases(reply.view)) else False
    if name not in _FEATURES:
        return None
    if reply.damage in _DAMAGE.get(name, ()) or has(*_FEATURES[name]):
        return True
    if name == "takes-early" and has("take_above_target"):
        return None
    return None if reply.damage in _UNLIKE and name in _DAMAGE else False
