"""A reward that a test writes down turn by turn."""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardBreakdown


class RewardsByTurn:
    """Gives the dialogues of a batch, in their order, what a table says of their turn; None: not scored."""

    def __init__(self, *table: Sequence[float | None]) -> None:
        self._table = table

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Score by place in the batch, and by the number of replies before this one."""
        given = [self._table[place][len(view.agent_said)] for place, view in enumerate(replies)]
        return [RewardBreakdown(total, total, None, None, None) for total in given]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Not for moves without text."""
        raise NotImplementedError
