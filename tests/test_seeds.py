"""Every draw has a place of its own: no seed range, label, turn, channel or stream is used twice."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from negotiation_env import seeds
from policies.training.on_policy.evaluation import training_seeds

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
SCENARIO_CALLS = {"sample_scenario", "scenario_of"}


def overlaps(ranges: Mapping[str, range]) -> list[tuple[str, str]]:
    return [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(ranges.items(), 2)
        if one.start < other.stop and other.start < one.stop
    ]


@pytest.mark.parametrize("name", ["SCENARIOS", "LABELS", "CHANNELS"])
def test_no_two_ranges_overlap(name: str) -> None:
    ranges: Mapping[str, range] = getattr(seeds, name)
    assert all(len(r) for r in ranges.values())
    assert overlaps(ranges) == []


def test_an_overlap_would_be_found() -> None:
    assert overlaps({"a": range(5), "b": range(4, 9), "c": range(9, 10)}) == [("a", "b")]


def test_turns_lie_beyond_every_negotiation_and_apart() -> None:
    turns = list(seeds.TURNS.values())
    assert len(set(turns)) == len(turns)
    assert min(turns) > 1 << 16


def test_streams_are_told_apart_by_value_and_name() -> None:
    values = [stream.value for stream in seeds.Stream]
    assert len(set(values)) == len(values)


def test_every_training_run_has_scenarios_of_its_own() -> None:
    runs = [training_seeds(run) for run in range(6)]
    assert overlaps({str(i): r for i, r in enumerate(runs)}) == []
    whole = seeds.SCENARIOS["on-policy training"]
    assert all(r.start in whole and r.stop - 1 in whole for r in runs)


def product_trees() -> Iterable[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if place != "negotiation_env/seeds.py":
                yield place, ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def numbers_in(node: ast.AST) -> list[int]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, int)]


def test_generators_are_seeded_by_streams_of_the_register() -> None:
    """A tuple that seeds a generator names its stream; no literal stands in one."""
    wrong = []
    for place, tree in product_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) == "default_rng" and node.args:
                seed = node.args[0]
                streamless = isinstance(seed, ast.Tuple) and "Stream." not in ast.unparse(seed)
                if streamless or any(n > 1 for n in numbers_in(seed)):
                    wrong.append(f"{place}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []


def test_labels_ranges_and_turns_stand_in_the_register_alone() -> None:
    """Outside the register no label is made by a shift, and no range of scenario seeds by a large literal."""
    wrong = []
    for place, tree in product_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and place != "negotiation_env/game/lanes.py":
                text = ast.unparse(node)
                if re.match(r"\w*(SEEDS?|LABEL|CHANNEL|TURN)\w*", text) and re.search(r"<< \d|\b\d{4,}\b", text):
                    wrong.append(f"{place}:{node.lineno} {text}")
            if isinstance(node, ast.Call) and called(node) == "fork" and any(n > 1 for n in numbers_in(node.args[1])):
                wrong.append(f"{place}:{node.lineno} {ast.unparse(node)}")
            if (
                isinstance(node, ast.Call)
                and called(node) in SCENARIO_CALLS
                and any(n > 1000 for n in numbers_in(node))
            ):
                wrong.append(f"{place}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []
