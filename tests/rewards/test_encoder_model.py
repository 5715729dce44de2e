"""The reward model on a sentence encoder: the shipped one, and one that is trained by command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

for package in ("torch", "peft", "onnx", "onnxruntime"):
    pytest.importorskip(package)

from benchmarks.cli.main import app  # noqa: E402
from negotiation_env.errors import UsageError  # noqa: E402
from negotiation_env.game.lanes import FLOATS  # noqa: E402
from negotiation_env.language.encoder_build import base_folder  # noqa: E402
from rewards.loading import load_model, load_repo  # noqa: E402
from rewards.model.encoder_model import EncoderRewardModel  # noqa: E402
from rewards.rules.rule_reward import example_view  # noqa: E402
from rewards.sources import RewardModel  # noqa: E402
from rewards.talk_encoder import text_of_chat, text_of_view  # noqa: E402
from simulators.people.written_pairs import NO_ANSWER, talk_messages  # noqa: E402

try:
    base_folder()
except UsageError as error:
    pytest.skip(str(error), allow_module_level=True)

TALK = {
    "said": ["Good morning, Lin from the platform."],
    "manager": ["The roof leaked on two guests. What do you want?"],
}
ANSWER = "Two guests under a leak, that's a bad night. Are they dry by now, and is the roof mended?"
OTHERS = ("Noted.", "That is your problem. Lower the rate.", "")


def test_the_shipped_model_prefers_an_answer_to_what_is_none() -> None:
    model = load_model("encoder")
    views = [example_view({"text": text, **TALK}) for text in (ANSWER, *OTHERS)]
    scores = model.score_batch(views)
    assert all(score is not None and -1.0 <= score <= 1.0 for score in scores)
    answer, *others = (score or 0.0 for score in scores)
    assert answer > max(others)
    assert [model.score_batch([view])[0] for view in views] == scores
    assert load_repo("model=encoder").score(views[:1])[0].model == scores[0]


def test_neither_card_nor_acts_are_read() -> None:
    view = example_view({"text": ANSWER, **TALK})
    card = replace(view.card, promises=(), tickets=(replace(view.card.tickets[0], target_price=300),))
    assert text_of_view(view) == text_of_view(view._replace(card=card, acts=()))


def test_a_chat_is_read_as_its_talk_is_in_play() -> None:
    chat = talk_messages(TALK["said"], TALK["manager"])
    assert text_of_chat(chat, ANSWER, NO_ANSWER) == text_of_view(example_view({"text": ANSWER, **TALK}))
    first = text_of_chat(talk_messages([], []), "Hello.", NO_ANSWER)
    assert first == text_of_view(example_view("Hello."))


def test_it_trains_by_command(tmp_path: Path) -> None:
    out = tmp_path / "made"
    command = ["train", "rm", "--preset", "encoder-tiny", "--out", str(out)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "Encoder reward model" in (out / "README.md").read_text()
    model = load_model(str(out))
    assert isinstance(model, EncoderRewardModel)
    source: RewardModel = model
    view = example_view({"text": ANSWER, **TALK})
    assert source.score_features(FLOATS, view.features) is None
    (score,) = model.score_batch([view])
    assert score is not None
    assert CliRunner().invoke(app, command).exit_code != 0  # the folder holds a run already
