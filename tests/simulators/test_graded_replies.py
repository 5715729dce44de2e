"""Graded replies of written dialogues stand in the state of their turn and are understood as in play."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from simulators.people.graded_replies import EDITS, KINDS, edit_texts, edited_replies, graded_turns
from simulators.people.written_dialogues import written_dialogues

DIALOGUE = written_dialogues("validation")[0]


def test_every_reply_of_every_turn_is_there_with_its_grade() -> None:
    turns = list(graded_turns(DIALOGUE))
    assert len(turns) == len(DIALOGUE.turns)
    for turn, written in zip(turns, DIALOGUE.turns, strict=True):
        assert [r.view.text for r in turn.replies] == [r.text for r in written.replies]
        assert [r.quality for r in turn.replies] == [r.quality for r in written.replies]
        assert turn.replies[0].grade == (
            "excellent" if written.quality >= 4 else "bland" if written.quality == 3 else "flawed"
        )


def test_a_reply_sees_what_was_said_before_it_and_no_more() -> None:
    for number, turn in enumerate(graded_turns(DIALOGUE)):
        for reply in turn.replies:
            assert [u.text for u in reply.view.agent_said] == [t.agent for t in DIALOGUE.turns[:number]]
            assert [u.text for u in reply.view.manager_said] == [t.manager for t in DIALOGUE.turns[:number]]


def test_a_quote_of_the_dialogue_stands_in_the_state_after_it() -> None:
    quoted = [
        (number, int(act.split("@")[1][0]))
        for number, turn in enumerate(DIALOGUE.turns[:-1])
        for act in turn.manager_acts
        if act.startswith("quote@")
    ]
    turns = list(graded_turns(DIALOGUE))
    assert quoted
    assert all(turns[number + 1].replies[0].view.game.quoted[ticket] for number, ticket in quoted)


def test_edits_of_other_dialogues_are_left_out_and_a_turn_too_many_is_told(tmp_path: Path) -> None:
    def edit(name: str, dialogue: str, turn: int) -> str:
        return json.dumps(
            {"id": name, "dialogue": dialogue, "turn": turn, "kind": "nights", "true": "Four nights then?",
             "false": "Six nights then?", "changed": "Four -> Six"}
        )  # fmt: skip

    path = tmp_path / "edits.jsonl"
    path.write_text(edit("a", DIALOGUE.id, 1) + "\n" + edit("b", "d9999", 0) + "\n")
    (found,) = edited_replies(path, [DIALOGUE])
    assert (found.id, found.true.text, found.false.text) == ("a", "Four nights then?", "Six nights then?")
    assert found.true.manager_said == found.false.manager_said
    path.write_text(edit("a", DIALOGUE.id, len(DIALOGUE.turns)))
    with pytest.raises(DataFileError, match="count turns from 0"):
        edited_replies(path, [DIALOGUE])


def test_shipped_edits_are_of_known_kinds_and_of_the_test_authors() -> None:
    path, dialogues = EDITS / "edits.jsonl", written_dialogues("test")
    others = len({where.split(":")[0] for where, _, _ in edit_texts(path)} - {dialogue.id for dialogue in dialogues})
    assert not others, "edits of dialogues that are not the test authors'"
    found = edited_replies(path, dialogues[:40])
    count = len(found)  # no assertion shows a text of theirs
    assert count > 0
    assert {e.kind for e in found} <= set(KINDS)
    assert all(e.true.text != e.false.text for e in found)
