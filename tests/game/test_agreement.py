"""The game's rules: agreement is explicit, ends are what they say, stages follow the dialogue."""

from __future__ import annotations

from typing import Any

import pytest

from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import Scenario, card_numbers, sample_scenario
from negotiation_env.game.state import (
    SILENCE_LIMIT,
    End,
    GameState,
    Stage,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    settle,
    stage_of,
)

QUIET = (DialogueAct(Act.SILENCE),)


def _scenario(tickets: int) -> Scenario:
    return next(s for s in map(sample_scenario, range(50)) if len(s.card.tickets) == tickets)


class Table:
    """One negotiation whose two sides are given as acts."""

    def __init__(self, tickets: int = 1) -> None:
        self.card = _scenario(tickets).card
        self.game: GameState = new_game(FLOATS, card_numbers(self.card))

    def say(self, *acts: DialogueAct) -> None:
        move = move_of(acts, self.card, self.game)
        apply_move(FLOATS, self.game, move, settle(FLOATS, self.game, move))

    def answer(self, *acts: DialogueAct) -> None:
        apply_decision(FLOATS, self.game, decision_of(acts or QUIET, self.game))


def act(kind: Act, price: float | None = None, ticket: int = 0, **more: Any) -> DialogueAct:
    return DialogueAct(kind, price=price, price_type=more.pop("price_type", PriceType.SELLING), ticket=ticket, **more)


def test_a_committed_figure_that_the_agent_names_is_agreed() -> None:
    table = Table()
    quote = table.card.tickets[0].selling_price - 20.0
    table.say(DialogueAct(Act.ASK, detail="price"))
    table.answer(act(Act.COUNTER, quote))
    table.say(act(Act.CONFIRM, quote))
    assert table.game.agreed[0] == quote and table.game.end == End.SETTLED


def test_a_plain_yes_takes_only_what_was_just_named() -> None:
    table = Table()
    quote = table.card.tickets[0].selling_price - 20.0
    table.answer(act(Act.COUNTER, quote))
    table.answer(*QUIET)
    table.say(DialogueAct(Act.ACCEPT))
    assert not table.game.agreed[0]
    table.answer(act(Act.COUNTER, quote))
    table.say(DialogueAct(Act.ACCEPT))
    assert table.game.agreed[0] == quote


def test_crossing_numbers_are_no_deal() -> None:
    table = Table()
    price = table.card.tickets[0].selling_price - 30.0
    table.say(act(Act.PROPOSE, price))
    table.answer(act(Act.COUNTER, price - 5.0))
    table.say(act(Act.COUNTER, price + 5.0))
    assert not table.game.agreed[0] and table.game.end == End.OPEN


def test_silence_is_no_deal_and_three_silences_end_it() -> None:
    table = Table()
    price = table.card.tickets[0].selling_price - 30.0
    for turn in range(SILENCE_LIMIT):
        assert table.game.end == End.OPEN
        table.say(act(Act.PROPOSE, price) if not turn else act(Act.CONFIRM, price))
        table.answer(*QUIET)
    assert not table.game.agreed[0] and table.game.end == End.NO_ANSWER


def test_a_wrong_figure_is_a_bid_not_a_deal() -> None:
    table = Table()
    quote = table.card.tickets[0].selling_price - 20.0
    table.answer(act(Act.COUNTER, quote))
    table.say(act(Act.CONFIRM, quote - 15.0))
    assert not table.game.agreed[0] and table.game.bid[0] == quote - 15.0


def test_net_and_selling_figures_are_kept_apart() -> None:
    table = Table()
    ticket = table.card.tickets[0]
    net = round(ticket.net_price) - 15.0
    table.answer(act(Act.COUNTER, net, price_type=PriceType.NET))
    assert table.game.quote[0] == pytest.approx(net / (1.0 - ticket.commission))
    table.say(act(Act.CONFIRM, net))  # the same digits, as a selling price
    assert not table.game.agreed[0]
    table.answer(*QUIET)
    table.say(act(Act.CONFIRM, net, price_type=PriceType.NET))
    assert table.game.agreed[0] == pytest.approx(net / (1.0 - ticket.commission))


def test_every_ticket_must_be_settled_or_refused() -> None:
    table = Table(tickets=2)
    first = table.card.tickets[0].selling_price - 20.0
    table.answer(act(Act.COUNTER, first))
    table.say(act(Act.CONFIRM, first))
    assert table.game.end == End.OPEN
    table.answer(DialogueAct(Act.REJECT, ticket=1, detail="final"))
    assert table.game.end == End.SETTLED and table.game.refused[1] and not table.game.agreed[1]


def test_walking_away_and_closing_end_it() -> None:
    table = Table()
    table.answer(DialogueAct(Act.CLOSE, detail="walk"))
    assert table.game.end == End.WALKED_AWAY
    table = Table()
    table.say(DialogueAct(Act.CLOSE, detail="bye"))
    assert table.game.end == End.CLOSED


def test_stages_follow_the_dialogue() -> None:
    table = Table()
    target = float(table.card.tickets[0].target_price)
    assert stage_of(table.game) is Stage.OPEN
    table.say(DialogueAct(Act.GREET))
    assert stage_of(table.game) is Stage.REASON
    table.say(DialogueAct(Act.INFORM, Tactic.EXPOSURE))
    assert stage_of(table.game) is Stage.ASK_PRICE
    table.say(DialogueAct(Act.ASK, detail="price"))
    table.answer(act(Act.COUNTER, target + 10.0))
    assert stage_of(table.game) is Stage.OBJECTIONS
    table.answer(act(Act.COUNTER, target))
    assert stage_of(table.game) is Stage.CONFIRM
    table.say(act(Act.CONFIRM, target))
    assert stage_of(table.game) is Stage.CLOSE


def test_lies_and_promises_are_judged_by_the_card() -> None:
    card = _scenario(1).card
    game = new_game(FLOATS, card_numbers(card))
    facts = card.facts
    for tactic, true in ((Tactic.EXPOSURE, facts.exposure), (Tactic.COMPETITOR, facts.competitor_price)):
        assert not move_of([DialogueAct(Act.INFORM, tactic, figure=float(true))], card, game).false_fact
        for off in (1.0, -1.0, 20.0):
            assert move_of([DialogueAct(Act.INFORM, tactic, figure=true + off)], card, game).false_fact
    assert not move_of([DialogueAct(Act.PROMISE, detail=card.promises[0])], card, game).overpromise
    assert move_of([DialogueAct(Act.PROMISE, detail="full-occupancy")], card, game).overpromise


def test_a_decision_survives_being_said_as_acts() -> None:
    table = Table(tickets=2)
    acts = (
        DialogueAct(Act.GREET),
        act(Act.COUNTER, table.card.tickets[0].selling_price - 10.0),
        DialogueAct(Act.REJECT, ticket=1, detail="hold"),
        DialogueAct(Act.ASK, detail="reason"),
    )
    assert decision_acts(table.game, decision_of(acts, table.game)) == acts
