"""The documentation tells the truth: docstrings, links, commands, and no trace of one machine."""

import ast
import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
TEXT_SUFFIXES = {".py", ".toml", ".md", ".txt", ".cff", ".jinja", ".html", ".json", ""}
MAX_LINES = 600
# Absolute paths into somebody's home or workplace; in two pieces so that this file has none itself.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:" + "|".join(["work/", "root/", "home/", "Users/"]) + ")")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL_BLOCK = re.compile(r"```(?:bash|sh|console)\n(.*?)```", re.DOTALL)


def project_files() -> list[Path]:
    """Files of the project, without environments, caches and builds."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT_SUFFIXES]
    folders = [ROOT / name for name in (*PACKAGES, "tests", "docs", ".ci")]
    inside = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in top + inside if "__pycache__" not in path.parts)


def text_files() -> list[Path]:
    return [path for path in project_files() if path.suffix in TEXT_SUFFIXES]


def public_definitions(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield public classes, functions and methods below `node`, but no overload or override."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        marks = {ast.unparse(mark).rpartition(".")[2] for mark in child.decorator_list}
        if child.name.startswith("_") or marks & {"overload", "override", "setter"}:
            continue
        yield f"{prefix}{child.name}", child
        if isinstance(child, ast.ClassDef):
            yield from public_definitions(child, f"{prefix}{child.name}.")


def shell_commands(document: Path) -> list[list[str]]:
    """Split the lines of the document's shell blocks into words; continued lines are joined."""
    blocks = SHELL_BLOCK.findall(document.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [command for command in words if command]


def documents() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".md"]


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def help_status(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Exit status of ``negotiate ARGUMENTS --help``: nonzero for an unknown command or option."""
    command = importlib.import_module("benchmarks.cli.main").main
    monkeypatch.setattr(sys, "argv", ["negotiate", *arguments, "--help"])
    try:
        command()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_have_docstrings(package: str) -> None:
    missing = []
    for path in sorted((ROOT / package).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None:
            missing.append(place)
        missing += [
            f"{place}:{node.lineno} {name}"
            for name, node in public_definitions(tree, "")
            if ast.get_docstring(node) is None
        ]
    assert missing == []


def test_links_lead_to_files() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents()
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not target.startswith(("https://", "http://", "mailto:", "#"))
        and not (document.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_documented_commands_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, faults = make_targets(), []
    for document in documents():
        for command in shell_commands(document):
            program, *arguments = command
            name = Path(program).name
            if name == "make":
                goals = [word for word in arguments if "=" not in word and word[0] != "-"]
                known = set(goals) <= targets
            elif name == "negotiate":
                known = help_status(arguments, monkeypatch) in (0, None)
            elif name.startswith("python") and arguments[:1] == ["-m"]:
                known = importlib.util.find_spec(arguments[1]) is not None
            else:
                continue
            if not known:
                faults.append(f"{document.name}: {shlex.join(command)}")
    assert faults == []


def test_no_path_of_one_machine() -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert hits == []


def test_modules_stay_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in project_files()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}
