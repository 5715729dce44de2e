"""The rewards' laboratory: best of n, annotators who do not see all, and what a rule is worth."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.raters.situation import Hidden
from benchmarks.studies.light_model import LightFitter, ViewPair
from benchmarks.studies.reward_gate import PICKS, LabState, best_of, gate, lab_states, proxies, written_candidates
from benchmarks.studies.reward_lab import (
    _INCIDENT,
    _INNOCENT,
    BEGGING,
    VERIFIABLE,
    GradedPair,
    annotated,
    labels_needed,
    pick_quality,
    with_sentence,
)
from benchmarks.studies.written_raters import written_episode
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.registry import load_reward
from simulators.people.graded_replies import graded_turns
from simulators.people.written_dialogues import written_dialogues

DIALOGUES = written_dialogues("validation")[:3]
TURNS = [turn.replies for dialogue in DIALOGUES for turn in graded_turns(dialogue)]
PAIRS = [GradedPair(a, b) for replies in TURNS for a in replies for b in replies if a.quality > b.quality]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_best_of_n_is_the_mean_over_all_draws(n: int) -> None:
    proxy, gold = np.array([0.3, 0.9, 0.1, 0.5, 0.7]), np.array([3.0, 1.0, 5.0, 4.0, 2.0])
    drawn = [gold[max(some, key=lambda i: proxy[i])] for some in combinations(range(5), n)]
    assert best_of(proxy, gold, n) == pytest.approx(np.mean(drawn))
    assert best_of(np.zeros(5), gold, n) == pytest.approx(3.0)  # equal ones share alike
    assert best_of(gold, gold, 5) == 5.0


def test_a_gate_separates_where_the_model_is_blind_to_what_the_rules_see() -> None:
    rng = np.random.default_rng(0)
    states = []
    for number in range(30):
        wrong = rng.random(16) < 0.5
        model = rng.uniform(0.1, 0.9, 16)
        sources = np.stack([model, np.zeros(16), np.where(wrong, -100.0, 0.0)], axis=1)
        states.append(LabState(f"d{number}", sources, np.where(wrong, 2.0, 4.0), wrong.astype(float)))
    found = gate(states)
    gain = found["repo_over_model"]["16"]
    assert gain.low > 0.3
    assert found["repo_over_model"]["1"].value == pytest.approx(0.0)
    assert found["curves"]["repo"]["16"]["violations"].value < 0.01
    assert found["curves"]["hero"]["16"]["gold"].value == pytest.approx(found["curves"]["raters"]["16"]["gold"].value)
    assert set(proxies(states[0])) == {*PICKS, "gdpo", "raters"}


def test_written_dialogues_are_rated_as_recorded_ones() -> None:
    episode, hidden = written_episode(DIALOGUES[0]), Hidden(tuple(round(t.floor) for t in DIALOGUES[0].tickets))
    candidates = next(written_candidates(DIALOGUES, 4))
    assert len(candidates) == len(DIALOGUES[0].turns)
    assert all(
        len(texts) <= 4 or len(texts) == len(turn.replies)
        for texts, turn in zip(candidates, DIALOGUES[0].turns, strict=True)
    )
    states = list(lab_states(episode, hidden, candidates, load_reward("repo"), RULES))
    assert len(states) == len(candidates)
    assert all(1.0 <= score <= 5.0 for state in states for score in state.gold)


def test_annotators_toss_a_coin_where_they_do_not_see_the_flaw() -> None:
    rng = np.random.default_rng(1)
    seen = annotated(PAIRS, frozenset(VERIFIABLE), 0.0, rng)
    assert [(p.preferred, p.other) for p in seen] == [(a.view, b.view) for a, b in PAIRS]
    blind = annotated(PAIRS * 20, frozenset(), 0.0, rng)
    flawed = [bool(set(b.flaws) & set(VERIFIABLE)) for _, b in PAIRS] * 20
    right = [p.preferred is a.view for p, (a, _) in zip(blind, PAIRS * 20, strict=True)]
    assert all(r for r, f in zip(right, flawed, strict=True) if not f)
    assert np.mean([r for r, f in zip(right, flawed, strict=True) if f]) == pytest.approx(0.5, abs=0.1)


def test_the_light_model_learns_its_pairs_within_its_bounds() -> None:
    model = LightFitter()([ViewPair(a.view, b.view) for a, b in PAIRS])
    scores = model.score_batch([view for a, b in PAIRS for view in (a.view, b.view)])
    known = np.array([s for s in scores if s is not None]).reshape(-1, 2)
    assert np.abs(known).max() <= 1.0
    assert (known[:, 0] > known[:, 1]).mean() > 0.9
    assert model.score_batch([]) == []


def test_the_pick_is_graded_by_the_author() -> None:
    best = [float(reply.quality) for replies in TURNS for reply in replies]
    found = pick_quality(TURNS, best)
    assert found.grade == np.mean([max(reply.quality for reply in replies) for replies in TURNS])
    assert found.violations == 0.0
    assert pick_quality(TURNS, [-value for value in best]).grade < found.grade


def test_the_rule_is_about_begging_and_not_about_surveys() -> None:
    assert sum(bool(BEGGING.search(text)) for text in _INCIDENT[:4]) == 4
    assert not any(BEGGING.search(text) for text in _INNOCENT)
    view = with_sentence(TURNS[0][0].view, _INCIDENT[0], RULES)
    assert view.text.endswith(_INCIDENT[0]) and view.game is TURNS[0][0].view.game


def test_labels_are_counted_to_where_they_catch_as_much_as_a_rule() -> None:
    reached = [(0, 0.5), (10, 0.7), (100, 0.9)]
    assert labels_needed(reached, 0.8) == pytest.approx(55.0)
    assert labels_needed(reached, 0.4) == 0.0
    assert labels_needed(reached, 0.9) == 100.0
    assert labels_needed(reached, 0.95) is None


def test_the_tiny_laboratory_runs_whole() -> None:
    words = ["--scale", "tiny", "--policy", "pool:validation", "--reader", "rules"]
    result = CliRunner().invoke(app, ["study", "rewards-lab", *words, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found["e0"]["curves"]) == {*PICKS, "gdpo", "raters"}
    assert len(found["e1"]["cells"]) == 2
    assert {"before", "rule", "10 pairs"} <= set(found["e2"]["figures"])
    assert CliRunner().invoke(app, ["study", "rewards-lab", "e9"]).exit_code == 2
