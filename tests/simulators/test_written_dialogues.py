"""The written corpus keeps its format and its variety."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.files import read_lines
from simulators.concerns import CONCERNS
from simulators.people.written_dialogues import (
    FLAWS,
    FOLDER,
    SPLITS,
    WrittenDialogue,
    coverage,
    distinct,
    faults,
    path_of,
    priced,
    shared_runs,
    task_card,
    words,
    written_dialogues,
)

AUTHORS = sorted(author for authors in SPLITS.values() for author in authors)
CHINESE = (15, 16, 17)


def by_author(author: int) -> list[WrittenDialogue]:
    return list(read_lines(path_of(author), WrittenDialogue))


def whole() -> Sequence[WrittenDialogue]:
    return [dialogue for split in SPLITS for dialogue in written_dialogues(split)]


def test_every_file_is_one_author_of_one_split() -> None:
    files = {int(path.stem.partition("_")[2]) for path in FOLDER.glob("dialogues_*.jsonl")}
    assert files == set(AUTHORS)
    assert len(AUTHORS) == len(set(AUTHORS))


def test_there_are_a_thousand_and_every_name_is_its_own() -> None:
    names = [dialogue.id for dialogue in whole()]
    assert len(names) == len(set(names)) >= 1000


def test_the_test_authors_are_enough_to_measure_on() -> None:
    messages = [text for dialogue in written_dialogues("test") for text in dialogue.texts]
    assert len(messages) >= 1500


@pytest.mark.parametrize("author", AUTHORS)
def test_an_authors_dialogues_are_sound(author: int) -> None:
    assert [fault for dialogue in by_author(author) for fault in faults(dialogue)] == []


@pytest.mark.parametrize("author", AUTHORS)
def test_an_author_writes_every_flaw_and_concern_in_words_that_differ(author: int) -> None:
    dialogues = by_author(author)
    counts = coverage(dialogues)
    assert {flaw for flaw in FLAWS if counts.flaws[flaw] < 4} == set()
    assert counts.concerns.keys() == set(CONCERNS)
    assert distinct(text for dialogue in dialogues for text in dialogue.texts) >= 0.7


def test_hardly_any_two_dialogues_share_a_run_of_words() -> None:
    dialogues = whole()
    assert len(shared_runs(dialogues)) <= 0.15 * len(dialogues)
    assert len(shared_runs(dialogues, length=14)) <= 0.005 * len(dialogues)


def test_every_plot_and_act_comes_often_enough() -> None:
    counts = coverage(whole())
    assert min(counts.plots.values()) >= 10
    assert min(counts.agent_acts.values()) >= 50
    assert min(counts.manager_acts.values()) >= 10


def test_a_hundred_are_chinese_or_mixed() -> None:
    chinese = [
        dialogue
        for dialogue in whole()
        if sum("\u4e00" <= c <= "\u9fff" for text in dialogue.texts for c in text) >= 10
    ]
    assert len(chinese) >= 100
    assert {author for author in AUTHORS if any(d in chinese for d in by_author(author))} >= set(CHINESE)


def sound() -> WrittenDialogue:
    return next(iter(read_lines(path_of(0), WrittenDialogue)))


def test_faults_are_found() -> None:
    dialogue = sound()
    first = dialogue.turns[0]
    wrong = {
        "unknown act": first.model_copy(update={"agent_acts": ("greets",)}),
        "do not fit": first.model_copy(update={"flaws": ("rude",), "quality": 5}),
        "not allowed": first.model_copy(update={"agent_acts": ("promise:moon",)}),
        "differs from the card": first.model_copy(update={"agent_acts": ("inform:exposure=1",)}),
        "has not named": first.model_copy(update={"agent_acts": ("accept@0=999",)}),
        "below the floor": first.model_copy(update={"manager_acts": ("quote@0=1",)}),
        "silence": first.model_copy(update={"manager": ""}),
    }
    for words_of_fault, turn in wrong.items():
        found = faults(dialogue.model_copy(update={"turns": (turn, *dialogue.turns[1:])}))
        assert any(words_of_fault in fault for fault in found), (words_of_fault, found)


def test_net_figures_are_said_as_selling_prices() -> None:
    dialogue = sound()
    share = 1.0 - dialogue.tickets[0].commission
    found = priced("propose@0=400 net", dialogue.tickets)
    assert found is not None
    assert found.selling == pytest.approx(400 / share)
    assert priced("greet", dialogue.tickets) is None
    assert priced("propose@2=400", dialogue.tickets) is None


def test_a_written_card_is_a_task_card() -> None:
    for dialogue in written_dialogues("train"):
        card = task_card(dialogue)
        assert [ticket.check_in.isoformat() for ticket in card.tickets] == [t.check_in for t in dialogue.tickets]
        assert card.facts.demand == dialogue.facts.demand
        assert card.promises == dialogue.may_promise


def test_shared_runs_and_distinct_words() -> None:
    one, other = itertools.islice(read_lines(path_of(0), WrittenDialogue), 2)
    said = one.turns[0].model_copy(update={"agent": "one two three four five six seven eight nine ten"})
    pair = [
        dialogue.model_copy(update={"turns": (said, *dialogue.turns[1:])})
        for dialogue in (one, other.model_copy(update={"id": "other"}))
    ]
    assert shared_runs(pair)[0][2] == "one two three four five six seven eight nine"
    assert distinct(["a b c", "a b c"]) == 0.5
    assert words("380行吗? Don't") == ["380", "行", "吗", "don't"]


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "x"}\n', encoding="utf-8")
    with pytest.raises(DataFileError, match=r"mine\.jsonl:1: hotel: expected this field, got nothing"):
        list(read_lines(path, WrittenDialogue))
