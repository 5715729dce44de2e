"""Replayed and scripted managers."""

from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import AgentReply, AgentView, Negotiation, ReplyView, RewardBreakdown
from negotiation_env.play.records import write_episodes
from negotiation_env.play.registry import load_manager
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import GOODBYE, ReplayManager, ScriptLine, line_for
from simulators.managers.rule_manager import RuleManager
from tests.play.readers import GREETING, HearsGreetings

ONE_TICKET = next(s for s in (sample_scenario(i) for i in range(50)) if len(s.card.tickets) == 1)


class NoReward:
    def score(self, replies: list[ReplyView]) -> list[RewardBreakdown]:
        return [RewardBreakdown(0.0, 0.0, 0.0, 0.0, 0.0)] * len(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        return RewardBreakdown(0.0, 0.0, 0.0, 0.0, 0.0)


class Asker:
    """A policy that asks, then bids."""

    name = "asker"

    def reply(self, views: list[AgentView]) -> list[AgentReply]:
        lines = ("Hello, this is the platform, we bring you more exposure.", "Could you offer a lower price?")
        return [AgentReply(lines[int(v.game.turn)] if v.game.turn < 2 else "How about 300 yuan?") for v in views]


def play(manager: ReplayManager, texts: list[str]) -> Negotiation:
    negotiation = open_negotiation(ONE_TICKET, manager)
    for text in texts:
        exchange([negotiation], [text], manager, NoReward())  # type: ignore[arg-type]
    return negotiation


def test_a_script_is_said_line_by_line_then_the_manager_closes() -> None:
    price = ONE_TICKET.card.tickets[0].selling_price - 10
    lines = [ScriptLine("Hello."), ScriptLine(""), ScriptLine(f"I can do {price} yuan.")]
    negotiation = play(ReplayManager({ONE_TICKET.id: lines}), ["Hello."] * 4)
    assert [said.text for said in negotiation.manager_said] == ["Hello.", "", f"I can do {price} yuan.", GOODBYE]
    assert negotiation.manager_said[1].acts == (DialogueAct(Act.SILENCE),)
    assert negotiation.game.quote[0] == price
    assert negotiation.game.quoted[0]
    assert Act.CLOSE in {act.kind for act in negotiation.manager_said[3].acts}


def test_a_scripted_quote_can_be_taken() -> None:
    price = ONE_TICKET.card.tickets[0].selling_price - 10
    manager = ReplayManager({ONE_TICKET.id: [ScriptLine(f"I can do {price} yuan.")]})
    negotiation = play(manager, ["Hello, could you offer a lower price?", f"Deal, we agree to {price} yuan."])
    assert negotiation.game.agreed[0] == price


def test_a_script_branches_on_what_the_agent_does() -> None:
    line = ScriptLine(
        "Well?", (("agree", "Done."), ("bid | ask", "That is too low."), ("pressure", "Do not call again."))
    )
    cases = {Act.CONFIRM: "Done.", Act.COUNTER: "That is too low.", Act.ASK: "That is too low.", Act.GREET: "Well?"}
    for act, text in cases.items():
        assert line_for(line, [DialogueAct(act)]) == text


@pytest.mark.parametrize(
    ("when", "acts", "holds"),
    [
        ("not soothe", [Act.PROPOSE], True),
        ("not soothe", [Act.SOOTHE, Act.PROPOSE], False),
        ("bid & not ask", [Act.PROPOSE], True),
        ("bid & not ask", [Act.PROPOSE, Act.ASK], False),
        ("close | bid & ask", [Act.CLOSE], True),
        ("agreed 1", [Act.ACCEPT], False),
    ],
)
def test_conditions_combine(when: str, acts: list[Act], holds: bool) -> None:
    line = ScriptLine("Well?", ((when, "Done."),))
    assert (line_for(line, [DialogueAct(act) for act in acts]) == "Done.") is holds


@pytest.mark.parametrize("when", ["agreed 1", "settled", "not silence & settled"])
def test_a_script_branches_on_what_is_agreed(when: str) -> None:
    price = ONE_TICKET.card.tickets[0].selling_price - 10
    second = ScriptLine("Yes or no?", ((when, "Then it is done."),))
    manager = ReplayManager({ONE_TICKET.id: [ScriptLine(f"I can do {price} yuan."), second]})
    taken = play(manager, ["Hello, could you offer a lower price?", f"Deal, we agree to {price} yuan."])
    assert taken.manager_said[-1].text == "Then it is done."
    left = play(manager, ["Hello, could you offer a lower price?", "Partners gain exposure."])
    assert left.manager_said[-1].text == "Yes or no?"


def test_a_recorded_episode_is_said_again(tmp_path: Path) -> None:
    scenarios = [sample_scenario(i) for i in range(6)]
    recorded = rollout(Asker(), scenarios, manager=RuleManager(), reward=NoReward(), max_turns=6)  # type: ignore[arg-type]
    path = tmp_path / "episodes.jsonl"
    write_episodes(path, recorded)
    manager = load_manager(f"replay:{path}")
    again = rollout(Asker(), scenarios, manager=manager, reward=NoReward(), max_turns=6)  # type: ignore[arg-type]
    for before, after in zip(recorded, again, strict=True):
        count = len(before.turns)
        assert [t.answer for t in after.turns][:count] == [t.answer for t in before.turns]
        assert after.tickets == before.tickets
        assert after.persona == before.persona


def test_a_script_of_another_scenario_is_a_usage_error() -> None:
    manager = ReplayManager({ONE_TICKET.id + "0": [ScriptLine("Hello.")]})
    with pytest.raises(UsageError, match="Did you mean"):
        manager.start(ONE_TICKET)


def test_a_persona_cannot_be_asked_of_a_script() -> None:
    manager = ReplayManager({ONE_TICKET.id: [ScriptLine("Hello.")]})
    with pytest.raises(UsageError, match="no persona"):
        manager.start(ONE_TICKET, "lie-catcher")


def test_an_unknown_condition_is_refused_before_play() -> None:
    with pytest.raises(UsageError, match="Did you mean 'accept'"):
        ReplayManager({"x": [ScriptLine("Hello.", (("acept", "Done."),))]})


def test_a_file_without_episodes_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "none.jsonl"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(DataFileError, match="at least one episode"):
        ReplayManager(empty)
    with pytest.raises(UsageError, match="no file"):
        ReplayManager(tmp_path / "absent.jsonl")


def test_another_reader_understands_the_lines_otherwise() -> None:
    script = {ONE_TICKET.id: (ScriptLine("I can do 300."),)}
    by_rules = play(ReplayManager(script), ["Hello."])
    otherwise = play(ReplayManager(script, HearsGreetings()), ["Hello."])
    assert by_rules.manager_said[0].acts != (GREETING,)
    assert otherwise.manager_said[0].acts == (GREETING,)
