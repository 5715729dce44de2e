"""What a run was made with: version, commit, versions of the rules that decide its figures, packages, machine.

Two runs are comparable where the parts named in ``IDENTITY`` agree (see ``comparison.run_folders``).
"""

from __future__ import annotations

import hashlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.checks import CHECKS_VERSION
from benchmarks.raters import RATERS_VERSION
from benchmarks.suites import Case, CaseSuite
from negotiation_env import __version__
from negotiation_env.engines.specs import split_spec
from negotiation_env.game import SCENARIOS_VERSION
from negotiation_env.language import READER_VERSION
from negotiation_env.play.registry import policy_label
from rewards import JUDGE_VERSION, MODEL_VERSION, RULES_VERSION
from simulators import MANAGERS_VERSION

ROOT: Final = Path(__file__).parent.parent.parent
IDENTITY: Final[dict[str, str]] = {
    "version": "version of negotiation-env",
    "manager": "manager",
    "llm": "engine of the manager's voice",
    "seed_plan": "seed plan",
    "versions": "versions of what decides the figures",
}
"""Parts of the provenance in which two runs must agree to be compared, and what they are; suites are compared apart."""
VERSIONS: Final[dict[str, int]] = {
    "scenarios": SCENARIOS_VERSION,
    "reader": READER_VERSION,
    "managers": MANAGERS_VERSION,
    "rules": RULES_VERSION,
    "judge": JUDGE_VERSION,
    "model": MODEL_VERSION,
    "checks": CHECKS_VERSION,
    "raters": RATERS_VERSION,
}
"""What decides a run's figures. Each number is raised by hand with a change that can move a figure;
``tests/golden/test_versions.py`` tells when one was forgotten."""
_PACKAGES: Final = ("numpy", "scipy", "torch", "transformers", "peft")
DIGITS: Final = 12


def digest(parts: Iterable[bytes]) -> str:
    """Return a short SHA-256 of byte strings; where one ends matters."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()[:DIGITS]


def suite_digest(suite: CaseSuite) -> str:
    """Return the digest of what a suite's cases are: cards, floors, seeds, scripts, checks, personas."""
    return digest(case_content(case) for case in suite)


def case_content(case: Case) -> bytes:
    """Return everything of a case that decides how it is played and judged."""
    content = (case.scenario, case.category, case.severity, case.script, case.checks, case.max_turns, case.persona)
    # Cases from before there were further facts keep their digest.
    return repr(content).replace(", more=()", "").encode()


def policy_digest(spec: str) -> str:
    """Return the digest of the files behind ``NAME:PATH`` or ``NAME:vllm:PATH``, "" where no path is named.

    The spec of a policy with a name of its own counts too: there the name does not tell what it is.
    """
    rest = split_spec(spec).head.partition(":")[2]
    path = next((Path(text) for text in (rest, rest.partition(":")[2]) if text and Path(text).exists()), None)
    named = policy_label(spec) != spec
    if not named and path is None:
        return ""
    found = hashlib.sha256(spec.encode() if named else b"")
    files = [] if path is None else [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        found.update(file.name.encode())
        with file.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()[:DIGITS]


def provenance(
    settings: Mapping[str, Any], suites: Mapping[str, CaseSuite], readers: Mapping[str, str], specs: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is needed to make a run's figures again, but for times.

    ``readers``: reader and version by policy; ``specs``: spec by policy.
    """
    commit, changed = commit_of_sources()
    return {
        "version": __version__,
        "commit": commit,
        "uncommitted_changes": changed,
        **settings,
        "suites": {name: {"cases": len(suite), "digest": suite_digest(suite)} for name, suite in suites.items()},
        "policies": {name: policy_digest(spec) for name, spec in specs.items()},
        "specs": {name: spec for name, spec in specs.items() if name != spec},
        "readers": dict(readers),
        "versions": dict(VERSIONS),
        "raters": "automated checks and raters only; no human rater",
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _installed(name)) is not None},
    }


def typed_command() -> str:
    """Return the command that this process was started with, as the user typed it."""
    return shlex.join(["negotiate", *sys.argv[1:]])


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def commit_of_sources() -> tuple[str | None, bool | None]:
    """Return the commit of the sources' checkout, and whether tracked files differ; None where there is no commit."""
    # A package installed inside somebody's own checkout is not part of that checkout's commit.
    if _git("ls-files", "--error-unmatch", str(Path(__file__))) is None:
        return None, None
    commit, status = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return commit, None if status is None else bool(status)


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
