"""The measure of how a model voices the manager, on written situations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.studies import voice_quality
from benchmarks.studies.voice_quality import answered, copies, measures, said_otherwise, study
from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.language.rule_reader import RULES
from simulators.managers.voice_check import content_words
from simulators.people.voice_data import VoiceSituation, situations
from simulators.people.written_dialogues import written_dialogues
from tests.simulators.voices import FakeModel


@pytest.fixture(scope="module")
def found() -> list[VoiceSituation]:
    return [one for dialogue in written_dialogues("validation")[:6] for one in situations(dialogue)]


def test_content_words_are_what_a_message_is_about() -> None:
    text = "Good morning! Could you do 435 for the Deluxe King, now that the photographer's been to the temple fair?"
    assert content_words(text) == {"photog", "temple", "fair"}


def test_a_model_that_says_what_the_authors_said_has_their_figures(
    found: list[VoiceSituation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_written(asked: ChatRequest) -> ChatReply:
        last = asked.messages[-1]["content"]
        return ChatReply(next(one.written for one in found if last.endswith(one.prompt[-1]["content"])))

    model = FakeModel(as_written)
    monkeypatch.setattr(voice_quality, "load_engine", lambda spec: model)
    made = measures(answered(found, "fake", RULES, 0, 0))
    gold = measures(said_otherwise(found, [one.written for one in found], RULES))
    assert made["at_once"].value is not None and gold["at_once"].value is not None
    assert made["at_once"].value >= gold["at_once"].value > 0.4
    assert made["at_once"].value + (made["template"].value or 0.0) == pytest.approx(1.0)
    assert gold["refers"].n > 5 and gold["distinct"].value is not None and gold["distinct"].value > 0.6


def test_the_plain_wording_passes_and_counts_as_copied(found: list[VoiceSituation]) -> None:
    made = measures(said_otherwise(found, [one.plain for one in found], RULES))
    assert made["copied"].value == 1.0 and made["at_once"].value is not None and made["at_once"].value > 0.9
    assert copies("Not yet.", "Hello. Not yet.") and not copies("Not yet, dear.", "Hello. Not yet.")


def test_no_text_of_the_split_is_printed(
    found: list[VoiceSituation], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def silent(asked: ChatRequest) -> ChatReply:
        return ChatReply("Quite so, and the lantern festival is over.")

    monkeypatch.setattr(voice_quality, "load_engine", lambda spec: FakeModel(silent, adapter="voice"))
    for as_json in (False, True):
        file = tmp_path / f"{as_json}.jsonl"
        told = study(llm=["fake"], split="validation", dialogues=2, reader="rules", write=file, as_json=as_json)
        assert told == 1
        said = capsys.readouterr().out + file.read_text(encoding="utf-8")
        assert not any(one.written in said or one.agent in said for one in found)
    printed, *lines = said.splitlines()
    assert set(json.loads(printed)["voices"]) == {"fake", "as written", "plain"}
    assert lines and {tuple(json.loads(line)) for line in lines} == {("where", "how", "text")}
