"""Understanding is total: any string gives acts, and none takes long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negotiation_env.game.acts import DialogueAct
from negotiation_env.language.reading import Context
from negotiation_env.language.rule_reader import understand

ROOMS = ("Deluxe King", "Superior Twin")
CONTEXTS = {
    "agent": Context("agent", ROOMS[:1], (420.0,), (0.15,), (400.0,), (380.0,), (True,), False),
    "agent two": Context("agent", ROOMS, (420.0, 500.0), (0.15,) * 2, (400.0, None), (380.0, None), (True, True), True),
    "manager first": Context("manager", ROOMS[:1], (420.0,), (0.15,), (None,), (380.0,), (True,), False),
    "manager two": Context(
        "manager", ROOMS, (420.0, 500.0), (0.15,) * 2, (400.0, None), (380.0, 450.0), (True,) * 2, False
    ),
}


def _garbage(rng: random.Random) -> str:
    alphabets = (
        "abc 123 ¥$%.,!?\n", "٠١٢٣ שלום مرحبا \u202e\u202d", "\x00\x01\x1b[31m\ufeff\u200b\u200d",
        "四百八十折净价可以不行，。",
        "😀👍🏽\U0010ffff", "İıßſﬁ", "1234567890.,%¥",
    )  # fmt: skip
    words = (
        "deal", "380", "¥1,200", "20%", "king", "twin", "not", "can't", "both",
        "banner", "we will give you", "net", "but", "and", ",", "?",
    )  # fmt: skip
    if rng.random() < 0.5:
        return " ".join(rng.choice(words) for _ in range(rng.randrange(30)))
    letters = rng.choice(alphabets)
    return "".join(rng.choice(letters) for _ in range(rng.randrange(120)))


def test_no_string_raises() -> None:
    rng = random.Random(7)
    wheres = list(CONTEXTS.values())
    for n in range(5_000):
        text = _garbage(rng)
        acts = understand(text, wheres[n % len(wheres)]).acts
        assert acts
        assert all(isinstance(act, DialogueAct) for act in acts)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "9" * 400,
        "¥380 ",
        "deal ",
        "20% ",
        "exposure 20% ",
        "king 380 twin 390 ",
        "can't ",
        "discount? ",
        "\u200b",
        "百",
        "\u0661",
        "(",
        "not not ",
        "380-",
        "and ",
    ],
)
def test_huge_messages_are_cut(piece: str) -> None:
    for where in ("agent two", "manager two"):
        assert understand(piece * (1_000_000 // len(piece)), CONTEXTS[where]).acts


@settings(max_examples=300)
@given(st.text(max_size=300), st.sampled_from(sorted(CONTEXTS)))
def test_any_text_gives_acts(text: str, where: str) -> None:
    understood = understand(text, CONTEXTS[where])
    assert understood.acts
    # One act per ticket at most.
    tickets = [a.ticket for a in understood.acts if a.ticket is not None]
    assert len(tickets) == len(set(tickets))


@pytest.mark.parametrize("sign", ["²", "𐹠", "①", "٣", "፩"])
def test_a_digit_that_is_no_number_is_data(sign: str) -> None:
    for text in (f"I could add {sign} to my bid", f"raise by {sign}", f"{sign} higher", f"{sign} more for the king"):
        for context in CONTEXTS.values():
            understand(text, context)
