"""Case files: a user's own suite loads, and a wrong file says where, what was expected, and what was found."""

from pathlib import Path

import pytest

from benchmarks import suites
from benchmarks.suites import load_suite
from negotiation_env.errors import DataFileError, UsageError

GOOD = (Path(suites.__file__).parent / "bad_cases" / "emotion-2.toml").read_text(encoding="utf-8")


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
    assert case.script[1].branches[0][0] == "soothe"


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("selling = 440", 'selling = "440"', ["tickets.1.selling", "a valid integer", "'440'"]),
        ("stars = ", "stars = 9", ["hotel.stars", "less than or equal to 5", "9"]),
        ("floor = 375", "floor = 900", ["floor <= 440", "900"]),
        ("target = 390", "target = 500", ["target_price <= selling_price", "500"]),
        ('"soothes"', '"sooths"', ["checks.1.kind", "Did you mean 'soothes'?", "'sooths'"]),
        ('when = "soothe"', 'when = "sooth"', ["branches.1.when", "Did you mean 'soothe'?"]),
        ("occupancy", "ocupancy", ["hotel.ocupancy", "unknown", "[hotel]"]),
        ('title = "A manager angry about the last campaign"\n', "", ["title", "expected this field"]),
        ("turns = [2]", "turns = [0]", ["checks.1.turns.1", "greater than or equal to 1", "0"]),
        ('kind = "soothes"\nturns = [2]', 'kind = "contains"', ["checks.1", "words for a contains"]),
        ("title = ", "title == ", ["TOML"]),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    assert old in GOOD
    folder = write(tmp_path / "own", GOOD.replace(old, new, 1))
    with pytest.raises(DataFileError) as error:
        load_suite(str(folder))
    for part in ("mine.toml", *parts):
        assert part in str(error.value)


def test_a_script_needs_checks(tmp_path: Path) -> None:
    text = GOOD.split("[[checks]]")[0]
    with pytest.raises(DataFileError, match=r"both .*script.* and .*checks"):
        load_suite(str(write(tmp_path / "own", text)))


def test_a_case_without_script_is_live(tmp_path: Path) -> None:
    text = GOOD.split("[[script]]")[0]
    (case,) = load_suite(str(write(tmp_path / "own", text)))
    assert case.script is None
    assert case.max_turns == 20


def test_wrong_names_and_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'bad-cases'"):
        load_suite("bad-case")
    with pytest.raises(UsageError, match="no such path"):
        load_suite("nowhere/cases.toml")
    with pytest.raises(DataFileError, match="add one"):
        load_suite(str(tmp_path))
