"""What every policy of acts owes: determinism per view, words that mean the acts, nothing confidential said."""

import pytest

from negotiation_env.checks import check_policy
from negotiation_env.game.moves import move_of
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.state import Move
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import AgentView, Unscored
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import agent_view
from policies.bargaining import ActPolicy, say
from policies.intent_driven import IntentDrivenPolicy
from policies.sb3 import Sb3Policy
from policies.scripted import HeuristicPolicy, RandomPolicy
from tests.test_imports import run_without_extras

NAMES = ("random", "heuristic", "intent-driven", "sb3")
POLICIES = [RandomPolicy, HeuristicPolicy, IntentDrivenPolicy, Sb3Policy]


def played(policy: ActPolicy, scenarios: int = 40, turns: int = 20) -> list[AgentView]:
    """Play sampled scenarios, check the words of every reply, and return every view that the policy met."""
    manager, reward = load_manager("rules"), Unscored()
    tables = [open_negotiation(sample_scenario(7000 + i), manager) for i in range(scenarios)]
    met: list[AgentView] = []
    for _ in range(turns):
        live = [table for table in tables if not table.game.end]
        if not live:
            break
        views = [agent_view(table) for table in live]
        for view in views:
            check_words(policy, view)
        met += views
        exchange(live, [reply.text for reply in policy.reply(views)], manager, reward)
    return met


def check_words(policy: ActPolicy, view: AgentView) -> None:
    """Check that the words of one reply mean its acts and give nothing away."""
    acts = policy.choose(view)
    text = say(view, acts).text
    meant = understand(text, context_of(view.card, view.game, "agent")).acts
    intended, read = move_of(acts, view.card, view.game), move_of(meant, view.card, view.game)
    assert _same(intended, read), (text, acts, meant)
    assert "target" not in text.lower()
    assert "confidential" not in text.lower()


def _same(a: Move, b: Move) -> bool:
    """Whether two moves are one but for the rounding of net figures."""
    for name in Move._fields:
        ours, theirs = getattr(a, name), getattr(b, name)
        if name in ("bid", "claim_price"):
            if any(abs(x - y) > 1.01 for x, y in zip(ours, theirs, strict=True)):
                return False
        elif ours != theirs:
            return False
    return True


@pytest.mark.parametrize("make", POLICIES)
def test_words_mean_the_acts_and_leak_nothing(make: type[ActPolicy]) -> None:
    assert len(played(make())) > 100


@pytest.mark.parametrize("make", POLICIES)
def test_the_conformance_kit_passes(make: type[ActPolicy]) -> None:
    check_policy(make())


def test_they_play_without_any_extra_installed() -> None:
    names = ", ".join(repr(name) for name in NAMES)
    code = f"""
from negotiation_env.play.registry import load_policy
from tests.policies.staged import opening
import policies.chat, benchmarks.studies.sb3_quality
for name in ({names}):
    assert load_policy(name).reply([opening()])[0].text
"""
    result = run_without_extras(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_found_by_name(name: str) -> None:
    assert load_policy(name).name == name
