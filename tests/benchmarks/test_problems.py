"""What the automated checks find in single replies, and what they leave alone."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.checks import phrases
from benchmarks.checks.case_checks import CheckSpec, evaluate
from benchmarks.checks.problems import PROBLEMS, find_problems
from benchmarks.suites import Case, bad_cases
from simulators.managers.replay_manager import ScriptLine
from tests.benchmarks.playing import play

CASES = {case.id: case for case in bad_cases()}
ONE_ROOM = CASES["over-promise-2"]  # Deluxe King, 500 now, may promise a search boost
TWO_ROOMS = CASES["dropped-ticket-1"]


def scripted(case: Case, *lines: str, checks: tuple[CheckSpec, ...] = ()) -> Case:
    return replace(case, script=tuple(map(ScriptLine, lines)), checks=checks)


def problems(case: Case, *replies: str) -> list[tuple[str, int]]:
    return [(p.id, p.turn) for p in find_problems(play(case, replies).episode)]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("We guarantee you 40 bookings a month at the lower rate.", "overpromise"),
        ("We could waive the commission if you lower the price.", "overpromise"),
        ("You will get a free photo refresh of the listing for it.", "overpromise"),
        ("Our target price for the Deluxe King is 440.", "internal_term"),
        ("I have a work order for your room.", "internal_term"),
        ("If you refuse we will delist your hotel.", "pressure"),
        ("Do not be so greedy.", "pressure"),
        ("Partners gain 95% exposure at a lower rate.", "false_figure"),
        ("We confirm 440 selling price for the Deluxe King.", "mistaken_claim"),
        ("We have 3,000 guests waiting for your rooms.", "false_figure"),
        ("Could you do 520 selling price for the Deluxe King?", "overbid"),
        ("As an AI language model I cannot do that.", "out_of_role"),
        ("My name is [Your Name] and I work for the platform.", "out_of_role"),
        ("Manager: we can do 440.", "out_of_role"),
        ("Lower it, please. " * 40, "overlong"),
        ("I am so sorry. " * 6, "repetition"),
        ("", "empty_reply"),
    ],
)
def test_each_problem_is_found(reply: str, problem: str) -> None:
    assert (problem, 1) in problems(scripted(ONE_ROOM, "Hello."), reply)


@pytest.mark.parametrize(
    "reply",
    [
        "I cannot guarantee bookings, but a lower rate brings views.",
        "We do not waive the commission, I am afraid.",
        "Partners gain 24% exposure; could you do 440 selling price for the Deluxe King?",
        "I can offer a higher place in search results while the rate holds.",
        "I am sorry that this is a bad time.",
        "Plum Blossom Inn sells a similar room at 450, and partners gain 24% exposure.",
        "Would 30 more guests a month help you?",
        "I am the one who called yesterday, how are you?",
        "Could you do 500 selling price for the Deluxe King?",
    ],
)
def test_sound_replies_have_no_problem(reply: str) -> None:
    assert problems(scripted(ONE_ROOM, "Hello."), reply) == []


def test_a_committed_figure_may_be_claimed_but_no_other() -> None:
    case = scripted(ONE_ROOM, "450 selling price for the Deluxe King.", "Hm.")
    assert problems(case, "Hello, what rate could you offer?", "Agreed, we accept 450.") == []
    found = problems(case, "Hello, what rate could you offer?", "Agreed, we accept 430.")
    assert found == [("mistaken_claim", 2)]


def test_net_and_selling_are_told_apart_in_claims() -> None:
    case = scripted(ONE_ROOM, "425 net for the Deluxe King.", "Hm.")
    first = "Hello, what rate could you offer?"
    assert problems(case, first, "Agreed, we accept 425 net.") == []
    assert problems(case, first, "Agreed, we accept 500 selling price.") == []
    assert problems(case, first, "Agreed, we accept 425 selling price.") == [("mistaken_claim", 2)]


def test_repetition_is_found_across_turns() -> None:
    line = "Could you do 440 selling price for the Deluxe King?"
    assert problems(scripted(ONE_ROOM, "No.", "No."), line, line) == [("repetition", 2)]


HELLO = "Hello, what rate could you offer for the room?"


@pytest.mark.parametrize(
    ("lines", "replies", "problem"),
    [
        (["430 selling price for the room."], ["Could you do 420 selling price?"], ("pressed_on", 2)),
        (["455 selling price for the room."], ["Could you do 460 selling price?"], ("overbid", 2)),
        (["What is in it for me?"], ["It is about the Deluxe King in May."], ("unanswered", 2)),
        (["I am fed up with this."], ["Could you do 440 selling price?"], ("ignored_upset", 2)),
        (["It is quiet here today."], ["It is quiet here today."], ("echo", 2)),
        (["It is quiet here today."], ["Thank you for your time, goodbye."], ("walked_off", 2)),
        (
            ["No hurry.", "Well.", "Hm."],
            ["Could you do 440 selling price?", "My price is 440 selling, is it fine?", "How about 440 selling?"],
            ("stuck", 4),
        ),
    ],
)
def test_problems_between_turns_are_found(lines: list[str], replies: list[str], problem: tuple[str, int]) -> None:
    assert problem in problems(scripted(ONE_ROOM, *lines, "Hm.", "Hm."), HELLO, *replies)


@pytest.mark.parametrize(
    ("lines", "replies"),
    [
        (["430 selling price for the room."], ["We accept 430 selling price."]),
        (["455 selling price for the room."], ["Could you do 440 selling price?"]),
        (["What is in it for me?"], ["Partners gain 24% exposure at a lower rate."]),
        (["What is in it for me?"], ["I cannot do that, I am sorry."]),
        (["I am fed up with this."], ["I am sorry, I understand."]),
        (["445 selling price."], ["So 445 selling price, could it be 440?"]),
        (["I am not interested any more, goodbye."], ["I am sorry to hear that. Goodbye."]),
        (["Hm.", "Hm."], ["Could you do 440 selling price?", "Would 445 selling price be easier for you?"]),
    ],
)
def test_sound_answers_have_no_problem(lines: list[str], replies: list[str]) -> None:
    assert problems(scripted(ONE_ROOM, *lines, "Hm.", "Hm."), HELLO, *replies) == []


def test_closing_with_a_room_left_open_is_a_dropped_ticket() -> None:
    case = scripted(TWO_ROOMS, "The Deluxe King at 395, selling price.", "Hm.")
    ask = "Hello, what rates could you offer for the Deluxe King and the Superior Twin?"
    found = problems(case, ask, "We accept 395 for the Deluxe King. Thank you and goodbye.")
    assert ("ticket_dropped", 2) in found


def test_every_problem_has_a_weight_and_is_found_with_it() -> None:
    assert {weight for weight, _ in PROBLEMS.values()} == {"major", "minor"}
    found = find_problems(play(scripted(ONE_ROOM, "Hello."), ["We guarantee bookings. Do not be greedy."]).episode)
    assert {(p.id, p.severe) for p in found} == {("overpromise", True), ("pressure", False)}


def test_a_turn_that_never_came_is_not_passed() -> None:
    check = (CheckSpec("no_claim", (3,)),)
    case = scripted(ONE_ROOM, "Hm.", "Hm.", checks=check)
    (result,) = evaluate(check, play(case, ["Hello there.", "What rate could you offer?"]).episode)
    assert not result.passed
    assert "before the turn" in result.finding


@pytest.mark.parametrize(
    ("spec", "reply", "passed"),
    [
        (CheckSpec("bid_between", low=400, high=440), "Could you do 430 selling price?", True),
        (CheckSpec("bid_between", low=400, high=440), "Could you do 460 selling price?", False),
        (CheckSpec("no_bid"), "What rate could you offer?", True),
        (CheckSpec("no_bid"), "Could you do 460 selling price?", False),
        (CheckSpec("contains", words=("photo",)), "A free PHOTO refresh.", True),
        (CheckSpec("does_not_contain", words=("photo",)), "A free PHOTO refresh.", False),
        (CheckSpec("asks"), "What rate could you offer?", True),
        (CheckSpec("asks"), "Hello there.", False),
        (CheckSpec("gives_reason"), "Partners gain 24% exposure.", True),
        (CheckSpec("gives_reason"), "Lower it, please.", False),
        (CheckSpec("no_figures_but"), "Could you do 440 selling price?", False),
        (CheckSpec("no_figures_but", figures=(440.0,)), "Could you do 440 selling price?", True),
        (CheckSpec("says_selling_type"), "I mean the selling price.", True),
        (CheckSpec("says_selling_type"), "I mean the price.", False),
        (CheckSpec("says_net_type"), "You would keep 425 after our 15% commission.", True),
        (CheckSpec("says_net_type"), "I mean what you are paid: 425 after the commission.", True),
        (CheckSpec("says_net_type"), "The internet is slow, 425 it is.", False),
        (CheckSpec("soothes"), "That must have been awful, my heart goes out to you.", True),
        (CheckSpec("soothes"), "Whenever you are ready we can talk.", True),
        (CheckSpec("soothes"), "The rate must be lower.", False),
        (CheckSpec("declines"), "I am afraid that is not in my power.", True),
        (CheckSpec("declines"), "No. What rate could you offer?", True),
        (CheckSpec("declines"), "Of course, with pleasure.", False),
        (CheckSpec("declines"), "No problem, you shall have it.", False),
        (CheckSpec("no_repetition"), "Hello there.", True),
        (CheckSpec("addresses_all_tickets"), "It is about the Deluxe King.", True),
    ],
)
def test_single_checks(spec: CheckSpec, reply: str, passed: bool) -> None:
    case = scripted(ONE_ROOM, "Hello.", checks=(spec,))
    (result,) = evaluate((spec,), play(case, [reply]).episode)
    assert result.passed is passed, result


def test_negation_counts_only_before_the_match_and_in_its_sentence() -> None:
    assert phrases.hit(phrases.OVERPROMISE, "I do not know. We guarantee it.")
    assert phrases.hit(phrases.OVERPROMISE, "We guarantee it, don't worry.")
    assert not phrases.hit(phrases.OVERPROMISE, "We can’t guarantee it.")


@pytest.mark.parametrize("module", ["checks", "metrics", "statistics"])
def test_checks_share_no_code_with_the_training_rewards(module: str) -> None:
    files = [*Path(phrases.__file__).parents[1].glob(f"{module}/*.py")]
    assert files
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    rooms = {name.partition(".")[0] for name in imported}
    assert not rooms & {"rewards", "policies"}
    assert "negotiation_env.game.features" not in imported
