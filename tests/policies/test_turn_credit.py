"""What each reply of a dialogue has earned: its return, and its advantage over the same turn of other dialogues."""

from __future__ import annotations

from typing import Any

import pytest

from negotiation_env.errors import UsageError
from policies.turn_credit import dialogue_returns, turn_advantages


def test_credit_over_the_dialogue_is_discounted_and_an_unscored_turn_gives_and_gets_none() -> None:
    assert dialogue_returns([1.0, 2.0, 4.0], 0.0) == [1.0, 2.0, 4.0]
    assert dialogue_returns([1.0, 2.0, 4.0], 0.5) == [3.0, 4.0, 4.0]
    assert dialogue_returns([1.0, None, 4.0], 0.5) == [2.0, None, 4.0]
    assert dialogue_returns([], 0.5) == []


def test_a_reply_is_compared_with_the_same_turn_of_its_own_group() -> None:
    rewards: list[list[float | None]] = [[1.0, 5.0, 3.0], [3.0, 1.0], [9.0, 9.0], [7.0, None]]
    assert turn_advantages(rewards, [0, 0, 1, 1], 0.0) == [[-1.0, 2.0, 0.0], [1.0, -2.0], [1.0, 0.0], [-1.0, 0.0]]
    assert turn_advantages(rewards, [0, 0, 1, 1], 1.0)[0] == [2.5, 3.5, 0.0]


@pytest.mark.parametrize("scale", ["none", "group"])
@pytest.mark.parametrize(("discount", "moved"), [(0.0, [False, True, False]), (0.5, [True, True, False])])
def test_a_reward_at_turn_two_moves_that_turn_and_those_that_it_is_credited_to(
    scale: Any, discount: float, moved: list[bool]
) -> None:
    def advantages(second: float) -> list[list[float]]:
        return turn_advantages([[0.3, second, -0.2], [0.7, 0.1, 0.5], [-0.1, 0.0]], [0, 0, 0], discount, scale)

    for before, after in zip(advantages(0.4), advantages(1.4), strict=True):
        assert [a != pytest.approx(b) for a, b in zip(before, after, strict=True)] == moved[: len(before)]


def test_scales_divide_by_the_spread_of_those_compared_or_of_all() -> None:
    rewards = [[0.0, 0.0], [2.0, 20.0]]
    (low, high) = turn_advantages(rewards, [0, 0], 0.0, "group")
    assert low + high == pytest.approx([-1.0, -1.0, 1.0, 1.0], rel=1e-3)
    (low, high) = turn_advantages(rewards, [0, 0], 0.0, "batch")
    assert high == pytest.approx([1.0 / 50.5**0.5, 10.0 / 50.5**0.5], rel=1e-3)
    assert turn_advantages([[1.0], [1.0]], [0, 0], 0.0, "group") == [[0.0], [0.0]]


def test_dialogues_that_end_early_are_not_paid_for_it() -> None:
    """Every turn is worth the same whatever is done, so a policy that chooses when to stop has nothing to learn."""
    advantages = turn_advantages([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0]], [0, 0, 0], 0.0)
    assert advantages == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0]]


@pytest.mark.parametrize("wrong", [{"discount": -0.1}, {"discount": 1.1}, {"groups": [0]}])
def test_a_value_out_of_range_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        turn_advantages([[1.0], [2.0]], wrong.get("groups", [0, 0]), wrong.get("discount", 0.0))
