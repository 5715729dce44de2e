"""The suites of live negotiations: the online suite has its stated intents, the A/B suite its size and own seeds."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.runner.run import EPISODES, run_benchmark
from benchmarks.suites import CaseSuite, ab, load_suite, online
from benchmarks.suites.sampled import AB_SEEDS, INTENTS, ONLINE_SEEDS, read_intents, target_in_reach
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.lanes import episode_seed
from negotiation_env.play import registry
from negotiation_env.play.records import read_episodes
from simulators.managers.rule_manager import RuleManager
from simulators.personas import builtin_personas, load_persona
from tests.benchmarks.playing import ScoredByLength


def test_online_has_exactly_the_stated_intents() -> None:
    intents = read_intents()
    cases = list(online())
    assert len(cases) == sum(intent.count for intent in intents) == 30
    assert Counter(case.category for case in cases) == {intent.name: intent.count for intent in intents}
    by_name = {intent.name: intent for intent in intents}
    for case in cases:
        intent = by_name[case.category]
        assert case.persona in intent.personas
        assert intent.target_in_reach in (None, target_in_reach(case.scenario))


def test_intents_name_shipped_personas_and_leave_none_out() -> None:
    named = {name for intent in read_intents() for name in intent.personas}
    assert named == {load_persona(path).name for path in builtin_personas()}


def test_online_personas_are_those_that_the_seeds_draw() -> None:
    manager = RuleManager([load_persona(path) for path in builtin_personas()])
    for case in online():
        assert manager.start(case.scenario).persona_name == case.persona


def test_every_trial_meets_the_same_persona(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    few = CaseSuite("few", list(online())[:4])
    run_benchmark(["tests.benchmarks.playing:Polite"], [few], trials=3, out=tmp_path, progress=False)
    met = {(e.scenario_id.partition("/")[2].partition("#")[0], e.persona) for e in read_episodes(tmp_path / EPISODES)}
    assert met == {(case.id, case.persona) for case in few}


def test_suites_are_the_same_every_time_and_share_no_seed() -> None:
    online.cache_clear()
    first = list(online())
    online.cache_clear()
    assert list(online()) == first
    assert list(ab(50)) == list(ab(50))
    assert not set(ONLINE_SEEDS) & set(AB_SEEDS)
    seeds = {case.scenario.seed for case in first}
    assert len(seeds) == len({case.scenario.card for case in first}) == 30
    assert seeds <= {episode_seed(seed) for seed in ONLINE_SEEDS}
    assert not seeds & {case.scenario.seed for case in ab()}


def test_ab_has_as_many_conversations_as_the_paper_s() -> None:
    suite = load_suite("ab")
    assert (suite.name, len(suite)) == ("ab", 9653)
    assert [case.id for case in load_suite("ab:3")] == ["ab-0000", "ab-0001", "ab-0002"]
    assert list(load_suite("ab:3")) == list(suite)[:3]


@pytest.mark.parametrize("size", ["0", "9654", "-1", "many", "1.5"])
def test_a_wrong_size_is_refused(size: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 9653"):
        load_suite(f"ab:{size}")


def test_a_suite_that_takes_no_argument_says_so() -> None:
    with pytest.raises(UsageError, match="'online' without an argument"):
        load_suite("online:10")


def test_a_wrong_intent_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "intents.toml"
    path.write_text(INTENTS.read_text(encoding="utf-8").replace("count = 7", 'count = "7"'), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"intents\.toml"):
        read_intents(path)
