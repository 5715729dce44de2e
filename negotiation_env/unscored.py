"""A reward that scores nothing, for play whose rewards nobody reads. Knows no source."""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.lanes import Lanes, Num
from negotiation_env.protocols import ReplyView, RewardBreakdown

_NONE = RewardBreakdown(None, None, None, None, None)


class Unscored:
    """Returns an unscored breakdown for every reply, without a fault."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Return one unscored breakdown per reply."""
        return [_NONE] * len(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Return an unscored breakdown."""
        return _NONE
