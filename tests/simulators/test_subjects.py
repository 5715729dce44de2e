"""Subjects beside the rate: which questions are heard, that answers stay the same, and that they are words only."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.files import parse, read_toml
from negotiation_env.game.acts import Act, DialogueAct, Force
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.game.state import CONDITION_NAMES, Decision, apply_decision, apply_move, settle
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.numerals import find_numbers
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import ManagerReply, Utterance
from negotiation_env.play.registry import load_reader
from simulators.managers.llm_manager import voice_task
from simulators.managers.rule_manager import ManagerSeat, RuleManager
from simulators.managers.voice_check import SMALL_NUMBER, plain_fault
from simulators.people.written_dialogues import written_dialogues
from simulators.subjects import (
    MOST_ANSWERED,
    NO_ASIDE,
    SUBJECTS,
    OtherSubjects,
    Subject,
    asked_about,
    fact_of,
    replies,
    subjects,
)
from tests.simulators.test_concerns import PRICE_WORDS, meaning, worded

QUESTIONS = read_toml(Path(__file__).parent / "subject_questions.toml", dict[str, dict[str, list[str]]])
BEFORE = tuple(line for one in subjects().values() for fact in one.facts for line in fact.lines())
TAKES = (*replies().thought, *replies().taken)
ASKS = tuple(line for one in subjects().values() for line in one.asks)
ENDS = (Act.ACCEPT, Act.CONFIRM, Act.REJECT, Act.CLOSE, Act.COUNTER, Act.PROPOSE)
STATEMENTS = (
    "Your breakfast is praised in every review.",
    "The guests cancel less when the rate is lower.",
    "Two nights would be lovely, and the dates are on the list.",
    "How are you today? I had breakfast at your place once, and it was lovely.",
    "What about 420 for the king? Breakfast can stay as it is.",
    "We pay out every week, you need not worry about that.",
    "Rooms like yours sell well on Fridays. Would 380 be possible?",
    "Could you do 460 for the double from 3 March, four nights?",
    "I will call you tomorrow at ten.",
    "早餐很好吃，客人都喜欢。420 行吗？",
)


def known(part: str) -> float:
    """Share of a part of the questions that are heard as one about their subject, and that one first."""
    told = [asked_about(text)[:1] == (name,) for name, texts in QUESTIONS[part].items() for text in texts]
    return sum(told) / len(told)


def test_questions_about_every_subject_are_heard() -> None:
    assert all(set(QUESTIONS[part]) == set(SUBJECTS) for part in ("first", "more", "unseen"))
    assert known("first") > 0.9
    assert known("more") > 0.9
    assert known("unseen") > 0.65


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_asks_nothing(text: str) -> None:
    assert asked_about(text) == ()


def test_of_several_questions_the_first_are_answered() -> None:
    text = "Is breakfast included, how many rooms could we have, and when should we pay? How late can guests cancel?"
    assert asked_about(text)[0] == "breakfast"
    assert len(asked_about(text)) == MOST_ANSWERED


def test_hardly_a_message_is_answered_that_asked_nothing_else() -> None:
    said = [
        turn.agent
        for dialogue in written_dialogues("train")
        for turn in dialogue.turns
        if "ask:other" not in turn.agent_acts
    ]
    sample = random.Random(200).sample(said, 200)
    assert sum(bool(asked_about(text)) for text in sample) <= 4
    assert sum(bool(asked_about(text)) for text in said) < 0.02 * len(said)


def test_a_fact_is_of_the_house_and_stays_the_same() -> None:
    seen: dict[str, set[str]] = {name: set() for name in SUBJECTS}
    for seed in range(300):
        scenario = sample_scenario(seed)
        for name in SUBJECTS:
            fact = fact_of(name, scenario.card, scenario.seed)
            assert fact == fact_of(name, scenario.card, scenario.seed)
            assert fact.fits.fits(scenario.card.hotel)
            assert not fact.tied
            seen[name].add(fact.told)
    for name, one in subjects().items():
        assert seen[name] == {fact.told for fact in one.facts if not fact.tied}


@pytest.mark.parametrize("condition", CONDITION_NAMES)
def test_a_manager_that_ties_its_price_to_a_subject_says_so_when_asked(condition: str) -> None:
    names = [name for name, one in subjects().items() if one.condition == condition]
    assert len(names) == 1
    for seed in range(20):
        scenario = sample_scenario(seed)
        for name in SUBJECTS:
            assert fact_of(name, scenario.card, scenario.seed, condition).tied is (name in names)


def test_no_line_speaks_of_prices_or_names_a_large_figure_and_only_questions_ask() -> None:
    lines = (*BEFORE, *TAKES, *ASKS, *replies().thinks)
    assert [line for line in lines if PRICE_WORDS.search(line)] == []
    figures = [
        (n.value, line) for line in lines for n in find_numbers(line.lower(), digits=True, words=True, chinese=True)
    ]
    assert [line for value, line in figures if value > SMALL_NUMBER] == []
    assert [line for line in lines if re.search(r"\d|[{}\[\]]", line)] == []
    assert [line for line in (*BEFORE, *TAKES, *replies().thinks) if "?" in line] == []
    assert [line for line in ASKS if not line.endswith("?")] == []
    assert [line for line, times in Counter(lines).items() if times > 1] == []


def test_a_fact_speaks_of_no_price() -> None:
    told = [fact.told for one in subjects().values() for fact in one.facts]
    assert [text for text in told if PRICE_WORDS.search(text)] == []


@pytest.mark.parametrize("name", SUBJECTS)
def test_no_line_changes_how_an_answer_is_read(name: str) -> None:
    one = subjects()[name]
    lines = [line for fact in one.facts for line in fact.lines()]
    assert list(misread(lines, one.asks)) == []


def test_lines_of_no_subject_change_no_answer_either() -> None:
    assert list(misread(list(TAKES), ())) == []
    holds = [(text, context) for text, context in worded() if any(a.kind is Act.REJECT for a in meaning(text, context))]
    assert len(holds) > 3
    wrong = [line for line in replies().thinks for text, c in holds if meaning(f"{text} {line}", c) != meaning(text, c)]
    assert wrong == []


def misread(before: list[str], after: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield lines with answers that are read otherwise with the line before or behind them."""
    for text, context in worded():
        plain = meaning(text, context)
        yield from ((line, text) for line in before if meaning(f"{line} {text}", context) != plain)
        yield from ((line, text) for line in after if meaning(f"{text} {line}", context) != plain)


def acting(acts: tuple[DialogueAct, ...]) -> list[DialogueAct]:
    """The acts that would do something to the game; what is short of firm binds nobody."""
    return [act for act in acts if act.force is Force.FIRM and (act.kind in ENDS or act.price is not None)]


@pytest.mark.skipif(not encoder_installed(), reason="the encoder is not installed here")
def test_the_encoder_hears_nothing_in_a_line_that_would_move_the_game() -> None:
    reader = load_reader("encoder")
    lines = [*BEFORE, *TAKES, *ASKS, *replies().thinks]
    contexts = [context for text, context in worded() if "too low" in text or "onfirmed" in text]
    for context in (contexts[0], contexts[-1]):
        heard = reader.read(lines, [context] * len(lines))
        assert [line for line, reading in zip(lines, heard, strict=True) if acting(reading.acts)] == []


def test_a_question_is_looked_for_in_the_beginning_of_an_endless_message() -> None:
    assert asked_about("Is breakfast included? " + "so on " * 1000) == ("breakfast",)
    assert asked_about("so on " * 1000 + "Is breakfast included?") == ()


def talk(texts: list[str], seed: int, manager: RuleManager) -> tuple[list[ManagerReply], ManagerSeat]:
    """Play an agent's messages; the manager's replies and its seat."""
    negotiation = open_negotiation(sample_scenario(seed), manager)
    said = []
    for text in texts:
        game, card = negotiation.game, negotiation.card
        acts = understand(text, context_of(card, game, "agent")).acts
        move = move_of(acts, card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        negotiation.agent_said.append(Utterance(text, acts))
        said += manager.respond([negotiation], [move])
        apply_decision(FLOATS, game, said[-1].decision)
        negotiation.manager_said.append(Utterance(said[-1].text, said[-1].acts))
        if game.end:
            break
    return said, negotiation.seat


def script(card: TaskCard) -> list[str]:
    """A short talk with figures for the first ticket and questions beside them."""
    top = card.tickets[0].selling_price
    room = card.tickets[0].room
    bids = [f"Would {top * part // 100} be possible for the {room}?" for part in (78, 81, 84, 87, 90)]
    questions = ["Is breakfast included?", "How late can guests cancel?", "How many rooms could we have?"]
    more = [*questions, "Is breakfast included?", "Shall I call back tomorrow?"]
    return ["Hello, I am calling about your rates.", *(f"{bid} {q}" for bid, q in zip(bids, more, strict=True))]


def test_who_asks_is_answered_once_more_in_the_same_way(manager: RuleManager) -> None:
    answered = 0
    for seed in range(30):
        scenario = sample_scenario(seed)
        replied, seat = talk(script(scenario.card), seed, manager)
        condition = seat.subjects.condition
        for reply, name in zip(replied[1:], ("breakfast", "cancellation", "allotment", "breakfast"), strict=False):
            if not reply.text or reply.decision.walk:
                continue
            lines = fact_of(name, scenario.card, scenario.seed, condition).lines(seat.subjects.tone)
            assert any(line in reply.text for line in lines), reply.text
            answered += 1
    assert answered > 25


def test_questions_answers_and_time_to_think_change_no_decision(
    manager: RuleManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_words = [talk(script(sample_scenario(seed).card), seed, manager)[0] for seed in range(30)]
    monkeypatch.setattr(OtherSubjects, "aside", lambda *_: NO_ASIDE)
    plain = [talk(script(sample_scenario(seed).card), seed, manager)[0] for seed in range(30)]
    decisions: list[list[list[Decision]]] = [
        [[reply.decision for reply in one] for one in played] for played in (with_words, plain)
    ]
    assert decisions[0] == decisions[1]
    assert [[r.acts for r in one] for one in with_words] == [[r.acts for r in one] for one in plain]
    assert with_words != plain


def test_a_manager_that_hesitates_asks_for_time_once_and_comes_back_to_it(manager: RuleManager) -> None:
    asked = came = 0
    for seed in range(80):
        card = sample_scenario(seed).card
        bids = [f"Would {card.tickets[0].selling_price * part // 1000} work?" for part in range(780, 840, 6)]
        replied, _ = talk(["Hello, what rate could you give us?", *bids], seed, manager)
        texts = [reply.text for reply in replied]
        thinks = [i for i, text in enumerate(texts) if text.endswith(replies().thinks)]
        thought = [i for i, text in enumerate(texts) if any(line in text for line in replies().thought)]
        assert len(thinks) <= 1
        assert len(thought) <= len(thinks)
        for i in thinks:
            assert any(replied[i].decision.hold)
            assert not any(replied[i].decision.counter)
            later = [j for j in range(i + 1, len(texts)) if texts[j] and not replied[j].decision.walk]
            assert thought == later[:1]
            came += bool(thought)
        asked += len(thinks)
    assert asked > 8
    assert came > 4


def test_an_answer_to_its_own_question_is_taken() -> None:
    card, seed = sample_scenario(1).card, 1
    for line, taken in (
        ("Our guests love a breakfast.", True),
        ("The weather is fine.", False),
        ("With breakfast in it, 420 for the king.", False),
    ):
        side = OtherSubjects(None, waits_for="breakfast", has_asked=True)
        aside = side.aside(line, card, seed, 3.0, ())
        assert (aside.before in replies().taken) is taken
        assert side.waits_for == ""


def test_it_asks_now_and_then_and_once_at_most() -> None:
    card = sample_scenario(2).card
    asked = 0
    for seed in range(300):
        side = OtherSubjects("warm")
        after = [side.aside("Hello.", card, seed, float(turn), ("ask",)).after for turn in range(6)]
        lines = [line for line in after if line]
        assert len(lines) <= 1
        assert all(line in ASKS for line in lines)
        asked += len(lines)
    assert 40 < asked < 150


def test_a_question_that_does_not_go_out_was_not_asked() -> None:
    card = sample_scenario(2).card
    for may in ("think", "ask"):
        side = OtherSubjects(None)
        aside = next(a for turn in range(99) if (a := side.aside("Hello.", card, 5, float(turn), (may,))).after)
        assert side.take_back(aside) == NO_ASIDE
        assert side.thinks == "no"
        assert side.waits_for == ""
        assert not side.has_asked


def test_a_voice_is_told_the_answer_and_may_say_what_it_gives(manager: RuleManager) -> None:
    told = 0
    for seed in range(40):
        scenario = sample_scenario(seed)
        negotiation = open_negotiation(scenario, manager)
        text = "Hello. Is breakfast included, and how late can guests cancel free of charge?"
        acts = understand(text, context_of(negotiation.card, negotiation.game, "agent")).acts
        move = move_of(acts, negotiation.card, negotiation.game)
        negotiation.agent_said.append(Utterance(text, acts))
        reply = manager.respond([negotiation], [move])[0]
        if not reply.text or reply.decision.walk:
            continue
        fact = fact_of("breakfast", scenario.card, scenario.seed, negotiation.seat.subjects.condition)
        task = voice_task(negotiation, reply)
        assert any(line in task.note for line in fact.lines(negotiation.seat.tone))
        if "breakfast is included" in fact.told:
            assert plain_fault(task.scene, "Good morning, breakfast is included.") == ""
            assert plain_fault(task.scene._replace(aside=""), "Breakfast is included.") != ""
        assert plain_fault(task.scene, "Dinner is included, and parking.") != ""
        told += 1
    assert told > 10


def test_mistakes_are_named() -> None:
    good = subjects()["breakfast"].model_dump()
    for change, words in (
        ({"condition": "no-lunch"}, "expected a condition, got 'no-lunch'"),
        ({"asked": ["(breakfast"]}, "expected a regular expression"),
        ({"facts": []}, "facts: expected at least 1 items"),
    ):
        with pytest.raises(DataFileError, match=words):
            parse(Subject, good | change, "subjects.toml")


@pytest.fixture(scope="module")
def manager() -> RuleManager:
    return RuleManager()
