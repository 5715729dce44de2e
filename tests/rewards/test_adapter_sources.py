"""The reward adapter at run time: what it reads of a talk, memory by content, faults, its zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("transformers")

from negotiation_env.engines.chat_model import ChatMessage  # noqa: E402
from negotiation_env.engines.scoring import ReadText, TextScorer, open_base  # noqa: E402
from negotiation_env.errors import DataFileError, UsageError  # noqa: E402
from negotiation_env.files import write_json  # noqa: E402
from negotiation_env.game.lanes import FLOATS  # noqa: E402
from rewards.loading import load_model, load_repo  # noqa: E402
from rewards.model.adapter_model import MOST_TALK, ROLE, AdapterRewardModel, talk_end, talk_of_view  # noqa: E402
from rewards.model.reference import FILE, Reference  # noqa: E402
from rewards.rules.rule_reward import example_view  # noqa: E402
from rewards.sources import RewardModel  # noqa: E402
from rewards.training.adapter_training import TrainedAdapter  # noqa: E402
from rewards.training.reward_presets import RmPreset  # noqa: E402
from simulators.people.written_pairs import NO_ANSWER, talk_messages  # noqa: E402
from tests.engines.toy_base import write_toy_base  # noqa: E402

VIEWS = [example_view(t) for t in ("Hello.", "You are greedy.", "Hello.", "")]
ZERO = Reference(stages={}, other=0.5, unit=1.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    preset = RmPreset(base=str(base), layers=2, lora_rank=4, lora_alpha=8, lora_targets=("v_proj",), number="float32")
    made = tmp_path_factory.mktemp("adapter")
    TrainedAdapter(preset).save(made)
    write_json(made / FILE, ZERO.model_dump(mode="json"))
    return made


class Counting:
    """Counts the texts that readers read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[int] = []
        inner = TextScorer.read

        def read(reader: TextScorer, texts: Sequence[ReadText]) -> Any:
            self.read.append(len(texts))
            return inner(reader, texts)

        monkeypatch.setattr(TextScorer, "read", read)


def test_equal_replies_are_read_once(base: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AdapterRewardModel(open_base(str(base)), folder, ZERO)
    counting = Counting(monkeypatch)
    scores = model.score_batch(VIEWS)
    assert counting.read == [3]
    assert scores[0] == scores[2]
    assert model.score_batch(VIEWS[1:2]) == scores[1:2]
    assert counting.read == [3]
    assert AdapterRewardModel.from_folder(folder).score_batch(VIEWS) == pytest.approx(scores, abs=1e-5)
    source: RewardModel = model
    assert source.score_features(FLOATS, VIEWS[0].features) is None
    assert model.score_batch([]) == []


def test_memory_is_bounded(base: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AdapterRewardModel(open_base(str(base)), folder, ZERO, remember=1)
    counting = Counting(monkeypatch)
    one, two = VIEWS[:2]
    for view in (one, one, two, one):
        model.score_batch([view])
    assert counting.read == [1, 1, 1]


def test_a_text_that_can_not_be_read_is_unscored_and_costs_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AdapterRewardModel.from_folder(folder)
    rude = model.chat.reply_ids("You are greedy.")
    inner = TextScorer.read

    def read(reader: TextScorer, texts: Sequence[ReadText]) -> Any:
        if any(rude == t.ids[-len(rude) :] for t in texts):
            raise RuntimeError("out of memory")
        return inner(reader, texts)

    monkeypatch.setattr(TextScorer, "read", read)
    scores = model.score_batch(VIEWS)
    assert scores[1] is None
    assert all(s is not None for i, s in enumerate(scores) if i != 1)


def test_scores_are_bounded_about_the_reference(folder: Path) -> None:
    model = AdapterRewardModel.from_folder(folder)
    (raw,) = model.chat_scores([(talk_of_view(VIEWS[0]), "Hello.")])
    assert raw is not None
    assert model.score_batch(VIEWS[:1]) == [pytest.approx(math.tanh((raw - 0.5) / 2.0), abs=1e-5)]


def test_neither_card_nor_acts_are_read(folder: Path) -> None:
    model = AdapterRewardModel.from_folder(folder)
    card = replace(VIEWS[0].card, promises=(), tickets=(replace(VIEWS[0].card.tickets[0], target_price=300),))
    assert model.score_batch([VIEWS[0]._replace(card=card, acts=())]) == model.score_batch(VIEWS[:1])


def test_a_talk_is_read_from_its_end() -> None:
    half = MOST_TALK // 2
    talk: list[ChatMessage] = [
        {"role": "user", "content": "a" * half},
        {"role": "assistant", "content": "b" * half},
        {"role": "user", "content": "c" * half},
    ]
    assert talk_end(talk) == [ROLE, *talk[1:]]
    talk[2]["content"] += "!"
    assert talk_end(talk) == [ROLE, {"role": "assistant", "content": talk[1]["content"][1:]}, talk[2]]
    assert talk_end([{"role": "user", "content": "d" * 2 * MOST_TALK}])[1]["content"] == "d" * MOST_TALK


def test_a_talk_in_play_is_that_of_a_written_pair() -> None:
    said, manager = ["Good morning, Lin from the platform.", "Are you there?"], ["Yes?"]
    view = example_view({"text": "Hello.", "said": said, "manager": manager})
    assert talk_of_view(view) == talk_messages(said, [*manager, NO_ANSWER])


def test_sources_are_found_by_folder(folder: Path, tmp_path: Path) -> None:
    reward = load_repo(f"model={folder}")
    (breakdown,) = reward.score(VIEWS[:1])
    assert breakdown.model is not None
    assert isinstance(load_model(str(folder)), AdapterRewardModel)
    with pytest.raises(UsageError, match="small"):
        load_model("smal")
    (tmp_path / "adapter_config.json").write_bytes((folder / "adapter_config.json").read_bytes())
    with pytest.raises(DataFileError, match="reference"):
        load_model(str(tmp_path))
