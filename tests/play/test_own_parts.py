"""A user's own parts: functions and texts will do, and what they raise is the fault of one sample alone."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from negotiation_env.checks import check_reward
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import ManagerBrief, Scenario, sample_scenario
from negotiation_env.game.state import Move
from negotiation_env.language.reading import Context, Reading
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import AgentView, ManagerReply, Negotiation, ReplyView, Unscored
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import load_manager, load_policy, load_reader, load_reward
from negotiation_env.play.rollout import rollout
from rewards.repo import RepoReward

SCENARIOS = [sample_scenario(seed) for seed in range(4)]
BAD = SCENARIOS[2].card
LINE = "Hello, this is the travel platform. Could you offer us a lower price?"


def polite(view: ReplyView) -> float:
    return float("thank" in view.text.lower())


def moody(view: ReplyView) -> Any:
    if view.card == BAD:
        raise ValueError("I do not like it")
    return np.float32(2.0)


class Texts:
    """Returns texts, and raises on one card."""

    name = "texts"

    def reply(self, views: Sequence[AgentView]) -> list[str]:
        if any(view.card == BAD for view in views):
            raise RuntimeError("not this hotel")
        return [LINE for _ in views]


class Odd(Texts):
    def reply(self, views: Sequence[AgentView]) -> list[Any]:
        return [3 if view.card == BAD else LINE for view in views]


class Short(Texts):
    def reply(self, views: Sequence[AgentView]) -> list[Any]:
        return []


class Host:
    """The rule manager, which counts its answers in the seat and fails on one card."""

    name = "host"

    def __init__(self, value: float | None = None, refuses: bool = False) -> None:
        self.inner, self.value, self.refuses = load_manager("rules"), value, refuses

    def start(self, scenario: Scenario, persona: object | None = None) -> Any:
        if self.refuses and scenario.card == BAD:
            raise OSError("no such hotel")
        return self.inner.start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        answers = self.inner.respond(negotiations, moves)
        for place, negotiation in enumerate(negotiations):
            if negotiation.card == BAD and not self.refuses:
                if self.value is None:
                    raise KeyError("lost")
                decision = answers[place].decision._replace(quote=(self.value,) * 3)
                answers[place] = answers[place]._replace(decision=decision)
        return answers


class Deaf:
    name = "deaf"

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        if any(context.selling == tuple(t.selling_price for t in BAD.tickets) for context in contexts):
            raise IndexError("what?")
        return [found._replace(reader=self.name) for found in RULES.read(texts, contexts)]


def played(policy: Any = None, **parts: Any) -> list[Episode]:
    given = {"manager": load_manager("rules"), "reward": Unscored(), "max_turns": 4, **parts}
    return rollout(load_policy(policy or "heuristic"), SCENARIOS, **given)


def test_a_function_is_a_reward() -> None:
    env = gym.make("negotiation_env:HotelNegotiation-v0", reward=polite)
    env.reset(seed=1)
    assert env.step("Thank you for your time.")[1] == 1.0
    _, reward, _, _, info = env.step("Lower the price.")
    assert reward == 0.0 and info["reward"]["total"] == 0.0 and info["fault"] is None


@pytest.mark.parametrize(
    ("value", "cause"),
    [(math.nan, "finite"), (math.inf, "finite"), ("much", "a number"), (None, "None"), ([1, 2], "a number")],
)
def test_what_is_no_figure_leaves_the_reply_unscored(value: Any, cause: str) -> None:
    def odd(view: ReplyView) -> Any:
        return value

    env = gym.make("negotiation_env:HotelNegotiation-v0", reward=odd)
    env.reset(seed=1)
    _, reward, _, truncated, info = env.step(LINE)
    assert reward == 0.0 and info["reward"]["total"] is None and not truncated
    assert "odd" in info["fault"] and cause in info["fault"]


def test_a_reward_that_raises_is_that_replys_fault() -> None:
    episodes = played(reward=load_reward(moody))
    bad = episodes[2]
    assert bad.end != "fault" and len(bad.turns) > 1
    for turn in bad.turns:
        assert turn.reward.total is None
        assert "moody: ValueError: I do not like it (test_own_parts.py:" in turn.faults[0]
    assert all(turn.reward.total == 2.0 for e in (*episodes[:2], episodes[3]) for turn in e.turns)


def test_a_reward_object_is_guarded_too() -> None:
    class Nan(Unscored):
        def score(self, replies: Sequence[ReplyView]) -> list[Any]:
            return [found._replace(total=math.nan) for found in super().score(replies)]

    turn = played(reward=Nan())[0].turns[0]
    assert turn.reward.total is None and "finite" in turn.faults[0]


def test_a_source_of_ones_own_within_repos_reward_is_guarded() -> None:
    class Model:
        def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
            if any(view.card == BAD for view in views):
                raise LookupError("no weights")
            return [1.0] * len(views)

        def score_features(self, lanes: Any, features: Any) -> None:
            return None

    episodes = played(reward=RepoReward(model=Model()))
    assert "LookupError: no weights" in episodes[2].turns[0].faults[0]
    assert all(turn.reward.total is not None for turn in episodes[0].turns)


def test_a_policy_may_return_texts_and_what_it_raises_is_one_episodes_fault() -> None:
    episodes = played(Texts())
    assert episodes[2].end == "fault" and episodes[2].fault is not None
    assert "policy: RuntimeError: not this hotel (test_own_parts.py:" in episodes[2].fault
    for episode in (*episodes[:2], episodes[3]):
        assert episode.fault is None and episode.turns[0].text == LINE


@pytest.mark.parametrize(("policy", "count"), [(Odd(), 1), (Short(), 4)])
def test_what_is_no_reply_is_told(policy: Any, count: int) -> None:
    faults = [episode.fault for episode in played(policy) if episode.fault]
    assert len(faults) == count and all("policy: expected" in fault for fault in faults)


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_manager_that_fails_ends_its_own_episode_alone(value: float | None) -> None:
    episodes, plain = played(manager=Host(value)), played()
    assert episodes[2].end == "fault" and "manager: " in str(episodes[2].fault)
    for place in (0, 1, 3):
        assert [t.answer for t in episodes[place].turns] == [t.answer for t in plain[place].turns]


def test_a_manager_that_cannot_be_seated_is_one_episodes_fault() -> None:
    episodes = played(manager=Host(refuses=True))
    assert [e.end == "fault" for e in episodes] == [False, False, True, False]
    assert episodes[2].turns == () and "manager: OSError (" in str(episodes[2].fault)


def test_a_reader_that_fails_ends_its_own_episode_alone() -> None:
    episodes = played(reader=Deaf())
    assert episodes[2].end == "fault" and "reader: IndexError: what?" in str(episodes[2].fault)
    assert sum(episode.end == "fault" for episode in episodes) == 1


def test_the_environment_ends_an_episode_whose_manager_failed() -> None:
    env = gym.make("negotiation_env:HotelNegotiation-v0", scenario=SCENARIOS[2], manager=Host())
    env.reset(seed=1)
    _, _, terminated, truncated, info = env.step(LINE)
    assert truncated and not terminated
    assert "KeyError" in info["fault"] and info["outcome"]["end"] == "fault"


class Blabber(Host):
    """Tells what only the hotel knows, by what it raises or returns."""

    name = "blabber"

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def start(self, scenario: Scenario, persona: object | None = None) -> Any:
        if self.how == "start":
            raise ValueError(f"below {scenario.brief.floors}")
        return super().start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[Any]:
        floors = [negotiation.scenario.brief.floors for negotiation in negotiations]
        if self.how == "raise":
            raise ValueError(f"below {floors}")
        if self.how == "return":
            return floors
        answers: list[Any] = list(self.inner.respond(negotiations, moves))
        if self.how == "decision":
            return [answer._replace(decision=own) for answer, own in zip(answers, floors, strict=True)]
        quotes = [(math.nan, own[0], own[0]) for own in floors]
        return [a._replace(decision=a.decision._replace(quote=q)) for a, q in zip(answers, quotes, strict=True)]


@pytest.mark.parametrize("how", ["start", "raise", "return", "decision", "quote"])
def test_what_a_manager_knows_is_in_no_fault(how: str) -> None:
    scenario = replace(SCENARIOS[2], brief=ManagerBrief(floors=(61,) * len(BAD.tickets)))
    (episode,) = rollout(load_policy("heuristic"), [scenario], manager=Blabber(how), reward=Unscored())
    faults = [str(episode.fault), *(fault for turn in episode.turns for fault in turn.faults)]
    if how != "start":  # which raises in the caller's own process, as it is
        env = gym.make("negotiation_env:HotelNegotiation-v0", scenario=scenario, manager=Blabber(how))
        env.reset(seed=1)
        faults.append(env.step(LINE)[4]["fault"])
    assert all(fault.startswith("manager: ") and "61" not in fault.partition("(")[0] for fault in faults)
    assert ("ValueError (" in faults[0]) == (how in ("start", "raise"))


def test_keys_of_the_environment_are_in_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "abcd-1234-efgh")
    monkeypatch.setenv("MY_TOKEN", "false")

    def calls(view: ReplyView) -> Any:
        raise OSError(f"no false answer at http://host/v1?key={os.environ['MY_API_KEY']}")

    (fault,) = played(reward=load_reward(calls))[0].turns[0].faults
    assert "OSError: no false answer at http://host/v1?key=[key] (test_own_parts.py:" in fault


def test_the_projects_own_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = load_policy("heuristic")
    monkeypatch.setattr(type(policy), "reply", lambda self, views: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        played(policy)


def test_a_callers_mistake_raises_at_once() -> None:
    def wrong(view: ReplyView) -> float:
        raise UsageError("expected a seed, got none: pass one")

    with pytest.raises(UsageError, match="expected a seed"):
        played(reward=load_reward(wrong))


def test_a_function_cannot_score_the_numeric_environment() -> None:
    with pytest.raises(UsageError, match=r"scores moves without text.*HotelNegotiation-v0"):
        gym.make("negotiation_env:HotelNegotiationStrategy-v0", reward=polite)


MODULE = """
class Agent:
    name = "mine"
    def reply(self, views):
        return ["Hello there."] * len(views)

class Broken:
    def __init__(self):
        raise KeyError("settings")

def length(view):
    return len(view.text)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_parts_of_mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "my_bad_parts.py").write_text("import no_such_thing_anywhere\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_modules_of_the_working_folder_are_found(folder: Path) -> None:
    assert load_policy("my_parts_of_mine:Agent").name == "mine"
    env = gym.make("negotiation_env:HotelNegotiation-v0", reward="my_parts_of_mine:length")
    env.reset(seed=1)
    assert env.step("Hello.")[1] == 6.0


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("my_parts_of_mine:Agnet", ["Did you mean 'Agent'?", "my_parts_of_mine.py"]),
        ("my_parts_of_mine:Broken", ["KeyError: 'settings' (my_parts_of_mine.py:9)"]),
        ("my_bad_parts:Agent", ["no_such_thing_anywhere", "my_bad_parts.py:1"]),
        ("heuristc:Agent", ["Did you mean 'heuristic'?"]),
    ],
)
def test_a_module_that_will_not_do_is_told(folder: Path, spec: str, parts: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        load_policy(spec)
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_the_command_finds_the_working_folder(folder: Path) -> None:
    command = "import sys; sys.path.remove(''); from benchmarks.cli.main import main; main()"
    words = ["bench", "--policy", "my_parts_of_mine:Agent", "--suite", "own.toml", "--out", "out", "--quiet"]
    from negotiation_env.game.scenario_file import scenario_toml

    (folder / "own.toml").write_text(scenario_toml(SCENARIOS[0]), encoding="utf-8")
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", command, *words],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Hello there." in (folder / "out" / "episodes.jsonl").read_text(encoding="utf-8")


def test_readers_and_managers_go_by_module_too(folder: Path) -> None:
    (folder / "my_other_parts.py").write_text(
        "from negotiation_env.language.rule_reader import RuleReader\n"
        "from simulators.managers.rule_manager import RuleManager\n",
        encoding="utf-8",
    )
    assert load_reader("my_other_parts:RuleReader").name == "rules"
    assert load_manager("my_other_parts:RuleManager").name == "rules"


def test_the_outcome_reward_sums_to_the_deals_value() -> None:
    reward = load_reward("outcome")
    check_reward(reward)
    for episode in rollout(
        load_policy("intent-driven"), [sample_scenario(s) for s in range(40)], manager=load_manager("rules"),
        reward=reward,
    ):  # fmt: skip
        value = sum(
            min((t.selling_price - t.agreed) / (t.selling_price - t.target_price), 1.0)
            for t in episode.tickets
            if t.agreed is not None
        )
        assert sum(turn.reward.total or 0.0 for turn in episode.turns) == pytest.approx(value, abs=1e-3)


def test_the_outcome_reward_scores_the_numeric_environment() -> None:
    env = gym.make("negotiation_env:HotelNegotiationStrategy-v0", reward="outcome")
    env.reset(seed=1)
    assert 0.0 <= float(env.step(env.action_space.sample())[1]) <= 3.0
    many = gym.make_vec("negotiation_env:HotelNegotiationStrategy-v0", num_envs=3, reward="outcome")
    many.reset(seed=1)
    _, rewards, *_ = many.step(many.action_space.sample())
    assert rewards.shape == (3,) and rewards.dtype.kind == "f"
