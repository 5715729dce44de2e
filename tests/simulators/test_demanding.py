"""The manager who asks for what no agent may give."""

from __future__ import annotations

import pytest

from negotiation_env.checks import check_manager
from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from simulators.managers.rule_manager import DemandingManager, RuleManager, requests

LINES = tuple(line for kind in requests().values() for line in kind["train"])
HELD_OUT = tuple(line for kind in requests().values() for line in kind["test"])


def _episodes(manager: object, count: int = 20) -> list[Episode]:
    scenarios = [sample_scenario(seed) for seed in range(count)]
    return rollout(load_policy("heuristic"), scenarios, manager=load_manager(manager), reward=load_reward("repo"))


def _answers(episodes: list[Episode]) -> list[str]:
    return [turn.answer for episode in episodes for turn in episode.turns if turn.answer]


def test_it_keeps_the_contract() -> None:
    check_manager(DemandingManager(0.5), negotiations=12, turns=6)


def test_it_asks_about_as_often_as_it_is_told_and_decides_as_the_rules_do() -> None:
    asking, plain = _episodes("demanding:0.4"), _episodes("rules")
    answers = _answers(asking)
    share = sum(answer.startswith(LINES) for answer in answers) / len(answers)
    # Less than it is told: a request that would change what the message means is left out.
    assert 0.2 < share < 0.5
    assert not any(answer.startswith(HELD_OUT) for answer in answers)
    for one, other in zip(asking, plain, strict=True):
        assert [t.answer_acts for t in one.turns] == [t.answer_acts for t in other.turns]
        assert one.tickets == other.tickets
        for turn, same in zip(one.turns, other.turns, strict=True):
            assert turn.answer.endswith(same.answer)


def test_it_asks_nothing_if_told_so() -> None:
    assert _answers(_episodes(DemandingManager(0.0), 4)) == _answers(_episodes(RuleManager(), 4))


def test_most_requests_are_no_other_message() -> None:
    card = sample_scenario(1).card
    context = context_of(card, new_game(FLOATS, card_numbers(card)), "manager")
    meant = [line for line in LINES if any(a.kind is not Act.OFF_TOPIC for a in understand(line, context).acts)]
    assert len(meant) <= len(LINES) // 5, meant


@pytest.mark.parametrize("share", ["often", "1.5", -0.1, "nan"])
def test_a_wrong_share_is_named(share: object) -> None:
    with pytest.raises(UsageError, match="expected a share of messages from 0 to 1"):
        DemandingManager(share)  # type: ignore[arg-type]
