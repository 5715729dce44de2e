"""The documentation tells the truth: docstrings, links, commands, code, and no trace of one machine."""

import ast
import importlib
import importlib.util
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
TEXT_SUFFIXES = {".py", ".toml", ".md", ".txt", ".cff", ".jinja", ".html", ".json", ""}
MAX_LINES = 600
# Absolute paths into somebody's home or workplace; in two pieces so that this file has none itself.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:" + "|".join(["work/", "root/", "home/", "Users/"]) + ")")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL_BLOCK = re.compile(r"```(?:bash|sh|console)\n(.*?)```", re.DOTALL)
INLINE_COMMAND = re.compile(r"(?<!`)`(negotiate [^`]+)`(?!`)")
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)
"""Code, and what it prints where that follows."""
TOML_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
EXTRAS = re.compile(r"(?:negotiation-env|\.)\[([a-z0-9,-]+)\]")
NOT_RUN = {
    "docs/sb3.md": "tests/policies/test_sb3_docs.py runs it, with fewer steps",
    "docs/howto/trl.md": "trains a model; tests/policies has the integration's own test",
    "docs/howto/openenv.md": "needs a venv of its own, and a server",
    "docs/howto/verifiers.md": "needs a venv of its own",
}
"""Documents whose Python is compiled only, each with its reason."""
README_LINES, README_ROWS = 150, 10


def project_files() -> list[Path]:
    """Files of the project, without environments, caches and builds."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT_SUFFIXES]
    folders = [ROOT / name for name in (*PACKAGES, "tests", "docs", "examples", ".ci")]
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
            elif name.startswith("python"):
                known = (ROOT / arguments[0]).is_file()
            else:
                continue
            if not known:
                faults.append(f"{document.name}: {shlex.join(command)}")
    assert faults == []


def test_commands_in_sentences_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands named in a sentence; capitals, dots and braces stand for something there."""
    faults = []
    for document in documents():
        text = SHELL_BLOCK.sub("", document.read_text(encoding="utf-8"))
        for found in INLINE_COMMAND.findall(text):
            words = shlex.split(found)[1:]
            stop = next((i for i, word in enumerate(words) if re.search(r"[A-Z…{}]|\.\.\.", word)), len(words))
            if stop and words[stop - 1].startswith("-"):  # its value is left out
                stop -= 1
            if help_status(words[:stop], monkeypatch) not in (0, None):
                faults.append(f"{document.name}: {found}")
    assert faults == []


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        (document.name, extra)
        for document in documents()
        for extras in EXTRAS.findall(document.read_text(encoding="utf-8"))
        for extra in extras.split(",")
    }
    assert {(name, extra) for name, extra in named if extra not in project["optional-dependencies"]} == set()


def with_python() -> list[str]:
    found = [path for path in documents() if PYTHON_BLOCK.search(path.read_text(encoding="utf-8"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


@pytest.mark.parametrize("name", with_python())
def test_documented_code_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python of a document runs from top to bottom, and prints the text block that follows a piece of it."""
    monkeypatch.chdir(tmp_path)
    shared: dict[str, Any] = {}
    for number, (block, printed) in enumerate(PYTHON_BLOCK.findall((ROOT / name).read_text(encoding="utf-8")), 1):
        code = compile(block, f"{name}, piece {number}", "exec")
        if name in NOT_RUN:
            continue
        exec(code, shared)  # noqa: S102 - our own text
        said = capsys.readouterr().out
        assert not printed or said == printed, f"{name}, piece {number}: expected this in the document:\n{said}"


def test_documented_toml_is_toml() -> None:
    for document in documents():
        for block in TOML_BLOCK.findall(document.read_text(encoding="utf-8")):
            assert tomllib.loads(block), document.name


def test_documented_files_are_read(tmp_path: Path) -> None:
    from policies.agents_file import read_agents
    from rewards.rules.rule_reward import RuleReward, check_examples
    from simulators.personas import read_persona

    def first_toml(name: str) -> Path:
        found = TOML_BLOCK.findall((ROOT / "docs" / "howto" / f"{name}.md").read_text(encoding="utf-8"))
        path = tmp_path / f"{name}.toml"
        path.write_text(found[0], encoding="utf-8")
        return path

    assert read_persona(first_toml("persona")).name == "my-owner"
    assert check_examples(RuleReward.from_toml(first_toml("rule")).rules) == []
    assert len(read_agents(first_toml("llm_agent"))) == 2


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < README_LINES
    tables = "\n".join(line if line.startswith("|") else "" for line in lines).split("\n\n")
    assert max(len(table.strip().splitlines()) - 2 for table in tables) <= README_ROWS


def test_the_readmes_dialogue_is_what_the_example_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / "play_an_episode.py"), run_name="__main__")
    shown = re.search(r"<!-- dialogue.*?-->\n```text\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert capsys.readouterr().out == shown[1], "copy what examples/play_an_episode.py prints into the README"


def test_an_excerpt_of_a_table_is_the_tables() -> None:
    text = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8").partition("## Methods compared")[2]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    whole = (ROOT / "docs" / "methods_tiny.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 5 and [row for row in rows if row not in whole] == []


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
