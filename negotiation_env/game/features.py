"""What a reply does in its situation, as a fixed vector of numbers: the act-level input of every reward source.

Computed from the public state before the reply and the reply's move, for one negotiation or for N (see ``lanes``).
The numeric environment's reward uses nothing else; the text environment's sources add the words.
"""

from __future__ import annotations

from negotiation_env.game.acts import Tactic
from negotiation_env.game.lanes import Flag, Lanes, Num
from negotiation_env.game.state import Claims, GameState, Move

FEATURES = (
    "greet_first", "greet_again", "no_greeting", "fresh_reason", "stale_reason", "pressure", "rude", "false_fact",
    "overpromise", "allowed_promise", "soothe_upset", "ignore_upset", "soothe_idle", "answer_reason",
    "ignore_reason", "ask_first", "ask_again", "bid_with_reason", "bid_without_reason", "bid_small_step",
    "bid_large_step", "bid_unmoved", "bid_retreat", "bid_above_quote", "bid_absurd", "take_at_target", "take_cut",
    "take_above_target", "take_no_cut", "press_at_target", "mistaken_claim", "ticket_dropped", "close_open",
    "close_silent_hotel", "silent", "off_topic", "nothing_new", "late", "nudge",
)  # fmt: skip
"""Names, in order. Flags are 0 or 1; counts are small. ``take_cut`` is the share of the cut to target won, 0 to 1 a
ticket, and ``take_above_target`` counts the tickets taken at less than the full cut; ``late`` is the turn over 20."""

_PRESSURE = int(Tactic.PRESSURE)
REASONS = range(int(Tactic.EXPOSURE), _PRESSURE)
"""The tactics that are reasons."""

FEATURE_INDEX = {name: i for i, name in enumerate(FEATURES)}


def reply_features(lanes: Lanes, game: GameState, move: Move, claims: Claims) -> tuple[Num, ...]:
    """Return the features in the order of ``FEATURES``, each a float or a float64 array [N]."""
    first = game.turn < 0.5
    strength = game.card.strength
    fresh, stale = lanes.full(game.turn, 0.0), lanes.tally(game.turn)
    reasoned_before = lanes.flag(game.turn, False)
    for tactic in REASONS:
        used, before = move.tactics[tactic], game.used[tactic] > 0.0
        reasoned_before = reasoned_before | before
        if not lanes.some(used):
            continue
        again = used & before
        fresh = fresh + (used ^ again) * (0.5 + 0.5 * strength[tactic])
        stale = stale + again
    is_fresh = fresh > 0.0
    reasons = is_fresh | (stale > 0)
    bids = _bid_features(lanes, game, claims)
    any_bid, moved = bids["any"], bids["moved"]
    takes = _take_features(lanes, game, move, claims)
    took = takes["took"]
    quoted_any = (game.quoted[0] | game.quoted[1]) | game.quoted[2]
    ask_first = move.ask & (game.asked ^ True) & (quoted_any ^ True)
    nudge = (game.silent_streak > 0.0) & (move.greet | is_fresh)
    new = is_fresh | moved | took | ask_first | (move.soothe & game.upset) | (move.greet & first) | nudge
    new = new | _read_back_news(game, move)
    upset, wants, reasoned = game.upset, game.wants_reason, reasons | reasoned_before
    return lanes.numbers(
        move.greet & first,
        move.greet & (first ^ True) & (nudge ^ True),
        first & (move.greet ^ True),
        lanes.minimum(fresh, 2.0),
        stale,
        move.tactics[_PRESSURE],
        move.rude,
        move.false_fact,
        move.overpromise,
        move.promise & (move.overpromise ^ True),
        move.soothe & upset,
        upset & (move.soothe ^ True) & (took ^ True),
        move.soothe & (upset ^ True),
        wants & reasons,
        wants & (reasons ^ True) & (took ^ True),
        ask_first,
        move.ask & (ask_first ^ True) & (took ^ True),
        any_bid & reasoned,
        any_bid & (reasoned ^ True),
        bids["small"],
        bids["large"],
        bids["unmoved"],
        bids["retreat"],
        bids["above"],
        bids["absurd"],
        takes["at_target"],
        takes["cut"],
        takes["above"],
        takes["no_cut"],
        takes["press"],
        takes["mistaken"],
        takes["dropped"],
        move.close & takes["left_open"],
        move.close & takes["left_open"] & (game.silent_streak > 0.0),
        move.silent,
        move.off_topic,
        (new ^ True) & (move.silent ^ True),
        game.turn / 20.0,
        nudge,
    )


def _read_back_news(game: GameState, move: Move) -> Flag:
    """Whether a move says something new about a read-back: gives cause for one, or says no to it."""
    pending = game.pending[0] | game.pending[1] | game.pending[2]
    half = move.unsure[0] | move.unsure[1] | move.unsure[2]
    return (half & (pending ^ True)) | (move.reject & pending)


def _bid_features(lanes: Lanes, game: GameState, claims: Claims) -> dict[str, Num]:
    """Concession behaviour of the bids, summed over tickets; steps are shares of the selling price."""
    none, no = lanes.tally(game.turn), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("small", "large", "unmoved", "retreat", "above", "absurd"), none)
    out["any"] = out["moved"] = no
    for k in lanes.tickets(game.card.tickets):
        bid, last, selling = claims.bid[k], game.bid[k], game.card.selling[k]
        made = (bid > 0.0) & game.open[k]
        if not lanes.some(made):
            continue
        had = made & (last > 0.0)
        step = (bid - last) / selling
        rises, leaps, falls = had & (step > 0.002), had & (step > 0.06), had & (step < -0.002)
        out["any"] = out["any"] | made
        out["moved"] = out["moved"] | rises | (made ^ had)
        out["small"] = out["small"] + (rises ^ leaps)
        out["large"] = out["large"] + leaps
        out["unmoved"] = out["unmoved"] + (had ^ rises ^ falls)
        out["retreat"] = out["retreat"] + falls
        out["above"] = out["above"] + (made & (bid > game.quote[k] + 1.0))
        out["absurd"] = out["absurd"] + (made & (bid < 0.6 * selling))
    out["moved"] = out["moved"] & (out["above"] <= 0)
    return out


def _take_features(lanes: Lanes, game: GameState, move: Move, claims: Claims) -> dict[str, Num]:
    """How quotes were taken or missed, summed over tickets."""
    none, no = lanes.tally(game.turn), lanes.flag(game.turn, False)
    out: dict[str, Num] = dict.fromkeys(("at_target", "above", "no_cut", "press", "mistaken"), none)
    out["cut"] = lanes.full(game.turn, 0.0)
    took = left_open = touched = skipped = no
    for k in lanes.tickets(game.card.tickets):
        quote, target, selling = game.quote[k], game.card.target[k], game.card.selling[k]
        taken, done_well = claims.settled[k], quote <= target
        if lanes.some(move.claim[k]):
            won = lanes.clip((selling - quote) / lanes.maximum(selling - target, 1.0), 0.0, 1.0)
            out["at_target"] = out["at_target"] + (taken & done_well)
            out["cut"] = out["cut"] + taken * won
            out["above"] = out["above"] + (taken & (quote > target))
            out["no_cut"] = out["no_cut"] + (taken & (quote >= selling))
            out["mistaken"] = out["mistaken"] + claims.mistaken[k]
        waits = game.open[k] & (taken ^ True)
        out["press"] = out["press"] + (waits & game.quoted[k] & done_well & (move.unsure[k] ^ True))
        took = took | taken
        left_open = left_open | waits
        deals = taken | (claims.bid[k] > 0.0) | claims.mistaken[k] | move.unsure[k]
        touched = touched | (deals & game.open[k])
        skipped = skipped | (game.open[k] & (deals ^ True))
    out["took"] = took
    out["left_open"] = left_open
    # Who answers the question about one ticket has not dropped the others.
    pending = game.pending[0] | game.pending[1] | game.pending[2]
    out["dropped"] = touched & skipped & ((move.ask | pending) ^ True)
    return out
