"""What a language-model agent sees: under ``plain`` everything, under ``guided`` no figure cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.game import world
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.play.agent_prompts import (
    GUIDED_MESSAGES,
    PROMPTS,
    SAID_NOTHING,
    clipped,
    default_prompt,
    guided_prompt,
    plain_prompt,
)
from negotiation_env.play.prompts import NO_ANSWER, prompt
from negotiation_env.play.protocols import AgentReply, AgentView, Unscored, Utterance
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from policies.adapters import ARTIFACTS
from policies.chat import ChatPolicy
from tests.policies.staged import opening, view


class Watching:
    """Plays as the heuristic does, and keeps the request that a chat policy would have made of each view."""

    name = "watching"

    def __init__(self, prompt: str) -> None:
        self.chat = ChatPolicy(Silent(), prompt=prompt)
        self.player = load_policy("heuristic")
        self.seen: list[tuple[TaskCard, list[str], ChatRequest]] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        for v in views:
            said = [u.text for u in (*v.agent_said, *v.manager_said)]
            self.seen.append((v.card, said, self.chat.request(v)))
        return self.player.reply(views)


class Silent:
    spec = "silent"

    def generate(self, requests: Any) -> list[ChatReply]:
        return [ChatReply("") for _ in requests]


def requests(prompt: str) -> list[tuple[TaskCard, list[str], ChatRequest]]:
    """Requests of whole dialogues: the card, what was said until then, and the request."""
    policy = Watching(prompt)
    rollout(policy, [sample_scenario(s) for s in range(12)], manager=load_manager("rules"), reward=Unscored())
    return policy.seen


def facts(card: TaskCard) -> list[str]:
    """Every fact of a card as it may be written."""
    hotel, own = card.hotel, card.facts
    found = [hotel.name, hotel.city, hotel.kind, f"{hotel.stars}-star", hotel.season, f"{hotel.occupancy:.0%}"]
    for t in card.tickets:
        found += [t.room, str(t.check_in), str(t.check_out), f"{t.nights} night", str(t.selling_price)]
        found += [str(t.target_price), f"{t.commission:.0%}", f"{t.net_price:.0f}"]
    found += [f"{own.exposure}%", f"{own.conversion}%", own.competitor_name, str(own.competitor_price), own.event]
    return [*found, f"{own.demand}%", *(world.PROMISES[p] for p in card.promises)]


def text_of(request: ChatRequest) -> str:
    return "\n".join(message["content"] for message in request.messages)


def test_plain_holds_every_fact_of_the_card_and_every_word_of_the_dialogue() -> None:
    seen = requests("plain")
    assert max(len(said) for _, said, _ in seen) >= 8
    for card, said, request in seen:
        text = text_of(request)
        assert [fact for fact in facts(card) if fact not in text] == []
        contents = [message["content"] for message in request.messages]
        assert all(words in contents for words in said if words)
        assert request.whole and request.stop == () and request.max_tokens == 512


@pytest.mark.parametrize("name", PROMPTS)
def test_every_chat_begins_with_the_system_and_then_alternates(name: str) -> None:
    for _, _, request in requests(name):
        roles = [message["role"] for message in request.messages]
        assert roles == ["system", *(["user", "assistant"] * len(roles))[: len(roles) - 1]]
        assert roles[-1] == "user"
        assert all(message["content"].strip() for message in request.messages)


def test_plain_tells_silence_and_empty_messages_and_long_ones_whole() -> None:
    long = "word " * 3000
    said = [Utterance("Hello?", ()), Utterance("", ()), Utterance(long, ())]
    heard = [Utterance("", ()), Utterance("A\n\nB 480", ()), Utterance(long, ())]
    contents = [m["content"] for m in plain_prompt(view(agent_said=said)._replace(manager_said=heard))[1:]]
    assert contents == ["Hello?", "Hello?", NO_ANSWER, SAID_NOTHING, "A\n\nB 480", long, long]


def test_what_the_manager_says_before_the_agent_is_shown() -> None:
    assert plain_prompt(view(heard="I am listening."))[1]["content"] == "I am listening."


def test_plain_names_role_procedure_and_rules() -> None:
    text = plain_prompt(opening())[0]["content"]
    for part in ("travel platform's agent", "Procedure", "1. Open", "6. Close", "Rules", "Promise only", "net price"):
        assert part in text


def test_guided_has_dates_price_types_city_and_commission() -> None:
    text = guided_prompt(view(2, quotes=(380.0, 0.0), bid=(340.0, 0.0, 0.0), agreed=(0.0, 400.0, 0.0)))[0]["content"]
    for part in ("Jade Lake Hotel in Hangzhou", "check-in 2027-03-01, check-out 2027-03-06, 5 nights", "commission 15%",
                 "now 400 yuan selling", "hotel offers 380 yuan selling", "your bid 340 yuan selling",
                 "Superior Twin: agreed at 400 yuan selling", "a banner on the city page for a week"):  # fmt: skip
        assert part in text
    net = guided_prompt(view(quotes=(380.0,), net=True))[0]["content"]
    assert "now 340 yuan net, goal 306 yuan net, hotel offers 323 yuan net" in net


def test_guided_shows_the_last_messages() -> None:
    for _, said, request in requests("guided"):
        assert len(request.messages) <= GUIDED_MESSAGES + 1
        assert not said or request.messages[-1]["content"] in (said[-1], NO_ANSWER)


@pytest.mark.parametrize("figure", ["480", "1,280.50", "1 280", "15%", "2027-03-01", "480.5"])
@pytest.mark.parametrize("sign", ["word ", "字"])
def test_no_figure_is_cut_wherever_it_stands(figure: str, sign: str) -> None:
    for place in range(0, 40):
        text = sign * 8 + sign[0] * place + figure + sign * 60 + figure + sign[0] * place + sign * 8
        short = clipped(text, 60)
        assert len(short) <= 60 + 5 or sign == "字"
        rest = short.replace(figure, "")
        assert not re.search(r"\d", rest), (text, short)


def test_a_long_message_keeps_its_end() -> None:
    text = "I must tell you about our house. " * 40 + "My last price is 415 yuan."
    assert clipped(text).endswith("My last price is 415 yuan.")
    assert clipped("short 480") == "short 480"


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("smollm2", "guided"),
        ("hf:smollm2", "guided"),
        ("vllm:smollm2", "guided"),
        ("tiny", "compact"),
        ("hf:Qwen/Qwen3-32B", "plain"),
        ("vllm:Qwen/Qwen3-32B", "plain"),
        ("openai:http://localhost:8000/v1#m", "plain"),
        ("recorded:replies.jsonl", "plain"),
        (f"hf:{ARTIFACTS / 'repo-tiny'}", "compact"),
        (f"vllm:{ARTIFACTS / 'sft-tiny'}", "compact"),
    ],
)
def test_the_prompt_suits_the_engine(engine: str, name: str) -> None:
    assert default_prompt(engine) == name


def test_compact_is_what_adapters_were_trained_with() -> None:
    assert PROMPTS["compact"].write is prompt and PROMPTS["compact"].cut == "speak"
    assert date(2027, 3, 1).isoformat() not in prompt(opening())[0]["content"]
