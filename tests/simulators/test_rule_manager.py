"""The rule-based manager: floors, determinism, words that mean the decision."""

import re
from pathlib import Path

import numpy as np
import pytest

from negotiation_env.checks import agent_line, check_manager, check_persona
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.acts import Act
from negotiation_env.game.lanes import FLOATS, episode_seed
from negotiation_env.game.moves import PRICE_LEVELS, move_of, move_of_action
from negotiation_env.game.scenario import card_numbers, sample_scenario, scenario_of
from negotiation_env.game.state import (
    Move,
    apply_decision,
    apply_move,
    decision_acts,
    new_game,
    settle,
)
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import Negotiation, Utterance
from simulators.managers.rule_manager import RuleManager, manager_book
from simulators.persona_phrases import MANAGER_KEYS, phrase_problems
from simulators.personas import Persona, all_personas, sample_persona


@pytest.fixture(scope="module")
def manager() -> RuleManager:
    return RuleManager()


def take_move(negotiation: Negotiation, move: Move) -> None:
    game = negotiation.game
    apply_move(FLOATS, game, move, settle(FLOATS, game, move))


def say(manager: RuleManager, negotiations: list[Negotiation], texts: list[str]) -> list[str]:
    """Play one agent message in each negotiation, without a reward, and return the answers."""
    moves = []
    for negotiation, text in zip(negotiations, texts, strict=True):
        meant = understand(text, context_of(negotiation.card, negotiation.game, "agent"))
        moves.append(move_of(meant.acts, negotiation.card, negotiation.game))
        take_move(negotiation, moves[-1])
        negotiation.agent_said.append(Utterance(text, meant.acts))
    replies = manager.respond(negotiations, moves)
    for negotiation, reply in zip(negotiations, replies, strict=True):
        apply_decision(FLOATS, negotiation.game, reply.decision)
        negotiation.manager_said.append(Utterance(reply.text, reply.acts))
    return [reply.text for reply in replies]


def test_no_persona_commits_below_its_floor(manager: RuleManager) -> None:
    rng = np.random.default_rng(7)
    personas = all_personas()
    for i in range(2016):
        scenario = scenario_of(f"random-{i}", episode_seed(i))
        negotiation = open_negotiation(scenario, manager, personas[i % len(personas)].name)
        game, seat = negotiation.game, negotiation.seat
        for _ in range(10):
            action = rng.integers([len(Act), 8, PRICE_LEVELS])
            move = move_of_action(FLOATS, float(action[0]), float(action[1]), float(action[2]), game)
            take_move(negotiation, move)
            decision = seat.dynamics.decide(FLOATS, seat.state, game, move)
            apply_decision(FLOATS, game, decision)
            for k, floor in enumerate(scenario.brief.floors):
                assert not game.quoted[k] or game.quote[k] >= floor
                assert not game.agreed[k] or game.agreed[k] >= floor
                for act in decision_acts(game, decision):
                    if act.price is not None and act.ticket == k and not decision.net:
                        assert act.price >= floor
            if game.end:
                break


def test_it_keeps_the_contract(manager: RuleManager) -> None:
    check_manager(manager, negotiations=40)


@pytest.mark.parametrize("persona", [persona.name for persona in all_personas()])
def test_every_shipped_persona_passes_its_check(manager: RuleManager, persona: str) -> None:
    check_persona(persona, negotiations=10, manager=manager)


def test_the_persona_depends_on_the_scenario_alone(manager: RuleManager) -> None:
    for i in range(50):
        scenario = sample_scenario(i)
        assert manager.start(scenario).persona is sample_persona(scenario.seed, card=scenario.card)
        assert manager.start(scenario).persona_name == sample_persona(scenario.seed, card=scenario.card).name


def test_transcripts_are_alike_alone_and_in_a_batch(manager: RuleManager) -> None:
    scenarios = [sample_scenario(i) for i in range(16)]
    together = [open_negotiation(scenario, manager) for scenario in scenarios]
    alone = [open_negotiation(scenario, RuleManager()) for scenario in scenarios[3:4]]
    for _ in range(8):
        live = [n for n in together if not n.game.end]
        say(manager, live, [agent_line(n) for n in live])
        still = [n for n in alone if not n.game.end]
        say(manager, still, [agent_line(n) for n in still])
    assert alone[0].manager_said == together[3].manager_said
    assert alone[0].manager_said


def test_a_persona_can_be_given_by_path_and_by_object(manager: RuleManager, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\n[decides]\nanswers = 1.0\n[phrases]\ngreet = "Hello, Mine House here."\n', encoding="utf-8"
    )
    negotiation = open_negotiation(sample_scenario(1), manager, path)
    assert negotiation.seat.persona_name == "mine"
    answer = say(manager, [negotiation], ["Hello, this is the platform. Could you lower your rate?"])[0]
    assert answer.startswith("Hello, Mine House here.")
    persona = Persona(name="yours")
    assert manager.start(sample_scenario(1), persona).persona is persona


def test_a_wrong_persona_is_a_usage_error(manager: RuleManager) -> None:
    with pytest.raises(UsageError, match="Did you mean 'lie-catcher'"):
        manager.start(sample_scenario(1), "lie-cacher")
    with pytest.raises(UsageError, match="Persona object"):
        manager.start(sample_scenario(1), 3)


def test_two_personas_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="different names"):
        RuleManager([Persona(name="a"), Persona(name="a")])


def test_unusable_phrases_are_refused_with_their_key(manager: RuleManager, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for line, words in (
        ('gret = "Hi."', "Did you mean 'greet'"),
        ('counter.selling = "I can do it."', r"counter\.selling"),
        ('greet = "Hi {floor}."', "floor"),
    ):
        path.write_text(f'name = "mine"\n[phrases]\n{line}\n', encoding="utf-8")
        with pytest.raises(DataFileError, match=words):
            manager.start(sample_scenario(1), path)


@pytest.mark.parametrize("persona", all_personas(), ids=lambda persona: persona.name)
def test_every_phrase_of_a_persona_means_its_key(persona: Persona) -> None:
    assert persona.phrases or not persona.weight
    assert phrase_problems(persona) == []


def test_every_phrase_of_the_book_means_its_key() -> None:
    for key in MANAGER_KEYS:
        for phrases in (manager_book().phrases, *manager_book().tones.values()):
            if key in phrases:
                templates = [phrase.template for phrase in phrases[key].all]
                assert phrase_problems(Persona(name="book", phrases={key: templates})) == []


def test_no_objection_says_of_the_house_what_its_card_may_belie() -> None:
    belied = re.compile(
        r"well booked|(nearly|almost|always|are) full|(high|low) season|(fill|sell) themselves|are rare"
    )
    books = [manager_book(), *(manager_book().with_phrases(p.phrases) for p in all_personas() if p.phrases)]
    lines = {
        p.template for book in books for key, found in book.phrases.items() if "objection" in key for p in found.all
    }
    assert len(lines) > 80 and [line for line in sorted(lines) if belied.search(line)] == []


def test_a_phrase_that_means_something_else_is_found() -> None:
    persona = Persona(name="a", phrases={"greet": ["I can do 380 yuan."], "soothe": ["Sorry."]})
    problems = phrase_problems(persona)
    assert "greet" in problems[0]
    assert "COUNTER" in problems[0]
    assert "soothe" in problems[1]


def test_no_sentence_is_said_twice_running(manager: RuleManager) -> None:
    again = 0
    for seed in range(60):
        negotiation = open_negotiation(sample_scenario(seed), manager)
        before: set[str] = set()
        for _ in range(10):
            if negotiation.game.end:
                break
            (text,) = say(manager, [negotiation], ["I can't do that, how about a selling price of 200 yuan?"])
            sentences = {s for s in re.split(r"(?<=[.!?]) ", text) if len(s.split()) > 2}
            again += len(sentences & before)
            before = sentences
    assert again == 0


def test_hardly_a_sentence_is_said_before_in_the_talk(manager: RuleManager) -> None:
    again, sentences = 0, 0
    for seed in range(60):
        negotiation = open_negotiation(sample_scenario(seed), manager)
        said: set[str] = set()
        for turn in range(14):
            if negotiation.game.end:
                break
            (text,) = say(manager, [negotiation], [f"How about a selling price of {200 + turn} yuan?"])
            here = {re.sub(r"\d+", "#", s) for s in re.split(r"(?<=[.!?;]) ", text) if s}
            again, sentences = again + len(here & said), sentences + len(here)
            said |= here
    assert sentences > 300 and again < 0.05 * sentences


def test_the_numbers_of_an_open_negotiation_are_not_touched_by_wording(manager: RuleManager) -> None:
    scenario = sample_scenario(5)
    negotiation = open_negotiation(scenario, manager)
    before = new_game(FLOATS, card_numbers(scenario.card))
    move = move_of((), scenario.card, negotiation.game)
    manager.respond([negotiation], [move])
    assert negotiation.game == before
