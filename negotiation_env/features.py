"""What a reply does in its situation, as a fixed vector of numbers: the act-level input of every reward source.

Computed from the public state before the reply and the reply's move, for one negotiation or for N (see ``lanes``).
The numeric environment's reward uses nothing else; the text environment's sources add the words.
"""

from __future__ import annotations

from negotiation_env.acts import MAX_TICKETS, Tactic
from negotiation_env.game import Claims, GameState, Move
from negotiation_env.lanes import Flag, Lanes, Num, Trio
from negotiation_env.scenario import tactic_strength

FEATURES = (
    "greet_first", "greet_again", "no_greeting", "fresh_reason", "stale_reason", "pressure", "rude", "false_fact",
    "overpromise", "allowed_promise", "soothe_upset", "ignore_upset", "soothe_idle", "answer_reason",
    "ignore_reason", "ask_first", "ask_again", "bid_with_reason", "bid_without_reason", "bid_small_step",
    "bid_large_step", "bid_unmoved", "bid_retreat", "bid_above_quote", "bid_absurd", "take_at_target", "take_cut",
    "take_no_cut", "press_at_target", "mistaken_claim", "ticket_dropped", "close_open", "close_silent_hotel",
    "silent", "off_topic", "nothing_new", "late", "nudge",
)  # fmt: skip
"""Names, in order. Flags are 0 or 1; counts are small; ``take_cut`` is the share of the cut to target won, 0 to 1;
``late`` is the turn over 20."""

FEATURE_INDEX = {name: i for i, name in enumerate(FEATURES)}


def reply_features(
    lanes: Lanes, game: GameState, move: Move, still_open: Trio, claims: Claims
) -> tuple[Num, ...]:
    """Return the features in the order of ``FEATURES``, each a float or an array [N]."""
    number, invert, card = lanes.number, lanes.invert, game.card
    first = game.turn < 0.5
    strength = tactic_strength(lanes, card)
    fresh = stale = lanes.full(game.turn, 0.0)
    reasoned_before = lanes.flag(game.turn, False)
    for tactic in range(int(Tactic.EXPOSURE), int(Tactic.PRESSURE)):
        used, before = move.tactics[tactic], game.used[tactic] > 0.0
        fresh = fresh + number(used & invert(before)) * (0.5 + 0.5 * strength[tactic])
        stale = stale + number(used & before)
        reasoned_before = reasoned_before | before
    reasons = fresh + stale > 0.0
    bids = _bid_features(lanes, game, claims, still_open)
    any_bid, moved = bids["any"], bids["moved"]
    takes = _take_features(lanes, game, move, claims, still_open)
    took = takes["took"]
    quoted_any = (game.quoted[0] | game.quoted[1]) | game.quoted[2]
    ask_first = move.ask & invert(game.asked) & invert(quoted_any)
    nudge = (game.silent_streak > 0.0) & (move.greet | (fresh > 0.0))
    new = (fresh > 0.0) | moved | took | ask_first | (move.soothe & game.upset) | (move.greet & first) | nudge
    upset, wants = game.upset, game.wants_reason
    values = {
        "greet_first": number(move.greet & first),
        "greet_again": number(move.greet & invert(first) & invert(nudge)),
        "no_greeting": number(first & invert(move.greet)),
        "fresh_reason": lanes.minimum(fresh, 2.0),
        "stale_reason": stale,
        "pressure": number(move.tactics[Tactic.PRESSURE]),
        "rude": number(move.rude),
        "false_fact": number(move.false_fact),
        "overpromise": number(move.overpromise),
        "allowed_promise": number(move.promise & invert(move.overpromise)),
        "soothe_upset": number(move.soothe & upset),
        "ignore_upset": number(upset & invert(move.soothe) & invert(took)),
        "soothe_idle": number(move.soothe & invert(upset)),
        "answer_reason": number(wants & reasons),
        "ignore_reason": number(wants & invert(reasons) & invert(took)),
        "ask_first": number(ask_first),
        "ask_again": number(move.ask & invert(ask_first) & invert(took)),
        "bid_with_reason": number(any_bid & (reasons | reasoned_before)),
        "bid_without_reason": number(any_bid & invert(reasons | reasoned_before)),
        "bid_small_step": bids["small"],
        "bid_large_step": bids["large"],
        "bid_unmoved": bids["unmoved"],
        "bid_retreat": bids["retreat"],
        "bid_above_quote": bids["above"],
        "bid_absurd": bids["absurd"],
        "take_at_target": takes["at_target"],
        "take_cut": takes["cut"],
        "take_no_cut": takes["no_cut"],
        "press_at_target": takes["press"],
        "mistaken_claim": takes["mistaken"],
        "ticket_dropped": takes["dropped"],
        "close_open": number(move.close & takes["left_open"]),
        "close_silent_hotel": number(move.close & takes["left_open"] & (game.silent_streak > 0.0)),
        "silent": number(move.silent),
        "off_topic": number(move.off_topic),
        "nothing_new": number(invert(new) & invert(move.silent)),
        "late": game.turn / 20.0,
        "nudge": number(nudge),
    }
    return tuple(values[name] for name in FEATURES)


def _bid_features(lanes: Lanes, game: GameState, claims: Claims, still_open: Trio) -> dict[str, Num]:
    """Concession behaviour of the bids, summed over tickets; steps are shares of the selling price."""
    number, invert = lanes.number, lanes.invert
    zero, no = lanes.full(game.turn, 0.0), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("small", "large", "unmoved", "retreat", "above", "absurd"), zero)
    any_bid: Flag = no
    moved: Flag = no
    for k in range(MAX_TICKETS):
        bid, last, selling = claims.bid[k], game.bid[k], game.card.selling[k]
        made = (bid > 0.0) & still_open[k]
        had = made & (last > 0.0)
        step = (bid - last) / selling
        any_bid = any_bid | made
        moved = moved | (made & ((last <= 0.0) | (step > 0.002)))
        out["small"] = out["small"] + number(had & (step > 0.002) & (step <= 0.06))
        out["large"] = out["large"] + number(had & (step > 0.06))
        out["unmoved"] = out["unmoved"] + number(had & (step <= 0.002) & (step >= -0.002))
        out["retreat"] = out["retreat"] + number(had & (step < -0.002))
        out["above"] = out["above"] + number(made & (bid > game.quote[k] + 1.0))
        out["absurd"] = out["absurd"] + number(made & (bid < 0.6 * selling))
    out["any"] = any_bid
    out["moved"] = moved & invert(out["above"] > 0.0)
    return out


def _take_features(
    lanes: Lanes, game: GameState, move: Move, claims: Claims, still_open: Trio
) -> dict[str, Num]:
    """How quotes were taken or missed, summed over tickets."""
    number, invert = lanes.number, lanes.invert
    zero, no = lanes.full(game.turn, 0.0), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("at_target", "cut", "no_cut", "press", "mistaken"), zero)
    took = left_open = touched = skipped = no
    for k in range(MAX_TICKETS):
        quote, target, selling = game.quote[k], game.card.target[k], game.card.selling[k]
        taken, done_well = claims.settled[k], quote <= target
        won = lanes.clip((selling - quote) / lanes.maximum(selling - target, 1.0), 0.0, 1.0)
        out["at_target"] = out["at_target"] + number(taken & done_well)
        out["cut"] = out["cut"] + number(taken) * won
        out["no_cut"] = out["no_cut"] + number(taken & (quote >= selling))
        ready = still_open[k] & game.quoted[k] & done_well
        out["press"] = out["press"] + number(ready & invert(taken))
        out["mistaken"] = out["mistaken"] + number(claims.mistaken[k])
        took = took | taken
        left_open = left_open | (still_open[k] & invert(taken))
        deals = taken | (claims.bid[k] > 0.0) | claims.mistaken[k]
        touched = touched | (deals & still_open[k])
        skipped = skipped | (still_open[k] & invert(deals))
    out["took"] = took
    out["left_open"] = left_open
    out["dropped"] = number(touched & skipped & invert(move.ask))
    return out
