"""Acts in words and as data: what people see of a reading."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.language.claims import Claim
from negotiation_env.language.describe import describe, in_words
from negotiation_env.language.reading import Reading


@pytest.fixture(scope="module")
def card() -> TaskCard:
    card = sample_scenario(0).card
    tickets = (replace(card.tickets[0], room="Deluxe King"), replace(card.tickets[0], room="Family Suite"))
    return replace(card, tickets=tickets, promises=("banner",))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (DialogueAct(Act.ACCEPT, price=309.0, ticket=0), "takes 309 for the Deluxe King (firm)"),
        (DialogueAct(Act.ACCEPT, ticket=1, force=Force.CONDITIONAL), "agrees for the Family Suite (conditional)"),
        (DialogueAct(Act.ACCEPT), "agrees (firm)"),
        (DialogueAct(Act.PROPOSE, price=300.5, price_type=PriceType.NET), "proposes 300.5 net"),
        (DialogueAct(Act.PROPOSE, price=300.0, ticket=2), "proposes 300 for ticket 3"),
        (DialogueAct(Act.COUNTER, price=310.0, force=Force.UNSURE), "counters with 310 (unsure)"),
        (DialogueAct(Act.ASK, price=309.0, ticket=0, detail="confirm"), "asks to confirm 309 for the Deluxe King"),
        (DialogueAct(Act.ASK, detail="reason"), "asks for the reason"),
        (DialogueAct(Act.INFORM, Tactic.COMPETITOR, figure=288.0), "gives a reason (a competitor, 288)"),
        (DialogueAct(Act.INFORM, Tactic.EXPOSURE, figure=20.0), "gives a reason (exposure, 20%)"),
        (DialogueAct(Act.INFORM, Tactic.FIT, detail="objection"), "objects (fit)"),
        (DialogueAct(Act.INFORM, Tactic.PRESSURE), "threatens"),
        (DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult"), "insults"),
        (DialogueAct(Act.PROMISE, detail="banner"), "promises a banner on the city page for a week"),
        (DialogueAct(Act.PROMISE, detail="badge"), "promises a best-value badge on the listing (not allowed)"),
        (DialogueAct(Act.PROMISE, detail="other"), "promises something else (not allowed)"),
        (DialogueAct(Act.REJECT, detail="retract", ticket=1), "takes its word back for the Family Suite"),
        (DialogueAct(Act.REJECT, price=350.0, detail="hold"), "stands by 350"),
        (DialogueAct(Act.CLOSE, detail="walk"), "walks away"),
    ],
)  # fmt: skip
def test_an_act_in_words(act: DialogueAct, words: str, card: TaskCard) -> None:
    assert in_words([act], card) == words


def test_every_act_has_words_whatever_its_fields(card: TaskCard) -> None:
    for kind in Act:
        for force in Force:
            for ticket in (None, 0, 2):
                for detail in ("", "unheard of"):
                    act = DialogueAct(kind, price=300.0, ticket=ticket, detail=detail, force=force)
                    assert in_words([act], card)


def test_a_reading_as_data(card: TaskCard) -> None:
    acts = (
        DialogueAct(Act.ACCEPT, price=309.0, price_type=PriceType.SELLING, ticket=0, force=Force.ASKED),
        DialogueAct(Act.ASK, detail="reason"),
    )
    claim = Claim("nights", "six nights", 0, 10, 6.0, 5.0, False)
    found = describe(Reading(acts, ("309",), 0.5, "mine", (claim,)), card)
    assert json.loads(json.dumps(found)) == {
        "reader": "mine",
        "confidence": 0.5,
        "acts": [
            {"act": "ACCEPT", "price": 309.0, "ticket": 0, "price_type": "selling", "force": "asked"},
            {"act": "ASK", "detail": "reason", "force": "firm"},
        ],
        "claims": [{"kind": "nights", "said": "six nights", "truth": 5.0, "true": False}],
        "text": "takes 309 for the Deluxe King (asked); asks for the reason; "
        'says what is not so of nights: "six nights", it is 5',
    }
