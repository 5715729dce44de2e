from collections.abc import Sequence
from itertools import takewhile

import pytest

from negotiation_env.engines.chat_model import ChatReply, ChatRequest, fault_reply
from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.play.prompts import HISTORY_MESSAGES, NO_ANSWER, prompt
from negotiation_env.play.protocols import Utterance
from policies.chat import ChatPolicy, spoken_part
from tests.policies.staged import opening, view


class FakeEngine:
    """Answers with the seed, and fails for odd ones if told to."""

    spec = "fake"

    def __init__(self, text: str = "Agent: I ask for {seed} yuan.", odd_fails: bool = False) -> None:
        self.text = text
        self.odd_fails = odd_fails
        self.calls: list[list[ChatRequest]] = []

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        self.calls.append(list(requests))
        return [
            fault_reply("out of memory")
            if self.odd_fails and request.seed % 2
            else ChatReply(self.text.format(seed=request.seed), (1, 2), (-0.5, -0.25))
            for request in requests
        ]


def test_all_views_go_into_one_call_and_replies_keep_their_order() -> None:
    engine = FakeEngine()
    policy = ChatPolicy(engine)
    replies = policy.reply([view(seed=seed) for seed in (5, 6, 7)])
    assert [reply.text for reply in replies] == [f"I ask for {seed} yuan." for seed in (5, 6, 7)]
    assert replies[0].token_ids == (1, 2)
    assert replies[0].logprobs == (-0.5, -0.25)
    assert [len(call) for call in engine.calls] == [3]
    assert policy.name == "fake"


def test_requests_carry_the_view_s_seed_and_the_prompt_s_limits() -> None:
    engine = FakeEngine()
    ChatPolicy(engine).reply([view(seed=12)])
    ChatPolicy(engine, prompt="guided", max_tokens=9, stop=()).reply([view(seed=13)])
    plain, guided = (call[0] for call in engine.calls)
    assert (plain.seed, plain.max_tokens, plain.stop, plain.whole) == (12, 512, (), True)
    assert (guided.seed, guided.max_tokens, guided.stop, guided.whole) == (13, 9, (), False)


@pytest.mark.parametrize(("prompt_name", "faulty"), [("plain", True), ("guided", True), ("compact", False)])
def test_a_reply_that_was_cut_is_a_fault_but_for_those_who_were_trained_so(prompt_name: str, faulty: bool) -> None:
    class Cutting(FakeEngine):
        def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
            return [ChatReply("We bring you", (1,), (-0.5,), finish="length") for _ in requests]

    (reply,) = ChatPolicy(Cutting(), prompt=prompt_name).reply([view()])
    assert (reply.fault is not None) is faulty
    assert reply.text == ("" if faulty else "We bring you")
    (other,) = ChatPolicy(Cutting(), prompt=prompt_name, cut="speak" if faulty else "fault").reply([view()])
    assert (other.fault is None) is faulty


def test_an_engine_fault_spoils_its_own_reply_only() -> None:
    replies = ChatPolicy(FakeEngine(odd_fails=True)).reply([view(seed=2), view(seed=3)])
    assert [reply.fault for reply in replies] == [None, "out of memory"]
    assert replies[1].text == ""


def test_no_views_cost_no_call() -> None:
    engine = FakeEngine()
    assert ChatPolicy(engine).reply([]) == []
    assert engine.calls == []


def test_max_tokens_is_checked() -> None:
    with pytest.raises(UsageError, match="max_tokens"):
        ChatPolicy(FakeEngine(), max_tokens=0)
    with pytest.raises(UsageError, match="plain"):
        ChatPolicy(FakeEngine(), prompt="plane")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Agent: Hello.", "Hello."),
        ("assistant: Hello.", "Hello."),
        ('"Could you do 350?"', "Could you do 350?"),
        ("Could you do 350? Manager: No.", "Could you do 350?"),
        ("Fine.<|im_end|>", "Fine."),
        ("The hotel is lovely.", "The hotel is lovely."),
        ("Let me ask the hotel: is 350 fine?", "Let me ask the hotel: is 350 fine?"),
        ("Is 350 fine?\n\nManager: No.", "Is 350 fine?"),
        ("  ", ""),
    ],
)
def test_only_the_agent_s_own_words_are_kept(said: str, kept: str) -> None:
    assert spoken_part(said) == kept


def test_the_prompt_opens_with_the_card_and_lets_the_user_speak_first() -> None:
    system, first = prompt(opening(2))
    assert (system["role"], first["role"]) == ("system", "user")
    for part in ("Jade Lake Hotel", "Deluxe King", "400", "Superior Twin", "440", "22%"):
        assert part in system["content"]


def test_the_prompt_names_the_standing_offer_and_open_tickets_only() -> None:
    text = prompt(view(2, quotes=(380.0, 0.0), agreed=(0.0, 400.0, 0.0)))[0]["content"]
    assert "380" in text
    assert "Superior Twin" not in text


def test_the_prompt_says_what_a_good_reply_depends_on() -> None:
    used = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    text = prompt(view(quotes=(355.0,), bid=(340.0, 0.0, 0.0), upset=True, wants_reason=True, used=used))[0]["content"]
    assert "hotel offers 355 (goal met), your bid 340" in text
    assert "The manager is upset and asks why." in text
    assert "Not said yet: bookings, competitor, demand, fit, partnership." in text
    assert "You may promise: banner, badge." in text
    above = prompt(view(quotes=(380.0,), net=True, silent_streak=2.0))[0]["content"]
    assert "(net): now 340 yuan, goal 306, hotel offers 323." in above
    assert "No answer for 2 turns." in above


def test_what_stays_the_same_over_a_dialogue_comes_first() -> None:
    early = prompt(view())[0]["content"]
    late = prompt(view(quotes=(355.0,), bid=(340.0, 0.0, 0.0), upset=True))[0]["content"]
    shared = "".join(a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(early, late, strict=False)))
    assert "You may promise" in shared
    assert "% more views" in shared


def test_the_prompt_stays_small_however_long_the_dialogue() -> None:
    long = "word " * 300
    agent = [Utterance(long, (DialogueAct(Act.OFF_TOPIC),))] * 12
    messages = prompt(view(3, agent_said=agent)._replace(manager_said=agent))
    assert 2 <= len(messages) <= HISTORY_MESSAGES + 1
    assert sum(len(message["content"]) for message in messages) < 1200
    assert messages[1]["role"] == "user"
    assert messages[-1]["role"] == "user"


def test_silence_is_shown_as_no_answer() -> None:
    agent = [Utterance("Hello?", (DialogueAct(Act.GREET),))]
    messages = prompt(view(heard="", agent_said=agent))
    assert messages[-1]["content"] == NO_ANSWER
