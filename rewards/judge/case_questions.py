"""The rubric's questions about one reply, filled in from its case: the card's public part, and what was said before.

Targets and floors are no part of it: a judge that knew them would only say again what code computes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from negotiation_env.game import world
from negotiation_env.game.acts import Act
from negotiation_env.game.state import granted, unsettled
from negotiation_env.play.protocols import ReplyView, RewardTerm, Utterance
from rewards.judge.judge_orders import without_orders
from rewards.judge.rubric import Question, Rubric, When
from rewards.sources import Verdict

SHOWN_HEARD: Final = 300
"""Last characters of a message that a question repeats."""
_SENTENCE: Final = re.compile(r"[^.!?。！？\n]*[.!?。！？]*")
_ASKS: Final = ("?", "？")
_WORDLESS: Final = "(nothing)"


class CaseQuestion(NamedTuple):
    """A question of the rubric as it is asked about one reply."""

    place: int
    """Its place among all questions of the rubric."""
    question: Question
    text: str
    """With everything filled in."""


def questions(view: ReplyView, rubric: Rubric) -> list[CaseQuestion]:
    """Return the questions that a reply's case calls for, in the rubric's order."""
    here, told = cases(view), filling(view)
    return [
        CaseQuestion(place, question, question.text.format_map(told))
        for place, question in enumerate(rubric.questions)
        if question.when in here
    ]


class Scale:
    """What answers to a rubric's questions are worth, in points.

    Args:
        rubric: whose questions are asked.
        ordinary: how likely a yes to each is for ordinary replies, whose points are taken off; None for nothing.
    """

    def __init__(self, rubric: Rubric, ordinary: Sequence[float] | None = None) -> None:
        self.rubric = rubric
        asked = rubric.questions
        usual = [0.0] * len(asked) if ordinary is None else [q.points(p) for q, p in zip(asked, ordinary, strict=True)]
        worth = iter(usual)
        self._dimensions = [
            (d.id, d.title, [(q.id, q.yes, q.no, next(worth)) for q in d.questions]) for d in rubric.dimensions
        ]

    def verdict(self, yes: Sequence[float | None]) -> Verdict:
        """Return the points of a reply by dimension, kept within the rubric's limits together.

        ``yes``: how likely a yes to each question is, 0 to 1; None where it was not asked.
        """
        answers = iter(yes)
        terms = []
        for dimension, title, questions in self._dimensions:
            points, weightiest, name = 0.0, 0.0, ""
            for (question, if_yes, if_no, usual), likely in zip(questions, answers, strict=False):
                if likely is not None:
                    own = likely * if_yes + (1.0 - likely) * if_no - usual
                    points += own
                    if abs(own) > weightiest:
                        weightiest, name = abs(own), question
            terms.append(RewardTerm("judge", dimension, points, name or title))
        total = sum([term.points for term in terms])
        least, most = self.rubric.least, self.rubric.most
        if not least <= total <= most:
            limit = least if total < least else most
            terms = [term._replace(points=term.points * limit / total) for term in terms]
            total = limit
        return Verdict(total, tuple(terms))


def cases(view: ReplyView) -> frozenset[When]:
    """Return what can be said of the case that a reply is made in."""
    game, heard = view.game, heard_text(view)
    found: set[When] = {"always", "spoken-before" if view.agent_said else "first-message"}
    open_rooms = unsettled(game)
    if heard:
        found.add("answered")
    if any(sign in heard for sign in _ASKS) or game.wants_reason:
        found.add("asked")
    if len(open_rooms) > 1:
        found.add("several-open")
    if any(game.quoted[k] for k in open_rooms):
        found.add("quoted")
    if granted(view.game):
        found.add("granted")
    if view.card.promises:
        found.add("may-promise")
    return frozenset(found)


def heard_text(view: ReplyView) -> str:
    """Return the manager's last message; "" where it kept silent, or nothing has been said yet."""
    return _last(view.manager_said)


def _last(said: Sequence[Utterance]) -> str:
    if not said or any(act.kind is Act.SILENCE for act in said[-1].acts):
        return ""
    return said[-1].text.strip()


def filling(view: ReplyView) -> dict[str, str]:
    """Return what each name in a question stands for."""
    game, card = view.game, view.card
    rooms = unsettled(game)

    def figures(known: Sequence[object], values: Sequence[float]) -> str:
        named = [f"{values[k]:g} for the {card.tickets[k].room}" for k in rooms if known[k]]
        return ", ".join(named) or "nothing"

    taken = [k for k in range(len(card.tickets)) if game.agreed[k] > 0.0]
    heard = heard_text(view)
    return {
        "heard": _quoted(heard),
        "asked": _quoted(" ".join(_asking(heard)) or heard),
        "said": _quoted(view.agent_said[-1].text if view.agent_said else ""),
        "rooms": ", ".join(card.tickets[k].room for k in rooms) or "none",
        "quotes": figures(game.quoted, game.quote),
        "bids": figures(game.bid, game.bid),
        "agreed": ", ".join(f"{game.agreed[k]:g} for the {card.tickets[k].room}" for k in taken) or "nothing",
        "promises": ", ".join(world.PROMISES.get(p, p.replace("-", " ")) for p in card.promises) or "nothing",
    }


def _asking(text: str) -> list[str]:
    """Return the sentences of a text that ask something."""
    return [part.strip() for part in _SENTENCE.findall(text) if part.rstrip().endswith(_ASKS)]


def _quoted(text: str) -> str:
    """Return a message's end between quotation marks, on one line, without marks or brackets of its own."""
    kept = without_orders(text).replace('"', "'").replace("<", "(").replace(">", ")")
    plain = " ".join("".join(c if c.isprintable() else " " for c in kept).split())
    return f'"{plain[-SHOWN_HEARD:]}"' if plain else _WORDLESS
