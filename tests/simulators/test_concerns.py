"""Concerns: whom they fit, that they are private, and that no line changes how an answer is read."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import gymnasium as gym
import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import parse
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.language.reading import Context
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import word
from simulators.concerns import CONCERNS, MANNERS, Concern, concern, concerns, draw_concern, in_words
from simulators.managers.rule_manager import manager_book

SEEDS = range(2000)
LINES = tuple((name, line) for name, one in concerns().items() for line in one.lines)
SELLING, NET = PriceType.SELLING, PriceType.NET
PRICE_WORDS = re.compile(
    r"\b(?:price\w*|rate|rates|discount\w*|percent\w*|offer\w*|agree\w*|deals?|yuan|rmb|cheap\w*|net|accept\w*|"
    r"confirm\w*)\b|[%¥$€]",
    re.IGNORECASE,
)
NUMBER_WORDS = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|hundred|thousand|dozen|half|double)\b",
    re.IGNORECASE,
)


def answers(card: TaskCard) -> Iterator[tuple[DialogueAct, ...]]:
    """Yield one answer of each kind that a manager gives, the last ones on two tickets."""
    price = float(card.tickets[0].selling_price - 20)
    for kind, detail, form in itertools.product(
        (Act.ACCEPT, Act.COUNTER, Act.CONFIRM, Act.REJECT, Act.ASK), ("", "last", "hold", "confirm"), (SELLING, NET)
    ):
        fits = {"": kind in (Act.ACCEPT, Act.COUNTER, Act.CONFIRM), "last": kind is Act.COUNTER}
        if fits.get(detail, (detail, kind) in (("hold", Act.REJECT), ("confirm", Act.ASK))):
            yield (DialogueAct(kind, price=price, price_type=form, ticket=0, detail=detail),)
    for detail in ("hold", "final", "retract"):
        yield (DialogueAct(Act.REJECT, ticket=0, detail=detail),)
    for detail in ("reason", "price", "figure"):
        yield (DialogueAct(Act.ASK, detail=detail),)
    for detail in ("upset", "warning"):
        yield (DialogueAct(Act.INFORM, detail=detail),)
    for tactic in Tactic:
        if tactic is not Tactic.NONE:
            yield (DialogueAct(Act.INFORM, tactic, detail="objection"),)
    for detail in ("walk", "bye"):
        yield (DialogueAct(Act.CLOSE, detail=detail),)
    yield (DialogueAct(Act.GREET), DialogueAct(Act.ASK, detail="reason"))
    if len(card.tickets) > 1:
        other = float(card.tickets[1].selling_price - 10)
        first = DialogueAct(Act.ACCEPT, price=price, price_type=SELLING, ticket=0)
        yield (first, DialogueAct(Act.COUNTER, price=other, price_type=SELLING, ticket=1))
        yield (first._replace(kind=Act.COUNTER), DialogueAct(Act.REJECT, ticket=1, detail="hold"))


def situation(card: TaskCard, acts: tuple[DialogueAct, ...]) -> Context:
    """Return where the talks stand when an answer is given: a bid where one is taken, a price where one is held."""
    count = len(card.tickets)
    stands = [DialogueAct(Act.COUNTER) for _ in range(count)]
    for act in acts:
        if act.ticket is not None:
            stands[act.ticket] = act
    selling = [
        None if a.price is None else a.price / (1.0 - t.commission) if a.price_type is NET else a.price
        for a, t in zip(stands, card.tickets, strict=True)
    ]
    taken = [a.kind in (Act.ACCEPT, Act.CONFIRM) or a.detail == "confirm" for a in stands]
    stood = [a.detail in ("hold", "confirm", "retract") or a.kind is Act.CONFIRM for a in stands]
    return Context(
        "manager",
        tuple(t.room for t in card.tickets),
        tuple(t.selling_price for t in card.tickets),
        tuple(t.commission for t in card.tickets),
        tuple(s if yes else None for s, yes in zip(selling, stood, strict=True)),
        tuple(s if yes else 0.8 * t.selling_price for s, yes, t in zip(selling, taken, card.tickets, strict=True)),
        (True,) * count,
        any(a.price_type is NET for a in acts),
        tuple(t.nights for t in card.tickets),
        (True,) * count,
        (False,) * count,
        card.promises,
    )


@cache
def worded() -> tuple[tuple[str, Context], ...]:
    """Return an answer of each kind in words, for a card of one ticket and one of several."""
    cards = [next(c for s in SEEDS if len((c := sample_scenario(s).card).tickets) == n) for n in (1, 2)]
    return tuple(
        (word(acts, card, context, manager_book(), 7 * i, i), context)
        for card in cards
        for i, acts in enumerate(answers(card))
        for context in (situation(card, acts),)
    )


def meaning(text: str, context: Context) -> list[DialogueAct]:
    return [act for act in understand(text, context).acts if act.kind is not Act.OFF_TOPIC]


def misread(lines: list[str], answer: str, context: Context) -> list[str]:
    """Return the lines with which an answer would read differently."""
    plain = meaning(answer, context)
    return [line for line in lines if meaning(f"{line} {answer}", context) != plain]


def said(name: str, card: TaskCard) -> list[str]:
    return [in_words(line, card.hotel) for line in concern(name).lines]


@pytest.mark.parametrize("name", CONCERNS)
def test_no_line_changes_how_an_answer_is_read(name: str) -> None:
    lines = said(name, sample_scenario(3).card)
    # Every line before some answers, and every answer after some lines; all of both would take minutes.
    places = worded()
    wrong = {
        line
        for i, line in enumerate(lines)
        for answer, context in itertools.islice(itertools.cycle(places), i, i + 9)
        if misread([line], answer, context)
    }
    wrong |= {
        line for j, (answer, context) in enumerate(places) for line in misread(lines[j % 7 :: 7], answer, context)
    }
    assert sorted(wrong) == []


def test_the_written_dialogues_know_the_same_concerns() -> None:
    assert set(concerns()) == set(CONCERNS)
    assert len(CONCERNS) == len(set(CONCERNS)) == 20


@pytest.mark.parametrize("name", CONCERNS)
def test_every_concern_has_lines_enough(name: str) -> None:
    one = concern(name)
    assert len(one.brief) >= 2
    assert len(one.showing()) >= 14
    assert len(one.eased) >= 8
    assert len(one.inflamed) >= 6


def test_no_line_speaks_of_prices_names_a_figure_or_asks() -> None:
    spoken = [line for _, line in LINES]
    assert [line for line in spoken if PRICE_WORDS.search(line)] == []
    assert [line for line in spoken if NUMBER_WORDS.search(line)] == []
    assert [line for line in spoken if "?" in line] == []


def test_no_line_and_no_beginning_comes_twice() -> None:
    spoken = [line for _, line in LINES]
    beginnings = Counter(" ".join(re.findall(r"[a-z']+", line.lower())[:4]) for line in spoken)
    assert [start for start, times in beginnings.items() if times > 1] == []
    runs = Counter(
        run for line in spoken for run in {tuple(w[i : i + 6]) for w in [line.split()] for i in range(len(w) - 5)}
    )
    assert [" ".join(run) for run, times in runs.items() if times > 1] == []


def test_only_the_houses_words_are_filled_in() -> None:
    hotel = sample_scenario(0).card.hotel
    names = {name for _, line in LINES for name in re.findall(r"{(.*?)}", line)}
    assert names == {"hotel", "city"}
    assert not any(set("{}[]") & set(in_words(line, hotel)) for _, line in LINES)


@pytest.mark.parametrize("tone", [*MANNERS, None, "unheard of"])
def test_every_tone_has_manners_of_showing_a_concern(tone: str | None) -> None:
    for one in concerns().values():
        shown = one.showing(tone)
        assert 6 <= len(shown) <= 15
        assert set(shown) <= set(one.lines)


def test_a_concern_fits_the_house_that_has_it() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        scenario = sample_scenario(seed)
        name = draw_concern(scenario.card, scenario.seed)
        hotel = scenario.card.hotel
        assert concern(name).fits.fits(hotel)
        assert not (name == "staff-shortage" and hotel.occupancy < 0.5)
        assert not (name == "head-office" and hotel.kind in ("family", "homestay"))
        assert not (name == "empty-midweek" and hotel.kind in ("business", "airport"))
        assert not (name == "event-demand" and hotel.season == "low")
        seen[name] += 1
    assert set(seen) == set(CONCERNS)
    assert min(seen.values()) > len(SEEDS) / 100


def test_it_is_drawn_from_the_seed_alone() -> None:
    for seed in range(50):
        scenario = sample_scenario(seed)
        card, other = scenario.card, replace(scenario.card, facts=replace(scenario.card.facts, demand=3))
        assert draw_concern(card, scenario.seed) == draw_concern(other, scenario.seed)
    card = sample_scenario(0).card
    assert len({draw_concern(card, seed) for seed in range(300)}) > 8


def test_a_personas_own_concerns_come_first() -> None:
    for seed in range(100):
        scenario = sample_scenario(seed)
        own = ("commission", "staff-shortage")
        name = draw_concern(scenario.card, scenario.seed, own)
        assert name == "commission" or (name == "staff-shortage" and scenario.card.hotel.occupancy >= 0.5)
    # A persona with nothing but a concern that does not fit keeps it: it is who it is.
    empty = next(c for s in SEEDS if (c := sample_scenario(s).card).hotel.occupancy < 0.3)
    assert draw_concern(empty, 1, ("staff-shortage",)) == "staff-shortage"


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match=r"expected a concern, got 'comission'.*Did you mean 'commission'"):
        concern("comission")
    good = concern("image").model_dump()
    for change, words in (
        ({"fits": {"kinds": ["castle"]}}, "fits.kinds.1"),
        ({"fits": {"stars": [4, 2]}}, "the lower bound first"),
        ({"fits": {"occupancy": [0.2]}}, "at least 2 items"),
        ({"eased": []}, "eased: expected at least 1 items"),
    ):
        with pytest.raises(DataFileError, match=words):
            parse(Concern, good | change, "concerns.toml")


def test_nothing_that_an_agent_is_shown_holds_the_concern() -> None:
    env = gym.make("negotiation_env:HotelNegotiation-v0")
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        scenario = sample_scenario(seed)
        one = concern(draw_concern(scenario.card, scenario.seed))
        shown = [observation, info]
        for text in ("Hello, how are you today?", "Could you do a better rate?"):
            observation, reward, terminated, truncated, info = env.step(text)
            shown += [observation, reward, info]
            if terminated or truncated:
                break
        for place in shown:
            assert "concern" not in str(place).lower().replace("concerned", "")
            assert not any(brief in str(place) for brief in one.brief)
    env.close()


def test_no_agent_and_no_reward_knows_of_concerns() -> None:
    root = Path(__file__).parents[2]
    knowing = [
        str(path.relative_to(root))
        for package in ("negotiation_env", "rewards", "policies")
        for path in sorted((root / package).rglob("*.py"))
        if re.search(r"simulators\.concerns|draw_concern", path.read_text(encoding="utf-8"))
    ]
    assert knowing == []
