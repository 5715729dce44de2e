"""What the built distribution holds, and what its metadata promises."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
DATA_SUFFIXES = {".toml", ".npz", ".json", ".html", ".jinja", ".zip"}


def load_pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirement_name(requirement: str) -> str:
    name = requirement
    for stop in "[<>=!~ ;":
        name = name.partition(stop)[0]
    return name.lower().replace("_", "-")


def entry_points() -> list[str]:
    project = load_pyproject()["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    return [target for group in groups for target in group.values()]


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for package in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    result = subprocess.run([*command, str(source)], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_wheel_holds_the_five_packages_and_nothing_else(wheel_files: set[str]) -> None:
    assert {name.partition("/")[0] for name in wheel_files} == set(PACKAGES)


def test_wheel_holds_every_module_and_data_file(wheel_files: set[str]) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix == ".py" or path.suffix in DATA_SUFFIXES or path.name == "py.typed"
    }
    assert expected - wheel_files == set()


def test_core_dependencies_have_no_torch() -> None:
    names = {requirement_name(line) for line in load_pyproject()["project"]["dependencies"]}
    assert not names & {"torch", "transformers", "stable-baselines3", "peft", "accelerate"}


def test_constraints_pin_every_direct_dependency() -> None:
    project = load_pyproject()["project"]
    extras = project["optional-dependencies"]
    wanted = {requirement_name(line) for lines in (project["dependencies"], *extras.values()) for line in lines} - {
        "negotiation-env",
        "vllm",
        # Pinned by their extras, each in an environment without these constraints.
        "openenv",
        "verifiers",
    }
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("==" in pin and "@" not in pin and "://" not in pin for pin in pins)
    assert wanted - {requirement_name(pin) for pin in pins} == set()


@pytest.mark.parametrize("target", entry_points())
def test_entry_point_loads(target: str) -> None:
    point = EntryPoint(name="under-test", value=target, group="tests")
    assert callable(point.load())
