"""Whole dialogues to learn from."""

from __future__ import annotations

from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from simulators.people.conversations import (
    LEAST_QUALITY,
    conversation_of,
    read_conversations,
    write_conversations,
    written_conversations,
)
from simulators.people.training_files import TEST, TRAIN
from simulators.people.written_dialogues import written_dialogues


def test_good_messages_are_learned_and_all_are_there() -> None:
    for dialogue in written_dialogues("train")[:40]:
        found = conversation_of(dialogue, TRAIN)
        own = [place for place, message in enumerate(found.messages) if message["role"] == "assistant"]
        assert [found.messages[place]["content"] for place in own] == [turn.agent for turn in dialogue.turns]
        for place, turn in zip(own, dialogue.turns, strict=True):
            assert found.learn[place] == (turn.quality >= LEAST_QUALITY and bool(turn.agent.strip()))
            others = [text for at, text in found.others if at == place]
            assert others == [r.text for r in turn.alternatives if r.quality >= LEAST_QUALITY and r.text.strip()]
        assert sum(found.learn) == sum(found.learn[place] for place in own)


def test_test_authors_are_in_neither_split() -> None:
    written = {d.id for d in written_dialogues("test")}
    lines = [*written_conversations("train"), *written_conversations("validation")]
    assert len(lines) > 900 and not written & {line.scenario for line in lines}
    assert {line.split for line in lines} == {TRAIN, TEST}


def test_a_file_reads_back_and_a_wrong_place_is_named(tmp_path: Path) -> None:
    lines = [conversation_of(d, TRAIN) for d in written_dialogues("train")[:3]]
    path = tmp_path / "sft.jsonl"
    write_conversations(path, lines)
    assert read_conversations(path) == lines
    path.write_text('{"messages": [{"role": "user", "content": "Hello?"}], "learn": [true]}\n', encoding="utf-8")
    with pytest.raises(DataFileError, match=r"line 1: .*nothing to learn but the assistant's.*\[0\]"):
        read_conversations(path)
