"""Case files: a user's own suite loads, and a wrong file says where, what was expected, and what was found."""

from pathlib import Path

import pytest

from benchmarks.suites import BAD_CASES, load_suite
from benchmarks.suites.case import RecordedFailure, write_failure
from benchmarks.suites.case_file import CLOSED_LINE, EMPTY_LINE
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.game.acts import Act, DialogueAct
from simulators.managers.replay_manager import line_for

GOOD = (BAD_CASES / "emotion-2.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_of_cases_is_a_suite(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", GOOD)
    write(folder, GOOD, "another.toml")
    suite = load_suite(str(folder))
    assert suite.name == "own"
    assert [case.id for case in suite] == ["another", "mine"]


def test_one_file_is_a_suite(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", GOOD)
    (case,) = load_suite(str(folder / "mine.toml"))
    assert case.script is not None
    assert "soothe" in [when for when, _ in case.script[1].branches]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("selling = 440", 'selling = "440"', ["tickets.1.selling", "a whole number", "'440'"]),
        ("stars = ", "stars = 9", ["hotel.stars", "a number of at most 5", "9"]),
        ("floor = 375", "floor = 900", ["floor <= 440", "900"]),
        ("target = 390", "target = 500", ["target_price <= selling_price", "500"]),
        ('"soothes"', '"sooths"', ["checks.1.kind", "Did you mean 'soothes'?", "'sooths'"]),
        ('when = "soothe"', 'when = "sooth"', ["branches.1.when", "Did you mean 'soothe'?"]),
        ("occupancy", "ocupancy", ["hotel.ocupancy", "a known field", "Did you mean 'occupancy'?"]),
        ('city = "Sanya", ', "", ["hotel.city", "expected this field"]),
        ('"photo-refresh"', '"photo-refesh"', ["promises", "at least two words", "Did you mean 'photo-refresh'?"]),
        ("turns = [2]", "turns = [0]", ["checks.1.turns.1", "a number of at least 1", "0"]),
        ('kind = "soothes", turns = [2]', 'kind = "contains"', ["checks.1", "words for a contains"]),
        ("title = ", "title == ", ["TOML"]),
        ('problem = "overpromise"', 'problem = "overpromis"', ["replies.half.problem", "Did you mean 'overpromise'?"]),
        ("turn = 5", "turn = 50", ["replies", "half.turn of at most 5"]),
        ("turn = 5, ", "", ["replies.half", "either turn and text, or replies"]),
        ('when = "soothe"', 'when = "bid & not sooth"', ["branches.1.when", "Did you mean 'soothe'?"]),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    assert old in GOOD
    folder = write(tmp_path / "own", GOOD.replace(old, new, 1))
    with pytest.raises(DataFileError) as error:
        load_suite(str(folder))
    for part in ("mine.toml", *parts):
        assert part in str(error.value)


def without(name: str, text: str) -> str:
    """A case file without one of its lists."""
    head, _, rest = text.partition(f"{name} = [\n")
    return head + rest.partition("\n]\n")[2]


def test_a_script_needs_checks(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"both .*script.* and .*checks"):
        load_suite(str(write(tmp_path / "own", without("checks", GOOD))))


def test_a_case_without_script_is_live(tmp_path: Path) -> None:
    text = without("script", without("checks", GOOD))
    (case,) = load_suite(str(write(tmp_path / "own", text)))
    assert case.script is None
    assert case.max_turns == 20


def test_tables_may_be_written_apart(tmp_path: Path) -> None:
    lines = [
        'title = "Mine"',
        'category = "own"',
        'severity = "minor"',
        "promises = []",
        "[hotel]",
        *GOOD.partition("hotel = { ")[2].partition(" }")[0].split(", "),
        "[facts]",
        *GOOD.partition("facts = { ")[2].partition(" }")[0].split(", "),
        "[[tickets]]",
        *GOOD.partition("tickets = [{ ")[2].partition(" }")[0].split(", "),
        "[[script]]",
        'text = "Hello."',
        "[[script]]",
        'text = ""',
        "[[checks]]",
        'kind = "asks"',
    ]
    (case,) = load_suite(str(write(tmp_path / "own", "\n".join(lines))))
    assert case.script is not None
    assert [line.text for line in case.script] == ["Hello.", ""]
    assert (case.fails, case.good, case.bad, case.half, case.failure) == ("", (), (), None, None)


def test_a_line_falls_back_on_what_fits_a_settlement_a_goodbye_and_silence(tmp_path: Path) -> None:
    (case,) = load_suite(str(write(tmp_path / "own", GOOD)))
    assert case.script is not None
    said = [line_for(line, [DialogueAct(Act.CLOSE)]) for line in case.script]
    assert set(said) == {CLOSED_LINE}
    assert line_for(case.script[1], [DialogueAct(Act.SILENCE)]) == EMPTY_LINE


def test_half_replies_are_the_good_ones_but_for_one(tmp_path: Path) -> None:
    (case,) = load_suite(str(write(tmp_path / "own", GOOD)))
    assert case.half is not None
    assert [good == half for good, half in zip(case.good, case.half.replies, strict=True)] == [True] * 4 + [False]


def test_the_documented_example_is_a_case(tmp_path: Path) -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "bad_cases.md").read_text(encoding="utf-8")
    example = document.partition("```toml\n")[2].partition("```")[0]
    (case,) = load_suite(str(write(tmp_path / "own", example)))
    assert case.script is not None
    assert len(case.script) == len(case.good) == 3
    assert [check.kind for check in case.checks] == ["stays_on_topic", "gives_reason", "no_pressure"]


FAILURE = RecordedFailure("base", "a model", 7, "2026-01-31", "0.1.0", 4, 3, ("soothes: missing",), (("Hi.", "No!"),))


def test_a_record_beside_the_file_takes_the_place_of_the_bad_replies(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", GOOD)
    assert write_failure(folder / "mine.toml", FAILURE) == folder / "recorded" / "mine.json"
    (case,) = load_suite(str(folder))
    assert case.failure == FAILURE
    assert case.bad == ("Hi.",)


@pytest.mark.parametrize("text", ["{", "[]", '{"policy": "base"}', "null"])
def test_a_spoilt_record_is_named(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "own", GOOD)
    write_failure(folder / "mine.toml", FAILURE).write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=r"mine\.json.*record it again"):
        load_suite(str(folder))


def test_wrong_names_and_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'bad-cases'"):
        load_suite("bad-case")
    with pytest.raises(UsageError, match="no such path"):
        load_suite("nowhere/cases.toml")
    with pytest.raises(DataFileError, match="add one"):
        load_suite(str(tmp_path))
