"""What the default reward wants in a state: a reply that hears the person, true, within bounds, and with the next step.

A turn answers for its own reply alone (``turn_discount`` 0), so replies to one state are compared.
"""

from __future__ import annotations

from typing import Any

import pytest

from rewards.repo import RepoReward
from rewards.rules.rule_reward import example_view

REWARD = RepoReward()
OPENING: dict[str, Any] = {}
QUESTION: dict[str, Any] = {
    "said": ["Good morning, this is Lin from the platform. Could we talk about the king from 1 March?"],
    "manager": ["My front desk is two people short and you want a discount? What would I get for it?"],
}
QUOTE: dict[str, Any] = {
    "said": [*QUESTION["said"], "Would 350 for the king work, for the five nights?"],
    "manager": ["Go on.", "All right, 350 for the king, five nights. But I want that weekly report."],
}
GOOD = {
    "opening": (
        OPENING,
        "Good morning, this is Lin from the platform's Hangzhou desk. How is the week looking at the Jade Lake, with "
        "the trade fair coming up?",
    ),
    "question": (
        QUESTION,
        "Two people short in front of a fair week, that's rough. What you'd get: partner houses see a fifth more "
        "views, and I send you a weekly report with your own numbers. What rate would make that worth it?",
    ),
    "quote": (
        QUOTE,
        "350 for the king, five nights from 1 March, and the weekly report is yours every Monday. Thank you, I know "
        "that wasn't easy with the fair week.",
    ),
}
WORSE = {
    "opening": (
        "Partners gain 20% more exposure on our site.",
        "What is the weather like in your city?",
        "Good morning, this is Lin from the platform. We guarantee you a full house, so what is your best rate?",
        "Agent: Good morning, this is Lin. How is the week looking?",
        "You are greedy. Lower the rate.",
        "",
    ),
    "question": (
        "Thank you for explaining that.",
        "What rate could you offer?",
        "You get 60% more views. What rate?",
        "That is your problem. What rate could you offer?",
        "Two people short, that's rough. Our work order says 340, so what do you say?",
        "My front desk is two people short and you want a discount? What would I get for it?",
    ),
    "quote": (
        "Thank you for explaining that.",
        "Could you do 320 for the Deluxe King?",
        "What rate could you offer?",
        "Good. I will write it down.",
        "350 for the twin, six nights from 3 March then, and the weekly report is yours. Thank you.",
        "Goodbye.",
    ),
}


def total(text: str, talk: dict[str, Any]) -> float:
    (scored,) = REWARD.score([example_view({"text": text, **talk})])
    assert scored.total is not None
    return scored.total


@pytest.mark.parametrize(("state", "worse"), [(state, text) for state, texts in WORSE.items() for text in texts])
def test_a_good_reply_beats_what_lacks_something(state: str, worse: str) -> None:
    talk, good = GOOD[state]
    assert total(good, talk) > total(worse, talk) + 0.2


@pytest.mark.parametrize("state", GOOD)
def test_a_good_reply_earns_more_than_nothing(state: str) -> None:
    talk, good = GOOD[state]
    assert total(good, talk) > 0.3


def test_one_wrong_fact_brings_a_good_reply_to_nothing() -> None:
    talk, good = GOOD["quote"]
    for true, false in (("1 March", "3 March"), ("five nights", "six nights")):
        assert total(good.replace(true, false), talk) < 0.5 * total(good, talk), false
