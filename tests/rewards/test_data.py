"""Generated preference data: repeatable, consistent, split, and learnable."""

from __future__ import annotations

import numpy as np
import pytest

from negotiation_env.game.acts import MAX_TICKETS
from negotiation_env.game.features import FEATURES
from negotiation_env.game.state import End
from simulators.people.annotators import DAMAGE, SOURCES, AnnotatedReply, Annotator
from simulators.people.candidates import split_book, wide_book
from simulators.people.demonstrations import BAD_HABITS, demonstrator
from simulators.people.preferences import Candidate, draw_candidate, preference_pairs
from simulators.people.situations import SCENARIO_SEEDS, personas, play, sample_situation

PAIRS = preference_pairs(180, held_out=True)


def test_situations_are_consistent_and_open() -> None:
    turns = set()
    for seed in range(150):
        situation = sample_situation(seed)
        game = situation.game
        turns.add(int(game.turn))
        assert game.end == End.OPEN
        assert len(situation.said) == len(situation.manager) == game.turn
        for k in range(MAX_TICKETS):
            assert game.quote[k] <= game.card.selling[k]
            if game.quoted[k] and k < len(situation.card.tickets):
                assert any(a.ticket == k and a.price is not None for u in situation.manager for a in u.acts)
    assert len(turns) >= 8


def test_the_same_seed_gives_the_same_pairs() -> None:
    again = preference_pairs(180, held_out=True)
    assert [(p.chosen.view.text, p.rejected.view.text, p.sure) for p in PAIRS] == [
        (p.chosen.view.text, p.rejected.view.text, p.sure) for p in again
    ]


def test_held_out_phrases_and_situations_are_not_trained_on() -> None:
    train, held = split_book(False), split_book(True)
    for key, phrases in wide_book().phrases.items():
        ours = {p.template for p in train.phrases[key].all}
        theirs = {p.template for p in held.phrases[key].all}
        if len(phrases.all) >= 2:
            assert not ours & theirs
        assert ours | theirs == {p.template for p in phrases.all}
    assert all(p.situation.seed in SCENARIO_SEEDS[True] for p in PAIRS)
    assert SCENARIO_SEEDS[False].stop <= SCENARIO_SEEDS[True].start


def test_every_kind_of_damage_and_most_habits_occur() -> None:
    replies: list[Candidate] = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        replies += [draw_candidate(sample_situation(seed), rng, held_out=False) for _ in range(3)]
    assert {r.damage for r in replies} - {""} == DAMAGE.keys()
    assert len({r.habit for r in replies}) > 20


def test_annotators_agree_with_themselves_and_mostly_with_each_other() -> None:
    pair = PAIRS[0]
    first, second = Annotator("specialist"), Annotator("sop-path")
    a, b = pair.chosen.judged, pair.rejected.judged
    assert first.preference(a, b) == pytest.approx(1.0 - first.preference(b, a))
    same = [(first.gap(p.chosen.judged, p.rejected.judged) > 0) == (second.gap(p.chosen.judged, p.rejected.judged) > 0)
            for p in PAIRS]  # fmt: skip
    assert np.mean(same) > 0.85
    assert first.preference(a, AnnotatedReply(a.features, a.words, "rude")) > 0.9


def _doing(**features: float) -> AnnotatedReply:
    return AnnotatedReply(tuple(features.get(name, 0.0) for name in FEATURES), ())


@pytest.mark.parametrize("source", SOURCES)
def test_half_a_cut_is_worth_less_than_a_fair_bid_early_and_more_late(source: str) -> None:
    annotator = Annotator(source)
    for tickets in (1.0, 3.0):
        early, late = (
            annotator.gap(
                _doing(take_cut=0.5 * tickets, take_above_target=tickets, late=turn / 20),
                _doing(bid_with_reason=1.0, bid_small_step=tickets, late=turn / 20),
            )
            for turn in (3, 17)
        )
        assert early < 0.0 < late


@pytest.mark.parametrize("source", SOURCES)
def test_the_target_is_always_worth_taking(source: str) -> None:
    annotator = Annotator(source)
    for turn in range(1, 21):
        taken = _doing(take_cut=1.0, take_at_target=1.0, late=turn / 20)
        assert annotator.gap(taken, _doing(bid_with_reason=1.0, bid_small_step=1.0, late=turn / 20)) > 0.0


def test_personas_of_held_out_data_are_never_trained_on() -> None:
    ours, theirs = set(personas(False)), set(personas(True))
    assert ours
    assert theirs
    assert not ours & theirs


def test_a_dialogue_follows_from_its_number() -> None:
    one, two = play(3, False, demonstrator), play(3, False, demonstrator)
    assert [t.text for t in one.turns] == [t.text for t in two.turns]
    assert [t.text for t in one.turns] != [t.text for t in play(4, False, demonstrator).turns]
    assert [t.situation.game.turn for t in one.turns] == list(range(len(one.turns)))


def test_the_demonstrator_opens_follows_the_procedure_and_has_bad_habits() -> None:
    dialogues = [play(n, False, demonstrator) for n in range(60)]
    habits = [turn.habit for d in dialogues for turn in d.turns]
    assert all(d.turns[0].habit == "opening" for d in dialogues)
    assert 0.05 < sum(h in BAD_HABITS for h in habits) / len(habits) < 0.25
    settled = [d for d in dialogues if d.agreed]
    assert 0.2 < len(settled) / len(dialogues) < 0.9
