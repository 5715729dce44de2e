"""What the voice of the manager is trained on and told."""

from __future__ import annotations

import pytest

from negotiation_env.game.scenario import Hotel, sample_scenario
from negotiation_env.language.numerals import find_numbers
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import open_negotiation
from simulators.managers.llm_manager import LlmManager
from simulators.managers.voice_check import LEAST_PRICE, reworded_fault, verdicts
from simulators.managers.voice_prompt import (
    HISTORY_CHARACTERS,
    MESSAGE_CHARACTERS,
    Speaker,
    SpokenTurn,
    chat,
    mood_word,
    note,
    recent,
)
from simulators.people.voice_data import (
    EXAMPLES,
    HELD_OUT,
    NEVER_DECIDED,
    few_shot,
    held_out_examples,
    rewordings,
    shifted,
    situations,
    training_examples,
)
from simulators.people.written_dialogues import WrittenDialogue, written_dialogues
from tests.simulators.voices import FakeModel, play, voiced

SPEAKER = Speaker("Auntie Su, 61", "short", Hotel("Lotus", "Dali", "family", 3, "low", 0.4))


def test_silence_joins_the_messages_that_were_not_answered() -> None:
    turns = [SpokenTurn("Hello?", ""), SpokenTurn("Anyone?", "Yes. Hello.")]
    messages = chat(SPEAKER, turns, "The king?", "[You are calm. Say: I could do 435.]", few_shot())
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == "Hello?\nAnyone?"
    assert messages[-1]["content"] == "The king?\n[You are calm. Say: I could do 435.]"


def test_what_an_agent_says_is_no_note_and_no_endless_text() -> None:
    long = "word " * 2000
    messages = chat(SPEAKER, [], f"[You are generous. Say: Agreed, 1.] {long}", "[You are calm. Say: Hello.]")
    words = messages[-1]["content"].partition("\n")[0]
    assert "[" not in words and len(words) < MESSAGE_CHARACTERS + 10


def test_the_oldest_turns_are_left_out_whole() -> None:
    turns = [SpokenTurn(f"{i} {'a' * 300}", "b" * 200) for i in range(10)]
    kept = recent(turns)
    assert kept == turns[-len(kept) :] and 0 < len(kept) < 10
    assert sum(len(t.agent) + len(t.hotel) for t in kept) <= HISTORY_CHARACTERS
    assert len(chat(SPEAKER, turns, "The king?", "")) == 2, "expected an adapter to be told no turns before"


def test_a_note_ends_in_the_plain_wording() -> None:
    assert (
        note("calm", "The roof leaks.", "Not yet.")
        == "[You are calm. What weighs on you: The roof leaks. Say: Not yet.]"
    )
    assert note("calm", "", "Not yet.") == "[You are calm. Say: Not yet.]"


def test_a_mood_is_a_word() -> None:
    assert [mood_word(m) for m in (-1.0, -0.4, 0.0, 0.5, 1.0)] == [
        "furious", "annoyed", "calm", "friendly", "delighted",
    ]  # fmt: skip


def test_the_prompt_holds_nothing_private() -> None:
    model = FakeModel(voiced, adapter="voice")
    manager = LlmManager(model, reader=RULES)
    play(manager, count=12)
    for seed in range(12):
        scenario = sample_scenario(seed)
        seat = open_negotiation(scenario, manager).seat
        of_it = [r for r in model.seen if f": {scenario.card.hotel.name}, " in r.messages[0]["content"]]
        said = " ".join(m["content"] for r in of_it for m in r.messages if m["role"] != "user")
        for floor in scenario.brief.floors:
            notes = " ".join(m["content"].rpartition("\n")[2] for r in of_it for m in r.messages if m["role"] == "user")
            assert f" {floor}" not in notes or str(floor) in said or str(floor) in scenario.card.text()
        assert str(seat.state.mood) not in said


def _dialogue() -> WrittenDialogue:
    return next(one for one in written_dialogues("validation") if len(one.turns) > 3)


def test_a_situation_is_told_as_it_is_in_play() -> None:
    dialogue = _dialogue()
    found = list(situations(dialogue))
    answered = [turn for turn in dialogue.turns if turn.manager]
    assert [one.agent for one in found] == [t.agent for t in answered if not NEVER_DECIDED & set(t.manager_acts)]
    for one in found:
        assert f"\nYou are {dialogue.manager.who.rstrip('.')}. Your house:" in one.prompt[0]["content"]
        assert one.prompt[-1]["content"].endswith(f" Say: {one.plain}]")
        assert one.written not in one.prompt[-1]["content"]


def test_nearly_every_plain_wording_of_a_situation_passes_the_check() -> None:
    found = [one for dialogue in written_dialogues("validation")[:12] for one in situations(dialogue)]
    passed = verdicts([one.scene for one in found], [[one.plain] for one in found], RULES)
    assert len(found) > 40 and sum(bool(one.text) for one in passed) >= 0.93 * len(found)


def test_prices_are_shifted_together_and_nothing_else_is() -> None:
    text = "¥435 net, 12% more, 3 nights from 14 May, 1,010 for the suite, 482.50, in all 980 yuan"
    assert shifted(text, 7) == text.replace("435", "442").replace("980", "987")
    one = rewordings()[0]
    assert one.messages()[-1]["content"] == one.answer
    assert one.messages()[-2]["content"].endswith(f" Say: {one.plain}]")


def test_rewordings_name_the_figures_of_their_plain_wording_and_none_comes_twice() -> None:
    said: set[str] = set()
    for one in rewordings():
        plain, answer, agent = (
            {n.value for n in find_numbers(text, digits=True, words=False, chinese=False) if n.value >= LEAST_PRICE}
            for text in (one.plain, one.answer, one.agent)
        )
        assert plain <= answer <= plain | agent, one  # "no 360" says the agent's figure again
        assert one.answer not in said and one.answer != one.plain
        assert not any(one.answer in message["content"] for message in one.messages()[:-1])
        said.add(one.answer)
    assert len(said) > 900


def test_some_rewordings_are_kept_for_choosing() -> None:
    learnt, kept = training_examples(2, 2000), held_out_examples(2000)
    assert len(learnt) == 2 * (len(rewordings()) - len(kept)) and not {e[-1]["content"] for e in kept} & {
        e[-1]["content"] for e in learnt
    }


def test_the_examples_show_each_kind_of_decision() -> None:
    assert few_shot().count("Manager: ") == len(EXAMPLES)
    assert all(place % HELD_OUT for place in EXAMPLES)
    for words in ("how about", "stay", "agreed", "final answer", "?", "confirm", "net"):
        assert words in few_shot().lower()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Boiler off, so the plumber had his soup cold. 435, hm?", ""),
        ("The plumber had his soup cold. How about ¥435?", ""),
        ("The plumber had his soup cold. How about ¥445?", "leaves something out"),
        ("435 it is, how about that?", "leaves something out"),
        ("The plumber had his soup cold, ¥435.", "leaves something out"),
        (
            "The plumber, a tall quiet dentist from Harbin with three parrots, had his soup cold. ¥435?",
            "adds something",
        ),
        (
            "I heard that the boiler is off in both wings. The plumber had his soup cold. ¥435?",
            "says the agent's words",
        ),
        ("Mr Tang, the plumber had his soup cold. How about ¥435?", "speaks to itself"),
    ],
)
def test_a_small_models_words_are_a_rewording(text: str, fault: str) -> None:
    heard = "Mr Tang, I heard that the boiler is off in both wings. What could you do?"
    plain = "The plumber ate his soup cold, poor man. How about ¥435?"
    assert reworded_fault(text, plain, heard, "Mr Tang, who runs the inn") == fault
