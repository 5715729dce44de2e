"""What docs/sb3.md shows of Stable-Baselines3 runs as it stands there, with fewer steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from policies.training.settings import PRESETS
from tests.test_docs import help_status, shell_commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "sb3.md"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
STEPS = 4096


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array' that is not in the possible:UserWarning")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    learn = OnPolicyAlgorithm.learn

    def short(model: Any, total_timesteps: int, *arguments: Any, **named: Any) -> Any:
        return learn(model, min(total_timesteps, STEPS), *arguments, **named)

    monkeypatch.setattr(OnPolicyAlgorithm, "learn", short)
    monkeypatch.chdir(tmp_path)
    blocks = PYTHON.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(blocks) == 5
    shared: dict[str, Any] = {}  # one block goes on where another ended
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/sb3.md, example {number + 1}", "exec"), shared)  # noqa: S102 - our own text
    assert (tmp_path / "my.zip").is_file()
    assert capsys.readouterr().out.rstrip().endswith("closed")


def test_the_commands_exist_and_the_gamma_is_the_preset_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in shell_commands(DOCUMENT):
        assert command[0] == "negotiate" and help_status(command[1:], monkeypatch) in (0, None)
    gamma = re.search(r"^gamma = (\S+)$", (PRESETS / "sb3" / "tiny.toml").read_text(), re.MULTILINE)
    assert gamma is not None
    assert f"The trainer's gamma is\n{gamma[1]}:" in DOCUMENT.read_text(encoding="utf-8")
