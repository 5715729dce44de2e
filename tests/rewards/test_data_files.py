"""Training data on disk: what is written reads back, composition and splits hold, wrong files are named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from negotiation_env.errors import DataFileError
from simulators.people.annotators import SOURCES
from simulators.people.preferences import composition, preference_pairs
from simulators.people.training_files import (
    Demonstration,
    PreferencePair,
    length_correlation,
    preference_figures,
    read_preferences,
    read_sft,
    reply_texts,
    shared,
    split_lines,
    write_lines,
)

PAIRS = preference_pairs(300, seed=5)
LINES = [pair.line() for pair in PAIRS]
GOOD: dict[str, Any] = {
    "prompt": [{"role": "user", "content": "Hello?"}],
    "chosen": [{"role": "assistant", "content": "Hello, this is the platform."}],
    "rejected": [{"role": "assistant", "content": "Pay up."}],
}


def test_the_paper_s_composition() -> None:
    assert composition(6632) == {name: source.share for name, source in SOURCES.items()}
    assert list(composition(6632).values()) == [252, 3178, 1211, 1991]
    for n in (1, 7, 100, 301):
        assert sum(composition(n).values()) == n
    assert Counter(p.source for p in PAIRS) == composition(300)


def test_files_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    assert write_lines(path, LINES) == 300
    again = read_preferences(path)
    assert [(x.prompt, x.chosen, x.rejected, x.margin, x.split) for x in again] == [
        (x.prompt, x.chosen, x.rejected, x.margin, x.split) for x in LINES
    ]
    lines = [Demonstration(x.prompt, x.chosen, "mine", x.scenario, x.split) for x in LINES]
    assert write_lines(path, lines) == 300
    assert read_sft(path) == lines


def test_test_lines_share_no_scenario_and_hardly_a_reply_with_training() -> None:
    train, test = split_lines(LINES)
    assert 30 <= len(test) <= 60
    assert shared([x.scenario for x in train], [x.scenario for x in test]) == 0.0
    assert shared(reply_texts(train), reply_texts(test)) < 0.02


def test_length_tells_nothing_and_the_ceiling_is_high() -> None:
    figures = preference_figures(LINES)
    assert abs(figures.length_correlation) <= 0.15
    assert figures.ceiling is not None
    assert 0.93 <= figures.ceiling <= 0.99
    longer = [PreferencePair(x.prompt, x.chosen + "!" * 500, x.rejected) for x in LINES]
    assert length_correlation(longer) > 0.9


def test_annotators_choose_what_they_prefer_but_for_their_errors() -> None:
    right = [p.sure > 0.5 for p in PAIRS]
    assert 0.88 < sum(right) / len(right) < 1.0
    assert {p.margin for p in PAIRS} <= {0.0, 1.0, 2.0, 3.0, 4.0}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chosen": "Hello"}, "chosen: expected a list, got 'Hello'"),
        ({"prompt": []}, "prompt: expected the last message from 'user', got none"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "prompt: expected the last message from 'user'"),
        (
            {"prompt": [{"role": "boss", "content": "x"}]},
            r"prompt\.1\.role: expected 'system', 'user' or 'assistant', got 'boss'",
        ),
        ({"rejected": [{"role": "assistant", "content": 3}]}, r"rejected\.1\.content: expected a text, got 3"),
        ({"rejected": GOOD["prompt"] + GOOD["rejected"]}, "rejected: expected one message from 'assistant'"),
        ({"rejected": GOOD["chosen"]}, "rejected: expected another reply"),
        ({"margin": -1}, "margin: expected a number of at least 0"),
        ({"sure": 2}, "sure: expected a number of at most 1.0, got 2"),
        ({"split": "dev"}, "split: expected '', 'train' or 'test', got 'dev'"),
        ({"scenario": 3}, "scenario: expected a text, got 3"),
    ],
)
def test_a_wrong_line_names_file_line_and_field(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, **change}) + "\n")
    with pytest.raises(DataFileError, match=rf"mine\.jsonl:2: {told}"):
        read_preferences(path)


@pytest.mark.parametrize("text", ["", "\n", "{", "[]\n"])
def test_a_file_without_lines_or_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(text)
    with pytest.raises(DataFileError, match=r"mine\.jsonl.*expected"):
        read_preferences(path)
    with pytest.raises(DataFileError, match=r"none\.jsonl"):
        read_sft(tmp_path / "none.jsonl")


def test_a_user_s_file_needs_no_extras_and_is_split_by_scenario(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    lines = [{**GOOD, "scenario": f"s{i // 2}", "my own": 1} for i in range(400)]
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    train, test = split_lines(read_preferences(path))
    assert 20 <= len(test) <= 60
    assert not {x.scenario for x in train} & {x.scenario for x in test}


def test_the_commands_write_and_describe(tmp_path: Path) -> None:
    run = CliRunner()
    for arguments in (["written-pairs", "--n", "60"], ["preferences", "--n", "40"], ["sft", "--n", "40"]):
        path = tmp_path / "out" / f"{arguments[0]}.jsonl"
        written = run.invoke(app, ["data", *arguments, "--seed", "1", "--out", str(path)])
        assert written.exit_code == 0, written.output
        if arguments[0] == "written-pairs":
            lines = read_preferences(path)
            assert {"tie"} < {line.source for line in lines if line.split == "train"}
            continue
        assert len(path.read_text().splitlines()) == 40
        again = run.invoke(app, ["data", "describe", str(path), *(["--sft"] if arguments[0] == "sft" else [])])
        assert again.exit_code == 0, again.output
    wrong = run.invoke(app, ["data", "describe", str(path)])
    assert wrong.exit_code == 2
