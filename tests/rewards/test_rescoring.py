"""Recorded episodes are scored anew as they were scored when they were played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.records import Episode, read_episodes, recorded_views, write_episodes
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from rewards.judge.distilled_judge import DistilledJudge
from rewards.judge.rubric import SHIPPED as RUBRIC
from rewards.loading import load_judge, load_model, load_repo
from rewards.repo import Composition
from rewards.rescoring import compare, rescore
from rewards.rules.rule_reward import SHIPPED

RULE = """
[[rule]]
id = "hello"
points = -40
severity = "minor"
message = "says hello"
pattern = 'hello'
needs = ["hello"]
yes = ["Hello there."]
no = ["Good day."]
"""


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    scenarios = [sample_scenario(seed) for seed in range(6)]
    manager, reward = load_manager("rules"), load_reward("repo")
    played = [
        episode
        for name in ("random", "heuristic", "intent-driven")
        for episode in rollout(load_policy(name), scenarios, manager=manager, reward=reward)
    ]
    return [Episode.from_json(json.loads(json.dumps(e.to_json()))) for e in played]


def test_the_same_reward_gives_the_recorded_scores(episodes: list[Episode]) -> None:
    assert list(rescore(episodes, load_reward("repo"))) == episodes
    found = compare(episodes, list(rescore(episodes, load_reward("repo"))))
    assert (found.moves, found.terms) == ((), {})
    assert found.replies == sum(len(e.turns) for e in episodes)


def test_views_show_what_came_before_and_nothing_after(episodes: list[Episode]) -> None:
    for episode in episodes:
        for number, (view, turn) in enumerate(zip(recorded_views(episode), episode.turns, strict=True)):
            assert (view.text, view.stage) == (turn.text, turn.stage)
            assert [u.text for u in view.agent_said] == [t.text for t in episode.turns[:number]]
            assert [u.text for u in view.manager_said] == [t.answer for t in episode.turns[:number]]
            assert view.game.turn == number


def test_another_rule_moves_the_replies_that_it_fires_on(episodes: list[Episode], tmp_path: Path) -> None:
    own = tmp_path / "rules.toml"
    own.write_text(SHIPPED.read_text(encoding="utf-8") + RULE, encoding="utf-8")
    found = compare(episodes, list(rescore(episodes, load_repo(f"rules={own}"))))
    assert found.moves
    assert all("hello" in move.text.lower() for move in found.moves)
    assert all(move.change <= 0.0 for move in found.moves)
    assert found.terms == {"hello": (0, len(found.moves))}
    before, after = found.means["rules"] or (0.0, 0.0)
    assert after < before


def test_the_command_prints_what_moved_and_writes_the_episodes(episodes: list[Episode], tmp_path: Path) -> None:
    file, own, out = tmp_path / "episodes.jsonl", tmp_path / "rules.toml", tmp_path / "new.jsonl"
    write_episodes(file, episodes)
    own.write_text(SHIPPED.read_text(encoding="utf-8") + RULE, encoding="utf-8")
    result = CliRunner().invoke(app, ["rescore", str(file), "--rules", str(own), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "replies moved" in result.output
    assert "lost most -" in result.output
    assert result.output.rstrip().endswith(f"Episodes: {out}")
    assert list(read_episodes(out)) == list(rescore(episodes, load_repo(f"rules={own}")))
    assert list(read_episodes(file)) == episodes


def test_a_rule_that_contradicts_its_examples_is_refused(episodes: list[Episode], tmp_path: Path) -> None:
    file, own = tmp_path / "episodes.jsonl", tmp_path / "rules.toml"
    write_episodes(file, episodes[:1])
    wrong = RULE.replace("Good day.", "Oh, hello.")
    own.write_text(SHIPPED.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    result = CliRunner().invoke(app, ["rescore", str(file), "--rules", str(own)])
    assert result.exit_code == 2
    assert "rule 'hello' fires on 'Oh, hello.'" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.jsonl"], "expected a file of episodes"),
        (["{file}", "--out", "{file}"], "which would be lost"),
        (["{file}", "--rm", "large"], "expected 'ngram', 'encoder', 'small'"),
        (["{file}", "--compose", "n=0"], "n > 0"),
    ],
)
def test_a_wrong_argument_is_one_clean_line(
    episodes: list[Episode], tmp_path: Path, arguments: list[str], told: str
) -> None:
    file = tmp_path / "episodes.jsonl"
    write_episodes(file, episodes[:1])
    result = CliRunner().invoke(app, ["rescore", *(a.replace("{file}", str(file)) for a in arguments)])
    assert result.exit_code == 2
    assert told in result.output
    assert len(list(read_episodes(file))) == 1


def test_a_reward_is_put_together_from_one_line() -> None:
    reward = load_repo("judge=distilled, model=ngram, n=25")
    assert reward.composition == Composition(n=25.0)
    assert reward.model is load_model("ngram")
    assert reward.judge is load_judge("distilled")


@pytest.mark.parametrize("wrong", ["modle=ngram", "n=2,n=3", "judge", "n="])
def test_a_wrong_line_says_what_was_expected(wrong: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        load_repo(wrong)


def test_a_distilled_judge_takes_other_points_and_refuses_other_questions(tmp_path: Path) -> None:
    shipped = RUBRIC.read_text(encoding="utf-8")
    own = tmp_path / "rubric.toml"
    own.write_text(shipped.replace("yes = 14.0", "yes = 11.0", 1), encoding="utf-8")
    assert isinstance(load_repo(f"rubric={own}").judge, DistilledJudge)
    own.write_text(shipped.replace('id = "hears"', 'id = "listens"', 1), encoding="utf-8")
    with pytest.raises(DataFileError, match="that the judge was trained on"):
        load_repo(f"rubric={own}")
