"""One name for one thing: no class and no file name twice; every room's docstring says what stands in it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
TWICE: dict[str, str] = {}
"""Class and file names that may stand for two things, each with its reason; at most six."""
MOST_FILES, MOST_LINES = 324, 67_000
FORMULA = re.compile(r"\b(Knows|Does not know|It knows|This module knows)\b")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in TWICE} == {}


def test_no_file_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, _ in modules():
        if path.name != "__init__.py":
            places[path.stem].append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in TWICE} == {}


def imported(tree: ast.Module, names: set[str]) -> set[str]:
    """The project's modules that a module imports when it is imported itself."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            places = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (places & names) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & names


def test_no_module_imports_itself_by_way_of_others() -> None:
    trees = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): tree for path, tree in modules()}
    graph = {name: imported(tree, set(trees)) - {name} for name, tree in trees.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(trees)  # raises CycleError


def test_the_exceptions_are_few_and_explained() -> None:
    assert len(TWICE) <= 6
    assert all(len(reason.split()) >= 5 for reason in TWICE.values())


def test_docstrings_follow_no_formula() -> None:
    wrong = [
        f"{path}:{getattr(node, 'lineno', 1)}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and FORMULA.search(ast.get_docstring(node) or "")
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_stands_where(package: str) -> None:
    """The docstring of every package names each module and package inside it."""
    silent = []
    for init in sorted((ROOT / package).rglob("__init__.py")):
        doc = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
        inside = {p.stem for p in init.parent.glob("*.py")} - {"__init__"}
        inside |= {p.parent.name for p in init.parent.glob("*/__init__.py")}
        silent += [f"{init.relative_to(ROOT)}: {name}" for name in sorted(inside) if not re.search(rf"\b{name}\b", doc)]
    assert silent == []


def test_the_product_stays_small() -> None:
    sources = [(ROOT / path).read_text(encoding="utf-8") for path, _ in modules()]
    assert len(sources) <= MOST_FILES
    assert sum(len(source.splitlines()) for source in sources) <= MOST_LINES


def test_benchmarks_is_rooms_alone() -> None:
    assert [p.name for p in (ROOT / "benchmarks").glob("*.py")] == ["__init__.py"]


ONE_OF_EACH = {
    r"\bLoraConfig\(": {"negotiation_env/training/lora.py", "policies/integrations/trl_grpo.py"},
    r"class \w*AdapterPreset\b": {"negotiation_env/training/presets.py"},
    r"class TrainingStoppedError\b": {"negotiation_env/training/run_folder.py"},
    r"class MetricsLog\b|def model_card\(|def peak_memory_mb\(": {"negotiation_env/training/run_folder.py"},
    r"CHECKPOINTS\b": {"negotiation_env/training/run_folder.py"},
    r"def honest_replies\(": {"rewards/model/act_fit.py"},
    r"def (read_toml|read_json|write_text|write_folder)\(": {"negotiation_env/files.py"},
    r"def wilson\(|def bootstrap\(": {"benchmarks/statistics/intervals.py"},
}
"""What stands in one place alone; TRL's example shows TRL's own way to name an adapter."""


@pytest.mark.parametrize("pattern", ONE_OF_EACH)
def test_there_is_one_of_each(pattern: str) -> None:
    places = {str(path) for path, _ in modules() if re.search(pattern, (ROOT / path).read_text(encoding="utf-8"))}
    assert places == ONE_OF_EACH[pattern]
