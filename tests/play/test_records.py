"""Episode records: one JSON line each, read back whole, and nothing private in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.records import Episode, read_episodes, recorded_views, write_episodes
from negotiation_env.play.registry import load_manager, load_policy, load_reader, load_reward
from negotiation_env.play.rollout import rollout


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    scenarios = [sample_scenario(seed) for seed in range(6)]
    policy, manager, reward = load_policy("heuristic"), load_manager("rules"), load_reward("repo")
    return rollout(policy, scenarios, manager=manager, reward=reward)


def test_episodes_are_read_back_as_they_were_written(episodes: list[Episode], tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    write_episodes(path, episodes[:3])
    write_episodes(path, episodes[3:], append=True)
    assert list(read_episodes(path)) == episodes


def test_a_line_cut_off_by_a_kill_is_skipped_and_any_other_bad_line_is_named(
    episodes: list[Episode], tmp_path: Path
) -> None:
    path = tmp_path / "episodes.jsonl"
    write_episodes(path, episodes[:2])
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-40], encoding="utf-8")
    assert list(read_episodes(path)) == episodes[:1]
    path.write_text("{broken\n" + whole, encoding="utf-8")
    with pytest.raises(DataFileError, match=r"episodes\.jsonl:1"):
        list(read_episodes(path))


def test_what_was_checked_in_play_is_checked_again_in_a_record() -> None:
    policy, manager, reward = load_policy("heuristic"), load_manager("rules"), load_reward("repo")
    (episode,) = rollout(
        policy, [sample_scenario(3)], manager=manager, reward=reward, reader=load_reader("rules:claims")
    )
    assert episode.versions["reader"].startswith("rules:claims ")
    views = recorded_views(episode)
    assert any(view.claims for view in views)
    assert reward.score(views) == [turn.reward for turn in episode.turns]


def test_a_record_without_its_fields_is_refused() -> None:
    with pytest.raises(DataFileError, match="episode record: seed: expected this field, got nothing"):
        Episode.from_json({"scenario_id": "x"})


def test_no_private_field_is_written(episodes: list[Episode]) -> None:
    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {k for item in value.values() for k in keys(item)}
        return {k for item in value for k in keys(item)} if isinstance(value, list) else set()

    for episode in episodes:
        written = keys(json.loads(json.dumps(episode.to_json())))
        assert not written & {"floor", "floors", "mood", "trust", "patience", "brief", "seat", "traits"}


def test_a_lone_surrogate_survives_the_file(episodes: list[Episode], tmp_path: Path) -> None:
    data = episodes[0].to_json()
    data["turns"][0]["text"] = "bad \ud800 text"
    path = tmp_path / "odd.jsonl"
    write_episodes(path, [Episode.from_json(data)])
    assert next(iter(read_episodes(path))).turns[0].text == "bad \ud800 text"


def test_the_policys_draws_can_vary_alone() -> None:
    scenarios = [sample_scenario(seed) for seed in range(6)]
    policy, manager, reward = load_policy("random"), load_manager("rules"), load_reward("repo")
    plain = rollout(policy, scenarios, manager=manager, reward=reward)
    same = rollout(policy, scenarios, manager=manager, reward=reward, policy_seeds=[s.seed for s in scenarios])
    other = rollout(policy, scenarios, manager=manager, reward=reward, policy_seeds=[s.seed ^ 1 for s in scenarios])
    assert [e.turns for e in same] == [e.turns for e in plain]
    assert all(a.turns[0].text != b.turns[0].text for a, b in zip(plain, other, strict=True))
    assert [e.persona for e in other] == [e.persona for e in plain]
    assert [Episode.from_json(e.to_json()) for e in other] == other
    assert "policy_seed" not in plain[0].to_json()
