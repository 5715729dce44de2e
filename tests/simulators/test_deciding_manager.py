"""The manager whose decisions a language model makes: code keeps it within the limits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from negotiation_env.checks import check_manager
from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.game.acts import Act, DialogueAct, PriceType
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.game.state import Decision, apply_decision
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.protocols import ManagerReply, Negotiation, Utterance
from simulators.managers.deciding_manager import SCHEMA, DecidingManager, ManagerChoice, clamped, read_choice
from simulators.managers.rule_manager import RuleManager
from tests.simulators.voices import FakeModel, play, spoken, voiced

NO = (False, False, False)


def choice(words: str = "", **rooms: tuple[str, float | None]) -> ManagerChoice:
    made = [{"room": r.replace("_", " "), "act": act, "price": price} for r, (act, price) in rooms.items()]
    return ManagerChoice.model_validate({"rooms": made, "words": words})


def single() -> Scenario:
    return next(s for s in map(sample_scenario, range(99)) if len(s.card.tickets) == 1)


def table(
    scenario: Scenario, quote: float | None = None, bid: float = 0.0, said: Sequence[DialogueAct] = ()
) -> tuple[Negotiation, Decision]:
    """A negotiation with a standing figure and a bid, and what the rules would decide: to hold."""
    negotiation = open_negotiation(scenario, RuleManager())
    game = negotiation.game
    if quote is not None:
        counter = _held(game.quote)._replace(hold=NO, counter=(True, False, False), quote=(quote,) * 3)
        apply_decision(FLOATS, game, counter)
    game.bid = (bid, bid, bid)
    negotiation.manager_said.append(Utterance("", tuple(said)))
    return negotiation, _held(game.quote)


def _held(quote: tuple[Any, Any, Any]) -> Decision:
    return Decision(
        silent=False, greet=False, walk=False, bye=False, ask=False, upset=False, objection=0.0, accept=NO, counter=NO,
        hold=(True, False, False), refuse=NO, confirm=NO, quote=quote, net=False,
    )  # fmt: skip


def test_a_choice_within_the_limits_is_the_decision() -> None:
    scenario = single()
    price = float(scenario.card.tickets[0].selling_price - 5)
    negotiation, rules = table(scenario)
    decision, clamps = clamped(choice(room=("offer", price)), negotiation, rules)
    assert decision.counter[0] and decision.quote[0] == price and not decision.hold[0] and not clamps


@pytest.mark.parametrize(
    ("act", "price", "quote", "bid", "accepted", "flag", "figure", "clamp"),
    [
        ("offer", 1, None, 0, False, "counter", "list", "below the floor"),
        ("offer", "list+50", None, 0, False, "counter", "list", "above the list price"),
        ("offer", "list", "list-10", 0, False, "hold", "list-10", "above its own offer"),
        ("offer", "list-20", "list-10", 0, True, "hold", "list-10", "undercuts its acceptance"),
        ("offer", "list-9", None, "list-4", False, "accept", "list-4", "below the bid"),
        ("offer", "list-4", None, "list-4", False, "accept", "list-4", ""),
        ("accept", None, None, 1, False, "counter", "list", "below the floor"),
        ("accept", None, None, "list+30", False, "counter", "list", "above the list price"),
        ("accept", None, None, 0, False, "hold", "list", "accepts without a bid"),
        ("accept", None, "list-3", "list-9", False, "accept", "list-9", ""),
        ("refuse", None, None, 0, False, "hold", "list", "a last no before any figure"),
        ("refuse", None, "list-3", 0, False, "refuse", "list-3", ""),
        ("offer", None, "list-3", 0, False, "hold", "list-3", "an offer without a figure"),
    ],
)
def test_a_choice_is_clamped(
    act: str, price: Any, quote: Any, bid: Any, accepted: bool, flag: str, figure: str, clamp: str
) -> None:
    scenario = single()
    selling = float(scenario.card.tickets[0].selling_price)

    def value(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        return selling + float(text.removeprefix("list") or 0)

    before = [DialogueAct(Act.ACCEPT, price=value(quote), price_type=PriceType.SELLING, ticket=0)] if accepted else []
    negotiation, rules = table(scenario, value(quote), float(value(bid)), before)
    decision, clamps = clamped(choice(room=(act, value(price))), negotiation, rules)
    assert [name for name in ("accept", "counter", "hold", "refuse") if getattr(decision, name)[0]] == [flag]
    assert decision.quote[0] == pytest.approx(value(figure))
    assert clamps == ((clamp,) if clamp else ())
    assert decision.quote[0] >= scenario.brief.floors[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Good day!", "no JSON object"),
        ('{"rooms": 3}', "another form"),
        ('{"rooms": [{"room": "x", "act": "sell", "price": 1}], "words": ""}', "another form"),
    ],
)
def test_what_is_no_choice_is_a_fault(text: str, fault: str) -> None:
    found = read_choice(ChatReply(text))
    assert isinstance(found, str) and found.startswith(fault)


def test_a_choice_is_found_behind_words_and_in_fences() -> None:
    text = '{"rooms": [], "ask_reason": true, "upset": false, "words": "Hm."}'
    for dressed in (text, f"```json\n{text}\n```", f"Here it is: {text} Is that right?"):
        assert read_choice(ChatReply(dressed)) == ManagerChoice(rooms=[], ask_reason=True, words="Hm.")


def rooms_of(request: ChatRequest) -> list[tuple[str, int]]:
    """The rooms of a request's note, each with its list price."""
    newest = request.messages[-1]["content"].rpartition("\n")[2]
    return [(room, int(price)) for room, price in re.findall(r"([A-Z][\w' ]+): list price (\d+)", newest)]


def decides(rooms: Sequence[tuple[str, int]], words: str) -> ChatReply:
    data = [{"room": room, "act": "offer", "price": price} for room, price in rooms]
    return ChatReply(json.dumps({"rooms": data, "ask_reason": False, "upset": False, "words": words}))


def bold(request: ChatRequest) -> ChatReply:
    """Give one yuan for everything, or say the note where words alone are asked for."""
    if not request.schema:
        return voiced(request)
    return decides([(room, 1) for room, _ in rooms_of(request)], "One yuan, done.")


def manager_of(model: FakeModel) -> DecidingManager:
    return DecidingManager(model, reader=RULES)


def test_no_figure_below_a_floor_goes_out_and_the_words_follow_the_clamp() -> None:
    manager = manager_of(FakeModel(bold))
    negotiations = [open_negotiation(sample_scenario(seed), manager) for seed in range(12)]
    assert negotiations
    check_manager(manager, negotiations=6, turns=6)
    assert manager.counts["clamp"] > 0
    assert not any("One yuan" in reply.text for reply in spoken(play(manager, count=6, turns=5)))


def test_a_fault_lets_the_rules_decide() -> None:
    def broken(request: ChatRequest) -> ChatReply:
        return ChatReply("I do not know.")

    said, rules = play(manager_of(FakeModel(broken)), count=6), play(RuleManager(), count=6)
    assert [r.decision for one in said for r in one] == [r.decision for one in rules for r in one]
    faults = {fault for reply in spoken(said) for fault in reply.faults}
    assert "decides: rules: no JSON object" in faults


def test_the_model_s_own_words_go_out_where_they_say_its_decision() -> None:
    def gives(request: ChatRequest) -> ChatReply:
        rooms = [(room, price - 1) for room, price in rooms_of(request)]
        return decides(
            rooms, " ".join(f"For you I could do {price} yuan for the {room}, dear." for room, price in rooms)
        )

    manager = manager_of(FakeModel(gives))
    replies: list[ManagerReply] = spoken(play(manager, count=8, turns=2))
    assert any("For you I could do" in reply.text and not reply.faults for reply in replies)
    assert manager.counts["decided"] > 0


def test_the_schema_is_asked_for_and_the_floor_is_in_no_prompt() -> None:
    model = FakeModel(bold)
    play(manager_of(model), count=8, turns=4)
    deciding = [seen for seen in model.seen if seen.schema]
    assert deciding and all(json.loads(seen.schema) == json.loads(SCHEMA) for seen in deciding)
    for seed in range(8):
        scenario = sample_scenario(seed)
        public = scenario.card.text()
        for seen in deciding:
            if scenario.card.hotel.name in seen.messages[0]["content"]:
                newest = seen.messages[-1]["content"].rpartition("\n")[2]
                for floor in scenario.brief.floors:
                    assert f" {floor}" not in newest or str(floor) in public or f"offer {floor}" in newest
