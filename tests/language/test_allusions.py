"""Events that a message alludes to by their people, things and doings: the card's own, others, and none."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest

from negotiation_env.files import read_toml
from negotiation_env.game import world
from negotiation_env.game.scenario import Facts, Hotel, TaskCard, Ticket
from negotiation_env.language.claims import find_claims
from negotiation_env.language.claims.events import EVENTS_PATH, find_event_words, kinds_of


def card(event: str, demand: int = -12, arrival: date = date(2027, 7, 15)) -> TaskCard:
    return TaskCard(
        hotel=Hotel("Violin Court", "Suzhou", "family", 4, "low", 0.34),
        tickets=(Ticket("Garden View Queen", arrival, 7, 420, 0.15, 371),),
        facts=Facts(22, 14, "Plum Blossom Inn", 405, event, demand),
        promises=("banner",),
    )


def said(text: str, event: str, *earlier: str, arrival: date = date(2027, 7, 15)) -> set[bool]:
    """Return which of true and false are claimed of events."""
    claims = find_claims(text, card(event, arrival=arrival), None, earlier)
    return {claim.true for claim in claims if claim.kind == "event"}


NAMED = [
    ("the marathon weekend", "With the joggers about, searches are 12% down.", "joggers", "choirs"),
    ("the marathon weekend", "The half-marathon crowd brings 12% fewer searches.", "half-marathon", "poetry-reading"),
    ("the marathon weekend", "Once the sprinters arrive, searches are 12% down.", "sprinters", "snowmen"),
    ("the music festival", "12% fewer people look as soon as the trumpets tune up.", "trumpets", "skaters"),
    ("the music festival", "Guitarists, I'm afraid, mean 12% fewer searches.", "Guitarists", "Wrestlers"),
    ("the music festival", "The week of the saxophones is 12% under the year before.", "saxophones", "mooncakes"),
    (
        "the food festival",
        "Dumplings or no dumplings, we count 12% fewer searches.",
        "Dumplings or no dumplings",
        "Puppets or no puppets",
    ),
    ("the food festival", "Gourmets notwithstanding, demand is 12% lower.", "Gourmets", "Referees"),
    ("the food festival", "People with chopsticks leave demand 12% lower.", "chopsticks", "fishing rods"),
    ("the spring trade fair", "Because of the exhibitors, 12% fewer people search.", "exhibitors", "pilgrims"),
    ("the spring trade fair", "The salesmen search 12% less, I'd sell the other nights.", "salesmen", "cyclists"),
    ("the school holidays", "Searches fall by 12% for all the pupils.", "pupils", "brewers"),
    ("the school holidays", "While the children are home, demand is 12% down.", "children are home", "tulips are out"),
    ("the autumn leaf season", "Those who come for the maples search 12% less.", "maples", "kites"),
    ("the autumn leaf season", "The foliage weeks are 12% weaker.", "foliage", "fashion"),
    ("the dragon boat races", "12% fewer searches, that's what the paddlers bring.", "paddlers", "moviegoers"),
    ("the blossom weeks", "With the magnolias out, searches run 12% down.", "magnolias", "golfers"),
    ("the music festival", "乐迷来的那几天，搜的人少12%。", "乐迷", "跑者"),
    ("the marathon weekend", "跑者来了，搜的人少12%。", "跑者", "吃货"),
]


@pytest.mark.parametrize(("event", "text", "own", "other"), NAMED)
def test_the_people_and_things_of_an_event_stand_for_it(event: str, text: str, own: str, other: str) -> None:
    assert said(text, event) == {True}
    assert said(text.replace(own, other), event) == {False}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("the spring trade fair", "The exhibition has 12% fewer searches."),
        ("the spring trade fair", "Searches for the convention are 12% down."),
        ("the school holidays", "For the kids' vacation searches are 12% down."),
        ("the autumn leaf season", "Maple-week searches are 12% down."),
    ],
)
def test_another_name_for_the_event_is_true(event: str, text: str) -> None:
    assert said(text, event) == {True}
    assert said(text, "the beer festival") == {False}


@pytest.mark.parametrize(
    "text",
    [
        "Your drummers may sleep late, and searches are 12% down.",  # the house's own
        "And how are the skiers, Madam?",
        "I can hear the violins from here.",
        "Violin Court is 34% full, and searches are 12% down.",  # what houses and rooms are called
        "Could the Garden View Queen be 390, with Plum Blossom at 405?",
        "That leaves you 357, and demand is 12% down.",
        "12% fewer people search, so book early.",
        "Searches may mushroom, I know, and demand would snowball; so far it is 12% down.",
        "Is it the ballet lot that fills your Tuesdays?",
        "Twenty families stayed with us, and business people too.",
        "The page shows 420, and a card lies on the desk.",
        "12% fewer search; would your chef read a weekly page?",
    ],
)
def test_what_is_no_event_is_not_accused(text: str) -> None:
    assert False not in said(text, "the marathon weekend")


def test_what_was_spoken_of_is_not_accused() -> None:
    text = "With the chess players in the hall, searches are 12% down."
    assert said(text, "the music festival") == {False}
    assert False not in said(text, "the music festival", "Our chess club plays in the hall, it fills the house.")
    assert said("桃花开，搜的人少12%。", "the food festival") == {False}
    assert said("桃花开，搜的人少12%。", "the food festival", "桃花开了，不愁。") == set()


@pytest.mark.parametrize("event", ["the marathon weekend", "the food festival"])
def test_without_the_figure_of_searches_an_allusion_accuses_nobody(event: str) -> None:
    assert False not in said("The salesmen can come by bus, I'd sell the other nights.", event)


def test_a_sentence_that_has_the_own_event_is_not_accused() -> None:
    assert said("The runners and the skewers bring 12% fewer searches.", "the marathon weekend") == {True}
    assert False in said("The festival with the skewers lowers searches by 12%.", "the music festival")


def test_a_break_of_another_season_is_false() -> None:
    for text in ("The {} break has searches 12% down.", "The {} holidays show 12% fewer searches."):
        summer, winter = text.format("summer"), text.format("winter")
        january = date(2027, 1, 20)
        assert said(summer, "the school holidays") == said(winter, "the school holidays", arrival=january) == {True}
        assert said(winter, "the school holidays") == said(summer, "the school holidays", arrival=january) == {False}


def test_the_words_of_one_event_are_not_those_of_its_like() -> None:
    """Cherries and rapeseed both blossom, and each has its own weeks."""
    assert said("Cherry blossom searches are 12% down.", "the rapeseed bloom") == {False}
    assert said("Searches for the tea weeks are 12% down.", "the rice harvest") == {False}


@pytest.mark.parametrize("event", world.EVENTS)
def test_every_event_of_the_world_is_of_some_kind(event: str) -> None:
    assert kinds_of(event)


def test_the_lists_hold_plain_words() -> None:
    for kind, lists in read_toml(EVENTS_PATH, dict[str, dict[str, str]]).items():
        assert list(lists) == ["named", "words", "common", "chinese"], kind
        for name in ("words", "common"):
            words = lists[name].split()
            assert len(set(words)) == len(words), kind
            assert all(word.replace("_", "").isalpha() and word.count("_") <= 1 for word in words), kind
        assert not set(lists["words"].split()) & set(lists["common"].split()), kind
        for word in (*lists["words"].split(), *lists["common"].split()):
            assert word in {found.word for found in find_event_words(word.replace("_", " "))}, kind


def test_event_words_are_found_in_every_form() -> None:
    low = "the postman's runners, foodies, flower shows and finish-line crews; salesmen"
    words = ["runner", "foodie", "flower", "flower_show", "finish_line", "salesman"]
    assert [word.word for word in find_event_words(low)] == words
    assert [word.word for word in find_event_words("I saw a flower. Shows start at nine.")] == ["flower"]


@pytest.mark.parametrize(
    "piece",
    ["runners ", "with the runners ", "drummers and ", "runners may will have ", "people who with the fiddles ",
     "searches 12% for the skiers. ", "or no ", "the leaves ", "乐迷", "x-", "week of "],
)  # fmt: skip
def test_time_is_bounded(piece: str) -> None:
    earlier = [f"word{place}" for place in range(3000)]
    began = time.process_time()
    find_claims(piece * 4000, replace(card("the food festival")), None, earlier)
    assert time.process_time() - began < 2.0
