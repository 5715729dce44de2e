"""The n-gram reward model: what it reaches on unseen authors, what it cannot see, and weights on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from negotiation_env.errors import DataFileError
from negotiation_env.game.lanes import ARRAYS, FLOATS
from rewards.linear import text_marks
from rewards.model.compared_talks import graded
from rewards.model.ngram_fit import chat_scores, read_settings, talk_of, train
from rewards.model.ngram_model import RARE, SHIPPED, NgramRewardModel, entries
from rewards.rules.rule_reward import example_view
from rewards.sources import ORDINARY
from rewards.training.held_out_figures import held_out
from simulators.people.training_files import PreferencePair, write_lines
from simulators.people.written_pairs import written_pairs

MODEL = NgramRewardModel.shipped()
REPORT: dict[str, Any] = json.loads(SHIPPED.with_name("preference.json").read_text(encoding="utf-8"))
SMALL = ("pairs=60", "epochs=2", "act_pairs=60", "honest=40")


def test_the_shipped_model_reaches_what_its_report_says_on_authors_it_has_not_seen() -> None:
    found = held_out(partial(chat_scores, MODEL))
    assert found["accuracy on validation authors"]["low"] > 0.82
    told, edits = "accuracy on validation authors", "true over false, validation edits"
    assert found[told] == REPORT[told]
    assert found[edits]["value"] == pytest.approx(REPORT[edits]["value"])
    assert REPORT["entries"] == len(MODEL.weights)


def test_what_the_chat_does_not_show_leaves_it_at_chance() -> None:
    assert abs(REPORT["true over false, validation edits"]["value"] - 0.5) < 0.1


def test_scores_are_bounded_and_an_excellent_reply_lies_above_a_bland_one() -> None:
    scores: dict[str, list[float]] = {"excellent": [], "bland": [], "flawed": []}
    for reply in graded("validation"):
        scores[reply.grade].append(MODEL.score(reply.view))
    assert all(-1.0 <= s <= 1.0 for some in scores.values() for s in some)
    assert np.mean(scores["excellent"]) > ORDINARY + 0.15
    assert abs(np.mean(scores["bland"]) - ORDINARY) < 0.15
    assert np.mean(np.array(scores["excellent"]) < 0.0) < 0.1


@pytest.mark.parametrize(
    "idle", ["", "Ok.", "Noted.", "Good. I will write it down.", "price rate exposure partner deal"]
)
def test_a_non_answer_scores_about_nothing(idle: str) -> None:
    assert MODEL.score(example_view({"text": idle, "said": ["Hello."], "manager": ["My roof leaks again."]})) < 0.2


def test_a_copied_line_loses_to_an_answer() -> None:
    asked = "The roof leaked on two guests. What do you want?"
    talk = {"said": ["Hello, it is Lin from the platform."], "manager": [asked]}
    copied, answer = (
        MODEL.score(example_view({"text": text, **talk}))
        for text in (
            asked,
            "Two guests under a leak, that's a bad night. Are they dry by now, and is the roof mended?",
        )
    )
    assert copied < 0.2 < ORDINARY < answer


@pytest.mark.parametrize(
    "yes", ["We accept 380 yuan for the Deluxe King.", "Well, then 380, agreed. My mother will shout."]
)
def test_a_yes_is_taken_rather_than_bidden_past(yes: str) -> None:
    asked = ["Good morning, this is Mei of the platform. Could you do 380?"]
    taken = MODEL.raw(asked, [yes], "380 it is for the Deluxe King, thank you.")
    for other in ("It suits your guests. How about 384 for the Deluxe King?", "Could you come down to 372?"):
        assert taken > MODEL.raw(asked, [yes], other)
        assert MODEL.raw(asked, ["Not at that price."], other) > MODEL.raw(asked, [yes], other)


def test_neither_card_nor_acts_are_read() -> None:
    view = example_view("Would 360 for the king suit you?")
    card = replace(view.card, promises=(), tickets=(replace(view.card.tickets[0], target_price=300),))
    bare = view._replace(card=card, acts=(), features=(0.0,) * len(view.features))
    assert MODEL.score(view) == MODEL.score(bare)


def test_numbers_compare_a_reply_with_the_talk() -> None:
    found = entries(["Hello there."], ["My boiler broke."], "A broken boiler in January, of all months!")
    assert found["<takes up one>"] == 1.0
    assert "<copied>" not in found
    assert entries(["So it is."], [""], "So it is.")["<said before>"] == RARE
    assert entries([], [], "")["<empty>"] == RARE


def test_moves_without_text_score_alike_alone_and_together() -> None:
    rows = np.array([example_view(t).features for t in ("Hello.", "Could you do 350?", "")])
    together = MODEL.score_features(ARRAYS, tuple(rows.T))
    assert np.asarray(together).tolist() == [MODEL.score_features(FLOATS, tuple(row)) for row in rows.tolist()]
    assert NgramRewardModel(MODEL.weights, MODEL.reference).score_features(FLOATS, tuple(rows[0])) is None


def test_without_text_talking_on_costs_and_a_deal_pays() -> None:
    idle = MODEL.score_features(FLOATS, example_view("Thank you for explaining that.").features)
    deal = MODEL.score_features(
        FLOATS,
        example_view({"text": "350 for the Deluxe King, agreed.", "manager": ["I can do 350 for the king."]}).features,
    )
    assert idle is not None
    assert deal is not None
    assert idle < 0.0
    assert deal > 0.5


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("COULD YOU DO 350 YUAN?", "<capitals>"),
        ("Could you do 350 yuan???", "<signs>"),
        ("Could you do 350 yu", "<unfinished>"),
        ("Could you do 350? 谢谢", "<foreign>"),
        ("**Offer** of 350 yuan.", "<code>"),
        ("Agent: could you do 350?", "<label>"),
        ("We talk and talk. " * 30, "<long>"),
        ("Could could you do 350?", "<twice>"),
    ],
)
def test_marks_of_a_text(text: str, mark: str) -> None:
    assert mark in text_marks(example_view(text))
    assert text_marks(example_view("Could you do 350 yuan?")) == []
    assert text_marks(example_view("")) == []


def test_what_was_just_said_is_marked() -> None:
    view = example_view({"text": "Not today.", "said": ["Not today."], "manager": ["Not today."]})
    assert {"<own>", "<manager's>"} <= set(text_marks(view))


def test_training_writes_the_same_weights_for_the_same_seed_by_command_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    pairs = [replace(pair, split="train") for pair in written_pairs("validation", 60)]
    write_lines(path, [*pairs, *[replace(pairs[0], split="test", chosen="zyzzyva " * 9)] * 9])
    sets = (*SMALL, f"data={path}")
    first = NgramRewardModel.from_file(train(out=tmp_path / "a", overrides=sets) / "preference.npz")
    words = [word for s in sets for word in ("--set", s)]
    command = ["train", "rm", "--preset", "ngram", "--out", str(tmp_path / "b"), *words]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    second = NgramRewardModel.from_file(tmp_path / "b" / "preference.npz")
    assert first.weights == second.weights
    assert not any("zyzzyva" in entry for entry in first.weights), "a test line was trained on"
    assert first.acts is not None
    assert second.acts is not None
    np.testing.assert_array_equal(first.acts.acts, second.acts.acts)
    assert first.reference == second.reference


def test_a_file_of_test_lines_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    write_lines(path, written_pairs("validation", 60))
    with pytest.raises(DataFileError, match="at least one line for training"):
        train(out=tmp_path / "a", overrides=(*SMALL, f"data={path}"))


def test_a_pair_s_talk_is_what_its_chat_says() -> None:
    pair = next(p for p in written_pairs("validation", None) if len(p.prompt) > 3)
    own, heard = talk_of(pair.prompt)
    assert len(own) == len(heard) == (len(pair.prompt) - 1) // 2
    bare = PreferencePair(({"role": "user", "content": "Hello?"},), "Hello.", "Pay.")
    assert talk_of(bare.prompt) == ([], [])


def test_settings_are_checked() -> None:
    with pytest.raises(DataFileError, match="pairs"):
        read_settings("ngram", ("pairs=-1",))


def test_wrong_weight_files_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.npz"
    with pytest.raises(DataFileError, match=r"none\.npz"):
        NgramRewardModel.from_file(missing)
    missing.write_bytes(b"no archive")
    with pytest.raises(DataFileError, match="expected n-gram weights"):
        NgramRewardModel.from_file(missing)
    np.savez(tmp_path / "objects.npz", entries=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataFileError, match="objects"):
        NgramRewardModel.from_file(tmp_path / "objects.npz")


def test_weights_survive_a_round_trip(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "copy.npz")
    copy = NgramRewardModel.from_file(tmp_path / "copy.npz")
    assert (copy.weights, copy.reference) == (MODEL.weights, MODEL.reference)
    assert copy.acts is not None
    assert MODEL.acts is not None
    np.testing.assert_array_equal(copy.acts.acts, MODEL.acts.acts)
