"""An owner in mourning is not lost by comfort in words that no list holds."""

from __future__ import annotations

import json

import pytest

from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.state import End
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import Negotiation
from negotiation_env.play.registry import load_reader
from simulators.managers.rule_manager import RuleManager
from tests.benchmarks.playing import NoReward
from tests.language.reading_cases import FOLDER, READERS

WORDINGS = [
    json.loads(line)["text"] for line in (FOLDER / "condolences.jsonl").read_text(encoding="utf-8").splitlines()
]
SEEDS, AT_MOST = 200, 0.05
OPENING = "Hello, partners gain more exposure; what rate could you do?"


def _told(manager: RuleManager, reader: object) -> list[Negotiation]:
    """Return negotiations in which the owner has told of the loss."""
    told: list[Negotiation] = []
    start = 0
    while len(told) < SEEDS:
        opened = [open_negotiation(sample_scenario(s), manager, "grieving-owner") for s in range(start, start + 200)]
        exchange(opened, [OPENING] * len(opened), manager, NoReward(), reader)  # type: ignore[arg-type]
        told += [n for n in opened if n.game.upset and n.game.end == 0.0]
        start += 200
    return told[:SEEDS]


@pytest.mark.parametrize("name", READERS)
def test_comfort_in_any_words_loses_no_mourner(name: str) -> None:
    manager, reader = RuleManager(), load_reader(name)
    told = _told(manager, reader)
    lost = 0
    for place, mourner in enumerate(told):
        exchange([mourner], [WORDINGS[place % len(WORDINGS)]], manager, NoReward(), reader)
        lost += int(mourner.game.end) == End.WALKED_AWAY
    assert lost / len(told) <= AT_MOST
