"""The one reader and writer of files: whole writes, errors that name the field, and no other reader or writer."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from negotiation_env.errors import DataFileError
from negotiation_env.files import (
    MOST,
    Many,
    Number,
    Table,
    Text,
    append_lines,
    known,
    parse,
    read_json,
    read_lines,
    read_toml,
    toml_value,
    write_file,
    write_folder,
    write_json,
    write_lines,
    write_text,
)

ROOT = Path(__file__).parents[1]


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    points: tuple[Point, ...] = ()


class Colour(Table):
    name: Annotated[str, known(("red", "green"), "a colour")]
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0


class Drawing(Table):
    title: Text
    kind: Literal["line", "area"] = "line"
    colours: Annotated[Many[Colour], Field(alias="colour", min_length=1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("titel = 'a'\n", "titel: expected a known field, got 'titel'. Did you mean 'title'?"),
        ("title = 'a'\n", "colour: expected this field, got nothing: draw it again"),
        ("title = 3\n", "title: expected a text, got 3: draw it again"),
        ("title = ''\n", "title: expected a text of at least 1 characters, got ''"),
        ("kind = 'dot'\n", "kind: expected 'line' or 'area', got 'dot'"),
        ("colour = []\n", "colour: expected at least 1 items, got []"),
        ("colour = 'red'\n", "colour: expected a list, got 'red'"),
        ("colour = [3]\n", "colour.1: expected a table, got 3"),
        (
            "[[colour]]\nname = 'red'\n[[colour]]\nname = 'ret'\n",
            "colour.2.name: expected a colour, got 'ret'. Did you",
        ),
        ("[[colour]]\nshare = '1'\n", "colour.1.share: expected a number, got '1'"),
        ("[[colour]]\nshare = true\n", "colour.1.share: expected a number, got True"),
        ("[[colour]]\nshare = 2\n", "colour.1.share: expected a number of at most 1.0, got 2"),
        ("[[colour]]\nshare = nan\n", "colour.1.share: expected a finite number, got nan"),
        ("[[colour]]\nshar = 1\n", "colour.1.shar: expected a known field, got 'shar'. Did you mean 'share'?"),
        ("[[colour]]\ntitle = 'a'\n", "colour.1.title: expected a known field, got 'title'. It belongs to title."),
        ("title = \n", "expected readable TOML, got: "),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_got(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError) as caught:
        read_toml(path, Drawing, "draw it again")
    assert any(line.startswith(f"{path}: {told}") for line in str(caught.value).splitlines()), str(caught.value)


def test_a_long_value_is_cut_and_many_faults_are_counted() -> None:
    with pytest.raises(DataFileError, match=r"x: 1: expected a number, got 'a{119}\.\.\.") as caught:
        parse(list[Number], ["a" * 500] * (MOST + 3), "x")
    assert str(caught.value).splitlines()[MOST:] == ["x: 3 more faults"]


def test_types_other_than_tables_do_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "é", "points": [{"x": 1}, {"x": 2.5, "y": 3}]})
    assert read_json(path, Shape) == Shape("é", (Point(1.0), Point(2.5, 3.0)))
    for data, told in (
        ({"name": "a", "points": [{"y": 1}]}, "points.1.x: expected this field, got nothing"),
        ({"name": "a", "points": [{"x": 1, "z": 1}]}, "points.1.z: expected a known field, got 'z'"),
        ({"name": "a", "points": {"x": 1}}, "points: expected a list, got {'x': 1}"),
        ([], "expected a table, got []"),
    ):
        write_json(path, data)
        with pytest.raises(DataFileError) as caught:
            read_json(path, Shape)
        assert str(caught.value).startswith(f"{path}: {told}")
    with pytest.raises(DataFileError, match=r"x: a\.2: expected a text, got 3"):
        parse(dict[str, list[str]], {"a": ["b", 3]}, "x")


@pytest.mark.parametrize("read", [read_toml, read_json, lambda path, kind: list(read_lines(path, kind))])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, read: Any) -> None:
    for path, content in ((tmp_path / "none", None), (tmp_path, None), (tmp_path / "odd", b"\xff\xfe")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataFileError) as caught:
            read(path, dict[str, str])
        assert str(caught.value).startswith(f"{path}: expected ")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('a = "é"\n', encoding="utf-8-sig")
    assert read_toml(path, dict[str, str]) == {"a": "é"}
    path.write_text('{"a": "é"}\n', encoding="utf-8-sig")
    assert read_json(path, dict[str, str]) == {"a": "é"}
    assert list(read_lines(path, dict[str, str])) == [{"a": "é"}]


def test_half_a_last_line_is_passed_over_where_a_kill_may_have_left_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n{"a"')
    assert list(read_lines(path, dict[str, int], torn=True)) == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataFileError, match=r"a\.jsonl:4: expected readable JSON, got"):
        list(read_lines(path, dict[str, int]))
    path.write_text('{"a": 1}\n{"a"\n{"a": 2}\n')
    with pytest.raises(DataFileError, match=r"a\.jsonl:2: expected readable JSON, got"):
        list(read_lines(path, dict[str, int], torn=True))
    path.write_text('{"a": 1}\n{"a": "b"}\n')
    with pytest.raises(DataFileError, match=r"a\.jsonl:2: a: expected a whole number, got 'b'"):
        list(read_lines(path, dict[str, int], torn=True))


def test_a_value_of_the_command_line_is_toml_or_a_text() -> None:
    assert [toml_value(text) for text in ("1", "2e-3", "[1, 2]", "true", "a b")] == [1, 2e-3, [1, 2], True, "a b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4), st.booleans())
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: Any, escaped: bool) -> None:
    folder = tmp_path_factory.mktemp("rows")
    assert write_lines(folder / "a.jsonl", rows, escaped) == len(rows)
    append_lines(folder / "a.jsonl", rows)
    assert list(read_lines(folder / "a.jsonl", dict[str, Any])) == [*rows, *rows]
    write_json(folder / "a.json", rows, escaped=escaped)
    assert read_json(folder / "a.json", list[dict[str, Any]]) == rows
    assert json.loads((folder / "a.json").read_text(encoding="utf-8")) == rows


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.jsonl"
    write_text(path, "old\n")

    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lines(path, rows())
    assert path.read_text() == "old\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.jsonl"]
    write_file(path, lambda part: part.write_bytes(b"new\n"))
    assert path.read_text() == "new\n"


KILLED = """
import sys, time
from pathlib import Path
from negotiation_env.files import write_folder, write_lines

def rows():
    yield from ({"a": i} for i in range(20_000))
    print("half", flush=True)
    time.sleep(60)
    yield {"a": -1}

def fill(folder):
    (folder / "one").write_text("new")
    write_lines(folder / "two", rows())

path = Path(sys.argv[1])
write_folder(path, fill) if path.is_dir() else write_lines(path, rows())
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_the_old_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "file":
        write_text(path, "old\n")
    else:
        write_folder(path, lambda folder: write_text(folder / "one", "old\n"))
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None and child.stdout.readline() == "half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert (path if kind == "file" else path / "one").read_text() == "old\n"
    # What the killed writer left lies beside it under a hidden name, and stands in nobody's way.
    assert all(p.name.startswith(".") for p in tmp_path.iterdir() if p != path)
    if kind == "file":
        write_text(path, "new\n")
    else:
        write_folder(path, lambda folder: write_text(folder / "one", "new\n"))
    assert (path if kind == "file" else path / "one").read_text() == "new\n"


ALLOWED = {
    "negotiation_env/files.py": "the one reader and writer",
    "negotiation_env/engines/answers.py": "a server's answer, no file",
    "benchmarks/raters/llm_rater.py": "a model's answer, no file",
}
"""Files that may read JSON or TOML, or move a file into its place, and why."""


def own_file_handling(source: str) -> set[str]:
    """Return the readers and writers of TOML and JSON, and the moves of files, that stand in a module."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None)]
            found |= {"tomllib"} & set(names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".part"):
            found.add("a .part file")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            inner = [ast.unparse(n.func) for arg in node.args for n in ast.walk(arg) if isinstance(n, ast.Call)]
            if name in ("json.load", "json.loads", "json.dump", "os.replace"):
                found.add(name)
            elif node.func.attr == "replace" and len(node.args) == 1 and not node.keywords:
                found.add("Path.replace")  # a text's has two arguments
            elif node.func.attr in ("write", "write_text") and "json.dumps" in inner:
                found.add("a JSON file")
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import tomllib", "tomllib"),
        ("from tomllib import load", "tomllib"),
        ("data = json.loads(path.read_text())", "json.loads"),
        ("json.dump(x, file)", "json.dump"),
        ("os.replace(a, b)", "os.replace"),
        ("draft.replace(path)", "Path.replace"),
        ("x = path.name + '.part'", "a .part file"),
        ("x = f'.{name}.part'", "a .part file"),
        ("p.write_text(json.dumps(x) + '\\n')", "a JSON file"),
        ("a.replace('x', 'y'); replace(x, a=1); now.replace(year=1); print(json.dumps(x))", ""),
    ],
)
def test_the_search_finds_each_way_of_handling_a_file(source: str, found: str) -> None:
    assert own_file_handling(source) == ({found} if found else set())


def test_no_other_module_reads_or_writes_such_files() -> None:
    packages = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
    modules = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    found = {path.relative_to(ROOT).as_posix(): own_file_handling(path.read_text(encoding="utf-8")) for path in modules}
    own = {name: ways for name, ways in found.items() if ways}
    assert own.keys() >= ALLOWED.keys()
    assert {name: ways for name, ways in own.items() if name not in ALLOWED} == {}
