"""What code has read out of a reply, in words, for language models that score it.

A small model hardly compares figures, counts or remembers turns, and need not: whether a bid lies above the offer, a
reason is new, a room was left out, is known from the public state and the acts of the reply (``features``); whether a
figure is nobody's, from the dialogue (``figures``); whether a message was said before, from its letters
(``text_marks``); whether it holds an internal term that the shipped rules know, from the rule. The notes say so behind
the reply, in a few words each; how the reply is worded remains for the model to judge. They are on what a model reads
of a reply, which is not what it says to its judge (``judged_reply``).
"""

from __future__ import annotations

from negotiation_env.features import FEATURES
from negotiation_env.protocols import ReplyView, Utterance
from rewards.figures import said_figures, strange_figures
from rewards.judged_reply import judged_reply
from rewards.plain_text import prepare
from rewards.rules import RuleReward
from rewards.text_marks import text_marks

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
"""How a feature is noted. ``late`` is not, since the prompt tells the turn, nor ``take_above_target``, since the cut's
size does."""
_CUTS = ((0.25, "small"), (0.6, "half"), (0.95, "large"), (float("inf"), "full"))
"""Shares of the cut to the goal, and how they are called."""


MARKS = {
    "<capitals>": "all capitals", "<signs>": "rows of signs", "<unfinished>": "unfinished", "<foreign>": "other script",
    "<code>": "code signs", "<label>": "label first", "<long>": "very long", "<own>": "said before",
    "<manager's>": "manager's own words", "<twice>": "doubled words",
}  # fmt: skip
"""How a mark of the text is noted."""


def notes(view: ReplyView) -> str:
    """Return the notes on a reply, such as "new reason, takes half cut"; "nothing" where there is nothing to note."""
    view = judged_reply(view)
    found = []
    for name, value in zip(FEATURES, view.features, strict=True):
        if value <= 0.0 or name not in NAMES:
            continue
        text = NAMES[name]
        if name == "take_cut":
            text = f"takes {next(word for limit, word in _CUTS if value < limit)} cut"
        found.append(text)
    found += [MARKS[mark] for mark in text_marks(view)]
    prepared = prepare(view.text)
    if strange_figures(view, prepared):
        found.append("unknown figure")
    if _names_goal(view):
        found.append("names the goal")
    if RuleReward.shipped().finds("internal-term", view, prepared):
        found.append("internal term")
    return ", ".join(found) or "nothing"


def _names_goal(view: ReplyView) -> bool:
    """Whether a reply holds a target's figure that the manager has not said."""
    goals = {float(ticket.target_price) for ticket in view.card.tickets}
    here = {value for value, percent in said_figures(Utterance(view.text, view.acts)) if not percent}
    if not here & goals:
        return False
    known = {value for said in view.manager_said for value, _ in said_figures(said)} | set(view.game.quote)
    return bool((here & goals) - known)
