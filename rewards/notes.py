"""What code has read out of a reply, in words, for language models that score it.

A small model hardly compares figures or remembers turns, and need not: whether a bid lies above the offer, a reason is
new, a room was left out, is known exactly from the public state and the acts of the reply (``features``). The notes say
so behind the reply, in a few words each; how the reply is worded remains for the model to judge. Empty for a text whose
state is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.features import FEATURES

NAMES = {
    "greet_first": "greets first", "greet_again": "greets again", "no_greeting": "no greeting",
    "fresh_reason": "new reason", "stale_reason": "old reason", "pressure": "pressure", "rude": "insult",
    "false_fact": "false figure", "overpromise": "forbidden promise", "allowed_promise": "allowed promise",
    "soothe_upset": "soothes", "ignore_upset": "ignores anger", "soothe_idle": "soothes idly",
    "answer_reason": "answers why", "ignore_reason": "ignores why", "ask_first": "asks rate",
    "ask_again": "asks again", "bid_with_reason": "reasoned bid", "bid_without_reason": "bare bid",
    "bid_small_step": "small step", "bid_large_step": "large step", "bid_unmoved": "unmoved bid",
    "bid_retreat": "bid retreats", "bid_above_quote": "bid above offer", "bid_absurd": "absurd bid",
    "take_at_target": "takes good offer", "take_cut": "takes cut", "take_no_cut": "takes no cut",
    "press_at_target": "presses despite good offer", "mistaken_claim": "wrong claim",
    "ticket_dropped": "room left out", "close_open": "closes early", "close_silent_hotel": "closes on silence",
    "silent": "says nothing", "off_topic": "off topic", "nothing_new": "nothing new", "nudge": "nudges",
}  # fmt: skip
"""How a feature is noted; ``late`` is not, since the prompt tells the turn."""
_CUTS = ((0.25, "small"), (0.6, "half"), (0.95, "large"), (float("inf"), "full"))
"""Shares of the cut to the goal, and how they are called."""


def notes(features: Sequence[float]) -> str:
    """Return the notes on a reply, such as "new reason, takes half cut"; "nothing" where there is nothing to note."""
    found = []
    for name, value in zip(FEATURES, features, strict=True):
        if value <= 0.0 or name not in NAMES:
            continue
        text = NAMES[name]
        if name == "take_cut":
            text = f"takes {next(word for limit, word in _CUTS if value < limit)} cut"
        found.append(text)
    return ", ".join(found) or "nothing"
