"""What is said but not firmly binds nobody: it is read back, waited for, or passed over; one clear answer decides."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from negotiation_env.game.acts import ASKED_BACK, OFFERED, Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.game.features import FEATURE_INDEX, reply_features
from negotiation_env.game.lanes import ARRAYS, FLOATS, episode_seed
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import card_numbers, sample_card, sample_floors, scenario_of
from negotiation_env.game.state import (
    End,
    Move,
    Stage,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    settle,
    stage_of,
)
from simulators.managers.rule_manager import RuleManager
from tests.game.test_agreement import QUIET, Table, act

SHORT_OF_FIRM = sorted(set(Force) - {Force.FIRM}, key=lambda force: force.value)
BYE = DialogueAct(Act.CLOSE, detail="bye")
DYNAMICS = RuleManager().dynamics


def quoted(tickets: int = 1) -> tuple[Table, list[float]]:
    """A table at which the hotel has just named a figure for every ticket."""
    table = Table(tickets)
    quotes = [ticket.selling_price - 20.0 for ticket in table.card.tickets]
    table.answer(*(act(Act.COUNTER, quote, k) for k, quote in enumerate(quotes)))
    return table, quotes


def read_back(price: float, ticket: int = 0) -> DialogueAct:
    return act(Act.ASK, price, ticket, detail="confirm")


def feature(table: Table, name: str, *acts: DialogueAct) -> float:
    move = move_of(acts, table.card, table.game)
    return float(reply_features(FLOATS, table.game, move, settle(FLOATS, table.game, move))[FEATURE_INDEX[name]])


@pytest.mark.parametrize("kind", [Act.ACCEPT, Act.CONFIRM])
@pytest.mark.parametrize("force", SHORT_OF_FIRM)
def test_only_a_firm_acceptance_settles(kind: Act, force: Force) -> None:
    table, quotes = quoted()
    for said in (act(kind, quotes[0], force=force), DialogueAct(kind, force=force)):
        move = move_of([said], table.card, table.game)
        assert not any(move.claim)
        assert move.unsure[0] is (force in ASKED_BACK)
        assert move.put_off[0] is (force is Force.PUT_OFF)
        table.say(said)
        assert not table.game.agreed[0] and table.game.end == End.OPEN


@pytest.mark.parametrize("answer", ["figure", "bare"])
def test_a_plain_yes_to_a_read_back_settles(answer: str) -> None:
    table, quotes = quoted()
    table.say(act(Act.ACCEPT, quotes[0], force=Force.CONDITIONAL))
    table.answer(read_back(quotes[0]))
    assert table.game.pending[0] and table.game.fresh[0] and stage_of(table.game) is Stage.CONFIRM
    table.say(act(Act.CONFIRM, quotes[0]) if answer == "figure" else DialogueAct(Act.ACCEPT))
    assert table.game.agreed[0] == quotes[0] and table.game.end == End.SETTLED


@pytest.mark.parametrize("reply", [DialogueAct(Act.REJECT), act(Act.COUNTER, 200.0)])
def test_after_a_no_or_a_bid_the_talk_goes_on(reply: DialogueAct) -> None:
    table, quotes = quoted()
    table.say(act(Act.ACCEPT, quotes[0], force=Force.ASKED))
    table.answer(read_back(quotes[0]))
    table.say(reply)
    assert not table.game.agreed[0] and table.game.end == End.OPEN and table.game.quoted[0]
    table.answer(*QUIET)
    assert not table.game.pending[0] and stage_of(table.game) is not Stage.CONFIRM


def test_a_yes_without_a_name_answers_what_was_asked() -> None:
    table, quotes = quoted(tickets=2)
    table.answer(act(Act.COUNTER, quotes[0] - 5.0, 0), read_back(quotes[1], 1))
    table.say(DialogueAct(Act.ACCEPT))
    assert table.game.agreed[:2] == (0.0, quotes[1]) and table.game.end == End.OPEN


def test_half_an_acceptance_of_another_figure_is_a_bid() -> None:
    table, quotes = quoted()
    for force in ASKED_BACK:
        move = move_of([act(Act.ACCEPT, quotes[0] - 30.0, force=force)], table.card, table.game)
        assert move.bid[0] == quotes[0] - 30.0 and not move.unsure[0]


def test_there_is_nothing_to_read_back_where_nothing_stands() -> None:
    table = Table()
    move = move_of([DialogueAct(Act.ACCEPT, force=Force.TENTATIVE)], table.card, table.game)
    assert not any(move.unsure) and not any(move.claim)


def test_in_doubt_nothing_is_agreed() -> None:
    table, quotes = quoted(tickets=2)
    halves = act(Act.ACCEPT, quotes[0], 0, force=Force.CONDITIONAL)
    move = move_of([act(Act.ACCEPT, quotes[0], 0), halves, act(Act.ACCEPT, quotes[1], 1)], table.card, table.game)
    assert move.claim[:2] == (False, True) and move.unsure[:2] == (True, False)
    # What names no ticket means those that are not taken already.
    loose = DialogueAct(Act.ACCEPT, force=Force.TENTATIVE)
    move = move_of([act(Act.ACCEPT, quotes[0], 0), loose], table.card, table.game)
    assert move.claim[:2] == (True, False) and move.unsure[:2] == (False, True)


@pytest.mark.parametrize("force", list(Force))
def test_a_figure_on_offer_is_a_bid_and_no_other(force: Force) -> None:
    table = Table()
    move = move_of([act(Act.PROPOSE, 300.0, force=force)], table.card, table.game)
    assert (move.bid[0] > 0.0) is (force in OFFERED)
    assert move.unclear is (force is Force.UNSURE)
    table.answer(act(Act.COUNTER, 300.0, force=force))
    assert table.game.quoted[0] is (force in OFFERED)


@pytest.mark.parametrize(
    "also",
    [
        DialogueAct(Act.ASK, detail="price"),
        DialogueAct(Act.SOOTHE),
        act(Act.COUNTER, 200.0),
        act(Act.COUNTER, 200.0, force=Force.UNSURE),
        act(Act.CONFIRM, 200.0),
        DialogueAct(Act.ACCEPT, force=Force.CONDITIONAL),
    ],
)
def test_who_goes_on_has_not_said_goodbye(also: DialogueAct) -> None:
    table, _ = quoted()
    table.say(also, BYE)
    assert table.game.end == End.OPEN


def test_a_goodbye_alone_or_with_a_refusal_ends_the_talk() -> None:
    for also in ((), (DialogueAct(Act.REJECT),), (DialogueAct(Act.INFORM, Tactic.FIT),)):
        table, _ = quoted()
        table.say(*also, BYE)
        assert table.game.end == End.CLOSED


def test_a_hotel_takes_its_figure_back() -> None:
    table, quotes = quoted()
    table.answer(DialogueAct(Act.REJECT, ticket=0, detail="retract"))
    assert not table.game.quoted[0] and not table.game.fresh[0]
    assert table.game.quote[0] == table.card.tickets[0].selling_price
    table.say(act(Act.CONFIRM, quotes[0]))
    assert not table.game.agreed[0] and table.game.bid[0] == quotes[0]


def test_what_is_agreed_is_not_taken_back() -> None:
    table, quotes = quoted()
    table.say(act(Act.CONFIRM, quotes[0]))
    table.answer(DialogueAct(Act.REJECT, ticket=0, detail="retract"))
    assert table.game.agreed[0] == quotes[0] and table.game.end == End.SETTLED


def test_a_higher_figure_in_place_of_one_taken_back_stands() -> None:
    table, quotes = quoted()
    table.answer(DialogueAct(Act.REJECT, ticket=0, detail="retract"), act(Act.COUNTER, quotes[0] + 10.0))
    assert table.game.quoted[0] and table.game.quote[0] == quotes[0] + 10.0


@pytest.mark.parametrize("kind", ["confirm", "ask"])
def test_a_hotel_that_repeats_the_agents_bid_commits_to_it(kind: str) -> None:
    table, quotes = quoted()
    bid = quotes[0] - 15.0
    table.say(act(Act.COUNTER, bid))
    table.answer(act(Act.CONFIRM, bid) if kind == "confirm" else read_back(bid))
    assert table.game.quoted[0] and table.game.quote[0] == bid and table.game.pending[0] is (kind == "ask")
    table.say(DialogueAct(Act.ACCEPT))
    assert table.game.agreed[0] == bid


@pytest.mark.parametrize("force", SHORT_OF_FIRM)
def test_a_hotels_acceptance_short_of_firm_commits_to_nothing(force: Force) -> None:
    table, quotes = quoted()
    bid = quotes[0] - 15.0
    table.say(act(Act.COUNTER, bid))
    for kind in (Act.ACCEPT, Act.CONFIRM):
        table.answer(act(kind, bid, force=force))
        assert table.game.quote[0] == quotes[0]


def test_a_read_back_without_a_figure_is_about_what_stands() -> None:
    table, quotes = quoted(tickets=2)
    table.answer(DialogueAct(Act.ASK, ticket=1, detail="confirm"))
    assert table.game.pending[:2] == (False, True) and table.game.quote[1] == quotes[1]


def test_asking_back_survives_being_said_as_acts() -> None:
    table, quotes = quoted(tickets=2)
    table.say(act(Act.COUNTER, quotes[1] - 15.0, 1))
    for acts in (
        (read_back(quotes[0]), DialogueAct(Act.REJECT, ticket=1, detail="retract")),
        (read_back(quotes[0]), read_back(quotes[1] - 15.0, 1)),
        (act(Act.COUNTER, quotes[0] - 1.0), DialogueAct(Act.ASK, detail="figure")),
    ):
        decision = decision_of(acts, table.game)
        assert decision_acts(table.game, decision) == acts
        assert not decision.ask


def test_answers_to_a_read_back_are_no_faults() -> None:
    table, quotes = quoted(tickets=2)
    half = act(Act.ACCEPT, quotes[0], 0, force=Force.CONDITIONAL)
    assert not feature(table, "nothing_new", half)
    table.say(half)
    table.answer(read_back(quotes[0]))
    yes = DialogueAct(Act.ACCEPT)
    for name in ("mistaken_claim", "ticket_dropped", "nothing_new"):
        assert not feature(table, name, yes)
    assert not feature(table, "nothing_new", DialogueAct(Act.REJECT))
    # To say the half thing once more is no answer.
    assert feature(table, "nothing_new", half)


def test_half_an_acceptance_presses_for_nothing() -> None:
    table = Table()
    target = float(table.card.tickets[0].target_price)
    table.answer(act(Act.COUNTER, target))
    assert not feature(table, "press_at_target", act(Act.ACCEPT, target, force=Force.TENTATIVE))
    assert feature(table, "press_at_target", act(Act.COUNTER, target - 20.0))


def _random_acts(rng: random.Random, table: Any) -> tuple[DialogueAct, ...]:
    """Draw a message with acts of every force."""
    acts = [DialogueAct(Act.GREET)] if rng.random() < 0.2 else []
    if rng.random() < 0.4:
        acts.append(DialogueAct(Act.INFORM, Tactic(rng.randint(1, 7))))
    if rng.random() < 0.2:
        acts.append(DialogueAct(Act.ASK, detail="price"))
    for k, ticket in enumerate(table.card.tickets):
        if rng.random() < 0.7:
            kind = rng.choice([Act.ACCEPT, Act.CONFIRM, Act.COUNTER])
            stands = table.game.quoted[k] and rng.random() < 0.8
            price = table.game.quote[k] if stands else float(round(ticket.selling_price * rng.uniform(0.7, 1.0)))
            acts.append(act(kind, price, k, force=rng.choice(list(Force))))
    if rng.random() < 0.1:
        acts.append(DialogueAct(Act.ACCEPT, force=rng.choice(list(Force))))
    return tuple(acts) or QUIET


class Seated(Table):
    """One negotiation of a numbered seed."""

    def __init__(self, number: int) -> None:
        scenario = scenario_of(f"half-{number}", episode_seed(number))
        self.card = scenario.card
        self.game = new_game(FLOATS, card_numbers(self.card))


def _stack(values: list[Any]) -> Any:
    """Put one value a lane into an array, trios and all."""
    if isinstance(values[0], tuple):
        stacked = [_stack([value[i] for value in values]) for i in range(len(values[0]))]
        return type(values[0])._make(stacked) if isinstance(values[0], Move) else tuple(stacked)
    return np.array(values)


def test_floats_and_arrays_ask_back_alike() -> None:
    """Bit for bit: decisions, features, public and private state."""
    lanes, turns, rng = 90, 10, random.Random(3)
    seeds = [episode_seed(i) for i in range(lanes)]
    batch = np.array(seeds, dtype=np.uint64)
    cards = sample_card(ARRAYS, batch)
    games, seats = new_game(ARRAYS, cards), DYNAMICS.start(ARRAYS, batch, cards, sample_floors(ARRAYS, batch, cards))
    tables = [Seated(i) for i in range(lanes)]
    for table, seed in zip(tables, seeds, strict=True):
        table.game = new_game(FLOATS, sample_card(FLOATS, seed))
    alone = [
        DYNAMICS.start(FLOATS, seed, table.game.card, sample_floors(FLOATS, seed, table.game.card))
        for table, seed in zip(tables, seeds, strict=True)
    ]
    seen = 0
    for _ in range(turns):
        moves = [move_of(_random_acts(rng, table), table.card, table.game) for table in tables]
        seen += sum(any(move.unsure) or any(move.put_off) or move.unclear for move in moves)
        many = _stack(moves)
        claims = settle(ARRAYS, games, many)
        features = reply_features(ARRAYS, games, many, claims)
        apply_move(ARRAYS, games, many, claims)
        decided = DYNAMICS.decide(ARRAYS, seats, games, many)
        apply_decision(ARRAYS, games, decided)
        for i, (table, seat, move) in enumerate(zip(tables, alone, moves, strict=True)):
            own = settle(FLOATS, table.game, move)
            values = reply_features(FLOATS, table.game, move, own)
            assert [float(np.broadcast_to(a, lanes)[i]) for a in features] == [float(b) for b in values]
            apply_move(FLOATS, table.game, move, own)
            decision = DYNAMICS.decide(FLOATS, seat, table.game, move)
            apply_decision(FLOATS, table.game, decision)
            count = int(table.game.card.tickets)
            for name in ("accept", "counter", "hold", "refuse", "read_back", "quote", "last", "condition"):
                wide = [float(np.broadcast_to(value, lanes)[i]) for value in getattr(decided, name)[:count]]
                assert wide == [float(value) for value in getattr(decision, name)[:count]], name
            for name in ("pending", "fresh", "quoted", "agreed", "condition"):
                wide = [float(np.broadcast_to(value, lanes)[i]) for value in getattr(games, name)[:count]]
                assert wide == [float(value) for value in getattr(table.game, name)[:count]], name
            assert (games.end[i], seats.mood[i], seats.opened[i]) == (table.game.end, seat.mood, seat.opened)
    assert seen > lanes / 2


def test_prices_in_net_are_read_back_in_net() -> None:
    table = Table()
    ticket = table.card.tickets[0]
    net = round(ticket.net_price) - 15.0
    table.answer(act(Act.COUNTER, net, price_type=PriceType.NET))
    half = act(Act.ACCEPT, net, price_type=PriceType.NET, force=Force.TENTATIVE)
    move = move_of([half], table.card, table.game)
    answers = []
    for seed in range(5):
        seat = DYNAMICS.start(FLOATS, seed, table.game.card, (1.0, 1.0, 1.0))
        answers.append(DYNAMICS.decide(FLOATS, seat, table.game, move))
    said = [decision_acts(table.game, answer)[-1] for answer in answers if not answer.silent]
    assert set(said) == {act(Act.ASK, net, price_type=PriceType.NET, detail="confirm")}
