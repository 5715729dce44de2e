"""The minimal edits are what their data card says; no text of theirs is shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.files import read_lines
from simulators.people import written_dialogues as written

FOLDER = Path(written.__file__).parent / "edits"
FILES = (
    ("edits", "test", 600, 70),
    ("train_a", "train", 500, 60),
    ("train_b", "train", 500, 60),
    ("train_c", "train", 400, 10),
    ("validation", "validation", 400, 40),
)
"""File, split, and fewest edits, in all and of a kind."""
KINDS = Literal["date", "nights", "room", "hotel", "event", "direction", "figure", "price-type", "promise"]


class MinimalEdit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    dialogue: str
    turn: Annotated[int, Field(ge=0)]
    kind: KINDS
    true: Annotated[str, Field(min_length=1)]
    false: Annotated[str, Field(min_length=1)]
    changed: str


@pytest.mark.parametrize(("name", "split", "fewest", "of_a_kind"), FILES)
def test_every_edit_changes_one_thing_in_a_dialogue_of_its_split(
    name: str, split: str, fewest: int, of_a_kind: int
) -> None:
    edits = list(read_lines(FOLDER / f"{name}.jsonl", MinimalEdit))
    turns = {dialogue.id: len(dialogue.turns) for dialogue in written.written_dialogues(split)}
    assert len({edit.id for edit in edits}) == len(edits) >= fewest
    for edit in edits:
        assert edit.turn < turns[edit.dialogue], edit.id
        assert edit.true != edit.false, edit.id
        before, after = edit.true.split(), edit.false.split()
        start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
        same = next((i for i, (a, b) in enumerate(zip(before[::-1], after[::-1], strict=False)) if a != b), len(before))
        changed = max(len(before), len(after)) - start - same
        assert changed <= 24, edit.id
    assert min(Counter(edit.kind for edit in edits).values()) >= of_a_kind
