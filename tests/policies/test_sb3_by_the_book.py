"""Stable-Baselines3 as its own documentation uses it: environments by id, ``model.save``, and its zip as a policy."""

from __future__ import annotations

import base64
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from torch import nn

import negotiation_env
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, online
from negotiation_env.envs.numeric import StrategyEnv, StrategyVectorEnv
from negotiation_env.envs.spaces import OBSERVATION_SIZE
from negotiation_env.errors import DataFileError, RenderModeError, UsageError
from negotiation_env.play.registry import load_policy
from policies.sb3 import Sb3Policy, load_sb3_zip
from policies.training.sb3_ppo import NegotiationVecEnv

NAME = "HotelNegotiationStrategy-v0"
IDS = pytest.mark.parametrize("name", [f"negotiation_env:{NAME}", NAME])
# SB3 asks every environment for "rgb_array", of which Gymnasium warns; then SB3 makes it without.
pytestmark = pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array' that is not in the possible:UserWarning")


def small(env: Any, **arguments: Any) -> PPO:
    return PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu", **arguments)


@IDS
def test_ppo_and_make_vec_env_take_the_id(name: str) -> None:
    assert negotiation_env.__version__
    small(name).learn(64)
    envs = make_vec_env(name, n_envs=3, seed=0, env_kwargs={"max_turns": 5})
    model = small(envs).learn(96)
    _, lengths = evaluate_policy(model, envs, n_eval_episodes=5, return_episode_rewards=True)
    assert isinstance(lengths, list) and max(lengths) <= 5


def test_a_render_mode_that_there_is_not_is_an_error_on_which_sb3_goes_on() -> None:
    with pytest.raises(RenderModeError, match=r"expected render_mode .*, got 'rgb_array': pass"):
        gym.make(NAME, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(StrategyEnv())


ACTORS: list[dict[str, Any]] = [
    {},
    {"net_arch": [24], "activation_fn": nn.ReLU},
    {"net_arch": {"pi": [16, 8, 8], "vf": [4]}, "activation_fn": nn.Tanh, "share_features_extractor": False},
    {"net_arch": []},
]


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("actor", ACTORS, ids=repr)
def test_a_saved_model_plays_as_it_does_in_sb3(algorithm: Any, actor: dict[str, Any], tmp_path: Path) -> None:
    model = algorithm("MlpPolicy", NAME, n_steps=32, seed=1, device="cpu", policy_kwargs=actor).learn(64)
    model.save(tmp_path / "my.zip")
    network = load_sb3_zip(tmp_path / "my.zip")
    seen = np.random.default_rng(1).uniform(-1, 1.5, size=(200, OBSERVATION_SIZE)).astype(np.float32)
    expected, _ = model.predict(seen, deterministic=True)
    assert [network.act(row.astype(np.float64), 0) for row in seen] == [tuple(row) for row in expected.tolist()]
    assert network.provenance["steps"] == model.num_timesteps


def test_a_saved_model_is_a_policy_of_the_benchmark(tmp_path: Path) -> None:
    model = small(NegotiationVecEnv(StrategyVectorEnv(8))).learn(256)
    model.save(tmp_path / "my")
    spec = f"sb3:{tmp_path / 'my.zip'}"
    assert load_policy(spec).name == "sb3"
    report = run_benchmark([spec], [CaseSuite("few", tuple(online())[:2])], out=tmp_path / "out", workers=1)
    assert list(report.policies) == [spec]
    network = Sb3Policy(tmp_path / "my.zip").network
    network.save(tmp_path / "folder")
    assert Sb3Policy(tmp_path / "folder").network.activation == "tanh"
    with pytest.raises(UsageError, match=r"which does not exist: name sb3:.*my\.zip"):
        Sb3Policy(tmp_path / "my")
    with pytest.raises(UsageError, match="name the folder"):
        Sb3Policy(tmp_path / "nothing")


class Extractor(nn.Identity):
    features_dim = OBSERVATION_SIZE

    def __init__(self, space: Any) -> None:
        super().__init__()


def test_other_policies_and_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.zip"
    for actor in ({"activation_fn": nn.ELU}, {"features_extractor_class": Extractor}):
        small(NAME, policy_kwargs=actor).save(path)
        with pytest.raises(DataFileError, match="expected layers of Tanh or ReLU on the plain observation"):
            Sb3Policy(path)
    DQN("MlpPolicy", "CartPole-v1").save(path)
    with pytest.raises(DataFileError, match=r"expected a zip of model\.save with an MlpPolicy, got weights"):
        Sb3Policy(path)
    small("CartPole-v1").save(path)
    with pytest.raises(DataFileError, match="expected an agent for 55 observations"):
        Sb3Policy(path)
    path.write_text("no zip")
    with pytest.raises(DataFileError, match=r"expected a zip of model\.save"):
        Sb3Policy(path)


class Trap:
    """Something that writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.write_text, (self.target, "run")


@pytest.mark.parametrize("inside", ["data", "policy.pth"])
def test_pickles_in_the_zip_are_not_run(tmp_path: Path, inside: str) -> None:
    model = small(NAME)
    model.save(tmp_path / "good.zip")
    ran = tmp_path / "ran"
    with zipfile.ZipFile(tmp_path / "good.zip") as good, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name == inside == "data":
                trap = base64.b64encode(pickle.dumps(Trap(ran))).decode()
                content = content.replace(b'":serialized:": "', b'":serialized:": "' + trap.encode(), 1)
            elif name == inside:
                torch.save({"policy": Trap(ran)}, tmp_path / "trap.pth")
                content = (tmp_path / "trap.pth").read_bytes()
            bad.writestr(name, content)
    if inside == "data":
        Sb3Policy(tmp_path / "bad.zip")
    else:
        with pytest.raises(DataFileError, match=r"expected a zip of model\.save"):
            Sb3Policy(tmp_path / "bad.zip")
    assert not ran.exists()
