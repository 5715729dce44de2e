from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.training.presets import Preset, read_preset


class Inner(Preset):
    rank: int = 4


class Outer(Preset):
    seed: int
    rate: float = 0.1
    name: str = "x"
    lora: Inner = Inner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text("seed = 1\n[lora]\nrank = 8\n", encoding="utf-8")
    return tmp_path


def test_a_shipped_preset_is_read_by_name_and_by_path(folder: Path) -> None:
    assert read_preset(Outer, "tiny", folder) == read_preset(Outer, folder / "tiny.toml", Path("nowhere"))


def test_overrides_replace_values_also_in_tables(folder: Path) -> None:
    read = read_preset(Outer, "tiny", folder, ["seed=7", "rate = 2e-3", "lora.rank=2", "name=a b"])
    assert (read.seed, read.rate, read.lora.rank, read.name) == (7, 2e-3, 2, "a b")


def test_an_override_leaves_the_given_table_alone(folder: Path) -> None:
    table = {"seed": 1, "lora": {"rank": 8}}
    read_preset(Outer, table, folder, ["lora.rank=2"])
    assert table == {"seed": 1, "lora": {"rank": 8}}


@pytest.mark.parametrize("wrong", ["seed", "=3", "sed=3"])
def test_a_wrong_override_is_a_usage_error(folder: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"key=value|Did you mean 'seed'"):
        read_preset(Outer, "tiny", folder, [wrong])


def test_an_unknown_name_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'tiny'"):
        read_preset(Outer, "tony", folder)


@pytest.mark.parametrize(
    ("text", "told"), [("sed = 1", "seed"), ("seed = 1\nrte = 2", "Did you mean 'rate'"), ("=", "TOML")]
)
def test_a_wrong_file_names_the_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=told):
        read_preset(Outer, tmp_path / "own.toml", tmp_path)
