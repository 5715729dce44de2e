from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negotiation_env.envs.spaces import OBSERVATION_SIZE
from negotiation_env.errors import DataFileError
from negotiation_env.training.presets import read_preset
from policies.training.settings import PRESETS, Sb3Preset


def read(preset: dict[str, Any] | str | Path) -> Sb3Preset:
    return read_preset(Sb3Preset, preset, PRESETS / "sb3")


TABLE = {**read("tiny").model_dump(), "num_envs": 8, "n_steps": 16, "batch_size": 64, "hidden": (16, 8)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gamma": 1.5}, "gamma"),
        ({"seed": -1}, "seed"),
        ({"learning_rat": 0.1}, "learning_rat"),
        ({"hidden": []}, "hidden"),
    ],
)
def test_a_wrong_preset_names_the_field(change: dict[str, object], told: str) -> None:
    with pytest.raises(DataFileError, match=told):
        read({**TABLE, **change})


def test_a_missing_preset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.toml: expected a readable TOML file"):
        read(tmp_path / "none.toml")


def test_the_exported_network_is_sb3_s_own(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("stable_baselines3")
    from negotiation_env.envs.numeric import StrategyVectorEnv
    from policies.sb3 import load_mlp
    from policies.training.sb3_ppo import NegotiationVecEnv, export, make_model

    preset = read(TABLE)
    envs = NegotiationVecEnv(StrategyVectorEnv(preset.num_envs), preset.reward_scale)
    model = make_model(preset, envs)
    model.learn(256)
    export(model, True, {}).save(tmp_path)
    network = load_mlp(tmp_path)
    seen = np.random.default_rng(1).uniform(-1, 1.5, size=(50, OBSERVATION_SIZE)).astype(np.float32)
    with torch.no_grad():
        parts: Any = model.policy.get_distribution(torch.as_tensor(seen)).distribution
        expected = torch.cat([part.logits for part in parts], dim=1).numpy()
    for row, logits in zip(seen, expected, strict=True):
        mine = network.logits(row.astype(np.float64))
        start = 0
        for size in network.action_sizes:
            part = mine[start : start + size]
            normal = part - np.log(np.exp(part - part.max()).sum()) - part.max()
            np.testing.assert_allclose(normal, logits[start : start + size], atol=1e-5)
            start += size
    chosen, _ = model.predict(seen, deterministic=True)
    assert [network.act(row.astype(np.float64), 0) for row in seen] == [tuple(row) for row in chosen.tolist()]


def test_sb3_s_own_tools_run_on_the_adapter() -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import VecMonitor

    from negotiation_env.envs.numeric import StrategyVectorEnv
    from policies.training.sb3_ppo import NegotiationVecEnv, make_model

    envs = NegotiationVecEnv(StrategyVectorEnv(4, max_turns=6))
    model = make_model(read(TABLE), envs)
    returns, lengths = evaluate_policy(model, VecMonitor(envs), n_eval_episodes=8, return_episode_rewards=True)
    assert isinstance(lengths, list)
    assert len(lengths) == 8
    assert 1 <= min(lengths) <= max(lengths) <= 6
    assert np.isfinite(returns).all()


def test_training_writes_an_agent_that_plays(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    from policies.sb3 import Sb3Policy
    from policies.training.sb3_ppo import train
    from tests.policies.staged import opening

    out = train(TABLE, tmp_path / "agent", ["seed=3", "total_steps=256"])
    assert sorted(path.name for path in out.iterdir()) == ["architecture.json", "weights.npz"]
    policy = Sb3Policy(out)
    assert policy.network.provenance["preset"]["seed"] == 3
    assert policy.network.provenance["steps"] == 256
    assert policy.reply([opening()])[0].text


def test_the_same_seed_trains_the_same_agent(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    from policies.training.sb3_ppo import train

    first, second = (train(TABLE, tmp_path / name, ["total_steps=256"]) for name in ("a", "b"))
    with np.load(first / "weights.npz") as a, np.load(second / "weights.npz") as b:
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])
