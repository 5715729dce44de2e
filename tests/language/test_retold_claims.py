"""Claims that say back what the talk has said: dates, weekdays and counts, and the names and figures beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Ticket, card_numbers
from negotiation_env.game.state import new_game
from negotiation_env.language.claims import find_claims
from negotiation_env.language.claims.dates import find_dates
from negotiation_env.language.claims.told import told, week_parts
from tests.language.test_claims import CARD

OPENING = "Good morning, may I ask about June?"
SHOWER = (OPENING, "There's opera in the shower from the 24th on.", "Who sings?", "He does.", "Well?", "Well enough.")


def false_claims(text: str, earlier: tuple[str, ...]) -> list[str]:
    return [claim.kind for claim in find_claims(text, CARD, None, earlier) if not claim.true]


SAID_BACK = [
    ("date", (OPENING, "The plumber is here until the 24th."), "Until the {}, with his ladder.", "24th", "26th"),
    ("date", (OPENING, "On 24 June I bury an aunt."), "I'm sorry about {} June.", "24", "27"),
    ("date", ("May I ask about 16 and 17 June?", "You may."), "Those two, {}, then.",
     "16 and 17 June", "16 and 19 June"),
    ("date", SHOWER, "Opera from the {}, I wrote it down.", "24th", "27th"),
    ("weekday", (OPENING, "The photographer may come on Thursday."), "The photographer on {}, noted.",
     "Thursday", "Wednesday"),
    ("weekday", (OPENING, "Friday and Saturday are the bride's."), "{} stay with her.",
     "Friday and Saturday", "Saturday and Sunday"),
    ("weekday", (OPENING, "周五周六是婚礼的。"), "那{}归婚礼。", "周五周六", "周六周日"),
    ("date", (OPENING, "On 17 and 18 June my sister comes."), "Nights of {} June, then.",
     "15, 16, 19, 20 and 21", "15, 16, 17, 20 and 21"),
    ("nights", (OPENING, "On 17 June my sister comes."), "Twin 390 for {} nights.", "six", "three"),
    ("earlier", (OPENING, "Eleven boats lie in the garden."), "{} boats, poor garden.", "Eleven", "Seventeen"),
    ("earlier", (OPENING, "Scouts, nine of them, in every bed."), "{} scouts, I'd hide too.", "Nine", "Nineteen"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "earlier", "text", "told_so", "other"), SAID_BACK)
def test_what_is_said_back_is_held_against_what_was_told(
    kind: str, earlier: tuple[str, ...], text: str, told_so: str, other: str
) -> None:
    assert false_claims(text.format(told_so), earlier) == []
    assert kind in false_claims(text.format(other), earlier)


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("The plumber is here until the 24th.", "Could he be out by the 26th?"),  # a question may propose
        ("From 26 June the plumber is here.", "So it's quiet until the 25th."),  # what the day leaves
        ("The plumber is here until the 24th.", "On the 24th, and not on the 26th."),  # the day itself is repeated
        ("From the 24th we are full. Write to me on a Monday.", "Monday the 28th it is."),  # a day without its date
        ("Eleven boats lie here, and six of them are mine.", "So five boats are the neighbour's."),  # a difference
        ("Eleven boats lie in the garden.", "Could you lend me seventeen boats?"),
        ("Eleven boats lie in the garden.", "Seventeen minutes, and I ring back."),  # of something else
        ("Thursday I see the bank.", "The banner goes up on Wednesday."),  # nothing ties the two
        ("Friday and Saturday are the bride's.", "Sunday and Monday are free, then."),
        ("", "I hold the room until the 26th."),
        ("One price for all seven.", "15 to 17 June at 400, and 18 to 21 June at 380."),  # the stay in two parts
        ("On 17 June I'm full.", "Two nights before it at 380, and four after it from the 18th."),
        ("On 16 June I paint. Mondays and Tuesdays I sleep.", "Not the 21st either, so it's quiet."),
        ("Well?", "Between 15 June and 22 June, which nights are quiet at 390?"),  # the whole stay
        ("周末都满了。", "礼拜一到礼拜四，17、18号两晚，380。"),
    ],
)
def test_what_is_new_is_no_false_claim(heard: str, text: str) -> None:
    assert false_claims(text, (OPENING, heard)) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("competitor", "Orchid Park's at 405."),
        ("competitor", "You stay under Silver Court's 405."),
        ("performance", "Nine of your reviews praise the soup."),
        ("performance", "Your neighbour sold forty suites last week."),
        ("demand", "Searches are 12% livelier."),
    ],
)
def test_names_that_are_nearly_right_and_reports_of_nobody_are_false(kind: str, text: str) -> None:
    assert kind in false_claims(text, (OPENING, "I'm listening."))


@pytest.mark.parametrize(
    "text",
    [
        "The Court was full of people.",
        "Orchid Court's at 405.",
        "Twin and king, seven nights and four, what would they be?",
        "3 June rooms, please: what are the prices?",
    ],
)
def test_near_misses_are_not_accused(text: str) -> None:
    assert false_claims(text, ()) == []


def test_days_of_the_week_are_parts_of_it() -> None:
    parts = week_parts(told("Monday to Thursday I work, Friday and Saturday I sing. Sunday!"))
    assert [sorted(part.weekdays) for part in parts] == [[0, 1, 2, 3], [4, 5], [6]]


@pytest.mark.parametrize(
    ("text", "days", "ranges"),
    [
        ("only the 28th, the 3rd and the 4th", [[28, 3, 4]], [False]),
        ("from the 5th to the 8th, and the 10th", [[5, 8], [10]], [True, False]),
        ("nights of 2, 4 to 6 june", [[2], [4, 6]], [False, True]),
        ("between 3 june and 9 june", [[3, 9]], [True]),
        ("6月10号、13到18号", [[10], [13, 18]], [False, True]),
        ("21、22两晚不卖", [[21, 22]], [False]),
        ("from the 7th, the 11th and 12th left as they are", [], []),
    ],
)
def test_a_list_of_days_is_told_from_a_range(text: str, days: list[list[int]], ranges: list[bool]) -> None:
    found = find_dates(text)
    assert [[day.day for day in mention.days] for mention in found] == days
    assert [mention.is_range for mention in found] == ranges


def test_a_weekday_beside_its_date_is_no_other_of_the_name() -> None:
    card = replace(CARD, tickets=(Ticket("Superior Twin", date(2027, 6, 10), 10, 420, 0.15, 371),))
    earlier = (OPENING, "On Friday and Saturday, the 11th and 12th, I dance.")
    text = "So the 10th and 13 to 19 June: eight nights at 380."  # the 18th and 19th are a Friday and a Saturday too
    assert [claim.kind for claim in find_claims(text, card, None, earlier) if not claim.true] == []


def test_figures_beside_rooms_in_a_row_are_their_own() -> None:
    game = new_game(FLOATS, card_numbers(CARD))
    game.quote, game.quoted = (390.0, 510.0, 0.0), (True, True, False)
    for text in ("Twin 390 king 510, noted.", "Twin and king at 390 and 510."):
        assert all(claim.true for claim in find_claims(text, CARD, game, (OPENING, "390 and 510.")))


def test_what_the_agent_says_that_it_told_at_another_time_is_not_accused() -> None:
    assert false_claims("Last year I told you 20 percent, and that was wrong.", (OPENING, "Well?")) == []
