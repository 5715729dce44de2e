"""What a reply does in its situation, as a fixed vector of numbers: the act-level input of every reward source.

Computed from the public state before the reply and the reply's move, for one negotiation or for N (see ``lanes``).
The numeric environment's reward uses nothing else; the text environment's sources add the words.
"""

from __future__ import annotations

from negotiation_env.acts import Tactic
from negotiation_env.game import Claims, GameState, Move
from negotiation_env.lanes import Lanes, Num, Trio

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

REASONS = range(int(Tactic.EXPOSURE), int(Tactic.PRESSURE))
"""The tactics that are reasons."""

FEATURE_INDEX = {name: i for i, name in enumerate(FEATURES)}


def reply_features(lanes: Lanes, game: GameState, move: Move, still_open: Trio, claims: Claims) -> tuple[Num, ...]:
    """Return the features in the order of ``FEATURES``, each a float or an array [N]."""
    first = game.turn < 0.5
    strength = game.strength
    fresh = stale = lanes.full(game.turn, 0.0)
    reasoned_before = lanes.flag(game.turn, False)
    for tactic in REASONS:
        used, before = move.tactics[tactic], game.used[tactic] > 0.0
        reasoned_before = reasoned_before | before
        if not lanes.some(used):
            continue
        fresh = fresh + 1.0 * (used & (before ^ True)) * (0.5 + 0.5 * strength[tactic])
        stale = stale + 1.0 * (used & before)
    reasons = fresh + stale > 0.0
    bids = _bid_features(lanes, game, claims, still_open)
    any_bid, moved = bids["any"], bids["moved"]
    takes = _take_features(lanes, game, move, claims, still_open)
    took = takes["took"]
    quoted_any = (game.quoted[0] | game.quoted[1]) | game.quoted[2]
    ask_first = move.ask & (game.asked ^ True) & (quoted_any ^ True)
    nudge = (game.silent_streak > 0.0) & (move.greet | (fresh > 0.0))
    new = (fresh > 0.0) | moved | took | ask_first | (move.soothe & game.upset) | (move.greet & first) | nudge
    upset, wants = game.upset, game.wants_reason
    return (
        1.0 * (move.greet & first),
        1.0 * (move.greet & (first ^ True) & (nudge ^ True)),
        1.0 * (first & (move.greet ^ True)),
        lanes.minimum(fresh, 2.0),
        stale,
        1.0 * move.tactics[Tactic.PRESSURE],
        1.0 * move.rude,
        1.0 * move.false_fact,
        1.0 * move.overpromise,
        1.0 * (move.promise & (move.overpromise ^ True)),
        1.0 * (move.soothe & upset),
        1.0 * (upset & (move.soothe ^ True) & (took ^ True)),
        1.0 * (move.soothe & (upset ^ True)),
        1.0 * (wants & reasons),
        1.0 * (wants & (reasons ^ True) & (took ^ True)),
        1.0 * ask_first,
        1.0 * (move.ask & (ask_first ^ True) & (took ^ True)),
        1.0 * (any_bid & (reasons | reasoned_before)),
        1.0 * (any_bid & ((reasons | reasoned_before) ^ True)),
        bids["small"],
        bids["large"],
        bids["unmoved"],
        bids["retreat"],
        bids["above"],
        bids["absurd"],
        takes["at_target"],
        takes["cut"],
        takes["no_cut"],
        takes["press"],
        takes["mistaken"],
        takes["dropped"],
        1.0 * (move.close & takes["left_open"]),
        1.0 * (move.close & takes["left_open"] & (game.silent_streak > 0.0)),
        1.0 * move.silent,
        1.0 * move.off_topic,
        1.0 * ((new ^ True) & (move.silent ^ True)),
        game.turn / 20.0,
        1.0 * nudge,
    )


def _bid_features(lanes: Lanes, game: GameState, claims: Claims, still_open: Trio) -> dict[str, Num]:
    """Concession behaviour of the bids, summed over tickets; steps are shares of the selling price."""
    zero, no = lanes.full(game.turn, 0.0), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("small", "large", "unmoved", "retreat", "above", "absurd"), zero)
    out["any"] = out["moved"] = no
    for k in lanes.tickets(game.card.tickets):
        bid, last, selling = claims.bid[k], game.bid[k], game.card.selling[k]
        made = (bid > 0.0) & still_open[k]
        if not lanes.some(made):
            continue
        had = made & (last > 0.0)
        step = (bid - last) / selling
        out["any"] = out["any"] | made
        out["moved"] = out["moved"] | (made & ((last <= 0.0) | (step > 0.002)))
        out["small"] = out["small"] + 1.0 * (had & (step > 0.002) & (step <= 0.06))
        out["large"] = out["large"] + 1.0 * (had & (step > 0.06))
        out["unmoved"] = out["unmoved"] + 1.0 * (had & (step <= 0.002) & (step >= -0.002))
        out["retreat"] = out["retreat"] + 1.0 * (had & (step < -0.002))
        out["above"] = out["above"] + 1.0 * (made & (bid > game.quote[k] + 1.0))
        out["absurd"] = out["absurd"] + 1.0 * (made & (bid < 0.6 * selling))
    out["moved"] = out["moved"] & (out["above"] <= 0.0)
    return out


def _take_features(lanes: Lanes, game: GameState, move: Move, claims: Claims, still_open: Trio) -> dict[str, Num]:
    """How quotes were taken or missed, summed over tickets."""
    zero, no = lanes.full(game.turn, 0.0), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("at_target", "cut", "no_cut", "press", "mistaken"), zero)
    took = left_open = touched = skipped = no
    for k in lanes.tickets(game.card.tickets):
        quote, target, selling = game.quote[k], game.card.target[k], game.card.selling[k]
        taken, done_well = claims.settled[k], quote <= target
        if lanes.some(move.claim[k]):
            won = lanes.clip((selling - quote) / lanes.maximum(selling - target, 1.0), 0.0, 1.0)
            out["at_target"] = out["at_target"] + 1.0 * (taken & done_well)
            out["cut"] = out["cut"] + 1.0 * taken * won
            out["no_cut"] = out["no_cut"] + 1.0 * (taken & (quote >= selling))
            out["mistaken"] = out["mistaken"] + 1.0 * claims.mistaken[k]
        waits = still_open[k] & (taken ^ True)
        out["press"] = out["press"] + 1.0 * (waits & game.quoted[k] & done_well)
        took = took | taken
        left_open = left_open | waits
        deals = taken | (claims.bid[k] > 0.0) | claims.mistaken[k]
        touched = touched | (deals & still_open[k])
        skipped = skipped | (still_open[k] & (deals ^ True))
    out["took"] = took
    out["left_open"] = left_open
    out["dropped"] = 1.0 * (touched & skipped & (move.ask ^ True))
    return out
