"""The plain baseline ``reward="outcome"``: nothing but the value of the deal, with no model, judge or rules.

A reply earns, for each ticket that it settles, the share of the cut that was hoped for: 1 at the target price or below,
0 at the present selling price, (selling - agreed) / (selling - target) between. Every other reply earns 0, so the sum
over an episode is the value of its final deal, from 0 to the number of tickets, however it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView, RewardBreakdown, RewardTerm

_CUT: Final = FEATURE_INDEX["take_cut"]


class OutcomeReward:
    """Scores a reply by what it settles; the sources of REPO's breakdown stay None."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Return one breakdown a reply, with a term where something was settled."""
        return [_breakdown(float(view.features[_CUT])) for view in replies]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Return the value of moves without text, a float or an array [N]."""
        return RewardBreakdown(features[_CUT], None, None, None, None)


def _breakdown(value: float) -> RewardBreakdown:
    terms = (RewardTerm("outcome", "deal", value, "share of the hoped-for cut won"),) if value else ()
    return RewardBreakdown(value, None, None, None, None, terms)
