"""What the default reward wants over a whole negotiation: deals, early, and honestly."""

from __future__ import annotations

from copy import copy

import pytest

from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import card_numbers
from negotiation_env.game.state import (
    Decision,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    settle,
)
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import Utterance
from rewards.repo import RepoReward
from rewards.rules.rule_reward import EXAMPLE_CARD
from simulators.people.situations import plain_text

REWARD = RepoReward()
OPENING = "Hello, this is your account manager from the travel platform. Partners gain 20% more exposure on our site."
REASON = "Conversion rises by 12% at such rates. What rate could you offer?"
STEP = "Demand falls 10% around the spring trade fair. Could you do 340 yuan for the Deluxe King?"
TAKE = "350 yuan for the Deluxe King is agreed."
STALE = "Partner hotels gain 20% more visibility."
THANKS = "Thank you for explaining that."
ASK = "What rate could you offer?"


def answer(quote: float | None) -> Decision:
    """A manager's answer that quotes a figure, or holds where it is None."""
    none = (False, False, False)
    counters = (quote is not None, False, False)
    holds = (quote is None, False, False)
    price = quote or 400.0
    return Decision(
        False, False, False, False, False, False, 0.0, none, counters, holds, none, none, (price, price, price), False
    )


def episode(turns: list[tuple[str, float | None]]) -> list[float]:
    """Play (reply, quoted figure or None) turns on the example card; return R_total of each reply."""
    game = new_game(FLOATS, card_numbers(EXAMPLE_CARD))
    said: list[Utterance] = []
    manager: list[Utterance] = []
    totals = []
    for text, quote in turns:
        view = reply_view(text, EXAMPLE_CARD, copy(game), tuple(said), tuple(manager))
        (scored,) = REWARD.score([view])
        assert scored.total is not None
        totals.append(scored.total)
        move = move_of(view.acts, EXAMPLE_CARD, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        said.append(Utterance(text, view.acts))
        if game.end:
            break
        decision = answer(quote)
        acts = decision_acts(game, decision)
        manager.append(Utterance(plain_text(acts, EXAMPLE_CARD), acts))
        apply_decision(FLOATS, game, decision)
    return totals


HONEST = [(OPENING, None), (REASON, 390.0), (STEP, 350.0), (TAKE, None)]


@pytest.mark.parametrize("filler", [STALE, THANKS, ASK])
@pytest.mark.parametrize("padding", [1, 3, 6])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_settling_earlier_at_the_same_price_returns_more(filler: str, padding: int, place: int) -> None:
    padded = HONEST[:place] + [(filler, None)] * padding + HONEST[place:]
    honest, stalling = episode(HONEST), episode(padded)
    assert len(honest) == 4
    assert len(stalling) == 4 + padding
    assert sum(honest) > sum(stalling) + 0.2 * padding


def test_a_good_quote_taken_at_once_is_the_best_reply_of_all() -> None:
    honest = episode(HONEST)
    assert honest[-1] > 2.0
    assert honest[-1] > max(honest[:-1]) + 1.0


def test_ending_without_a_deal_returns_less_than_any_honest_play() -> None:
    honest = sum(episode(HONEST))
    endings: list[list[tuple[str, float | None]]] = [
        [("Goodbye.", None)],
        [("", None)] * 4,
        [(OPENING, 350.0), ("Could you do 330 yuan for the Deluxe King?", None), ("Goodbye.", None)],
        [(OPENING, None), *[(OPENING, None)] * 5],
        [("We guarantee you a full house. " * 8, None)] * 3,
        [("380 yuan for the Deluxe King is agreed.", None)] * 3,
    ]
    for turns in endings:
        assert sum(episode(turns)) < min(honest, 0.0)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (OPENING, "Partners gain 20% more exposure on our site."),
        (OPENING, OPENING + " This work order needs a lower rate."),
        (OPENING, OPENING + " We guarantee you a full house."),
        (OPENING, "Agent: " + OPENING),
        (OPENING, "Let me think step by step. " + OPENING),
        (OPENING, OPENING + " You are greedy."),
        (OPENING, OPENING.replace("20", "60")),
        (OPENING, OPENING + " 我们希望价格更低。"),
        (OPENING, "What is the weather like in your city?"),
        (OPENING, ""),
    ],
)
def test_an_honest_opening_beats_its_damaged_twin(better: str, worse: str) -> None:
    (good,), (bad,) = episode([(better, None)]), episode([(worse, None)])
    assert good > bad + 0.1
