"""Finds what an agent's message states about the card and the talk, and checks it.

``find_claims`` reads ``stays`` (dates, weekdays, months) and ``nights``, which ``dates`` finds, ``houses`` (rooms, the
hotel, its city and the competitor), ``events`` (named, or alluded to), ``shares`` (demand, exposure, conversion,
occupancy, commission), ``money`` (prices of the competitor, prices that stand, net prices, totals, what was said
before), ``types`` (net or selling, and the gifts beside the price); ``sums`` checks what figures are said to add up
to; ``retold`` holds what is said back against what was told before (``told``); ``talk`` holds a message beside its
card. Words stand in ``words.toml``, ``patterns.toml`` and ``events.toml``. A figure that is offered is a bid and no
claim, the confidential target is never looked at. The text is data: no string raises, and the time is linear in its
length.
"""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import GameState
from negotiation_env.language.claims.dates import find_dates, find_nights
from negotiation_env.language.claims.events import event_claims
from negotiation_env.language.claims.houses import find_houses, find_rooms, house_claims, room_claims
from negotiation_env.language.claims.money import (
    count_claims,
    money_claims,
    saying_claims,
    standing_claims,
)
from negotiation_env.language.claims.nights import nights_claims
from negotiation_env.language.claims.retold import retold_claims
from negotiation_env.language.claims.shares import find_shares, share_claims, trend_claims
from negotiation_env.language.claims.stays import date_claims, month_claims, weekday_claims
from negotiation_env.language.claims.sums import sum_claims
from negotiation_env.language.claims.talk import KINDS, MAX_LENGTH, Claim, Talk
from negotiation_env.language.claims.types import gift_claims, type_claims

__all__ = ["KINDS", "Claim", "find_claims"]


def find_claims(
    text: str, card: TaskCard, game: GameState | None = None, earlier: Sequence[str] = ()
) -> tuple[Claim, ...]:
    """Return every statement of an agent's message about its card or the talk, in the order of the text.

    ``game`` is the public state before the message, ``earlier`` what both sides said before it; what the hotel has said
    is no invention of the agent's.
    """
    talk = Talk(text[:MAX_LENGTH], card, game, earlier)
    houses = find_houses(talk)
    named = {place for house in houses for place in range(house.start, house.end)}  # no room in "Jade Lake Family Inn"
    rooms = [room for room in find_rooms(talk.low, card.tickets) if room.start not in named]
    nights, dates = find_nights(talk.low, talk.numbers), find_dates(talk.low)
    shares = find_shares(talk.low, talk.numbers)
    claims = [
        *room_claims(talk, rooms),
        *house_claims(talk, houses, rooms),
        *event_claims(talk),
        *date_claims(talk, dates, rooms, nights),
        *month_claims(talk, dates, rooms),
        *weekday_claims(talk, dates),
        *nights_claims(talk, nights, rooms, dates),
        *share_claims(talk, shares),
        *trend_claims(talk, shares),
        *money_claims(talk, houses),
        *saying_claims(talk),
        *standing_claims(talk, rooms, dates, nights),
        *count_claims(talk),
        *sum_claims(talk, houses),
        *gift_claims(talk),
        *type_claims(talk, rooms),
    ]
    accused = {(claim.kind, claim.start) for claim in claims if not claim.true}
    claims += [claim for claim in retold_claims(talk) if (claim.kind, claim.start) not in accused]
    return tuple(sorted(claims, key=lambda claim: (claim.start, claim.end, claim.kind)))
