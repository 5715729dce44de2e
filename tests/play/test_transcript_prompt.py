"""The transcript prompt: the card once, and a dialogue that only grows."""

from __future__ import annotations

from itertools import pairwise

from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.play.prompts import NO_ANSWER
from negotiation_env.play.protocols import Unscored, Utterance
from negotiation_env.play.registry import load_manager
from negotiation_env.play.rollout import rollout
from negotiation_env.play.transcript_prompt import card_text, noted
from tests.play.test_agent_prompts import Watching

NET, SELLING = PriceType.NET, PriceType.SELLING


def _two_rooms() -> TaskCard:
    return next(card for seed in range(99) if len((card := sample_scenario(seed).card).tickets) == 2)


def _note(card: TaskCard, *acts: DialogueAct, closed: set[int] | None = None) -> str:
    return noted(card, Utterance("Well.", acts), set() if closed is None else closed).removeprefix("Well.").strip()


def test_a_dialogue_only_grows() -> None:
    policy = Watching("transcript")
    rollout(policy, [sample_scenario(s) for s in range(12)], manager=load_manager("rules"), reward=Unscored())
    by_card: dict[str, list[tuple[dict[str, str], ...]]] = {}
    for _, _, request in policy.seen:
        by_card.setdefault(request.messages[0]["content"], []).append(request.messages)  # type: ignore[arg-type]
    assert len(by_card) == 12
    for chats in by_card.values():
        assert len(chats) > 1
        for earlier, later in pairwise(chats):
            assert later[: len(earlier)] == earlier and len(later) == len(earlier) + 2


def test_the_card_s_facts_are_there_once() -> None:
    card = sample_scenario(3).card
    text = card_text(card)
    hotel, facts = card.hotel, card.facts
    for ticket in card.tickets:
        net = 1.0 - ticket.commission
        for fact in (ticket.room, ticket.selling_price, ticket.target_price, f"{ticket.nights} night"):
            assert str(fact) in text
        assert str(round(ticket.selling_price * net + 0.49)) in text
        assert f"{ticket.check_in.day} {ticket.check_in:%B}" in text
    for fact in (hotel.name, hotel.city, f"{hotel.occupancy:.0%}", facts.competitor_name, facts.competitor_price):
        assert text.count(str(fact)) == 1


def test_a_note_compares_a_figure_with_the_goal_in_its_own_type() -> None:
    card = _two_rooms()
    ticket = card.tickets[0]
    net_goal = ticket.target_price * (1.0 - ticket.commission)
    dear = DialogueAct(Act.COUNTER, price=net_goal + 20.0, price_type=NET, ticket=0)
    assert _note(card, dear).startswith(f"[{ticket.room}: offers ") and "goal met" not in _note(card, dear)
    assert "net, goal met" in _note(card, dear._replace(price=net_goal))
    assert "selling, goal met" in _note(card, dear._replace(price=float(ticket.target_price), price_type=SELLING))


def test_a_note_says_what_is_asked_and_how_the_manager_feels() -> None:
    acts = (
        DialogueAct(Act.INFORM, detail="upset"),
        DialogueAct(Act.INFORM, Tactic.COMPETITOR, detail="objection"),
        DialogueAct(Act.ASK, detail="reason"),
    )
    assert _note(_two_rooms(), *acts) == "[is upset; doubts competitor; asks why]"
    assert _note(_two_rooms(), DialogueAct(Act.GREET)) == ""
    assert noted(_two_rooms(), Utterance("", (DialogueAct(Act.SILENCE),)), set()) == NO_ANSWER


def test_what_is_still_open_is_said_when_a_room_is_done() -> None:
    card, closed = _two_rooms(), set[int]()
    first, second = card.tickets
    done = DialogueAct(Act.CONFIRM, price=400.0, price_type=SELLING, ticket=0)
    assert f"still open: {second.room}" in _note(card, done, closed=closed)
    assert "still open" not in _note(card, done, closed=closed)
    no = DialogueAct(Act.REJECT, ticket=1, detail="final")
    assert _note(card, no, closed=closed).endswith("nothing open: thank them and say goodbye]")
    hold = DialogueAct(Act.REJECT, price=500.0, price_type=SELLING, ticket=0, detail="hold")
    assert _note(card, hold) == f"[{first.room}: holds]"
