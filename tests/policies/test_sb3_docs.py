"""What docs/sb3.md and Stable-Baselines3's own documentation show runs as it stands there, with fewer steps."""

from __future__ import annotations

import re
from importlib.metadata import metadata
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
STEPS = 8
"""Steps of training, and of each environment between two updates."""


# SB3 asks every environment for "rgb_array", of which Gymnasium warns; then SB3 makes it without.
pytestmark = pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array' that is not in the possible:UserWarning")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    learn = OnPolicyAlgorithm.learn

    def short(model: Any, total_timesteps: int, *arguments: Any, **named: Any) -> Any:
        model.n_steps = min(model.n_steps, STEPS)
        model._setup_model()  # made for as many steps as the document has
        return learn(model, min(total_timesteps, STEPS), *arguments, **named)

    monkeypatch.setattr(OnPolicyAlgorithm, "learn", short)
    monkeypatch.chdir(tmp_path)


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = PYTHON.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(blocks) == 5
    shared: dict[str, Any] = {}  # one block goes on where another ended
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/sb3.md, example {number + 1}", "exec"), shared)  # noqa: S102 - our own text
    assert (tmp_path / "my.zip").is_file()
    assert capsys.readouterr().out.rstrip().endswith("closed")


OF_ITS_PAGE_ON_PPO = """
import gymnasium as gym

from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

vec_env = make_vec_env("CartPole-v1", n_envs=4)

model = PPO("MlpPolicy", vec_env, verbose=1)
model.learn(total_timesteps=25000)
model.save("ppo_cartpole")

del model # remove to demonstrate saving and loading

model = PPO.load("ppo_cartpole")

obs = vec_env.reset()
for i in range(1000):
    action, _states = model.predict(obs)
    obs, rewards, dones, info = vec_env.step(action)
    vec_env.render("human")
"""
"""Its ``while True`` ends here."""


@pytest.mark.filterwarnings("ignore:You tried to call render")
@pytest.mark.filterwarnings("ignore:You tried to render a VecEnv:UserWarning")
def test_the_lines_of_sb3_s_own_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    found: Any = metadata("stable-baselines3")
    readme = PYTHON.findall(str(found.get_payload() or found["Description"]))
    assert readme, "expected Python in the README of stable-baselines3"
    for text in (*readme, OF_ITS_PAGE_ON_PPO):
        ours = text.replace("CartPole-v1", "negotiation_env:HotelNegotiationStrategy-v0")
        assert ours != text
        exec(compile(ours.replace("range(1000)", "range(50)"), "README", "exec"), {})  # noqa: S102 - SB3's own text
    assert "HOTEL: " in capsys.readouterr().out


def test_the_commands_exist_and_the_gamma_is_the_preset_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in shell_commands(DOCUMENT):
        assert command[0] == "negotiate" and help_status(command[1:], monkeypatch) in (0, None)
    gamma = re.search(r"^gamma = (\S+)$", (PRESETS / "sb3" / "tiny.toml").read_text(), re.MULTILINE)
    assert gamma is not None
    assert f"The trainer's gamma is\n{gamma[1]}:" in DOCUMENT.read_text(encoding="utf-8")
