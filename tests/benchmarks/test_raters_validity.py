"""The measurement of the raters: changed replies are what they say they are, and the bars hold on a small sample."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.raters.panel import RATERS
from benchmarks.raters.situation import contexts, hidden_of, said_instead, walk
from benchmarks.statistics import Figure
from benchmarks.studies import rater_validity as validity
from benchmarks.studies import written_raters
from benchmarks.studies.degradations import DEGRADATIONS, PARAPHRASES, Good
from benchmarks.studies.labelled_pairs import read_pairs
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.registry import load_manager, load_policy, load_reader
from negotiation_env.play.rollout import rollout
from simulators.people.written_dialogues import written_dialogues

SCENARIOS = [sample_scenario(seed) for seed in range(500, 530)]
EPISODES = rollout(load_policy("intent-driven"), SCENARIOS, manager=load_manager("rules"), reward=Unscored())


def goods() -> list[Good]:
    return [
        Good(now, record, context)
        for episode in EPISODES[:1]
        for (now, record), context in zip(walk(episode, hidden_of(episode)), contexts(episode), strict=True)
    ]


def test_a_record_is_read_again_as_it_was() -> None:
    for episode in EPISODES:
        for record, context in zip(episode.turns, contexts(episode), strict=True):
            assert said_instead(record, record.text, context) == record


def test_changes_change_the_text_and_are_the_same_again() -> None:
    for good in goods():
        for change in (*DEGRADATIONS, *PARAPHRASES):
            text = change.apply(good, np.random.default_rng(5))
            assert text != good.record.text or change.name == "repeated", change.name
            assert text == change.apply(good, np.random.default_rng(5)), change.name


def test_paraphrases_mean_the_same() -> None:
    rng, seen = np.random.default_rng(0), Counter[str]()
    for episode in EPISODES:
        for (now, record), context in zip(walk(episode), contexts(episode), strict=True):
            for paraphrase in PARAPHRASES:
                text = paraphrase.apply(Good(now, record, context), rng)
                if text is not None:
                    seen[paraphrase.name] += 1
                    assert understand(text, context).acts == record.acts
    assert set(seen) == {paraphrase.name for paraphrase in PARAPHRASES}


@pytest.fixture(scope="module")
def measured() -> validity.MeasuredChange:
    """A small measurement: up to 25 replies for each change."""
    monkey = pytest.MonkeyPatch()
    monkey.setattr(validity, "BATCH", 40)
    monkey.setattr(validity, "FIRST_SEED", 9_000_000)
    monkey.setattr(validity, "MOST_BATCHES", 1)
    found = validity.measure(25)
    monkey.undo()
    return found


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda d: d.name)
def test_each_degradation_lowers_the_right_score(measured: validity.MeasuredChange, degradation: object) -> None:
    name, rater = degradation.name, degradation.rater  # type: ignore[attr-defined]
    share = validity.lowered(measured.changes[name], rater)
    assert share.n >= 10
    assert share.value is not None
    assert share.value >= 0.9  # 95% is the bar of the full measurement


@pytest.mark.parametrize("paraphrase", PARAPHRASES, ids=lambda p: p.name)
def test_paraphrases_leave_the_score(measured: validity.MeasuredChange, paraphrase: object) -> None:
    for rater in (*RATERS, None):
        drift = validity.drift(measured.changes[paraphrase.name], rater)  # type: ignore[attr-defined]
        assert drift.value is not None
        assert abs(drift.value) <= 0.2  # 0.1 is the bar of the full measurement


def test_labelled_pairs_are_ordered_as_labelled() -> None:
    results = validity.compare_pairs()
    assert len(results) >= 40
    assert {result.rater for result in results} == set(RATERS)
    assert all(result.ordered for result in results)
    assert sum(result.agreed for result in results) >= 0.95 * len(results)
    skills = [result.skill for result in results if result.skill is not None]
    assert sum(skills) >= 0.9 * len(skills)


def test_pairs_differ_and_have_their_own_ids() -> None:
    pairs = read_pairs()
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert all(pair.good != pair.worse for pair in pairs)


def test_the_table_names_what_was_missed(measured: validity.MeasuredChange) -> None:
    text = validity.report(measured, validity.compare_pairs())
    assert all(degradation.name in text for degradation in DEGRADATIONS)
    assert "fewer than 200" in text


def test_written_replies_are_rated_turn_by_turn() -> None:
    dialogues = written_dialogues("validation")[:6]
    turns = list(written_raters.rate_writing(dialogues, load_reader("rules")))
    assert [len(turn) for turn in turns] == [len(turn.replies) for d in dialogues for turn in d.turns]
    found = written_raters.figures(turns)
    assert found["excellent_flawed"].n > 20
    assert found["excellent_flawed"].value is not None
    assert found["excellent_flawed"].value > 0.7


def test_a_target_is_missed_just_beyond_it() -> None:
    def missed(change: float) -> list[str]:
        targets = written_raters.TARGETS.items()
        return written_raters.missed({name: Figure(target + change, None, None, 100) for name, target in targets})

    assert set(missed(0.001)) == written_raters.AT_MOST
    assert set(missed(-0.001)) == set(written_raters.TARGETS) - written_raters.AT_MOST
    assert missed(0.0) == []


def test_half_fixes_of_the_bad_cases_are_rated_below_clean_fixes() -> None:
    halves = validity.compare_half_fixes()
    assert len(halves) >= 40
    assert sum(half.lower for half in halves) >= 0.95 * len(halves)
