import pytest

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import PRICED_ACTS, Act, PriceType, Tactic
from policies.bargaining import bid
from policies.scripted import HeuristicPolicy, RandomPolicy
from tests.policies.staged import of_kind, opening, trio, view

HEURISTIC = HeuristicPolicy()


def test_heuristic_greets_with_one_true_reason_and_then_asks() -> None:
    first = HEURISTIC.choose(opening())
    assert [act.kind for act in first] == [Act.GREET, Act.INFORM]
    assert (first[1].tactic, first[1].figure) == (Tactic.EXPOSURE, 22.0)
    second = HEURISTIC.choose(view(asked=False, turn=1.0))
    assert [(act.kind, act.detail) for act in second] == [(Act.ASK, "price")]


def test_heuristic_concedes_up_to_the_target_and_never_beyond() -> None:
    bids = [HEURISTIC.choose(view(turn=float(turn)))[-1].price for turn in range(2, 20)]
    assert bids[0] == 348.0
    assert bids == sorted(bids, key=lambda bid: bid or 0.0)
    assert bids[-1] == 360.0


def test_heuristic_takes_a_quote_at_target_and_bids_for_every_other_ticket() -> None:
    acts = HEURISTIC.choose(view(3, quotes=(360.0, 430.0, 0.0)))
    assert [(act.kind, act.ticket) for act in acts] == [(Act.CONFIRM, 0), (Act.COUNTER, 1), (Act.PROPOSE, 2)]
    assert acts[0].price == 360.0


def test_heuristic_takes_any_cut_near_the_turn_limit_but_not_the_old_price() -> None:
    acts = HEURISTIC.choose(view(2, quotes=(395.0, 440.0), turn=17.0))
    assert [act.kind for act in acts] == [Act.CONFIRM, Act.COUNTER]


def test_figures_follow_the_hotel_into_net_prices() -> None:
    taken = HEURISTIC.choose(view(quotes=(360.0,), net=True))
    assert (taken[0].price, taken[0].price_type) == (306.0, PriceType.NET)
    offered = HEURISTIC.choose(view(quotes=(390.0,), net=True))[-1]
    assert offered.price_type is PriceType.NET
    assert offered.price is not None
    assert offered.price / 0.85 == pytest.approx(350, abs=3)


def test_heuristic_answers_anger_and_the_wish_for_a_reason() -> None:
    acts = HEURISTIC.choose(view(quotes=(390.0,), upset=True, wants_reason=True))
    assert [act.kind for act in acts] == [Act.SOOTHE, Act.INFORM, Act.COUNTER]
    assert acts[1].tactic is Tactic.CONVERSION


@pytest.mark.parametrize("target", range(300, 340))
def test_a_net_bid_never_stands_for_more_than_was_meant(target: int) -> None:
    state = view(quotes=(390.0,), net=True)
    made = bid(state.game, 0, float(target))
    assert made.price is not None
    assert target - 1.2 < made.price / 0.85 <= target + 1e-9


@pytest.mark.parametrize("arguments", [{"max_turns": 3}, {"anchor": 0.9}, {"anchor": 2.5}])
def test_heuristic_rejects_numbers_out_of_range(arguments: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        HeuristicPolicy(**arguments)  # type: ignore[arg-type]


def test_random_acts_are_legal_and_varied() -> None:
    policy = RandomPolicy()
    kinds = set()
    for seed in range(300):
        state = view(2, quotes=(380.0, 0.0), seed=seed, agreed=trio([], 0.0))
        acts = policy.choose(state)
        assert 1 <= len(acts) <= 2
        for act in acts:
            kinds.add(act.kind)
            if act.kind is Act.PROMISE:
                assert act.detail in state.card.promises
            if act.kind is Act.INFORM:
                assert act.tactic is not Tactic.PRESSURE
            if act.kind in PRICED_ACTS:
                assert act.ticket in (0, 1)
            if act.kind is Act.CONFIRM:
                assert (act.ticket, act.price) == (0, 380.0)
    assert {Act.GREET, Act.INFORM, Act.ASK, Act.CONFIRM, Act.PROPOSE, Act.COUNTER, Act.PROMISE} <= kinds


def test_random_leaves_settled_tickets_alone() -> None:
    policy = RandomPolicy()
    for seed in range(200):
        acts = policy.choose(view(2, quotes=(380.0, 420.0), seed=seed, agreed=trio([380.0], 0.0)))
        assert all(act.ticket == 1 for act in of_kind(acts, *PRICED_ACTS))
