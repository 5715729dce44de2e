"""The dialogue acts that both sides speak in.

One vocabulary serves the agent and the hotel manager: understanding turns text into acts, wording turns acts into text,
the game and the manager's dynamics see acts only.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple


class Act(IntEnum):
    """What a piece of an utterance does. The order is the numeric environment's action order."""

    GREET = 0
    INFORM = 1
    PROPOSE = 2
    COUNTER = 3
    ASK = 4
    ACCEPT = 5
    REJECT = 6
    CONFIRM = 7
    SOOTHE = 8
    PROMISE = 9
    CLOSE = 10
    SILENCE = 11
    OFF_TOPIC = 12


class Tactic(IntEnum):
    """What a reason appeals to. ``PRESSURE`` is a threat or an insult: it is a tactic that costs goodwill."""

    NONE = 0
    EXPOSURE = 1
    CONVERSION = 2
    COMPETITOR = 3
    CALENDAR = 4
    FIT = 5
    PARTNERSHIP = 6
    PRESSURE = 7


class Force(Enum):
    """How firmly an act is said. Only a firm acceptance binds; see ``DialogueAct.force``."""

    FIRM = "firm"
    CONDITIONAL = "conditional"
    TENTATIVE = "tentative"
    ASKED = "asked"
    PUT_OFF = "put off"
    NEGATED = "negated"
    REPORTED = "reported"
    """Reported or hypothetical: somebody else's words, or what would be."""
    PAST = "past"
    UNSURE = "unsure"
    """The reader cannot tell."""


ASKED_BACK = frozenset({Force.CONDITIONAL, Force.TENTATIVE, Force.ASKED, Force.UNSURE})
"""Acceptances that the other side answers with a question: "309 for the twin, yes?"."""
OFFERED = frozenset({Force.FIRM, Force.CONDITIONAL, Force.TENTATIVE, Force.ASKED})
"""How a figure is said that is on offer: "maybe 309" and "could you do 309?" are bids, "never 309" is none."""


class PriceType(Enum):
    """*Selling* price is what the traveller pays; *net* price is what the hotel takes home."""

    SELLING = "selling"
    NET = "net"


class DialogueAct(NamedTuple):
    """One act of an utterance.

    Attributes:
        kind: what it does.
        tactic: what it appeals to (INFORM), else ``NONE``.
        price: yuan per night, as said (PROPOSE, COUNTER, ACCEPT, CONFIRM); None if no figure was said.
        price_type: type of ``price``; None if it was not said and no context decides it.
        ticket: 0-based index of the ticket meant; None if none was named.
        figure: a figure cited as a fact (INFORM): percent, or yuan for a competitor's rate.
        detail: a refinement: the promise's id (PROMISE); ``"reason"``, ``"price"``, ``"figure"`` (which one is meant)
            or ``"confirm"`` (ASK; the last reads ``price`` back); ``"hold"``, ``"final"`` or ``"retract"`` (REJECT);
            ``"last"`` (COUNTER: the last price); ``"objection"``, ``"upset"``, ``"insult"``, ``"warning"`` or
            ``"condition:"`` and its id (INFORM: what a price is tied to); else ``""``.
        force: how firmly it is said.
    """

    kind: Act
    tactic: Tactic = Tactic.NONE
    price: float | None = None
    price_type: PriceType | None = None
    ticket: int | None = None
    figure: float | None = None
    detail: str = ""
    force: Force = Force.FIRM


MAX_TICKETS = 3
"""A scenario has one to three tickets; per-ticket quantities come in tuples of this length."""

PRICED_ACTS = frozenset({Act.PROPOSE, Act.COUNTER, Act.ACCEPT, Act.CONFIRM})
"""Acts that may carry a price."""
