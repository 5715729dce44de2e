"""Sentences read from memory: never another reading than the one without memory."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negotiation_env.game.acts import Act, DialogueAct, PriceType
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.language import clauses as sentences
from negotiation_env.language.clauses import Sentence, read_sentence, read_sentences
from negotiation_env.language.prices import cut_sentences, find_prices
from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import agent_phrase_book, word

FIGURES = [
    "380",
    "400",
    "555",
    "100",
    "101",
    "999",
    "1200",
    "1899",
    "1950",
    "2024",
    "2040",
    "45000",
    "999999",
    "1000000",
]
FRAMES = [
    "How about {}?", "I can pay ¥{} net.", "We offer {} or {} yuan", "{} to {} rooms", "{} or 3 rooms", "2 or {} rooms",
    "{}-{}", "room {}", "in {} we sold {} rooms", "{} percent off", "{}% more views", "{}k", "{} k", "from {} to {}",
    "not {}, but {} works", "no less than {}", "I can't do {} or {}, sorry.", "your rate is {}, others ask {}",
    "百分之 {}", "{}元", "knock {} off", "$ {} {}", "12 {} 3456", "({})", "{}.5", "{},5", "{} a night, {} in all!",
    "May {}", "raise it by {}", "{} new bookings", "the deposit is {}", "{} to 1950 rooms", "twelve or {} rooms",
    "{} pct", "rmb{}", "{} per cent less", "{} and {} guests", "{} hundred", "+{} +{}", "/{}", "{} 80", "{} {} {}",
]  # fmt: skip


def _alone(text: str, speaker: str) -> list[Sentence]:
    """Read sentences without any memory."""
    out, at = [], 0
    for part in cut_sentences(text):
        read = read_sentence(part, speaker)
        prices = tuple(p._replace(start=p.start + at, end=p.end + at) for p in read.prices)
        out.append(read._replace(prices=prices))
        at += len(part) + 1
    return out


@pytest.mark.parametrize("frame", FRAMES)
def test_every_figure_in_every_frame(frame: str) -> None:
    rng = random.Random(frame)
    for first in FIGURES:
        figures = [first, *rng.sample(FIGURES, 2)]
        for speaker in ("agent", "manager"):
            text = frame.format(*figures)
            assert read_sentences(text, speaker) == _alone(text, speaker)
            text = f"Hello there. {text} Could you do {first}?"
            assert read_sentences(text, speaker) == _alone(text, speaker)


def test_worded_messages() -> None:
    rng = random.Random(0)
    for seed in range(400):
        card = sample_scenario(seed % 40).card
        context = context_of(card, new_game(FLOATS, card_numbers(card)), "agent")
        acts = [DialogueAct(Act.GREET)] if rng.random() < 0.5 else []
        for k in range(len(card.tickets)):
            price = float(rng.randint(90, 2100))
            kind = rng.choice([Act.PROPOSE, Act.COUNTER, Act.CONFIRM])
            acts.append(DialogueAct(kind, price=price, price_type=rng.choice(list(PriceType)), ticket=k))
        text = word(acts, card, context, agent_phrase_book(), rng.randrange(2**40), seed)
        assert read_sentences(text, "agent") == _alone(text, "agent")
        assert find_prices(text) == tuple(p for read in _alone(text, "agent") for p in read.prices)


@settings(max_examples=400)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*FIGURES, ". A", "! I", " or ", " to ", "-", "%", " k", " rooms", "¥", " net", ", ", "八五折"]
            ),
            st.sampled_from(FRAMES).map(lambda frame: frame.replace("{}", "640")),
            st.text(max_size=6),
        ),
        max_size=12,
    ).map("".join)
)
def test_any_text(text: str) -> None:
    assert read_sentences(text, "agent") == _alone(text, "agent")


def test_memory_is_bounded() -> None:
    for i in range(5000):
        read_sentences(f"Unheard word {i:x}zz costs 380", "agent")
    for memory in (sentences._remember,):
        assert memory.cache_info().currsize <= 4096
    before = sentences._remember.cache_info().currsize
    read_sentences("long " * 100, "agent")
    assert sentences._remember.cache_info().currsize == before
