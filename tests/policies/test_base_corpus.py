"""What the tiny base learns from: questions about the card, and names that stand in no list."""

from itertools import islice

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.scenario import scenario_of
from policies.training.base_corpus import RENAMED, negotiated, recital, renamed


def test_questions_are_answered_from_the_card() -> None:
    seen = set()
    for seed in range(40):
        card = scenario_of("base", seed).card
        asked, answered = recital(card, range(len(card.tickets)), np.random.default_rng(seed))
        text = answered["content"]
        for question, fact in (
            ("Which house is it about?", card.hotel.name),
            ("Who is cheaper?", f"{card.facts.competitor_name} asks {card.facts.competitor_price}"),
            ("What does it bring?", f"{card.facts.exposure}% more views"),
            ("Why now?", f"{card.facts.demand:+d}% around {card.facts.event}"),
        ):
            assert (question in asked["content"]) == (fact in text)
            seen |= {question} if fact in text else set()
    assert len(seen) == 4


def test_made_up_names_stand_for_both_houses_throughout() -> None:
    card = scenario_of("base", 3).card
    ours, theirs = card.hotel.name, card.facts.competitor_name
    chat: list[ChatMessage] = [
        {"role": "user", "content": f"This is {ours}. Is {theirs} cheaper?"},
        {"role": "assistant", "content": f"{theirs} is; and {ours} is full."},
    ]
    (first, second), again = (renamed(chat, card, np.random.default_rng(5)) for _ in range(2))
    assert [first, second] == again and ours not in first["content"] and theirs not in second["content"]
    mine, other = first["content"].removeprefix("This is ").removesuffix(" cheaper?").split(". Is ")
    assert second["content"] == f"{other} is; and {mine} is full." and mine != other


def test_examples_end_with_an_answer_and_a_share_is_renamed() -> None:
    chats = list(islice(negotiated(0), 120))
    assert chats == list(islice(negotiated(0), 120))
    assert all([m["role"] for m in chat[-4:]] == ["user", "assistant"] * 2 and len(chat) >= 5 for chat in chats)
    houses = {scenario_of("base", seed).card.hotel.name.split()[0] for seed in range(400)}
    true = sum(chat[0]["content"].split("manager of ")[1].split()[0] in houses for chat in chats)
    assert abs(true / len(chats) - (1.0 - RENAMED)) < 0.15
