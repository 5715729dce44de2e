"""What README and docs tell to type runs, document by document, on suites of a few cases.

``tests/test_docs.py`` asks of every command whether it exists; this runs those that need no server, no GPU and no
training.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import suites
from benchmarks.cli.main import app
from benchmarks.suites import CaseSuite
from tests.test_docs import PYTHON_BLOCK, ROOT, shell_commands

ELSEWHERE = {
    "docs/agents.md": "a server; tests/benchmarks/test_faults.py plays over one",
    "docs/howto/llm_agent.md": "a server; examples/llm_agent.py plays over one",
    "docs/howto/manager.md": "a language model; tests/simulators/test_llm_manager.py, test_deciding_manager.py",
    "docs/howto/ray.md": "Ray; tests/benchmarks/test_ray.py",
    "docs/howto/train.md": "trains; each trainer has tests of its own",
    "docs/howto/trl.md": "trains; tests/policies/test_trl_grpo.py",
    "docs/howto/verifiers.md": "a venv of its own; tests/policies/test_verifiers_env.py",
    "docs/incident_to_rule.md": "a language model, and a training run",
    "docs/sb3.md": "a trained model; tests/policies/test_sb3_by_the_book.py plays one",
    "docs/vllm.md": "vLLM; tests/engines/test_vllm_engine.py",
}
"""Documents whose commands are not run here, with what they need."""
LEFT_OUT = {
    "negotiate demo": "tests/benchmarks/test_play_and_demo.py",
    "negotiate study record-failures": "a language model",
    "negotiate study case-table": "writes into the documentation; tests/benchmarks/test_case_file.py",
    "negotiate study launches": "counts a large model: a minute; tests/benchmarks/test_scaling.py",
    "negotiate train": "each trainer has tests of its own",
    "negotiate bench --policy ppo:out/ppo": "a trained adapter",
    "negotiate bench --policy sft:out/sft": "trained adapters",
    "negotiate study gaming --reward repo:rules=my_rules.toml": "a minute; tests/benchmarks/test_gaming.py",
    "negotiate persona fit people.json": "a file of human deals; tests/simulators/test_persona_command.py",
}
"""Beginnings of commands that are not run here, with where they are or what they need."""
SHORTER = {
    "intent-driven,base,sb3": "intent-driven,sb3", "6632": "40", "10000": "40", "my_cases/": "my_hotel.toml",
    "repo:rules=my_rules.toml,model=out/rm/preference.npz": "repo:rules=my_rules.toml",
}  # fmt: skip
"""Words of commands in place of which others are run: without a trained model, and with less data."""


def commands(document: str) -> list[list[str]]:
    """The document's commands that are run here, without the program's name."""
    found = [words for words in shell_commands(ROOT / document) if words[0] == "negotiate"]
    run = [words for words in found if not shlex.join(words).startswith(tuple(LEFT_OUT))]
    return [[SHORTER.get(word, word) for word in words[1:]] for words in run]


DOCUMENTS = sorted(
    name
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if (name := path.relative_to(ROOT).as_posix()) not in ELSEWHERE and commands(name)
)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Runs commands in a folder of their own, on small suites, in this process."""
    bad = CaseSuite("bad-cases", tuple(case for case in suites.bad_cases() if case.id.endswith("-2"))[:3])
    live = CaseSuite("online", tuple(suites.online())[:3])
    few = suites.ab("6")
    monkeypatch.setattr(suites, "bad_cases", lambda: bad)
    monkeypatch.setattr(suites, "online", lambda: live)
    monkeypatch.setattr(suites, "ab", lambda: few)
    monkeypatch.setattr("negotiation_env.play.workers.cores", lambda: 1)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def typed(runner: CliRunner, words: list[str]) -> None:
    """Run a command; whoever plays says a few words."""
    result = runner.invoke(app, words, input="Hello, could you do better?\n/quit\n")
    assert result.exit_code == 0, f"negotiate {shlex.join(words)}:\n{result.output}"


def prepare(runner: CliRunner, document: str) -> None:
    """Make what a document takes to be there."""
    if document == "docs/howto/rule.md":
        for words in commands("README.md"):
            typed(runner, words)
    if document == "docs/howto/policy.md":
        code = PYTHON_BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))[0][0]
        Path("my_agent.py").write_text(code, encoding="utf-8")
    if document == "docs/bad_cases.md":
        typed(runner, ["scenario", "new", "my_hotel.toml"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_documents_commands_run(document: str, runner: CliRunner) -> None:
    prepare(runner, document)
    for words in commands(document):
        typed(runner, words)
        if words[0] == "bench" and words[-1] == "out/first":  # another run, to compare it with
            shutil.copytree("out/first", "out/second")


def test_what_is_not_run_is_there() -> None:
    assert all((ROOT / name).is_file() for name in ELSEWHERE)
    every = [shlex.join(words) for path in ROOT.rglob("docs/**/*.md") for words in shell_commands(path)]
    every += [shlex.join(words) for words in shell_commands(ROOT / "README.md")]
    assert [start for start in LEFT_OUT if not any(line.startswith(start) for line in every)] == []
