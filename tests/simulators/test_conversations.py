"""Whole dialogues to learn from."""

from __future__ import annotations

from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.files import write_lines
from simulators.people.conversations import (
    conversation_of,
    read_conversations,
    write_conversations,
    written_conversations,
)
from simulators.people.training_files import TEST, TRAIN
from simulators.people.written_dialogues import written_dialogues
from simulators.people.written_pairs import (
    PLAIN_EVERY,
    SAMPLED_SHARE,
    UNSEEN,
    sampled_choices,
    sampled_texts,
    written_pairs,
)


def test_every_message_is_there_and_replies_have_the_grades_that_the_chat_shows() -> None:
    unseen = 0
    for dialogue in written_dialogues("train")[:200]:
        found = conversation_of(dialogue, TRAIN)
        own = [place for place, message in enumerate(found.messages) if message["role"] == "assistant"]
        assert [found.messages[place]["content"] for place in own] == [turn.agent for turn in dialogue.turns]
        assert all(grade is None for place, grade in enumerate(found.grades) if place not in own)
        for place, turn in zip(own, dialogue.turns, strict=True):
            told = [(turn.agent, found.grades[place])] + [(o.text, o.grade) for o in found.others if o.at == place]
            graded = {text: grade for text, grade in told if grade is not None}
            for reply in turn.replies:
                hidden = bool(reply.flaws) and not set(reply.flaws) - UNSEEN
                unseen += hidden
                if reply.text.strip():
                    assert (reply.text in graded) != hidden and graded.get(reply.text, reply.quality) == reply.quality
    assert unseen > 10


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
    path.write_text('{"messages": [{"role": "user", "content": "Hello?", "grade": 4}]}\n', encoding="utf-8")
    with pytest.raises(DataFileError, match=r"line 1: expected grades of the assistant's messages alone.*\[0\]"):
        read_conversations(path)


def test_a_sampled_reply_loses_to_a_good_written_one(tmp_path: Path) -> None:
    dialogues = written_dialogues("train")
    turns = [(d, n) for d in dialogues[:30] for n, turn in enumerate(d.turns) if n and turn.quality >= 4][:5]
    other = written_dialogues("validation")[0]
    rows = [{"where": f"{d.id}:{n}", "text": "The part of each book is considerable."} for d, n in turns]
    rows += [{"where": f"{turns[0][0].id}:{turns[0][1]}", "text": turns[0][0].turns[turns[0][1]].agent}]
    rows += [{"where": f"{other.id}:1", "text": "I shall. The sun dies."}]
    rows += [{"where": f"{turns[0][0].id}:0", "text": "Good day, this is the platform."}]  # a first message may do
    write_lines(tmp_path / "a.jsonl", rows)
    plain = [choice for choice in sampled_choices("train", tmp_path) if choice.better.quality == 3]
    assert 1 <= len(plain) <= len(turns) // PLAIN_EVERY  # no phrase of the book for the acts of some
    assert all(c.worse.text == rows[0]["text"] and c.better.acts for c in plain)
    found = [choice for choice in sampled_choices("train", tmp_path) if choice not in plain]
    assert len(found) == len(turns)  # what was written itself loses to nothing, another split's is not here
    by_dialogue = {d.id: d for d, _ in turns}
    for choice in found:
        assert choice.worse.text == rows[0]["text"]
        assert choice.better.quality >= 4
        assert any(choice.better in turn.replies for turn in by_dialogue[choice.dialogue].turns)
    assert sampled_choices("train", tmp_path / "nothing") == []


def test_half_of_the_pairs_over_the_whole_procedure_are_against_a_sampled_reply() -> None:
    sampled = {text for texts in sampled_texts().values() for text in texts}
    pairs = [pair for pair in written_pairs("train", 1000) if pair.source == "sop-path"]
    against = [pair for pair in pairs if sampled & {pair.chosen, pair.rejected}]
    assert len(against) == round(SAMPLED_SHARE * len(pairs))
    assert sum(pair.rejected in sampled for pair in against) >= 0.95 * len(against)  # the others are slips
