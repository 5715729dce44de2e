"""Credit for single replies of a dialogue: each turn's own return, and how it compares with other dialogues' same turn.

Plain numbers, so that a trainer of any library can use them: this project's loop (``training.on_policy``) takes the
returns, TRL's and prime-rl's GRPO (``integrations``) the advantages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Literal, TypeAlias

from negotiation_env.errors import UsageError

Scale: TypeAlias = Literal["group", "batch", "none"]
"""What advantages are divided by: the standard deviation among those compared, that of all, or nothing."""
GROUP_EPSILON = 1e-4
"""Added to a standard deviation, so that equal credit gives no advantage instead of a large one."""


def dialogue_returns(rewards: Sequence[float | None], discount: float) -> list[float | None]:
    """Return each turn's credit from its own reward on: G_t = sum over k of discount^k r_{t+k}.

    Args:
        rewards: one per turn; None where the reply was not scored. Such a turn gets no credit, and gives none to
            earlier turns, but the distance over it counts.
        discount: in [0, 1]; 0 is the paper's setting: a turn answers for its own reply alone.
    """
    credit = 0.0
    found: list[float | None] = []
    for reward in reversed(rewards):
        credit = discount * credit + (0.0 if reward is None else reward)
        found.append(None if reward is None else credit)
    return found[::-1]


def turn_advantages(
    rewards: Sequence[Sequence[float | None]], groups: Sequence[int], discount: float, scale: Scale = "none"
) -> list[list[float]]:
    """Return an advantage for each reply: its credit, less the mean credit of the same turn in its group.

    A turn's mean is known before the turn's reply, so it shifts no gradient (but by the reply's own part in it, as in
    GRPO). Credit is summed before it is compared: comparing single rewards first and summing then would take away as
    many means as the dialogue has turns, and so pay a policy for long or for short dialogues.

    Args:
        rewards: by dialogue, one per turn; None where the reply was not scored.
        groups: of each dialogue; equal for those from one opening.
        discount: in [0, 1], of later turns' rewards; 0: a reply answers for itself alone.
        scale: what the differences are divided by.

    Returns:
        Advantages in the shape of ``rewards``; 0 for a reply that was not scored, or has none to be compared with.

    Raises:
        UsageError: on a discount out of range, or not one group for each dialogue.
    """
    if not 0.0 <= discount <= 1.0:
        raise UsageError(f"expected a turn discount in [0, 1], got {discount}: 0 lets a reply answer for itself alone")
    if len(groups) != len(rewards):
        raise UsageError(f"expected a group for each of {len(rewards)} dialogues, got {len(groups)}")
    credits = [dialogue_returns(turns, discount) for turns in rewards]
    compared: dict[tuple[int, int], list[float]] = defaultdict(list)
    for group, turns in zip(groups, credits, strict=True):
        for turn, credit in enumerate(turns):
            if credit is not None:
                compared[group, turn].append(credit)
    everything = [credit - fmean(found) for found in compared.values() for credit in found]
    spread = pstdev(everything) if scale == "batch" and everything else 1.0

    def advantage(group: int, turn: int, credit: float | None) -> float:
        if credit is None:
            return 0.0
        others = compared[group, turn]
        difference = credit - fmean(others)
        if scale == "none":
            return difference
        return difference / ((pstdev(others) if scale == "group" else spread) + GROUP_EPSILON)

    return [
        [advantage(group, turn, credit) for turn, credit in enumerate(turns)]
        for group, turns in zip(groups, credits, strict=True)
    ]
